// SPDX-License-Identifier: LGPL-2.1-or-later
//! Red Hat's kmods, of which there is one version at a time, across a minor release: each step by rpm and by dnf; and what dnf
//! erases because it depends on something that goes.

use testkit::{Output, Package, PackageBuilder, TestRoot, run};

use crate::redhat::{NEW, OLD, core, kmod};
use crate::support::{bare, kernel, rpm, rpm_with, turn_on};

const RELEASE: &str = "ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.6\"\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rpm,
    Dnf,
}

/// Kernels beside each other, kmods in each other's place, in one transaction, which rpm's command line cannot do.
const MIXED: &str = r#"
import os, rpm, sys
ts = rpm.TransactionSet(sys.argv[1])
ts.setVSFlags(-1)
def callback(what, amount, total, key, data):
    global fd
    if what == rpm.RPMCALLBACK_INST_OPEN_FILE:
        fd = os.open(key, os.O_RDONLY)
        return fd
    if what == rpm.RPMCALLBACK_INST_CLOSE_FILE:
        os.close(fd)
for path in sys.argv[2:]:
    fd = os.open(path, os.O_RDONLY)
    header = ts.hdrFromFdno(fd)
    os.close(fd)
    ts.addInstall(header, path, "i" if header[rpm.RPMTAG_NAME].startswith("kernel") else "u")
ts.order()
sys.exit(ts.run(callback, "") is not None)
"#;

/// `dnf ARGUMENTS` on the root, with nothing of the machine's and no network.
fn dnf(root: &TestRoot, arguments: &[&str]) -> Output {
    let cache = root.home().join("dnf");
    let mut command = root.command("dnf");
    command.args([
        "--assumeyes",
        "--releasever=9",
        "--nogpgcheck",
        "--setopt=plugins=False",
        "--setopt=tsflags=noscripts",
        "--setopt=installonlypkgs=kernel-core,kernel-uek-core",
    ]);
    command.arg("--setopt=reposdir=/nonexistent").arg(format!("--installroot={}", root.path().display()));
    for directory in ["cachedir", "logdir", "persistdir"] {
        command.arg(format!("--setopt={directory}={}", cache.display()));
    }
    run(command.args(arguments))
}

