// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages that cost as much as they can: rpm installs and erases them, whatever the plugin thinks of them.

use std::path::Path;

use testkit::{Output, PackageBuilder, TestRoot, hostile_modules, run_rpm};

use crate::support::{OLD, kernel, link, plain_kmp, site};

/// `rpm --root ROOT ARGS` that may map a gibibyte. It is killed after a minute of work, which is far from what it takes.
fn bounded(root: &TestRoot, args: &[&str]) -> Output {
    let mut command = root.command("prlimit");
    command.env("PATH", format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", root.home().display()));
    command.args(["--as=1073741824", "--cpu=60", "rpm", "--root"]).arg(root.path());
    run_rpm(command.args(args))
}

/// Installs a package, sees rpm go on with others, and erases it.
#[track_caller]
fn comes_and_goes(root: &TestRoot, package: &PackageBuilder) {
    let package = package.build();
    bounded(root, &["-i", "--nodeps", package.path().to_str().unwrap()]).expect_success();
    let other = plain_kmp("other", "1.0", &kernel(OLD, 7)).build();
    bounded(root, &["-i", "--nodeps", other.path().to_str().unwrap()]).expect_success();
    bounded(root, &["-e", "other-kmp-default"]).expect_success();
    bounded(root, &["-e", package.name()]).expect_success();
    assert!(root.exists(link(crate::support::OLD, "bar").replace("weak-updates/", "")), "bar is gone");
}

#[test]
fn modules_that_cost_much() {
    let root = site();
    for hostile in hostile_modules(OLD) {
        let base = hostile.file.split('.').next().unwrap();
        let package = PackageBuilder::kmp(base, "default", "1.0", OLD, [(hostile.file, hostile.bytes)]);
        comes_and_goes(&root, &package);
    }
}

#[test]
fn one_file_of_many_names() {
    let root = site();
    let updates = Path::new("usr/lib/modules").join(OLD).join("updates");
    let bytes = vec![0; 8 << 20];
    let bomb = PackageBuilder::kmp("bomb", "default", "1.0", OLD, [("m0.ko", bytes)]);
    let bomb =
        (1..200).fold(bomb, |p, i| p.hard_link(updates.join(format!("m{i}.ko")), updates.join("m0.ko")));
    comes_and_goes(&root, &bomb);
}
