// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp doctor` and `kmp status --support`: a sound system, and each way of not being one.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use testkit::{ModuleBuilder, Package, PackageBuilder, SigningKey, TestRoot, corrupted, import_key};

use crate::initrd::{LINK, Machine, foo, made};
use crate::support::*;

/// Of some key.
const SIGNATURE: &[u8] = include_bytes!("../../crates/kmod-abi/src/testdata/issuer.p7");

/// Rule and what it is about, of each finding; those about packages without their paths.
fn findings(root: &TestRoot, args: &[&str]) -> Vec<(String, String)> {
    let said = json(root, &[&["doctor"], args].concat());
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let finding = |f: &Value| (text(&f["rule"]), text(&f["about"]).rsplit('/').next().unwrap().to_string());
    said["findings"].as_array().unwrap().iter().map(finding).collect()
}

fn rules(root: &TestRoot, args: &[&str]) -> Vec<String> {
    let mut rules: Vec<String> = findings(root, args).into_iter().map(|(rule, _)| rule).collect();
    rules.dedup();
    rules
}

fn text(package: &Package) -> &str {
    package.path().to_str().unwrap()
}

/// A package as the macros make it, but for its signature.
fn sound(name: &str, version: &str, module: ModuleBuilder) -> PackageBuilder {
    sound_for(OLD, name, version, module)
}

/// The same for another kernel.
fn sound_for(krel: &str, name: &str, version: &str, module: ModuleBuilder) -> PackageBuilder {
    let module = module.supported("external").alias("pci:v00000ACEd*sv*sd*bc*sc*i*").signature(SIGNATURE);
    PackageBuilder::kmp(name, "default", version, krel, [(format!("{name}.ko"), module.build())])
        .requires("kernel(default:printk) = 1")
        .tag("Supplements", "modalias(kernel-default:pci:v00000ACEd*sv*sd*bc*sc*i*)")
        .tag("Vendor", "Acme")
        .scriptlet("post", "/usr/lib/module-init-tools/weak-modules2 --add-kmp x")
}

