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
