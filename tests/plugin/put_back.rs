// SPDX-License-Identifier: LGPL-2.1-or-later
//! What scripts put back after the links were made right, such as a distribution's own weak-modules in a kernel's %posttrans, is
//! taken out again at the end.

use testkit::{Package, TestRoot};

use crate::support::{NEW, OLD, depmods, kernel, link, rpm_env, site, telling};

/// A kernel that `foo` does not fit, whose %posttrans does this, after the links were made right.
fn breaking(then: &str) -> Package {
    let dir = format!("/usr/lib/modules/{NEW}/weak-updates");
    let looks = format!("[ -e {} ] && echo seen >> /looked", link(NEW, "bar"));
    let script = format!("{looks}; set -e; cd {dir}\n{then}\necho done >> /done");
    telling(&kernel(NEW, 8)).scriptlet("posttrans", &script).build()
}

fn links(root: &TestRoot, krel: &str) -> Vec<String> {
    root.weak_updates(krel).keys().map(|link| link.display().to_string()).collect()
}

#[track_caller]
fn goes_through(root: &TestRoot, package: &Package) {
    for program in ["/bin/ln", "/bin/rm"] {
        root.add_program(program, program);
    }
    rpm_env(root, &[("KMP_POLICY", "warn")], &["-i"], &[package]).expect_success();
    assert!(root.exists("done"), "the scriptlet failed");
    assert_eq!(root.read("looked"), "seen\n", "the links were not made right before");
}

/// As the original makes them: refused ones come back, and depmod's index has them.
#[test]
fn a_refused_link_that_came_back_is_taken_out_of_the_links_and_of_the_index() {
    let root = site();
    let put = format!("ln -s /usr/lib/modules/{OLD}/updates/foo.ko updates/foo.ko\ndepmod {NEW}");
    goes_through(&root, &breaking(&put));
    assert_eq!(links(&root, NEW), ["weak-updates/updates/bar.ko"]);
    let index = root.read(format!("usr/lib/modules/{NEW}/modules.dep"));
    assert!(index.contains("bar.ko") && !index.contains("foo.ko"), "{index}");
}

#[test]
fn a_link_that_was_removed_or_led_elsewhere_is_made_again() {
    for then in ["rm updates/bar.ko", "rm updates/bar.ko; ln -s /usr/lib/modules/none/bar.ko updates/bar.ko"]
    {
        let root = site();
        goes_through(&root, &breaking(then));
        let target = format!("/usr/lib/modules/{OLD}/updates/bar.ko");
        let links = root.weak_updates(NEW);
        let targets: Vec<&str> = links.values().map(|t| t.to_str().unwrap()).collect();
        assert_eq!(targets, [target], "{then}");
    }
}

/// Nothing is looked into twice where nobody has changed anything: depmod, too, has run once.
#[test]
fn where_nobody_has_changed_anything_nothing_is_done_again() {
    let root = site();
    goes_through(&root, &breaking("true"));
    assert_eq!(links(&root, NEW), ["weak-updates/updates/bar.ko"]);
    assert_eq!(depmods(&root).get(NEW), Some(&1));
}
