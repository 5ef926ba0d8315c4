// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `kmp update` finds in package files, where the repositories' lists do not say enough.

use std::fs;

use serde_json::Value;
use testkit::{Package, PackageBuilder, Server, SigningKey, TestRoot, import_key};

use crate::support::{OLD, driver, ends, kernel};
use crate::update::{build, fates, index, json, offered, site};

const NEW: &str = "6.4.0-2-default";

/// A repository with these package files, and its option.
fn with_files(root: &TestRoot, name: &str, packages: &[&Package]) -> String {
    let _ = fs::remove_dir_all(root.join(name));
    for package in packages {
        let file = package.path().file_name().unwrap().to_str().unwrap();
        root.write(format!("{name}/{file}"), fs::read(package.path()).unwrap());
    }
    index(root, name)
}

fn why(document: &Value) -> String {
    document["kernels"][1]["drivers"][0]["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_package_file_at_hand_says_what_lists_do_not() {
    let root = site();
    // Neither the kernel nor the builds list any symbol.
    let silent = PackageBuilder::kernel(&kernel(NEW, 8)).build();
    let one = |crc: u32| {
        let module = driver("foo", &kernel(NEW, crc), crc).build();
        PackageBuilder::kmp("foo", "default", "2.0", NEW, [("foo.ko", module)]).build()
    };
    let (good, bad) = (one(8), one(9));
    let comes = format!("{NEW} comes foo-kmp-default=comes-along:foo-kmp-default-2.0_k6.4.0_2-1.x86_64");
    let held = format!("{NEW} held foo-kmp-default=missing:-");
    for (build, fate) in [(&good, &comes), (&bad, &held)] {
        let repo = with_files(&root, "repo", &[&silent, build]);
        assert_eq!(fates(&json(&root, &["update", "--dry-run", &repo])), [fate.as_str()]);
    }
    // One that is not the one that the list means does not count.
    let repo = with_files(&root, "repo", &[&silent, &good]);
    let name = silent.path().file_name().unwrap().to_str().unwrap().to_owned();
    let other = PackageBuilder::kernel(&kernel(NEW, 7)).build();
    root.write(format!("repo/{name}"), fs::read(other.path()).unwrap());
    let document = json(&root, &["update", "--dry-run", &repo]);
    assert!(fates(&document)[0].starts_with(&format!("{NEW} unknown ")), "{document}");
    // zypper's cache of packages, of a repository whose lists it has.
    root.write("etc/zypp/repos.d/a.repo", "[a]\nenabled=1\nbaseurl=http://localhost:1/x\n");
    root.mkdir("var/cache/zypp/raw/a");
    fs::rename(root.join("repo/repodata"), root.join("var/cache/zypp/raw/a/repodata")).unwrap();
    let is_unknown = |words: &[&str]| {
        let document = json(&root, &[&["update", "--dry-run"], words].concat());
        fates(&document)[0].starts_with(&format!("{NEW} unknown "))
    };
    assert!(is_unknown(&[]));
    // Or from its server, if that is asked for; what has another checksum is no more than nothing.
    root.mkdir("served");
    let server = Server::http(&root.join("served"));
    root.write("etc/zypp/repos.d/a.repo", format!("[a]\nenabled=1\nbaseurl={}\n", server.url()));
    assert!(is_unknown(&["--fetch"]));
    for package in [&silent, &good] {
        let file = package.path().file_name().unwrap().to_str().unwrap();
        root.write(format!("served/{file}"), fs::read(package.path()).unwrap());
    }
    assert!(is_unknown(&[]));
    assert_eq!(fates(&json(&root, &["update", "--dry-run", "--fetch"])), [comes.as_str()]);
    root.write(format!("served/{name}"), fs::read(other.path()).unwrap());
    assert!(is_unknown(&["--fetch"]));
    drop(server);
    for package in [&silent, &good] {
        let file = package.path().file_name().unwrap().to_str().unwrap();
        root.write(format!("var/cache/zypp/packages/a/{file}"), fs::read(package.path()).unwrap());
    }
    assert_eq!(fates(&json(&root, &["update", "--dry-run"])), [comes.as_str()]);
}

#[test]
fn with_same_key_a_build_of_another_vendor_counts_if_the_installed_ones_key_has_signed_it() {
    let (key, other) = (SigningKey::new("Nics <a@b>"), SigningKey::new("Others <c@d>"));
    let root = TestRoot::new();
    import_key(&root, &key.file());
    import_key(&root, &other.file());
    let of = |vendor: &str, version: &str, krel: &str, crc: u32| {
        build("foo", version, &kernel(krel, crc), crc).tag("Vendor", vendor).build()
    };
    root.install(&[&offered(OLD, 7).build(), &key.sign(&of("One", "1.0", OLD, 7))]);
    root.write("etc/kmp.conf", "vendor-change = same-key\n");
    let new = offered(NEW, 8).build();
    let foreign = of("Two", "2.0", NEW, 8);
    let args = |repo: &'static str| ["update", "--dry-run", repo];
    let option: &'static str =
        Box::leak(format!("--repo=repo={}", root.join("repo").display()).into_boxed_str());
    for (build, is_held, words) in [
        (key.sign(&foreign), false, "2.0"),
        (other.sign(&foreign), true, "signed with another key"),
        (foreign, true, "not signed with a key that rpm trusts"),
    ] {
        with_files(&root, "repo", &[&new, &build]);
        let document = json(&root, &args(option));
        assert_eq!(document["kernels"][1]["verdict"] == "held", is_held, "{words}: {document}");
        assert!(why(&document).contains(words), "{words}: {document}");
    }
    let signed = key.sign(&of("Two", "2.0", NEW, 8));
    with_files(&root, "repo", &[&new, &signed]);
    let file = signed.path().file_name().unwrap().to_str().unwrap().to_owned();
    fs::remove_file(root.join("repo").join(file)).unwrap();
    let document = json(&root, &args(option));
    assert!(why(&document).contains("not at hand"), "{document}");
    ends(&root, &args(option), 1);
    root.write("etc/kmp.conf", "vendor-change = no\n");
    assert!(why(&json(&root, &args(option))).contains("vendor-change is no"));
    // One of the same vendor is as good as ever.
    with_files(&root, "repo", &[&new, &of("One", "2.0", NEW, 8)]);
    let document = json(&root, &args(option));
    assert_eq!(document["kernels"][1]["verdict"], "comes", "{document}");
}
