// SPDX-License-Identifier: LGPL-2.1-or-later
//! A state to which a root is brought back, so that one root does for many rows; and what a row expects.

use std::path::PathBuf;
use std::process::Command;

use testkit::{Output, run};

use crate::managers::said;
use crate::support::Site;

/// What a row's command changes, and nothing else does: packages and their files, and what is kept of kmp's and of zypper's.
const PARTS: [&str; 6] =
    ["var/lib/rpm", "usr/lib/modules", "var/cache/kmp", "etc/zypp", "var/lib/zypp", "repo"];

/// A root as it once was.
pub struct Scene<'s> {
    pub site: &'s Site,
    kept: PathBuf,
}

impl<'s> Scene<'s> {
    pub fn of(site: &'s Site) -> Self {
        let kept = site.root().home().join("scene");
        for part in PARTS {
            site.root().mkdir(part);
        }
        let scene = Self { site, kept };
        scene.sync(true);
        scene
    }

    /// As it was.
    pub fn again(&self) {
        self.sync(false);
    }

    fn sync(&self, keep: bool) {
        for part in PARTS {
            let (here, there) = (self.site.root().join(part), self.kept.join(part));
            let (from, to) = if keep { (here, there) } else { (there, here) };
            let line = "rm -rf \"$2\" && mkdir -p \"$2\" && cp -a \"$1/.\" \"$2\"";
            run(Command::new("sh").args(["-c", line, "sh"]).args([from, to])).expect_success();
        }
    }
}

/// A command, and what is to become of it.
pub struct Row<'r> {
    /// The words after `zypper --non-interactive`.
    pub words: &'r str,
    /// NAME-VERSION of the packages that come.
    pub comes: &'r [&'r str],
    /// Its exit status.
    pub status: i32,
    /// What is said.
    pub says: &'r [&'r str],
}

/// NAME-VERSION of all that is installed, sorted.
pub fn installed(site: &Site) -> Vec<String> {
    let output = site.sh("rpm -qa --qf '%{NAME}-%{VERSION}-%{RELEASE}\\n'").expect_success();
    let mut names: Vec<String> = output.stdout.lines().map(Into::into).collect();
    names.sort();
    names
}

impl Row<'_> {
    /// Runs it; nothing goes, and what is expected comes. No kernel lacks a driver afterwards, nor does one of kmp's rules speak of
    /// a kernel that is installed, or of a conflict.
    #[track_caller]
    pub fn check(&self, site: &Site) -> Output {
        let before = installed(site);
        let output = site.zypper(&self.words.split(' ').collect::<Vec<_>>());
        let (words, said) = (self.words, said(&output));
        assert_eq!(output.status, Some(self.status), "{words}: {said}");
        for part in self.says {
            assert!(said.contains(part), "{words}, {part}: {said}");
        }
        assert!(!said.contains("error: kmp:"), "{words}: {said}");
        let after = installed(site);
        assert!(
            before.iter().all(|package| after.contains(package) || replaced(package, &after)),
            "{words}: {said}"
        );
        let new: Vec<&String> = after.iter().filter(|package| !before.contains(package)).collect();
        let is_it = |package: &str, name: &&str| {
            package.strip_prefix(*name).is_some_and(|r| r.is_empty() || r.starts_with('-'))
        };
        let is_expected = |package: &&String| self.comes.iter().any(|name| is_it(package, name));
        assert!(new.len() == self.comes.len() && new.iter().all(is_expected), "{words}: {new:?}: {said}");
        let status = site.sh("kmp --quiet status");
        assert_eq!(
            status.status,
            Some(0),
            "{words}: a driver is missing: {status} {}",
            site.sh("kmp status")
        );
        check_rules(site, &after);
        output
    }
}

/// Has another version of a package that has no versions beside it taken its place?
fn replaced(package: &str, after: &[String]) -> bool {
    let name = package.rsplitn(3, '-').nth(2).unwrap();
    !name.contains("kernel")
        && !name.contains("kmp")
        && after.iter().any(|p| p.rsplitn(3, '-').nth(2) == Some(name))
}

#[track_caller]
fn check_rules(site: &Site, installed: &[String]) {
    let file = "etc/zypp/systemCheck.d/kmp.check";
    let rules = if site.root().exists(file) { site.root().read(file) } else { String::new() };
    for rule in rules.lines().filter(|line| !line.starts_with('#')) {
        assert!(rule.starts_with("requires:("), "{rules}");
        let about = rule.split_once(" if (").unwrap().1.split_once(" and ").unwrap().0;
        if let Some((name, evr)) = about.split_once(" = ") {
            assert!(!installed.contains(&format!("{name}-{evr}")), "{about} is installed: {rules}");
        }
    }
}
