// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp check FILE.rpm` says who signed a package, and `kmp key` shows and imports keys.
#![allow(clippy::unwrap_used, reason = "a test")]

use rpm_meta::openpgp::groups;
use serde_json::json;
use testkit::{Package, SigningKey, TestRoot, corrupted, import_key};

use crate::support::*;

fn text(package: &Package) -> &str {
    package.path().to_str().unwrap()
}

/// One key and one root for all, as a key takes a while to make.
#[test]
fn a_packages_signature_is_complained_about_until_its_key_is_imported() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let plain = one_module("foo", "1.0", &old, 7);
    root.install(&[&plain]);
    let key = SigningKey::new("Acme Drivers <keys@acme.example>");
    let signed = key.sign(&plain);
    let file = key.file();
    let (file, digits) = (file.to_str().unwrap(), groups(key.fingerprint()));
    let check = |package: &str| ends(&root, &["check", package, "--kernel", OLD], 0);

    let said = check(text(&plain));
    assert!(said.stderr.contains("foo-kmp-default") && said.stderr.contains(": not signed, "), "{said}");
    let said = check(text(&signed));
    let wanted = format!("signed by the key {digits}, which rpm does not know here");
    assert!(said.stderr.contains(&wanted) && said.stderr.contains("kmp key import FILE"), "{said}");
    assert!(!said.stdout.contains("signed"), "{said}");

    // Somebody has to say yes to all of its digits.
    let said = writes_nothing(&root, || good(&root, &["key", "show", file]));
    assert!(
        said.stdout.contains(&digits) && said.stdout.contains("Acme Drivers <keys@acme.example>"),
        "{said}"
    );
    assert!(said.stdout.contains("rpm does not know it"), "{said}");
    let said = writes_nothing(&root, || ends(&root, &["key", "import", file], 2));
    assert!(said.stderr.contains("nobody can be asked") && said.stdout.contains(&digits), "{said}");
    let said = ends(&root, &["key", "import", file, "--accept-key", &digits[..39]], 2);
    assert!(said.stderr.contains("nothing was imported"), "{said}");
    assert_eq!(json(&root, &["key", "list"])["keys"], json!([]));
    good(&root, &["key", "import", file, "--accept-key", &digits]);
    let said = good(&root, &["key", "import", file]);
    assert!(said.stdout.contains("Nothing to do."), "{said}");

    let said = check(text(&signed));
    let wanted =
        format!("signed by Acme Drivers <keys@acme.example> with the key {digits}, which rpm trusts");
    assert!(said.stdout.contains(&wanted) && said.stderr.is_empty(), "{said}");
    let found = json(&root, &["check", text(&signed), text(&plain)]);
    let signer = json!([{
        "key": key.fingerprint(), "user_id": "Acme Drivers <keys@acme.example>", "known": true
    }]);
    assert_eq!((&found["packages"][0]["trust"], &found["packages"][0]["signers"]), (&json!("good"), &signer));
    assert_eq!(
        (&found["packages"][1]["trust"], &found["packages"][1]["signers"]),
        (&json!("unsigned"), &json!([]))
    );

    // What rpm installed before is signed by nobody, and this is.
    assert_eq!(json(&root, &["key", "list"])["keys"][0]["drivers"], json!([]));
    root.erase(&[plain.nvr()]);
    root.install(&[&signed]);
    let listed = json(&root, &["key", "list"]);
    assert_eq!(listed["keys"][0]["drivers"], json!([signed.nvr()]));
    assert_eq!(listed["keys"][0]["fingerprint"], json!(key.fingerprint()));

    for header in [None, Some("A package for tests")] {
        root.write("bad.rpm", corrupted(&signed, header));
        let bad = root.join("bad.rpm");
        let said = kmp(&root, &["check", bad.to_str().unwrap()]);
        assert!(said.status != Some(0), "{said}");
        assert!(
            said.stderr.contains("not what it was when it was made: ")
                && said.stderr.contains("fetch it again"),
            "{said}"
        );
    }
    for bad in ["etc", "bad.rpm", "absent"] {
        let said = ends(&root, &["key", "show", root.join(bad).to_str().unwrap()], 2);
        assert!(said.stderr.contains(bad), "{said}");
    }
    // Another root does not trust what this one does.
    let other = TestRoot::new();
    three_kernels(&other);
    let said = ends(&other, &["check", text(&signed), "--kernel", OLD], 0);
    assert!(said.stderr.contains("does not know here"), "{said}");
    other.install(&[&plain]);
    import_key(&other, &key.file());
    assert!(good(&other, &["check", text(&signed), "--kernel", OLD]).stdout.contains("which rpm trusts"));
}
