// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask packagekit`: what PackageKit shows and does where a kernel is held back. Debian's PackageKit has no backend for rpm, so
//! they are built of its sources: this is a chore and no test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::packages::Use;

use crate::run::finish;
use crate::{install, run as chores};

/// A backend, and what it is built with. Not all of these packages go together.
struct Backend {
    name: &'static str,
    packages: &'static [&'static str],
}

const BACKENDS: &[Backend] = &[
    Backend { name: "zypp", packages: &["libzypp-dev"] },
    Backend { name: "dnf", packages: &["libdnf-dev", "librepo-dev", "librpm-dev", "libappstream-glib-dev"] },
    Backend { name: "dnf5", packages: &["libdnf5-dev", "libsdbus-c++-dev", "libjson-c-dev"] },
];

/// The daemon, its client and what else runs, and what all backends are built with.
const PACKAGES: &[&str] = &[
    "packagekit",
    "dbus",
    "polkitd",
    "dpkg-dev",
    "meson",
    "ninja-build",
    "gettext",
    "libglib2.0-dev",
    "libjansson-dev",
    "libpolkit-gobject-1-dev",
    "libsqlite3-dev",
];

/// The client of versions before 1.4.
const CLIENT: &str = "packagekit-tools";

/// Parts of PackageKit that no backend needs.
const WITHOUT: &[&str] = &[
    "systemd",
    "offline_update",
    "gobject_introspection",
    "bash_completion",
    "bash_command_not_found",
    "gstreamer_plugin",
    "gtk_module",
    "cron",
    "man_pages",
    "python_backend",
    "daemon_tests",
];

/// Build PackageKit's backends for zypper and dnf, and run its daemon with each, for an update that holds a kernel back.
///
/// It installs PackageKit and what the backends are built with on this machine, a Debian: use one for tests. Debian 12 has a
/// libzypp that is too old for PackageKit's backend.
#[derive(clap::Args)]
pub struct Arguments {
    /// A mirror that has the sources of this release.
    #[arg(long, value_name = "URL", default_value = "http://deb.debian.org/debian")]
    mirror: String,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    install::ensure(&[Use::Demo, Use::Test])?;
    let place = install::target().join("packagekit");
    let built = place.join("backends");
    fs::create_dir_all(&built).map_err(|e| format!("{}: {e}", built.display()))?;
    apt_install(PACKAGES)?;
    if install::find("pkgcli").is_none() {
        apt_install(&[CLIENT])?;
    }
    let source = source(&place, &arguments.mirror)?;
    let mut missing = Vec::new();
    for backend in BACKENDS {
        let to = built.join(format!("libpk_backend_{}.so", backend.name));
        if to.exists() {
            continue;
        }
        // A version has not all of them, nor every release the libraries.
        let built = match source.join("backends").join(backend.name).is_dir() {
            true => apt_install(backend.packages).and_then(|()| build(&source, backend.name, &to)),
            false => Err("this PackageKit has none".into()),
        };
        missing.extend(built.err().map(|why| format!("{}: {why}", backend.name)));
    }
    let words = "test --locked --quiet -p kmp-cli --test zypper -- --ignored --nocapture packagekit::";
    let built = built.to_str().ok_or("the path of the project is not UTF-8")?;
    let words: Vec<&str> = words.split(' ').collect();
    chores::cargo(&[], &words, &[("KMP_TEST_PACKAGEKIT", built)])?;
    match missing.len() == BACKENDS.len() {
        true => Err(format!("no backend could be built: {}", missing.join("; "))),
        false => {
            missing.iter().for_each(|why| println!("NOT RUN with the backend {why}"));
            Ok(())
        }
    }
}

fn apt_install(packages: &[&str]) -> Result<(), String> {
    let sudo = install::sudo().ok_or("apt-get needs the rights of root, and sudo does not work")?;
    let words =
        [&sudo[..], &["apt-get", "install", "-q", "-y", "--no-install-recommends"], packages].concat();
    let mut apt = Command::new(words[0]);
    finish("apt-get install", apt.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The sources of the PackageKit that is installed, unpacked; by lists of their own, as few machines have those of sources.
fn source(place: &Path, mirror: &str) -> Result<PathBuf, String> {
    let version = run_output("dpkg-query", &["-W", "-f", "${source:Upstream-Version}", "packagekit"])?;
    let directory = place.join(format!("packagekit-{version}"));
    if directory.is_dir() {
        return Ok(directory);
    }
    let release = fs::read_to_string("/etc/os-release").map_err(|e| e.to_string())?;
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap_or("testing");
    let (list, lists) = (place.join("sources.list"), place.join("lists"));
    fs::write(&list, format!("deb-src {mirror} {name} main\n")).map_err(|e| e.to_string())?;
    fs::create_dir_all(lists.join("partial")).map_err(|e| e.to_string())?;
    let mut options =
        vec!["-o".to_owned(), "Dir::Etc::sourceparts=/dev/null".into(), "-o".into(), install::BEHIND.into()];
    for (option, path) in [("Dir::Etc::sourcelist", &list), ("Dir::State::lists", &lists)] {
        options.extend(["-o".into(), format!("{option}={}", path.display())]);
    }
    for words in [&["update", "-q"][..], &["source", "-q", "packagekit"]] {
        let mut apt = Command::new("apt-get");
        finish("apt-get", apt.args(&options).args(words).current_dir(place))?;
    }
    match directory.is_dir() {
        true => Ok(directory),
        false => Err(format!("apt-get source has made no {}", directory.display())),
    }
}

fn run_output(program: &str, arguments: &[&str]) -> Result<String, String> {
    chores::output(program, arguments).map(|text| text.trim().to_owned())
}

/// The one module, of a build of its own.
fn build(source: &Path, name: &str, to: &Path) -> Result<(), String> {
    let directory = format!("build-{name}");
    let mut meson = Command::new("meson");
    meson.args(["setup", "--wipe", "--prefix=/usr", &format!("-Dpackaging_backend={name}")]);
    meson.args(WITHOUT.iter().map(|part| format!("-D{part}=false")));
    // As it would ask systemd and the bus.
    meson
        .args(["-Ddbus_sys=/usr/share/dbus-1/system.d", "-Ddbus_services=/usr/share/dbus-1/system-services"]);
    finish("meson", meson.arg(&directory).current_dir(source))?;
    let made = format!("backends/{name}/libpk_backend_{name}.so");
    finish("ninja", Command::new("ninja").args(["-C", &directory, &made]).current_dir(source))?;
    let made = source.join(&directory).join(made);
    fs::copy(&made, to).map(drop).map_err(|e| format!("{}: {e}", made.display()))
}
