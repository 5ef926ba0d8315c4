// SPDX-License-Identifier: LGPL-2.1-or-later
//! The names of a peer's commands in a root: whose they are now, and what was put aside.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use testkit::TestRoot;

use super::peers::Peer;

/// What a name is: type and mode, owner, time, and contents or where it leads.
pub type Fact = (u32, u32, u32, i64, String);

pub struct Names<'r> {
    pub root: &'r TestRoot,
    pub peer: Peer,
}

impl Names<'_> {
    fn fact(&self, path: &str) -> Option<Fact> {
        let real = self.root.join(path);
        let stat = std::fs::symlink_metadata(&real).ok()?;
        let contents = match std::fs::read_link(&real) {
            Ok(target) => target.display().to_string(),
            Err(_) => self.root.read(path),
        };
        Some((stat.permissions().mode(), stat.uid(), stat.gid(), stat.mtime(), contents))
    }

    pub fn facts(&self) -> Vec<Option<Fact>> {
        self.peer.called().iter().map(|(path, _)| self.fact(path)).collect()
    }

    /// Files that were put aside, or left behind.
    pub fn asides(&self) -> Vec<String> {
        let dirs =
            self.peer.called().into_iter().map(|(path, _)| Path::new(&path).parent().unwrap().to_owned());
        let dirs: BTreeSet<PathBuf> = dirs.collect();
        let names = dirs.iter().flat_map(|dir| std::fs::read_dir(self.root.join(dir)).into_iter().flatten());
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".distrib") || name.starts_with(".kmp-")).collect()
    }

    /// All names lead to kmp.
    #[track_caller]
    pub fn all_are_ours(&self) {
        for (path, target) in self.peer.called() {
            let fact = self.fact(&path);
            assert_eq!(fact.as_ref().map(|f| f.4.as_str()), Some(target), "{path}: {fact:?}");
            assert!(self.root.exists(&path), "{path} leads to nothing");
        }
    }

    /// All names are the originals of this version, and nothing was put aside.
    #[track_caller]
    pub fn all_are_theirs(&self, version: &str) {
        for (path, _) in self.peer.called() {
            let text = self.root.read(&path);
            assert!(text.contains(&format!("of {version}")), "{path}: {text}");
        }
        assert_eq!(self.asides(), [""; 0]);
    }

    /// What was put aside is of this version.
    #[track_caller]
    pub fn aside_is(&self, version: &str) {
        for (path, _) in self.peer.called() {
            // A link in the peer's package leads where it led.
            let text = self.root.read(format!("{path}.distrib"));
            assert!(text.contains(&format!("of {version}")), "{path}: {text}");
        }
    }

    /// Whoever calls a name now reaches a program.
    #[track_caller]
    pub fn all_can_be_called(&self) {
        for (path, _) in self.peer.called() {
            let mode =
                std::fs::metadata(self.root.join(&path)).unwrap_or_else(|e| panic!("{path}: {e}")).mode();
            assert_eq!(mode & 0o111, 0o111, "{path}");
        }
    }
}
