// SPDX-License-Identifier: LGPL-2.1-or-later
//! Disks that are full or read-only, depmods that are missing or fail, many runs at once.

use std::fs;
use std::process::Command;

use testkit::run;

use crate::hostile::{A, B, GOOD, in_namespace, modules, sane, with_good};
use crate::support::{KMP, links};

#[test]
fn no_space_left() {
    let (root, _) = with_good();
    sane(&root, &["sync", "--no-depmod"]);
    fs::remove_dir_all(root.join(modules(B)).join("weak-updates")).unwrap();
    // A file system with so many inodes left for kmp. What it did is told by find.
    let script = r#"
        set -e; M=$1/usr/lib/modules; cp -a $M $1/copy; mount -t tmpfs -o mode=755 tmpfs $M; cp -a $1/copy/. $M; rm -r $1/copy
        for left in 0 1 2 3 4 6 8 12 40; do
            set -- $1 $2 $(($(find $M | wc -l) + left + 1))
            mount -o remount,nr_inodes=$3 tmpfs $M
            s=0; timeout 60 $2 --root $1 sync >$1/out 2>&1 || s=$?
            echo "$left: $s $(find $M -path '*/weak-updates/*.ko' | wc -l) $(find $M -name '.kmp*' | wc -l) $(grep -c "6.4.0-[12]-default" $1/out)"
            mount -o remount,nr_inodes=100000 tmpfs $M
            [ $s = 0 ] && break
        done
        timeout 60 $2 --root $1 sync; echo "healed: $? $(find $M -path '*/weak-updates/*.ko' | wc -l) $(find $M -name '.kmp*' | wc -l)"
    "#;
    let output = in_namespace(&root, script);
    assert_eq!(output.status, Some(0), "{output}");
    let lines = output.lines();
    assert!(lines[0].starts_with("0: 2 0 0 "), "{output}");
    for line in &lines {
        let mut words = line.split(' ');
        let (_, status) = (words.next(), words.next().unwrap());
        let (links, left) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if line.starts_with("healed") {
            assert_eq!((status, links, left), ("0", "1", "0"), "{output}");
        } else if words.next().is_some_and(|named| status == "2" && named == "0") {
            panic!("the error does not name the kernel: {output}");
        }
    }
}

#[test]
fn a_full_disk() {
    let (root, _) = with_good();
    let script = r#"
        set -e; M=$1/usr/lib/modules; cp -a $M $1/copy; mount -t tmpfs -o mode=755 tmpfs $M; cp -a $1/copy/. $M; rm -r $1/copy
        mount -o remount,size=$(($(du -sk $M | cut -f1) + 4))k tmpfs $M; head -c 1M /dev/zero >$M/fill 2>/dev/null || true
        s=0; timeout 60 $2 --root $1 sync 2>&1 || s=$?
        echo "status $s"; rm $M/fill; mount -o remount,size=64M tmpfs $M
        timeout 60 $2 --root $1 sync; echo "healed: $? $(find $M -path '*/weak-updates/*.ko' | wc -l)"; grep good $M/6.4.0-2-default/modules.dep
    "#;
    let output = in_namespace(&root, script);
    assert_eq!(output.status, Some(0), "{output}");
    assert!(output.stdout.contains("status 2") && output.stdout.contains("No space left"), "{output}");
    assert!(output.stdout.contains("healed: 0 1"), "{output}");
}

#[test]
fn read_only_modules() {
    let (root, _) = with_good();
    let script = r#"M=$1/usr/lib/modules; mount --bind $M $M && mount -o remount,ro,bind $M || exit 99; timeout 60 $2 --root $1 sync"#;
    let before = root.tree_with_times();
    let output = in_namespace(&root, script);
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("is read-only") && output.stderr.contains(B), "{output}");
    let unchanged = |mut tree: std::collections::BTreeMap<_, _>| {
        tree.retain(|path: &std::path::PathBuf, _| path.starts_with("usr"));
        tree
    };
    assert_eq!(unchanged(before), unchanged(root.tree_with_times()));
    // And all of it.
    let script =
        r#"mount --bind $1 $1 && mount -o remount,ro,bind $1 || exit 99; timeout 60 $2 --root $1 sync"#;
    let output = in_namespace(&root, script);
    assert_eq!(output.status, Some(2), "{output}");
    sane(&root, &["sync"]);
    assert_eq!(links(&root, B), [GOOD]);
}

