// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi`: two kernels compared, by lists, packages and as installed; and what a driver uses.

use testkit::{BtfBuilder, Compression, KernelBuilder, ModuleBuilder, PackageBuilder, TestRoot, compress};

use crate::support::*;

const BEFORE: &str = "0x00000001\tlost\tvmlinux\tEXPORT_SYMBOL\t\n0x00000002\tkvm_get\tarch/x86/kvm/kvm\tEXPORT_SYMBOL_GPL\t\n\
                      0x00000003\tgpl\tvmlinux\tEXPORT_SYMBOL\t\n0x00000004\tsame\tvmlinux\tEXPORT_SYMBOL\t\n\
                      0x00000005\tspace\tvmlinux\tEXPORT_SYMBOL\t\n";
const AFTER: &str = "0x00000022\tkvm_get\tarch/x86/kvm/kvm\tEXPORT_SYMBOL_GPL\t\n0x00000003\tgpl\tvmlinux\tEXPORT_SYMBOL_GPL\t\n\
                     0x00000004\tsame\tvmlinux\tEXPORT_SYMBOL\t\n0x00000005\tspace\tvmlinux\tEXPORT_SYMBOL\tNS\n\
                     0x00000006\tnew\tvmlinux\tEXPORT_SYMBOL\t\n";

fn write(root: &TestRoot, name: &str, text: impl AsRef<[u8]>) -> String {
    root.write(name, text.as_ref());
    root.join(name).to_str().unwrap().into()
}

/// The same text packed in every way, and in the older form.
#[test]
fn lists_of_symbols_in_every_form() {
    let root = TestRoot::new();
    let old = write(&root, "old", BEFORE);
    let four: String = AFTER.lines().map(|line| format!("{}\n", line.rsplit_once('\t').unwrap().0)).collect();
    let split = BEFORE.replace("\tvmlinux\t", "\tkernel/built-in\t");
    for (name, old, new, breaks) in [
        ("gz", old.clone(), write(&root, "new.gz", compress(AFTER.as_bytes(), Compression::Gz)), 4),
        ("xz", old.clone(), write(&root, "new.xz", compress(AFTER.as_bytes(), Compression::Xz)), 4),
        ("zst", old.clone(), write(&root, "new.zst", compress(AFTER.as_bytes(), Compression::Zst)), 4),
        ("four columns", old.clone(), write(&root, "new4", four), 3),
        ("split", write(&root, "split", split), write(&root, "new", AFTER), 4),
    ] {
        let found = json(&root, &["kabi", "diff", &old, &new]);
        assert_eq!(found["breaks"], breaks, "{name}: {found}");
        assert_eq!(found["counts"]["moved"], serde_json::Value::Null, "{name}");
    }
    ends(&root, &["kabi", "diff", &old, &old], 0);
    let rubbish = write(&root, "rubbish", "one\ntwo\n");
    let output = ends(&root, &["kabi", "diff", &old, &rubbish], 2);
    assert!(output.stderr.contains("rubbish: not a list of symbol versions"), "{output}");
    let output = ends(&root, &["kabi", "diff", &old, "6.4.0-1-none"], 2);
    assert!(output.stderr.contains("6.4.0-1-none is no file, and there is no kernel"), "{output}");
}

#[test]
fn what_is_tolerated_is_no_break_and_unused_rules_are_listed() {
    let root = TestRoot::new();
    let (old, new) = (write(&root, "old", BEFORE), write(&root, "new", AFTER));
    let rules = write(&root, "severities", "arch/x86/kvm/* PASS # virtual machines\nnowhere PASS\n");
    let output = ends(&root, &["kabi", "diff", "--rules", &rules, &old, &new], 1);
    let text = output.stdout.as_str();
    for line in [
        "3 breaks\n",
        "      1  lost\n",
        "      1  with another CRC  (tolerated)\n",
        "      1  now for GPL-compatible modules only\n",
        "      1  in another namespace than before\n",
        "      1  added  (no module stops loading for it)\n",
        "Lost:\n  lost ",
        "NS, before none",
        "Rules that match nothing:\n  nowhere PASS (",
        "severities:2)",
    ] {
        assert!(text.contains(line), "{line:?}: {output}");
    }
    let all = write(&root, "all", "vmlinux PASS\narch/* PASS\n");
    ends(&root, &["kabi", "diff", "--rules", &all, &old, &new], 0);
    let promised = write(&root, "stablelist", "[kabi_stablelist]\n\tsame\n\tlost\n");
    let found = json(&root, &["kabi", "diff", "--rules", &promised, &old, &new]);
    assert_eq!((&found["breaks"], &found["changes"][2]["symbol"]), (&1.into(), &"lost".into()));
    let wrong = write(&root, "wrong", "a PASS\nb MAYBE\n");
    let output = ends(&root, &["kabi", "diff", "--rules", &wrong, &old, &new], 2);
    assert!(output.stderr.contains("wrong: line 2: \"MAYBE\" is neither PASS nor FAIL"), "{output}");
    let output = ends(&root, &["kabi", "diff", "--format", "short", "--rules", &rules, &old, &new], 1);
    assert!(output.stdout.starts_with("kABI: 1 lost, 1 with another CRC (tolerated), 1 now for"), "{output}");
    assert!(
        output.stdout.contains("\n\nlost: lost\n") && output.stdout.lines().all(|l| l.len() <= 72),
        "{output}"
    );
}

