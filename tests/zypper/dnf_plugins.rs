// SPDX-License-Identifier: LGPL-2.1-or-later
//! dnf's plugins: before an update, a kernel comes with its drivers, or not yet.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{Output, PackageBuilder, run};

use crate::managers::{Machine, Manager, Operation, said};
use crate::packages::make_executable;
use crate::support::goes_through;

/// kmp's plugin for dnf 4, as it is installed.
const DNF4: &str = include_str!("../../packaging/dnf/kmp.py");

/// The plugin of libdnf5, built for this machine's; `None`: there is no libdnf5, or nothing to build it with.
fn libdnf5() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/dnf/kmp.cpp");
        if !Path::new("/usr/include/libdnf5").is_dir() {
            testkit::skip("there are no headers of libdnf5");
            return None;
        }
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libdnf5-kmp.so");
        let mut compiler = Command::new("c++");
        compiler.args(["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o"]);
        run(compiler.arg(&to).args([source, "-ldnf5", "-ljson-c"])).expect_success();
        Some(to)
    };
    BUILT.get_or_init(build).as_deref()
}

/// A machine on which kmp's plugin is installed. `None`: it cannot be there.
pub fn machine(by: Manager) -> Option<Machine> {
    machine_with(by, by.offered_driver("1.0", 0, 7))
}

/// The same with another package of the driver.
pub fn machine_with(by: Manager, driver: PackageBuilder) -> Option<Machine> {
    let machine = Machine::bare(by);
    let root = machine.root();
    let conf = std::fs::read_to_string(root.join("etc/dnf/dnf.conf")).unwrap();
    let mut conf = conf.replace("plugins=0", "plugins=1");
    if by == Manager::Dnf5 {
        let plugin = std::fs::read(libdnf5()?).unwrap();
        root.write("usr/lib/kmp-test/kmp.so", plugin);
        root.write("etc/dnf/libdnf5-plugins/kmp.conf", include_str!("../../packaging/dnf/libdnf5.conf"));
    } else {
        root.write("usr/lib/kmp-test/kmp.py", DNF4);
    }
    conf.push_str("pluginpath=/usr/lib/kmp-test\n");
    root.write("etc/dnf/dnf.conf", conf);
    machine.install(&[by.offered_kernel(0, 7), driver, PackageBuilder::new("other", "1", "1")]);
    Some(machine)
}

/// Modules of that kernel in a package of their own.
fn modules(by: Manager, nth: usize) -> PackageBuilder {
    let krel = by.releases()[nth];
    let (version, release) = krel.split_once('-').unwrap();
    PackageBuilder::new("kernel-modules", version, release.trim_end_matches(".x86_64"))
        .provides(&format!("kernel-modules-uname-r = {krel}"))
        .requires(&format!("kernel-uname-r = {krel}"))
        .source(&format!("kernel-of-{nth}"))
}

/// `dnf WORDS`, which may be asked for yes or no.
pub fn dnf(machine: &Machine, yes: bool, words: &str) -> Output {
    let program = if machine.by == Manager::Dnf5 { "dnf5" } else { "dnf" };
    let answer = if yes { "--assumeyes" } else { "--assumeno" };
    machine.site.sh(&format!("{program} {answer} --refresh {words}"))
}

/// NAME-VERSION of the packages that a table of dnf's names, before it asks.
pub fn table(output: &Output) -> Vec<String> {
    let lines = output.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let package = |words: Vec<&str>| match words[..] {
        [name, "x86_64" | "noarch", version, ..] => {
            let version = version.split_once(':').map_or(version, |(_, version)| version);
            Some(format!("{name}-{}", version.trim_end_matches(".el9")))
        }
        _ => None,
    };
    let mut all: Vec<String> = lines.filter_map(package).collect();
    all.sort();
    all
}

/// Tests by each dnf, as far as it is there.
macro_rules! by_each_dnf {
    ($($case:ident),* $(,)?) => {
        by_each_dnf!(dnf, Manager::Dnf, $($case),*);
        by_each_dnf!(dnf5, Manager::Dnf5, $($case),*);
    };
    ($name:ident, $manager:expr, $($case:ident),*) => {
        mod $name {
            use super::Manager;
            $(#[test]
            fn $case() {
                if $manager.is_there()
                    && let Some(machine) = super::machine($manager)
                {
                    super::$case(&machine);
                }
            })*
        }
    };
}

by_each_dnf! {
    a_kernel_comes_with_its_driver_and_one_without_stays_away,
    a_kernel_is_held_back_until_its_driver_is_there,
    a_kernel_comes_where_the_user_has_removed_the_driver,
    a_kernel_that_would_push_out_the_only_one_with_the_driver_is_held,
}

