// SPDX-License-Identifier: LGPL-2.1-or-later
//! A distribution that is neither of SUSE's nor of Red Hat's family: verbs that read say so and go on, no link is changed, and a
//! line of kmp.conf is all that is needed.

use testkit::{TestRoot, run};

use crate::support::*;

/// A driver for the first kernel, whose link the second lacks, on a system that is of no known family.
fn unknown(os_release: Option<&str>) -> TestRoot {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    std::fs::remove_file(root.join(format!("usr/lib/modules/{SAME}/weak-updates/updates/foo.ko"))).unwrap();
    std::fs::remove_file(root.join("usr/lib/os-release")).unwrap();
    if let Some(text) = os_release {
        root.write("etc/os-release", text);
    }
    root
}

const DEBIAN: Option<&str> = Some("NAME=\"Debian GNU/Linux\"\nID=debian\n");
const WAY_OUT: &str = "\"dialect = suse\" or \"dialect = redhat\" in /etc/kmp.conf";

#[test]
fn reading_goes_on_and_asks_for_the_setting() {
    for (os_release, says) in [
        (DEBIAN, "the distribution \"debian\" is neither of SUSE's nor of Red Hat's family"),
        (Some("NAME=Mine\n"), "the os-release file has no ID of a known distribution"),
        (None, "there is no os-release file"),
    ] {
        let root = unknown(os_release);
        for args in [
            &["status"][..],
            &["check"],
            &["check", "--kernel", OTHER],
            &["explain", "foo", "--kernel", SAME],
        ] {
            let output = writes_nothing(&root, || kmp(&root, args));
            assert!(matches!(output.status, Some(0 | 1)), "{args:?}: {output}");
            assert!(output.stdout.contains("foo"), "{args:?}: {output}");
            let warnings: Vec<&str> = output.stderr.lines().filter(|line| line.contains("dialect")).collect();
            assert_eq!(warnings.len(), 1, "{args:?}: {output}");
            for part in ["warning: ", "/etc/os-release", says, WAY_OUT] {
                assert!(warnings[0].contains(part), "{part}: {args:?}: {output}");
            }
        }
    }
}

#[test]
fn what_would_change_links_refuses_until_the_dialect_is_set() {
    for os_release in [DEBIAN, None] {
        let root = unknown(os_release);
        for args in [
            &["sync"][..],
            &["sync", "--dry-run"],
            &["add-kernel", SAME],
            &["initrd"],
            &["initrd", "--dry-run"],
        ] {
            let before = links(&root, SAME);
            let output = ends(&root, args, 2);
            assert!(output.stderr.contains(WAY_OUT), "{args:?}: {output}");
            assert_eq!(links(&root, SAME), before, "{args:?}");
        }
        let output = run(&mut wm2_command(&root, &["--add-kernel", SAME]));
        assert_eq!(output.status, Some(1), "{output}");
        assert!(output.stderr.contains(WAY_OUT), "{output}");
        // Nor does a link go that nobody would want.
        root.erase(&["foo-kmp-default"]);
        root.symlink(
            format!("usr/lib/modules/{SAME}/weak-updates/updates/gone.ko"),
            format!("/usr/lib/modules/{OLD}/updates/gone.ko"),
        );
        ends(&root, &["sync"], 2);
        assert_eq!(links(&root, SAME), linked(&[("gone", OLD)]));
        root.write("etc/kmp.conf", "dialect = suse\n");
        good(&root, &["sync"]);
        assert_eq!(links(&root, SAME), Vec::<String>::new());
    }
}

/// depmod's work does not depend on it.
#[test]
fn kernels_get_their_index() {
    let root = unknown(DEBIAN);
    let index = root.join(format!("usr/lib/modules/{OLD}/modules.dep"));
    std::fs::remove_file(&index).unwrap();
    let output = ends(&root, &["sync", "--dry-run"], 2);
    assert!(!index.exists(), "{output}");
    let output = ends(&root, &["sync"], 2);
    assert!(output.stderr.contains(&format!("the initrd of kernel {OLD} were looked after")), "{output}");
    assert!(index.exists(), "{output}");
    // Once that is done nothing is written any more.
    writes_nothing(&root, || ends(&root, &["sync"], 2));
}

#[test]
fn dependencies_are_not_guessed() {
    let root = unknown(DEBIAN);
    let output = ends(&root, &["deps", "--provides", "--package", "foo"], 2);
    assert!(output.stderr.contains("--dialect"), "{output}");
}
