// SPDX-License-Identifier: LGPL-2.1-or-later
//! Defects found in the peers, by their number in docs/peers.md. 10 to 12 are of Red Hat's dialect.

use testkit::{Compression, ModuleBuilder, PackageBuilder, TestRoot, Versions};

use crate::support::*;

#[test]
fn defect_1_a_dry_remove_kernel_deletes_nothing() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    let said = writes_nothing(&root, || wm2(&root, &["-v", "--dry-run", "--remove-kernel", SAME]).stdout);
    assert!(said.contains(&format!("removed from kernel {SAME}")), "{said}");
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

#[test]
fn defect_2_judging_writes_no_index() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    for krel in [OLD, SAME, OTHER] {
        root.depmod::<&str>(krel, &[]).expect_success();
    }
    writes_nothing(&root, || {
        kmp(&root, &["check"]);
        kmp(&root, &["status"]);
        kmp(&root, &["explain", "foo", "--kernel", SAME]);
        kmp(&root, &["sync", "--dry-run"]);
        wm2(&root, &["--dry-run", "--add-kernel", SAME]);
    });
}

#[test]
fn defect_3_one_kmp_on_two_kernels_is_two_depmods() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    let depmod = DepmodLog::new(&root);
    depmod.wm2(&root, &["--add-kmp", foo.nvr()]).expect_success();
    assert_eq!(depmod.runs(), [OLD, SAME]);
}

#[test]
fn defect_4_modules_packaged_below_lib_modules_are_linked() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let path = format!("/lib/modules/{OLD}/extra/foo.ko");
    let foo =
        PackageBuilder::new("foo-kmp-default", "1", "1").file(path, driver("foo", &old, 7).build()).build();
    root.install(&[&foo]);
    good(&root, &["add-kmp", foo.nvr()]);
    assert_eq!(
        links(&root, SAME),
        [format!("weak-updates/extra/foo.ko -> /usr/lib/modules/{OLD}/extra/foo.ko")]
    );
}

/// Files of two packages that are one module by name: the kernel loads one of them.
fn one_of_two(first: &str, second: &str) {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let file = |base: &str, name: &str| {
        let compression = if name.ends_with(".xz") { Compression::Xz } else { Compression::Plain };
        let bytes = driver("dm_writeboost", &old, 7).build_compressed(compression);
        PackageBuilder::kmp(base, "default", "1", OLD, [(name, bytes)]).build()
    };
    let (one, other) = (file("aaa", first), file("bbb", second));
    root.install(&[&one, &other]);
    let said = good(&root, &["sync"]).stdout;
    let link = format!("weak-updates/updates/{first} -> /usr/lib/modules/{OLD}/updates/{first}");
    assert_eq!(links(&root, SAME), [link], "{first} {second}");
    assert!(
        said.contains(&format!("{SAME}: {} not linked: dm_writeboost is there already", other.nvr())),
        "{said}"
    );
    // When the one goes the other comes.
    root.erase(&[one.name()]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME).len(), 1);
    assert!(links(&root, SAME)[0].contains(second));
}

#[test]
fn defect_5_compression_is_no_part_of_a_name() {
    one_of_two("dm-writeboost.ko", "dm-writeboost.ko.xz");
}

#[test]
fn defect_17_dash_and_underscore_are_one_name() {
    one_of_two("dm-writeboost.ko", "dm_writeboost.ko");
}

#[test]
fn defect_6_no_path_is_evaluated() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let name = "a$(touch pwned)`touch pwned`;touch pwned;'\".ko";
    let module = driver("a", &old, 7).build();
    root.install(&[&PackageBuilder::kmp("foo", "default", "1", OLD, [(name, module)]).build()]);
    good(&root, &["sync"]);
    assert_eq!(
        links(&root, SAME),
        [format!("weak-updates/updates/{name} -> /usr/lib/modules/{OLD}/updates/{name}")]
    );
    let there = testkit::run(
        std::process::Command::new("find").arg(root.home().parent().unwrap()).args(["-name", "pwned"]),
    );
    assert_eq!(there.stdout, "");
}

#[test]
fn defect_7_every_rule_of_the_loader_is_checked() {
    let root = TestRoot::new();
    let native = || ModuleBuilder::new("loop").need("printk", 0x1000_0001);
    let strict = |krel: &str| {
        kernel(krel, 7).export_gpl("for_gpl", 3).export_ns("hidden", 4, "NS").module("drivers", native())
    };
    let (old, same) = (strict(OLD), strict(SAME));
    let flags = strict("6.4.0-4-default").vermagic_flags("SMP mod_unload modversions ");
    let signed = strict("6.4.0-5-default").config(Some("CONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG_FORCE=y\n"));
    let size = strict("6.4.0-6-default").struct_module_size(1344);
    let layout = strict("6.4.0-7-default").module_layout(9);
    write_all(&root, &[&old, &same, &flags, &signed, &size, &layout]);
    root.install(&[
        &one_module("plain", "1", &old, 7),
        &package(
            "closed",
            "1",
            &old,
            &[("closed", driver("closed", &old, 7).license("Proprietary").need("for_gpl", 3))],
        ),
        &package("outside", "1", &old, &[("outside", driver("outside", &old, 7).need("hidden", 4))]),
        &package(
            "thief",
            "1",
            &old,
            &[("thief", old.driver("thief").need("changing", 7).export("printk", 1))],
        ),
        &package(
            "bare",
            "1",
            &old,
            &[("bare", old.driver("bare").versions(Versions::None).need_without_crc("printk"))],
        ),
    ]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("plain", OLD)]));
    let rule_of = |krel: &str, name: &str| {
        let found = json(&root, &["check", "--kernel", krel]);
        let modules = found["kernels"][0]["modules"].as_array().unwrap().clone();
        let module = modules.iter().find(|m| m["name"] == name).unwrap_or_else(|| panic!("{found}"));
        module["reasons"][0]["rule"].as_str().unwrap_or("fits").to_string()
    };
    for (krel, name, rule) in [
        (SAME, "plain", "fits"),
        (SAME, "closed", "license"),
        (SAME, "outside", "namespace"),
        (SAME, "thief", "duplicate-export"),
        (SAME, "bare", "vermagic"),
        ("6.4.0-4-default", "plain", "vermagic"),
        ("6.4.0-5-default", "plain", "signature"),
        ("6.4.0-6-default", "plain", "struct-size"),
        ("6.4.0-7-default", "plain", "module-layout"),
    ] {
        assert_eq!(rule_of(krel, name), rule, "{name} in {krel}");
        if rule != "fits" {
            assert!(!links(&root, krel).iter().any(|link| link.contains(name)), "{name} in {krel}");
        }
    }
}

