// SPDX-License-Identifier: LGPL-2.1-or-later
//! Files and KMPs that take the place of in-tree modules. Found by `cargo xtask judge`: the kernel loads such a file, and
//! then refuses the in-tree modules that used what it replaces. Two statements (cifsd-team/ksmbd#574, LINBIT/drbd#59).

use testkit::TestRoot;

use crate::support::{kernel, kmp, package, write};

const A: &str = "6.4.0-1-default";
const B: &str = "6.4.0-2-default";

/// In-tree `ksmbd` uses in-tree `ib_core`; a KMP built for A brings another `ib_core`, and `mlx5_ib`, which uses that.
fn ofed() -> TestRoot {
    let root = TestRoot::new();
    for krel in [A, B] {
        let base = kernel(krel, 7);
        let core = base.driver("ib_core").export("ib_reg", 5);
        let user = base.driver("ksmbd").need("ib_reg", 5).depends("ib_core");
        write(&base.clone().module("drivers/infiniband", core).module("fs", user), &root);
    }
    let base = kernel(A, 7);
    let core = base.driver("ib_core").export("ib_reg", 9);
    let user = base.driver("mlx5_ib").need("ib_reg", 9).depends("ib_core");
    let ofed = package("ofed", "24.10", &base, &[("ib_core", core), ("mlx5_ib", user)]);
    root.install(&[&ofed]);
    root
}

/// Built for A, it works in A; in B it is not linked, as by `weak-modules2`, so that ksmbd still loads there.
#[test]
fn a_driver_that_breaks_in_tree_modules_works_where_it_was_built_for() {
    let root = ofed();
    let first = kmp(&root, &["sync"]);
    assert_eq!((first.status, root.weak_updates(B).len()), (Some(0), 0), "{first}");
    let status = kmp(&root, &["status", "--kernel", A]);
    assert_eq!(status.status, Some(0), "{status}");
    assert!(status.stdout.contains("breaks: ksmbd"), "{status}");
    assert!(!status.stdout.contains("but would not load") && !status.stdout.contains("refused"), "{status}");
    let json = kmp(&root, &["status", "--json", "--kernel", A]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let of_kernel = &json["kernels"][0]["kmps"][0];
    assert_eq!(of_kernel["state"], "native", "{json}");
    assert_eq!(of_kernel["warnings"][0]["kind"], "breaks", "{json}");
    assert_eq!(of_kernel["warnings"][0]["module"], "ksmbd", "{json}");
    assert_eq!(of_kernel["warnings"].as_array().unwrap().len(), 1, "{json}");
    for verb in [&["check", "--kernel", A][..], &["explain", "ib_core", "--kernel", A]] {
        let output = kmp(&root, verb);
        assert_eq!(output.status, Some(0), "{output}");
        assert!(output.stdout.contains("breaks the in-tree module ksmbd: "), "{output}");
    }
    // In B it would load, and is not linked for what it breaks: that is not said to be a refusal anywhere.
    let other = kmp(&root, &["check", "--kernel", B]);
    assert_eq!(other.status, Some(1), "{other}");
    assert!(other.stdout.contains(&format!("  {B}  breaks\n")), "{other}");
    assert!(other.stdout.contains("breaks the in-tree module ksmbd: "), "{other}");
    let status = kmp(&root, &["status", "--kernel", B]);
    assert_eq!(status.status, Some(1), "{status}");
    assert!(status.stdout.contains("ofed-kmp-default in 6.4.0-2-default: breaks"), "{status}");
    let said = first.stderr + &status.stdout + &other.stdout;
    assert!(!said.contains("refused") && !said.contains("does not work"), "{said}");
    let json = |verb: &str| -> serde_json::Value {
        serde_json::from_str(&kmp(&root, &[verb, "--json", "--kernel", B]).stdout).unwrap()
    };
    let of = json("status")["kernels"][0]["kmps"][0].clone();
    assert_eq!((&of["state"], &of["reasons"]), (&"breaks".into(), &serde_json::json!([])), "{of}");
    assert_eq!(
        (&of["warnings"][0]["kind"], &of["warnings"][0]["module"]),
        (&"breaks".into(), &"ksmbd".into())
    );
    let checked = json("check");
    let modules = checked["kernels"][0]["modules"].as_array().unwrap();
    let core = modules.iter().find(|module| module["name"] == "ib_core").unwrap();
    assert_eq!((&core["state"], &core["fits"]), (&"breaks".into(), &true.into()), "{checked}");
    assert_eq!((&core["reasons"], &core["warnings"]), (&serde_json::json!([]), &of["warnings"]), "{checked}");
    let linked = json("sync");
    let none = linked["kernels"].as_array().unwrap().iter().flat_map(|k| k["not_linked"].as_array().unwrap());
    assert!(none.into_iter().all(|missing| missing["state"] == "breaks"), "{linked}");
}

#[test]
fn a_named_file_that_breaks_in_tree_users_fits_and_that_is_said() {
    let root = testkit::TestRoot::new();
    let base = kernel("6.4.0-1-default", 7);
    let used = base.driver("used").export("used_function", 5);
    let user = base.driver("user").need("used_function", 5).depends("used");
    write(&base.clone().module("lib", used.clone()).module("drivers", user), &root);
    root.write("new/bad/used.ko", base.driver("used").build());
    root.write("new/good/used.ko", used.build());

    let bad = kmp(&root, &["check", "--json", root.join("new/bad/used.ko").to_str().unwrap()]);
    assert_eq!(bad.status, Some(0), "{bad:?}");
    assert!(bad.stdout.contains("breaks the in-tree module user: "), "{bad:?}");
    let good = kmp(&root, &["check", root.join("new/good/used.ko").to_str().unwrap()]);
    assert_eq!(good.status, Some(0), "{good:?}");
    assert!(!good.stdout.contains("breaks"), "{good:?}");
}
