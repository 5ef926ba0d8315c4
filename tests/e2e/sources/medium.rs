// SPDX-License-Identifier: LGPL-2.1-or-later
//! Driver media.

use std::process::Command;

use rpm_meta::openpgp::groups;
use serde_json::json;
use testkit::{Package, SigningKey, run};

use super::{document, fetched, file_name, for_new, put, site};
use crate::schemas::validate;
use crate::support::{OLD, ends, kernel, kmp};
use crate::update::build;

/// A medium is shown, nothing is done before somebody has agreed to its key, and what is not signed with it is refused.
#[test]
fn a_medium_registers_its_source_once_its_key_is_accepted() {
    let (key, other) = (SigningKey::new("Acme <a@b.example>"), SigningKey::new("Other <c@d.example>"));
    let root = site("http://127.0.0.1:9/", &[]);
    let (package, unsigned) = (key.sign(&for_new("2.0")), build("bar", "1.0", &kernel(OLD, 7), 7).build());
    let (dir, key_file) = (root.home().join("medium"), key.file());
    let make = |packages: &[&Package]| {
        let mut words = vec![
            "medium",
            "make",
            "--key",
            key_file.to_str().unwrap(),
            "--label",
            "Acme Inc.",
            "--contact",
            "a@b.example",
        ];
        words.extend(["--source", "ftp://127.0.0.1:9/kmp", "--name", "acme", dir.to_str().unwrap()]);
        words.extend(packages.iter().map(|package| package.path().to_str().unwrap()));
        kmp(&root, &words)
    };
    for (bad, why) in
        [(&unsigned, "is not signed, and nobody"), (&other.sign(&for_new("2.1")), "is not signed with")]
    {
        let said = make(&[&package, bad]);
        assert!(said.status == Some(2) && said.stderr.contains(why), "{said}");
        let _ = std::fs::remove_dir_all(&dir);
    }
    let said = make(&[&package]).expect_success();
    assert!(said.stdout.contains(&groups(key.fingerprint())), "{said}");
    for file in
        ["media.1/media", "media.1/products", "repodata/repomd.xml", "driver-setup", "kmp/sources/acme"]
    {
        assert!(dir.join(file).is_file(), "{file}");
    }
    // Somebody adds packages to a copy of it.
    put(&dir.join("packages"), file_name(&unsigned), std::fs::read(unsigned.path()).unwrap());
    let path = dir.to_str().unwrap();
    let before = root.tree();
    let said = ends(&root, &["medium", "add", path], 2);
    for shown in [
        "Acme Inc.",
        "contact: a@b.example",
        "newer packages will come from ftp://127.0.0.1:9/kmp/",
        &groups(key.fingerprint()),
    ] {
        assert!(said.stdout.contains(shown), "{shown}: {said}");
    }
    assert!(
        said.stdout.contains(
            "default-2.0_k6.4.0_3-1.x86_64.rpm: fits no kernel that is installed; signature: unknown-key"
        ),
        "{said}"
    );
    assert!(
        said.stdout.contains(&format!("{}: fits {OLD}; signature: unsigned", file_name(&unsigned))),
        "{said}"
    );
    assert!(said.stderr.contains("nobody can be asked") && said.stderr.contains(key.fingerprint()), "{said}");
    let said = ends(&root, &["medium", "add", "--accept-key", other.fingerprint(), path], 2);
    assert!(said.stderr.contains("nothing was registered"), "{said}");
    testkit::same_tree(&root.tree(), &before, "nothing was agreed to");
    // As an image, where this machine has loop devices; mounted for that command alone.
    let image = root.home().join("medium.img");
    run(Command::new("mksquashfs").arg(&dir).arg(&image).args(["-quiet", "-no-progress"])).expect_success();
    let device = run(Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(&image));
    let has_loop = device.success();
    if has_loop {
        run(Command::new("losetup").args(["--detach", device.stdout.trim()])).expect_success();
    } else {
        testkit::skip("no loop device can be used here: the medium is a directory");
    }
    let medium = if has_loop { image.to_str().unwrap() } else { path };
    let said = ends(&root, &["medium", "add", "--accept-key", key.fingerprint(), medium], 1);
    assert!(
        said.stderr.contains("bar-kmp-default-1.0_k6.4.0_1-1.x86_64.rpm is refused: it is not signed"),
        "{said}"
    );
    assert!(
        said.stdout.contains("zypper install foo-kmp-default") && !said.stdout.contains("bar-kmp-default\n"),
        "{said}"
    );
    assert!(!std::fs::read_to_string("/proc/mounts").unwrap().contains(image.to_str().unwrap()));
    assert_eq!(fetched(&root), ["acme/foo-kmp-default-2.0_k6.4.0_3-1.x86_64.rpm"]);
    let sources = document(&root, &["sources", "list"]);
    validate("sources", &sources.to_string());
    validate("medium", &document(&root, &["medium", "add", "--yes", path]).to_string());
    let acme = &sources["sources"][0];
    assert_eq!(
        (&acme["name"], &acme["state"], &acme["from"]),
        (&json!("acme"), &json!("enabled"), &json!("administrator"))
    );
    assert_eq!(acme["fingerprints"], json!([{"digits": key.fingerprint(), "trusted": true}]));
    assert_eq!(document(&root, &["key", "list"])["keys"][0]["sources"], json!(["acme"]));
    // What it brought is what the kernel that comes needs.
    ends(&root, &["update"], 0);
}
