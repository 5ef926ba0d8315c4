// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules of a kernel in a package of their own.

use crate::packages::{OLD, extra_modules, kernel_package};
use crate::site::{SHELLS, Site, dracut};
use crate::support::{kernel, turn_on};

#[test]
fn they_come_are_rebuilt_and_go() {
    for shell in SHELLS {
        let site = Site::new(shell);
        let old = kernel(OLD, 7);
        site.good(&["-i"], &[&kernel_package(&old).build()]);
        site.calls();
        // Whether an initrd is made is another matter; rpm -ql tells of both packages in a reinstallation.
        let calls = || {
            let mut calls = site.calls();
            calls.retain(|call| !call.starts_with("dracut"));
            calls.dedup();
            calls
        };
        let list = format!("  < /usr/lib/modules/{OLD}/kernel/in_tree.ko");
        let call = |verb: &str| format!("weak-modules2 [--{verb}-kernel-modules] [{OLD}]");
        let (first, rebuilt) = (extra_modules(&old, "1").build(), extra_modules(&old, "2").build());
        site.depmods(OLD);
        site.good(&["-i"], &[&first]);
        assert_eq!(calls(), [call("add"), list.clone(), "regenerate-initrd-posttrans".into()]);
        assert_eq!(site.depmods(OLD), 1);
        // boo#1191200: the files are the new one's.
        for options in [&["-U"][..], &["-U", "--reinstall"]] {
            let output = site.rpm(options, &[&rebuilt]).expect_success();
            let said = output.stderr.as_str();
            assert!(said.starts_with("inkmp-postun: kernel-default-extra-6.4.0-"), "{said}");
            assert!(said.ends_with(": no modules went\n") && said.lines().count() == 1, "{said}");
            assert_eq!(calls(), [call("add"), list.clone(), "regenerate-initrd-posttrans".into()]);
        }
        site.depmods(OLD);
        site.good(&["-e", rebuilt.name()], &[]);
        assert_eq!(calls(), [call("remove"), list]);
        assert_eq!(site.depmods(OLD), 1);
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

/// With the plugin and without: dracut knows which of them the hardware wants.
#[test]
fn an_initrd_is_made_when_they_come_and_when_they_go() {
    for plugin in [false, true] {
        let site = Site::new(SHELLS[0]);
        if plugin {
            turn_on(&site.root);
        }
        let old = kernel(OLD, 7);
        let extra = extra_modules(&old, "1").build();
        let dracuts = || site.calls().into_iter().filter(|call| *call == dracut(OLD)).count();
        site.rpm(&["-i"], &[&kernel_package(&old).build()]).expect_success();
        assert_eq!(dracuts(), 1);
        for change in [&["-i"][..], &["-e", extra.name()], &["-i"]] {
            let files = if change[0] == "-i" { &[&extra][..] } else { &[] };
            site.rpm(change, files).expect_success();
            // A removal has no posttrans: it is made at once, or, with the plugin, by the file trigger of kmp's package.
            let expected = match plugin && change[0] == "-e" {
                true => (0, vec!["regenerate-initrd".to_string()]),
                false => (1, vec![]),
            };
            assert_eq!((dracuts(), site.left_in_run()), expected, "{change:?}, plugin: {plugin}");
            if expected.0 == 0 {
                std::fs::remove_dir_all(site.root.join("run/regenerate-initrd")).unwrap();
            }
        }
    }
}

#[test]
fn they_go_with_their_kernel() {
    for shell in SHELLS {
        let site = Site::new(shell);
        let old = kernel(OLD, 7);
        let packages = [kernel_package(&old).build(), extra_modules(&old, "1").build()];
        site.good(&["-i"], &packages.each_ref());
        site.rpm(&["-e", packages[0].name(), packages[1].name()], &[]).expect_success();
        assert!(!site.root.exists(format!("usr/lib/modules/{OLD}")));
        assert_eq!(site.boot(), [""; 0]);
    }
}