fn bring(root: &TestRoot, by: By, packages: &[&Package]) -> Output {
    let files: Vec<String> = packages.iter().map(|p| p.path().display().to_string()).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    match by {
        By::Dnf => dnf(root, &[&["install"][..], &files].concat()),
        By::Rpm if packages.len() > 1 => {
            let mut command = root.command("/usr/bin/python3");
            run(command.args(["-c", MIXED]).arg(root.path()).args(files))
        }
        By::Rpm => {
            let is_kernel = files[0].contains("kernel-core");
            rpm(root, &[if is_kernel { "-i" } else { "-U" }], packages)
        }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

/// The old release's kernel and its kmod.
fn site() -> TestRoot {
    site_with(&[])
}

/// With more packages.
fn site_with(packages: &[&Package]) -> TestRoot {
    let root = bare();
    root.write("etc/os-release", RELEASE);
    let old = kernel(OLD, 7);
    root.install(&[&[&core(&old).build(), &plain(kmod("foo", "1.0", &old, 7))], packages].concat());
    turn_on(&root);
    root
}

/// dnf wants to know where dependencies come from; these are not about them.
fn plain(package: PackageBuilder) -> Package {
    package
        .provides("kernel(printk) = 0x10000001")
        .provides("kernel(changing) = 0x00000007")
        .provides("kernel(changing) = 0x00000008")
        .build()
}

#[track_caller]
fn is_stopped(root: &TestRoot, by: By, packages: &[&Package]) -> String {
    let modules = || {
        let mut tree = root.tree();
        tree.retain(|path, _| path.starts_with("usr/lib/modules"));
        (tree, root.installed())
    };
    let before = modules();
    let output = bring(root, by, packages);
    assert!(!output.success(), "{by:?}: {output}");
    assert_eq!(modules(), before, "{by:?}");
    said(&output)
}

const BOTH_WAYS: [By; 2] = [By::Rpm, By::Dnf];

#[test]
fn a_kernel_alone_is_stopped() {
    for by in BOTH_WAYS {
        let root = site();
        let said = is_stopped(&root, by, &[&core(&kernel(NEW, 8)).build()]);
        assert!(
            said.contains(&format!("kmp: kmod-foo-1.0-1 (foo) does not work with the new kernel {NEW}")),
            "{said}"
        );
        assert!(said.contains("if there is a kmod-foo for it, install it in the same transaction"), "{said}");
    }
}

#[test]
fn a_kmod_alone_is_stopped() {
    for by in BOTH_WAYS {
        let root = site();
        let said = is_stopped(&root, by, &[&plain(kmod("foo", "2.0", &kernel(NEW, 8), 8))]);
        assert!(
            said.contains(&format!("kmp: kmod-foo-2.0-1 (foo) does not work with kernel {OLD}")),
            "{said}"
        );
        assert!(said.contains("kmod-foo-1.0-1, which does, would go"), "{said}");
        assert!(said.contains("keep kmod-foo-1.0-1"), "{said}");
    }
}

/// The old kernel loses its driver by that, which is said, with the kernel that has it.
#[test]
fn both_go_on_with_a_warning() {
    for by in BOTH_WAYS {
        let root = site();
        let new = kernel(NEW, 8);
        let packages = [core(&new).build(), plain(kmod("foo", "2.0", &new, 8))];
        let output = bring(&root, by, &[&packages[0], &packages[1]]);
        assert!(output.success(), "{by:?}: {output}");
        let said = said(&output);
        assert!(
            said.contains(&format!("warning: kmp: kmod-foo-2.0-1 (foo) does not work with kernel {OLD}")),
            "{said}"
        );
        assert!(said.contains(&format!("kernel {NEW} has the driver")), "{said}");
        assert!(!said.contains("error: kmp"), "{said}");
        let installed = root.installed();
        assert_eq!(installed.iter().filter(|n| n.starts_with("kernel-core")).count(), 2, "{installed:?}");
        assert_eq!(installed.iter().filter(|n| n.starts_with("kmod-foo")).count(), 1, "{installed:?}");
    }
}

#[test]
fn a_kmod_with_both_kernels_there_goes_on_with_a_warning() {
    for by in BOTH_WAYS {
        let new = kernel(NEW, 8);
        let root = site_with(&[&core(&new).build()]);
        let output = bring(&root, by, &[&plain(kmod("foo", "2.0", &new, 8))]);
        assert!(output.success(), "{by:?}: {output}");
        assert!(said(&output).contains(&format!("kernel {NEW} has the driver")), "{output}");
    }
}

#[test]
fn a_kernel_of_another_line_takes_nothing_away() {
    for by in BOTH_WAYS {
        let root = site();
        let uek = core(&kernel(NEW, 8)).renamed("kernel-uek-core").build();
        let output = bring(&root, by, &[&uek]);
        assert!(output.success() && !said(&output).contains("kmp:"), "{by:?}: {output}");
        // From then on that line, too, has what works with it.
        let there = core(&kernel("5.14.0-99.el9.x86_64", 7)).renamed("kernel-uek-core").build();
        let root = site_with(&[&there]);
        is_stopped(&root, by, &[&uek]);
    }
}

/// A kmod that needs one kernel's package is erased with that, though it works with the others.
#[test]
fn what_depends_on_a_kernel_that_goes_is_not_what_somebody_asked_for() {
    let root = bare();
    root.write("etc/os-release", RELEASE);
    let (old, new) = (kernel(OLD, 7), kernel(NEW, 7));
    let bound = kmod("foo", "1.0", &old, 7).requires("kernel-core = 5.14.0-70.el9");
    let tools = PackageBuilder::new("foo-tools", "1", "1").requires("kmod-foo").file("usr/bin/foo-tools", "");
    root.install(&[&core(&old).build(), &core(&new).build(), &plain(bound), &tools.build()]);
    turn_on(&root);
    let output = dnf(&root, &["remove", "kernel-core-5.14.0-70.el9"]);
    assert!(!output.success(), "{output}");
    let said = said(&output);
    assert!(
        said.contains(&format!("kmp: kmod-foo-1.0-1 (foo) would be erased, and works with kernel {NEW}")),
        "{said}"
    );
    assert!(said.contains("erase it by its name"), "{said}");
    assert_eq!(root.installed().len(), 4);
    // By its name.
    dnf(&root, &["remove", "kernel-core-5.14.0-70.el9", "kmod-f*"]).expect_success();
    assert_eq!(root.installed().len(), 1);
}

#[test]
fn erasing_a_kmod_with_its_product_is_a_wish() {
    let root = site();
    let tools =
        PackageBuilder::new("foo-tools", "1", "1").file("usr/bin/foo-tools", "").provides("foo-common");
    root.install(&[&tools.build()]);
    let output = dnf(&root, &["remove", "foo-tools", "kmod-foo"]).expect_success();
    assert!(!said(&output).contains("kmp:"), "{output}");
    let root = site();
    rpm_with(&root, &[], ["-e", "kmod-foo"]).expect_success();
}
