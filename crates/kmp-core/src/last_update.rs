// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the last `kmp update` found, for whoever asks later: since when a kernel is held back, which were let come, and which build
//! of a driver fits. A text file of bounded size that nobody misses: without it, a kernel is held back since today.

mod advisory;

use std::io;
use std::path::Path;

use crate::apply;
use crate::clock;
use crate::guard::Lost;
use crate::root::Root;

pub use advisory::{Advisory, kept_back};

/// Where it is.
pub const FILE: &str = "/var/cache/kmp/update";

/// Its first word. Another form is as good as none.
const FORM: &str = "kmp-update-1";

/// The word for a kernel that is let come.
const LET: &str = "let";

/// The largest file, in bytes, and the most kernels in it.
const LIMIT: u64 = 1 << 20;
const KERNELS: usize = 200;

/// From this many bytes on, advisories are left out: they may be missing, what else there is may not.
const ROOM: usize = 512 << 10;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastUpdate {
    /// When, in seconds since 1970.
    pub at: u64,
    /// How many seconds ago that was when it was read.
    pub age: u64,
    /// The kernels that repositories had, and were newer than the installed ones.
    pub kernels: Vec<Kernel>,
    /// Kernels that somebody lets come, by their packages (name-\[epoch:\]version-release.arch).
    pub released: Vec<String>,
}

/// A build of a driver in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBuild {
    /// name-\[epoch:\]version-release.arch.
    pub package: String,
    /// Its name.
    pub name: String,
    /// `[epoch:]version-release`.
    pub evr: String,
    /// The repository's short name.
    pub repository: String,
    /// How many seconds ago it was found.
    pub age: u64,
}

/// How long ago something was, in words.
pub fn ago(seconds: u64) -> String {
    let of = |count: u64, unit: &str| format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" });
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => of(seconds / 60, "minute"),
        3600..86400 => of(seconds / 3600, "hour"),
        _ => of(seconds / 86400, "day"),
    }
}

/// A kernel that might come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// The name of its package.
    pub line: String,
    /// The package: name-\[epoch:\]version-release.arch.
    pub package: String,
    /// Its release, where that was known.
    pub release: String,
    /// Since when a driver that has to be kept is missing in it, in seconds since 1970; `None`: none is.
    pub held_since: Option<u64>,
    /// Is it let come, though a driver is missing: by `kmp hold --release`, `missing = warn`, or after `hold-max-days`?
    pub is_let: bool,
    /// What is said of it.
    pub reason: String,
    /// The drivers that it was judged for.
    pub drivers: Vec<Driver>,
    /// The security advisories that it brings; kept of one that is held back.
    pub advisories: Vec<Advisory>,
}

/// A driver in such a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// The name of the installed package.
    pub name: String,
    /// What becomes of it, in the word of `kmp update --json`.
    pub verdict: String,
    /// The build that comes along (name-\[epoch:\]version-release.arch), and the repository that has it; empty: none does.
    pub build: String,
    /// The repository.
    pub repository: String,
    /// What is said of it.
    pub why: String,
}

impl LastUpdate {
    /// Reads it; `None` where there is nothing that can be used.
    pub fn load(root: &Root) -> Option<Self> {
        let bytes = root.read_if_there(Path::new(FILE), LIMIT).ok()??;
        let last = Self::parse(std::str::from_utf8(&bytes).ok()?)?;
        Some(Self { age: clock::now().saturating_sub(last.at), ..last })
    }

    /// The build of a driver that comes along with the kernel that it would be lost in.
    pub(crate) fn build_for(&self, lost: &Lost) -> Option<FoundBuild> {
        let kernel = self.kernels.iter().find(|kernel| kernel.release == lost.kernel)?;
        let driver = kernel.drivers.iter().find(|d| d.name == lost.package && !d.build.is_empty())?;
        // name-[epoch:]version-release.arch
        let (nevr, _) = driver.build.rsplit_once('.')?;
        let (name, release) = nevr.rsplit_once('-')?;
        let (name, version) = name.rsplit_once('-')?;
        Some(FoundBuild {
            package: driver.build.clone(),
            name: name.to_owned(),
            evr: format!("{version}-{release}"),
            repository: driver.repository.clone(),
            age: self.age,
        })
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self, root: &Root) -> io::Result<()> {
        apply::replace(root, Path::new(FILE), Some(self.text().as_bytes())).map(drop)
    }

    /// Is the kernel of that release let come, though a driver is missing?
    pub fn lets_come(&self, release: &str) -> bool {
        self.kernels.iter().any(|kernel| kernel.is_let && kernel.release == release)
    }

    /// The kernels that are held back.
    pub fn held(&self) -> impl Iterator<Item = &Kernel> {
        self.kernels.iter().filter(|kernel| kernel.held_since.is_some() && !kernel.is_let)
    }

