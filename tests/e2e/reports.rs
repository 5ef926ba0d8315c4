// SPDX-License-Identifier: LGPL-2.1-or-later
//! Pages in HTML: what is on them, and that names of others stay text. How they look is `cargo xtask browser`.

use testkit::TestRoot;

use crate::support::*;

fn write(root: &TestRoot, name: &str, text: &str) -> String {
    root.write(name, text);
    root.join(name).to_str().unwrap().into()
}

const REGISTRATION: &str = r#"version = 1
[provider]
contact = "kmp@acme.example"
rebuild-without-asking = true
[package]
name = "cam-kmp-default"
[build]
nevra = "cam-kmp-default-1-1.x86_64"
kernel = "6.4.0-1-default"
[[module]]
name = "cam<b>"
[module.uses]
usb_alert = "0x00000002"
"#;

#[test]
fn two_kernels_compared_for_a_browser() {
    let root = TestRoot::new();
    let line = |crc: u32, symbol: &str| format!("0x{crc:08x}\t{symbol}\tvmlinux\tEXPORT_SYMBOL\t\n");
    let hostile = "<script>alert(1)</script>";
    let old = write(&root, "old", &[line(2, "usb_alert"), line(3, hostile), line(4, "same")].concat());
    let new = write(&root, "<i>new", &[line(22, "usb_alert"), line(4, "same")].concat());
    let types = "s#lens struct lens { int zoom ; }\nusb_alert void usb_alert ( s#lens * )\n";
    let before = write(&root, "a", types);
    let after = write(&root, "b", &types.replace("zoom ;", "zoom ; long far ;"));
    let registry = root.join("registry").to_str().unwrap().to_string();
    root.write("registry/acme/cam-kmp-default.toml", REGISTRATION);
    root.write("registry/acme/cam-kmp-default.symbols", "[abi_symbol_list]\n  usb_alert\n");
    let args = ["kabi", "diff", "--registry", &registry, "--old-symtypes", &before, "--new-symtypes", &after];
    let names = [old.as_str(), &new];
    let output = ends(&root, &[&args[..], &["--format", "html"], &names].concat(), 1);
    let page = output.stdout.as_str();
    let mut at = 0;
    // In this order.
    for text in [
        "<strong>2 breaks</strong>",
        "1 of 1 registered packages stop loading.",
        "<code>struct lens</code>",
        "data-label=\"registered drivers\">1</td>",
        "data-label=\"vendors\">acme</td>",
        "<h2>Providers</h2>",
        "stops loading: a rebuild suffices",
        "<details><summary><span class=\"bad\">1 lost</span>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ] {
        at += page[at..]
            .find(text)
            .unwrap_or_else(|| panic!("{text:?} is not there, or not in its place: {page}"));
    }
    assert!(!page.contains("<script") && !page.contains("<i>") && page.contains("&lt;i&gt;new"), "{page}");

    let output = ends(&root, &[&args[..], &names].concat(), 1);
    for line in [
        "struct lens: 1 export, 1 registered driver of acme\n",
        "Registered drivers:\n  1 of 1 registered packages stop loading\n  acme/cam-kmp-default: stops loading: a rebuild suffices\n",
    ] {
        assert!(output.stdout.contains(line), "{line:?}: {output}");
    }
    let found = json(&root, &[&args[..], &names].concat());
    assert_eq!(found["reasons"][0]["registered"], serde_json::json!({"drivers": 1, "providers": ["acme"]}));
    assert_eq!(found["registered"][0]["remedy"], "rebuild", "{found}");
}
