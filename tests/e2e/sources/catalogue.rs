// SPDX-License-Identifier: LGPL-2.1-or-later
//! Catalogues of providers.

use serde_json::json;
use testkit::{PackageBuilder, SigningKey, import_key};

use super::{document, site};
use crate::schemas::validate;
use crate::support::{ends, good, kmp};

/// Whom a catalogue offers is used once somebody has agreed; one that nobody has signed counts for nothing.
#[test]
fn providers_of_a_signed_catalogue_are_offered() {
    let key = SigningKey::new("My Linux <keys@linux.example>");
    let root = site("http://127.0.0.1:9/", &[]);
    root.write("etc/os-release", "ID=sles\nID_LIKE=suse\nVERSION_ID=15.6\n");
    let provider = json!({
        "name": "acme", "label": "Acme Inc.", "contact": "a@b.example", "urls": ["https://acme.example/kmp"],
        "fingerprints": [key.fingerprint()], "key": "https://acme.example/key.asc", "distributions": ["sles 15.*"],
        "packages": ["acme-kmp-*"], "vendors": ["pci:1af4"], "modaliases": ["pci:v00001AF4d00001000sv*sd*bc*sc*i*"]
    });
    let file = root.home().join("acme.json");
    let made = root.home().join("catalogue");
    let words = ["catalogue", "make", "--issuer", "My Linux", made.to_str().unwrap(), file.to_str().unwrap()];
    let mut claims = provider.clone();
    claims["modaliases"] = json!(["pci:v00008086d*"]);
    std::fs::write(&file, claims.to_string()).unwrap();
    let said = ends(&root, &words, 2);
    assert!(said.stderr.contains("begins with none of its vendor IDs"), "{said}");
    std::fs::write(&file, provider.to_string()).unwrap();
    good(&root, &words);
    let text = std::fs::read_to_string(made.join("catalogue.json")).unwrap();
    validate("catalogue", &text);
    assert!(
        std::fs::read_to_string(made.join("kmp-catalogue.spec"))
            .unwrap()
            .contains("/usr/share/kmp/catalogue/catalogue.json")
    );
    let package = PackageBuilder::new("kmp-catalogue", "1", "1")
        .file("/usr/share/kmp/catalogue/catalogue.json", text)
        .build();
    root.install(&[&package]);
    let listed = || kmp(&root, &["sources", "list"]).expect_success();
    let said = listed();
    assert!(
        said.stderr.contains("kmp-catalogue is not signed with a key that rpm trusts")
            && !said.stdout.contains("acme"),
        "{said}"
    );
    root.erase(&["kmp-catalogue"]);
    import_key(&root, &key.file());
    root.install(&[&key.sign(&package)]);
    let said = listed();
    assert!(
        said.stdout.contains("acme, Acme Inc.: offered") && said.stdout.contains("catalogue of My Linux"),
        "{said}"
    );
    let said = ends(&root, &["sources", "enable", "acme"], 2);
    assert!(
        said.stderr.contains("kmp sources enable --agree acme") && !root.exists("etc/kmp/sources/acme"),
        "{said}"
    );
    good(&root, &["sources", "enable", "--agree", "acme"]);
    let acme = document(&root, &["sources", "list"])["sources"][0].clone();
    assert_eq!((&acme["state"], &acme["packages"]), (&json!("enabled"), &json!(["acme-kmp-*"])));
    good(&root, &["sources", "disable", "acme"]);
    assert!(listed().stdout.contains("acme, Acme Inc.: disabled"));
    // Somebody has changed it since.
    root.write("usr/share/kmp/catalogue/catalogue.json", "{}");
    assert!(listed().stderr.contains("it is not what the package kmp-catalogue brought"));
}