#[test]
fn a_system_is_sound_until_something_is_done_to_it() {
    let root = TestRoot::new();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7));
    let key = SigningKey::new("Acme <keys@acme.example>");
    let cam = key.sign(&sound("cam", "2.0", driver("cam", &old, 7)).build());
    root.install(&[&PackageBuilder::kernel(&old).build(), &PackageBuilder::kernel(&same).build(), &cam]);
    let said = writes_nothing(&root, || ends(&root, &["doctor"], 1));
    assert!(said.stdout.contains("error links: this does not hold: Each kernel has the links"), "{said}");
    assert!(said.stdout.contains(&format!("{SAME}: to do: {} added", cam.nvr())), "{said}");
    let found = rules(&root, &[]);
    assert!(found.contains(&"links".into()) && found.contains(&"signature".into()), "{found:?}");
    // What sync mends is mended; the rest is for people.
    let said = ends(&root, &["doctor", "--fix"], 1);
    assert!(said.stdout.contains(" mended.") && !said.stdout.contains(" links:"), "{said}");
    assert_eq!(links(&root, SAME), linked(&[("cam", OLD)]));
    assert!(
        said.stdout.contains("signed by the key ") && said.stdout.contains("rpm does not know"),
        "{said}"
    );
    import_key(&root, &key.file());
    let said = good(&root, &["doctor"]);
    let found = findings(&root, &[]);
    assert!(found.is_empty() && said.stdout == "Sound: nothing was found.\n", "{found:?} {said}");
    assert_eq!(good(&root, &["doctor", "cam-kmp-default"]).stdout, said.stdout);
    assert_eq!(good(&root, &["doctor", text(&cam)]).stdout, said.stdout);

    // Each of these breaks one rule.
    let map = format!("boot/System.map-{OLD}");
    let map = if root.exists(&map) { map } else { format!("usr/lib/modules/{OLD}/System.map") };
    let whole = root.read(&map);
    root.write(&map, format!("{whole} "));
    assert!(findings(&root, &[]).contains(&("kernel-changed".into(), "kernel-default-6.4.0-1".into())));
    std::fs::remove_file(root.join(&map)).unwrap();
    assert!(ends(&root, &["doctor"], 1).stdout.contains("is missing"));
    root.write(&map, whole);
    good(&root, &["sync"]);
    assert_eq!(rules(&root, &[]), [] as [&str; 0]);
    let mine = format!("usr/lib/modules/{SAME}/updates/mine.ko");
    root.write(&mine, driver("mine", &same, 7).build());
    good(&root, &["sync"]);
    assert_eq!(findings(&root, &[]), [("unowned".to_string(), SAME.to_string())]);
    std::fs::remove_file(root.join(&mine)).unwrap();
    root.write("usr/lib/modules/6.4.0-0-default/updates/old.ko", driver("old", &old, 7).build());
    good(&root, &["sync"]);
    assert_eq!(findings(&root, &[]), [("leftover".to_string(), "6.4.0-0-default".to_string())]);
    std::fs::remove_dir_all(root.join("usr/lib/modules/6.4.0-0-default")).unwrap();
    // An old version, whose kernel is gone.
    let gone = kernel("6.4.0-0-default", 7);
    let older = key.sign(&sound_for(gone.krel(), "cam", "1.0", driver("cam", &gone, 7)).build());
    install(&root, &[&older]);
    good(&root, &["sync"]);
    assert_eq!(findings(&root, &[]), [("idle".to_string(), older.nvr().to_string())]);
    // kmp itself.
    install(
        &root,
        &[&PackageBuilder::new("libkmp1", "1", "1").file("usr/lib64/libkmp.so.1", "whole").build()],
    );
    root.write("usr/lib64/libkmp.so.1", "cut");
    assert!(findings(&root, &[]).contains(&("kmp-changed".into(), "libkmp1-1-1".into())));
    root.write("usr/lib64/libkmp.so.1", "whole");
    // The kernel's own modules come alone.
    root.write(format!("usr/lib/modules/{SAME}/kernel/late.ko"), driver("late", &same, 7).build());
    assert!(findings(&root, &[]).contains(&("index".into(), SAME.into())));
    good(&root, &["sync"]);
    assert!(!rules(&root, &[]).contains(&"index".to_string()));
    // A kernel that refuses it.
    root.install(&[&PackageBuilder::kernel(&kernel(OTHER, 8)).build()]);
    good(&root, &["sync"]);
    assert!(rules(&root, &[]).contains(&"driver-lost".to_string()));
    let said = ends(&root, &["doctor", "nothing-kmp"], 2);
    assert!(said.stderr.contains("no KMP nothing-kmp is installed"), "{said}");
}

/// Nobody has noted it: somebody has put back an old one.
#[test]
fn an_initrd_with_an_old_driver_is_found_and_mended() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, module) = foo("1");
    root.install(&[&one]);
    machine.initrd(SAME, &[(LINK, module)]);
    root.update(&[&foo("2").0]);
    good(root, &["sync", "--no-initrd"]);
    assert!(!root.exists("run/kmp/check-initrd"));
    let is_due = || findings(root, &[]).contains(&("initrd".into(), SAME.into()));
    assert!(is_due());
    let said = kmp(root, &["--run-in-root", "doctor", "--fix"]);
    assert_eq!(machine.calls(), [made(SAME)], "{said}");
}

