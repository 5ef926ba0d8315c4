// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whole screens, as people see them.

use std::process::Stdio;

use testkit::{KernelBuilder, PackageBuilder, TestRoot, run};

use crate::status::every_state;
use crate::support::*;

/// `kmp ARGS` in a terminal of its own with this many columns, by util-linux's script.
pub fn in_a_terminal(root: &TestRoot, columns: u32, args: &[&str], setting: (&str, &str)) -> String {
    let args = args.join(" ");
    let line = format!("stty rows 24 cols {columns}; '{KMP}' --root '{}' {args}", root.path().display());
    let mut script = root.command("script");
    script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "xterm").env(setting.0, setting.1);
    run(script.stdin(Stdio::null())).stdout.replace('\r', "")
}

/// The same without colours, and without messages, which have the root's path in them.
fn screen(root: &TestRoot, columns: u32, args: &[&str]) -> String {
    let args = [args, &["2>/dev/null"]].concat();
    let shown = in_a_terminal(root, columns, &args, ("NO_COLOR", "1"));
    assert!(shown.lines().all(|l| !l.ends_with(' ')), "{shown}");
    shown
}

/// Who waits for depmod on a terminal sees it; nobody else does.
#[test]
fn a_program_that_takes_its_time_is_shown_on_a_terminal_alone() {
    let root = small();
    root.write("slow-depmod", "#!/bin/sh\nsleep 3\nexec /sbin/depmod \"$@\"\n");
    run(root.command("chmod").arg("755").arg(root.join("slow-depmod"))).expect_success();
    let links = root.join("usr/lib/modules/6.4.0-150600.23.25-default/weak-updates");
    let slow = root.join("slow-depmod").display().to_string();
    std::fs::remove_dir_all(&links).unwrap();
    let shown = in_a_terminal(&root, 80, &["sync", "--no-initrd"], ("DEPMOD", &slow));
    assert!(shown.contains("running slow-depmod, ") && shown.contains("cam-kmp-default-1.0"), "{shown}");
    std::fs::remove_dir_all(&links).unwrap();
    let piped = run(command(&root, &["sync", "--no-initrd"]).env("DEPMOD", &slow)).expect_success();
    assert_eq!(piped.stderr, "");
}

/// Two kernels of SUSE's, and a driver that fits both.
fn small() -> TestRoot {
    let root = TestRoot::new();
    let (old, new) = (kernel("6.4.0-150600.23.22-default", 7), kernel("6.4.0-150600.23.25-default", 7));
    write_all(&root, &[&old, &new]);
    root.install(&[&one_module("cam", "1.0", &old, 7)]);
    good(&root, &["sync", "--no-initrd"]);
    root
}

/// As many KMPs in as many kernels; `misfits` of them do not fit the newest.
fn large(kmps: usize, kernels: u32, misfits: usize) -> TestRoot {
    let root = TestRoot::new();
    let release = |n: u32| format!("6.4.0-150600.23.{n}-default");
    let of = |n: u32| KernelBuilder::new(&release(n)).export("printk", 0x1000_0001);
    let all: Vec<KernelBuilder> =
        (1..=kernels).map(|n| of(n).export("changing", if n == kernels { 8 } else { 7 })).collect();
    write_all(&root, &all.iter().collect::<Vec<_>>());
    let package = |n: usize| {
        let name = format!("driver{n:02}");
        let module = all[0].driver(&name).need("printk", 0x1000_0001);
        let module = if n < misfits { module.need("changing", 7) } else { module };
        let files = [(format!("{name}.ko"), module.build())];
        PackageBuilder::kmp(&name, "default", "1", all[0].krel(), files)
    };
    let packages: Vec<PackageBuilder> = (0..kmps).map(package).collect();
    let packages = PackageBuilder::build_all(&packages);
    install(&root, &packages.iter().collect::<Vec<_>>());
    kmp(&root, &["sync", "--no-initrd", "--no-depmod"]);
    root
}

#[test]
fn status_small() {
    assert_eq!(
        screen(&small(), 80, &["status"]),
        "\
Status: 2 kernels, 1 driver: all in place

1  6.4.0-150600.23.22-default
2  6.4.0-150600.23.25-default

DRIVER           2         1
cam-kmp-default  linked    native
"
    );
}

