// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is left to the real depmod.

use testkit::{Arch, Compression, ModuleBuilder, TestRoot};

use crate::index::{agreed, change, is_depmods, made, sync};
use crate::support::*;

const CACHE: &str = "var/cache/kmp/depmod";

/// Changes something in a root.
type Change<'a> = &'a dyn Fn(&TestRoot);

/// Depmod has to do it, now and the next time.
#[track_caller]
fn is_left_to_depmod(root: &TestRoot, why: &str) {
    for _ in 0..2 {
        change(root);
        assert_eq!(sync(root, &[]), made(&[SAME], &[]), "{why}");
    }
}

fn dir(below: &str) -> String {
    format!("usr/lib/modules/{SAME}/{below}")
}

fn put(root: &TestRoot, below: &str, module: &ModuleBuilder) {
    root.write(dir(below), module.build());
}

#[test]
fn trees_of_which_it_is_not_certain_what_depmod_makes() {
    let own = |name: &str| kernel(SAME, 7).driver(name);
    let strange: [(&str, Change<'_>); 10] = [
        ("two of one name and rank", &|root| {
            put(root, "updates/twice.ko", &own("twice"));
            put(root, "updates/below/twice.ko", &own("twice"));
        }),
        ("modules of 32 bits", &|root| put(root, "updates/i386.ko", &own("i386").arch(Arch::I386))),
        ("big-endian modules", &|root| put(root, "updates/s390x.ko", &own("s390x").arch(Arch::S390x))),
        ("big-endian modules of 32 bits", &|root| put(root, "updates/p.ko", &own("p").arch(Arch::Ppc32))),
        ("no module", &|root| root.write(dir("updates/broken.ko"), "broken")),
        ("a link to a directory", &|root| root.symlink(dir("updates"), format!("/{}", dir("kernel")))),
        ("bytes above 127", &|root| put(root, "updates/b.ko", &own("b").add_info("alias", vec![b'x', 0xe4]))),
        ("an external directory", &|root| root.write("etc/depmod.d/a.conf", "external * /opt/modules\n")),
        ("an unknown directive", &|root| root.write("etc/depmod.d/a.conf", "exclude debug\n")),
        ("modules that need each other", &|root| {
            put(root, "updates/one.ko", &own("one").export("of_one", 1).need("of_two", 1));
            put(root, "updates/two.ko", &own("two").export("of_two", 1).need("of_one", 1));
        }),
    ];
    for (why, make) in strange {
        let (root, _) = agreed();
        make(&root);
        // depmod refuses a circle altogether, and since kmod 34 bytes that are not ASCII.
        change(&root);
        let is_refused = kmp(&root, &["sync"]).status == Some(2);
        assert!(is_refused || why != "modules that need each other");
        if is_refused {
            assert!(why == "bytes above 127" || why == "modules that need each other", "{why}");
            continue;
        }
        is_left_to_depmod(&root, why);
    }
}

#[test]
fn a_kind_of_files_that_was_not_compared() {
    let (root, _) = agreed();
    root.write(
        dir("updates/packed.ko.xz"),
        kernel(SAME, 7).driver("packed").build_compressed(Compression::Xz),
    );
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[SAME], &[]));
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[], &[SAME]));
    is_depmods(&root, SAME);
}

#[test]
fn what_somebody_else_has_written() {
    let (root, _) = agreed();
    let text = root.read(dir("modules.alias"));
    root.write(dir("modules.alias"), text.replace("themselves", "THEMSELVES"));
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[SAME], &[]));
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[], &[SAME]));
}

#[test]
fn what_is_kept_is_missing_damaged_or_anothers() {
    let file = format!("{CACHE}/{SAME}");
    let spoil: [(&str, Change<'_>); 5] = [
        ("missing", &|root| std::fs::remove_dir_all(root.join("var/cache")).unwrap()),
        ("empty", &|root| root.write(&file, "")),
        ("damaged", &|root| {
            let mut bytes = std::fs::read(root.join(&file)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            root.write(&file, bytes);
        }),
        ("another user's", &|root| std::os::unix::fs::chown(root.join(&file), Some(65534), None).unwrap()),
        ("a link", &|root| {
            let at = root.join(&file);
            std::fs::rename(&at, root.home().join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(root.home().join("elsewhere"), at).unwrap();
        }),
    ];
    let has_other_users = testkit::has_other_users();
    for (why, spoil) in spoil {
        if why == "another user's" && !has_other_users {
            continue;
        }
        let (root, _) = agreed();
        spoil(&root);
        change(&root);
        assert_eq!(sync(&root, &[]), made(&[SAME], &[]), "{why}");
        change(&root);
        assert_eq!(sync(&root, &[]), made(&[], &[SAME]), "{why}");
        is_depmods(&root, SAME);
    }
}

/// Another depmod, and one that writes what no other does: its index stands.
#[test]
fn a_depmod_that_writes_something_else() {
    let (root, _) = agreed();
    let program = root.home().join("depmod");
    let text = "#!/bin/sh\ndepmod \"$@\" || exit\nfor krel; do :; done\n\
        case $1 in --version) exit;; esac\necho '# mine' >>\"$2/lib/modules/$krel/modules.softdep\"\n";
    install_script(&program, text);
    let variables = [("DEPMOD", program.to_str().unwrap())];
    for _ in 0..3 {
        change(&root);
        assert_eq!(sync(&root, &variables), made(&[SAME], &[]));
        assert!(root.read(dir("modules.softdep")).ends_with("# mine\n"));
    }
    // The first is trusted as before, but what is there is not its own.
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[SAME], &[]));
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[], &[SAME]));
}

#[test]
fn it_is_configured_or_said_in_the_environment() {
    let (root, _) = agreed();
    root.write("etc/kmp.conf", "index = depmod\n");
    is_left_to_depmod(&root, "kmp.conf");
    change(&root);
    assert_eq!(sync(&root, &[("KMP_INDEX", "incremental")]), made(&[], &[SAME]));
    root.write("etc/kmp.conf", "index = incremental\n");
    change(&root);
    assert_eq!(sync(&root, &[("KMP_INDEX", "depmod")]), made(&[SAME], &[]));
    change(&root);
    assert_eq!(sync(&root, &[]), made(&[], &[SAME]));
}
