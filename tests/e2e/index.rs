// SPDX-License-Identifier: LGPL-2.1-or-later
//! depmod's index without depmod: only once it was the same, and only as long as nobody has written another one.

use std::path::Path;

use testkit::{TestRoot, run};

use crate::support::*;

/// The kernels for which depmod ran, and those whose index was written without it.
pub type Made = (Vec<String>, Vec<String>);

pub fn made(by_depmod: &[&str], without: &[&str]) -> Made {
    let strings = |kernels: &[&str]| kernels.iter().map(ToString::to_string).collect();
    (strings(by_depmod), strings(without))
}

/// `kmp sync` with these variables.
#[track_caller]
pub fn sync(root: &TestRoot, variables: &[(&str, &str)]) -> Made {
    let mut command = command(root, &["-vv", "sync"]);
    let output = run(command.env_remove("KMP_TEST_INDEX_COMPARE").envs(variables.iter().copied()));
    let said = output.expect_success().stderr;
    let of = |start: &str, end: &str| {
        let kernels = said.lines().filter_map(|line| line.split_once(start)?.1.strip_suffix(end));
        kernels.map(String::from).collect()
    };
    (of("depmod ran for kernel ", ""), of("the index of kernel ", " was written without depmod"))
}

/// The index is the one that depmod writes.
#[track_caller]
pub fn is_depmods(root: &TestRoot, krel: &str) {
    let index = || {
        let mut files = root.tree();
        files.retain(|path, _| path.starts_with(format!("usr/lib/modules/{krel}")));
        files
    };
    let ours = index();
    std::fs::remove_file(root.join(format!("usr/lib/modules/{krel}/modules.dep"))).unwrap();
    assert_eq!(sync(root, &[("KMP_INDEX", "depmod")]), made(&[krel], &[]));
    same_tree(&index(), &ours, "depmod's index is another one");
}

/// A root in which the indexes were the same as depmod's. [`SAME`] has a module of its own, and a link.
pub fn agreed() -> (TestRoot, testkit::Package) {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let in_tree = kernel(SAME, 7).driver("in_tree").export("of_in_tree", 1).alias("pci:v*d1sv*");
    root.write(format!("usr/lib/modules/{SAME}/kernel/net/in_tree.ko"), in_tree.build());
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    assert_eq!(sync(&root, &[]), made(&[OLD], &[SAME]));
    change(&root);
    let without = sync(&root, &[]);
    assert_eq!(without, made(&[], &[SAME]));
    (root, foo)
}

/// Something of the kernel's changes, after its index, and before what comes: by more than a tick of the clock.
pub fn change(root: &TestRoot) {
    let ticks = std::time::Duration::from_millis(20);
    std::thread::sleep(ticks);
    root.write(format!("usr/lib/modules/{SAME}/modules.order"), "kernel/net/in_tree.ko\n");
    std::thread::sleep(ticks);
}

#[test]
fn depmod_runs_until_it_has_agreed() {
    let (root, foo) = agreed();
    for krel in [OLD, SAME] {
        is_depmods(&root, krel);
    }
    root.erase(&[foo.name()]);
    // It has run in between, and its bytes were as expected.
    assert_eq!(sync(&root, &[]), made(&[], &[OLD, SAME]));
    assert_eq!(sync(&root, &[]), made(&[], &[]));
}

#[test]
fn a_new_kernels_first_index_goes_by_what_depmod_wrote_for_others() {
    let (root, _) = agreed();
    let new = "6.4.0-7-default";
    write(&kernel(new, 7), &root);
    let in_tree = kernel(new, 7).driver("other").need("of_it", 1).alias("x:*");
    root.write(format!("usr/lib/modules/{new}/kernel/other.ko"), in_tree.build());
    let exporter = kernel(new, 7).driver("it").export("of_it", 1);
    root.write(format!("usr/lib/modules/{new}/kernel/it.ko"), exporter.build());
    assert_eq!(sync(&root, &[]), made(&[], &[new]));
    is_depmods(&root, new);
    // One that has an index already has one that nobody has compared.
    let other = "6.4.0-8-default";
    write(&kernel(other, 7), &root);
    assert_eq!(sync(&root, &[("KMP_INDEX", "depmod")]), made(&[other], &[]));
    root.write(format!("usr/lib/modules/{other}/kernel/it.ko"), exporter.build());
    assert_eq!(sync(&root, &[]), made(&[other], &[]));
}

