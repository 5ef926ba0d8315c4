// SPDX-License-Identifier: LGPL-2.1-or-later
//! The root of a Debian release, kept for the next time, and how it is entered.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::packages::{Family, NEEDS, Use};

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
    directory: PathBuf,
    /// What to put before a command to run it as root.
    sudo: Vec<&'static str>,
}

impl Chroot {
    pub fn new(release: &'static Release, sudo: Vec<&'static str>) -> Self {
        Self { release, directory: install::target().join("chroot").join(release.name), sudo }
    }

    pub fn name(&self) -> &'static str {
        self.release.name
    }

    /// What is installed there.
    fn packages(&self) -> String {
        packages() + self.release.also
    }

    /// Makes sure that it is there and works, and says what is in it.
    pub fn provide(&self) -> Result<String, String> {
        let made = fs::read_to_string(self.directory.join(STAMP));
        if made.is_ok_and(|made| made.trim() == self.packages())
            && let Ok(has) = self.look()
        {
            return Ok(has);
        }
        self.make()?;
        self.look()
    }

    fn look(&self) -> Result<String, String> {
        let output = self.enter(&self.directory, &[], &[]).args(["sh", "-c", LOOK]).output();
        let output = output.map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().into()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("{}: {}", self.directory.display(), said.trim()))
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        let unfinished = self.directory.with_extension("unfinished");
        let parent = self.directory.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        self.remove(&self.directory)?;
        let mut made = Err(String::new());
        // Twice, for a network that fails now and then.
        for _ in 0..2 {
            self.remove(&unfinished)?;
            made = self.fill(&unfinished);
            if made.is_ok() {
                break;
            }
        }
        made?;
        // For the day on which the tests want more.
        let mut stamp = self.root("sh");
        stamp.args(["-c", r#"echo "$1" >"$2""#, "sh", &self.packages()]).arg(unfinished.join(STAMP));
        finish("the chroot's stamp", &mut stamp)?;
        finish("mv", self.root("mv").arg(&unfinished).arg(&self.directory))
    }

    /// debootstrap, and apt for the rest: debootstrap does not know who provides what, nor alternatives.
    fn fill(&self, place: &Path) -> Result<(), String> {
        let name = self.release.name;
        println!("$ debootstrap {name} {}", place.display());
        let mut make = self.root("unshare");
        make.args(["--mount", "--propagation", "private", "debootstrap", "--variant=minbase", name]);
        let log = place.join("debootstrap/debootstrap.log");
        finish(
            &format!("debootstrap {name} (see {})", log.display()),
            make.arg(place).stdout(Stdio::null()),
        )?;
        let wanted = self.packages();
        println!("$ (in {name}) apt-get install {wanted}");
        let mut apt = self.enter(place, &[], &[("DEBIAN_FRONTEND", "noninteractive".into())]);
        apt.args(["apt-get", "install", "-q", "-y", "--no-install-recommends"]).args(wanted.split(' '));
        let log = inside::log(name, "apt");
        let wrong = |e: std::io::Error| format!("{}: {e}", log.display());
        fs::create_dir_all(log.parent().unwrap_or(Path::new("/"))).map_err(wrong)?;
        let output = fs::File::create(&log).map_err(wrong)?;
        apt.stdout(output.try_clone().map_err(wrong)?).stderr(output);
        finish(&format!("apt-get in {name} (see {})", log.display()), &mut apt)?;
        finish("apt-get clean", self.enter(place, &[], &[]).args(["apt-get", "clean"]))
    }

    /// Runs the tests on it.
    pub fn test(&self, all: bool) -> Result<(), String> {
        let toolchain = run::output("rustc", &["--print", "sysroot"])?;
        let toolchain = PathBuf::from(toolchain.trim());
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
        let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let (project, target) = (install::project(), install::target());
        let own = target.join("tmp");
        // Elsewhere, if this is one of several work trees.
        let git = project.join(run::output("git", &["rev-parse", "--git-common-dir"])?.trim());
        let places = [
            ("ro", &git),
            ("ro", &project),
            ("rw", &target),
            ("new", &own),
            ("ro", &toolchain),
            ("ro", &cargo),
        ];
        // Crates are not built once more if cargo finds the same settings.
        let mut variables: Vec<(String, OsString)> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        variables.retain(|(name, _)| handed_on(name));
        let path = format!("{}:{PATH}", toolchain.join("bin").display());
        let variables: Vec<(&str, OsString)> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .chain([("CARGO_HOME", cargo.clone().into()), ("PATH", path.into())])
            .chain(GIT.iter().map(|(name, value)| (*name, (*value).into())))
            .collect();
        let mut command = self.enter(&self.directory, &places, &variables);
        command.arg(run::this_program()?).args(["_inside", self.name()]);
        command.args(all.then_some("--all"));
        finish(&format!("the tests on {}", self.name()), &mut command)
    }

    fn remove(&self, directory: &Path) -> Result<(), String> {
        finish("rm", self.root("rm").args(["-rf", "--one-file-system"]).arg(directory))
    }

    fn root(&self, program: impl Into<OsString>) -> Command {
        let words: Vec<OsString> =
            self.sudo.iter().map(|word| (*word).into()).chain([program.into()]).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// A command there, to be followed by its words, with these directories and variables.
    fn enter(&self, root: &Path, places: &[(&str, &PathBuf)], variables: &[(&str, OsString)]) -> Command {
        let mut command = self.root(install::project().join("crates/xtask/src/releases/enter.sh"));
        command.arg(root);
        for (mode, directory) in places {
            let mut place = OsString::from(format!("{mode}:"));
            place.push(directory);
            command.arg(place);
        }
        command.args(["--", "env", "-i", "HOME=/root", "LC_ALL=C", &format!("PATH={PATH}")]);
        for (name, value) in std::env::vars_os().filter(|(name, _)| is_proxy(&name.to_string_lossy())) {
            command.arg(joined(&name, &value));
        }
        command.args(variables.iter().map(|(name, value)| joined(name.as_ref(), value)));
        command.stdin(Stdio::null());
        command
    }
}

/// The project may be somebody else's than root's.
const GIT: &[(&str, &str)] =
    &[("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "safe.directory"), ("GIT_CONFIG_VALUE_0", "*")];

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn joined(name: &std::ffi::OsStr, value: &std::ffi::OsStr) -> OsString {
    [name, "=".as_ref(), value].into_iter().collect()
}

fn is_proxy(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// The settings of cargo that people and CI make, but not what cargo itself has set for this program.
fn handed_on(name: &str) -> bool {
    let own = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    let wanted = ["CARGO_", "RUSTFLAGS", "RUSTC", "CI"].iter().any(|start| name.starts_with(start));
    wanted && !own.iter().any(|start| name.starts_with(start))
}

/// What zypper only recommends, as packages of their own since Debian 13.
const RECOMMENDED: &[&str] = &["libzypp-bin", "libzypp-config"];

/// What a machine needs to run the tests and to build kmp's packages, in one line.
fn packages() -> String {
    let uses = [Use::Demo, Use::Test, Use::Rpm];
    let needs = NEEDS.iter().filter(|need| uses.contains(&need.of));
    let mut names: Vec<&str> = needs.flat_map(|need| need.packages(Family::Apt).split_whitespace()).collect();
    names.extend(RECOMMENDED);
    names.sort_unstable();
    names.dedup();
    names.join(" ")
}
