// SPDX-License-Identifier: LGPL-2.1-or-later
//! The links are right before the first %posttrans, and depmod runs once for each kernel.

use std::collections::BTreeMap;

use testkit::{Package, PackageBuilder};

use crate::command::add_command;
use crate::support::{
    NEW, OLD, bare, depmods, kernel, kmp, link, plain_kmp, rpm, rpm_env, rpm_with, site, telling, turn_on,
};

fn look(krel: &str, base: &str) -> String {
    let link = link(krel, base);
    format!("if [ -L {link} ] && [ -f {link} ]; then echo there; else echo missing; fi >> /looked")
}

#[test]
fn links_are_there_before_the_first_posttrans() {
    let root = site();
    let new = kernel(NEW, 8);
    let package =
        telling(&new).scriptlet("post", &look(NEW, "bar")).scriptlet("posttrans", &look(NEW, "bar"));
    let driver = kmp("foo", "2.0", &new, 8).scriptlet("posttrans", &look(NEW, "bar")).build();
    rpm(&root, &["-i"], &[&driver, &package.build()]).expect_success();
    assert_eq!(root.read("looked"), "missing\nthere\nthere\n");
    assert_eq!(depmods(&root).get(NEW), Some(&1));
    assert!(!root.exists("run/kmp/transaction") && !root.exists("run/kmp/requests"));
}

#[test]
fn without_posttrans_it_is_done_at_the_end() {
    let root = site();
    let new = kernel(NEW, 8);
    let packages = [telling(&new).build(), kmp("foo", "2.0", &new, 8).build()];
    rpm(&root, &["-i", "--noscripts"], &[&packages[0], &packages[1]]).expect_success();
    assert!(root.exists(link(NEW, "bar")));
    // Erasing: the links go with the package.
    rpm_with(&root, &[], ["-e", "bar-kmp-default"]).expect_success();
    assert!(root.weak_updates(NEW).is_empty(), "{:?}", root.weak_updates(NEW));
}

#[test]
fn a_test_changes_nothing() {
    let root = site();
    let new = kernel(NEW, 8);
    let before = root.tree();
    rpm(&root, &["-i", "--test"], &[&telling(&new).build(), &kmp("foo", "2.0", &new, 8).build()])
        .expect_success();
    assert_eq!(root.tree(), before);
}

#[test]
fn a_transaction_that_fails_in_part_is_followed_all_the_same() {
    let root = site();
    let new = kernel(NEW, 7);
    let failing = PackageBuilder::new("failing", "1", "1").scriptlet("pre", "exit 1").build();
    let output = rpm(&root, &["-i"], &[&telling(&new).build(), &failing]);
    assert!(!output.success(), "{output}");
    assert!(root.exists(link(NEW, "foo")));
}

/// A kernel and twenty KMPs whose scriptlets all ask for the same.
fn crowd() -> Vec<Package> {
    let (old, new) = (kernel(OLD, 7), kernel(NEW, 7));
    let noting = |what: &str| format!("{what} && echo \"$KMP_TRANSACTION\" >> /asked");
    let mut packages: Vec<PackageBuilder> = (0..20)
        .map(|n| {
            let package = plain_kmp(&format!("drv{n}"), "1.0", &old);
            let nvr = package.nevra().replace(".x86_64", "");
            package
                .scriptlet("post", &noting(&format!("weak-modules2 --add-kmp {nvr}")))
                .scriptlet("preun", &format!("echo x | weak-modules2 --remove-kmp {nvr}"))
                .scriptlet("posttrans", &look(NEW, &format!("drv{n}")))
        })
        .collect();
    packages.push(telling(&new).scriptlet("post", &noting(&format!("kmp add-kernel {NEW}"))));
    packages.push(telling(&old));
    PackageBuilder::build_all(&packages)
}