#[test]
fn immutable_directories() {
    for place in [modules(B), modules(B).join("weak-updates"), "usr/lib/modules".into()] {
        let (root, _) = with_good();
        root.mkdir(modules(B).join("weak-updates"));
        let dir = root.join(&place);
        let made = run(Command::new("chattr").arg("+i").arg(&dir));
        if !made.success() {
            return testkit::skip(&made.stderr);
        }
        let output = run(root.command(KMP).arg("--root").arg(root.path()).arg("sync"));
        run(Command::new("chattr").arg("-i").arg(&dir)).expect_success();
        assert_eq!(output.status, Some(2), "{output}");
        assert!(output.stderr.contains(B), "{output}");
        assert_eq!(sane(&root, &["sync"]).status, Some(0));
        assert_eq!(links(&root, B), [GOOD]);
    }
}

#[test]
fn no_depmod_or_one_that_fails() {
    let (root, _) = with_good();
    root.write("failing", b"#!/bin/sh\necho 'it failed' >&2\nexit 3\n");
    root.write("killed", b"#!/bin/sh\nkill -9 $$\n");
    for program in ["failing", "killed"] {
        fs::set_permissions(root.join(program), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let (failing, killed) = (root.join("failing"), root.join("killed"));
    for (depmod, says) in [
        ("/nonexistent", "cannot be run"),
        ("no-such-program", "cannot be run"),
        ("/etc/passwd", "cannot be run"),
        (failing.to_str().unwrap(), "it failed"),
        (killed.to_str().unwrap(), "killed by signal 9"),
    ] {
        let output = run(root.command(KMP).arg("--root").arg(root.path()).arg("sync").env("DEPMOD", depmod));
        assert_eq!(output.status, Some(2), "{output}");
        assert!(output.stderr.contains(says) && output.stderr.contains(B), "{output}");
        assert_eq!(links(&root, B), [GOOD]);
        assert!(!root.exists("run/kmp/depmod"));
    }
    // Without any PATH the usual places are tried.
    let output = run(root.command(KMP).arg("--root").arg(root.path()).arg("sync").env_remove("PATH"));
    assert_eq!(output.status, Some(0), "{output}");
    assert!(root.read(modules(B).join("modules.dep")).contains("good.ko"));
}

#[test]
fn ten_runs_at_once() {
    let (root, _) = with_good();
    let runs: Vec<_> = (0..10)
        .map(|_| {
            let mut command = root.command(KMP);
            command.arg("--root").arg(root.path()).arg("sync");
            std::thread::spawn(move || run(&mut command))
        })
        .collect();
    for output in runs.into_iter().map(|r| r.join().unwrap()) {
        assert_eq!(output.status, Some(0), "{output}");
    }
    assert_eq!(links(&root, B), [GOOD]);
    for krel in [A, B] {
        assert!(root.read(modules(krel).join("modules.dep")).contains("updates/good.ko"));
    }
    let before = root.tree_with_times();
    sane(&root, &["sync"]);
    assert!(before == root.tree_with_times());
    assert!(!root.tree().keys().any(|p| p.to_string_lossy().contains(".kmp-")));
}

/// A lower directory with `weak-updates`: the kernel refuses to exchange it (EXDEV), for real.
#[test]
fn on_an_overlay() {
    let (root, _) = with_good();
    sane(&root, &["sync"]);
    root.install(&[&crate::support::one_module("more", "1.0", &crate::support::kernel(A, 7), 7)]);
    let script = r#"
        M=$1/usr/lib/modules; mkdir $1/layers && mount -t tmpfs tmpfs $1/layers && mkdir $1/layers/up $1/layers/work || exit 98
        mount -t overlay -o lowerdir=$M,upperdir=$1/layers/up,workdir=$1/layers/work overlay $M || exit 99
        timeout 60 strace -f -o $1/trace -e trace=renameat2 $2 --root $1 sync || exit 1
        grep -o "RENAME_EXCHANGE.*" $1/trace; find $M -type l -path '*/weak-updates/*.ko'; find $M -name '.kmp*'; grep more $M/6.4.0-2-default/modules.dep
        timeout 60 $2 --root $1 sync --dry-run || exit 2
    "#;
    let output = in_namespace(&root, script);
    if output.status == Some(99) {
        return testkit::skip(&output.stderr);
    }
    assert_eq!(output.status, Some(0), "{output}");
    assert!(output.stdout.contains("EXDEV"), "not refused, so not tested: {output}");
    assert!(output.stdout.contains("weak-updates/updates/more.ko\n"), "{output}");
    assert!(
        output.stdout.contains("weak-updates/updates/good.ko\n") && !output.stdout.contains(".kmp-"),
        "{output}"
    );
}
