// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a person sees of a veto on a terminal of 80 columns, by rpm, zypper and dnf. The root is "/", so that there is nothing
//! of this machine in it.

use testkit::PackageBuilder;

use crate::managers::{Machine, Manager};
use crate::packages::{NEW, OLD, kernel, kmp, plain_kmp, telling};
use crate::support::{Mode, REFRESH};

const ONE_LOST: &str = "\
error: kmp: kernel 6.4.0-3-default: 1 of 2 drivers stay, 1 lost:
    cam01-kmp-default
error: kmp: cam01-kmp-default-1.0_k6.4.0_1-1 (cam01) does not work with the
    new kernel 6.4.0-3-default: changing was 0x00000007 when it was built,
    vmlinux has 0x00000008
error: kmp: if there is a cam01-kmp-default for it, install it in the same
    transaction: zypper install kernel-default cam01-kmp-default
error: kmp: or keep the old kernel: zypper addlock kernel-default
error: kmp: nothing has changed for the next boot; to go on without it:
    KMP_POLICY=warn AGAIN
error: kmp: all reasons: PLAN
";

/// What is typed in rpm's tests.
const RPM: &str = "rpm -i --nodeps /tmp/kernel.rpm";

/// The same with the file of the kernel that comes, on a line of its own where there is no room.
fn with_file(expected: &str, file: &str) -> String {
    expected.replace("PLAN", &format!("\n    kmp plan --all {file}")).replace(": \n", ":\n")
}

const MANY_LOST: &str = "\
error: kmp: kernel 6.4.0-3-default: 1 of 27 drivers stay, 26 lost:
    cam01-kmp-default, cam02-kmp-default, cam03-kmp-default and 23 more
error: kmp: cam01-kmp-default (cam01) is lost: changing has another version
error: kmp: cam02-kmp-default (cam02) is lost: changing has another version
error: kmp: cam03-kmp-default (cam03) is lost: changing has another version
error: kmp: if there are builds of all 26 for it, install them in the same
    transaction: zypper update
error: kmp: or keep the old kernel: zypper addlock kernel-default
error: kmp: nothing has changed for the next boot; to go on without them:
    KMP_POLICY=warn AGAIN
error: kmp: 23 more drivers, and all reasons: PLAN
";

const MANY_LOST_WITH_A_WARNING: &str = "\
warning: kmp: kernel 6.4.0-3-default: 1 of 27 drivers stay, 26 lost:
    cam01-kmp-default, cam02-kmp-default, cam03-kmp-default and 23 more
warning: kmp: cam01-kmp-default (cam01) is lost: changing has another
    version
warning: kmp: if there are builds of all 26 for it, install them in the
    same transaction: zypper update
warning: kmp: or keep the old kernel: zypper addlock kernel-default
warning: kmp: next boot: the new kernel 6.4.0-3-default, without
    cam01-kmp-default, cam02-kmp-default, cam03-kmp-default and 23 more
warning: kmp: 25 more drivers, and all reasons: PLAN
";

const BY_DNF: &str = "\
RPM: error: kmp: kernel 5.14.0-162.el9.x86_64: 0 of 1 driver stays, 1 lost:
RPM:     kmod-foo
RPM: error: kmp: kmod-foo-1.0-1 (foo) does not work with the new kernel
RPM:     5.14.0-162.el9.x86_64: changing was 0x00000007 when it was built,
RPM:     vmlinux has 0x00000008
RPM: error: kmp: if there is a kmod-foo for it, install it in the same
RPM:     transaction: dnf install kernel-core kmod-foo
RPM: error: kmp: or keep the old kernel: dnf upgrade --exclude='kernel*'
RPM: error: kmp: nothing has changed for the next boot; to go on without it:
RPM:     KMP_POLICY=warn dnf --assumeyes --refresh upgrade
RPM: error: kmp: all reasons:
RPM:     kmp plan --all /repo/kernel-core-5.14.0-162.el9.x86_64.rpm
";

/// All that kmp says of what a program has printed, as it stands on the terminal.
fn block(screen: &str) -> String {
    let mut is_ours = false;
    // dnf 5 hides the cursor.
    let screen = screen.replace("\u{1b}[?25l", "");
    let ours = screen.lines().filter(|line| {
        let line = line.trim_start_matches("RPM: ");
        is_ours = line.contains(": kmp: ") || is_ours && line.starts_with("    ");
        is_ours
    });
    let text: String = ours.map(|line| format!("{line}\n")).collect();
    // A line to type is one line, however long a path in it is.
    let fits = |line: &str| line.chars().count() <= 80 || line.starts_with("    kmp plan --all /");
    assert!(text.lines().all(fits), "{screen}");
    assert!(text.lines().count() <= 12, "{screen}");
    text
}

