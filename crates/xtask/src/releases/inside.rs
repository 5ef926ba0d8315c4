// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask _inside NAME`, in a root that was entered: the tests that depend on what the machine has.

use std::path::{Path, PathBuf};

use super::RELEASES;
use crate::rpm;
use crate::test::{binaries, pool, schedule, steps};

/// The test programs that were built out here.
pub fn list() -> PathBuf {
    schedule::logs().join("binaries.json")
}

/// A file of a release's: what was printed there.
pub fn log(name: &str, what: &str) -> PathBuf {
    schedule::logs().join(format!("releases-{name}.{what}"))
}

/// Test programs that run none of the machine's programs, and load none of its libraries but the C library.
const PURE: &[&str] = &[
    "depmod",
    "kmod_abi",
    "kmod_index",
    "kmp",
    "kmp_capi",
    "kmp_core",
    "kmp_exec",
    "kmp_fs",
    "kmp_steps",
    "librpm_rt",
    "rpm_meta",
    "testkit",
    "xtask",
];

/// Tests of what kmp does by itself, whatever the machine has, that take long: hostile input, each system call in its turn, each
/// read of memory.
const LONG: &[(&str, &str)] = &[
    ("capi", "library::valgrind_"),
    ("e2e", "divert::a_call_that_fails_"),
    ("e2e", "divert::killed_at_any_call_"),
    ("e2e", "hostile_budgets::"),
    ("e2e", "hostile_fuzz::"),
    ("e2e", "hostile_modules::"),
    ("e2e", "hostile_paths::"),
    ("e2e", "initrd::real::a_hostile_initrd_"),
    ("e2e", "killed::"),
    ("e2e", "read_faults::"),
    ("librpm", "package_file::a_damaged_package_"),
    ("plugin", "budgets::"),
    ("plugin", "killed::"),
    ("plugin", "read_faults::"),
    ("plugin", "zypp::no_list_makes_the_plugin_read_"),
    ("repo", "hostile::"),
];

/// What is run on a release that changes from day to day: what is closest to rpm, zypper and dnf.
const CLOSEST: &[&str] = &["librpm", "plugin", "rpm", "tools", "zypper"];

/// Tests of kmp's packages, which that release's rpmbuild makes first: it compiles for minutes.
const OF_PACKAGES: &str = "packages";

/// Of these, what that release's zypper and dnf do with the packages that were built out there.
const INSTALLED: &[&str] = &["before::", "updates::of_kmp::single"];

/// Runs the tests; `all`: also those of kmp's packages, which are built there, and those that do not depend on the machine.
pub fn run(name: &str, all: bool) -> Result<(), String> {
    for release in ["1", "2"].into_iter().filter(|_| all) {
        rpm::make(&steps::packages(release), release, "suse")?;
    }
    // That of libdnf5 is compiled against this release's; all else is built already.
    if Path::new("/usr/include/libdnf5").is_dir() {
        rpm::make(&steps::own_packages("redhat"), "1", "redhat")?;
    }
    let moves = RELEASES.iter().any(|release| release.name == name && release.moves);
    let mut binaries = binaries::kept(&list())?;
    let has_packages = steps::packages("1").is_dir();
    let is_of_packages = |program: &str| program == OF_PACKAGES;
    binaries.retain(|b| all || !is_of_packages(&b.name) || has_packages);
    binaries.retain(|binary| all || !PURE.contains(&binary.name.as_str()));
    let is_close = |name: &str| CLOSEST.contains(&name) || is_of_packages(name);
    binaries.retain(|binary| all || !moves || is_close(&binary.name));
    for (program, start) in LONG {
        let binary = binaries.iter().find(|binary| binary.name == *program);
        let tests = binary.map_or(Ok(Vec::new()), binaries::Binary::tests)?;
        if binary.is_some() && !tests.iter().any(|test| test.starts_with(start)) {
            return Err(format!("{program} has no test {start}: LONG in {} is not up to date", file!()));
        }
    }
    let is_long = |program: &str, test: &str| {
        LONG.iter().any(|(long, start)| *long == program && test.starts_with(start))
    };
    pool::run_some(&binaries, name, |program, test| {
        let is_wanted = !is_of_packages(program) || INSTALLED.iter().any(|start| test.starts_with(start));
        all || !is_long(program, test) && is_wanted
    })
}
