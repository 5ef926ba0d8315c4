// SPDX-License-Identifier: LGPL-2.1-or-later
//! What kmp says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::judge::build::Set;
use crate::judge::run::{self, Result};

/// What `kmp check` says of a module.
#[derive(Clone, Debug, Default)]
pub struct Opinion {
    /// It fits.
    pub fits: bool,
    /// Rule, symbol, detail.
    pub reasons: Vec<(String, String, String)>,
    /// In-tree modules that it breaks.
    pub breaks: BTreeSet<String>,
    /// Modules that export what it exports, and are not needed with it.
    pub may_clash: BTreeSet<String>,
}

impl Opinion {
    /// It loads, and nothing of the kernel's own is lost by it.
    pub fn accepts(&self) -> bool {
        self.fits && self.breaks.is_empty()
    }
}

/// By kernel release and module path.
pub type Opinions = HashMap<(String, PathBuf), Opinion>;

/// Runs `kmp check` on files or directories that are judged together.
///
/// # Errors
/// kmp fails, or its answer is not what it is documented to be.
pub fn kmp(program: &Path, root: &Path, releases: &[&str], what: &[&Path]) -> Result<Opinions> {
    kmp_by(Command::new(program), root, releases, what)
}

/// The same; `command` is `kmp`, or what runs it.
///
/// # Errors
/// See [`kmp`].
pub fn kmp_by(mut command: Command, root: &Path, releases: &[&str], what: &[&Path]) -> Result<Opinions> {
    command.arg("--root").arg(root).arg("check").arg("--json");
    for release in releases {
        command.args(["--kernel", release]);
    }
    let done = command.args(what).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !matches!(done.status.code(), Some(0 | 1)) {
        return Err(format!("{command:?}: {}\n{said}", done.status).into());
    }
    let answer: Value =
        serde_json::from_slice(&done.stdout).map_err(|e| format!("kmp's JSON: {e}\n{said}"))?;
    let mut opinions = Opinions::new();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    for kernel in answer["kernels"].as_array().ok_or("kmp's JSON has no kernels")? {
        for module in kernel["modules"].as_array().ok_or("kmp's JSON has no modules")? {
            let reasons: Vec<_> = module["reasons"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|r| (text(&r["rule"]), text(&r["symbol"]), text(&r["detail"])))
                .collect();
            let fits = module["fits"].as_bool().ok_or("kmp's JSON has no fits")?;
            let key = (text(&kernel["release"]), PathBuf::from(text(&module["path"])));
            let warnings = module["warnings"].as_array().map_or(&[][..], Vec::as_slice);
            let of_kind = |kind: &str| {
                warnings.iter().filter(|w| w["kind"] == kind).map(|w| text(&w["module"])).collect()
            };
            let (breaks, may_clash) = (of_kind("breaks"), of_kind("may-clash"));
            opinions.insert(key, Opinion { fits, reasons, breaks, may_clash });
        }
    }
    Ok(opinions)
}

/// kmp's opinion of every set on a machine's kernel. Our own sets of one build share no name and no
/// symbol, and are named together; what comes from the archive is named package by package.
///
/// # Errors
/// kmp fails.
pub fn opinions(program: &Path, root: &Path, release: &str, sets: &[&Set]) -> Result<Opinions> {
    let mut calls: BTreeMap<(&str, &str), Vec<&Path>> = BTreeMap::new();
    for set in sets {
        let package = if set.dkms { set.name.as_str() } else { "" };
        calls.entry((&set.built_for, package)).or_default().push(&set.dir);
    }
    let calls: Vec<Vec<&Path>> = calls.into_values().collect();
    let mut all = Opinions::new();
    for answer in run::each(&calls, |dirs| kmp(program, root, &[release], dirs)) {
        all.extend(answer?);
    }
    Ok(all)
}
