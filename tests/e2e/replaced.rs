//! Files that would take the place of in-tree modules. Found by `cargo xtask judge`: the kernel loads
//! such a file, and then refuses the in-tree modules that used what it replaces.

use crate::support::{kernel, kmp, write};

#[test]
fn a_named_file_that_breaks_in_tree_users_does_not_fit() {
    let root = testkit::TestRoot::new();
    let base = kernel("6.4.0-1-default", 7);
    let used = base.driver("used").export("used_function", 5);
    let user = base.driver("user").need("used_function", 5).depends("used");
    write(&base.clone().module("lib", used.clone()).module("drivers", user), &root);
    root.write("new/bad/used.ko", base.driver("used").build());
    root.write("new/good/used.ko", used.build());

    let bad = kmp(&root, &["check", "--json", root.join("new/bad/used.ko").to_str().unwrap()]);
    assert_eq!(bad.status, Some(1), "{bad:?}");
    assert!(bad.stdout.contains("the in-tree module user would no longer load"), "{bad:?}");
    let good = kmp(&root, &["check", root.join("new/good/used.ko").to_str().unwrap()]);
    assert_eq!(good.status, Some(0), "{good:?}");
}
