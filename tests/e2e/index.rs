// SPDX-License-Identifier: LGPL-2.1-or-later
//! depmod's index without depmod: only once it was the same, and only as long as nobody has written another one.

use testkit::{TestRoot, run};

use crate::support::*;

/// `kmp -v sync`: the kernels for which depmod ran, and those whose index was written without it.
fn sync(root: &TestRoot, variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let mut command = command(root, &["-vv", "sync"]);
    let output = run(command.env_remove("KMP_TEST_INDEX_COMPARE").envs(variables.iter().copied()));
    let said = output.expect_success().stderr;
    let of = |start: &str, end: &str| {
        let kernels = said.lines().filter_map(|line| line.split_once(start)?.1.strip_suffix(end));
        kernels.map(String::from).collect()
    };
    (of("depmod ran for kernel ", ""), of("the index of kernel ", " was written without depmod"))
}

/// The index as it is, and as depmod writes it.
fn is_depmods(root: &TestRoot, krel: &str) {
    let index = || {
        let mut files = root.tree();
        files.retain(|path, _| path.starts_with(format!("usr/lib/modules/{krel}")));
        files
    };
    let ours = index();
    std::fs::remove_file(root.join(format!("usr/lib/modules/{krel}/modules.dep"))).unwrap();
    assert_eq!(sync(root, &[("KMP_INDEX", "depmod")]), (strings(&[krel]), vec![]));
    same_tree(&index(), &ours, "depmod's index is another one");
}

fn strings(kernels: &[&str]) -> Vec<String> {
    kernels.iter().map(ToString::to_string).collect()
}

fn with_foo() -> (TestRoot, testkit::Package) {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    (root, foo)
}

#[test]
fn depmod_runs_until_it_has_agreed() {
    let (root, foo) = with_foo();
    assert_eq!(sync(&root, &[]), (strings(&[OLD]), strings(&[SAME])));
    for krel in [OLD, SAME] {
        is_depmods(&root, krel);
    }
    root.erase(&[foo.name()]);
    // It has run in between, and its bytes were as expected.
    assert_eq!(sync(&root, &[]), (vec![], strings(&[OLD, SAME])));
    assert_eq!(sync(&root, &[]), (vec![], vec![]));
}
