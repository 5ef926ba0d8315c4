// SPDX-License-Identifier: LGPL-2.1-or-later
//! Installs what is missing, asking nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use kmp_core::dialect::Dialect;

use testkit::packages::{BESIDE_ZYPPER, Family, NEEDS, Need, Use, advice};

const SBIN: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Where a program is, in PATH or in an sbin directory.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).chain(SBIN.iter().map(Into::into)).collect();
    directories.into_iter().map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Why a command could not be started, and what to install.
pub fn cannot_run(command: &Command, why: &std::io::Error) -> String {
    let program = command.get_program().to_string_lossy();
    format!("{program} cannot be run: {why}. {}", advice(&program)).trim_end_matches([' ', '.']).into()
}

/// What [`ensure`] would look for, by purpose: each program, and this machine's packages that have it.
pub fn list_packages() {
    let families: Vec<(Family, &str)> = Family::ALL
        .into_iter()
        .filter(|(family, _)| self::family().is_none_or(|own| own == *family))
        .collect();
    for (of, purpose) in Use::ALL {
        println!("For {purpose}:");
        for need in NEEDS.iter().filter(|need| need.of == of) {
            let packages = families.iter().map(|(family, name)| match families.len() {
                1 => need.packages(*family).to_string(),
                _ => format!("{name}: {}", need.packages(*family)),
            });
            let there = if is_there(need.program) { "" } else { "  (not installed)" };
            println!("  {:20} {}{there}", need.program, packages.collect::<Vec<_>>().join("; "));
        }
    }
}

/// Whether [`ensure`] only names what is missing.
static NOTHING: AtomicBool = AtomicBool::new(false);

/// From now on nothing is installed.
pub fn install_nothing() {
    NOTHING.store(true, Ordering::Relaxed);
}

/// Has [`install_nothing`] been called?
pub fn installs_nothing() -> bool {
    NOTHING.load(Ordering::Relaxed)
}

/// Makes sure that all that `uses` need is there.
pub fn ensure(uses: &[Use]) -> Result<(), String> {
    let missing = missing(uses);
    if missing.is_empty() {
        return Ok(());
    }
    if installs_nothing() {
        let each =
            missing.iter().map(|need| format!("{} is not installed. {}", need.program, advice(need.program)));
        let mut each: Vec<String> = each.collect();
        each.dedup();
        return Err(each.join("\n"));
    }
    let programs: Vec<&str> = missing.iter().map(|need| need.program).collect();
    let Some(family) = family() else {
        return Err(format!(
            "{} not found, and the distribution has no apt-get, zypper or dnf to install them with",
            programs.join(", ")
        ));
    };
    let mut packages: Vec<&str> =
        missing.iter().flat_map(|need| need.packages(family).split_whitespace()).collect();
    if family == Family::Apt && packages.contains(&"zypper") {
        packages.extend(BESIDE_ZYPPER.iter().filter(|name| is_in_the_archive(name)));
    }
    packages.sort_unstable();
    packages.dedup();
    println!("Not found: {}. Installing: {}", programs.join(", "), packages.join(" "));
    let failed = |why: String| {
        format!("{why}. These packages are needed: {}. Install them, then try again", packages.join(" "))
    };
    let sudo = sudo().ok_or_else(|| failed("this is not root, and sudo does not work".into()))?;
    let commands = commands(family, &packages);
    for (at, arguments) in commands.iter().enumerate() {
        let words: Vec<&str> = sudo.iter().chain(arguments).copied().collect();
        println!("$ {}", words.join(" "));
        let status = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => {}
            // A source that is out of date, or of somebody else, says nothing about these packages.
            Ok(status) if at + 1 < commands.len() => {
                println!("{}: {status}; going on with the lists that are there", words.join(" "));
            }
            Ok(status) => return Err(failed(format!("{}: {status}", words.join(" ")))),
            Err(e) => return Err(failed(format!("{}: {e}", words[0]))),
        }
    }
    match self::missing(uses).first() {
        None => Ok(()),
        Some(still) => {
            Err(failed(format!("{} is not there, though its package was installed", still.program)))
        }
    }
}

/// Does apt know a package of this name?
fn is_in_the_archive(package: &str) -> bool {
    let mut apt = Command::new("apt-cache");
    apt.args(["show", package]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    apt.status().is_ok_and(|status| status.success())
}

fn missing(uses: &[Use]) -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| uses.contains(&need.of) && !is_there(need.program)).collect()
}

fn is_there(program: &str) -> bool {
    if let Some(header) = program.strip_prefix("header: ") {
        return Path::new("/usr/include").join(header).is_file();
    }
    match program.strip_prefix("python: ") {
        None => find(program).is_some(),
        // Another Python in PATH would not find the distribution's modules.
        Some(module) => Command::new("/usr/bin/python3")
            .args(["-c", &format!("import {module}")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
    }
}

/// The machine's own: another family's programs may be installed as well, for tests.
fn family() -> Option<Family> {
    let text =
        ["/etc/os-release", "/usr/lib/os-release"].into_iter().find_map(|f| std::fs::read_to_string(f).ok());
    let (program, family) = match Dialect::of_os_release(&text.unwrap_or_default()) {
        Some(Dialect::Suse) => ("zypper", Family::Zypper),
        Some(Dialect::RedHat) => ("dnf", Family::Dnf),
        None => ("apt-get", Family::Apt),
    };
    find(program).map(|_| family)
}

fn commands<'a>(family: Family, packages: &[&'a str]) -> Vec<Vec<&'a str>> {
    let with = |command: &[&'static str]| [command, packages].concat();
    match family {
        Family::Apt => {
            // `env`: sudo hands no variables on.
            let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=600"];
            vec![
                [&apt[..], &["update", "-q"]].concat(),
                with(&[&apt[..], &["install", "-q", "-y", "--no-install-recommends"]].concat()),
            ]
        }
        Family::Zypper => vec![with(&["zypper", "--non-interactive", "install", "--no-recommends"])],
        Family::Dnf => vec![with(&["dnf", "-y", "--setopt=install_weak_deps=False", "install"])],
    }
}

/// For apt, where only files are fetched: a mirror may be weeks behind, and its lists have expired. Whose they are is verified
/// all the same.
pub const BEHIND: &str = "Acquire::Check-Valid-Until=false";

/// What to put before a command to run it as root: nothing for root; `None`: there is no way.
pub fn sudo() -> Option<Vec<&'static str>> {
    if crate::privilege::is_root() {
        return Some(Vec::new());
    }
    let works = Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    works.then(|| vec!["sudo", "-n"])
}

/// cargo's components that a minimal toolchain leaves out.
pub fn ensure_components() -> Result<(), String> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        let subcommand = program.trim_start_matches("cargo-");
        let works = Command::new("cargo")
            .args([subcommand, "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if works {
            continue;
        }
        if installs_nothing() || find("rustup").is_none() {
            return Err(format!("cargo {subcommand} does not work; install {component}"));
        }
        println!("$ rustup component add {component}");
        let status =
            Command::new("rustup").args(["component", "add", component]).stdin(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("rustup cannot add {component}"));
        }
    }
    Ok(())
}

/// The project's directory.
pub fn project() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    let program = crate::run::this_program().unwrap_or_default();
    let found = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    found.map_or_else(|| project().join("target"), Path::to_path_buf)
}
