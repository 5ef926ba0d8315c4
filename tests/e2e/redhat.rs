// SPDX-License-Identifier: LGPL-2.1-or-later
//! Red Hat's dialect: what is linked, where, and for which kernels.

use testkit::{Compression, PackageBuilder, TestRoot};

use crate::support::*;

/// A module where dkms puts it.
fn build(root: &TestRoot, krel: &str, path: &str, module: &testkit::ModuleBuilder) {
    root.write(format!("usr/lib/modules/{krel}/extra/{path}.ko"), module.build());
}

#[test]
fn links_lose_their_first_component_and_lead_to_lib_modules() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    root.install(&[&kmod_one("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo/foo", EL_OLD)]));
    assert!(links(&root, EL_OLD).is_empty() && links(&root, EL_OTHER).is_empty());
    assert_eq!(indexed(&root, EL_SAME), ["weak-updates/foo/foo.ko"]);
    // Once more: nothing to do.
    writes_nothing(&root, || good(&root, &["sync"]));
}

#[test]
fn in_an_unmerged_root_too() {
    let root = TestRoot::unmerged();
    root.write("etc/os-release", "ID=centos\n");
    let dir = testkit::ModulesDir::Lib;
    let (old, same) = (kernel(EL_OLD, 7).modules_dir(dir), kernel(EL_SAME, 7).modules_dir(dir));
    write_all(&root, &[&old, &same]);
    root.install(&[&kmod_one("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo/foo", EL_OLD)]));
}

#[test]
fn configuration_goes_over_os_release() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    root.install(&[&kmod_one("foo", "1", &old, 7)]);
    root.write("etc/kmp.conf", "dialect = suse\n");
    good(&root, &["sync"]);
    // By SUSE's rule the flavour of kmod-foo is its kernel's, 70.el9.x86_64.
    assert!(links(&root, EL_SAME).is_empty());
    root.write("etc/kmp.conf", "dialect = redhat\n");
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo/foo", EL_OLD)]));
    root.write("etc/kmp.conf", "dialect = plan9\n");
    let said = good(&root, &["sync"]).stderr;
    assert!(said.contains("dialect is suse or redhat"), "{said}");
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo/foo", EL_OLD)]));
}

#[test]
fn there_is_no_flavour_but_the_symbols() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let debug = "5.14.0-162.el9.x86_64+debug";
    write_all(&root, &[&kernel(debug, 7), &kernel("5.14.0-162.el9.x86_64+rt", 9)]);
    root.install(&[&kmod_one("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, debug), el_linked(&[("foo/foo", EL_OLD)]));
    assert!(links(&root, "5.14.0-162.el9.x86_64+rt").is_empty());
}

#[test]
fn only_what_is_below_extra_is_linked() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let package = |name: &str, files: &[(&str, &str)]| {
        let mut package = PackageBuilder::new(name, "1", "1");
        for (dir, module) in files {
            let path = format!("lib/modules/{EL_OLD}/{dir}/{module}.ko");
            package = package.file(path, driver(module, &old, 7).build());
        }
        package.build()
    };
    let mixed = package("kmod-mixed", &[("extra", "one"), ("updates", "two")]);
    root.install(&[&package("kmod-other", &[("updates", "other")]), &mixed]);
    let said = good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("one", EL_OLD)]));
    // That it is not linked is as it has to be, and no news.
    assert!(!said.to_string().contains("kmod-other"), "{said}");
    let status = json(&root, &["status", "--kernel", EL_SAME]).to_string();
    assert!(status.contains("updates/other.ko is not below extra/"), "{status}");
}

#[test]
fn a_native_module_wins() {
    let root = red_hat();
    let [old, same, _] = el_kernels(&root);
    root.install(&[&kmod_one("foo", "2", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo/foo", EL_OLD)]));
    build(&root, EL_SAME, "foo", &driver("foo", &same, 7));
    good(&root, &["sync"]);
    assert!(links(&root, EL_SAME).is_empty());
}

#[test]
fn a_module_built_for_another_kernel_than_its_directorys_is_linked_by_its_whole_path() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let elsewhere = kernel("5.14.0-1.el9.x86_64", 7);
    let foo = [("foo.ko", driver("foo", &elsewhere, 7).build())];
    root.install(&[&PackageBuilder::kmod("foo", "1", old.krel(), foo).build()]);
    good(&root, &["sync"]);
    let path = format!("lib/modules/{EL_OLD}/extra/foo/foo.ko");
    assert_eq!(links(&root, EL_SAME), [format!("weak-updates/{path} -> /{path}")]);
}

#[test]
fn modules_that_no_package_owns_are_linked_and_go_with_their_files() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    build(&root, EL_OLD, "foo", &driver("foo", &old, 7));
    build(&root, EL_OLD, "sub/bar", &driver("bar", &old, 9));
    let said = good(&root, &["sync"]).stdout;
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo", EL_OLD)]));
    assert!(said.contains(&format!("{EL_SAME}: foo.ko-{EL_OLD} added")), "{said}");
    assert!(said.contains(&format!("{EL_SAME}: bar.ko-{EL_OLD} not linked: bar: changing was")), "{said}");
    writes_nothing(&root, || good(&root, &["sync"]));
    std::fs::remove_file(root.join(format!("usr/lib/modules/{EL_OLD}/extra/foo.ko"))).unwrap();
    good(&root, &["sync"]);
    assert!(links(&root, EL_SAME).is_empty());
}

#[test]
fn of_unpackaged_builds_the_one_for_the_newest_kernel_that_fits_is_linked() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    // 9 is older than 162, though not as text.
    let nine = kernel("5.14.0-9.el9.x86_64", 7);
    write(&nine, &root);
    for built in [&old, &nine] {
        build(&root, built.krel(), "foo", &driver("foo", built, 7));
    }
    let other = kernel(EL_OTHER, 8);
    build(&root, EL_OTHER, "foo", &driver("foo", &other, 8));
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo", EL_OLD)]));
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{EL_OLD}/extra"))).unwrap();
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo", "5.14.0-9.el9.x86_64")]));
}

