// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp check FILE.rpm`: a package judged before it is installed.
#![allow(clippy::unwrap_used, reason = "a test")]

use testkit::{Package, PackageBuilder, TestRoot};

use crate::support::{driver, kernel, kmp, one_module, write};

fn path(package: &Package) -> &str {
    package.path().to_str().unwrap()
}

/// Release, module, path and fit of each verdict in the JSON.
fn verdicts(root: &TestRoot, args: &[&str]) -> Vec<(String, String, String, bool)> {
    let mut all = vec!["check", "--json"];
    all.extend(args);
    let said = kmp(root, &all);
    let document: serde_json::Value =
        serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    let mut found = Vec::new();
    for kernel in document["kernels"].as_array().unwrap() {
        for module in kernel["modules"].as_array().unwrap() {
            let fits = module["fits"].as_bool().unwrap();
            found.push((text(&kernel["release"]), text(&module["name"]), text(&module["path"]), fits));
        }
    }
    assert_eq!(said.status, Some(if found.iter().all(|f| f.3) { 0 } else { 1 }), "{said}");
    found
}

#[test]
fn a_kernels_package_is_judged_by_each_installed_kmp() {
    let root = TestRoot::new();
    let old = kernel("6.4.0-1-default", 7);
    write(&old, &root);
    root.install(&[&one_module("foo", "1.0", &old, 7), &one_module("bar", "1.0", &old, 7)]);
    let new = PackageBuilder::kernel(&kernel("6.4.0-2-default", 8)).build();
    let before = root.tree();
    let release = "6.4.0-2-default".to_string();
    let line = |name: &str| {
        let path = format!("/usr/lib/modules/6.4.0-1-default/updates/{name}.ko");
        (release.clone(), name.to_string(), path, false)
    };
    assert_eq!(verdicts(&root, &[path(&new)]), [line("bar"), line("foo")]);
    let said = kmp(&root, &["check", "--all", path(&new)]);
    assert!(said.stdout.contains("6.4.0-2-default  refused"), "{said}");
    // What is asked is what it would cost.
    let (said, planned) = (kmp(&root, &["check", path(&new)]), kmp(&root, &["plan", path(&new)]));
    assert_eq!((said.status, &said.stdout), (Some(1), &planned.stdout));
    assert!(said.stdout.starts_with("kernel 6.4.0-2-default: 0 of 2 drivers stay, 2 lost: bar"), "{said}");
    assert_eq!(root.tree(), before);

    // With a new version of one of them, that one fits.
    let foo = one_module("foo", "2.0", &kernel("6.4.0-2-default", 8), 8);
    let found = verdicts(&root, &[path(&new), path(&foo)]);
    let inside = format!("{}/usr/lib/modules/6.4.0-2-default/updates/foo.ko", path(&foo));
    assert!(found.contains(&(release.clone(), "foo".into(), inside.clone(), true)), "{found:?}");
    assert!(found.contains(&("6.4.0-1-default".into(), "foo".into(), inside, false)), "{found:?}");
    assert!(found.contains(&line("bar")), "{found:?}");

    // Only that kernel.
    let found = verdicts(&root, &[path(&new), path(&foo), "--kernel", &release]);
    assert!(found.len() == 3 && found.iter().all(|f| f.0 == release), "{found:?}");
}

#[test]
fn a_kmps_package_is_judged_against_each_installed_kernel() {
    let root = TestRoot::new();
    let (old, new) = (kernel("6.4.0-1-default", 7), kernel("6.4.0-2-default", 8));
    for kernel in [&old, &new] {
        write(kernel, &root);
    }
    kernel("6.4.0-2-rt", 8).write(&root.path());
    root.install(&[&one_module("foo", "1.0", &old, 7)]);
    // An older version, for the new kernel only: judged as if it took the other's place.
    let foo = one_module("foo", "0.9", &new, 8);
    let found = verdicts(&root, &[path(&foo)]);
    let fits: Vec<_> = found.iter().map(|(release, .., fits)| (release.as_str(), *fits)).collect();
    assert_eq!(fits, [("6.4.0-1-default", false), ("6.4.0-2-default", true)]);
    // A kernel of another flavour only if it is named.
    let found = verdicts(&root, &[path(&foo), "--kernel", "6.4.0-2-rt"]);
    assert_eq!(found.iter().map(|f| (f.0.as_str(), f.3)).collect::<Vec<_>>(), [("6.4.0-2-rt", true)]);
}

