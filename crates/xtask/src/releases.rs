// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask releases`: the tests of rpm's plugin and of librpm's use inside of newer Debian releases, whose rpm is
//! newer. The programs and the plugin are those that were built out here: one `kmp.so` is proved on each librpm.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::finish;
use crate::test::binaries;
use crate::{install, plugin, privilege, run};
use testkit::packages::Use;

/// A release that debootstrap knows.
struct Release {
    name: &'static str,
    /// It changes from day to day, so that it may fail to be there for no fault of ours.
    moves: bool,
}

/// Those after the one with rpm 4.18.
const RELEASES: &[Release] =
    &[Release { name: "trixie", moves: false }, Release { name: "testing", moves: true }];

/// What the tests run there.
const PACKAGES: &str = "rpm,kmod,python3-rpm,binutils,sqlite3,valgrind,libc6-dbg,busybox,strace,zypper,libzypp-bin,libzypp-config";

/// A file in a finished chroot: [`PACKAGES`].
const STAMP: &str = "kmp-packages";

/// Test programs, and what to run of each. Without dnf, which is as new as its rpm out here only. With ndb, which Debian's rpm has since 4.20; without what needs a compiler, and
/// what is started by other tests only.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("plugin", &["--quiet", "--skip", "dnf::"]),
    (
        "librpm",
        &["--quiet", "--include-ignored", "--skip", "in_a_child", "--skip", "a_library_without_a_function"],
    ),
];

/// Says that a chroot is as it should be, and what is in it.
const LOOK: &str = "depmod --version >/dev/null && readelf --version >/dev/null && sqlite3 --version >/dev/null \
     && rpmbuild --version >/dev/null && /usr/bin/python3 -c 'import rpm' \
     && echo \"$(rpm --version), $(ldconfig -p | grep -o 'librpm\\.so\\.[0-9]*' | head -n 1)\"";

/// In a mount namespace of its own, so that nothing stays mounted, whatever happens: `sh -c ENTER sh CHROOT SOURCE TARGET
/// WORD...`. The sources are read only there.
const ENTER: &str = r#"set -eu
chroot=$1 source=$2 target=$3
shift 3
mount -t proc proc "$chroot/proc"
mount -t tmpfs tmpfs "$chroot/tmp"
mkdir -p "$chroot$source" "$chroot$target"
mount --bind "$source" "$chroot$source"
mount -o remount,bind,ro "$chroot$source"
mount --bind "$target" "$chroot$target"
exec chroot "$chroot" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C RUST_BACKTRACE=0 "$@""#;

pub fn run() -> Result<(), String> {
    match check(None)? {
        None => Ok(()),
        Some(why) => Err(format!("not run: {why}")),
    }
}

/// Runs the tests in each release. `packages`: a directory with those of kmp.spec, as they are now; otherwise the tests
/// build them. `Some`: in some releases the tests could not be run, and why.
///
/// # Errors
/// A test that failed; in CI also a release that cannot be had, if it is one that stays as it is.
pub fn check(packages: Option<&Path>) -> Result<Option<String>, String> {
    let (places, not_run) = places()?;
    let mut failed = Vec::new();
    let mut programs: Option<Vec<PathBuf>> = None;
    let plugin = plugin::build(plugin::Kind::Faults, "debug")?;
    for place in &places {
        let release = place.release;
        let programs = match &programs {
            Some(programs) => programs,
            None => programs.insert(test_programs()?),
        };
        for (program, (name, words)) in programs.iter().zip(PROGRAMS) {
            let mut inside = place.inside();
            inside.arg(format!("KMP_PLUGIN={}", plugin.display())).arg(program).args(*words);
            println!("$ (in {}) {name} {}", release.name, words.join(" "));
            failed.extend(finish(&format!("{name} in {}", release.name), &mut inside).err());
        }
        // These stay out here, and take zypper and rpm from there. Debian's libzypp 17.38 has the one mode only.
        let system = place.chroot.display().to_string();
        let packages = packages.map(|directory| directory.display().to_string());
        let mut environment = vec![("KMP_SYSTEM", &*system)];
        environment.extend(packages.as_deref().map(|directory| ("KMP_PACKAGES", directory)));
        for (test, all, single) in [("zypper", "", "single::"), ("packages", "updates::", "updates::single")]
        {
            let words = ["test", "--workspace", "--test", test, "--locked", "--"];
            let cases = if release.moves { single } else { all };
            let words = [&words[..], &["--quiet", "--include-ignored", cases]].concat();
            failed.extend(run::cargo(&privilege::namespace()?, &words, &environment).err());
        }
    }
    match failed.is_empty() {
        true => Ok((!not_run.is_empty()).then(|| not_run.join("; "))),
        false => Err(failed.join("; ")),
    }
}

