// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp check`: verdicts with every reason.

use std::path::PathBuf;

use serde_json::Value;
use testkit::{Columns, Compression, Symvers, TestRoot};

use crate::support::*;

/// `MODULE RELEASE RULES` of every line of a check.
fn verdicts(found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for kernel in found["kernels"].as_array().unwrap() {
        for module in kernel["modules"].as_array().unwrap() {
            let rules: Vec<&str> =
                module["reasons"].as_array().unwrap().iter().map(|r| r["rule"].as_str().unwrap()).collect();
            assert_eq!(module["fits"], rules.is_empty(), "{found}");
            let (name, krel) = (module["name"].as_str().unwrap(), kernel["release"].as_str().unwrap());
            lines.push(format!("{name} {krel} {}", rules.join(",")));
        }
    }
    lines
}

/// A file outside the root.
fn file(root: &TestRoot, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = root.home().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn every_installed_kmp_against_every_kernel() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let output = ends(&root, &["check"], 1);
    assert_eq!(
        output.stdout,
        "Check: 1 module, 3 kernels: 1 refused\nKernel 6.4.0-3-default, the newest, does not load foo.\n\n\
         foo  /usr/lib/modules/6.4.0-1-default/updates/foo.ko  (foo-kmp-default-1_k6.4.0_1-1)\n  \
         6.4.0-1-default  compatible\n  6.4.0-2-default  compatible\n  6.4.0-3-default  refused\n      \
         crc              changing was 0x00000007 when it was built, vmlinux has 0x00000008\n\n\
         kmp explain foo-kmp-default --kernel 6.4.0-3-default shows each symbol.\n"
    );
    good(&root, &["check", "--kernel", SAME]);
    for name in ["foo-kmp-default", "foo-kmp-default-1_k6.4.0_1-1", "foo-kmp-default-1_k6.4.0_1-1.x86_64"] {
        assert_eq!(kmp(&root, &["check", name]).stdout, output.stdout);
    }
}

#[test]
fn json_has_every_field() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let module = driver("foo", &old, 7).need("nowhere", 5).vermagic("6.4.0-1-default SMP ");
    root.install(&[&package("foo", "1", &old, &[("foo", module)])]);
    let user = testkit::ModuleBuilder::new("loop");
    write(&kernel(OTHER, 8).module("drivers", user), &root);
    let found = json(&root, &["check", "--kernel", OTHER, "foo-kmp-default"]);
    assert_eq!(found["kernels"].as_array().unwrap().len(), 1);
    let module = &found["kernels"][0]["modules"][0];
    assert_eq!(module["name"], "foo");
    assert_eq!(module["path"], format!("/usr/lib/modules/{OLD}/updates/foo.ko"));
    assert_eq!(module["package"], "foo-kmp-default-1_k6.4.0_1-1");
    assert_eq!(module["fits"], false);
    let reasons = module["reasons"].as_array().unwrap();
    let of =
        |rule: &str| reasons.iter().find(|r| r["rule"] == rule).unwrap_or_else(|| panic!("{rule}: {found}"));
    assert!(of("vermagic")["detail"].as_str().unwrap().contains("SMP"));
    assert_eq!(of("vermagic").get("symbol"), None);
    let crc = of("crc");
    assert_eq!(
        (&crc["symbol"], &crc["wanted"], &crc["offered"], &crc["exporter"]),
        (&"changing".into(), &"0x00000007".into(), &"0x00000008".into(), &"vmlinux".into())
    );
    assert_eq!(of("unknown-symbol")["symbol"], "nowhere");
    assert_eq!(of("unknown-symbol").get("offered"), None);
    assert_eq!(reasons.len(), 3, "{found}");
}

#[test]
fn files_that_are_named_together_are_judged_together() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let provider = file(
        &root,
        "acme.ko.xz",
        &driver("acme", &old, 7).export("acme_open", 1).build_compressed(Compression::Xz),
    );
    let user = file(&root, "acme_net.ko", &driver("acme_net", &old, 7).need("acme_open", 1).build());
    let check = |names: &[&str]| verdicts(&json(&root, &[&["check", "--kernel", SAME], names].concat()));
    assert_eq!(check(&[&user]), [format!("acme_net {SAME} unknown-symbol")]);
    assert_eq!(check(&[&user, &provider]), [format!("acme_net {SAME} "), format!("acme {SAME} ")]);
    // The provider as an installed KMP does, too.
    let [acme, _] = pair("1", &old, 7, 1);
    root.install(&[&acme]);
    assert_eq!(check(&[&user]), [format!("acme_net {SAME} ")]);
    assert_eq!(check(&[&user, "acme-kmp-default"]), [format!("acme {SAME} "), format!("acme_net {SAME} ")]);
    ends(&root, &["check", &user, &provider], 1);
    good(&root, &["check", "--kernel", OLD, &user, &provider]);
}

#[test]
fn a_file_takes_the_place_of_the_installed_module_of_its_name() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let newer = file(&root, "foo.ko", &driver("foo", &old, 8).export("foo_open", 3).build());
    let found = verdicts(&json(&root, &["check", &newer]));
    assert_eq!(found, [format!("foo {OLD} crc"), format!("foo {SAME} crc"), format!("foo {OTHER} ")]);
}

