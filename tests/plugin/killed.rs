// SPDX-License-Identifier: LGPL-2.1-or-later
//! rpm killed while the plugin is at work; then the command makes up for it.

use std::ffi::OsString;

use testkit::disturb::{Run, Scenario, add_generator};

use crate::support::{NEW, OLD, kernel, kmp, site, telling};

#[test]
fn no_initrd_is_forgotten() {
    let root = site();
    add_generator(&root);
    for krel in [OLD, NEW] {
        root.write(format!("boot/vmlinuz-{krel}"), "image");
    }
    let new = kernel(NEW, 7);
    // From the first %posttrans on, when all packages are there.
    let packages = [telling(&new).scriptlet("posttrans", "true").build(), kmp("foo", "2.0", &new, 7).build()];
    let mut arguments: Vec<OsString> =
        vec!["--root".into(), root.path().into(), "-i".into(), "--nodeps".into()];
    arguments.extend(packages.iter().map(|p| p.path().into()));
    let path = format!("{}/bin:/usr/sbin:/usr/bin:/sbin:/bin", root.home().display());
    let install = Run::new("rpm", arguments).env("PATH", &path);
    let sync = Run::new(
        env!("CARGO_BIN_EXE_kmp"),
        ["--root".into(), OsString::from(root.path()), "--run-in-root".into(), "sync".into()],
    );
    let mut scenario = Scenario::new("rpm with the plugin", root, &[OLD, NEW], install, sync);
    scenario.kept.push("var/lib/rpm");
    // The lock's file is the first that the plugin writes when it makes links.
    scenario.from = Some("run/kmp/lock");
    // A dead rpm leaves the sign that it was alive, which is nothing without the lock on it, and its scriptlet.
    scenario.ignored = vec!["run/kmp/transaction", "depmod.log", "var/tmp"];
    let done = scenario.disturb();
    assert!(done >= 12, "{done}");
}