#[test]
fn unpackaged_modules_that_depend_on_each_other_are_linked_together_or_not_at_all() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let lib = driver("spl", &old, 7).export("spl_alloc", 5);
    build(&root, EL_OLD, "spl", &lib);
    build(&root, EL_OLD, "zfs", &driver("zfs", &old, 7).need("spl_alloc", 5));
    build(&root, EL_OLD, "alone", &driver("alone", &old, 7));
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("alone", EL_OLD), ("spl", EL_OLD), ("zfs", EL_OLD)]));
    // What needs the other's symbols does not fit any more: neither is linked, whoever stands alone is.
    build(&root, EL_OLD, "zfs", &driver("zfs", &old, 9).need("spl_alloc", 5));
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("alone", EL_OLD)]));
}

#[test]
fn packages_and_unpackaged_modules_serve_each_other() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    build(&root, EL_OLD, "spl", &driver("spl", &old, 7).export("spl_alloc", 5));
    let user = driver("user", &old, 7).need("spl_alloc", 5);
    root.install(&[&kmod("user", "1", &old, &[("user", user)])]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), el_linked(&[("spl", EL_OLD), ("user/user", EL_OLD)]));
}

#[test]
fn status_check_and_explain_tell_of_both_kinds() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    root.install(&[&kmod_one("foo", "1", &old, 7)]);
    build(&root, EL_OLD, "dkms", &driver("dkms", &old, 7));
    good(&root, &["sync"]);
    let status = json(&root, &["status"]);
    for package in [format!("dkms.ko-{EL_OLD}"), "kmod-foo-1-1".into()] {
        for (krel, state) in [(EL_OLD, "native"), (EL_SAME, "linked"), (EL_OTHER, "refused")] {
            let kernels = status["kernels"].as_array().unwrap();
            let kernel = kernels.iter().find(|k| k["release"] == krel).unwrap();
            let kmps = kernel["kmps"].as_array().unwrap();
            let kmp = kmps.iter().find(|k| k["package"] == *package).unwrap();
            assert_eq!(kmp["state"], state, "{package} in {krel}: {status}");
        }
    }
    let page = ends(&root, &["status"], 1).stdout;
    assert!(page.contains("dkms.ko") && page.contains("kmod-foo"), "{page}");
    ends(&root, &["check", "--kernel", EL_OTHER, "kmod-foo"], 1);
    good(&root, &["check", "--kernel", EL_SAME, "kmod-foo"]);
    let explained = good(&root, &["explain", "dkms", "--kernel", EL_SAME]).stdout;
    assert!(explained.contains("changing"), "{explained}");
}

#[test]
fn compressed_modules_are_linked_under_their_own_names() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let files = [Compression::Gz, Compression::Xz, Compression::Zst].map(|compression| {
        let name = format!("m{}", compression.suffix().trim_start_matches('.'));
        let module = driver(&name, &old, 7).build_compressed(compression);
        (format!("{name}.ko{}", compression.suffix()), module)
    });
    root.install(&[&PackageBuilder::kmod("many", "1", EL_OLD, files).build()]);
    good(&root, &["sync"]);
    let expected = ["mgz.ko.gz", "mxz.ko.xz", "mzst.ko.zst"]
        .map(|f| format!("weak-updates/many/{f} -> /lib/modules/{EL_OLD}/extra/many/{f}"));
    assert_eq!(links(&root, EL_SAME), expected);
}

/// Symvers that weak-modules reads as an empty table.
#[test]
fn defect_10_and_11_symvers_and_modules_of_any_compression() {
    for compression in [Compression::Xz, Compression::Zst, Compression::Gz] {
        let root = red_hat();
        let [old, same] = [EL_OLD, EL_SAME].map(|k| kernel(k, 7).symvers_compression(compression));
        write_all(&root, &[&old, &same]);
        root.install(&[&kmod_one("foo", "1", &old, 7)]);
        good(&root, &["add-kernel", EL_SAME]);
        assert_eq!(links(&root, EL_SAME), el_linked(&[("foo/foo", EL_OLD)]), "{compression:?}");
    }
}

#[test]
fn a_kernels_package_is_judged_by_its_provides_in_red_hats_syntax() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    root.install(&[&kmod_one("foo", "1", &old, 7)]);
    let telling = |crc: u32| {
        let mut package = PackageBuilder::new("kernel-core", "5.14.0", "427.el9")
            .file("lib/modules/5.14.0-427.el9.x86_64/vmlinuz", "x");
        for (name, crc) in [("printk", 0x1000_0001), ("changing", crc), ("module_layout", 0xf794_0c2b)] {
            package = package.provides(&format!("kernel({name}) = {crc:#010x}"));
        }
        package.build()
    };
    let verdict = |crc: u32, status: i32| {
        let package = telling(crc);
        ends(&root, &["check", package.path().to_str().unwrap()], status).stdout
    };
    assert!(verdict(8, 1).contains("changing was 0x00000007 when it was built"));
    verdict(7, 0);
}