/// A kernel and twenty KMPs come, for two kernels: depmod runs for the first kernel only, where nothing is known of it yet.
#[test]
fn a_whole_update_starts_no_depmod_where_it_has_agreed() {
    let root = bare();
    add_command(&root);
    turn_on(&root);
    let variables = [("KMP_INDEX", "incremental"), ("KMP_TEST_INDEX_COMPARE", "")];
    let update = |options: &[&str], packages: &[Package]| {
        let packages: Vec<&Package> = packages.iter().collect();
        let output = rpm_env(&root, &variables, options, &packages).expect_success();
        assert_eq!(output.stderr, "");
        depmods(&root)
    };
    let ran = update(&["-i"], &crowd());
    assert_eq!((ran.get(OLD), ran.get(NEW)), (Some(&1), None), "{ran:?}");
    let newest = "6.4.0-5-default";
    // With %posttrans, as all of it is done inside the root then: the depmod outside is another one.
    assert_eq!(
        update(&["-i"], &[telling(&kernel(newest, 7)).scriptlet("posttrans", "true").build()]),
        BTreeMap::new()
    );
    let drivers =
        (0..20).map(|n| plain_kmp(&format!("drv{n}"), "2.0", &kernel(OLD, 7)).scriptlet("posttrans", "true"));
    let drivers = PackageBuilder::build_all(&drivers.collect::<Vec<_>>());
    assert_eq!(update(&["-U"], &drivers), BTreeMap::new());
    let indexes = || {
        let mut files = root.tree();
        files.retain(|path, _| path.to_string_lossy().contains("/modules."));
        files
    };
    let ours = indexes();
    for krel in [OLD, NEW, newest] {
        assert!(krel == OLD || root.exists(link(krel, "drv19")));
        std::fs::remove_file(root.join(format!("usr/lib/modules/{krel}/modules.dep"))).unwrap();
    }
    let mut sync = root.command(env!("CARGO_BIN_EXE_kmp"));
    let sync = sync.env("KMP_INDEX", "depmod").arg("--root").arg(root.path()).args(["sync", "--no-initrd"]);
    testkit::run(sync).expect_success();
    assert_eq!(indexes(), ours, "depmod's are others");
}

#[test]
fn scriptlets_only_note_their_requests_and_depmod_runs_once() {
    let root = bare();
    add_command(&root);
    turn_on(&root);
    let packages = crowd();
    let output = rpm(&root, &["-i"], &packages.iter().collect::<Vec<_>>()).expect_success();
    assert_eq!(output.stderr, "");
    assert_eq!(root.read("asked"), "1\n".repeat(21));
    assert_eq!(root.read("looked"), "there\n".repeat(20));
    let once = |krel: &str| (krel.to_string(), 1);
    assert_eq!(depmods(&root), BTreeMap::from([once(OLD), once(NEW)]));
    assert!(!root.exists("run/kmp/transaction") && !root.exists("run/kmp/requests"));

    // Erasing has no %posttrans: this is done from outside.
    let names: Vec<&str> = packages.iter().map(Package::name).filter(|n| n.starts_with("drv")).collect();
    rpm_with(&root, &[], ["-e"].into_iter().chain(names)).expect_success();
    assert_eq!(depmods(&root), BTreeMap::from([once(OLD), once(NEW)]));
    assert!(root.weak_updates(NEW).is_empty());
}

/// rpm runs Lua in its own process, where there is no variable: what it starts does its work at once.
#[test]
fn a_lua_scriptlet_waits_for_nobody() {
    let root = site();
    add_command(&root);
    let new = kernel(NEW, 8);
    let at_once = format!("rpm.execute('/usr/bin/kmp', 'add-kernel', '{NEW}')");
    let there = format!("io.open('/looked', 'w'):write(posix.readlink('{}') or 'missing')", link(NEW, "bar"));
    let package = telling(&new).lua_scriptlet("post", &format!("{at_once}\n{there}")).build();
    rpm(&root, &["-i"], &[&kmp("foo", "2.0", &new, 8).build(), &package]).expect_success();
    assert_eq!(root.read("looked"), format!("/usr/lib/modules/{OLD}/updates/bar.ko"));
    // And the plugin once more, if packages came after that; never for each of them.
    assert!(matches!(depmods(&root).get(NEW), Some(1 | 2)));
}

#[test]
fn without_the_plugin_a_left_over_variable_defers_nothing() {
    let root = bare();
    add_command(&root);
    root.write("run/kmp/transaction", "");
    let packages = crowd();
    let mut options = vec!["-i", "--nodeps"];
    let paths: Vec<String> = packages.iter().map(|p| p.path().display().to_string()).collect();
    options.extend(paths.iter().map(String::as_str));
    let output = rpm_with(&root, &[("KMP_TRANSACTION", "1")], options).expect_success();
    assert!(!output.stderr.contains("error"), "{output}");
    assert!(!root.exists("run/kmp/requests"));
    assert_eq!(root.weak_updates(NEW).len(), 20);
}
