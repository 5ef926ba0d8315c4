// SPDX-License-Identifier: LGPL-2.1-or-later
//! A distribution of no known family: nothing is judged, nothing is stopped, no link is changed, and one warning says what to do.

use crate::support::{NEW, OLD, kernel, link, rpm, site, telling};

#[test]
fn the_transaction_goes_on_with_one_warning_and_every_kernel_gets_its_index() {
    let root = site();
    std::fs::remove_file(root.join("usr/lib/os-release")).unwrap();
    root.write("etc/os-release", "ID=debian\n");
    let new = kernel(NEW, 8);
    let own = new.driver("own").need("printk", 0x1000_0001);
    let breaking = telling(&new.module("drivers", own)).build();
    let output = rpm(&root, &["-i"], &[&breaking]).expect_success();
    let warnings: Vec<&str> = output.stderr.lines().filter(|line| line.contains("dialect")).collect();
    assert_eq!(warnings.len(), 1, "{output}");
    assert!(warnings[0].starts_with("warning: kmp: the transaction is not judged"), "{output}");
    assert!(warnings[0].contains("\"dialect = suse\" or \"dialect = redhat\" in /etc/kmp.conf"), "{output}");
    for base in ["foo", "bar"] {
        assert!(!root.exists(link(NEW, base)), "{output}");
    }
    for krel in [OLD, NEW] {
        assert!(root.exists(format!("usr/lib/modules/{krel}/modules.dep")), "{krel}: {output}");
    }
    // With the dialect set it is stopped.
    let root = site();
    root.write("etc/os-release", "ID=debian\n");
    root.write("etc/kmp.conf", "dialect = suse\n");
    let output = rpm(&root, &["-i"], &[&breaking]);
    assert!(!output.success() && output.stderr.contains("error: kmp: foo-kmp-default-"), "{output}");
}
