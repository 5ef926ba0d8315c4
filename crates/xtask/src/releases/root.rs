// SPDX-License-Identifier: LGPL-2.1-or-later
//! The root of a Debian release: made by debootstrap, and entered as a machine of its own.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::finish;
use crate::{install, run};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A directory that is a system's root, or will be.
pub struct Root {
    pub directory: PathBuf,
    /// What to put before a command to run it as root.
    sudo: Vec<&'static str>,
}

/// What is seen in a root besides what it has itself.
#[derive(Default)]
pub struct Seen {
    /// Directories, each at its own path, and how: `ro`, `rw`, or `new` for an empty one.
    pub places: Vec<(&'static str, PathBuf)>,
    /// Variables, besides proxies and a plain PATH.
    pub variables: Vec<(String, OsString)>,
}

impl Seen {
    /// The toolchain that runs this program, what it has downloaded, and the settings that cargo has been given.
    ///
    /// # Errors
    /// `rustc` does not run.
    pub fn toolchain() -> Result<Self, String> {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
        let place =
            |variable, name| std::env::var_os(variable).map_or_else(|| home.join(name), PathBuf::from);
        let (cargo, rustup) = (place("CARGO_HOME", ".cargo"), place("RUSTUP_HOME", ".rustup"));
        let toolchain = PathBuf::from(run::output("rustc", &["--print", "sysroot"])?.trim());
        // rustup's programs first: they know other toolchains as well.
        let path = format!("{}:{}:{PATH}", cargo.join("bin").display(), toolchain.join("bin").display());
        // Crates are not built once more if cargo finds the same settings.
        let mut variables: Vec<(String, OsString)> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        variables.retain(|(name, _)| handed_on(name));
        variables.push(("PATH".into(), path.into()));
        variables.push(("CARGO_HOME".into(), cargo.clone().into()));
        let mut places = vec![("ro", cargo)];
        if !toolchain.starts_with(&rustup) {
            places.push(("ro", toolchain));
        }
        if rustup.is_dir() {
            variables.push(("RUSTUP_HOME".into(), rustup.clone().into()));
            places.push(("ro", rustup));
        }
        Ok(Self { places, variables })
    }
}

impl Root {
    pub fn new(directory: PathBuf, sudo: Vec<&'static str>) -> Self {
        Self { directory, sudo }
    }

    /// The same of another directory.
    pub fn at(&self, directory: PathBuf) -> Self {
        Self::new(directory, self.sudo.clone())
    }

    /// Fills it with the smallest system of a release, and these packages, by name.
    pub fn debootstrap(&self, release: &str, packages: &[&str]) -> Result<(), String> {
        let place = &self.directory;
        println!("$ debootstrap {release} {}", place.display());
        let mut make = self.command("unshare");
        make.args(["--mount", "--propagation", "private", "debootstrap", "--variant=minbase"]);
        if !packages.is_empty() {
            make.arg(format!("--include={}", packages.join(",")));
        }
        make.arg(release).arg(place).stdout(Stdio::null());
        let log = place.join("debootstrap/debootstrap.log");
        finish(&format!("debootstrap {release} (see {})", log.display()), &mut make)
    }

    pub fn remove(&self) -> Result<(), String> {
        finish("rm", self.command("rm").args(["-rf", "--one-file-system"]).arg(&self.directory))
    }

    /// A command out here, as root.
    pub fn command(&self, program: impl Into<OsString>) -> Command {
        let words: Vec<OsString> =
            self.sudo.iter().map(|word| (*word).into()).chain([program.into()]).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// A command in it, to be followed by its words.
    pub fn enter(&self, seen: &Seen) -> Command {
        let mut command = self.command(install::project().join("crates/xtask/src/releases/enter.sh"));
        command.arg(&self.directory);
        for (mode, directory) in &seen.places {
            command.arg(joined(mode.as_ref(), ":", directory.as_ref()));
        }
        command.args(["--", "env", "-i", "HOME=/root", "LC_ALL=C", &format!("PATH={PATH}")]);
        for (name, value) in std::env::vars_os().filter(|(name, _)| is_proxy(&name.to_string_lossy())) {
            command.arg(joined(&name, "=", &value));
        }
        command.args(seen.variables.iter().map(|(name, value)| joined(name.as_ref(), "=", value)));
        command.stdin(Stdio::null());
        command
    }
}

fn joined(name: &OsStr, between: &str, value: &OsStr) -> OsString {
    [name, between.as_ref(), value].into_iter().collect()
}

fn is_proxy(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// The settings of cargo that people and CI make, but not what cargo itself has set for this program.
fn handed_on(name: &str) -> bool {
    let own = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_", "CARGO_HOME"];
    let wanted = ["CARGO_", "RUSTFLAGS", "RUSTC", "CI"].iter().any(|start| name.starts_with(start));
    wanted && !own.iter().any(|start| name.starts_with(start))
}
