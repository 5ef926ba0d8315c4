// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who signed a package that a repository has, and who supports it: by its header, which is fetched alone, or by its file.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;

use rpm_meta::openpgp::groups;
use serde_json::{Value, json};
use testkit::{Package, PackageBuilder, Server, SigningKey, corrupted, import_key};

use crate::devices::device;
use crate::schemas::validate;
use crate::support::{OTHER, driver, good, json as of_verb, kernel};
use crate::update::{index, json as document, offered, site};

/// A build of foo for the kernel that comes, which is also for a device.
fn for_new() -> Package {
    let kernel = kernel(OTHER, 8);
    let alias = "pci:v00000ACEd*sv*sd*bc*sc*i*";
    let module = driver("foo", &kernel, 8).supported("external").alias(alias).build();
    PackageBuilder::kmp("foo", "default", "2.0", OTHER, [("foo.ko", module)])
        .provides("kmod(foo.ko)")
        .requires("ksym(default:changing) = 8")
        .requires(&format!("ksym(default:printk) = {:x}", 0x1000_0001))
        .tag("Supplements", &format!("modalias(kernel-default:{alias})"))
        .tag("Vendor", "Acme")
        .tag("Packager", "Ann <ann@acme.example>")
        .build()
}

#[test]
fn who_signed_a_package_of_a_repository_is_said_as_far_as_it_is_known() {
    let (known, other) = (SigningKey::new("Acme <a@b.example>"), SigningKey::new("Other <c@d.example>"));
    let root = site();
    import_key(&root, &known.file());
    device(&root, "02.0", "0ACE", None);
    root.mkdir("served");
    let server = Server::http(&root.join("served"));
    root.write("etc/zypp/repos.d/a.repo", format!("[a]\nenabled=1\nbaseurl={}\n", server.url()));
    let (new, plain) = (offered(OTHER, 8).build(), for_new());
    let name = |package: &Package| package.path().file_name().unwrap().to_str().unwrap().to_owned();
    root.write(format!("served/{}", name(&new)), fs::read(new.path()).unwrap());
    let cached = format!("var/cache/zypp/packages/a/{}", name(&plain));
    let of_update = |words: &[&str]| {
        let found = document(&root, &[&["update", "--dry-run"], words].concat());
        validate("update", &found.to_string());
        let kernel =
            found["kernels"].as_array().unwrap().iter().find(|k| k["krel"] == OTHER).unwrap().clone();
        let driver = &kernel["drivers"][0];
        assert_eq!(driver["verdict"], "comes-along", "{found}");
        assert_eq!(
            (&driver["vendor"], &driver["packager"]),
            (&json!("Acme"), &json!("Ann <ann@acme.example>"))
        );
        kernel["drivers"][0]["signature"].clone()
    };
    let of_devices = |words: &[&str]| {
        let found = of_verb(&root, &[&["devices"], words].concat());
        validate("devices", &found.to_string());
        let devices = found["devices"].as_array().unwrap();
        let offer =
            &devices.iter().find(|d| d["modalias"].as_str().unwrap().contains("0ACE")).unwrap()["offers"][0];
        assert_eq!(
            (&offer["vendor"], &offer["packager"]),
            (&json!("Acme"), &json!("Ann <ann@acme.example>"))
        );
        offer["signature"].clone()
    };
    let read = |package: &Package| fs::read(package.path()).unwrap();
    let (good_one, others) = (known.sign(&plain), other.sign(&plain));
    for (bytes, trust, key, words) in [
        (
            read(&good_one),
            "good",
            Some(&known),
            format!("signed by Acme <a@b.example> with the key {}", groups(known.fingerprint())),
        ),
        (
            read(&others),
            "unknown-key",
            Some(&other),
            format!("signed by the key {}, which rpm does not know", groups(other.fingerprint())),
        ),
        (read(&plain), "unsigned", None, "not signed, so that anybody".to_owned()),
        (
            corrupted(&good_one, Some("A package for tests")),
            "corrupt",
            None,
            "not what it was when it was made".to_owned(),
        ),
    ] {
        root.write(format!("served/{}", name(&plain)), &bytes);
        index(&root, "served");
        let _ = fs::remove_dir_all(root.join("var/cache/zypp"));
        root.mkdir("var/cache/zypp/raw/a");
        testkit::run(
            std::process::Command::new("cp")
                .arg("-r")
                .arg(root.join("served/repodata"))
                .arg(root.join("var/cache/zypp/raw/a")),
        )
        .expect_success();
        for found in [of_update(&[]), of_devices(&[])] {
            assert_eq!((&found["trust"], &found["signers"]), (&json!("unknown"), &json!([])), "{found}");
            assert!(found["detail"].as_str().unwrap().contains("not fetched"), "{found}");
        }
        let is_so = |found: &Value, is_whole: bool| {
            assert_eq!((&found["trust"], &found["whole"]), (&json!(trust), &json!(is_whole)), "{found}");
            if trust != "corrupt" {
                let signer = key.map(|key| json!(key.fingerprint()));
                assert_eq!(found["signers"].get(0).map(|signer| signer["key"].clone()), signer, "{found}");
                assert_eq!(
                    found["supported"],
                    if is_whole { json!("external") } else { json!(null) },
                    "{found}"
                );
            }
        };
        is_so(&of_update(&["--fetch"]), false);
        is_so(&of_devices(&["--fetch"]), false);
        // On this machine: the whole package.
        root.write(&cached, &bytes);
        is_so(&of_update(&[]), true);
        is_so(&of_devices(&[]), true);
        let said = good(&root, &["update", "--dry-run"]);
        let text = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&format!("comes along, from a, by Acme; {words}")), "{said}");
    }
    // A server that has another package there: its signature is worth nothing.
    fs::remove_file(root.join(&cached)).unwrap();
    let changed = PackageBuilder::new("other", "1", "1").build();
    root.write(format!("served/{}", name(&plain)), read(&known.sign(&changed)));
    let found = of_devices(&["--fetch"]);
    assert!(
        found["trust"] == "unknown" && found["detail"].as_str().unwrap().contains("is other-1-1"),
        "{found}"
    );
}
