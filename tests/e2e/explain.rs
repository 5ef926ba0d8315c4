// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp explain`: symbol by symbol.

use testkit::{ModuleBuilder, TestRoot};

use crate::support::*;

fn root() -> TestRoot {
    let root = TestRoot::new();
    let with = |krel: &str, crc: u32| {
        let mii = ModuleBuilder::new("mii").export_gpl("mii_link_ok", 5);
        kernel(krel, crc).export_ns("hidden", 6, "NS").module("drivers/net", mii)
    };
    let old = with(OLD, 7);
    write_all(&root, &[&old, &with(SAME, 7), &with(OTHER, 8)]);
    let module = driver("foo-bar", &old, 7).need("mii_link_ok", 5).need("hidden", 6).need_weak("maybe", None);
    root.install(&[&package("foo", "1", &old, &[("foo-bar", module)])]);
    root
}

#[test]
fn a_table_with_the_verdict() {
    let root = root();
    let output = ends(&root, &["explain", "foo_bar", "--kernel", OTHER], 1);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = output.lines().into_iter().map(words).collect();
    for line in [
        "foo_bar /usr/lib/modules/6.4.0-1-default/updates/foo-bar.ko (foo-kmp-default-1_k6.4.0_1-1)",
        "SYMBOL WANTED OFFERED EXPORTER",
        "changing 0x00000007 0x00000008 vmlinux crc",
        "printk 0x10000001 0x10000001 vmlinux",
        "mii_link_ok 0x00000005 0x00000005 drivers/net/mii GPL",
        "hidden 0x00000006 0x00000006 vmlinux [NS] GPL namespace",
        "maybe - - nobody (weak)",
        "6.4.0-3-default: refused",
    ] {
        assert!(lines.contains(&line.to_string()), "{line}: {output}");
    }
}

#[test]
fn json_has_every_symbol() {
    let root = root();
    let found = json(&root, &["explain", "foo-kmp-default", "--kernel", SAME]);
    let module = &found["kernels"][0]["modules"][0];
    assert_eq!(found["kernels"][0]["release"], SAME);
    assert_eq!((&module["name"], &module["fits"]), (&"foo_bar".into(), &false.into()));
    assert_eq!(module["package"], "foo-kmp-default-1_k6.4.0_1-1");
    let symbol = |name: &str| {
        let symbols = module["symbols"].as_array().unwrap();
        symbols.iter().find(|s| s["symbol"] == name).unwrap_or_else(|| panic!("{name}: {found}"))
    };
    let hidden = symbol("hidden");
    assert_eq!(
        (&hidden["wanted"], &hidden["offered"], &hidden["exporter"], &hidden["namespace"], &hidden["rule"]),
        (&"0x00000006".into(), &"0x00000006".into(), &"vmlinux".into(), &"NS".into(), &"namespace".into())
    );
    assert_eq!(hidden["gpl_only"], true);
    assert_eq!(symbol("maybe")["weak"], true);
    assert_eq!(symbol("maybe").get("exporter"), None);
    assert_eq!(symbol("changing").get("rule"), None);
    assert_eq!(symbol("mii_link_ok")["exporter"], "drivers/net/mii");
}

#[test]
fn by_module_by_kmp_and_by_file() {
    let root = root();
    let file = root.join(format!("usr/lib/modules/{OLD}/updates/foo-bar.ko"));
    let mut said = Vec::new();
    for name in
        ["foo_bar", "foo-bar", "foo-kmp-default", "foo-kmp-default-1_k6.4.0_1-1", file.to_str().unwrap()]
    {
        said.push(
            ends(&root, &["explain", name, "--kernel", SAME], 1)
                .stdout
                .lines()
                .skip(1)
                .map(String::from)
                .collect::<Vec<_>>(),
        );
    }
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "{said:?}");
    let file = root.home().join("good.ko");
    std::fs::write(&file, driver("good", &kernel(OLD, 7), 7).build()).unwrap();
    let output = good(&root, &["explain", file.to_str().unwrap(), "--kernel", SAME]);
    assert!(output.stdout.ends_with("  6.4.0-2-default: compatible\n"), "{output}");
}

#[test]
fn without_a_kernel_it_is_the_newest_that_refuses_or_the_newest() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let same = one_module("foo", "1", &old, 7);
    root.install(&[
        &same,
        &package("bar", "1", &old, &[("bar", kernel(OLD, 7).driver("bar").need("printk", 0x1000_0001))]),
    ]);
    write(&kernel("6.4.0-9-default", 7), &root);
    write(&kernel("6.4.0-10-rt", 8), &root);
    let of = |name: &str| json(&root, &["explain", name])["kernels"][0]["release"].clone();
    assert_eq!(
        [of("foo"), of("foo-kmp-default"), of("bar-kmp-default")],
        ["6.4.0-10-rt", OTHER, "6.4.0-9-default"]
    );
}

/// A package file is judged as if it were installed, in the place of the version that is; all its modules are explained together.
#[test]
fn a_package_file() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 8)]);
    let other = old.driver("other").need("foo_open", 3);
    let newer =
        package("foo", "2", &old, &[("foo", driver("foo", &old, 7).export("foo_open", 3)), ("other", other)]);
    let path = newer.path().display().to_string();
    let found = json(&root, &["explain", &path]);
    assert_eq!(found["kernels"][0]["release"], OTHER);
    let modules = found["kernels"][0]["modules"].as_array().unwrap();
    let states: Vec<_> =
        modules.iter().map(|m| (m["name"].as_str().unwrap(), m["state"].as_str().unwrap())).collect();
    assert_eq!(states, [("foo", "refused"), ("other", "refused")]);
    assert_eq!(modules[0]["package"], "foo-kmp-default-2_k6.4.0_1-1");
    assert!(modules[0]["path"].as_str().unwrap().starts_with(&format!("{path}/")), "{found}");
    assert!(modules[1]["symbols"].as_array().unwrap().iter().any(|s| s["symbol"] == "foo_open"), "{found}");
    let same = good(&root, &["explain", &path, "--kernel", SAME]);
    assert!(same.stdout.contains("  6.4.0-2-default: compatible\n"), "{same}");
    let kernel = testkit::PackageBuilder::kernel(&kernel("6.4.0-9-default", 7)).build();
    let none = ends(&root, &["explain", kernel.path().to_str().unwrap()], 2);
    let line = format!("kmp plan {}\n", kernel.path().display());
    assert!(none.stderr.ends_with(&line), "{none}");
}

#[test]
fn what_is_not_there() {
    let root = root();
    for (args, why) in [
        (&["explain", "nothing", "--kernel", SAME][..], "there is no KMP and no third-party module nothing"),
        (&["explain", "foo_bar", "--kernel", "6.9-default"], "there is no kernel 6.9-default"),
        (&["explain", "/nowhere/x.ko", "--kernel", SAME], "there is no file /nowhere/x.ko"),
        (&["explain", "fobar", "--kernel", SAME], "; did you mean foo_bar?\n"),
        (&["explain", "foo_bar", "--kernel", "6.4.0-2"], "; did you mean 6.4.0-2-default?\n"),
    ] {
        let output = ends(&root, args, 2);
        assert!(output.stderr.contains(why), "{output}");
        assert_eq!(output.stdout, "");
    }
}
