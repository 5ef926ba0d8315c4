// SPDX-License-Identifier: LGPL-2.1-or-later
//! What transactions leave in the history.

use std::process::Command;

use serde_json::Value;
use testkit::{TestRoot, run};

use crate::support::{NEW, OLD, kernel, rpm, rpm_env, site, telling};

fn runs(root: &TestRoot) -> Vec<Value> {
    let mut kmp = Command::new(env!("CARGO_BIN_EXE_kmp"));
    let output = run(kmp.arg("--root").arg(root.path()).args(["history", "--json"])).expect_success();
    assert_eq!(output.stderr, "");
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_transaction_is_one_entry_stopped_or_done() {
    let root = site();
    root.mkdir("var/log");
    let new = telling(&kernel(NEW, 8)).build();
    // A test changes nothing, and stops nothing that somebody wants.
    assert!(!rpm(&root, &["-i", "--test"], &[&new]).success());
    assert_eq!(runs(&root).len(), 0);
    assert!(!rpm(&root, &["-i"], &[&new]).success());
    let stopped = &runs(&root)[0];
    assert_eq!((&stopped["outcome"], stopped["kernels"].as_array().unwrap().len()), (&"stopped".into(), 0));
    assert!(stopped["lost"].to_string().contains("foo-kmp-default"), "{stopped}");
    assert_eq!(stopped["packages"][0], new.nevra());
    let caller = &stopped["caller"];
    assert_eq!(caller["call"], "rpm's plugin");
    assert!(caller["by"].as_str().unwrap().starts_with("rpm --root "), "{caller}");
    // The same where it goes on: with what is lost, and what was done.
    assert!(rpm_env(&root, &[("KMP_POLICY", "warn")], &["-i"], &[&new]).success());
    let runs = runs(&root);
    assert_eq!((runs.len(), &runs[1]["run"], &runs[1]["outcome"]), (2, &2.into(), &"done".into()));
    let done = &runs[1];
    assert!(!done["lost"].as_array().unwrap().is_empty(), "{done}");
    let kernel = done["kernels"].as_array().unwrap().iter().find(|k| k["release"] == NEW).unwrap();
    assert_eq!(kernel["changes"][0]["change"], "added");
    assert_eq!(kernel["index"], "depmod");
    assert!(kernel["not_linked"].to_string().contains("foo-kmp-default"), "{kernel}");
    // What does not concern drivers is nothing of kmp's.
    let other = testkit::PackageBuilder::new("other", "1", "1").build();
    rpm(&root, &["-i"], &[&other]).expect_success();
    assert_eq!(self::runs(&root).len(), 2);
    // A driver goes, and its links with it.
    rpm(&root, &["-e", "bar-kmp-default"], &[]).expect_success();
    let gone = self::runs(&root).pop().unwrap();
    let kernels = gone["kernels"].as_array().unwrap();
    let new = kernels.iter().find(|k| k["release"] == NEW).unwrap();
    assert_ne!(new["changes"].as_array().unwrap().len(), 0, "{gone}");
    assert!(kernels.iter().any(|k| k["release"] == OLD), "{gone}");
}
