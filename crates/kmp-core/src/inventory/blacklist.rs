// SPDX-License-Identifier: LGPL-2.1-or-later
//! modprobe.d: which modules are never loaded for their devices.

use std::collections::HashSet;

use super::modprobe_d;
use crate::abi::name::normalized;
use crate::root::Root;

/// Names (`_` for `-`) of modules whose aliases modprobe passes over, or which it does not load at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blacklist(HashSet<String>);

impl Blacklist {
    /// Reads it. What cannot be read is left to modprobe to complain of.
    pub fn load(root: &Root) -> Self {
        let mut names = HashSet::new();
        modprobe_d::each_line(root, |line| names.extend(kept_out(line)));
        Self(names)
    }

    /// Is this module in it? `_` for `-`.
    pub fn has(&self, module: &str) -> bool {
        self.0.contains(module)
    }
}

/// `blacklist MODULE`, `install MODULE /bin/false`.
fn kept_out(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    match (words.next()?, words.next()?, words.next()) {
        ("blacklist", module, _) => Some(normalized(module)),
        ("install", module, Some(program)) => {
            let does_nothing =
                ["true", "false", ":"].contains(&program.rsplit('/').next().unwrap_or_default());
            does_nothing.then(|| normalized(module))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_out_is_named_in_files_that_count() {
        let files = testkit::TestRoot::new();
        files
            .write("usr/lib/modprobe.d/a.conf", "# blacklist no\nblacklist nou-veau\ninstall x /bin/false\n");
        files.write("usr/lib/modprobe.d/hidden.conf", "blacklist hidden\n");
        files.write("etc/modprobe.d/hidden.conf", "install y /sbin/modprobe -i y\nblacklist \\\nlong\n");
        let blacklist = Blacklist::load(&Root::open(&files.path()).unwrap());
        for (module, expected) in
            [("nou_veau", true), ("x", true), ("long", true), ("hidden", false), ("y", false), ("no", false)]
        {
            assert_eq!(blacklist.has(module), expected, "{module}");
        }
    }
}
