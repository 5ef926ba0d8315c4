// SPDX-License-Identifier: LGPL-2.1-or-later
//! rpmlint, with its defaults, and as the distributions configure it: `KMP_RPMLINT_CONFIGS` names the directory `configs` of
//! rpmlint's sources, which has a directory for each, `KMP_RPMLINT` an rpmlint that is new enough for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::run;

use crate::support::*;

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/rpmlint.toml")
}

#[track_caller]
fn finds_no_error(program: &str, config: &Path) {
    let mut rpmlint = Command::new(program);
    rpmlint.arg("--config").arg(config).args(all_of(1));
    let output = run(rpmlint.env("LC_ALL", "C.UTF-8"));
    let last = output.stdout.lines().last().unwrap_or_default();
    assert!(output.success() && last.contains(" 0 errors"), "{output}");
    assert!(!output.stdout.lines().any(|line| line.contains(": E: ")), "{output}");
}

#[test]
fn rpmlint_finds_no_error() {
    finds_no_error("rpmlint", &config());
}

#[test]
fn as_distributions_configure_it_rpmlint_finds_no_error() {
    let Some(configs) = std::env::var_os("KMP_RPMLINT_CONFIGS") else {
        eprintln!("NOT RUN: KMP_RPMLINT_CONFIGS names no directory");
        return;
    };
    let program = std::env::var("KMP_RPMLINT").unwrap_or_else(|_| "rpmlint".into());
    for distribution in std::fs::read_dir(configs).unwrap() {
        // It takes one directory of files, which are read in the order of their names.
        let place = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(distribution.unwrap().path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), place.path().join(file.file_name())).unwrap();
        }
        std::fs::copy(config(), place.path().join("~kmp.toml")).unwrap();
        finds_no_error(&program, place.path());
    }
}
