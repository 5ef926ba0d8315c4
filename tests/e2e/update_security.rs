// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which security updates a held kernel keeps back, from the repositories' updateinfo.

use std::process::Command;

use testkit::run;

use crate::support::kmp;
use crate::update::{json, offered, repository, site};

/// An advisory as createrepo_c's programs know it, of a kernel's package.
fn update(id: &str, kind: &str, package: &str, release: u32, cves: &[&str]) -> String {
    let references: String =
        cves.iter().map(|cve| format!("<reference href='x' id='{cve}' title='t' type='cve'/>")).collect();
    format!(
        "<update from='m@x' status='stable' type='{kind}' version='1'><id>{id}</id><title>t</title>\
         <severity>important</severity><issued date='2026-01-01'/><references>{references}</references>\
         <description>d</description><pkglist><collection><name>c</name>\
         <package name='{package}' version='6.4.0' release='{release}' epoch='0' arch='x86_64' src='k.src.rpm'>\
         <filename>k.rpm</filename></package></collection></pkglist></update>"
    )
}

#[test]
fn what_a_held_kernel_keeps_back_is_said_everywhere() {
    let root = site();
    let repo = repository(&root, "base", &[offered("6.4.0-2-default", 8), offered("6.4.0-3-default", 7)]);
    let updates = [
        update("OLD-1", "security", "kernel-default", 1, &["CVE-2026-1"]),
        update("SEC-2", "security", "kernel-default", 2, &["CVE-2026-2", "CVE-2026-22", "not-a-cve"]),
        update("BUG-2", "recommended", "kernel-default", 2, &[]),
        update("SEC-3", "security", "kernel-default", 3, &["CVE-2026-3"]),
        update("OTHER", "security", "bash", 9, &["CVE-2026-9"]),
        update("LATER", "security", "kernel-default", 9, &["CVE-2026-99"]),
    ];
    root.write("updateinfo.xml", format!("<updates>{}</updates>", updates.concat()));
    let mut modifyrepo = Command::new("modifyrepo_c");
    run(modifyrepo.arg(root.join("updateinfo.xml")).arg(root.join("base/repodata"))).expect_success();
    let args = ["update", "--offline", "--keep", &repo];
    let ids = |advisories: &serde_json::Value| -> Vec<String> {
        advisories.as_array().unwrap().iter().map(|a| a["id"].as_str().unwrap().to_owned()).collect()
    };
    // The newest fits: it brings all, and the one that is held keeps nothing back.
    let document = json(&root, &args);
    let of = |document: &serde_json::Value, krel: &str| -> (String, Vec<String>) {
        let kernels = document["kernels"].as_array().unwrap();
        let kernel = kernels.iter().find(|k| k["krel"] == krel).unwrap();
        (kernel["verdict"].as_str().unwrap().to_owned(), ids(&kernel["advisories"]))
    };
    let both = vec!["SEC-2".to_owned(), "SEC-3".to_owned()];
    assert_eq!(of(&document, "6.4.0-3-default"), ("comes".into(), both.clone()));
    assert_eq!(of(&document, "6.4.0-2-default"), ("held".into(), vec![]));

    // Another line's newest is of no use.
    let repo = repository(&root, "base", &[offered("6.4.0-3-default", 9)]);
    let mut modifyrepo = Command::new("modifyrepo_c");
    run(modifyrepo.arg(root.join("updateinfo.xml")).arg(root.join("base/repodata"))).expect_success();
    let args = ["update", "--offline", "--keep", &repo];
    // The second time from what is kept.
    for _ in 0..2 {
        let document = json(&root, &args);
        assert_eq!(of(&document, "6.4.0-3-default"), ("held".into(), both.clone()));
        assert_eq!(document["kernels"][1]["advisories"][0]["severity"], "important");
        assert_eq!(document["kernels"][1]["advisories"][0]["cves"].as_array().unwrap().len(), 2);
    }
    let line = "it keeps back 2 security updates: SEC-2 (important): CVE-2026-2, CVE-2026-22; SEC-3 (important): CVE-2026-3";
    for args in [&args[..], &["hold"]] {
        let said = kmp(&root, args).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(ids(&json(&root, &["hold"])["held"][0]["advisories"]), both);
    let status: serde_json::Value = serde_json::from_str(&kmp(&root, &["status", "--json"]).stdout).unwrap();
    assert_eq!(ids(&status["held"][0]["advisories"]), both);
    let status = kmp(&root, &["status"]).stdout;
    let status = status.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains("with 2 security updates"), "{status}");
}
