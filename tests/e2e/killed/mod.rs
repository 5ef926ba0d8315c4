// SPDX-License-Identifier: LGPL-2.1-or-later
//! Killed, or failed, at any system call that changes the disk; then run again.

mod machines;
mod mounted;

use testkit::disturb::{Fault, Run, Scenario};

use crate::support::good;
use machines::*;

#[test]
fn while_the_first_links_are_made() {
    let done = synchronised("first links", first_links()).disturb();
    assert!(done >= 12, "{done}");
}

#[test]
fn while_a_version_takes_anothers_place_beside_foreign_files() {
    let done = synchronised("another version", replacing()).disturb();
    assert!(done >= 12, "{done}");
}

/// The index that is written without depmod: what was interrupted is made up for with it.
#[test]
fn while_an_index_is_written_without_depmod() {
    let root = first_links();
    let sync = kmp(&root, &["-v", "sync"]).env("KMP_INDEX", "incremental");
    let mut scenario = Scenario::new("index without depmod", root, &[A, B, C], sync.clone(), sync);
    // It is of no use for other files.
    scenario.kept.push("var/cache/kmp");
    scenario.ignored.push("var/cache/kmp");
    let said = scenario.undisturbed().expect_success().stderr;
    assert!(said.contains(&format!("the index of kernel {B} was written without depmod")), "{said}");
    scenario.restore();
    let done = scenario.disturb();
    assert!(done >= 12, "{done}");
}

#[test]
fn while_a_kernel_goes() {
    let root = without_kernel();
    let remove = kmp(&root, &["remove-kernel", B]);
    let done = Scenario::new("a kernel goes", root, &[A, B, C], remove.clone(), remove).disturb();
    assert!(done >= 7, "{done}");
}

#[test]
fn while_a_package_goes() {
    let root = linked();
    add_foreign(&root);
    root.erase(&["foo-kmp-default"]);
    let remove = kmp(&root, &["remove-kmp", "foo-kmp-default-1.0_k6.4.0_1-1"]);
    let done = Scenario::new("a package goes", root, &[A, B, C], remove.clone(), remove).disturb();
    assert!(done >= 12, "{done}");
}

#[test]
fn while_links_are_changed_one_by_one() {
    for errno in ["EINVAL", "EXDEV", "ENOSYS"] {
        let mut scenario = synchronised("one by one", replacing());
        scenario.always.push(match errno {
            "EINVAL" => "renameat2:error=EINVAL",
            "EXDEV" => "renameat2:error=EXDEV",
            _ => "renameat2:error=ENOSYS",
        });
        scenario.whole = false;
        scenario.restore();
        assert_eq!(scenario.undisturbed().status, Some(0));
        let one_by_one = scenario.links();
        scenario.restore();
        scenario.second().expect_success();
        assert_eq!(one_by_one, scenario.links());
        if errno == "EXDEV" {
            let done = scenario.disturb();
            assert!(done >= 12, "{done}");
        }
    }
}

#[test]
fn in_the_running_system_itself() {
    let root = running_system();
    let path = root.path().display().to_string();
    let sync = Run::new("chroot", [path.as_str(), "/usr/bin/kmp", "sync"]);
    let done = Scenario::new("running system", root, &[A, B, C], sync.clone(), sync).disturb();
    assert!(done >= 12, "{done}");
}

/// What a package asks for is in nothing on the disk: it is noted with the rest.
#[test]
fn while_a_package_asks_for_initrds() {
    let root = first_links();
    let arguments = ["--add-kmp", "bar-kmp-default-1.0_k6.4.0_1-1"];
    let add = named("weak-modules2", &root, "--root", &arguments)
        .env("KMP_NEEDS_MKINITRD", "1")
        .env("INITRD_IN_POSTTRANS", "1");
    let done = Scenario::new("a package asks", root, &[A, B, C], add.clone(), add).disturb();
    assert!(done >= 10, "{done}");
}

#[test]
fn while_modules_are_added_in_red_hats_dialect() {
    let root = red_hat_adding();
    let list = format!("/lib/modules/{EL_A}/extra/foo/foo.ko\n");
    let add = named("weak-modules", &root, "--basedir", &["--add-modules"]).stdin(list);
    let done =
        Scenario::new("Red Hat: modules are added", root, &[EL_A, EL_B, EL_C], add.clone(), add).disturb();
    assert!(done >= 10, "{done}");
}

#[test]
fn while_a_version_takes_anothers_place_in_red_hats_dialect() {
    let done = synchronised("Red Hat: another version", red_hat_replacing()).disturb();
    assert!(done >= 10, "{done}");
}

/// Without the directory beside it an empty one is somebody's: perhaps of a kernel that is just being unpacked.
#[test]
fn an_empty_directory_of_a_kernel_that_was_being_removed() {
    let root = linked();
    let (gone, theirs) = ("usr/lib/modules/6.4.0-8-default", "usr/lib/modules/6.4.0-9-default");
    root.mkdir(gone);
    root.mkdir(theirs);
    root.mkdir("usr/lib/modules/.kmp-going-6.4.0-8-default");
    // With something in it it stays in any case.
    root.write("usr/lib/modules/6.4.0-7-default/file", "");
    root.mkdir("usr/lib/modules/.kmp-going-6.4.0-7-default");
    good(&root, &["sync"]);
    assert!(!root.exists(gone) && root.exists(theirs) && root.exists("usr/lib/modules/6.4.0-7-default/file"));
    assert!(!root.exists("usr/lib/modules/.kmp-going-6.4.0-8-default"));
    assert!(!root.exists("usr/lib/modules/.kmp-going-6.4.0-7-default"));
}

/// As a depmod that lives has them, they are left alone.
#[test]
fn what_depmod_was_killed_over() {
    let root = linked();
    let dir = format!("usr/lib/modules/{B}");
    // No process has such a number.
    let dead =
        [format!("{dir}/modules.dep.bin.2000000000.1.2"), format!("{dir}/modules.softdep.2000000000.3.4")];
    let me = std::process::id();
    let alive = [
        format!("{dir}/modules.dep.bin.{me}.1.2"),
        format!("{dir}/modules.dep.1.2"),
        format!("{dir}/foo.2000000000.1.2"),
    ];
    dead.iter().chain(&alive).for_each(|file| root.write(file, "half"));
    good(&root, &["sync"]);
    assert!(!dead.iter().any(|file| root.exists(file)));
    assert!(alive.iter().all(|file| root.exists(file)));
}

#[test]
fn every_call_may_fail() {
    let mut scenario = synchronised("every call may fail", replacing());
    scenario.faults = ["EIO", "ENOSPC", "EPERM", "EROFS", "EACCES"].map(Fault::Error).into();
    let done = scenario.disturb();
    assert!(done >= 12, "{done}");
}
