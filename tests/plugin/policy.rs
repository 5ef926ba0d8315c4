// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp.conf, the macro and the environment, in rising order.

use testkit::TestRoot;

use crate::support::{NEW, kernel, rpm_env, site, telling};

#[derive(Debug, PartialEq)]
enum Result {
    Stopped,
    Warned,
    Silent,
}

fn result(root: &TestRoot, environment: &[(&str, &str)]) -> Result {
    let output = rpm_env(root, environment, &["-i", "--test"], &[&telling(&kernel(NEW, 8)).build()]);
    match (output.success(), output.stderr.contains("does not work with the new kernel")) {
        (false, true) => Result::Stopped,
        (true, true) => Result::Warned,
        (true, false) => Result::Silent,
        (false, false) => panic!("{output}"),
    }
}

#[test]
fn each_goes_over_the_one_before() {
    let root = site();
    assert_eq!(result(&root, &[]), Result::Stopped);
    root.write("etc/kmp.conf", "on-lost-driver = warn\n");
    assert_eq!(result(&root, &[]), Result::Warned);
    root.write("etc/kmp.conf", "on-lost-driver = abort\n[foo-*]\non-lost-driver = off\n");
    assert_eq!(result(&root, &[]), Result::Silent);
    root.set_macro("_kmp_policy", "warn");
    assert_eq!(result(&root, &[]), Result::Warned);
    assert_eq!(result(&root, &[("KMP_POLICY", "abort")]), Result::Stopped);
    assert_eq!(result(&root, &[("KMP_POLICY", "off")]), Result::Silent);
    assert_eq!(result(&root, &[("KMP_POLICY", "")]), Result::Warned);
}

#[test]
fn what_is_not_protected_is_not_missed() {
    let root = site();
    for (list, expected) in [
        ("all", Result::Stopped),
        ("bar, foo", Result::Stopped),
        ("foo-kmp-*", Result::Stopped),
        ("bar", Result::Silent),
        // Nothing is loaded in a system that does not run.
        ("loaded", Result::Silent),
    ] {
        root.write("etc/kmp.conf", format!("protect = {list}\n"));
        assert_eq!(result(&root, &[]), expected, "{list}");
    }
}

#[test]
fn a_word_that_is_no_policy_is_told_and_left_out() {
    let root = site();
    let packages = [telling(&kernel(NEW, 8)).build()];
    let output = rpm_env(&root, &[("KMP_POLICY", "of")], &["-i", "--test"], &[&packages[0]]);
    assert!(!output.success(), "{output}");
    assert!(output.stderr.contains("warning: kmp: KMP_POLICY is abort, warn or off, not: of"), "{output}");
}
