// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages by their file lists.

use rpm_meta::Evr;

use super::*;

fn sorted(files: &[&str]) -> contents::Contents {
    contents::sort(&ModulesDirs::default(), &package(files))
}

fn package(files: &[&str]) -> Package {
    Package {
        instance: Some(1),
        name: "p".into(),
        evr: Evr { epoch: None, version: "1".into(), release: "1".into() },
        arch: String::new(),
        provides: Vec::new(),
        files: files.iter().map(PathBuf::from).collect(),
        ..Package::default()
    }
}

#[test]
fn files_tell_what_a_package_is() {
    let kernel = sorted(&[
        "/lib/modules/1-default/symvers.gz",
        "/usr/lib/modules/1-default/config",
        "/usr/lib/modules/1-default/kernel/fs/a-b.ko.zst",
        "/usr/lib/modules/1-default/build",
    ]);
    assert_eq!(kernel.kernels, BTreeMap::from([("1-default".to_string(), true)]));
    assert_eq!(kernel.in_tree, [("1-default".to_string(), "a_b".into())]);
    assert_eq!((kernel.symvers.len(), kernel.configs.len(), kernel.modules.len()), (1, 1, 0));

    let kmp = sorted(&[
        "/usr/lib/modules/1-default/updates/x.ko",
        "/usr/lib/modules/1-default/weak-updates/updates/y.ko",
        "/usr/lib/modules/../modules/1-default/z.ko",
        "/usr/lib/modules/1-default/updates",
        "/etc/x.ko",
    ]);
    assert!(kmp.kernels.is_empty() && kmp.in_tree.is_empty());
    assert_eq!(kmp.modules.iter().map(|(.., name)| &**name).collect::<Vec<_>>(), ["x"]);

    // Files of a kernel's subdirectories (its build tree) make no kernel.
    assert!(sorted(&["/usr/lib/modules/1-default/x/System.map"]).kernels.is_empty());
}

#[test]
fn live_patches_and_the_kernels_own_modules_are_no_drivers_that_come() {
    let mut elements = Elements::new(ModulesDirs::default());
    let of_source = |files: &[&str]| Package { source: "kernel-1-1.src.rpm".into(), ..package(files) };
    let come = [
        package(&["/usr/lib/modules/1-default/livepatch/p.ko", "/usr/lib/modules/1-default/kgraft/q.ko"]),
        // The order does not matter.
        of_source(&["/usr/lib/modules/1-default/extra/own.ko"]),
        of_source(&["/usr/lib/modules/1-default/kernel/a.ko"]),
        of_source(&["/usr/lib/modules/2-default/extra/others.ko"]),
    ];
    for package in come {
        elements.add_package(package, &[], None).unwrap();
    }
    let transaction = elements.finish();
    let of_kmps: Vec<&str> = transaction.kmps.iter().flat_map(|k| &k.modules).map(|m| &*m.name).collect();
    assert_eq!(of_kmps, ["others"]);
    let in_tree = &transaction.kernels[0].in_tree;
    assert!(in_tree.contains("own") && in_tree.contains("a") && in_tree.len() == 2, "{in_tree:?}");
}

/// Else a package with a release for each of its files would be kept as often as it has files.
#[test]
fn what_a_package_has_is_not_kept_for_each_release() {
    let mut elements = Elements::new(ModulesDirs::default());
    let files: Vec<String> = (0..50).map(|i| format!("/usr/lib/modules/{i}-default/updates/x.ko")).collect();
    let package = package(&files.iter().map(String::as_str).collect::<Vec<_>>());
    elements.add_package(package, &[], None).unwrap();
    let kmps = elements.finish().kmps;
    assert_eq!(kmps.len(), 50);
    assert!(kmps.iter().all(|k| k.package.files.is_empty() && k.package.name == "p"));
}

#[test]
fn a_package_of_the_kernel_itself_brings_no_driver() {
    let mut elements = Elements::new(ModulesDirs::default());
    let mut of_kernel = package(&["/usr/lib/modules/1-default/updates/x.ko"]);
    of_kernel.provides.push(Dependency::on("kmp_in_kernel"));
    elements.add_package(of_kernel, &[], None).unwrap();
    elements.add_package(package(&["/usr/bin/x"]), &[], None).unwrap();
    assert!(elements.is_empty());
}
