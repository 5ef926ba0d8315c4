// SPDX-License-Identifier: LGPL-2.1-or-later
//! The root of a Debian release, kept for the next time, and how it is entered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::packages::{BESIDE_ZYPPER, Family, NEEDS, Use};

use super::root::{Root, Seen};
use super::{Release, inside};
use crate::run::finish;
use crate::{install, run};

/// A file in a finished chroot: the packages that were asked for.
const STAMP: &str = "kmp-packages";

/// Says what is in it, if it is as it should be.
const LOOK: &str = "depmod --version >/dev/null && zypper --version >/dev/null && /usr/bin/python3 -c 'import rpm' && \
     echo \"$(rpm --version), $(depmod --version | head -n 1), $(zypper --version), $(ldd --version | head -n 1)\"";

/// A release's root.
pub struct Chroot {
    release: &'static Release,
    root: Root,
}

impl Chroot {
    pub fn new(release: &'static Release, sudo: Vec<&'static str>) -> Self {
        Self { release, root: Root::new(install::target().join("chroot").join(release.name), sudo) }
    }

    pub fn name(&self) -> &'static str {
        self.release.name
    }

    /// Is it made?
    pub fn is_there(&self) -> bool {
        self.root.directory.join(STAMP).exists()
    }

    /// A command in it.
    pub fn enter(&self, places: Vec<(&'static str, PathBuf)>) -> Command {
        self.root.enter(&Seen { places, ..Seen::default() })
    }

    /// What is installed there.
    fn packages(&self) -> String {
        packages() + self.release.also
    }

    /// Makes sure that it is there and works, and says what is in it.
    pub fn provide(&self) -> Result<String, String> {
        let made = fs::read_to_string(self.root.directory.join(STAMP));
        if made.is_ok_and(|made| made.trim() == self.packages())
            && let Ok(has) = self.look()
        {
            return Ok(has);
        }
        self.make()?;
        self.look()
    }

    fn look(&self) -> Result<String, String> {
        let output = self.root.enter(&Seen::default()).args(["sh", "-c", LOOK]).output();
        let output = output.map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().into()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("{}: {}", self.root.directory.display(), said.trim()))
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        let place = &self.root.directory;
        let unfinished = self.root.at(place.with_extension("unfinished"));
        let parent = place.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        self.root.remove()?;
        let mut made = Err(String::new());
        // Twice, for a network that fails now and then.
        for _ in 0..2 {
            unfinished.remove()?;
            made = self.fill(&unfinished);
            if made.is_ok() {
                break;
            }
        }
        made?;
        // For the day on which the tests want more.
        let mut stamp = self.root.command("sh");
        stamp
            .args(["-c", r#"echo "$1" >"$2""#, "sh", &self.packages()])
            .arg(unfinished.directory.join(STAMP));
        finish("the chroot's stamp", &mut stamp)?;
        finish("mv", self.root.command("mv").arg(&unfinished.directory).arg(place))
    }

    /// debootstrap, and apt for the rest: debootstrap does not know who provides what, nor alternatives.
    fn fill(&self, root: &Root) -> Result<(), String> {
        let name = self.release.name;
        root.debootstrap(name, &[])?;
        let wanted = self.packages();
        println!("$ (in {name}) apt-get install {wanted}");
        let variables = vec![("DEBIAN_FRONTEND".into(), "noninteractive".into())];
        let mut apt = root.enter(&Seen { variables, ..Seen::default() });
        apt.args(["apt-get", "install", "-q", "-y", "--no-install-recommends"]).args(wanted.split(' '));
        let log = inside::log(name, "apt");
        let wrong = |e: std::io::Error| format!("{}: {e}", log.display());
        fs::create_dir_all(log.parent().unwrap_or(Path::new("/"))).map_err(wrong)?;
        let output = fs::File::create(&log).map_err(wrong)?;
        apt.stdout(output.try_clone().map_err(wrong)?).stderr(output);
        finish(&format!("apt-get in {name} (see {})", log.display()), &mut apt)?;
        finish("apt-get clean", root.enter(&Seen::default()).args(["apt-get", "clean"]))
    }

    /// Runs the tests on it.
    pub fn test(&self, all: bool) -> Result<(), String> {
        let (project, target) = (install::project(), install::target());
        let own = target.join("tmp");
        // Elsewhere, if this is one of several work trees.
        let git = project.join(run::output("git", &["rev-parse", "--git-common-dir"])?.trim());
        let mut seen = Seen::toolchain()?;
        seen.places.splice(0..0, [("ro", git), ("ro", project), ("rw", target), ("new", own)]);
        seen.variables.extend(GIT.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let mut command = self.root.enter(&seen);
        command.arg(run::this_program()?).args(["_inside", self.name()]);
        command.args(all.then_some("--all"));
        finish(&format!("the tests on {}", self.name()), &mut command)
    }
}

/// The project may be somebody else's than root's.
pub const GIT: &[(&str, &str)] =
    &[("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")];

/// What a machine needs to run the tests and to build kmp's packages, in one line.
fn packages() -> String {
    let uses = [Use::Demo, Use::Test, Use::Rpm];
    let needs = NEEDS.iter().filter(|need| uses.contains(&need.of));
    let mut names: Vec<&str> = needs.flat_map(|need| need.packages(Family::Apt).split_whitespace()).collect();
    names.extend(BESIDE_ZYPPER);
    names.sort_unstable();
    names.dedup();
    names.join(" ")
}
