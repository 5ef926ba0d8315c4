// SPDX-License-Identifier: LGPL-2.1-or-later
//! The rpm database: locked, damaged, absent; and no librpm.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use testkit::{Noise, TestRoot, run};

use crate::hostile::{A, B, GOOD, checked, modules, sane, with_good};
use crate::support::{KMP, kernel, links, one_module, wm2_command, write};

/// Linked, and with something to do that must not be done: a KMP and a kernel more.
fn linked() -> TestRoot {
    let (root, a) = with_good();
    sane(&root, &["sync"]);
    assert_eq!(links(&root, B), [GOOD]);
    root.install(&[&one_module("more", "1.0", &a, 7)]);
    let new = kernel("6.4.0-3-default", 7);
    let in_tree = new.driver("in_tree").need("printk", 0x1000_0001);
    write(&new.module("drivers", in_tree), &root);
    root
}

#[track_caller]
fn refuses(root: &TestRoot, what: &str, named: &str) {
    let before = root.tree_with_times();
    for args in [
        &["sync"][..],
        &["remove-kernel", B],
        &["remove-kmp", "good-kmp-default-1-1"],
        &["status"],
        &["check"],
    ] {
        let output = sane(root, args);
        assert_eq!(output.status, Some(2), "{what}: {output}");
        assert!(output.stderr.contains(named), "{what}: {named} is not named: {output}");
        assert!(before == root.tree_with_times(), "{what}: something was written: {output}");
    }
    // A kernel that has come has to boot: its index is made, and no link is changed.
    let new = "6.4.0-3-default";
    let output = sane(root, &["add-kernel", new]);
    assert_eq!(output.status, Some(2), "{what}: {output}");
    for part in [named, "no link was changed", &format!("the initrd of kernel {new} were updated")] {
        assert!(output.stderr.contains(part), "{what}: {part}: {output}");
    }
    let index = root.join(modules(new)).join("modules.dep");
    assert!(index.exists(), "{what}: {output}");
    assert_eq!((links(root, B), links(root, new)), (vec![GOOD.to_string()], vec![]), "{what}");
    // So it is by the name that kernels' scriptlets call, which then make the boot entry.
    fs::remove_file(&index).unwrap();
    let output = run(&mut wm2_command(root, &["--add-kernel", new]));
    assert_eq!((output.status, index.exists()), (Some(1), true), "{what}: {output}");
    assert_eq!((links(root, B), links(root, new)), (vec![GOOD.to_string()], vec![]), "{what}");
    // Files can be judged all the same.
    let file = root.join(modules(A)).join("updates/good.ko");
    assert_eq!(sane(root, &["check", "--kernel", B, file.to_str().unwrap()]).status, Some(0), "{what}");
}

#[test]
fn a_damaged_database_changes_no_link() {
    let database = "var/lib/rpm/rpmdb.sqlite";
    let mut noise = Noise::new(3);
    for what in ["garbage", "zeros", "empty", "header", "directory"] {
        let root = linked();
        run(root.command("sqlite3").arg(root.join(database)).arg("PRAGMA journal_mode=DELETE"))
            .expect_success();
        let path = root.join(database);
        let size = fs::metadata(&path).unwrap().len() as usize;
        match what {
            "garbage" => fs::write(&path, noise.bytes(size)).unwrap(),
            "zeros" => fs::write(&path, vec![0; size]).unwrap(),
            "empty" => fs::write(&path, b"").unwrap(),
            "header" => fs::File::options().write(true).open(&path).unwrap().set_len(4096).unwrap(),
            _ => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
        }
        refuses(&root, what, root.join("var/lib/rpm").to_str().unwrap());
    }
}

#[test]
fn without_a_database_nothing_is_known_to_be_a_packages_and_nothing_is_removed() {
    let root = linked();
    fs::remove_dir_all(root.join("var/lib/rpm")).unwrap();
    let output = sane(&root, &["sync"]);
    assert_eq!(output.status, Some(0), "{output}");
    assert_eq!(links(&root, B), [GOOD]);
    assert!(links(&root, "6.4.0-3-default").is_empty());
    assert!(!root.exists("var/lib/rpm"));
}

/// Another process has the database for itself: answered or refused, in bounded time, and nothing lost.
#[test]
fn a_locked_database_is_waited_for_or_refused() {
    let root = linked();
    let mut holder = Command::new("sqlite3")
        .arg(root.join("var/lib/rpm/rpmdb.sqlite"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs sqlite3");
    let mut input = holder.stdin.take().unwrap();
    writeln!(input, "PRAGMA locking_mode=EXCLUSIVE;\nBEGIN EXCLUSIVE;\nSELECT 'locked';").unwrap();
    let mut answers = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(answers.any(|line| line.unwrap() == "locked"));
    let output = sane(&root, &["sync"]);
    if output.status == Some(2) {
        assert!(output.stderr.contains("rpm"), "{output}");
        assert_eq!(links(&root, B), [GOOD]);
    } else {
        assert_eq!(links(&root, B).len(), 2, "{output}");
    }
    drop(input);
    holder.wait().unwrap();
    assert_eq!(sane(&root, &["sync"]).status, Some(0));
    assert_eq!(links(&root, B).len(), 2);
}

#[test]
fn without_librpm_no_link_is_changed_and_files_can_be_judged() {
    let root = linked();
    let before = root.tree_with_times();
    let file = root.join(modules(A)).join("updates/good.ko");
    let libraries = run(Command::new("ldconfig").arg("-p")).expect_success().stdout;
    let paths: Vec<&str> = libraries
        .lines()
        .filter(|l| l.contains("librpm.so"))
        .filter_map(|l| l.rsplit_once("=> "))
        .map(|(_, p)| p)
        .collect();
    assert!(!paths.is_empty(), "no librpm on this machine");
    // Nothing but an empty file in their place, for this command alone.
    let hide: Vec<_> = paths.iter().map(|path| format!("mount --bind /dev/null {path} && ")).collect();
    let script = format!("{} exec \"$@\"", hide.concat());
    let without = |args: &[&str]| {
        let mut command = root.command("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", &script, "sh", KMP, "--root"]);
        checked(command.arg(root.path()).args(args))
    };
    for args in [&["sync"][..], &["status"], &["remove-kernel", B]] {
        let output = without(args);
        assert_eq!(output.status, Some(2), "{output}");
        assert!(output.stderr.contains("librpm"), "{output}");
        assert!(before == root.tree_with_times());
    }
    let output = without(&["check", "--kernel", B, file.to_str().unwrap()]);
    assert_eq!(output.status, Some(0), "{output}");
}
