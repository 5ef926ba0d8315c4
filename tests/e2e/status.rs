// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status`: every state.

use std::io::Read;
use std::process::{Command, Stdio};

use testkit::{KernelBuilder, PackageBuilder, TestRoot, run};

use crate::screens::in_a_terminal;
use crate::support::*;

/// A root in which every state occurs, and the states by package and kernel.
pub fn every_state() -> TestRoot {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    root.write(format!("usr/lib/modules/{SAME}/extra/clash.ko"), driver("clash", &same, 7).build());
    let foo = [one_module("foo", "1", &old, 7), one_module("foo", "2", &same, 7)];
    let modules = [("one", driver("one", &old, 7)), ("two", driver("two", &old, 7))];
    root.install(&[
        &foo[0],
        &foo[1],
        &one_module("clash", "1", &old, 7),
        &package("torn", "1", &old, &modules),
    ]);
    good(&root, &["sync"]);
    std::fs::remove_file(root.join(format!("usr/lib/modules/{OLD}/updates/two.ko"))).unwrap();
    let path = "usr/lib/modules/6.4.0-4-default/weak-updates/updates/clash.ko";
    std::fs::remove_file(root.join(path)).unwrap();
    root
}

#[test]
fn every_state_in_json() {
    let root = every_state();
    let found = writes_nothing(&root, || json(&root, &["status"]));
    let state = |krel: &str, nvr: &str| {
        let kernels = found["kernels"].as_array().unwrap();
        let kernel = kernels.iter().find(|k| k["release"] == krel).unwrap();
        let kmps = kernel["kmps"].as_array().unwrap();
        kmps.iter().find(|k| k["package"] == nvr).unwrap_or_else(|| panic!("{nvr}: {found}")).clone()
    };
    let (foo1, foo2) = ("foo-kmp-default-1_k6.4.0_1-1", "foo-kmp-default-2_k6.4.0_2-1");
    let (clash, torn) = ("clash-kmp-default-1_k6.4.0_1-1", "torn-kmp-default-1_k6.4.0_1-1");
    for (krel, nvr, word) in [
        (OLD, foo1, "native"),
        (SAME, foo2, "native"),
        (SAME, foo1, "unused"),
        ("6.4.0-4-default", foo2, "linked"),
        ("6.4.0-4-default", foo1, "unused"),
        ("6.4.0-4-default", clash, "unlinked"),
        (OTHER, foo1, "refused"),
        (OTHER, foo2, "refused"),
        (SAME, clash, "clash"),
        (SAME, torn, "broken"),
    ] {
        assert_eq!(state(krel, nvr)["state"], word, "{nvr} in {krel}: {found}");
    }
    assert_eq!(state(SAME, foo1)["detail"], format!("{foo2} is used in this kernel"));
    assert_eq!(
        state(SAME, clash)["detail"],
        format!(
            "clash is there already: /usr/lib/modules/{SAME}/extra/clash.ko, which no package owns; if nobody needs it, remove it and run kmp sync"
        )
    );
    let misfit = state(OTHER, foo2);
    assert_eq!(misfit["modules"][0], "foo");
    let reason = &misfit["reasons"][0];
    assert_eq!((&reason["rule"], &reason["symbol"]), (&"crc".into(), &"changing".into()), "{misfit}");
    assert_eq!((&reason["wanted"], &reason["offered"]), (&"0x00000007".into(), &"0x00000008".into()));
    assert_eq!(reason["exporter"], "vmlinux");
    let loose = &found["kernels"][1]["unpackaged"][0];
    assert_eq!((&loose["name"], &loose["fits"]), (&"clash".into(), &true.into()));
    assert_eq!(loose["path"], format!("/usr/lib/modules/{SAME}/extra/clash.ko"));
}

/// A driver that its own kernel refuses is not native to programs and refused to people.
#[test]
fn a_driver_that_its_own_kernel_refuses_is_refused_everywhere() {
    let root = TestRoot::new();
    let old = kernel(OLD, 7);
    write(&old, &root);
    let foo = one_module("foo", "1", &old, 9);
    root.install(&[&foo]);
    let found = json(&root, &["status"]);
    let kmp = &found["kernels"][0]["kmps"][0];
    assert_eq!(
        (&kmp["state"], &kmp["place"], &kmp["fault"]),
        (&"refused".into(), &"own".into(), &true.into())
    );
    let page = ends(&root, &["status"], 1).stdout;
    assert!(page.contains("\nfoo-kmp-default  refused\n") && !page.contains("native"), "{page}");
    assert!(page.contains(&format!("foo-kmp-default in {OLD}: refused, though built for it\n")), "{page}");
    let checked = json(&root, &["check"]);
    assert_eq!(checked["kernels"][0]["modules"][0]["state"], "refused");
    assert!(ends(&root, &["check"], 1).stdout.contains(&format!("{OLD}  refused\n")));
}

