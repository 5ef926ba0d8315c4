// SPDX-License-Identifier: LGPL-2.1-or-later
//! The list of kernels, how drivers stand, and symbols one by one.

use testkit::{TestRoot, run};

use crate::library::c_program;

fn lines(root: &TestRoot, args: &[&str]) -> Vec<String> {
    let said = run(&mut c_program(root, args));
    said.stdout.lines().map(Into::into).collect()
}

#[test]
fn kernels_and_how_drivers_stand_in_them() {
    let (root, ..) = crate::both::root_with_two_kernels();
    assert_eq!(
        lines(&root, &["kernels"]),
        [
            "verdict 0",
            "9 0 6.4.0-1-default - - policy 0 loaded 0: 6.4.0-1-default",
            "9 0 6.4.0-2-default - - policy 0 loaded 0: 6.4.0-2-default"
        ]
    );
    let nvr = "foo-kmp-default-1.0_k6.4.0_1-1";
    let changed = "changing was 0x00000007 when it was built, vmlinux has 0x00000008";
    assert_eq!(
        lines(&root, &["status"]),
        [
            "verdict 1".to_string(),
            format!("10 40 6.4.0-1-default {nvr} foo policy 0 loaded 0: 6.4.0-1-default: {nvr} native"),
            format!(
                "10 2 6.4.0-2-default {nvr} foo policy 0 loaded 0: 6.4.0-2-default: {nvr} refused: foo: {changed}"
            ),
            format!("  crc changing 00000007 00000008 vmlinux: {changed}"),
        ]
    );
    assert_eq!(lines(&root, &["status", "6.4.0-1-default"])[0], "verdict 0");
    let unknown = run(&mut c_program(&root, &["status", "6.4.0-9-default"]));
    assert_eq!(unknown.status, Some(100), "{unknown}");
    assert!(unknown.stderr.starts_with("300 ("), "{unknown}");
}

#[test]
fn each_symbol_of_a_module() {
    let (root, ..) = crate::both::root_with_two_kernels();
    let explained = lines(&root, &["explain", "foo-kmp-default", "6.4.0-2-default"]);
    assert_eq!(explained[0], "verdict 1");
    assert!(
        explained[1].starts_with("1 2 6.4.0-2-default foo-kmp-default-1.0_k6.4.0_1-1 foo "),
        "{explained:?}"
    );
    let symbol = |name: &str| {
        let at = explained.iter().position(|line| line.split(' ').nth(3) == Some(name)).unwrap();
        (explained[at - 1].clone(), explained[at].clone())
    };
    let (finding, why) = symbol("printk");
    assert_eq!(finding, "11 1 6.4.0-2-default - foo policy 0 loaded 0: foo: printk is exported by vmlinux");
    assert_eq!(why, "   printk 10000001 10000001 vmlinux: printk is exported by vmlinux");
    let at = explained
        .iter()
        .rposition(|line| line.starts_with("  crc changing 00000007 00000008 vmlinux: "))
        .unwrap();
    assert!(explained[at - 1].starts_with("11 2 6.4.0-2-default - foo "), "{explained:?}");
    for (wrong, code) in [("nobody", "301 ("), ("/nowhere.ko", "101 (")] {
        let said = run(&mut c_program(&root, &["explain", wrong, "6.4.0-2-default"]));
        assert!(said.stderr.starts_with(code), "{said}");
    }
}

/// One finding a kernel and a driver, then the plugin's message; the loss is what kmp_transaction_judge() finds.
#[test]
fn what_a_kernel_and_its_drivers_would_change() {
    let (root, kernel, kmp) = crate::both::root_with_two_kernels();
    let path = |package: &testkit::Package| package.path().display().to_string();
    let alone = lines(&root, &["plan", &path(&kernel)]);
    let nvr = "foo-kmp-default-1.0_k6.4.0_1-1";
    assert_eq!(alone[0], "verdict 2");
    let summary = "kernel 6.4.0-3-default: 0 of 1 driver stays, 1 lost: foo-kmp-default";
    assert_eq!(alone[1], format!("9 30 6.4.0-3-default - - policy 0 loaded 0: {summary}"));
    let lost = alone[2].split_once(": ").unwrap();
    assert_eq!(lost.0, format!("5 30 6.4.0-3-default {nvr} foo policy 1 loaded 0"));
    let judged = lines(&root, &["judge", "-", &format!("^{}", path(&kernel))]);
    assert!(judged.contains(&alone[2]), "{judged:?}");
    assert!(alone.iter().any(|line| line.starts_with("8 0 - - - policy 1 loaded 0: ")), "{alone:?}");
    let both = lines(&root, &["plan", &path(&kernel), &path(&kmp)]);
    assert_eq!(both[0], "verdict 0", "{both:?}");
    let comes = "12 61 6.4.0-3-default foo-kmp-default-2.0_k6.4.0_3-1 foo policy 0 loaded 0: ";
    assert!(both.iter().any(|line| line.starts_with(comes)), "{both:?}");
    let erased = lines(&root, &["plan", "@foo-kmp-default"]);
    assert!(
        erased.iter().any(|line| line.starts_with(&format!("12 62 6.4.0-1-default {nvr} foo "))),
        "{erased:?}"
    );
    for (wrong, code) in [("@nobody", "301 ("), ("6.9-default", "300 ("), ("x.ko", "1 (")] {
        let said = run(&mut c_program(&root, &["plan", wrong]));
        assert!(said.stderr.starts_with(code), "{said}");
    }
}
