// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask _inside NAME`, in a root that was entered: the tests that depend on what the machine has.

use std::path::PathBuf;

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
const LEFT_OUT: &[&str] = &["kmod_abi", "kmp_steps", "rpm_meta", "xtask"];

/// Builds kmp's packages there, and runs the tests.
pub fn run(name: &str) -> Result<(), String> {
    // What is compiled is there already, if rpmbuild finds it in the same place.
    for release in [1, 2] {
        rpm::make(&steps::packages(release), &release.to_string())?;
    }
    let mut binaries = binaries::kept(&list())?;
    binaries.retain(|binary| !LEFT_OUT.contains(&binary.name.as_str()));
    pool::run_all(&binaries, name)
}
