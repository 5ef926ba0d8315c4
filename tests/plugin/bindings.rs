// SPDX-License-Identifier: LGPL-2.1-or-later
//! Programs that use librpm: python3-rpm stands for dnf and its like.

use testkit::{Output, Package, PackageBuilder, TestRoot, run};

use crate::support::{NEW, OLD, kernel, kmp, link, rpm, site, state, telling, turn_off};

const SCRIPT: &str = r#"
import os, rpm, sys
root, clean, runs = sys.argv[1], sys.argv[2] == "clean", sys.argv[3:]
ts = None
def callback(what, amount, total, key, data):
    global fd
    if what == rpm.RPMCALLBACK_INST_OPEN_FILE:
        fd = os.open(key, os.O_RDONLY)
        return fd
    if what == rpm.RPMCALLBACK_INST_CLOSE_FILE:
        os.close(fd)
for number, paths in enumerate(runs):
    if number == 0 or not os.environ.get("ONE_SET"):
        ts = rpm.TransactionSet(root)
        ts.setVSFlags(-1)
    ts.clear()
    for path in paths.split(","):
        if path.startswith("-"):
            ts.addErase(path[1:])
            continue
        fd = os.open(path, os.O_RDONLY)
        header = ts.hdrFromFdno(fd)
        os.close(fd)
        ts.addInstall(header, path, "i")
    ts.order()
    if clean:
        ts.clean()
    print("run", ts.run(callback, ""))
"#;

fn python(root: &TestRoot, one_set: bool, clean: bool, runs: &[&[&Package]]) -> Output {
    let mut command = root.command("/usr/bin/python3");
    command.args(["-c", SCRIPT]).arg(root.path()).arg(if clean { "clean" } else { "keep" });
    if one_set {
        command.env("ONE_SET", "1");
    }
    for packages in runs {
        let paths: Vec<String> = packages.iter().map(|p| p.path().display().to_string()).collect();
        command.arg(paths.join(","));
    }
    run(&mut command).expect_success()
}

#[test]
fn a_program_with_its_own_librpm_is_stopped_too() {
    for clean in [false, true] {
        let root = site();
        let before = state(&root);
        let new = kernel(NEW, 8);
        let package = telling(&new).build();
        let output = python(&root, false, clean, &[&[&package]]);
        assert!(output.stdout.starts_with("run ") && !output.stdout.contains("run None"), "{output}");
        assert!(output.stderr.contains("foo-kmp-default-1.0"), "{output}");
        assert_eq!(state(&root), before);

        let output = python(&root, false, clean, &[&[&package, &kmp("foo", "2.0", &new, 8).build()]]);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("run None\n", ""), "{output}");
        assert!(root.exists(link(NEW, "bar")));
    }
}

#[test]
fn two_transactions_in_one_process_do_not_know_of_each_other() {
    for one_set in [false, true] {
        let root = site();
        let (new, later) = (kernel(NEW, 7), kernel("6.4.0-4-default", 8));
        let plain = PackageBuilder::new("plain", "1", "1").build();
        let runs: [&[&Package]; 3] = [&[&telling(&new).build()], &[&telling(&later).build()], &[&plain]];
        let output = python(&root, one_set, false, &runs);
        let lines = output.lines();
        assert_eq!((lines[0], lines[2]), ("run None", "run None"), "{output}");
        assert_ne!(lines[1], "run None", "{output}");
        assert!(output.stderr.contains("6.4.0-4-default"), "{output}");
        assert!(root.exists(link(NEW, "foo")));
        assert!(!root.exists("usr/lib/modules/6.4.0-4-default"));
    }
}

/// `run` of these under --test, with another callback.
fn tested(root: &TestRoot, clean: bool, callback: &str, packages: &[&Package]) -> Output {
    let script = SCRIPT
        .replace("ts.run(callback, \"\")", &format!("ts.run({callback}, \"\")"))
        .replace("ts.setVSFlags(-1)", "ts.setVSFlags(-1); ts.setFlags(rpm.RPMTRANS_FLAG_TEST)");
    let paths: Vec<String> = packages.iter().map(|p| p.path().display().to_string()).collect();
    let mut command = root.command("/usr/bin/python3");
    command.args(["-c", &script]).arg(root.path()).arg(if clean { "clean" } else { "keep" });
    run(command.arg(paths.join(",")))
}

/// librpm makes no file of -1, but NULL.
#[test]
fn a_package_that_is_not_opened_for_us_is_judged_by_its_description() {
    let root = site();
    let package = telling(&kernel(NEW, 8)).build();
    let output = tested(&root, false, "lambda *a: -1", &[&package]).expect_success();
    assert!(output.stderr.contains("error: kmp: foo-kmp-default-1.0"), "{output}");

    // And where that is thrown away as well, nothing is known, and nothing is called lost.
    let with = tested(&root, true, "lambda *a: -1", &[&package]).expect_success();
    assert_eq!(with.stderr.matches("warning: kmp: ").count(), 1, "{with}");
    assert!(
        with.stderr.contains("kernel-default-6.4.0-3.x86_64: the package cannot be read before"),
        "{with}"
    );
    turn_off(&root);
    let without = tested(&root, true, "lambda *a: -1", &[&package]).expect_success();
    assert_eq!((without.stdout, without.stderr.as_str()), (with.stdout, ""));

    // None in place of a file is the program's end, by python3-rpm's own rule: rpm asks for it before it asks us.
    let without = tested(&root, true, "lambda *a: None", &[&package]);
    crate::support::turn_on(&root);
    let with = tested(&root, true, "lambda *a: None", &[&package]);
    assert_eq!((with.status, with.stderr), (without.status, without.stderr));
    assert_ne!(with.status, Some(0));
}

#[test]
fn every_file_that_is_opened_is_closed_before_the_next_and_only_what_concerns_us_is() {
    let new = kernel(NEW, 8);
    let callback =
        "lambda what, *a: (what in (4, 8) and print(what, a[2].split('/')[-1])) or callback(what, *a)";
    let packages = [
        PackageBuilder::new("plain", "1", "1").build(),
        telling(&new).build(),
        kmp("foo", "2.0", &new, 8).build(),
    ];
    for clean in [false, true] {
        let root = site();
        let with = tested(&root, clean, callback, &packages.each_ref()).expect_success();
        turn_off(&root);
        let without = tested(&root, clean, callback, &packages.each_ref()).expect_success();
        let lines = with.lines();
        assert_eq!(lines.last(), Some(&"run None"), "{with}");
        for pair in lines[..lines.len() - 1].chunks(2) {
            let name = pair[0].strip_prefix("4 ").unwrap();
            assert_eq!(pair[1], format!("8 {name}"), "{with}");
        }
        // Beside rpm's own: once each what there is to judge.
        for (package, ours) in packages.iter().zip([0, 1, 1]) {
            let opened = |output: &Output| output.stdout.matches(&format!("4 {}", package.name())).count();
            assert_eq!(opened(&with), opened(&without) + ours, "{with}\n{without}");
        }
    }
}

#[test]
fn the_old_kernel_may_go_with_its_driver() {
    let root = site();
    let new = kernel(NEW, 8);
    rpm(&root, &["-i"], &[&telling(&new).build(), &kmp("foo", "2.0", &new, 8).build()]).expect_success();
    crate::support::rpm_with(
        &root,
        &[],
        ["-e", &format!("kernel-default-{}", OLD.trim_end_matches("-default"))],
    )
    .expect_success();
}
