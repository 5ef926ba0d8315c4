// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether newer builds of drivers are fetched from their providers, and whether those of another kernel are used: the settings that
//! SUSE Linux Enterprise 9 had, under their old names in its file, or in `kmp.conf`.

use std::path::Path;

use super::Config;
use crate::assignments::Assignments;
use crate::problem::Problem;
use crate::root::Root;

/// The file of old.
const FILE: &str = "/etc/sysconfig/onlineupdate";

/// Is it done?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    #[default]
    Yes,
    /// Somebody is asked; where nobody can be, no.
    Ask,
    /// No.
    No,
}

impl Answer {
    /// `yes`, `ask` or `no`, in either case.
    pub fn parse(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "yes" => Some(Self::Yes),
            "ask" => Some(Self::Ask),
            "no" => Some(Self::No),
            _ => None,
        }
    }
}

impl Config {
    /// Takes in the file of old, whose settings go over those of `kmp.conf`. Drivers that are not to be used again are those that
    /// are not linked; where somebody would have to be asked they are, since nobody can be inside rpm.
    pub(super) fn read_old(&mut self, root: &Root, problems: &mut Vec<Problem>) {
        let text = match root.read_if_there(Path::new(FILE), super::LIMIT) {
            Ok(None) => return,
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) => return problems.push(Problem::unreadable(root.display(Path::new(FILE)), &e)),
        };
        let mut file = Assignments::default();
        file.read(&text);
        if let Some(download) = Answer::parse(file.get("DOWNLOAD_DRIVER_PACKAGES")) {
            self.download = download;
        }
        if Answer::parse(file.get("REUSE_DRIVER_PACKAGES")) == Some(Answer::No) {
            self.no_weak_updates.push((None, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Wish;

    #[test]
    fn the_old_file_goes_over_kmp_conf() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/sysconfig")).unwrap();
        std::fs::write(dir.path().join("etc/kmp.conf"), "download = ask\n").unwrap();
        let root = Root::open(dir.path()).unwrap();
        let mut problems = Vec::new();
        assert_eq!(Config::load(&root, &mut problems).download, Answer::Ask);
        let old = "DOWNLOAD_DRIVER_PACKAGES=\"no\"\nREUSE_DRIVER_PACKAGES=\"no\"\n";
        std::fs::write(dir.path().join("etc/sysconfig/onlineupdate"), old).unwrap();
        let config = Config::load(&root, &mut problems);
        assert_eq!(config.download, Answer::No);
        assert!(config.wish("foo", Wish::default()).never.is_some());
        assert!(problems.is_empty(), "{problems:?}");
    }
}