#[test]
fn directories_and_same_names_in_several() {
    let root = TestRoot::new();
    let [old, _, other] = three_kernels(&root);
    // One build for each kernel, each with its own pair; whatever is named, a build is judged by itself.
    for (dir, kernel, crc, exported) in [("a", &old, 7, 1), ("b", &other, 8, 2)] {
        file(
            &root,
            &format!("{dir}/acme.ko"),
            &driver("acme", kernel, crc).export("acme_open", exported).build(),
        );
        file(
            &root,
            &format!("{dir}/sub/net.ko"),
            &driver("net", kernel, crc).need("printk", 0x1000_0001).build(),
        );
        file(
            &root,
            &format!("{dir}/user.ko"),
            &driver("user", kernel, crc).need("acme_open", exported).build(),
        );
        file(&root, &format!("{dir}/notes.txt"), b"no module");
    }
    let dir = |name: &str| root.home().join(name).to_str().unwrap().to_string();
    let both = verdicts(&json(&root, &["check", "--kernel", OTHER, &dir("a"), &dir("b")]));
    assert_eq!(
        both,
        [
            format!("acme {OTHER} crc"),
            format!("net {OTHER} crc"),
            // Its provider does not fit, and itself not.
            both[2].clone(),
            format!("acme {OTHER} "),
            format!("net {OTHER} "),
            format!("user {OTHER} "),
        ]
    );
    assert!(both[2].starts_with(&format!("user {OTHER} crc")), "{both:?}");
    let empty = root.home().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let output = ends(&root, &["check", empty.to_str().unwrap()], 2);
    assert!(output.stderr.contains("there is no module in "), "{output}");
}

#[test]
fn symvers_in_place_of_a_kernels_own() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let module = file(&root, "bar.ko", &driver("bar", &old, 7).build());
    let table = |crc: u32| {
        let table = Symvers::new().vmlinux("module_layout", testkit::MODULE_LAYOUT_CRC);
        table.vmlinux("printk", 0x1000_0001).vmlinux("changing", crc)
    };
    let fits = file(&root, "fits", &table(7).to_bytes(Compression::Zst));
    let not = file(&root, "not.symvers", table(9).columns(Columns::Four).to_text().as_bytes());
    // By symbols alone, and no kernel needs to be there.
    let bare = TestRoot::new();
    good(&bare, &["check", "--symvers", &fits, &module]);
    let output = ends(&bare, &["check", "--symvers", &not, &module], 1);
    assert!(output.stdout.contains("vmlinux has 0x00000009"), "{output}");
    let found = json(&bare, &["check", "--symvers", &not, &module]);
    assert_eq!(verdicts(&found), [format!("bar {not} crc")]);
    // As a kernel's that is installed: an update's symvers before it is there.
    good(&root, &["check", "--symvers", &fits, "--kernel", OTHER]);
    ends(&root, &["check", "--symvers", &not, "--kernel", SAME, "foo-kmp-default"], 1);

    for (names, why) in [
        (&["check", "--symvers", &fits][..], "name some"),
        (&["check", "--symvers", "/nowhere/symvers", &module], "/nowhere/symvers cannot be read"),
        (&["check", "--symvers", &module, &module], "bar.ko: "),
    ] {
        let output = ends(&bare, names, 2);
        assert!(output.stderr.contains(why), "{output}");
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn what_cannot_be_checked_is_said() {
    let root = TestRoot::new();
    three_kernels(&root);
    for (args, why) in [
        (&["check", "/nowhere/foo.ko"][..], "there is no file /nowhere/foo.ko"),
        (&["check", "foo.ko"], "there is no file foo.ko"),
        (
            &["check", "foo-kmp-default"],
            "no package foo-kmp-default that owns third-party modules is installed",
        ),
        (&["check", "--kernel", "6.9-default"], "there is no kernel 6.9-default"),
        (&["check", "--no-such-option"], "unexpected argument"),
    ] {
        let output = ends(&root, args, 2);
        assert!(output.stderr.contains(why), "{output}");
        assert_eq!(output.stdout, "");
    }
    assert_eq!(good(&root, &["check"]).stdout, "no third-party modules to judge\n");
    let junk = file(&root, "junk.ko", b"junk");
    let found = json(&root, &["check", "--kernel", SAME, &junk]);
    assert_eq!(verdicts(&found), [format!("junk {SAME} malformed")]);
    ends(&root, &["check", &junk], 1);
}

#[test]
fn a_kernel_of_another_flavour_is_judged_when_it_is_named() {
    let root = TestRoot::new();
    let old = kernel(OLD, 7);
    write_all(&root, &[&old, &kernel("6.4.0-2-rt", 7)]);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    assert_eq!(verdicts(&json(&root, &["check"])), [format!("foo {OLD} ")]);
    assert_eq!(verdicts(&json(&root, &["check", "--kernel", "6.4.0-2-rt"])), ["foo 6.4.0-2-rt "]);
}
