// SPDX-License-Identifier: LGPL-2.1-or-later
//! A driver's own wish: into which kernels it is to be linked.

use testkit::{Package, PackageBuilder, TestRoot};

use crate::support::*;

fn providing(base: &str, provides: &[&str]) -> Package {
    let old = kernel(OLD, 7);
    let module = [(format!("{base}.ko"), driver(base, &old, 7).build())];
    let package = PackageBuilder::kmp(base, "default", "1", OLD, module);
    provides.iter().fold(package, |package, provide| package.provides(provide)).build()
}

fn declined(root: &TestRoot, krel: &str, base: &str) -> String {
    let found = json(root, &["status", "--kernel", krel]);
    let kmps = found["kernels"][0]["kmps"].as_array().unwrap().clone();
    let of = |k: &&serde_json::Value| k["package"].as_str().unwrap().starts_with(&format!("{base}-kmp-"));
    let kmp = kmps.iter().find(of).unwrap();
    assert_eq!(kmp["state"], "declined", "{found}");
    kmp["detail"].as_str().unwrap().into()
}

#[test]
fn a_package_says_by_its_provides_where_it_is_linked() {
    let root = TestRoot::new();
    let last = "6.4.0-4-default";
    [OLD, SAME, OTHER, last].iter().for_each(|krel| write(&kernel(krel, 7), &root));
    let packages = [
        providing("never", &["kmp-no-weak-updates"]),
        providing("range", &["kmp-kernels(>=6.4.0-3)", "kmp-kernels(<6.4.0-4)"]),
        providing("glob", &["kmp-kernels(6.4.0-[!x])", "kmp-kernels(*-2-default)"]),
        providing("any", &[]),
    ];
    root.install(&packages.iter().collect::<Vec<_>>());
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, SAME), linked(&[("any", OLD), ("glob", OLD)]));
    assert_eq!(links(&root, OTHER), linked(&[("any", OLD), ("range", OLD)]));
    assert_eq!(links(&root, last), linked(&[("any", OLD)]));
    assert!(declined(&root, SAME, "never").contains("its package says so"));
    assert!(declined(&root, last, "range").contains("<6.4.0-4, >=6.4.0-3 only"));
    // Nothing is wrong with that.
    good(&root, &["status"]);
}

#[test]
fn kmp_conf_says_where_a_driver_is_linked_whatever_its_package_says() {
    let root = TestRoot::new();
    [OLD, SAME, OTHER].iter().for_each(|krel| write(&kernel(krel, 7), &root));
    let packages = [providing("foo", &[]), providing("bar", &["kmp-no-weak-updates"])];
    root.install(&packages.iter().collect::<Vec<_>>());
    root.write(
        "etc/kmp.conf",
        "[foo-kmp-*]\nkernels = > 6.4.0-2\n\n[bar-kmp-default]\nno-weak-updates = no\n",
    );
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, SAME), linked(&[("bar", OLD)]));
    assert_eq!(links(&root, OTHER), linked(&[("bar", OLD), ("foo", OLD)]));
    assert!(declined(&root, SAME, "foo").contains("kmp.conf says so"));
    root.write("etc/kmp.conf.d/more.conf", "[foo-kmp-*]\nno-weak-updates = yes\n");
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, OTHER), linked(&[("bar", OLD)]));
}

#[test]
fn dkms_says_so_for_what_it_builds() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    for (name, conf) in [("net", "NO_WEAK_MODULES=\"yes\"\n"), ("disk", "# NO_WEAK_MODULES=yes\n")] {
        root.write(format!("usr/src/{name}-1.0/dkms.conf"), format!("PACKAGE_NAME={name}\n{conf}"));
        root.symlink(format!("var/lib/dkms/{name}/1.0/source"), format!("/usr/src/{name}-1.0"));
        let module = driver(name, &old, 7).build();
        root.write(format!("var/lib/dkms/{name}/1.0/{EL_OLD}/x86_64/module/{name}.ko"), &module);
        root.write(format!("usr/lib/modules/{EL_OLD}/extra/{name}.ko"), &module);
    }
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("disk", EL_OLD)]));
    let found = json(&root, &["status", "--kernel", EL_SAME]);
    let kmps = found["kernels"][0]["kmps"].as_array().unwrap();
    let states: Vec<_> = kmps.iter().map(|k| (&k["state"], &k["made_by"])).collect();
    assert_eq!(states, [(&"linked".into(), &"dkms".into()), (&"declined".into(), &"dkms".into())], "{found}");
    assert!(kmps[1]["detail"].as_str().unwrap().contains("NO_WEAK_MODULES"), "{found}");
}
