// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp sync` and the verbs of scriptlets: what they say, and how they end.

use testkit::TestRoot;

use crate::support::*;

#[test]
fn what_is_done_is_told() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    let nvr = foo.nvr();
    let misfit = format!(
        "{OTHER}: {nvr} not linked: foo: changing was 0x00000007 when it was built, vmlinux has 0x00000008\n"
    );
    let dry = writes_nothing(&root, || ends(&root, &["sync", "--dry-run"], 1).stdout);
    assert_eq!(
        dry,
        format!("{OLD}: depmod would run\n{SAME}: would be: {nvr} added\n{SAME}: depmod would run\n{misfit}")
    );
    assert_eq!(good(&root, &["sync"]).stdout, format!("{SAME}: {nvr} added\n{misfit}"));
    let idle = format!("{misfit}Nothing to do.\n");
    assert_eq!(good(&root, &["sync"]).stdout, idle);
    assert_eq!(writes_nothing(&root, || good(&root, &["sync", "--dry-run"])).stdout, idle);
    // Something took one away.
    std::fs::remove_file(root.join(format!("usr/lib/modules/{SAME}/weak-updates/updates/foo.ko"))).unwrap();
    assert_eq!(good(&root, &["sync", "--kernel", SAME]).stdout, format!("{SAME}: {nvr} added\n"));
    root.erase(&[foo.name()]);
    assert_eq!(
        good(&root, &["sync"]).stdout,
        format!("{SAME}: {nvr} removed\n").replace(nvr, "dangling link updates/foo.ko")
    );
}

#[test]
fn scriptlets_verbs_print_json_as_well() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    let added = json(&root, &["add-kmp", foo.nvr()]);
    assert_eq!(added["kernels"][1]["changes"][0]["change"], "added", "{added}");
    let again = json(&root, &["add-kernel", SAME]);
    assert_eq!(
        (&again["kernels"][1]["release"], &again["kernels"][1]["changes"]),
        (&SAME.into(), &serde_json::json!([]))
    );
}

#[test]
fn json_of_a_run() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    for (args, depmod) in
        [(&["sync", "--dry-run"][..], "due"), (&["sync"], "written"), (&["sync"], "up-to-date")]
    {
        let found = json(&root, args);
        let kernels = found["kernels"].as_array().unwrap();
        let releases: Vec<_> = kernels.iter().map(|k| k["release"].as_str().unwrap()).collect();
        assert_eq!(releases, [OLD, SAME, OTHER]);
        assert_eq!(kernels[1]["depmod"], depmod, "{found}");
        assert_eq!(kernels[2]["depmod"], "up-to-date", "{found}");
        let changes = kernels[1]["changes"].as_array().unwrap();
        if depmod == "up-to-date" {
            assert!(changes.is_empty(), "{found}");
        } else {
            let added = serde_json::json!({ "change": "added", "package": foo.nvr() });
            assert_eq!(changes[0], added, "{found}");
        }
        assert_eq!(kernels[2]["not_linked"][0]["package"], foo.nvr(), "{found}");
        assert!(kernels[0].get("error").is_none(), "{found}");
    }
}

#[test]
fn a_failure_is_in_the_json_too() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let output = DepmodLog::failing_for(&root, SAME).kmp(&root, &["sync", "--json"]);
    assert_eq!(output.status, Some(2), "{output}");
    let found: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(found["kernels"][1]["depmod"], "failed", "{found}");
    assert!(found["kernels"][1]["error"].as_str().unwrap().contains(SAME), "{found}");
}

#[test]
fn only_the_kernels_that_are_named() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync", "--kernel", SAME]);
    assert_eq!(links(&root, SAME).len(), 1);
    assert!(links(&root, "6.4.0-4-default").is_empty());
    let output = ends(&root, &["sync", "--kernel", "6.9-default"], 2);
    assert!(output.stderr.contains("there is no kernel 6.9-default"), "{output}");
    assert!(links(&root, "6.4.0-4-default").is_empty());
}

#[test]
fn a_kernel_is_added() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    // Of kernels that were not named only what was done is said.
    assert_eq!(good(&root, &["add-kernel", SAME]).stdout, format!("{SAME}: {} added\n", foo.nvr()));
    let output = ends(&root, &["add-kernel", "6.9-default"], 2);
    assert!(output.stderr.contains("there is no kernel 6.9-default"), "{output}");
    // A kernel that does not fit is no failure: the transaction goes on.
    assert!(good(&root, &["add-kernel", OTHER]).stdout.contains("not linked"));
    assert_eq!(good(&root, &["remove-kernel", SAME]).stdout, format!("{SAME}: {} removed\n", foo.nvr()));
}

#[test]
fn the_running_kernel_is_none_of_another_roots() {
    let root = TestRoot::new();
    let running = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    write(&kernel(running.trim(), 7), &root);
    for verb in ["add-kernel", "remove-kernel"] {
        let output = ends(&root, &[verb], 2);
        assert!(output.stderr.contains("name a kernel"), "{output}");
    }
}

#[test]
fn a_kmp_is_added_and_removed() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let (foo, bar) = (one_module("foo", "1", &old, 7), one_module("bar", "1", &old, 9));
    root.install(&[&foo, &bar]);
    let said = good(&root, &["add-kmp", foo.nvr()]).stdout;
    // Why bar is not linked is not asked.
    assert!(said.contains(&format!("{SAME}: {} added\n", foo.nvr())), "{said}");
    assert!(said.contains(&format!("{OTHER}: {} not linked: ", foo.nvr())), "{said}");
    assert!(!said.contains("bar"), "{said}");
    let output = good(&root, &["add-kmp", "nothing-kmp-default-1-1"]);
    assert!(output.stderr.contains("warning: no package nothing-kmp-default-1-1"), "{output}");
    root.erase(&[foo.name()]);
    good(&root, &["remove-kmp", foo.nvr()]);
    assert!(links(&root, SAME).is_empty());
    ends(&root, &["add-kmp"], 2);
    ends(&root, &["remove-kmp"], 2);
}