/// There is a build of the driver for one of two kernels, of another vendor.
fn a_kernel_comes_with_its_driver_and_one_without_stays_away(machine: &Machine) {
    let by = machine.by;
    let other = PackageBuilder::new("other", "2", "1");
    let tool = PackageBuilder::new("tool", "1", "1");
    let build = by.offered_driver("1.1", 1, 8).tag("Vendor", "Nics");
    let kernels = [by.offered_kernel(1, 8), modules(by, 1), by.offered_kernel(2, 9), modules(by, 2)];
    machine.site.offer(&[&kernels[..], &[build, other, tool]].concat());
    let both = ["kernel-core-5.14.0-162", "kmod-foo-1.1-1"];
    let mut rows = vec![
        ("upgrade", vec![both[0], both[1], "other-2-1"], true),
        ("distro-sync", vec![both[0], both[1], "other-2-1"], true),
        ("upgrade other", vec!["other-2-1"], true),
        ("install tool", vec!["tool-1-1"], true),
        ("install kernel-modules", vec![both[0], "kernel-modules-5.14.0-162"], true),
        ("remove other", vec!["other-1-1"], false),
    ];
    if by == Manager::Dnf {
        // libdnf5 lets no plugin add a package.
        rows.push(("upgrade kernel-core", both.to_vec(), true));
        rows.push(("install kernel-core", both.to_vec(), true));
        rows[4].1.push(both[1]);
    }
    for (words, expected, is_asked) in rows {
        let output = dnf(machine, false, words);
        let said = said(&output);
        assert_eq!(table(&output), expected, "{by:?} {words}: {said}");
        let held = "kmp: kernel-core-5.14.0-284.el9.x86_64 is held back: no build for it in any repository";
        assert_eq!(said.contains(held), is_asked, "{by:?} {words}: {said}");
    }
    if by == Manager::Dnf5 {
        // Who names the kernel alone is stopped by rpm's plugin, which says what to name as well.
        machine.is_stopped(Operation::Install("kernel-core"), &["error: kmp:", "kmod-foo-1.1"]);
    }
    let said = said(&goes_through(dnf(machine, true, "upgrade")));
    assert!(!said.contains("error: kmp"), "{said}");
    let installed = machine.installed();
    let expected = ["kernel-core-5.14.0-162.el9", "kernel-core-5.14.0-70.el9", "kmod-foo-1.1-1", "other-2-1"];
    assert_eq!(installed[..4], expected, "{said}");
}

/// What was held back comes on the day the driver is there.
fn a_kernel_is_held_back_until_its_driver_is_there(machine: &Machine) {
    let by = machine.by;
    machine.site.offer(&[by.offered_kernel(1, 8), modules(by, 1), PackageBuilder::new("other", "2", "1")]);
    let said_first = said(&goes_through(dnf(machine, true, "upgrade")));
    assert!(said_first.contains("kernel-core-5.14.0-162.el9.x86_64 is held back"), "{said_first}");
    assert_eq!(machine.count(), (1, 1), "{said_first}");
    assert!(machine.site.has("other-2"), "{said_first}");
    goes_through(dnf(machine, true, "upgrade"));

    // It is remembered, and what is asked about a part of the repositories takes nothing away.
    goes_through(dnf(machine, true, "upgrade --repo=repo other"));
    let held = machine.site.sh("kmp hold");
    assert!(held.stdout.contains("kernel-core-5.14.0-162"), "{held}");

    // Whatever becomes of kmp, dnf goes on.
    let kmp = machine.root().join("usr/bin/kmp");
    for (script, words) in [
        ("echo '{'", "JSON"),
        ("echo '{\"version\": 2}'", "form"),
        ("echo '{\"version\": 1}'", "it has no"),
        ("echo 'kmp: it is broken' >&2; exit 2", "kmp"),
        ("exec sleep 1000", "kmp"),
    ] {
        machine.root().write("usr/bin/kmp", format!("#!/bin/sh\n{script}\n"));
        make_executable(&kmp);
        // A busy machine may take a second to start a script: only who never answers is not waited for.
        let timeout = if script.contains("sleep") { "timeout = 1\n" } else { "" };
        let conf = format!("[main]\nname = kmp\nenabled = 1\n{timeout}");
        machine.root().write("etc/dnf/plugins/kmp.conf", &conf);
        machine.root().write("etc/dnf/libdnf5-plugins/kmp.conf", conf);
        let output = dnf(machine, false, "upgrade");
        let said = said(&output);
        assert_eq!(table(&output), ["kernel-core-5.14.0-162"], "{by:?} {script}: {said}");
        let warning =
            said.lines().find(|l| l.contains("no kernel is held back, as `kmp update` gave no answer"));
        assert!(warning.is_some_and(|line| line.contains(words)), "{by:?} {script}: {said}");
        assert!(!said.contains("Traceback"), "{said}");
    }
    // That of the layer below is to be seen again.
    std::fs::remove_file(kmp).unwrap();
    machine.site.offer(&[by.offered_driver("1.1", 1, 8)]);
    let said = said(&goes_through(dnf(machine, true, "upgrade")));
    assert!(!said.contains("held back"), "{said}");
    assert_eq!(machine.count(), (2, 1), "{said}");
    assert!(machine.site.has("kmod-foo-1.1"), "{said}");
}