#[test]
fn exit_codes() {
    let root = TestRoot::new();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7));
    write_all(&root, &[&old, &same]);
    assert_eq!(good(&root, &["status"]).stdout, "no KMP is installed\n");
    root.install(&[&one_module("foo", "1", &old, 7)]);
    ends(&root, &["status"], 1);
    good(&root, &["sync"]);
    good(&root, &["status"]);
    write(&kernel(OTHER, 8), &root);
    ends(&root, &["status"], 1);
    good(&root, &["status", "--kernel", SAME, "--kernel", OLD]);
    let output = ends(&root, &["status", "--kernel", "6.9-default"], 2);
    assert!(output.stderr.starts_with("kmp: error: there is no kernel 6.9-default in "), "{output}");
    assert!(output.stderr.contains(&format!("there are: {OLD}, {SAME}, {OTHER}")), "{output}");
    assert_eq!(output.stdout, "");
}

#[test]
fn one_kernel_is_shown_alone() {
    let root = every_state();
    let found = json(&root, &["status", "--kernel", OTHER]);
    assert_eq!(found["kernels"].as_array().unwrap().len(), 1);
    assert_eq!(found["kernels"][0]["release"], OTHER);
}

#[test]
fn links_that_should_not_be_are_shown() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    root.symlink(
        format!("usr/lib/modules/{OTHER}/weak-updates/updates/foo.ko"),
        format!("/usr/lib/modules/{OLD}/updates/foo.ko"),
    );
    let said = ends(&root, &["status", "--kernel", OTHER], 1).stdout;
    assert!(said.contains("refused, but linked"), "{said}");
    good(&root, &["sync"]);
    assert!(links(&root, OTHER).is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let root = every_state();
    let mut child =
        command(&root, &["status"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// The root of README.md: the demo's, after the kernel update.
fn readme_site() -> TestRoot {
    const NEW: &str = "6.4.0-25-default";
    let root = TestRoot::new();
    let old = KernelBuilder::new("6.4.0-21-default").export("printk", 1).export("usb_alert", 0x1f3a_0c11);
    let old = old.export("pci_nudge", 2);
    let new = KernelBuilder::new(NEW).export("printk", 1).export("usb_alert", 0x5e99_41d2);
    write_all(&root, &[&old, &new]);
    let cam = old.driver("cam").need("usb_alert", 0x1f3a_0c11).need("pci_nudge", 2);
    let nic = old.driver("nic").need("printk", 1);
    root.install(&[
        &package("cam", "1.0", &old, &[("cam", cam)]),
        &package("nic", "1.0", &old, &[("nic", nic)]),
    ]);
    good(&root, &["sync"]);
    root
}

#[test]
fn the_screen_in_the_readme_is_a_real_one() {
    let shown = in_a_terminal(&readme_site(), 80, &["status"], ("NO_COLOR", "1"));
    let readme = include_str!("../../README.md");
    let screen: String = shown.lines().map(|l| format!("    {l}").trim_end().to_string() + "\n").collect();
    assert!(readme.contains(&format!("    $ kmp status\n{screen}")), "README.md should have\n{screen}");
}

/// In a root that is its own `/`, where the running kernel is known.
#[test]
fn the_running_kernel_is_marked() {
    let root = every_state();
    root.add_program(KMP, "/usr/bin/kmp");
    root.add_librpm();
    root.write("proc/sys/kernel/osrelease", format!("{SAME}\n"));
    root.write("boot/grub2/grubenv", format!("saved_entry=SLES, with Linux {OTHER}\n"));
    let inside = run(Command::new("chroot").arg(root.path()).args(["/usr/bin/kmp", "status"])).stdout;
    assert!(inside.contains(&format!("2  {SAME}  (running)\n")), "{inside}");
    assert_eq!(inside.matches("(running)").count(), 1);
    assert!(inside.contains(&format!("3  {OTHER}  (boots next)\n")), "{inside}");
    let lacks = format!(
        "Kernel {OTHER}, which boots next, lacks clash-kmp-default, foo-kmp-default, torn-kmp-default."
    );
    assert!(inside.contains(&lacks), "{inside}");
    // From outside it is not: another kernel runs there.
    assert!(!kmp(&root, &["status"]).stdout.contains("(running)"));
}

#[test]
fn colour_is_for_terminals_and_no_color_is_heeded() {
    let root = every_state();
    let plain = kmp(&root, &["status"]).stdout;
    assert!(in_a_terminal(&root, 80, &["status"], ("COLUMNS", "80")).contains("\x1b[32mnative\x1b[0m"));
    assert!(in_a_terminal(&root, 80, &["status"], ("NO_COLOR", "")).contains("\x1b[32m"));
    for args in [&["--color=always", "status"][..], &["status"]] {
        let forced = run(command(&root, args).env("CLICOLOR_FORCE", "1")).stdout;
        assert!(forced.contains("\x1b[32mnative\x1b[0m"), "{forced}");
    }
    let never = run(command(&root, &["--color", "never", "status"]).env("CLICOLOR_FORCE", "1")).stdout;
    assert!(!never.contains('\x1b'), "{never}");
    for setting in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = in_a_terminal(&root, 80, &["status"], setting);
        assert!(!shown.contains("\x1b[3"), "{shown}");
        assert!(shown.contains("native"), "{shown}");
    }
    assert!(!plain.contains('\x1b'));
}

#[test]
fn a_kmp_of_no_kernel_is_shown() {
    let root = TestRoot::new();
    write(&kernel("6.4.0-1-rt", 7), &root);
    let files = [("foo.ko", driver("foo", &kernel(OLD, 7), 7).build())];
    root.install(&[&PackageBuilder::kmp("foo", "default", "1", OLD, files).build()]);
    let said = good(&root, &["status"]).stdout;
    assert!(said.contains("\nfoo-kmp-default  -\n"), "{said}");
    let end = "\n\nfoo-kmp-default\n  no installed kernel could use it: it is for another flavour\n";
    assert!(said.ends_with(end), "{said}");
}

#[test]
fn all_builds_of_a_driver_are_one_row() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    // Each for a kernel that is gone, but the last two, and one that another has taken the place of in its own kernel.
    let gone = |version: u32| kernel(&format!("6.3.0-{version}-default"), 7);
    let mut packages: Vec<_> =
        (2..39).map(|version| one_module("foo", &version.to_string(), &gone(version), 7)).collect();
    packages.push(one_module("foo", "1", &old, 7));
    packages.push(one_module("foo", "39", &old, 7));
    packages.push(one_module("foo", "40", &same, 7));
    packages.push(one_module("bar", "1", &old, 7));
    install(&root, &packages.iter().collect::<Vec<_>>());
    kmp(&root, &["sync", "--no-initrd"]);
    let page = kmp(&root, &["status"]).stdout;
    assert!(page.contains("\nfoo-kmp-default  refused   native    native\n"), "{page}");
    assert!(page.lines().count() < 20, "{page}");
    // The newest does not fit one kernel; it is said once.
    assert_eq!(page.matches("changing was").count(), 2, "{page}");
    let all = kmp(&root, &["status", "--all"]).stdout;
    assert!(packages.iter().all(|package| all.contains(&format!("\n{}  ", package.nvr()))), "{all}");
    assert_eq!(json(&root, &["status"])["kernels"][0]["kmps"].as_array().unwrap().len(), 41);
}

#[test]
fn a_leftover_that_keeps_a_kmp_out_is_named_with_what_to_do() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    let leftover = format!("/usr/lib/modules/{SAME}/updates/foo.ko");
    root.write(&leftover, driver("foo", &same, 7).build());
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let said = good(&root, &["sync", "--no-initrd"]);
    let page = kmp(&root, &["status"]).stdout;
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected =
        format!("{leftover}, which no package owns; if nobody needs it, remove it and run kmp sync");
    assert!(page.contains(&expected), "{page}");
    assert!(said.to_string().contains(&expected), "{said}");
    std::fs::remove_file(root.join(&leftover)).unwrap();
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

#[test]
fn what_is_named_is_shown_alone() {
    let root = every_state();
    let drivers = |names: &[&str]| -> Vec<String> {
        let found = json(&root, &[&["status"], names].concat());
        let kernels = found["kernels"].as_array().unwrap();
        let kmps = kernels.iter().flat_map(|k| k["kmps"].as_array().unwrap());
        let drivers: std::collections::BTreeSet<_> =
            kmps.map(|k| k["driver"].as_str().unwrap().to_string()).collect();
        drivers.into_iter().collect()
    };
    let all = drivers(&[]);
    let [clash, foo, torn] = all.as_slice() else { panic!("{all:?}") };
    // A driver, a package, a build of it, a module, and a module's file.
    let path = format!("/usr/lib/modules/{OLD}/updates/foo.ko");
    for name in
        [foo.as_str(), "foo-kmp-default", "foo-kmp-default-1_k6.4.0_1-1", "foo", "foo.ko", path.as_str()]
    {
        assert_eq!(drivers(&[name]), std::slice::from_ref(foo), "{name}");
    }
    assert_eq!(drivers(&["one", clash]), [clash.clone(), torn.clone()]);
    // The exit status and the screen are about these alone.
    let run = good(&root, &["status", "foo", "--kernel", SAME]);
    assert!(run.stdout.starts_with("Status: 1 kernel, 1 driver: all in place\n"), "{run}");
    assert!(!run.stdout.contains("torn") && !run.stdout.contains("clash"), "{run}");
    ends(&root, &["status", "torn-kmp-default"], 1);
    for (name, message) in [
        ("fooo", "there is no KMP and no third-party module fooo; did you mean foo?"),
        (
            "./foo.rpm",
            "./foo.rpm is a package file, and this shows what is installed; type: kmp plan ./foo.rpm",
        ),
    ] {
        let run = ends(&root, &["status", name], 2);
        assert!(run.stderr.contains(message), "{run}");
    }
}
