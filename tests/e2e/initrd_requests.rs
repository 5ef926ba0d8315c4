// SPDX-License-Identifier: LGPL-2.1-or-later
//! Requests for initrds between runs: what one leaves, another finds.

use testkit::makes_empty_initrds;

use crate::initrd::{LINK, Machine, ends, foo, good, made};
use crate::support::{OLD, OTHER, SAME, writes_nothing};

/// What a run notes before it changes the links of a kernel.
fn check(krel: &str) -> String {
    format!("run/kmp/check-initrd/{krel}")
}

/// The links of [`SAME`] are of version 2 already, its initrd has version 1, and the run that was to see to it is dead.
fn cut_short() -> Machine {
    let machine = Machine::kernels();
    let (one, module) = foo("1");
    machine.root.install(&[&one]);
    machine.initrd(SAME, &[(LINK, module)]);
    machine.root.update(&[&foo("2").0]);
    good(&machine.root, &["sync", "--no-initrd"]);
    machine.root.write(check(SAME), "links\n");
    machine.root.write(check(OTHER), "links\n");
    machine
}

#[test]
fn the_next_run_makes_up_for_it() {
    let machine = cut_short();
    let root = &machine.root;
    let output = writes_nothing(root, || ends(root, &["sync", "--dry-run"], 1));
    assert!(output.stdout.contains(&format!("{SAME}: a new initrd is needed: foo")), "{output}");
    // Who looks after no initrd leaves it to others.
    good(root, &["sync", "--no-initrd"]);
    good(root, &["sync", "--kernel", OTHER]);
    assert!(root.exists(check(SAME)) && !root.exists(check(OTHER)) && machine.calls().is_empty());
    good(root, &["sync"]);
    assert_eq!(machine.calls(), [made(SAME)]);
    assert!(!root.exists(check(SAME)) && machine.markers().is_empty());
    writes_nothing(root, || good(root, &["sync"]));
}

/// A scriptlet was killed: the transaction's end finds what it has left, whoever looks after it.
#[test]
fn so_do_the_others_who_look_after_initrds() {
    for by in ["initrd", "posttrans"] {
        let machine = cut_short();
        match by {
            "initrd" => good(&machine.root, &["initrd"]),
            _ => machine.posttrans(&[]).expect_success(),
        };
        assert_eq!(machine.calls(), [made(SAME)], "{by}");
        assert!(!machine.root.exists(check(SAME)) && !machine.root.exists(check(OTHER)), "{by}");
        assert!(machine.markers().is_empty(), "{by}");
    }
}

/// Where dracut is to decide what gets in, the second run has to know that links were changed by the first.
#[test]
fn in_red_hats_dialect_changed_links_count_in_the_next_run() {
    let machine = Machine::kernels();
    let root = &machine.root;
    root.write("etc/os-release", "ID=almalinux\nID_LIKE=\"rhel centos fedora\"\n");
    let file = root.join(format!("usr/lib/modules/{SAME}/weak-updates/foo.ko"));
    root.write(format!("usr/lib/modules/{OLD}/extra/foo.ko"), foo("1").1);
    good(root, &["sync", "--no-initrd"]);
    assert!(file.is_symlink());
    // It takes the place of the one that is there.
    let made = format!("dracut -f /boot/initrd-{SAME} {SAME}");
    for (line, expected) in [("index\n", vec![]), ("links\n", vec![made.clone()]), ("", vec![made])] {
        machine.initrd(SAME, &[]);
        root.write(check(SAME), line);
        good(root, &["sync"]);
        assert_eq!(machine.calls(), expected, "{line}");
    }
}

/// Links may change while an initrd is made: what is asked for then is not served by that one.
#[test]
fn a_marker_that_is_left_again_stays() {
    let machine = Machine::kernels();
    let again = format!("{}: > /run/regenerate-initrd/{SAME}\n", makes_empty_initrds());
    machine.program("usr/bin/dracut", &again);
    // Times are as coarse as the kernel's clock ticks.
    let slowly = format!("#!/bin/sh\nsleep 0.05\n{}", again);
    machine.root.add_program("/bin/sleep", "/bin/sleep");
    machine.program("usr/bin/dracut", &slowly);
    good(&machine.root, &["add-kernel", SAME]);
    assert_eq!(machine.markers(), [SAME]);
    machine.posttrans(&[]).expect_success();
    assert_eq!(machine.markers(), [SAME]);
    machine.program("usr/bin/dracut", &makes_empty_initrds());
    machine.posttrans(&[]).expect_success();
    assert!(machine.markers().is_empty());
}

/// A wish is for all kernels that have the package, not only for those that a run is about.
#[test]
fn a_wish_outlives_a_run_about_one_kernel() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, _) = foo("1");
    root.install(&[&one]);
    good(root, &["sync", "--no-initrd"]);
    root.write(format!("run/kmp/needs-initrd/{}", one.nvr()), "");
    good(root, &["sync", "--kernel", OLD]);
    assert_eq!(machine.calls(), [made(OLD)]);
    good(root, &["sync"]);
    assert_eq!(machine.calls(), [made(OLD), made(SAME)]);
    assert!(!root.exists(format!("run/kmp/needs-initrd/{}", one.nvr())));
}

/// Somebody else's marker is nothing that a run withdraws because it needs none itself.
#[test]
fn markers_of_others_stay() {
    let machine = Machine::kernels();
    let root = &machine.root;
    root.write(format!("run/regenerate-initrd/{OTHER}"), "");
    root.install(&[&foo("1").0]);
    good(root, &["sync"]);
    good(root, &["sync"]);
    assert_eq!(machine.markers(), [OTHER]);
}
