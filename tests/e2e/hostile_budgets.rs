// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules, packages and tables that cost as much as they can: the command takes little memory for them, says which bound they
//! passed, and goes on with the others.

use std::fs;
use std::path::Path;

use testkit::{Output, PackageBuilder, TestRoot, hostile_modules};

use crate::hostile::{A, B, checked, good_is_linked, modules, with_good};
use crate::support::{KMP, links};

/// `kmp --root ROOT ARGS` that may map so many bytes. It is killed after a minute of work, which is far from what it takes.
#[track_caller]
fn bounded(root: &TestRoot, memory: u64, args: &[&str]) -> Output {
    let mut command = root.command("prlimit");
    command.args([&format!("--as={memory}"), "--cpu=60", KMP, "--root"]).arg(root.path()).args(args);
    checked(&mut command)
}

/// Rust's and the compressions' own needs, the stacks of some threads, and one module of 64 MiB.
const MEMORY: u64 = 1 << 30;

#[test]
fn hostile_modules_are_malformed_by_name_of_the_bound() {
    let (root, _) = with_good();
    for hostile in hostile_modules(A) {
        let path = root.home().join(hostile.file);
        fs::write(&path, &hostile.bytes).unwrap();
        let output = bounded(&root, MEMORY, &["check", path.to_str().unwrap()]);
        match hostile.refused {
            Some(why) => {
                assert_eq!(output.status, Some(1), "{output}");
                assert!(output.stdout.contains("malformed") && output.stdout.contains(why), "{output}");
            }
            None => assert!(!output.stdout.contains("malformed"), "{output}"),
        }
    }
}

#[test]
fn packages_of_hostile_modules_leave_the_others_alone() {
    let (root, _) = with_good();
    let builders: Vec<PackageBuilder> = hostile_modules(A)
        .into_iter()
        .map(|hostile| {
            let base = hostile.file.split('.').next().unwrap();
            PackageBuilder::kmp(base, "default", "1.0", A, [(hostile.file, hostile.bytes)])
        })
        .collect();
    let packages = PackageBuilder::build_all(&builders);
    for package in &packages {
        let output = bounded(&root, MEMORY, &["check", package.path().to_str().unwrap()]);
        assert!(output.stdout.contains(package.name()), "{output}");
    }
    root.install(&packages.iter().collect::<Vec<_>>());
    let output = bounded(&root, MEMORY, &["sync"]);
    assert_eq!(output.status, Some(0), "{output}");
    for hostile in hostile_modules(A) {
        let is_linked = links(&root, B).iter().any(|link| link.contains(hostile.file));
        assert_eq!(is_linked, hostile.refused.is_none(), "{}: {output}", hostile.file);
        if let Some(why) = hostile.refused {
            let line = output.stderr.lines().find(|l| l.contains(hostile.file));
            assert!(line.is_some_and(|l| l.contains(why)), "{}: {output}", hostile.file);
        }
    }
    good_is_linked(&root);
}

/// 300 names of one module: once it is within a package's budget, 300 times it would not be.
#[test]
fn a_module_of_many_names_is_read_once() {
    let (root, a) = with_good();
    let needs =
        (0..10_000).fold(a.driver("m0"), |m, i| m.need_weak(format!("symbol_that_is_weak_{i:06}"), None));
    let updates = Path::new("usr/lib/modules").join(A).join("updates");
    let first = updates.join("m0.ko");
    let many = PackageBuilder::kmp("many", "default", "1.0", A, [("m0.ko", needs.build())]);
    let many = (1..300).fold(many, |p, i| p.hard_link(updates.join(format!("m{i}.ko")), &first)).build();
    let output = bounded(&root, MEMORY, &["check", many.path().to_str().unwrap()]);
    assert_eq!(output.status, Some(0), "{output}");
    root.install(&[&many]);
    assert_eq!(bounded(&root, MEMORY, &["sync"]).status, Some(0));
    assert_eq!(links(&root, B).len(), 301);
}

/// Each module is within its budget, all of them are not within their package's.
#[test]
fn a_package_has_a_budget_of_its_own() {
    let (root, a) = with_good();
    let module = |i: usize| {
        let name = format!("m{i}");
        let needs = (0..100_000)
            .fold(a.driver(&name), |m, i| m.need_weak(format!("symbol_that_is_weak_{i:06}"), None));
        (format!("{name}.ko"), needs.build())
    };
    let many = PackageBuilder::kmp("many", "default", "1.0", A, (0..10).map(module)).build();
    let output = bounded(&root, MEMORY, &["check", many.path().to_str().unwrap()]);
    assert!(output.stdout.contains("the limit for a package"), "{output}");
    root.install(&[&many]);
    let output = bounded(&root, MEMORY, &["sync"]);
    assert!(output.stderr.contains("67108864 bytes of memory, the limit for a package"), "{output}");
    assert_eq!(links(&root, B).len(), 1);
}

#[test]
fn symvers_of_line_ends_take_little() {
    let (root, _) = with_good();
    for (file, packed) in [("symvers.zst", true), ("symvers", false)] {
        let lines = vec![b'\n'; 16 << 20];
        let bytes = if packed { testkit::compress(&lines, testkit::Compression::Zst) } else { lines };
        let dir = root.join(modules(B));
        for old in fs::read_dir(&dir).unwrap().map(|e| e.unwrap()) {
            if old.file_name().to_string_lossy().starts_with("symvers") {
                fs::remove_file(old.path()).unwrap();
            }
        }
        fs::write(dir.join(file), bytes).unwrap();
        bounded(&root, MEMORY, &["status"]);
    }
}
