// SPDX-License-Identifier: LGPL-2.1-or-later
//! Scenarios for `regenerate-initrd-posttrans`: which programs it calls, with what arguments, which requests stay, and how it
//! ends. What the original does (suse-module-tools 16.1.6) was taken down from it once, and is compared with it again
//! where `KMP_PEER_SMT` names an unpacked suse-module-tools. Ours has to do the same but for the defects that are named.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::{TestRoot, makes_empty_initrds, run};

use crate::sides::KMP;

const A: &str = "6.4.0-1-default";
const B: &str = "6.4.0-2-default";

/// Where packages call it.
const PLACE: &str = "usr/lib/module-init-tools";

/// One scenario. Unless it says otherwise there are two kernels, an fstab, and dracut, in which all calls succeed.
#[derive(Default)]
pub struct Scenario {
    pub name: &'static str,
    /// Files and their contents.
    files: &'static [(&'static str, &'static str)],
    /// Files that are not there.
    gone: &'static [&'static str],
    /// Programs beside dracut.
    programs: &'static [&'static str],
    /// Programs that fail, by the text of their call or its beginning.
    failing: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    requests: &'static [&'static str],
    /// What is called, what stays, and the exit status, with the original.
    original: (&'static [&'static str], &'static [&'static str], i32),
    /// The defect by which ours differs, and what is seen with ours.
    ours: Option<(&'static str, &'static [&'static str], &'static [&'static str], i32)>,
}

const MKOSI: &[(&str, &str)] = &[("etc/sysconfig/bootloader", "INITRD_GENERATOR=mkosi\n")];
const SDBOOTUTIL: &[&str] = &["usr/bin/sdbootutil"];
const IN_USE: &str = "sdbootutil is-installed";

macro_rules! scenarios {
    ($({ $($field:ident: $value:expr),* $(,)? }),* $(,)?) => {
        &[$(Scenario { $($field: $value,)* ..EMPTY }),*]
    };
}

const EMPTY: Scenario = Scenario {
    name: "",
    files: &[],
    gone: &[],
    programs: &[],
    failing: &[],
    variables: &[],
    requests: &[],
    original: (&[], &[], 0),
    ours: None,
};

pub const SCENARIOS: &[Scenario] = scenarios![
    { name: "no requests" },
    { name: "one kernel", requests: &[A], original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "two kernels", requests: &[B, A],
      original: (&["dracut -f --kver 6.4.0-1-default", "dracut -f --kver 6.4.0-2-default"], &[], 0) },
    { name: "by the name of an image", requests: &["vmlinuz-6.4.0-1-default"],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "no such kernel", requests: &["6.9.0-1-default"], original: (&[], &[], 0) },
    { name: "all", requests: &["all"], original: (&["dracut -f --regenerate-all"], &[], 0) },
    { name: "all and one", requests: &["all", A], original: (&["dracut -f --regenerate-all"], &[], 0) },
    { name: "all is skipped", requests: &["all"], variables: &[("SKIP_REGENERATE_INITRD_ALL", "1")] },
    { name: "all is skipped, one is not", requests: &["all", A], variables: &[("SKIP_REGENERATE_INITRD_ALL", "1")],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "skipped only if it is 1", requests: &["all"], variables: &[("SKIP_REGENERATE_INITRD_ALL", "yes")],
      original: (&["dracut -f --regenerate-all"], &[], 0) },
    { name: "a unified image is configured", requests: &[A], files: &[("etc/dracut.conf.d/uki.conf", "uefi=yes\n")],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "another dracut", requests: &[A], variables: &[("DRACUT", "/usr/bin/other")], programs: &["usr/bin/other"],
      original: (&["other -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "dracut fails", requests: &[A], failing: &["dracut"],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 3),
      ours: Some(("the request is lost", &["dracut -f --kver 6.4.0-1-default"], &[A], 3)) },
    { name: "dracut fails for the first of two", requests: &[A, B], failing: &["dracut -f --kver 6.4.0-1"],
      original: (&["dracut -f --kver 6.4.0-1-default", "dracut -f --kver 6.4.0-2-default"], &[], 0),
      ours: Some(("the status is the last call's",
        &["dracut -f --kver 6.4.0-1-default", "dracut -f --kver 6.4.0-2-default"], &[A], 3)) },
    { name: "dracut fails for all", requests: &["all"], failing: &["dracut"],
      original: (&["dracut -f --regenerate-all"], &[], 3),
      ours: Some(("the request is lost", &["dracut -f --regenerate-all"], &["all"], 3)) },
    { name: "no dracut", requests: &[A], gone: &["usr/bin/dracut"], original: (&[], &[A], 0) },
    { name: "a build root", requests: &["all", A], files: &[(".buildenv", "")] },
    { name: "no fstab", requests: &[A], gone: &["etc/fstab"] },
    { name: "a generator that is not known", requests: &[A], files: &[("etc/sysconfig/bootloader", "INITRD_GENERATOR=booster\n")],
      original: (&[], &[A], 1) },
    { name: "a generator that is not known, and no requests",
      files: &[("etc/sysconfig/bootloader", "INITRD_GENERATOR=booster\n")], original: (&[], &[], 1) },
    { name: "the file goes over the environment", requests: &[A], variables: &[("INITRD_GENERATOR", "mkosi")],
      files: &[("etc/sysconfig/bootloader", "INITRD_GENERATOR=dracut\n")],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "mkosi-initrd", requests: &[A], files: MKOSI, programs: &["usr/bin/mkosi-initrd"],
      original: (&["mkosi-initrd --kernel-version 6.4.0-1-default -O /boot -o initrd-6.4.0-1-default"], &[], 0) },
    { name: "mkosi-initrd for all", requests: &["all"], files: MKOSI, programs: &["usr/bin/mkosi-initrd"],
      original: (&[
        "mkosi-initrd --kernel-version 6.4.0-1-default -O /boot -o initrd-6.4.0-1-default",
        "mkosi-initrd --kernel-version 6.4.0-2-default -O /boot -o initrd-6.4.0-2-default",
      ], &[], 0) },
    { name: "mkosi-initrd fails for all", requests: &["all"], files: MKOSI, programs: &["usr/bin/mkosi-initrd"],
      failing: &["mkosi-initrd --kernel-version 6.4.0-1"],
      original: (&["mkosi-initrd --kernel-version 6.4.0-1-default -O /boot -o initrd-6.4.0-1-default"], &[], 3),
      ours: Some(("it ends at the first failure", &[
        "mkosi-initrd --kernel-version 6.4.0-1-default -O /boot -o initrd-6.4.0-1-default",
        "mkosi-initrd --kernel-version 6.4.0-2-default -O /boot -o initrd-6.4.0-2-default",
      ], &["all"], 3)) },
    { name: "no mkosi-initrd", requests: &[A], files: MKOSI, original: (&[], &[A], 0) },
    { name: "sdbootutil", requests: &[A], programs: SDBOOTUTIL,
      original: (&[IN_USE, "sdbootutil --no-reuse-initrd --default-snapshot add-kernel 6.4.0-1-default"], &[], 0) },
    { name: "sdbootutil for all", requests: &["all", A], programs: SDBOOTUTIL,
      original: (&[IN_USE, "sdbootutil --no-reuse-initrd --default-snapshot add-all-kernels"], &[], 0) },
    { name: "sdbootutil that is not in use", requests: &[A], programs: SDBOOTUTIL, failing: &[IN_USE],
      original: (&[IN_USE, "dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "sdbootutil, without what it calls", requests: &[A], programs: SDBOOTUTIL, gone: &["usr/bin/dracut"],
      original: (&[], &[A], 0) },
    { name: "sdbootutil in a transaction", requests: &[A, "all"], programs: SDBOOTUTIL,
      variables: &[("TRANSACTIONAL_UPDATE", "true")], original: (&[IN_USE], &[A, "all"], 0) },
    { name: "sdbootutil in a transaction, in a build root", requests: &[A], programs: SDBOOTUTIL,
      files: &[(".buildenv", "")], variables: &[("TRANSACTIONAL_UPDATE", "true")], original: (&[IN_USE], &[A], 0) },
    { name: "dracut in a transaction", requests: &[A], variables: &[("TRANSACTIONAL_UPDATE", "true")],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "Xen on EFI", requests: &[A], programs: &["usr/sbin/update-bootloader"],
      files: &[("boot/xen-4.18.gz", ""), ("sys/firmware/efi/x", "")],
      original: (&["dracut -f --kver 6.4.0-1-default", "update-bootloader --refresh"], &[], 0) },
    { name: "Xen on EFI, all", requests: &["all"], programs: &["usr/sbin/update-bootloader"],
      files: &[("boot/xen.gz", ""), ("sys/firmware/efi/x", "")], failing: &["update-bootloader"],
      original: (&["dracut -f --regenerate-all", "update-bootloader --refresh"], &[], 0) },
    { name: "Xen on EFI, where nothing was made", requests: &["6.9.0-1-default"], programs: &["usr/sbin/update-bootloader"],
      files: &[("boot/xen.gz", ""), ("sys/firmware/efi/x", "")] },
    { name: "Xen without EFI", requests: &[A], programs: &["usr/sbin/update-bootloader"], files: &[("boot/xen.gz", "")],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
    { name: "EFI without Xen", requests: &[A], programs: &["usr/sbin/update-bootloader"],
      files: &[("boot/xen.efi", ""), ("sys/firmware/efi/x", "")],
      original: (&["dracut -f --kver 6.4.0-1-default"], &[], 0) },
];

type Seen = (Vec<String>, Vec<String>, Option<i32>);

/// Runs a scenario with ours, and with the original if `peer` names it. Returns the defect by which they differ.
#[track_caller]
pub fn check(scenario: &Scenario, peer: Option<&Path>) -> Option<&'static str> {
    let seen = |(calls, requests, status): (&[&str], &[&str], i32)| -> Seen {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        (words(calls), words(requests), Some(status))
    };
    let original = seen(scenario.original);
    let ours = scenario
        .ours
        .map_or_else(|| original.clone(), |(_, calls, requests, status)| seen((calls, requests, status)));
    assert_eq!(play(scenario, None), ours, "ours");
    if let Some(peer) = peer {
        assert_eq!(play(scenario, Some(peer)), original, "the original");
    }
    scenario.ours.map(|(defect, ..)| defect)
}

fn play(scenario: &Scenario, peer: Option<&Path>) -> Seen {
    let root = TestRoot::new();
    root.write("etc/os-release", "ID=opensuse-tumbleweed\n");
    root.add_program("/bin/sh", "/bin/sh");
    root.add_program("/bin/rm", "/bin/rm");
    let executable = |path: &str, text: &[u8]| {
        root.write(path, text);
        std::fs::set_permissions(root.join(path), PermissionsExt::from_mode(0o755)).unwrap();
    };
    match peer {
        None => {
            root.add_program(KMP, format!("/{PLACE}/regenerate-initrd-posttrans"));
        }
        Some(peer) => {
            for script in ["regenerate-initrd-posttrans", "dracut-posttrans", "mkosi-initrd-posttrans"] {
                executable(&format!("{PLACE}/{script}"), &std::fs::read(peer.join(script)).unwrap());
            }
        }
    }
    if !root.exists("sbin") {
        std::os::unix::fs::symlink("usr/sbin", root.join("sbin")).unwrap();
    }
    for krel in [A, B] {
        for (file, text) in [("System.map", ""), ("vmlinuz", ""), ("modules.dep", ""), ("kernel/a.ko", "")] {
            root.write(format!("usr/lib/modules/{krel}/{file}"), text);
        }
    }
    root.write("etc/fstab", "");
    // No device, but the original can write to it.
    root.write("dev/null", "");
    let failing: String = scenario
        .failing
        .iter()
        .map(|call| format!("case \"$call\" in '{call}'*) exit 3 ;; esac\n"))
        .collect();
    // The original does not look at what was made: questions about that are no part of the comparison.
    let recorder = format!(
        "#!/bin/sh\ncall=\"${{0##*/}} $*\"\n\
         case $call in *show-entry*) ;; *) echo \"$call\" >> /calls ;; esac\n{failing}{}exit 0\n",
        makes_empty_initrds()
    );
    root.mkdir("boot");
    for program in scenario.programs.iter().chain(&["usr/bin/dracut"]) {
        executable(program, recorder.as_bytes());
    }
    scenario.files.iter().for_each(|(path, text)| root.write(path, text));
    scenario.gone.iter().for_each(|path| std::fs::remove_file(root.join(path)).unwrap());
    scenario.requests.iter().for_each(|request| root.write(format!("run/regenerate-initrd/{request}"), ""));
    let mut command = root.command("chroot");
    command.arg(root.path()).arg(format!("/{PLACE}/regenerate-initrd-posttrans"));
    let output = run(command.envs(scenario.variables.iter().copied()));
    let calls = std::fs::read_to_string(root.join("calls")).unwrap_or_default();
    let entries = std::fs::read_dir(root.join("run/regenerate-initrd")).into_iter().flatten();
    let mut left: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    (calls.lines().map(Into::into).collect(), left, output.status)
}