#[test]
fn status_broken() {
    assert_eq!(
        screen(&every_state(), 80, &["status"]),
        "\
Status: 4 kernels, 3 drivers: 1 unlinked, 1 clash, 2 refused, 1 broken
Kernel 6.4.0-4-default, the newest, lacks clash-kmp-default, torn-kmp-default.
To mend it: kmp sync
If there are newer builds: zypper update clash-kmp-default foo-kmp-default
To mend it: zypper install --force torn-kmp-default

1  6.4.0-1-default
2  6.4.0-2-default
3  6.4.0-3-default
4  6.4.0-4-default

DRIVER             4         3         2         1
clash-kmp-default  unlinked  refused   clash     native
foo-kmp-default    linked    refused   native    native
torn-kmp-default   broken    broken    broken    native

clash-kmp-default in 6.4.0-2-default: clash
  clash is there already: /usr/lib/modules/6.4.0-2-default/extra/clash.ko, which
  no package owns; if nobody needs it, remove it and run kmp sync
clash-kmp-default in 6.4.0-3-default: refused
  clash: changing was 0x00000007 when it was built, vmlinux has 0x00000008
clash-kmp-default in 6.4.0-4-default: unlinked
foo-kmp-default-2_k6.4.0_2-1 in 6.4.0-3-default: refused
  foo: changing was 0x00000007 when it was built, vmlinux has 0x00000008
torn-kmp-default in 6.4.0-2-default and 6.4.0-4-default: broken, but linked
  its module updates/two.ko is not on disk
torn-kmp-default in 6.4.0-3-default: broken
  its module updates/two.ko is not on disk

kmp explain clash-kmp-default --kernel 6.4.0-3-default shows each symbol.
"
    );
}

const TEN: &str = "\
1   6.4.0-150600.23.1-default
2   6.4.0-150600.23.2-default
3   6.4.0-150600.23.3-default
4   6.4.0-150600.23.4-default
5   6.4.0-150600.23.5-default
6   6.4.0-150600.23.6-default
7   6.4.0-150600.23.7-default
8   6.4.0-150600.23.8-default
9   6.4.0-150600.23.9-default
10  6.4.0-150600.23.10-default";

#[test]
fn status_large() {
    let root = large(30, 10, 0);
    let fine = format!(
        "\
Status: 10 kernels, 30 drivers: all in place

{TEN}

kmp status --all lists every driver, build and reason.
"
    );
    assert_eq!(screen(&root, 80, &["status"]), fine);
    let root = large(30, 10, 26);
    let narrow = screen(&root, 80, &["status"]);
    assert!(narrow.lines().count() <= 40, "{narrow}");
    let faults: String = (0..5)
        .map(|n| {
            format!(
                "driver{n:02}-kmp-default in 6.4.0-150600.23.10-default: refused
  driver{n:02}: changing was 0x00000007 when it was built, vmlinux has 0x00000008
"
            )
        })
        .collect();
    let expected = format!(
        "\
Status: 10 kernels, 30 drivers: 26 refused
Kernel 6.4.0-150600.23.10-default, the newest, lacks 26 of them:
driver00-kmp-default, driver01-kmp-default, driver02-kmp-default and 23 more.
If there are newer builds: zypper update

{TEN}

DRIVER                10        2-9       1
driver00-kmp-default  refused   linked    native
driver01-kmp-default  refused   linked    native
driver02-kmp-default  refused   linked    native
driver03-kmp-default  refused   linked    native
driver04-kmp-default  refused   linked    native
25 more, of which 21 are not in place

{faults}and 21 more

kmp explain driver00-kmp-default --kernel 6.4.0-150600.23.10-default shows each
symbol.
kmp status --all lists every driver, build and reason.
"
    );
    assert_eq!(narrow, expected);
    let wide = screen(&root, 200, &["status"]);
    assert!(wide.lines().count() <= 40, "{wide}");
}

/// Two kernels, a driver that fits both, and one that does not fit the newer one.
fn one_refused() -> TestRoot {
    let root = TestRoot::new();
    let (old, new) = (kernel("6.4.0-21-default", 7), kernel("6.4.0-25-default", 8));
    write_all(&root, &[&old, &new]);
    let nic = old.driver("nic").need("printk", 0x1000_0001);
    root.install(&[&one_module("cam", "1.0", &old, 7), &package("nic", "1.0", &old, &[("nic", nic)])]);
    root
}

/// What fits, what does not, and both.
#[test]
fn check() {
    let fits = "\
Check: 1 module, 2 kernels: all compatible

nic  /usr/lib/modules/6.4.0-21-default/updates/nic.ko
  (nic-kmp-default-1.0_k6.4.0_21-1)
  6.4.0-21-default  compatible
  6.4.0-25-default  compatible
";
    let root = one_refused();
    assert_eq!(screen(&root, 80, &["check", "nic"]), fits);
    let refused = |head: &str, more: &str| {
        format!(
            "\
{head}
Kernel 6.4.0-25-default, the newest, does not load cam.

cam  /usr/lib/modules/6.4.0-21-default/updates/cam.ko
  (cam-kmp-default-1.0_k6.4.0_21-1)
  6.4.0-21-default  compatible
  6.4.0-25-default  refused
      crc              changing was 0x00000007 when it was built, vmlinux has
                       0x00000008
{more}
kmp explain cam-kmp-default --kernel 6.4.0-25-default shows each symbol.
"
        )
    };
    let one = refused("Check: 1 module, 2 kernels: 1 refused", "");
    assert_eq!(screen(&root, 80, &["check", "cam-kmp-default"]), one);
    let module = fits.split_once('\n').unwrap().1;
    let both = refused("Check: 2 modules, 2 kernels: 1 refused", module);
    assert_eq!(screen(&root, 80, &["check"]), both);
}

