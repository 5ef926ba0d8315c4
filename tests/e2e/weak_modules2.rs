// SPDX-License-Identifier: LGPL-2.1-or-later
//! The drop-in for weak-modules2: modes, options, messages and exit codes.

use testkit::{Output, Package, TestRoot, run};

use crate::support::*;

/// Three kernels, and a KMP that fits two.
fn with_foo() -> (TestRoot, Package) {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    (root, foo)
}

fn misfit(foo: &Package) -> String {
    format!(
        "Package {} is incompatible with kernel {OTHER}: foo: changing was 0x00000007 when it was built, vmlinux has 0x00000008\n",
        foo.nvr()
    )
}

/// What it says of initrds where the system is not complete.
const HINT: &str = "weak-modules2: warning: no initrd is made: there is no /etc/fstab. Please run \"kmp initrd\" as soon as the \
                    system is complete\n";

/// `--remove-kmp` with the list of the modules that went.
fn remove_kmp(root: &TestRoot, foo: &Package, list: &str) -> Output {
    let mut command = wm2_command(root, &["-v", "--remove-kmp", foo.nvr()]);
    run(command.stdin(piped(list))).expect_success()
}

#[test]
fn add_kmp() {
    let (root, foo) = with_foo();
    let output = wm2(&root, &["-v", "--add-kmp", foo.nvr()]);
    assert_eq!(output.stdout, format!("Package {} added to kernel {SAME}\n{}", foo.nvr(), misfit(&foo)));
    assert_eq!(output.stderr, HINT);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    // Once more: nothing to do.
    assert_eq!(writes_nothing(&root, || wm2(&root, &["-v", "--add-kmp", foo.nvr()])).stdout, misfit(&foo));
}

#[test]
fn without_verbose_only_what_is_not_linked_is_said() {
    let (root, foo) = with_foo();
    let output = wm2(&root, &["--add-kmp", foo.nvr()]);
    assert_eq!((output.stdout, output.stderr), (misfit(&foo), HINT.into()));
}

#[test]
fn add_kmp_that_replaces_and_one_that_need_not_be_added() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    let (first, second) = (one_module("foo", "1", &old, 7), one_module("foo", "2", &same, 7));
    root.install(&[&first]);
    wm2(&root, &["--add-kmp", first.nvr()]);
    root.install(&[&second]);
    let output = wm2(&root, &["-v", "--add-kmp", second.nvr()]).stdout;
    let replaced =
        format!("Package {} replaced by package {} in kernel 6.4.0-4-default\n", first.nvr(), second.nvr());
    assert!(output.contains(&replaced), "{output}");
    let output = wm2(&root, &["-v", "--add-kmp", first.nvr()]).stdout;
    let needless = format!("Package {} does not need to be added to kernel 6.4.0-4-default\n", first.nvr());
    assert!(output.contains(&needless), "{output}");
}

#[test]
fn remove_kmp_says_which_package_went() {
    let (root, foo) = with_foo();
    wm2(&root, &["--add-kmp", foo.nvr()]);
    root.erase(&[foo.name()]);
    let output = remove_kmp(&root, &foo, &format!("/lib/modules/{OLD}/updates/foo.ko\n"));
    let none = format!("Weak-updates symlinks to no other {} package could be created\n", foo.name());
    assert_eq!(output.stdout, format!("Package {} removed from kernel {SAME}\n{none}", foo.nvr()));
    assert!(links(&root, SAME).is_empty());
}

#[test]
fn remove_kmp_brings_the_older_one_back() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    let (first, second) = (one_module("foo", "1", &old, 7), one_module("foo", "2", &same, 7));
    root.install(&[&first, &second]);
    wm2(&root, &["--add-kmp", second.nvr()]);
    root.erase(&[second.nvr()]);
    let output = remove_kmp(&root, &second, &format!("/usr/lib/modules/{SAME}/updates/foo.ko\n"));
    assert!(!output.stdout.contains("no other"), "{output}");
    assert!(output.stdout.contains(&format!("Package {} added to kernel {SAME}\n", first.nvr())), "{output}");
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("foo", OLD)]));
}

#[test]
fn add_kernel_and_remove_kernel() {
    let (root, foo) = with_foo();
    let output = wm2(&root, &["-v", "--add-kernel", SAME]);
    assert_eq!(output.stdout, format!("Package {} added to kernel {SAME}\n", foo.nvr()));
    assert_eq!(wm2(&root, &["-v", "--add-kernel", OTHER]).stdout, misfit(&foo));
    let output = wm2(&root, &["-v", "--remove-kernel", SAME]);
    assert_eq!(output.stdout, format!("Package {} removed from kernel {SAME}\n", foo.nvr()));
    assert!(links(&root, SAME).is_empty());
    assert_eq!(
        wm2(&root, &["--add-kernel", "6.9-default"]).stdout.lines().next(),
        Some("Kernel 6.9-default is not installed")
    );
    assert_eq!(wm2(&root, &["--remove-kernel", "6.9-default"]).stderr, "");
}

#[test]
fn the_running_kernel_is_none_of_another_roots() {
    let (root, _) = with_foo();
    for mode in ["--add-kernel", "--remove-kernel"] {
        let output = run(&mut wm2_command(&root, &[mode]));
        assert_eq!(output.status, Some(1), "{output}");
        assert!(output.stderr.contains("name a kernel"), "{output}");
    }
}

