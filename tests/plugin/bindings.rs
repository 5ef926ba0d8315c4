//! Programs that use librpm: python3-rpm stands for dnf and its like.

use testkit::{Output, Package, PackageBuilder, TestRoot, run};

use crate::support::{NEW, OLD, kernel, kmp, link, rpm, site, state, telling};

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

#[test]
fn a_package_that_cannot_be_opened_by_us_is_judged_by_its_description() {
    let root = site();
    // Without a callback nobody opens package files; under --test nobody has to.
    let script = SCRIPT
        .replace("ts.run(callback, \"\")", "ts.run(lambda *a: -1, \"\")")
        .replace("ts.setVSFlags(-1)", "ts.setVSFlags(-1); ts.setFlags(rpm.RPMTRANS_FLAG_TEST)");
    let package = telling(&kernel(NEW, 8)).build();
    let mut command = root.command("/usr/bin/python3");
    command.args(["-c", &script]).arg(root.path()).arg("keep").arg(package.path());
    let output = run(&mut command).expect_success();
    assert!(output.stderr.contains("foo-kmp-default-1.0"), "{output}");
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
