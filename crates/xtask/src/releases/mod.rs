// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask releases`: the tests on newer Debian releases as hosts, whose rpm, kmod, zypper, dnf, dracut and C library are
//! newer. The programs are those that were built out here: one `kmp` and one `kmp.so` are proved on each release.

mod chroot;
pub mod fresh;
pub mod inside;
mod root;

use std::path::PathBuf;
use std::process::Command;

use testkit::packages::Use;

use crate::test::binaries;
use crate::{install, plugin};
use chroot::Chroot;

/// A release that debootstrap knows.
struct Release {
    name: &'static str,
    /// It changes from day to day, so that it may fail to be there for no fault of ours.
    moves: bool,
    /// Packages that earlier releases do not have, or not beside zypper; each begins with a blank.
    also: &'static str,
}

/// Those after the one with rpm 4.18.
const RELEASES: &[Release] = &[
    Release { name: "trixie", moves: false, also: SYSTEM_UPGRADE },
    Release { name: "testing", moves: true, also: " dnf5 libdnf5-dev libjson-c-dev" },
];

/// dnf's upgrades at boot.
const SYSTEM_UPGRADE: &str = " dnf-plugins-core python3-systemd";

/// Run the tests on newer Debian releases as hosts.
#[derive(clap::Args, Default)]
pub struct Arguments {
    /// Also those tests that do not depend on the machine.
    #[arg(long)]
    all: bool,
    /// Only on this one.
    #[arg(value_name = "RELEASE", value_parser = RELEASES.iter().map(|r| r.name).collect::<Vec<_>>())]
    release: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    match check(arguments)? {
        None => Ok(()),
        Some(why) => Err(format!("not run: {why}")),
    }
}

/// Runs the tests on each release. `Some`: in some releases they could not be run, and why.
///
/// # Errors
/// A test that failed; in CI also a release that cannot be had, if it is one that stays as it is.
pub fn check(arguments: &Arguments) -> Result<Option<String>, String> {
    let (mut chroots, not_run) = chroots()?;
    chroots.retain(|chroot| arguments.release.as_deref().is_none_or(|name| name == chroot.name()));
    if chroots.is_empty() {
        return Ok(Some(not_run.join("; ")));
    }
    binaries::keep(&binaries::build()?, &inside::list())?;
    plugin::build(plugin::Kind::Faults, "debug")?;
    let mut failed = Vec::new();
    for chroot in &chroots {
        println!("\n=== {}", chroot.name());
        failed.extend(chroot.test(arguments.all).err());
    }
    match failed.is_empty() {
        true => Ok((!not_run.is_empty()).then(|| not_run.join("; "))),
        false => Err(failed.join("; ")),
    }
}

/// Makes the chroots. `Some`: why some, or all, are not there.
pub fn provide() -> Result<Option<String>, String> {
    chroots().map(|(_, not_run)| (!not_run.is_empty()).then(|| not_run.join("; ")))
}

/// A command in the first of the chroots that are there, where these directories are seen, too (`ro` or `rw`); none is made.
pub fn enter(places: Vec<(&'static str, PathBuf)>) -> Option<Command> {
    let sudo = install::sudo()?;
    let mut chroots = RELEASES.iter().map(|release| Chroot::new(release, sudo.clone()));
    chroots.find(Chroot::is_there).map(|chroot| chroot.enter(places))
}

/// The names by which the results of a step's tests are kept: its own, or the releases'.
pub fn tested_by(step: &'static str) -> Vec<&'static str> {
    match step {
        "releases" => RELEASES.iter().map(|release| release.name).collect(),
        _ => vec![step],
    }
}

/// The chroots, and why others cannot be had.
fn chroots() -> Result<(Vec<Chroot>, Vec<String>), String> {
    let must_run = std::env::var_os("CI").is_some();
    let tools = install::ensure(&[Use::Releases]).and_then(|()| {
        install::sudo().ok_or_else(|| "debootstrap needs the rights of root, and sudo does not work".into())
    });
    let sudo = match tools {
        Err(why) if !must_run => return Ok((Vec::new(), vec![why])),
        tools => tools?,
    };
    let (mut chroots, mut not_run) = (Vec::new(), Vec::new());
    for release in RELEASES {
        let chroot = Chroot::new(release, sudo.clone());
        match chroot.provide() {
            Ok(has) => {
                println!("{}: {has}", release.name);
                chroots.push(chroot);
            }
            Err(why) if must_run && !release.moves => return Err(why),
            Err(why) => {
                println!("NOT RUN in {}: {why}", release.name);
                not_run.push(why);
            }
        }
    }
    Ok((chroots, not_run))
}