/// A system with a kernel and these many drivers that need what the new one changes, and one that does not.
fn machine(by: Manager, drivers: usize) -> Machine {
    let machine = Machine::bare(by);
    let old = kernel(OLD, 7);
    let mut packages: Vec<PackageBuilder> =
        (1..=drivers).map(|n| kmp(&format!("cam{n:02}"), "1.0", &old, 7)).collect();
    packages.extend([PackageBuilder::kernel(&old), plain_kmp("nic", "1.0", &old)]);
    machine.install(&packages);
    machine
}

fn by_rpm(drivers: usize, policy: &[(&str, &str)]) -> String {
    let machine = machine(Manager::Zypper(Mode::any()), drivers);
    let new = telling(&kernel(NEW, 8)).build();
    machine.root().write("tmp/kernel.rpm", std::fs::read(new.path()).unwrap());
    let words = ["rpm", "-i", "--nodeps", "/tmp/kernel.rpm"];
    block(&machine.site.system.on_a_terminal(policy, &words))
}

#[test]
fn rpm_with_one_lost_driver() {
    let expected = ONE_LOST.replace("AGAIN", RPM).replace("PLAN", "kmp plan --all /tmp/kernel.rpm");
    assert_eq!(by_rpm(1, &[]), expected);
}

#[test]
fn rpm_with_26_lost_drivers() {
    let expected = with_file(&MANY_LOST.replace("AGAIN", RPM), "/tmp/kernel.rpm");
    assert_eq!(by_rpm(26, &[]), expected);
}

#[test]
fn rpm_with_a_policy_to_warn() {
    let expected = with_file(MANY_LOST_WITH_A_WARNING, "/tmp/kernel.rpm");
    assert_eq!(by_rpm(26, &[("KMP_POLICY", "warn")]), expected);
}

/// What zypper shows, with where it has put the package that it has downloaded.
fn by_zypper(mode: Mode, drivers: usize, expected: &str) {
    let by = Manager::Zypper(mode);
    if !by.is_there() {
        return;
    }
    let machine = machine(by, drivers);
    machine.site.offer(&[by.kernel(1, 8)]);
    let variable = match mode {
        Mode::Classic => "ZYPP_CLASSIC_RPMTRANS",
        Mode::Single => "ZYPP_SINGLE_RPMTRANS",
    };
    let words = ["zypper", "--non-interactive", "install", "kernel-default"];
    let screen = machine.site.system.on_a_terminal(&[(variable, "1")], &words);
    let expected = expected.replace("AGAIN", &words.join(" "));
    let file = "/var/cache/zypp/packages/repo/kernel-default-6.4.0-3.x86_64.rpm";
    assert_eq!(block(&screen), with_file(&expected, file), "{screen}");
}

#[test]
fn zypper_with_one_lost_driver() {
    by_zypper(Mode::Single, 1, ONE_LOST);
    by_zypper(Mode::Classic, 1, ONE_LOST);
}

#[test]
fn zypper_with_26_lost_drivers() {
    by_zypper(Mode::Single, 26, MANY_LOST);
    by_zypper(Mode::Classic, 26, MANY_LOST);
}

fn by_dnf(by: Manager, program: &str) -> String {
    let machine = Machine::new(by);
    machine.site.offer(&[by.kernel(1, 8)]);
    let words = [program, "--assumeyes", REFRESH, "upgrade"];
    let screen = machine.site.system.on_a_terminal(&[], &words);
    block(&screen)
}

#[test]
fn dnf_with_one_lost_driver() {
    assert_eq!(by_dnf(Manager::Dnf, "dnf"), BY_DNF);
}

#[test]
fn dnf5_with_one_lost_driver() {
    if Manager::Dnf5.is_there() {
        let expected = BY_DNF.replace("RPM: ", "").replace("=warn dnf ", "=warn dnf5 ");
        let shown = by_dnf(Manager::Dnf5, "dnf5");
        // Its cache's directory is named for a checksum.
        let (start, cached) = shown.split_once("/var/cache/libdnf5/repo-").unwrap();
        let (_, file) = cached.split_once("/packages/").unwrap();
        assert_eq!(format!("{start}/repo/{file}"), expected);
    }
}
