// SPDX-License-Identifier: LGPL-2.1-or-later
//! The order of directories that kmp ships for depmod, alone and beside a distribution's own.

use testkit::TestRoot;

use crate::support::*;

/// Which of the files of one name depmod lists.
fn winner(root: &TestRoot) -> String {
    root.depmod::<&str>(OLD, &[]).expect_success();
    let index = root.read(format!("usr/lib/modules/{OLD}/modules.dep"));
    let all: Vec<&str> =
        index.lines().filter_map(|l| l.split(':').next()).filter(|p| p.contains("foo")).collect();
    assert_eq!(all.len(), 1, "{index}");
    all[0].to_string()
}

#[test]
fn the_shipped_order_is_the_dialects_and_is_not_changed_by_the_same_once_more() {
    let suse = include_str!("../../packaging/depmod.d/suse.conf");
    let redhat = include_str!("../../packaging/depmod.d/redhat.conf");
    for (shipped, expected) in [(suse, "weak-updates/foo.ko"), (redhat, "kernel/foo.ko")] {
        let root = TestRoot::new();
        let kernel = kernel(OLD, 7);
        write(&kernel, &root);
        let module = driver("foo", &kernel, 7).build();
        for place in ["kernel", "weak-updates"] {
            root.write(format!("usr/lib/modules/{OLD}/{place}/foo.ko"), &module);
        }
        root.write("etc/depmod.d/kmp.conf", shipped);
        assert_eq!(winner(&root), expected);
        root.write("etc/depmod.d/00-system.conf", shipped);
        assert_eq!(winner(&root), expected);
        // Its own updates are above both.
        root.write(format!("usr/lib/modules/{OLD}/updates/foo.ko"), &module);
        assert_eq!(winner(&root), "updates/foo.ko");
    }
}

/// A linked module that replaces the kernel's own, and another package's that needs what only it exports: the second
/// is linked where depmod takes the first.
#[test]
fn what_depmod_passes_over_serves_nobody() {
    let in_dialect = |redhat: bool, config: &str| {
        let root = if redhat { red_hat() } else { TestRoot::new() };
        let releases = if redhat { [EL_OLD, EL_SAME] } else { [OLD, SAME] };
        let kernels = releases.map(|krel| {
            let kernel = kernel(krel, 7);
            let own = kernel.driver("acme");
            kernel.module("drivers", own)
        });
        kernels.iter().for_each(|k| write(k, &root));
        let built = &kernels[0];
        let acme = driver("acme", built, 7).export("acme_open", 5);
        let user = driver("user", built, 7).need("acme_open", 5);
        let packages = match redhat {
            true => {
                [kmod("acme", "1", built, &[("acme", acme)]), kmod("user", "1", built, &[("user", user)])]
            }
            false => [
                package("acme", "1", built, &[("acme", acme)]),
                package("user", "1", built, &[("user", user)]),
            ],
        };
        root.write("etc/depmod.d/a.conf", config);
        root.install(&packages.iter().collect::<Vec<_>>());
        good(&root, &["sync", "--no-initrd"]);
        links(&root, releases[1]).len()
    };
    let order = "search updates extra built-in weak-updates\n";
    for (redhat, config, expected) in [
        (true, order.to_string(), 1),
        (true, format!("{order}override acme 5.14.0-(70|162)[.]el9 weak-updates/acme\n"), 2),
        (true, format!("{order}override acme 5.14.0-162 \\\n weak-updates/acme\n"), 2),
        (true, format!("{order}override acme * weak-updates\n"), 1),
        (true, format!("{order}override acme ^4.18 weak-updates/acme\n"), 1),
        (true, format!("{order}override acme * weak-updates/acme\noverride acme * kernel/drivers\n"), 1),
        (false, String::new(), 2),
        (false, order.to_string(), 1),
        (false, format!("{order}override acme * weak-updates/updates\n"), 2),
    ] {
        assert_eq!(in_dialect(redhat, &config), expected, "{config}");
    }
}

#[test]
fn a_module_in_an_external_directory_keeps_a_link_out_where_it_wins() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.write("opt/drivers/foo.ko", driver("foo", &old, 7).build());
    root.install(&[&one_module("foo", "1", &old, 7)]);
    root.write(
        "etc/depmod.d/a.conf",
        format!("search external weak-updates built-in\nexternal ^{SAME}$ /opt/drivers\n"),
    );
    good(&root, &["sync", "--no-initrd"]);
    assert!(links(&root, SAME).is_empty());
    let said = json(&root, &["status", "--kernel", SAME]);
    let detail = said["kernels"][0]["kmps"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("/opt/drivers/foo.ko") && detail.contains("external"), "{detail}");
    root.write(
        "etc/depmod.d/a.conf",
        format!("search weak-updates external built-in\nexternal ^{SAME}$ /opt/drivers\n"),
    );
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}
