// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the environment says about initrds: the variables of `weak-modules2`.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::generators::Tool;
use crate::environment;
use crate::root::Root;

/// How initrds are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `KMP_NEEDS_MKINITRD`: the package at hand needs one whatever the rules say.
    pub forced: bool,
    /// `INITRD_IN_POSTTRANS`: only markers; who asks will have them built.
    pub in_posttrans: bool,
    /// `TRANSACTIONAL_UPDATE`: a snapshot is being changed, in a chroot of its own.
    pub transactional: bool,
    /// `SKIP_REGENERATE_INITRD_ALL`: the marker `all` is not served, others are.
    pub skip_all: bool,
    /// Never build: a guest in rpm's process.
    pub markers_only: bool,
    /// Programs of a root that is not the caller's own may be run, in it.
    pub run_in_root: bool,
    /// `INITRD_GENERATOR`, for where `/etc/sysconfig/bootloader` does not set it.
    pub generator: Option<String>,
    /// Other programs in place of the tools' own, by the variables that each tool names.
    pub programs: BTreeMap<Tool, OsString>,
}

impl Settings {
    /// By the process's environment.
    pub fn from_environment() -> Self {
        Self::of(&|name| match Tool::ALL.iter().any(|tool| tool.variable() == name) {
            true => environment::variable(name),
            false => std::env::var_os(name),
        })
    }

    /// Markers, and nothing run.
    pub fn markers_only() -> Self {
        Self { markers_only: true, ..Self::from_environment() }
    }

    /// By variables; an empty one counts as not set.
    pub fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let value = |name| variable(name).filter(|v: &OsString| !v.is_empty());
        // `0` and `00` are no, and so is nothing; every other word is yes.
        let is_zero = |v: &OsString| v.to_str().is_some_and(|v| v.trim().parse::<i64>() == Ok(0));
        Self {
            forced: value("KMP_NEEDS_MKINITRD").is_some_and(|v| !is_zero(&v)),
            in_posttrans: value("INITRD_IN_POSTTRANS").is_some(),
            transactional: value("TRANSACTIONAL_UPDATE").is_some(),
            skip_all: value("SKIP_REGENERATE_INITRD_ALL").is_some_and(|v| v == "1"),
            markers_only: false,
            run_in_root: false,
            generator: value("INITRD_GENERATOR").and_then(|v| v.into_string().ok()),
            programs: Tool::ALL
                .into_iter()
                .filter_map(|tool| Some((tool, value(tool.variable())?)))
                .collect(),
        }
    }

    /// The program that stands for a tool: a name, or a path.
    pub fn program(&self, tool: Tool) -> OsString {
        self.programs.get(&tool).cloned().unwrap_or_else(|| tool.program().into())
    }

    /// May programs that are in `root` be run?
    pub fn may_run_in(&self, root: &Root) -> bool {
        root.is_system() || self.run_in_root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let of = |pairs: &[(&str, &str)]| {
            Settings::of(&|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
        };
        assert_eq!(of(&[]), Settings::default());
        assert_eq!(of(&[("KMP_NEEDS_MKINITRD", ""), ("INITRD_IN_POSTTRANS", "")]), Settings::default());
        for (value, forced) in [("0", false), ("00", false), ("1", true), ("yes", true), ("no", true)] {
            assert_eq!(of(&[("KMP_NEEDS_MKINITRD", value)]).forced, forced, "{value}");
        }
        let all = of(&[("INITRD_IN_POSTTRANS", "1"), ("TRANSACTIONAL_UPDATE", "true"), ("DRACUT", "/d")]);
        assert!(all.in_posttrans && all.transactional && all.program(Tool::Dracut) == "/d");
    }
}