#[test]
fn defect_9_a_broken_package_blocks_nobody() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let broken = [("broken.ko", driver("broken", &old, 7).build()[..900].to_vec())];
    let wrong = old.driver("wrong").need("nowhere", 1);
    root.install(&[
        &PackageBuilder::kmp("broken", "default", "1", OLD, broken).build(),
        &package("wrong", "1", &old, &[("wrong", wrong)]),
        &one_module("foo", "1", &old, 7),
    ]);
    let output = wm2(&root, &["--add-kernel", SAME]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(output.stderr.contains("updates/broken.ko"), "{output}");
}

#[test]
fn defect_13_a_kmp_that_does_not_fit_is_told_of_unasked() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    let said = wm2(&root, &["--add-kernel", OTHER]).stdout;
    assert_eq!(
        said,
        format!(
            "Package {} is incompatible with kernel {OTHER}: foo: changing was 0x00000007 when it was built, vmlinux has 0x00000008\n",
            foo.nvr()
        )
    );
    let said = good(&root, &["add-kernel", OTHER]).stdout;
    assert!(said.starts_with(&format!("{OTHER}: {} not linked: foo: changing was", foo.nvr())), "{said}");
}

#[test]
fn defect_14_users_go_with_their_provider() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let [acme, net] = pair("1", &old, 7, 1);
    root.install(&[&acme, &net]);
    wm2(&root, &["--add-kmp", acme.nvr()]);
    assert_eq!(links(&root, SAME).len(), 2);
    root.erase(&[acme.name()]);
    let said = wm2(&root, &["-v", "--remove-kmp", acme.nvr()]).stdout;
    assert!(links(&root, SAME).is_empty());
    assert!(said.contains(&format!("Package {} removed from kernel {SAME}\n", net.nvr())), "{said}");
}

#[test]
fn defect_15_a_user_before_its_provider() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let [acme, net] = pair("1", &old, 7, 1);
    root.install(&[&net]);
    wm2(&root, &["--add-kmp", net.nvr()]);
    assert!(links(&root, SAME).is_empty());
    root.install(&[&acme]);
    wm2(&root, &["--add-kmp", acme.nvr()]);
    assert_eq!(links(&root, SAME), linked(&[("acme", OLD), ("acme_net", OLD)]));
}

/// Debian's kmod has no zlib: what depmod cannot read is judged by us all the same.
#[test]
fn defect_16_what_depmod_cannot_read_is_judged() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let gz = |base: &str, crc| {
        let bytes = driver(base, &old, crc).build_compressed(Compression::Gz);
        PackageBuilder::kmp(base, "default", "1", OLD, [(format!("{base}.ko.gz"), bytes)]).build()
    };
    root.install(&[&gz("fits", 7), &gz("misfit", 9)]);
    good(&root, &["sync"]);
    let link = format!("weak-updates/updates/fits.ko.gz -> /usr/lib/modules/{OLD}/updates/fits.ko.gz");
    assert_eq!(links(&root, SAME), [link]);
}

#[test]
fn defect_18_no_empty_directory_stays_behind() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let path = format!("/usr/lib/modules/{OLD}/updates/deep/er/foo.ko");
    let foo =
        PackageBuilder::new("foo-kmp-default", "1", "1").file(path, driver("foo", &old, 7).build()).build();
    root.install(&[&foo]);
    good(&root, &["sync"]);
    assert!(root.exists(format!("usr/lib/modules/{SAME}/weak-updates/updates/deep/er/foo.ko")));
    root.erase(&[foo.name()]);
    good(&root, &["sync"]);
    assert!(!root.exists(format!("usr/lib/modules/{SAME}/weak-updates/updates")));
}

#[test]
fn defect_19_20_kmps_that_are_skipped_cost_no_depmod() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let kmps: Vec<PackageBuilder> = (0..12)
        .map(|i| {
            let base = format!("skip{i}");
            let files = [(format!("{base}.ko"), driver(&base, &old, if i < 4 { 7 } else { 9 }).build())];
            PackageBuilder::kmp(&base, "default", "1", OLD, files)
        })
        .collect();
    let packages = PackageBuilder::build_all(&kmps);
    root.install(&packages.iter().collect::<Vec<_>>());
    let depmod = DepmodLog::new(&root);
    depmod.wm2(&root, &["--add-kernel", SAME]).expect_success();
    assert_eq!(depmod.runs(), [OLD, SAME]);
    assert_eq!(links(&root, SAME).len(), 4);
    assert!(links(&root, OTHER).is_empty());
}