#[test]
fn symtypes_have_the_exact_reason() {
    let root = TestRoot::new();
    let types = "s#lens struct lens { int zoom ; }\nkvm_get void kvm_get ( s#lens * )\nsame void same ( )\n";
    let (old, new) = (write(&root, "old", BEFORE), write(&root, "new", AFTER));
    let (before, after) =
        (write(&root, "a", types), write(&root, "b", types.replace("zoom ;", "zoom ; long far ;")));
    let args = ["kabi", "diff", "--old-symtypes", &before, "--new-symtypes", &after, &old, &new];
    let found = json(&root, &args);
    let reason = &found["reasons"][0];
    assert_eq!((&reason["type"], &reason["how_sure"]), (&"struct lens".into(), &"certain".into()));
    assert_eq!(reason["changes"], serde_json::json!(["+ long far ;"]));
    // They can be all that there is.
    let output = ends(&root, &["kabi", "diff", &before, &after], 1);
    assert!(
        output.stdout.contains("struct lens: 1 export") && output.stdout.contains("1 break\n"),
        "{output}"
    );
    ends(&root, &["kabi", "diff", &before, &before], 0);
    ends(&root, &["kabi", "diff", &before, &old], 2);
}

/// An image with a structure that the new kernel has one more member of, and a module that uses it.
fn types(is_new: bool) -> (Vec<u8>, Vec<u8>) {
    let mut image = BtfBuilder::image();
    let int = image.int("int", 4);
    let members = [("zoom", int, 0), ("far", int, 4)];
    let lens = image.structure("lens", 8, &members[..1 + usize::from(is_new)]);
    let to_lens = image.pointer(lens);
    image.function("usb_alert", &[to_lens]);
    let mut module = BtfBuilder::module(&image);
    let cam = module.structure("cam", 8, &[("lens", to_lens, 0)]);
    let to_cam = module.pointer(cam);
    module.function("cam_open", &[to_cam]);
    (image.build(), module.build())
}

fn kernel_with_types(krel: &str, is_new: bool, packed: Option<Compression>) -> KernelBuilder {
    let (image, module) = types(is_new);
    let kernel = [&b"code before it"[..], &image, b"and behind"].concat();
    // As for s390x: a loader, and then the packed kernel.
    let image = match packed {
        Some(packed) => [&b"a loader"[..], &compress(&kernel, packed)].concat(),
        None => kernel,
    };
    let crc = if is_new { 8 } else { 7 };
    let cam =
        ModuleBuilder::new("cam").built_for(krel).export("cam_open", crc).section_not_loaded(".BTF", module);
    KernelBuilder::new(krel).export("usb_alert", crc).module("drivers/media", cam).file("vmlinuz", image)
}

fn has_reasons(found: &serde_json::Value) {
    let reason = &found["reasons"][0];
    assert_eq!(
        (&reason["type"], &reason["effect"]),
        (&"struct lens".into(), &"nothing-moves".into()),
        "{found}"
    );
    assert_eq!(reason["how_sure"], "likely");
    assert_eq!(reason["symbols"]["usb_alert"], serde_json::json!(["struct lens"]), "{found}");
    assert_eq!(reason["symbols"]["cam_open"], serde_json::json!(["struct cam", "struct lens"]), "{found}");
    assert_eq!(reason["changes"], serde_json::json!(["far: added at byte 4, where nothing was, int"]));
}

#[test]
fn installed_kernels_have_the_reason_in_their_images_and_modules() {
    let root = TestRoot::new();
    for (new, packed) in
        [(SAME, None), ("6.4.0-4-default", Some(Compression::Xz)), (OTHER, Some(Compression::Zst))]
    {
        write_all(&root, &[&kernel_with_types(OLD, false, None), &kernel_with_types(new, true, packed)]);
        has_reasons(&json(&root, &["kabi", "diff", OLD, new]));
    }
    let output = ends(&root, &["kabi", "diff", OLD, SAME], 1);
    for line in [
        "Why, most likely: 1 type changed\n",
        "struct lens: 2 exports, no offset moves\n",
        "  far: added at byte 4, where nothing was, int\n",
    ] {
        assert!(output.stdout.contains(line), "{line:?}: {output}");
    }
    assert_eq!(json(&root, &["kabi", "diff", "--no-why", OLD, SAME])["reasons"], serde_json::Value::Null);
    // Lists, and images beside them.
    let image =
        |krel: &str| root.join(format!("usr/lib/modules/{krel}/vmlinuz")).to_str().unwrap().to_string();
    let crc = |crc: u32| format!("0x{crc:08x}\tusb_alert\tvmlinux\tEXPORT_SYMBOL\t\n");
    let (old, new) = (write(&root, "old", crc(1)), write(&root, "new", crc(2)));
    let (before, after) = (image(OLD), image(SAME));
    let args = ["kabi", "diff", "--old-image", &before, "--new-image", &after, &old, &new];
    assert_eq!(json(&root, &args)["reasons"][0]["type"], "struct lens");
}