/// Without drivers nothing is held.
fn a_kernel_comes_where_the_user_has_removed_the_driver(machine: &Machine) {
    machine.site.offer(&[machine.by.offered_kernel(1, 8)]);
    assert!(table(&dnf(machine, false, "upgrade")).is_empty());
    goes_through(dnf(machine, true, "remove kmod-foo"));
    let said = said(&goes_through(dnf(machine, true, "upgrade")));
    assert!(!said.contains("kmp:"), "{said}");
    assert_eq!(machine.count(), (2, 0), "{said}");
}

/// dnf's installonly_limit: the driver fits the oldest kernel alone, and would be erased with it.
fn a_kernel_that_would_push_out_the_only_one_with_the_driver_is_held(machine: &Machine) {
    let by = machine.by;
    machine.install(&[by.offered_kernel(1, 8)]);
    machine.site.offer(&[by.offered_kernel(2, 8), PackageBuilder::new("other", "2", "1")]);
    // The kernel comes as long as there is room.
    let output = dnf(machine, false, "upgrade");
    assert_eq!(table(&output), ["kernel-core-5.14.0-284", "other-2-1"], "{output}");
    let conf = std::fs::read_to_string(machine.root().join("etc/dnf/dnf.conf")).unwrap();
    machine.root().write("etc/dnf/dnf.conf", conf.replace("_limit=3", "_limit=2"));
    let said = said(&goes_through(dnf(machine, true, "upgrade")));
    assert!(
        said.contains("installonly_limit would push kernel 5.14.0-70.el9.x86_64 out, and with it kmod-foo"),
        "{said}"
    );
    assert_eq!(machine.count(), (2, 1), "{said}");
    // A build for the kernel that comes takes the place of the one that would go.
    machine.site.offer(&[by.offered_driver("2.0", 2, 8)]);
    goes_through(dnf(machine, true, "upgrade"));
    assert_eq!(machine.count(), (2, 1));
    assert!(
        machine.site.has("kmod-foo-2.0")
            && machine.root().exists(format!("usr/lib/modules/{}", by.releases()[2]))
    );
}

/// With dnf's own plugin for upgrades at boot (dnf 4), or its `offline` (dnf 5): what is held is not downloaded, and what comes
/// with its driver is carried out later, without repositories.
fn an_upgrade_at_boot_brings_what_was_judged_when_it_was_downloaded(by: Manager) {
    let Some(machine) = machine(by) else { return };
    let site = &machine.site;
    site.offer(&[by.offered_kernel(1, 8), by.offered_driver("1.1", 1, 8), by.offered_kernel(2, 9)]);
    site.offer(&[PackageBuilder::new("other", "2", "1")]);
    let (download, carry_out) = if by == Manager::Dnf5 {
        (
            "dnf5 --assumeyes --refresh distro-sync --offline".to_owned(),
            "dnf5 --assumeyes offline reboot && dnf5 offline _execute".to_owned(),
        )
    } else {
        let place = "/usr/lib/python3/dist-packages/dnf-plugins";
        let dnf = format!(
            "dnf --assumeyes --setopt=pluginpath=/usr/lib/kmp-test,{place} --disableplugin='*' \
             --enableplugin=system-upgrade,kmp"
        );
        (
            format!("{dnf} --refresh offline-distrosync download"),
            format!("{dnf} offline-distrosync reboot && {dnf} offline-distrosync upgrade"),
        )
    };
    let at_boot = |line: &str| {
        goes_through(site.system.run(&[("DNF_SYSTEM_UPGRADE_NO_REBOOT", "1")], &["sh", "-c", line]))
    };
    let words = said(&at_boot(&download));
    assert!(words.contains("kernel-core-5.14.0-284.el9.x86_64 is held back"), "{words}");
    assert_eq!(machine.count(), (1, 1), "{words}");
    std::fs::rename(machine.root().join("repo/repodata"), machine.root().join("gone")).unwrap();
    let words = said(&at_boot(&carry_out));
    assert!(!words.contains("error: kmp") && !words.contains("gave no answer"), "{words}");
    for package in ["kernel-core-5.14.0-162.el9", "kmod-foo-1.1", "other-2"] {
        assert!(site.has(package), "{package}: {words}");
    }
    assert_eq!(machine.count(), (2, 1), "{words}");
}

#[test]
fn an_upgrade_at_boot_by_system_upgrade() {
    if Manager::DnfSystemUpgrade.is_there() {
        an_upgrade_at_boot_brings_what_was_judged_when_it_was_downloaded(Manager::DnfSystemUpgrade);
    }
}

#[test]
fn an_upgrade_at_boot_by_dnf5() {
    if Manager::Dnf5.is_there() {
        an_upgrade_at_boot_brings_what_was_judged_when_it_was_downloaded(Manager::Dnf5);
    }
}
