//! Modules of a kernel in a package of their own.

use crate::packages::{OLD, extra_modules, kernel_package};
use crate::site::{SHELLS, Site};
use crate::support::kernel;

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