/// Makes the chroots. `Some`: why some, or all, are not there.
pub fn provide() -> Result<Option<String>, String> {
    places().map(|(_, not_run)| (!not_run.is_empty()).then(|| not_run.join("; ")))
}

/// The chroots, and why others cannot be had.
fn places() -> Result<(Vec<Place>, Vec<String>), String> {
    let must_run = std::env::var_os("CI").is_some();
    let tools = install::ensure(&[Use::Releases]).and_then(|()| {
        install::sudo().ok_or_else(|| "debootstrap needs the rights of root, and sudo does not work".into())
    });
    let sudo = match tools {
        Err(why) if !must_run => return Ok((Vec::new(), vec![why])),
        tools => tools?,
    };
    let (mut places, mut not_run) = (Vec::new(), Vec::new());
    for release in RELEASES {
        let place = Place::new(release, sudo.clone());
        match place.provide() {
            Ok(has) => {
                println!("{}: {has}", release.name);
                places.push(place);
            }
            Err(why) if must_run && !release.moves => return Err(why),
            Err(why) => {
                println!("NOT RUN in {}: {why}", release.name);
                not_run.push(why);
            }
        }
    }
    Ok((places, not_run))
}

/// The programs of [`PROGRAMS`], which are built already.
fn test_programs() -> Result<Vec<PathBuf>, String> {
    let binaries = binaries::build()?;
    let find = |name: &str| {
        let found = binaries.iter().find(|binary| binary.name == name);
        found.map(|binary| binary.program.clone()).ok_or_else(|| format!("cargo has built no test {name}"))
    };
    PROGRAMS.iter().map(|(name, _)| find(name)).collect()
}

/// A release's root, kept for the next time.
struct Place {
    release: &'static Release,
    chroot: PathBuf,
    sudo: Vec<&'static str>,
}

impl Place {
    fn new(release: &'static Release, sudo: Vec<&'static str>) -> Self {
        Self { release, chroot: install::target().join("chroot").join(release.name), sudo }
    }

    /// Makes sure that it is there and works, and says what rpm it has.
    fn provide(&self) -> Result<String, String> {
        if std::fs::read_to_string(self.chroot.join(STAMP)).is_ok_and(|made| made.trim() == PACKAGES)
            && let Ok(has) = self.look()
        {
            return Ok(has);
        }
        self.make()?;
        self.look()
    }

    fn look(&self) -> Result<String, String> {
        let output = self.inside().args(["sh", "-c", LOOK]).stdin(Stdio::null()).output();
        let output = output.map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().into()),
            false => {
                Err(format!("{}: {}", self.chroot.display(), String::from_utf8_lossy(&output.stderr).trim()))
            }
        }
    }

    fn make(&self) -> Result<(), String> {
        let unfinished = self.chroot.with_extension("unfinished");
        let parent = self.chroot.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        self.remove(&self.chroot)?;
        let mut made = Err(String::new());
        // Twice, for a network that fails now and then.
        for _ in 0..2 {
            self.remove(&unfinished)?;
            let mut make = self.alone();
            make.args([
                "debootstrap",
                "--variant=minbase",
                &format!("--include={PACKAGES}"),
                self.release.name,
            ]);
            println!("$ debootstrap {} {}", self.release.name, unfinished.display());
            make.arg(&unfinished).stdout(Stdio::null());
            let log = unfinished.join("debootstrap/debootstrap.log");
            made = finish(&format!("debootstrap {} (see {})", self.release.name, log.display()), &mut make);
            if made.is_ok() {
                break;
            }
        }
        made?;
        // What is in it, for the day on which the tests want more.
        let mut stamp = self.root("sh");
        stamp.args(["-c", r#"echo "$1" >"$2""#, "sh", PACKAGES]).arg(unfinished.join(STAMP));
        finish("the chroot's stamp", &mut stamp)?;
        finish("mv", self.root("mv").arg(&unfinished).arg(&self.chroot))
    }

    fn remove(&self, directory: &Path) -> Result<(), String> {
        finish("rm", self.root("rm").args(["-rf", "--one-file-system"]).arg(directory))
    }

    fn root(&self, program: &str) -> Command {
        let words: Vec<&str> = self.sudo.iter().copied().chain([program]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    }

    /// A command whose mounts end with it.
    fn alone(&self) -> Command {
        let mut command = self.root("unshare");
        command.args(["--mount", "--propagation", "private"]);
        command
    }

    fn inside(&self) -> Command {
        let mut command = self.alone();
        command.args(["sh", "-c", ENTER, "sh"]).arg(&self.chroot);
        command.arg(install::project()).arg(install::target());
        command
    }
}