    pub(crate) fn text(&self) -> String {
        let mut text = line(&[FORM, &self.at.to_string()]);
        for kernel in self.kernels.iter().take(KERNELS) {
            let since = kernel.held_since.unwrap_or(0).to_string();
            let Kernel { line: name, package, release, reason, .. } = kernel;
            let is_let = if kernel.is_let { LET } else { "" };
            text += &line(&["kernel", name, package, release, &since, is_let, reason]);
            for driver in &kernel.drivers {
                let Driver { name, verdict, build, repository, why } = driver;
                text += &line(&["driver", name, verdict, build, repository, why]);
            }
            for Advisory { id, severity, cves } in &kernel.advisories {
                let added = line(&["advisory", id, severity, &cves.join(" ")]);
                if text.len() + added.len() < ROOM {
                    text += &added;
                }
            }
        }
        for package in self.released.iter().take(KERNELS) {
            text += &line(&["released", package]);
        }
        text
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<&str>>());
        let mut last = match lines.next()?.as_slice() {
            [FORM, at] => Self { at: at.parse().ok()?, ..Self::default() },
            _ => return None,
        };
        for fields in lines {
            let own = |text: &&str| (*text).to_owned();
            match fields.as_slice() {
                ["kernel", line, package, release, since, is_let, reason] => {
                    let held_since = since.parse().ok().filter(|since| *since > 0);
                    let is_let = *is_let == LET;
                    let [line, package, release, reason] = [line, package, release, reason].map(own);
                    let kernel =
                        Kernel { line, package, release, held_since, is_let, reason, ..Kernel::default() };
                    last.kernels.push(kernel);
                }
                ["driver", name, verdict, build, repository, why] => {
                    let [name, verdict, build, repository, why] =
                        [name, verdict, build, repository, why].map(own);
                    let driver = Driver { name, verdict, build, repository, why };
                    last.kernels.last_mut()?.drivers.push(driver);
                }
                ["advisory", id, severity, cves] => {
                    // What would end a line is written as a blank.
                    let words = cves.split(|c: char| c == ' ' || c.is_control());
                    let cves = words.filter(|cve| !cve.is_empty()).map(str::to_owned).collect();
                    let advisory = Advisory { id: own(id), severity: own(severity), cves };
                    last.kernels.last_mut()?.advisories.push(advisory);
                }
                ["released", package] => last.released.push(own(package)),
                _ => return None,
            }
        }
        Some(last)
    }
}

/// A line of these fields; what would end a field or a line is a blank.
fn line(fields: &[&str]) -> String {
    let clean = |field: &&str| field.replace(|c: char| c.is_control(), " ");
    format!("{}\n", fields.iter().map(clean).collect::<Vec<_>>().join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_another_form_is_none() {
        let driver = Driver {
            name: "nic".into(),
            verdict: "missing".into(),
            why: "a\tb\nc".into(),
            ..Driver::default()
        };
        let kernel = Kernel {
            line: "kernel-default".into(),
            package: "kernel-default-6-2.x86_64".into(),
            held_since: Some(7),
            drivers: vec![driver],
            advisories: vec![Advisory {
                id: "A-1".into(),
                severity: String::new(),
                cves: vec!["CVE-1".into(), "CVE-2".into()],
            }],
            ..Kernel::default()
        };
        let mut last = LastUpdate { at: 9, age: 0, kernels: vec![kernel], released: vec!["k".into()] };
        let text = last.text();
        last.kernels[0].drivers[0].why = "a b c".into();
        assert_eq!(LastUpdate::parse(&text), Some(last));
        for other in [
            "",
            "kmp-update-2\t1\n",
            "kmp-update-1\tx\n",
            &format!("{text}driver\n"),
            "kmp-update-1\t1\ndriver\ta\tb\tc\td\te\n",
        ] {
            assert_eq!(LastUpdate::parse(other), None, "{other}");
        }
    }

    #[test]
    fn it_never_has_more_advisories_than_can_be_read_again() {
        let advisory = Advisory { id: "A".repeat(1000), severity: String::new(), cves: Vec::new() };
        let kernel = Kernel { advisories: vec![advisory; 1000], held_since: Some(7), ..Kernel::default() };
        let last = LastUpdate { kernels: vec![kernel; 3], ..LastUpdate::default() };
        let text = last.text();
        assert!(text.len() < ROOM + 1000, "{}", text.len());
        let read = LastUpdate::parse(&text).unwrap();
        assert!(read.kernels.len() == 3 && read.kernels[0].advisories.len() > 400);
    }

    #[test]
    fn what_was_read_is_written_as_it_is_read_again() {
        let text = "kmp-update-1\t9\nkernel\tk\tk-6-2.x86_64\t6-2\t7\t\twhy\nadvisory\tS-1\timportant\tCVE-1 C\0\0\x012\n";
        let again = LastUpdate::parse(text).unwrap().text();
        assert_eq!(LastUpdate::parse(&again).unwrap().text(), again);
    }
}