#[test]
fn explain_says_why_without_a_kernel_that_is_named() {
    assert_eq!(
        screen(&one_refused(), 80, &["explain", "cam"]),
        "\
cam  /usr/lib/modules/6.4.0-21-default/updates/cam.ko
  (cam-kmp-default-1.0_k6.4.0_21-1)
  SYMBOL        WANTED     OFFERED    EXPORTER
  module_layout 0xf7940c2b 0xf7940c2b vmlinux
  printk        0x10000001 0x10000001 vmlinux
  changing      0x00000007 0x00000008 vmlinux  crc
  6.4.0-25-default: refused
      crc              changing was 0x00000007 when it was built, vmlinux has
                       0x00000008
"
    );
}

#[test]
fn sync_says_what_it_does_and_then_that_there_is_nothing_to_do() {
    let root = one_refused();
    let refused = "\
6.4.0-25-default: cam-kmp-default-1.0_k6.4.0_21-1 not linked: cam: changing was
  0x00000007 when it was built, vmlinux has 0x00000008
";
    let sync = &["sync", "--no-initrd"];
    let added = "6.4.0-25-default: nic-kmp-default-1.0_k6.4.0_21-1 added\n";
    assert_eq!(screen(&root, 80, sync), format!("{added}{refused}"));
    assert_eq!(screen(&root, 80, sync), format!("{refused}Nothing to do.\n"));
    root.erase(&["cam-kmp-default"]);
    // depmod forgets its module.
    good(&root, sync);
    assert_eq!(screen(&root, 80, sync), "Nothing to do.\n");
}

#[test]
fn plan_fine() {
    assert_eq!(
        screen(&small(), 80, &["plan"]),
        "\
kernel 6.4.0-150600.23.25-default: 1 of 1 driver stays

  cam-kmp-default-1.0_k6.4.0_150600.23.22-1 (cam) stays
  next boot: kernel 6.4.0-150600.23.25-default, with every driver that works now
"
    );
}

#[test]
fn plan_with_one_lost() {
    assert_eq!(
        screen(&large(3, 2, 1), 80, &["plan"]),
        "\
kernel 6.4.0-150600.23.2-default: 2 of 3 drivers stay, 1 lost:
driver00-kmp-default

  driver00-kmp-default-1_k6.4.0_150600.23.1-1 (driver00) does not work with
  kernel 6.4.0-150600.23.2-default: changing was 0x00000007 when it was built,
  vmlinux has 0x00000008
  driver01-kmp-default-1_k6.4.0_150600.23.1-1 (driver01) stays
  driver02-kmp-default-1_k6.4.0_150600.23.1-1 (driver02) stays
  next boot: kernel 6.4.0-150600.23.2-default, without driver00-kmp-default

if there is a driver00-kmp-default for kernel 6.4.0-150600.23.2-default, install
it:
    zypper install driver00-kmp-default
"
    );
}

/// Those that are lost come first, a line each; what helps is said once. All of it is a screen.
#[test]
fn plan_with_26_lost() {
    let lost = (0..26).map(|n| {
        format!("  driver{n:02}-kmp-default (driver{n:02}) is lost: changing has another version\n")
    });
    let nvr = |n: usize| format!("driver{n:02}-kmp-default-1_k6.4.0_150600.23.1-1 (driver{n:02})");
    let stay = (26..30).map(|n| format!("  {} stays\n", nvr(n)));
    let drivers: String = lost.chain(stay).collect();
    let root = large(30, 2, 26);
    let shown = screen(&root, 80, &["plan"]);
    assert_eq!(
        shown,
        format!(
            "\
kernel 6.4.0-150600.23.2-default: 4 of 30 drivers stay, 26 lost:
driver00-kmp-default, driver01-kmp-default and 24 more

{drivers}  next boot: kernel 6.4.0-150600.23.2-default, without driver00-kmp-default,
  driver01-kmp-default and 24 more

if there are builds of all 26 for kernel 6.4.0-150600.23.2-default, install
them:
    zypper update
"
        )
    );
    assert!(shown.lines().count() <= 40, "{shown}");
    let all = screen(&root, 80, &["plan", "--all"]);
    let whole = format!(
        "  {} does not work with
  kernel 6.4.0-150600.23.2-default
      crc              changing was 0x00000007 when it was built, vmlinux has
                       0x00000008\n",
        nvr(25)
    );
    assert!(all.contains(&whole), "{all}");
}