#[test]
fn packages_of_kernels_before_they_are_installed() {
    let root = TestRoot::new();
    let kernels = [(OLD, false), (SAME, true)].map(|(krel, is_new)| {
        PackageBuilder::kernel(&kernel_with_types(krel, is_new, Some(Compression::Gz)))
    });
    let built = PackageBuilder::build_all(&kernels);
    let path = |at: usize| -> &str { built[at].path().to_str().unwrap() };
    has_reasons(&json(&root, &["kabi", "diff", path(0), path(1)]));
    // All package files of a directory are one kernel.
    let dir = root.path().to_path_buf();
    std::fs::create_dir_all(dir.join("new")).unwrap();
    std::fs::copy(path(1), dir.join("new/kernel.rpm")).unwrap();
    has_reasons(&json(&root, &["kabi", "diff", path(0), dir.join("new").to_str().unwrap()]));
}

#[test]
fn what_a_driver_uses_that_nobody_has_promised() {
    let root = TestRoot::new();
    let hal = ModuleBuilder::new("hal").export("hal_open", 9).need("same", 4);
    let cam = ModuleBuilder::new("cam").need("kvm_get", 2).need("hal_open", 9).need("gone", 1);
    root.write("m/hal.ko", hal.build());
    root.write("m/cam.ko", cam.build());
    let modules = root.join("m").to_str().unwrap().to_string();
    let kernel = write(&root, "symvers", BEFORE);
    let rules = write(&root, "severities", "arch/x86/kvm/* PASS\n");
    let args = ["kabi", "exposure", "--rules", &rules, "--kernel", &kernel, &modules];
    let output = ends(&root, &args, 1);
    for line in ["  kvm_get ", "may change at any time, by arch/x86/kvm/* PASS (", "  gone ", "not known\n"] {
        assert!(output.stdout.contains(line), "{line:?}: {output}");
    }
    assert!(!output.stdout.contains("  same "), "{output}");
    let found = json(&root, &args);
    assert_eq!(found["counts"]["tolerated"], 1, "{found}");
    let standing = |symbol: &str| {
        let all = found["modules"].as_array().unwrap().iter().flat_map(|m| m["symbols"].as_array().unwrap());
        all.into_iter().find(|s| s["symbol"] == symbol).unwrap()["standing"].as_str().unwrap()
    };
    assert_eq!(
        ["kvm_get", "hal_open", "gone", "same"].map(standing),
        ["tolerated", "own", "unknown", "promised"]
    );
    let output = ends(&root, &["kabi", "exposure", &modules], 2);
    assert!(output.stderr.contains("add --rules FILE"), "{output}");
}

#[test]
fn a_refused_driver_gets_the_reason_where_both_kernels_have_their_types() {
    let root = TestRoot::new();
    let (old, new) = (kernel_with_types(OLD, false, None), kernel_with_types(OTHER, true, None));
    write_all(&root, &[&old, &new]);
    let driver = old.driver("mine").need("usb_alert", 7).need("cam_open", 7);
    root.write("mine.ko", driver.build());
    let file = root.join("mine.ko").to_str().unwrap().to_string();
    let sentence = format!(
        "why              most likely because of what changed since {OLD}: struct lens (2 symbols, no offset moves; far: added"
    );
    let output = ends(&root, &["explain", &file, "--kernel", OTHER], 1);
    assert!(output.stdout.contains(&sentence), "{output}");
    let output = ends(&root, &["check", &file], 1);
    assert!(output.stdout.contains(&sentence), "{output}");
    let found = json(&root, &["explain", &file, "--kernel", OTHER]);
    let why = &found["kernels"][0]["modules"][0]["why"];
    assert_eq!((&why["since"], &why["types"][0]["name"]), (&OLD.into(), &"struct lens".into()), "{found}");
    // Without the old kernel's image nothing is said.
    std::fs::remove_file(root.join(format!("usr/lib/modules/{OLD}/vmlinuz"))).unwrap();
    let output = ends(&root, &["explain", &file, "--kernel", OTHER], 1);
    assert!(!output.stdout.contains("most likely"), "{output}");
}
