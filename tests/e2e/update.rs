// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update`: kernels and drivers in repositories, before any transaction.

use std::process::Command;

use serde_json::Value;
use testkit::{KernelBuilder, PackageBuilder, TestRoot, run};

use crate::screens::in_a_terminal;
use crate::support::{OLD, driver, ends, kernel, kmp, writes_nothing};

/// A kernel's package as SUSE's are: it lists its symbols.
pub fn offered(krel: &str, crc: u32) -> PackageBuilder {
    let kernel = kernel(krel, crc);
    PackageBuilder::kernel(&kernel).ksyms("default", &kernel.full_symvers())
}

/// A KMP that needs what kernels change, with the dependencies that generators give it.
pub fn build(base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> PackageBuilder {
    let module = driver(base, kernel, crc).build();
    PackageBuilder::kmp(base, "default", version, kernel.krel(), [(format!("{base}.ko"), module)])
        .provides(&format!("kmod({base}.ko)"))
        .requires(&format!("ksym(default:changing) = {crc:x}"))
        .requires(&format!("ksym(default:printk) = {:x}", 0x1000_0001))
}

/// The kernel [`OLD`] and the KMP foo, which needs what changes.
pub fn site() -> TestRoot {
    let root = TestRoot::new();
    let old = kernel(OLD, 7);
    root.install(&[&offered(OLD, 7).build(), &build("foo", "1.0", &old, 7).build()]);
    root
}

/// A repository of these packages.
pub fn repository(root: &TestRoot, name: &str, packages: &[PackageBuilder]) -> String {
    // One at a time: several have the same name.
    for package in packages.iter().map(PackageBuilder::build) {
        let file = package.path().file_name().unwrap().to_str().unwrap();
        root.write(format!("{name}/{file}"), std::fs::read(package.path()).unwrap());
    }
    index(root, name)
}

/// Makes the lists of a repository. Returns the option that names it.
pub fn index(root: &TestRoot, name: &str) -> String {
    run(Command::new("createrepo_c").arg("--quiet").arg(root.join(name))).expect_success();
    format!("--repo={name}={}", root.join(name).display())
}

/// What `kmp ARGUMENTS --json` prints.
pub fn json(root: &TestRoot, args: &[&str]) -> Value {
    let output = kmp(root, &[args, &["--json"]].concat());
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"));
    assert_eq!(document["version"], 1, "{output}");
    document
}

/// What is said of kernels that may come, in the order of the document: version, verdict, and drivers with theirs.
pub fn fates(document: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_string();
    let kernels = document["kernels"].as_array().unwrap().iter().filter(|k| k["installed"] == false);
    kernels
        .map(|k| {
            let drivers = k["drivers"].as_array().unwrap().iter();
            let drivers = drivers
                .map(|d| format!(" {}={}:{}", word(&d["driver"]), word(&d["verdict"]), word(&d["build"])));
            format!("{} {}{}", word(&k["krel"]), word(&k["verdict"]), drivers.collect::<String>())
        })
        .collect()
}

#[test]
fn each_kernel_comes_with_its_drivers_or_is_held() {
    let root = site();
    let middle = kernel("6.4.0-2-default", 8);
    let repo = repository(
        &root,
        "base",
        &[offered(OLD, 7), offered("6.4.0-2-default", 8), offered("6.4.0-3-default", 9)],
    );
    let foreign = build("foo", "0.9", &middle, 8).tag("Vendor", "Nics");
    let drivers = repository(&root, "drivers", &[foreign]);
    let document = json(&root, &["update", "--dry-run", &repo]);
    let held = "held foo-kmp-default=missing:-";
    assert_eq!(fates(&document), [format!("6.4.0-3-default {held}"), format!("6.4.0-2-default {held}")]);
    assert_eq!(document["exclude"].as_array().unwrap().len(), 2, "{document}");
    let why = document["kernels"][1]["drivers"][0]["why"].as_str().unwrap();
    assert!(why.contains("changing was 0x00000007"), "{document}");

    // Of another vendor, and with a lower version.
    let args = ["update", "--dry-run", &repo, &drivers];
    let document = json(&root, &args);
    let comes = "6.4.0-2-default comes foo-kmp-default=comes-along:foo-kmp-default-0.9_k6.4.0_2-1.x86_64";
    assert_eq!(fates(&document), [format!("6.4.0-3-default {held}"), comes.into()]);
    assert_eq!(document["install"][0], "foo-kmp-default-0.9_k6.4.0_2-1.x86_64", "{document}");
    assert_eq!(document["exclude"][0], "kernel-default-6.4.0-3.x86_64", "{document}");
    assert_eq!(document["protect"][0], "foo-kmp-default", "{document}");
    let driver = &document["kernels"][2]["drivers"][0];
    assert_eq!((&driver["repository"], &driver["vendor"]), (&"drivers".into(), &"Nics".into()));
    let output = writes_nothing(&root, || ends(&root, &args, 1));
    assert!(output.stdout.starts_with("The next update brings kernel-default 6.4.0-2 with"), "{output}");
    // Asked for one only.
    let one = [&args[..], &["--kernel", "6.4.0-2-default"]].concat();
    assert_eq!(fates(&json(&root, &one)), [comes]);
    ends(&root, &one, 0);
}

/// The kernel changes what the exporter needs, and the exporter what its user does.
#[test]
fn drivers_that_need_each_other_come_together() {
    let root = TestRoot::new();
    let pair = |kernel: &KernelBuilder, version: &str, crc: u32| {
        let exporter = driver("one", kernel, crc).export("shared", crc).build();
        let user = kernel.driver("two").need("shared", crc).build();
        let kmp = |base: &str, module: Vec<u8>| {
            PackageBuilder::kmp(base, "default", version, kernel.krel(), [(format!("{base}.ko"), module)])
                .provides(&format!("kmod({base}.ko)"))
        };
        let one = kmp("one", exporter)
            .provides(&format!("ksym(default:shared) = {crc:x}"))
            .requires(&format!("ksym(default:changing) = {crc:x}"));
        [one, kmp("two", user).requires(&format!("ksym(default:shared) = {crc:x}"))]
    };
    let [one, two] = pair(&kernel(OLD, 7), "1.0", 7);
    root.install(&[&offered(OLD, 7).build(), &one.build(), &two.build()]);
    let [one, two] = pair(&kernel("6.4.0-2-default", 8), "2.0", 8);
    let repo = repository(&root, "repo", &[offered("6.4.0-2-default", 8), one]);
    let document = json(&root, &["update", "--dry-run", &repo]);
    assert_eq!(document["kernels"][1]["verdict"], "held", "{document}");
    let repo = repository(&root, "repo", &[two]);
    let document = json(&root, &["update", "--dry-run", &repo]);
    let build =
        |base: &str| format!("{base}-kmp-default=comes-along:{base}-kmp-default-2.0_k6.4.0_2-1.x86_64");
    assert_eq!(fates(&document), [format!("6.4.0-2-default comes {} {}", build("one"), build("two"))]);
}

/// Nothing is held for what metadata does not say, nor for a driver that need not be kept.
#[test]
fn a_kernel_of_which_nothing_is_known_and_one_without_a_driver_that_need_not_be_kept_come() {
    let root = site();
    let silent = PackageBuilder::kernel(&kernel("6.4.0-2-default", 8));
    let repo = repository(&root, "repo", &[silent]);
    let args = ["update", "--dry-run", &repo];
    // Its file does know.
    assert_eq!(fates(&json(&root, &args)), ["6.4.0-2-default held foo-kmp-default=missing:-"]);
    std::fs::remove_file(root.join("repo/kernel-default-6.4.0-2.x86_64.rpm")).unwrap();
    assert_eq!(fates(&json(&root, &args)), ["6.4.0-2-default unknown foo-kmp-default=unknown:-"]);
    let repo = repository(&root, "other", &[offered("6.4.0-3-default", 8)]);
    root.write("etc/kmp.conf", "[foo*]\non-lost-driver = warn\n");
    let args = ["update", "--dry-run", &repo];
    let document = json(&root, &args);
    assert_eq!(fates(&document), ["6.4.0-3-default comes foo-kmp-default=missing:-"]);
    assert!(document["kernels"][1]["reason"].as_str().unwrap().contains("without foo"), "{document}");
    // A repository that cannot be read is said.
    let document = json(&root, &["update", "--dry-run", "--repo=gone=/usr"]);
    assert!(
        document["problems"][0].as_str().unwrap().starts_with("repository gone is left out"),
        "{document}"
    );
}

#[test]
fn the_screen_in_the_readme_is_a_real_one() {
    let kernel = |krel: &str, crc: u32| KernelBuilder::new(krel).export("printk", 1).export("usb_alert", crc);
    let offered = |kernel: &KernelBuilder| {
        PackageBuilder::kernel(kernel).ksyms("default", &kernel.full_symvers()).tag("Vendor", "Distribution")
    };
    let build = |version: &str, kernel: &KernelBuilder, crc: u32| {
        let module = kernel.driver("cam").need("usb_alert", crc).build();
        PackageBuilder::kmp("cam", "default", version, kernel.krel(), [("cam.ko", module)])
            .provides("kmod(cam.ko)")
            .requires(&format!("ksym(default:usb_alert) = {crc:x}"))
            .tag("Vendor", "Cameras Inc.")
    };
    let old = kernel("6.4.0-21-default", 0x1f3a_0c11);
    let new = kernel("6.4.0-25-default", 0x5e99_41d2);
    let newest = kernel("6.4.0-29-default", 0x83c0_d1e7);
    let root = TestRoot::new();
    root.install(&[&offered(&old).build(), &build("1.0", &old, 0x1f3a_0c11).build()]);
    let updates = repository(&root, "updates", &[offered(&new), offered(&newest)]);
    let drivers = repository(&root, "drivers", &[build("2.0", &new, 0x5e99_41d2)]);
    // Packages are elsewhere, as those of a server.
    run(Command::new("find").arg(root.join("drivers")).args(["-name", "*.rpm", "-delete"])).expect_success();
    let shown =
        in_a_terminal(&root, 80, &["update", "--offline", "--keep", &updates, &drivers], ("NO_COLOR", "1"));
    let readme = include_str!("../../README.md");
    let screen: String = shown.lines().map(|l| format!("    {l}").trim_end().to_string() + "\n").collect();
    assert!(readme.contains(&format!("    $ kmp update\n{screen}\n")), "README.md should have\n{screen}");
    let held = json(&root, &["hold"])["held"].take();
    assert_eq!(held[0]["package"], "kernel-default-6.4.0-29.x86_64", "{held}");
    assert_eq!(held[0]["missing"][0]["driver"], "cam-kmp-default", "{held}");
}