/// Where no installed kernel is asked for, or there is none, the installed KMPs are judged for what they are.
#[test]
fn installed_kmps_are_read_for_a_kernel_that_comes() {
    let root = TestRoot::new();
    let (old, new) = (kernel("6.4.0-1-default", 7), kernel("6.4.0-2-default", 8));
    write(&old, &root);
    root.install(&[&one_module("foo", "1.0", &old, 7), &one_module("bar", "1.0", &old, 8)]);
    let package = PackageBuilder::kernel(&new).build();
    let line = |name: &str, fits| {
        let path = format!("/usr/lib/modules/6.4.0-1-default/updates/{name}.ko");
        ("6.4.0-2-default".to_string(), name.to_string(), path, fits)
    };
    let args = [path(&package), "--kernel", "6.4.0-2-default"];
    assert_eq!(verdicts(&root, &args), [line("bar", true), line("foo", false)]);
    let said = kmp(&root, &["check", args[0], args[1], args[2]]);
    assert!(said.stdout.contains("changing") && !said.stdout.contains("malformed"), "{said}");
    // An image into which the kernel comes last.
    for name in ["Module.symvers", "symvers.gz", "modules.builtin", "modules.order", "vmlinuz"] {
        let _ = std::fs::remove_file(root.join("usr/lib/modules/6.4.0-1-default").join(name));
    }
    let _ = std::fs::remove_dir_all(root.join("usr/lib/modules/6.4.0-1-default/kernel"));
    assert_eq!(verdicts(&root, &args[..1]), [line("bar", true), line("foo", false)]);
}

/// A module file beside a kernel's package is judged against that kernel, too, with what comes with it.
#[test]
fn a_module_file_is_judged_against_a_kernel_that_comes() {
    let root = TestRoot::new();
    let (old, new) = (kernel("6.4.0-1-default", 7), kernel("6.4.0-2-default", 8));
    write(&old, &root);
    root.install(&[&one_module("foo", "1.0", &old, 7)]);
    let package = PackageBuilder::kernel(&new).build();
    let other = driver("base", &new, 8).export("base_open", 5);
    let other = crate::support::package("base", "1.0", &new, &[("base", other)]);
    let file = root.home().join("foo.ko");
    let file = file.to_str().unwrap();
    for (module, offered, fits) in [
        (driver("foo", &old, 7), None, [true, false]),
        (driver("foo", &new, 8), None, [false, true]),
        (driver("foo", &new, 8).need("base_open", 5), None, [false, false]),
        (driver("foo", &new, 8).need("base_open", 5), Some(path(&other)), [false, true]),
        (driver("foo", &new, 8).need("base_open", 6), Some(path(&other)), [false, false]),
    ] {
        std::fs::write(file, module.build()).unwrap();
        let mut args = vec![path(&package), file];
        args.extend(offered);
        let found = verdicts(&root, &args);
        let of_file: Vec<_> = found.iter().filter(|f| f.2 == file).map(|f| (f.0.as_str(), f.3)).collect();
        assert_eq!(of_file, [("6.4.0-1-default", fits[0]), ("6.4.0-2-default", fits[1])], "{found:?}");
        // Who names files does not ask for what is installed.
        assert!(found.iter().all(|f| !f.2.starts_with("/usr/lib")), "{found:?}");
        args.extend(["--kernel", "6.4.0-2-default"]);
        assert!(verdicts(&root, &args).contains(&(
            "6.4.0-2-default".into(),
            "foo".into(),
            file.into(),
            fits[1]
        )));
    }
}

#[test]
fn what_is_no_kernel_and_no_kmp_is_named() {
    let root = TestRoot::new();
    write(&kernel("6.4.0-1-default", 7), &root);
    let plain = PackageBuilder::new("plain", "1", "1").file("etc/plain", "x").build();
    let said = kmp(&root, &["check", path(&plain)]);
    assert_eq!(said.status, Some(2), "{said}");
    assert!(said.stderr.contains("no kernel and no third-party module is in it"), "{said}");
    root.write("tmp/broken.rpm", "not a package");
    let said = kmp(&root, &["check", root.join("tmp/broken.rpm").to_str().unwrap()]);
    assert_eq!(said.status, Some(2), "{said}");
    assert!(said.stderr.contains("broken.rpm"), "{said}");
}