/// What is kept of kernels that are gone goes.
#[test]
fn nothing_is_kept_of_kernels_that_are_gone() {
    let (root, _) = agreed();
    let kept = || {
        let mut kept: Vec<String> = std::fs::read_dir(root.join("var/cache/kmp/depmod"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        kept.sort();
        kept
    };
    assert_eq!(kept(), [OLD, SAME]);
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{OLD}"))).unwrap();
    sync(&root, &[]);
    assert_eq!(kept(), [SAME]);
}

/// Names, aliases and dependencies lead modprobe and modinfo to the same modules.
#[test]
fn modprobe_and_modinfo_find_what_there_is() {
    let (root, _) = agreed();
    let base = root.path();
    let text = |program: &str, arguments: &[&str]| {
        let mut command = root.command(program);
        let base: &Path = &base;
        let option = if program == "modinfo" { "-b" } else { "-d" };
        run(command.arg(option).arg(base).args(arguments)).expect_success().stdout
    };
    let shown = text("modprobe", &["-S", SAME, "--show-depends", "pci:v00001234d1sv0"]);
    assert!(shown.contains("kernel/net/in_tree.ko"), "{shown}");
    let shown = text("modinfo", &["-k", SAME, "-F", "alias", "in_tree"]);
    assert_eq!(shown, "pci:v*d1sv*\n");
    assert_eq!(text("modprobe", &["-S", SAME, "--resolve-alias", "symbol:of_in_tree"]), "in_tree\n");
}

/// A thousand devices of ten drivers.
#[test]
fn each_device_finds_its_driver() {
    let (root, _) = agreed();
    let (drivers, devices) = (10, 100);
    for driver in 0..drivers {
        let module = kernel(SAME, 7).driver(&format!("usb_{driver}"));
        let of = |device: usize| format!("usb:v{driver:04X}p{device:04X}d*dc*");
        let module = (0..devices).fold(module, |module, device| module.alias(&of(device)));
        root.write(format!("usr/lib/modules/{SAME}/kernel/usb_{driver}.ko"), module.build());
    }
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[], &[SAME]));
    let each = "for v in 0 1 2 3 4 5 6 7 8 9; do p=0; while [ $p -lt 100 ]; do \
                modprobe -d \"$1\" -S \"$2\" --resolve-alias \"$(printf usb:v%04Xp%04Xd0110dc03 $v $p)\" || exit\n\
                p=$((p + 1)); done; done";
    let mut shell = root.command("sh");
    let found = run(shell.args(["-c", each, "sh"]).arg(root.path()).arg(SAME)).expect_success().stdout;
    let expected = (0..drivers).flat_map(|driver| vec![format!("usb_{driver}"); devices]);
    assert!(found.lines().eq(expected), "{found}");
    is_depmods(&root, SAME);
}

#[test]
fn in_a_transactional_update_as_elsewhere() {
    let (root, _) = agreed();
    change(&root);
    assert_eq!(sync(&root, &[("TRANSACTIONAL_UPDATE", "true")]), made(&[], &[SAME]));
    is_depmods(&root, SAME);
}

/// Where depmod has agreed, a test build compares each index with depmod's: here it is made to differ.
#[test]
fn a_difference_is_reported_and_depmods_index_stands() {
    let (root, _) = agreed();
    let program = root.home().join("depmod");
    let text = "#!/bin/sh\ndepmod \"$@\" || exit\nfor krel; do :; done\n\
        [ ! -e \"${0%/*}/mine\" ] || echo '# mine' >>\"$2/lib/modules/$krel/modules.softdep\"\n";
    install_script(&program, text);
    let with = |compare: &str| {
        change(&root);
        let mut sync = command(&root, &["sync"]);
        run(sync.env("DEPMOD", &program).env("KMP_TEST_INDEX_COMPARE", compare)).expect_success().stderr
    };
    let said = with("1");
    assert!(!said.contains("was not depmod's"), "{said}");
    std::fs::write(root.home().join("mine"), "").unwrap();
    let said = with("1");
    let report = "var/cache/kmp/depmod/.difference";
    assert!(
        said.contains("was not depmod's")
            && said.contains("modules.softdep differs from byte")
            && said.contains(report),
        "{said}"
    );
    assert!(root.read(report).contains("kernel/net/in_tree.ko"));
    assert!(root.read(format!("usr/lib/modules/{SAME}/modules.softdep")).ends_with("# mine\n"));
}
