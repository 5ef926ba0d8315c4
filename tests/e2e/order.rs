// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whatever comes and goes in whatever order, the result is the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use testkit::{Package, PackageBuilder, TestRoot};

use crate::support::*;

/// One thing that happens to a system.
#[derive(Clone, Copy)]
enum Step<'a> {
    AddKernel(&'a str, &'a Package),
    RemoveKernel(&'a str, &'a Package),
    AddKmp(&'a Package),
    RemoveKmp(&'a Package),
}

impl Step<'_> {
    fn happens(&self, root: &TestRoot) {
        match self {
            Self::AddKernel(_, package) | Self::AddKmp(package) => install(root, &[package]),
            Self::RemoveKernel(krel, package) => erase_kernel(root, krel, package),
            Self::RemoveKmp(package) => root.erase(&[package.nvr()]),
        }
    }

    /// What the scriptlet does.
    fn is_told(&self, root: &TestRoot) {
        match self {
            Self::AddKernel(krel, _) => good(root, &["add-kernel", krel]),
            Self::RemoveKernel(krel, _) => good(root, &["remove-kernel", krel]),
            Self::AddKmp(package) => good(root, &["add-kmp", package.nvr()]),
            Self::RemoveKmp(package) => good(root, &["remove-kmp", package.nvr()]),
        };
    }
}

fn permutations<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (i, first) in items.iter().enumerate() {
        let rest: Vec<T> = items.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, item)| *item).collect();
        all.extend(permutations(&rest).into_iter().map(|mut p| {
            p.insert(0, *first);
            p
        }));
    }
    all
}

/// Everything on disk but the rpm database, after these steps; told of each, or one `kmp sync` at the end.
fn outcome(start: &[&Package], steps: &[Step<'_>], told: bool) -> BTreeMap<PathBuf, String> {
    let root = TestRoot::new();
    install(&root, start);
    if told {
        good(&root, &["sync"]);
    }
    for step in steps {
        step.happens(&root);
        if told {
            step.is_told(&root);
        }
    }
    if !told {
        good(&root, &["sync"]);
    }
    good(&root, &["sync", "--dry-run"]);
    let mut tree = tree(&root);
    // An empty one may be the kernel package's own: it is left where it is.
    let link = |path: &PathBuf| path.components().any(|c| c.as_os_str() == "weak-updates");
    let linked: Vec<PathBuf> = tree.keys().filter(|path| link(path)).cloned().collect();
    let empty = |path: &PathBuf| !linked.iter().any(|other| other != path && other.starts_with(path));
    // What is kept of modules has their inode numbers and times in it.
    tree.retain(|path, _| !path.starts_with("var/cache/kmp"));
    tree.retain(|path, line| !(path.ends_with("weak-updates") && line.starts_with("dir") && empty(path)));
    tree
}

/// Runs every order on both cores and compares.
fn same_in_every_order(start: &[&Package], steps: &[Step<'_>], check: impl Fn(&BTreeMap<PathBuf, String>)) {
    let orders = permutations(steps);
    let expected = outcome(start, steps, false);
    check(&expected);
    let (half, expected) = (orders.len() / 2, &expected);
    std::thread::scope(|scope| {
        for part in [&orders[..half], &orders[half..]] {
            scope.spawn(move || {
                for order in part {
                    same_tree(&outcome(start, order, true), expected, "told of each step");
                }
                // One sync sees the end only; some orders suffice.
                for order in part.iter().step_by(5) {
                    same_tree(&outcome(start, order, false), expected, "one sync");
                }
            });
        }
    });
}

#[test]
fn kernels_and_kmps_come_in_every_order() {
    let (old, same, other) = (kernel(OLD, 7), kernel(SAME, 7), kernel(OTHER, 8));
    let kernels = PackageBuilder::build_all(&[&old, &same, &other].map(PackageBuilder::kernel));
    let [acme, acme_net] = pair("1", &old, 7, 0xacce);
    let newer = pair("2", &same, 7, 0xacc2);
    let steps = [
        Step::AddKernel(SAME, &kernels[1]),
        Step::AddKmp(&acme),
        Step::AddKmp(&acme_net),
        Step::AddKmp(&newer[0]),
    ];
    same_in_every_order(&[&kernels[0], &kernels[2]], &steps, |tree| {
        // Version 2 of the provider is the kernel's own there; the user is of version 1 and does not fit beside it.
        let link = |krel: &str, name: &str| {
            tree.get(&PathBuf::from(format!("usr/lib/modules/{krel}/weak-updates/updates/{name}.ko")))
        };
        assert_eq!(link(SAME, "acme_net"), None);
        assert_eq!(link(OTHER, "acme"), None);
    });
}

#[test]
fn kernels_and_kmps_go_in_every_order() {
    let (old, same, other) = (kernel(OLD, 7), kernel(SAME, 7), kernel(OTHER, 8));
    let kernels = PackageBuilder::build_all(&[&old, &same, &other].map(PackageBuilder::kernel));
    let [acme, acme_net] = pair("1", &old, 7, 0xacce);
    let foo = [one_module("foo", "1", &old, 7), one_module("foo", "2", &same, 7)];
    let steps = [
        Step::RemoveKernel(OTHER, &kernels[2]),
        Step::RemoveKmp(&acme),
        Step::RemoveKmp(&foo[1]),
        Step::RemoveKernel(OLD, &kernels[0]),
    ];
    let start = [&kernels[0], &kernels[1], &kernels[2], &acme, &acme_net, &foo[0], &foo[1]];
    same_in_every_order(&start, &steps, |tree| {
        let links: Vec<_> = tree.iter().filter(|(_, line)| line.starts_with("-> /usr/lib/modules")).collect();
        assert_eq!(links.len(), 1, "{links:?}");
        assert_eq!(links[0].1, &format!("-> /usr/lib/modules/{OLD}/updates/foo.ko"));
    });
}
