// SPDX-License-Identifier: LGPL-2.1-or-later
//! Requests of scriptlets, and systems in which nothing but a request is left.

use super::*;

#[test]
fn markers_in_posttrans() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let later = [("INITRD_IN_POSTTRANS", "1")];
    machine.wm2(&later, &["--add-kernel", SAME]);
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![]));
    machine.wm2(&later, &["--add-kernel", SAME]);
    assert_eq!(machine.markers(), [SAME]);
    // It stays when the generator fails, and its exit status is passed on.
    root.write("broken", "");
    let output = machine.posttrans(&[]);
    assert_eq!(output.status, Some(7), "{output}");
    assert!(output.stderr.contains("no space left") && output.stderr.contains(SAME), "{output}");
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![made(SAME)]));
    std::fs::remove_file(root.join("broken")).unwrap();
    machine.posttrans(&[]).expect_success();
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![made(SAME)]));
    machine.posttrans(&[]).expect_success();
    assert!(machine.calls().is_empty());
}

/// boo#1201378, bsc#1214877: markers were named by path, by version and by image.
#[test]
fn boo_1201378_names_of_markers() {
    let machine = Machine::kernels();
    for marker in [SAME.to_string(), format!("vmlinuz-{SAME}"), format!("Image-{OLD}"), "6.9-gone".into()] {
        machine.root.write(format!("run/regenerate-initrd/{marker}"), "");
    }
    // No kernel: a KMP alone made the directory.
    machine.root.mkdir("usr/lib/modules/6.8-default/updates");
    machine.root.write("run/regenerate-initrd/6.8-default", "");
    let output = machine.posttrans(&[]).expect_success();
    assert!(output.stderr.contains("6.9-gone: there is no such kernel"), "{output}");
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![made(OLD), made(SAME)]));
    machine.root.write("run/regenerate-initrd/all", "");
    machine.root.write(format!("run/regenerate-initrd/{OLD}"), "");
    machine.posttrans(&[("SKIP_REGENERATE_INITRD_ALL", "1")]).expect_success();
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![made(OLD)]));
    machine.root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    assert_eq!(
        (machine.markers(), machine.calls()),
        (vec![], vec!["dracut -f --regenerate-all".to_string()])
    );
}

#[test]
fn a_system_that_is_not_complete() {
    let machine = Machine::kernels();
    let root = &machine.root;
    root.write(".buildenv", "");
    let output = machine.wm2(&[], &["--add-kernel", SAME]);
    assert!(
        output.stderr.contains("Please run \"kmp initrd\" as soon as the system is complete"),
        "{output}"
    );
    root.write("run/regenerate-initrd/all", "");
    let output = machine.posttrans(&[]).expect_success();
    assert!(output.stderr.contains("as soon as the system is complete"), "{output}");
    assert!(machine.markers().is_empty() && machine.calls().is_empty());
    std::fs::remove_file(root.join(".buildenv")).unwrap();
    std::fs::remove_file(root.join("usr/bin/dracut")).unwrap();
    assert!(machine.wm2(&[], &["--add-kernel", SAME]).stderr.contains("dracut is not installed"));
    // Whether one is needed is said all the same, and what is in the way.
    good(root, &["initrd"]);
    std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
    let output = ends(root, &["initrd", "--dry-run"], 1);
    assert!(output.stdout.contains(&format!("{SAME}: a new initrd is needed: there is no initrd\n")));
    assert_eq!(output.stderr, "kmp: warning: no initrd can be made: dracut is not installed\n");
    let output = ends(root, &["initrd"], 2);
    assert!(
        output.stderr.contains(&format!(
            "kernel {SAME} needs a new initrd (there is no initrd), but dracut is not installed\n"
        )),
        "{output}"
    );
    assert_eq!(machine.markers(), [SAME]);
    root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    assert_eq!(machine.markers(), [SAME, "all"]);
}

/// A snapshot of transactional-update: a chroot, in which everything is done as elsewhere, and the running kernel is the
/// host's.
#[test]
fn in_a_snapshot() {
    let machine = Machine::over_the_machine();
    let root = &machine.root;
    let running = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    write(&kernel(running.trim(), 7), root);
    let kmp = |args: &str| machine.chrooted("TRANSACTIONAL_UPDATE=true", args);
    kmp("sync --no-initrd").expect_success();
    assert_eq!(links(root, SAME), linked(&[("foo", OLD)]));
    let output = kmp("remove-kernel");
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("name a kernel"), "{output}");
    kmp(&format!("remove-kernel {SAME}")).expect_success();
    assert!(links(root, SAME).is_empty());
}

/// A `/usr` that is really read-only: it is said, a note is left, and the next run that can makes up for it.
#[test]
fn read_only_usr() {
    let machine = Machine::kernels();
    let root = &machine.root;
    root.install(&[&foo("1").0]);
    let read_only = "mount --bind \"$1\"/usr \"$1\"/usr && mount -o remount,ro,bind \"$1\"/usr || exit 99";
    let output = machine.in_namespace(&format!("{read_only}; \"$2\" --root \"$1\" sync"));
    assert_eq!(output.status, Some(2), "{output}");
    assert!(
        output.stderr.contains("is read-only") && output.stderr.contains("transactional-update run kmp sync"),
        "{output}"
    );
    assert!(root.exists(format!("run/kmp/pending/{SAME}")));
    assert!(links(root, SAME).is_empty() && machine.markers().is_empty());
    good(root, &["sync"]);
    assert_eq!(links(root, SAME), linked(&[("foo", OLD)]));
    assert!(!root.exists(format!("run/kmp/pending/{SAME}")));
    // With nothing to do it is no fault.
    machine.in_namespace(&format!("{read_only}; \"$2\" --root \"$1\" sync")).expect_success();
}
