// SPDX-License-Identifier: LGPL-2.1-or-later
//! Every hook that rpm calls, with its answer, compared line by line.
//!
//! What differs by rpm's version is said in the lines: `before 6: ` marks the psm_post that 4.18 and 4.20 call
//! wherever only a script has run, too; `since 4.19: ` the scriptlets %preuntrans and %postuntrans.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use testkit::{Package, PackageBuilder, TestRoot, run};

use crate::inside;
use crate::support::{NEW, kernel, kmp, plain_kmp, rpm_env, rpm_with, site, telling};

/// Major and minor number of the rpm here.
fn version() -> (u32, u32) {
    let text = run(Command::new("rpm").arg("--version")).expect_success().stdout;
    let mut numbers = text.rsplit(' ').next().unwrap().split('.').map(|n| n.trim().parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// What is expected of the rpm here.
fn expected(text: &str) -> String {
    let rpm = version();
    let line = |line: &str| {
        let mut line = line.trim();
        for (mark, applies) in [("since 4.19: ", rpm >= (4, 19)), ("before 6: ", rpm < (6, 0))] {
            match line.strip_prefix(mark) {
                Some(rest) if applies => line = rest,
                Some(_) => return String::new(),
                None => {}
            }
        }
        if line.is_empty() { String::new() } else { format!("{line}\n") }
    };
    text.lines().map(line).collect()
}

/// What the hooks noted while `rpm` ran, with these variables.
#[track_caller]
fn check(root: &TestRoot, text: &str, rpm: impl FnOnce(&[(&str, &str)])) {
    let path = root.home().join("trace");
    rpm(&[("KMP_TEST_TRACE", path.to_str().unwrap())]);
    let noted = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    assert_eq!(noted, expected(text));
}

const SOURCE: &str = "
    init() = 0
    cleanup()";

fn with_scripts(mut package: PackageBuilder) -> Package {
    let mut phases = vec!["pretrans", "pre", "post", "preun", "postun", "posttrans"];
    if version() >= (4, 19) {
        phases.extend(["preuntrans", "postuntrans"]);
    }
    for phase in phases {
        package = package.scriptlet(phase, "exit 0");
    }
    package.build()
}

const INSTALL: &str = "
    init() = 0
    tsm_pre() = 0
    scriptlet_pre(%pretrans(kernel-default-6.4.0-3.x86_64)) = 0
    scriptlet_fork_post(/bin/sh) = 0
    before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
    scriptlet_pre(%post(foo-kmp-default-2.0_k6.4.0_3-1.x86_64)) = 0
    psm_post(foo-kmp-default-2.0_k6.4.0_3-1.x86_64, 0) = 0
    scriptlet_pre(%prein(kernel-default-6.4.0-3.x86_64)) = 0
    scriptlet_fork_post(/bin/sh) = 0
    scriptlet_pre(%post(kernel-default-6.4.0-3.x86_64)) = 0
    scriptlet_fork_post(/bin/sh) = 0
    psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
    scriptlet_pre(%posttrans(kernel-default-6.4.0-3.x86_64)) = 0
    scriptlet_fork_post(/bin/sh) = 0
    before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
    before 6: psm_post(foo-kmp-default-2.0_k6.4.0_3-1.x86_64, 0) = 0
    before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
    tsm_post(0) = 0
    cleanup()";

/// A kernel with every scriptlet, and its driver with one in Lua, which is not run in a process of its own.
fn update() -> [Package; 2] {
    let new = kernel(NEW, 8);
    [with_scripts(telling(&new)), kmp("foo", "2.0", &new, 8).lua_scriptlet("post", "x = 1").build()]
}

#[test]
fn what_is_judged_only() {
    let root = site();
    let [new, driver] = update();
    let text = "
        init() = 0
        tsm_pre() = 0
        tsm_post(0) = 0
        cleanup()";
    check(&root, text, |v| drop(rpm_env(&root, v, &["-i", "--test"], &[&new, &driver]).expect_success()));
    let text = "
        init() = 0
        tsm_pre() = 2
        tsm_post(-1) = 0
        cleanup()";
    for options in [&["-i"][..], &["-i", "--test"], &["-U"]] {
        check(&root, text, |v| assert!(!rpm_env(&root, v, options, &[&new]).success()));
    }
    check(&root, "", |v| drop(rpm_env(&root, v, &["-i", "--test", "--noplugins"], &[&new]).expect_success()));
}

#[test]
fn an_installation_and_a_reinstallation() {
    let root = site();
    let [new, driver] = update();
    check(&root, INSTALL, |v| drop(rpm_env(&root, v, &["-i"], &[&new, &driver]).expect_success()));
    let text = "
        init() = 0
        tsm_pre() = 0
        scriptlet_pre(%pretrans(kernel-default-6.4.0-3.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        since 4.19: scriptlet_pre(%preuntrans(kernel-default-6.4.0-3.x86_64)) = 0
        since 4.19: scriptlet_fork_post(/bin/sh) = 0
        since 4.19: before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        scriptlet_pre(%prein(kernel-default-6.4.0-3.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        scriptlet_pre(%post(kernel-default-6.4.0-3.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        scriptlet_pre(%preun(kernel-default-6.4.0-3.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        scriptlet_pre(%postun(kernel-default-6.4.0-3.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        scriptlet_pre(%posttrans(kernel-default-6.4.0-3.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        since 4.19: scriptlet_pre(%postuntrans(kernel-default-6.4.0-3.x86_64)) = 0
        since 4.19: scriptlet_fork_post(/bin/sh) = 0
        since 4.19: before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        before 6: psm_post(kernel-default-6.4.0-3.x86_64, 0) = 0
        tsm_post(0) = 0
        cleanup()";
    check(&root, text, |v| drop(rpm_env(&root, v, &["--reinstall"], &[&new]).expect_success()));
}

#[test]
fn an_upgrade_and_a_removal() {
    let root = site();
    let new = kernel(NEW, 8);
    let old = with_scripts(plain_kmp("baz", "1.0", &new));
    rpm_env(&root, &[], &["-i"], &[&telling(&new).build(), &kmp("foo", "2.0", &new, 8).build(), &old])
        .expect_success();
    let next = plain_kmp("baz", "2.0", &new).build();
    let text = "
        init() = 0
        tsm_pre() = 0
        since 4.19: scriptlet_pre(%preuntrans(baz-kmp-default-1.0_k6.4.0_3-1.x86_64)) = 0
        since 4.19: scriptlet_fork_post(/bin/sh) = 0
        since 4.19: before 6: psm_post(baz-kmp-default-1.0_k6.4.0_3-1.x86_64, 0) = 0
        before 6: psm_post(baz-kmp-default-1.0_k6.4.0_3-1.x86_64, 0) = 0
        psm_post(baz-kmp-default-2.0_k6.4.0_3-1.x86_64, 0) = 0
        scriptlet_pre(%preun(baz-kmp-default-1.0_k6.4.0_3-1.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        scriptlet_pre(%postun(baz-kmp-default-1.0_k6.4.0_3-1.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        psm_post(baz-kmp-default-1.0_k6.4.0_3-1.x86_64, 0) = 0
        since 4.19: scriptlet_pre(%postuntrans(baz-kmp-default-1.0_k6.4.0_3-1.x86_64)) = 0
        since 4.19: scriptlet_fork_post(/bin/sh) = 0
        since 4.19: before 6: psm_post(baz-kmp-default-1.0_k6.4.0_3-1.x86_64, 0) = 0
        before 6: psm_post(baz-kmp-default-2.0_k6.4.0_3-1.x86_64, 0) = 0
        tsm_post(0) = 0
        cleanup()";
    check(&root, text, |v| drop(rpm_env(&root, v, &["-U"], &[&next]).expect_success()));
    let text = "
        init() = 0
        tsm_pre() = 0
        before 6: psm_post(baz-kmp-default-2.0_k6.4.0_3-1.x86_64, 0) = 0
        psm_post(baz-kmp-default-2.0_k6.4.0_3-1.x86_64, 0) = 0
        tsm_post(0) = 0
        cleanup()";
    check(&root, text, |v| drop(rpm_with(&root, v, ["-e", "baz-kmp-default"]).expect_success()));
}

/// The same where rpm's root is "/" as where it is another: above, all hooks between the first and the last are chrooted.
#[test]
fn an_installation_in_the_running_system() {
    let root = site();
    inside::furnish(&root);
    let [new, driver] = update();
    let trace = [("KMP_TEST_TRACE", "/trace")];
    inside::rpm(&root, &trace, &["-i"], &[&new, &driver]).expect_success();
    assert_eq!(root.read("trace"), expected(INSTALL));
}

#[test]
fn packages_that_concern_nobody_and_source_packages() {
    let root = site();
    let plain = PackageBuilder::new("plain", "1", "1").scriptlet("posttrans", "exit 0").build();
    let text = "
        init() = 0
        tsm_pre() = 0
        psm_post(plain-1-1.x86_64, 0) = 0
        scriptlet_pre(%posttrans(plain-1-1.x86_64)) = 0
        scriptlet_fork_post(/bin/sh) = 0
        before 6: psm_post(plain-1-1.x86_64, 0) = 0
        before 6: psm_post(plain-1-1.x86_64, 0) = 0
        tsm_post(0) = 0
        cleanup()";
    check(&root, text, |v| drop(rpm_env(&root, v, &["-i"], &[&plain]).expect_success()));
    assert!(!root.exists("run/kmp"));

    // Its sources go where a kernel would be; rpm runs no transaction for it, and asks us nothing but to begin and to end.
    let place = root.join("usr/lib/modules/6.4.0-9-default");
    root.set_macro("_sourcedir", "/usr/lib/modules/6.4.0-9-default/kernel");
    root.set_macro("_specdir", "/usr/lib/modules/6.4.0-9-default");
    let source = source_package(&root);
    check(&root, SOURCE, |v| {
        let output = rpm_with(&root, v, [OsStr::new("-i"), source.as_os_str()]).expect_success();
        assert_eq!(output.stderr.matches("kmp").count(), 0, "{output}");
    });
    assert!(place.join("kernel/x.ko").exists() && place.join("s.spec").exists());
    assert!(!root.exists("run/kmp"));
}

/// `s-1-1.src.rpm` with a source `x.ko`.
fn source_package(root: &TestRoot) -> PathBuf {
    let top = root.home().join("top");
    std::fs::create_dir_all(top.join("SOURCES")).unwrap();
    std::fs::write(top.join("SOURCES/x.ko"), "a source").unwrap();
    let spec = "Name: s\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nSource: x.ko\n%description\nx\n";
    std::fs::write(top.join("s.spec"), spec).unwrap();
    let mut build = root.command("rpmbuild");
    for (name, dir) in [("_topdir", ""), ("_sourcedir", "SOURCES"), ("_srcrpmdir", "")] {
        build.args(["--define", &format!("{name} {}", top.join(dir).display())]);
    }
    run(build.arg("-bs").arg(top.join("s.spec"))).expect_success();
    top.join("s-1-1.src.rpm")
}