#[test]
fn a_package_is_looked_at_before_it_is_installed() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let good_one = sound("cam", "1.0", driver("cam", &old, 7)).build();
    root.install(&[&good_one]);
    let module = driver("bad", &old, 7).supported("yes").signature(SIGNATURE);
    let at = |directory: &str, module: ModuleBuilder| {
        PackageBuilder::new("bad-kmp-default", "1", "1")
            .requires("ksym(default:printk) = 1")
            .tag("Vendor", "Acme")
            .scriptlet("posttrans", "/usr/sbin/weak-modules2 --x")
            .file(format!("usr/lib/modules/{directory}/bad.ko"), module.build())
            .build()
    };
    let updates = format!("{OLD}/updates");
    let plain = |module: ModuleBuilder| at(&updates, module);
    let bare = PackageBuilder::new("bad", "1", "1").file(
        format!("usr/lib/modules/{OLD}/updates/bad.ko"),
        driver("bad", &old, 7).alias("usb:v1p1*").build(),
    );
    let cases: [(&str, Package, &[&str]); 8] = [
        ("nothing but its signature", plain(module.clone()), &["signature"]),
        ("of another licence", plain(module.clone().license("Proprietary")), &["licence"]),
        ("elsewhere", at(&format!("{OLD}/weak-updates/x"), module.clone()), &["place"]),
        ("of another kernel", at(&format!("{SAME}/updates"), module.clone()), &["release"]),
        (
            "for no kernel here",
            plain(driver("bad", &old, 9).supported("yes").signature(SIGNATURE)),
            &["loads"],
        ),
        (
            "no module",
            PackageBuilder::new("bad-kmp-default", "1", "1").tag("Vendor", "Acme").build(),
            &["no-modules", "scriptlets"],
        ),
        (
            "damaged",
            PackageBuilder::new("bad-kmp-default", "2", "1")
                .tag("Vendor", "A")
                .file(format!("usr/lib/modules/{OLD}/updates/bad.ko"), "no module")
                .build(),
            &["no-modules"],
        ),
        (
            "made by hand",
            bare.build(),
            &["name", "requires", "hardware", "scriptlets", "vendor", "module-signature", "supported"],
        ),
    ];
    for (what, package, wanted) in cases {
        let found = writes_nothing(&root, || rules(&root, &[text(&package)]));
        for rule in wanted {
            assert!(found.iter().any(|f| f == rule), "{what}: no {rule} in {found:?}");
        }
        let is_wanted = |rule: &String| {
            wanted.contains(&rule.as_str()) || ["signature", "scriptlets", "loads"].contains(&rule.as_str())
        };
        assert!(found.iter().all(is_wanted), "{what}: {found:?}");
        ends(&root, &["doctor", text(&package)], 1);
    }
    // What another module exports.
    let theirs = driver("theirs", &old, 7).export("acme_open", 1);
    root.install(&[&package("theirs", "1", &old, &[("theirs", theirs)])]);
    let found = rules(&root, &[text(&plain(module.clone().export("acme_open", 1)))]);
    assert!(found.contains(&"clash".to_string()), "{found:?}");
    root.write("corrupt.rpm", corrupted(&good_one, None));
    let said = ends(&root, &["doctor", root.join("corrupt.rpm").to_str().unwrap()], 1);
    assert!(said.stdout.contains("not what it was when it was made"), "{said}");
    ends(&root, &["doctor", "./absent.rpm"], 2);
}

#[test]
fn support_is_what_modules_and_packages_say() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    for release in [OLD, SAME, OTHER] {
        root.write(
            format!("usr/lib/modules/{release}/config"),
            "CONFIG_SUSE_KERNEL_SUPPORTED=y\nCONFIG_MODULE_SIG=y\n",
        );
    }
    root.install(&[
        &sound("cam", "1.0", driver("cam", &old, 7)).tag("Packager", "Ann <ann@acme.example>").build(),
        &package("tape", "1.0", &old, &[("tape", driver("tape", &old, 7).license("Proprietary"))]),
    ]);
    root.write("proc/modules", "cam 16384 0 - Live 0x0 (OX)\n");
    root.write("proc/sys/kernel/tainted", "69632\n");
    root.write("etc/modprobe.d/10-unsupported-modules.conf", "allow_unsupported_modules 0\n");
    let found = writes_nothing(&root, || json(&root, &["status", "--support"]));
    let module = |number: usize| &found["modules"][number];
    let cam = module(0);
    assert_eq!(
        [&cam["supported"], &cam["vendor"], &cam["packager"]],
        [&json!("external"), &json!("Acme"), &json!("Ann <ann@acme.example>")]
    );
    assert_eq!([&cam["would_taint"], &cam["taints"]], [&json!("OX"), &json!("OX")]);
    let tape = module(1);
    assert_eq!(
        [&tape["supported"], &tape["would_taint"], &tape["taints"]],
        [&json!("no"), &json!("POEN"), &json!(null)]
    );
    assert_eq!(found["kernels"][2], json!({"release": OTHER, "supported_only": "modprobe"}));
    assert_eq!(found["tainted"]["taints"][0]["letter"], json!("O"));
    let said = good(&root, &["status", "--support"]);
    for wanted in [
        "cam  cam-kmp-default-1.0_k6.4.0_1-1\n  vendor: Acme; packager: Ann <ann@acme.example>\n  supported by provider and distributor",
        "would taint the kernel with POEN; not loaded",
        "6.4.0-3-default takes no module without support: modprobe is configured so",
        "the running kernel is tainted (69632):\n  O  a module from outside",
        "  X  a module with external support was loaded",
    ] {
        assert!(said.stdout.contains(wanted), "{wanted}: {said}");
    }
}