#[test]
fn lists_of_in_tree_modules_are_taken_from_stdin() {
    let (root, foo) = with_foo();
    // More than a pipe holds: who writes it must not be stopped.
    let list = format!("/usr/lib/modules/{SAME}/kernel/drivers/a.ko\n").repeat(4_000);
    for mode in ["--add-kernel-modules", "--remove-kernel-modules"] {
        let output = run(wm2_command(&root, &["-v", mode, SAME]).stdin(piped(&list))).expect_success();
        assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]), "{mode}");
        assert!(!output.stdout.contains("removed"), "{output}");
    }
    let mut child = wm2_command(&root, &["--remove-kmp", foo.nvr()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), list.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

#[test]
fn options_may_be_abbreviated_and_in_any_order() {
    let (root, foo) = with_foo();
    for args in [
        &["--add-km", foo.nvr(), "--dry", "--verb"][..],
        &["--dry-run", "--add-kmp", foo.nvr(), "-v", "-v", "-v"],
        &["-vv", "--add-kernel-m", SAME, "--dry"],
        &["--add-kmp", "--dry-run", "-v", foo.nvr()],
        &["--debug", "--dry-run", "--add-kernel", SAME],
    ] {
        let output = writes_nothing(&root, || wm2(&root, args));
        let added = format!("Package {} added to kernel {SAME}\n", foo.nvr());
        assert!(output.stdout.contains(&added), "{args:?}: {output}");
    }
}

#[test]
fn usage_errors_end_with_1() {
    let (root, foo) = with_foo();
    for args in [
        &[][..],
        &["-v"],
        &["--add-kmp"],
        &["--remove-kmp"],
        &["--add-kernel-modules"],
        &["--remove-kernel-modules"],
        &["--add-kmp", foo.nvr(), "--remove-kmp"],
        &["--add-kernel", SAME, OTHER],
        &["--add", SAME],
        &["--no-such-option"],
        &["--logfile"],
    ] {
        let output = writes_nothing(&root, || run(&mut wm2_command(&root, args)));
        assert_eq!(output.status, Some(1), "{args:?}: {output}");
        assert_eq!(output.stdout, "", "{args:?}");
        let help = ["usage: weak-modules2", "try '--help'"];
        assert!(help.iter().any(|h| output.stderr.to_lowercase().contains(h)), "{args:?}: {output}");
    }
    for option in ["-h", "--help", "--usage"] {
        let output = wm2(&root, &[option]);
        assert!(output.stdout.contains("--add-kernel-modules") && output.stderr.is_empty(), "{output}");
    }
}

#[test]
fn no_depmod_ends_with_1() {
    let (root, foo) = with_foo();
    let output = run(wm2_command(&root, &["--add-kmp", foo.nvr()]).env("DEPMOD", "/nowhere/depmod"));
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("/nowhere/depmod cannot be run"), "{output}");
}

#[test]
fn verbosity_and_log_file_by_option_and_by_environment() {
    let added = |foo: &Package| format!("Package {} added to kernel {SAME}\n", foo.nvr());
    for (variable, value, told) in [
        ("WM2_VERBOSE", "1", true),
        ("WM2_VERBOSE", "3", true),
        ("WM2_VERBOSE", "0", false),
        ("WM2_DEBUG", "1", true),
        ("WM2_VERBOSE", "many", false),
    ] {
        let (root, foo) = with_foo();
        let output = run(wm2_command(&root, &["--add-kmp", foo.nvr()]).env(variable, value)).expect_success();
        assert_eq!(output.stdout.contains(&added(&foo)), told, "{variable}={value}: {output}");
    }
    let (root, foo) = with_foo();
    let log = root.home().join("wm2.log");
    let mut command = wm2_command(&root, &["-v", "--add-kmp", foo.nvr(), "--logfile"]);
    let output = run(command.arg(&log)).expect_success();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), output.stdout);
    // Appended; a relative one is below /var/log.
    let relative = std::path::Path::new("../..").join(log.strip_prefix("/").unwrap());
    let mut command = wm2_command(&root, &["-v", "--remove-kernel", SAME]);
    let more = run(command.env("WM2_LOGFILE", relative)).expect_success();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), output.stdout + &more.stdout);
    // One that cannot be written stops nothing.
    let output = wm2(&root, &["--add-kmp", foo.nvr(), "--logfile", "/nowhere/at/all"]);
    assert!(output.stderr.contains("/nowhere/at/all"), "{output}");
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

#[test]
fn by_a_link_of_that_name() {
    let (root, foo) = with_foo();
    let link = root.home().join("weak-modules2");
    std::os::unix::fs::symlink(KMP, &link).unwrap();
    let output = run(root.command(&link).arg("--root").arg(root.path()).args(["-v", "--add-kmp", foo.nvr()]));
    assert!(output.stdout.contains(&format!("Package {} added to kernel {SAME}\n", foo.nvr())), "{output}");
}

#[test]
fn one_line_with_the_first_reason_for_what_is_not_linked() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let many = driver("many", &old, 9).need("nowhere", 1).need("neither", 1);
    let many = package("many", "1", &old, &[("many", many), ("more", driver("more", &old, 9))]);
    root.install(&[&many]);
    let output = wm2(&root, &["--add-kernel", SAME]).stdout;
    assert_eq!(output.lines().count(), 1, "{output}");
    assert!(
        output.starts_with(&format!("Package {} is incompatible with kernel {SAME}: many: ", many.nvr())),
        "{output}"
    );
    assert!(output.ends_with(" more)\n"), "{output}");
}
