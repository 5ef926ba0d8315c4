// SPDX-License-Identifier: LGPL-2.1-or-later
//! rpmlint.

use std::path::Path;
use std::process::Command;

use testkit::run;

use crate::support::*;

#[test]
fn rpmlint_finds_no_error() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/rpmlint.toml");
    let mut rpmlint = Command::new("rpmlint");
    rpmlint.arg("--config").arg(config).args(all_of(1));
    let output = run(rpmlint.env("LC_ALL", "C.UTF-8"));
    let last = output.stdout.lines().last().unwrap_or_default();
    assert!(output.success() && last.contains("0 errors"), "{output}");
    assert!(!output.stdout.lines().any(|line| line.contains(": E: ")), "{output}");
}
