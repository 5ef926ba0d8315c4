// SPDX-License-Identifier: LGPL-2.1-or-later
//! One call that reads fails inside rpm: what is unknown is not absent. No veto comes of it, no good link goes, a veto that is
//! due turns into a warning at most, and `kmp sync` makes all right afterwards.
//!
//! `strace` makes the call fail, where the plugin's hooks are at work: rpm's database, payloads and libraries are left alone. The quick form takes some calls of each transaction, a campaign others in each run.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Output, Package, PackageBuilder, TestRoot, campaign, run, run_rpm};

use crate::support::{NEW, OLD, bare, kernel, kmp, make_executable, plain_kmp, telling, turn_off, turn_on};
use crate::{inside, redhat};

/// Every call by which a program looks at something.
const READING: &str = "open,openat,openat2,read,pread64,readv,preadv,getdents64,readlink,readlinkat,stat,lstat,fstat,\
    newfstatat,statx,access,faccessat,faccessat2,statfs,fstatfs";

/// What such a call may fail with, the last two where it can be made again.
const ERRORS: &[&str] = &["EIO", "EACCES", "ENOMEM", "EMFILE", "EINTR", "EAGAIN"];
const MAY_BE_AGAIN: &[&str] = &["open", "openat", "openat2", "read", "pread64", "readv", "getdents64"];

/// How many calls of each transaction fail in the quick form, and in one run of a campaign.
const QUICK: usize = 12;
const LONG: usize = 60;

const MID: &str = "6.4.0-2-default";
const EL_MID: &str = "5.14.0-100.el9.x86_64";

/// All that a transaction changes.
const KEPT: [&str; 4] = ["usr/lib/modules", "run", "boot", "var/lib/rpm"];

/// Links of each kernel, and markers and notes that ask for initrds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    kernels: BTreeSet<String>,
    links: BTreeMap<(String, PathBuf), PathBuf>,
    markers: BTreeSet<String>,
    notes: BTreeSet<String>,
}

impl State {
    fn of(&self, krel: &str) -> BTreeMap<&PathBuf, &PathBuf> {
        self.links.iter().filter(|((of, _), _)| of == krel).map(|((_, link), to)| (link, to)).collect()
    }

    /// Links, and markers for each kernel that should have one.
    fn is_as_good_as(&self, right: &Self) -> bool {
        self.links == right.links && self.markers.is_superset(&right.markers)
    }
}

/// A call of the plugin's own.
struct Call {
    name: String,
    /// Which of its kind in the process.
    nth: usize,
    line: String,
}

impl Call {
    /// Of what strace wrote about rpm with `root`: what is looked at inside of a hook, but for rpm's part in it.
    fn read(text: &str, root: &Path) -> Vec<Self> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut calls = Vec::new();
        let mut is_inside = false;
        let database = root.join("var/lib/rpm");
        let databases = [database.as_path(), Path::new("/var/lib/rpm")];
        let is_databases = |path: &Path| databases.iter().any(|d| d.starts_with(path) || path.starts_with(d));
        for line in text.lines() {
            let Some((name, arguments)) = line.split_once('(') else { continue };
            let count = counts.entry(name).or_default();
            *count += 1;
            if arguments.contains("/kmp-hook-") {
                is_inside = arguments.contains("/kmp-hook-begins");
                continue;
            }
            let path = Path::new(arguments.split('"').nth(1).unwrap_or_default());
            // The path of a package, which rpm reads through librpmio, and its name by /proc; the way to the database.
            let is_rpms = (name != "statx" && (arguments.contains(".rpm>") || arguments.contains(".rpm\"")))
                || path.starts_with("/proc/self/fd")
                || (path.is_absolute() && is_databases(path))
                || arguments.contains(&format!("{}/", database.display()));
            // Files of libraries, and what goes between a program and its child.
            let is_other = arguments.contains(".so.") || arguments.contains("<pipe:");
            // What is not there may as well be there and not be read.
            let is_done = !arguments.contains(" = -1 ")
                || [" = -1 ENOENT ", "(INJECTED)"].iter().any(|sign| arguments.contains(sign));
            if is_inside && !is_rpms && !is_other && is_done {
                calls.push(Self { name: name.into(), nth: *count, line: line.into() });
            }
        }
        calls
    }
}

struct Transaction {
    root: TestRoot,
    before: tempfile::TempDir,
    name: &'static str,
    kernels: [&'static str; 3],
    /// The program and its arguments.
    rpm: Vec<OsString>,
    /// What is lost, where the transaction is to be stopped.
    stopped_for: Option<&'static str>,
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).expect_success();
}

impl Transaction {
    fn new(
        name: &'static str,
        root: TestRoot,
        kernels: [&'static str; 3],
        packages: &[&Package],
        stopped_for: Option<&'static str>,
    ) -> Self {
        root.write("etc/fstab", "");
        if !root.exists("etc/kmp.conf") {
            root.write("etc/kmp.conf", "on-lost-driver = abort\n");
        }
        root.write("etc/dracut.conf.d/own.conf", "add_drivers+=\" bar \"\n");
        root.write("usr/bin/dracut", "#!/bin/sh\n");
        make_executable(&root.join("usr/bin/dracut"));
        for krel in kernels {
            root.write(format!("boot/vmlinuz-{krel}"), "image");
        }
        let before = tempfile::tempdir().unwrap();
        // With rpm inside, the root is "/" to it.
        let is_inside = root.exists("usr/bin/rpm");
        let outside: [OsString; 3] = ["rpm".into(), "--root".into(), root.path().into()];
        let inside: [OsString; 3] = ["chroot".into(), root.path().into(), "/usr/bin/rpm".into()];
        let mut rpm: Vec<OsString> = if is_inside { inside } else { outside }.into();
        rpm.extend(["-i".into(), "--nodeps".into()]);
        rpm.extend(packages.iter().map(|package| {
            let path = Path::new("/packages").join(package.path().file_name().unwrap());
            root.write(&path, std::fs::read(package.path()).unwrap());
            if is_inside { path.into() } else { root.join(path).into() }
        }));
        let this = Self { root, before, name, kernels, rpm, stopped_for };
        // Old kernels have their links.
        turn_off(&this.root);
        this.sync().expect_success();
        let _ = std::fs::remove_dir_all(this.root.join("run/regenerate-initrd"));
        turn_on(&this.root);
        for dir in KEPT {
            copy(&this.root.join(dir), &this.before.path().join(dir.replace('/', "-")));
        }
        this
    }

    fn restore(&self) {
        for dir in KEPT {
            std::fs::remove_dir_all(self.root.join(dir)).unwrap();
            copy(&self.before.path().join(dir.replace('/', "-")), &self.root.join(dir));
        }
    }

    /// rpm, under strace if there are options for it: only rpm's own process, no child of it.
    fn rpm(&self, strace: &[&str], policy: Option<&str>) -> Output {
        let mut command = self.root.command(if strace.is_empty() { "env" } else { "strace" });
        if !strace.is_empty() {
            command.args(["-qq", "-y", "-o"]).arg(self.log()).args(strace).arg("--");
        }
        command.args(&self.rpm).env("KMP_TEST_MARKS", "1").env("KMP_INDEX", "depmod");
        command.env("DEPMOD", self.root.home().join("bin/depmod"));
        command.envs(policy.map(|policy| ("KMP_POLICY", policy)));
        run_rpm(&mut command)
    }

    fn log(&self) -> PathBuf {
        self.root.home().join("trace")
    }

    fn traced(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap()).into_owned()
    }

    fn sync(&self) -> Output {
        let mut command = self.root.command(env!("CARGO_BIN_EXE_kmp"));
        command.arg("--root").arg(self.root.path()).arg("sync");
        run(command.env("INITRD_IN_POSTTRANS", "1").env("DEPMOD", self.root.home().join("bin/depmod")))
    }

    fn state(&self) -> State {
        let names = |dir: &str| {
            let entries = std::fs::read_dir(self.root.join(dir)).into_iter().flatten();
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
        };
        let links = self.kernels.iter().flat_map(|krel| {
            let links = self.root.weak_updates(krel).into_iter();
            links.map(move |(link, target)| ((krel.to_string(), link), target))
        });
        State {
            links: links.collect(),
            kernels: names("usr/lib/modules"),
            markers: names("run/regenerate-initrd"),
            notes: names("run/kmp/check-initrd").into_iter().chain(names("run/kmp/needs-initrd")).collect(),
        }
    }

    /// Lets calls fail, and looks what comes of it.
    #[track_caller]
    fn disturb(&self) {
        let old = self.state();
        // What is stopped is let go on, to see what is right then.
        self.rpm(&[], self.stopped_for.map(|_| "warn")).expect_success();
        let new = self.state();
        assert!(new.links.len() > old.links.len(), "{old:?}\n{new:?}");
        self.restore();
        let undisturbed = self.rpm(&["-e", &format!("trace={READING}")], None);
        assert_eq!(undisturbed.success(), self.stopped_for.is_none(), "{undisturbed}");
        let calls = Call::read(&self.traced(), &self.root.path());
        assert!(calls.len() > 50, "{} calls", calls.len());

        let (seed, number) = match campaign::seed() {
            Some(seed) => (usize::try_from(seed).unwrap(), LONG),
            None => (0, QUICK),
        };
        let (mut wrong, mut others, mut done) = (Vec::new(), Vec::new(), 0);
        for at in 0..number {
            // Spread over the run, and each time others; in the end every call with every error.
            let place = seed * number + at;
            let call = &calls[(place * 7919) % calls.len()];
            let error = ERRORS[(place + place / calls.len()) % ERRORS.len()];
            let error = match error {
                "EINTR" | "EAGAIN" if !MAY_BE_AGAIN.contains(&call.name.as_str()) => "EIO",
                error => error,
            };
            self.restore();
            let Call { name, nth, .. } = call;
            let inject = format!("inject={name}:error={error}:when={nth}");
            let output = self.rpm(&["-e", &format!("trace={name},access"), "-e", &inject], None);
            let traced = self.traced();
            // Where others have come before, it may be one of rpm's own.
            let own = Call::read(&traced, &self.root.path());
            let Some(failed) = own.into_iter().find(|call| call.line.contains("(INJECTED)")) else {
                others.push(format!("{inject}, in place of {}", call.line));
                continue;
            };
            done += 1;
            let shown = format!("{}, {inject}: {}", self.name, failed.line);
            let faults = self.faults(&output, &old, &new);
            wrong.extend(faults.iter().map(|what| format!("{shown}\n  {what}\n  {output}")));
            if output.success() && !self.state().is_as_good_as(&new) {
                let again = self.sync();
                let healed = self.state();
                let asked: BTreeSet<_> = healed.markers.union(&healed.notes).cloned().collect();
                if !again.success() || healed.links != new.links || !asked.is_superset(&new.markers) {
                    wrong.push(format!(
                        "{shown}\n  the next run does not mend it: {healed:?}\n  {again}\n  first {output}"
                    ));
                }
            }
        }
        campaign::figure("reads failed", done);
        campaign::figure(&format!("reads failed: {}", self.name), done);
        campaign::figure(&format!("violations: {}", self.name), wrong.len() as u64);
        assert!(done * 10 >= number as u64 * 8, "only {done} calls were met again:\n{}", others.join("\n"));
        assert!(wrong.is_empty(), "{} violations\n{}", wrong.len(), wrong.join("\n\n"));
    }

    fn faults(&self, output: &Output, old: &State, new: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        let is = self.state();
        if output.stderr.contains("panicked") || output.stderr.contains("an internal fault of libkmp") {
            wrong.push("it panics".into());
        }
        if !output.success() {
            let is_stopped = |package| output.stderr.contains(&format!("error: kmp: {package}-"));
            if output.status.is_none() || !self.stopped_for.is_some_and(is_stopped) {
                wrong.push("rpm fails".into());
            }
            if is != *old {
                wrong.push(format!("it is stopped, and something has changed: {is:?}"));
            }
            return wrong;
        }
        for krel in self.kernels {
            if is.of(krel) != old.of(krel) && is.of(krel) != new.of(krel) {
                wrong.push(format!("the links of {krel} are neither the old set nor the right one: {is:?}"));
            }
        }
        for marker in new.markers.difference(&is.markers) {
            let is_changed = is.of(marker) != old.of(marker);
            if old.markers.contains(marker) || (is_changed && !is.notes.contains(marker)) {
                wrong.push(format!("nobody asks for the initrd of {marker}"));
            }
        }
        let mut words = self.kernels.iter().chain(&["/", "librpm", "kernel-", "kmp-default-", "kmod-"]);
        let mut warnings = output.stderr.lines().filter(|line| line.starts_with("warning: kmp: "));
        let is_named = warnings.any(|line| words.any(|word| line.contains(word)));
        if !is_named && (self.stopped_for.is_some() || !is.is_as_good_as(new)) {
            wrong.push(format!("no warning names anything: {is:?}"));
        }
        wrong
    }
}

/// Drivers for the old kernel, with links in another one that is there; `bar` is needed for booting.
fn suse() -> TestRoot {
    let root = bare();
    root.write("etc/os-release", "ID=\"sles\"\nID_LIKE=\"suse\"\n");
    let (old, mid) = (kernel(OLD, 7), kernel(MID, 7));
    root.install(&[
        &PackageBuilder::kernel(&old).build(),
        &PackageBuilder::kernel(&mid).build(),
        &kmp("foo", "1.0", &old, 7).build(),
        &plain_kmp("bar", "1.0", &old).build(),
    ]);
    root
}

fn red_hat() -> TestRoot {
    let root = bare();
    root.write("etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n");
    let (old, mid) = (kernel(redhat::OLD, 7), kernel(EL_MID, 7));
    root.install(&[
        &redhat::core(&old).build(),
        &redhat::core(&mid).build(),
        &redhat::kmod("foo", "1.0", &old, 7).build(),
        &plain_kmod("bar", &old).build(),
    ]);
    root
}

fn plain_kmod(base: &str, kernel: &testkit::KernelBuilder) -> PackageBuilder {
    let module = kernel.driver(base).need("printk", 0x1000_0001).build();
    PackageBuilder::kmod(base, "1.0", kernel.krel(), [(format!("{base}.ko"), module)])
        .requires("kernel(printk) = 0x10000001")
}

const SUSE: [&str; 3] = [OLD, MID, NEW];
const RED_HAT: [&str; 3] = [redhat::OLD, EL_MID, redhat::NEW];

/// With a script at the transaction's end the links are made before it.
#[test]
fn a_kernel_with_its_driver_goes_on() {
    let new = kernel(NEW, 8);
    let kernel = telling(&new);
    // Where it failed before a script it is tried again at the very end.
    let is_with_script = campaign::seed().is_none_or(|seed| seed % 2 == 0);
    let kernel = if is_with_script { kernel.scriptlet("posttrans", "true") } else { kernel };
    let packages = [kernel.build(), kmp("foo", "2.0", &new, 8).build()];
    let name = "rpm goes on, SUSE's dialect";
    Transaction::new(name, suse(), SUSE, &[&packages[0], &packages[1]], None).disturb();
}

#[test]
fn a_kernel_with_its_driver_goes_on_in_red_hats_dialect() {
    let new = kernel(redhat::NEW, 8);
    let packages = [redhat::core(&new).build(), redhat::kmod("foo", "2.0", &new, 8).build()];
    let name = "rpm goes on, Red Hat's dialect";
    Transaction::new(name, red_hat(), RED_HAT, &[&packages[0], &packages[1]], None).disturb();
}

#[test]
fn a_kernel_without_the_driver_is_stopped_or_warned_of() {
    let package = telling(&kernel(NEW, 8)).build();
    let name = "rpm is stopped, SUSE's dialect";
    Transaction::new(name, suse(), SUSE, &[&package], Some("foo-kmp-default")).disturb();
}

#[test]
fn a_kernel_without_the_driver_is_stopped_or_warned_of_in_red_hats_dialect() {
    let package = redhat::core(&kernel(redhat::NEW, 8)).build();
    let name = "rpm is stopped, Red Hat's dialect";
    Transaction::new(name, red_hat(), RED_HAT, &[&package], Some("kmod-foo")).disturb();
}

/// `foo` drives the disk that "/" is on, and what is loaded is protected: so far only `/proc` and `/sys` say.
#[test]
fn a_running_system_that_would_lose_a_driver_in_use_is_stopped_or_warned_of() {
    let root = suse();
    inside::furnish(&root);
    root.write("etc/kmp.conf", "protect = loaded\n");
    root.write("proc/modules", "foo 16384 0 - Live 0x0000000000000000\n");
    root.write("proc/sys/kernel/osrelease", format!("{OLD}\n"));
    root.write("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda rw\n");
    root.mkdir("sys/module/foo");
    root.symlink("sys/bus/any/drivers/foo/module", "/sys/module/foo");
    root.symlink("sys/devices/card/driver", "/sys/bus/any/drivers/foo");
    root.mkdir("sys/devices/card/block/sda");
    root.symlink("sys/dev/block/8:1", "/sys/devices/card/block/sda");
    let package = telling(&kernel(NEW, 8)).build();
    let name = "rpm in the running system is stopped";
    Transaction::new(name, root, SUSE, &[&package], Some("foo-kmp-default")).disturb();
}

/// No kernel of it is booted, so that nothing is stopped.
#[test]
fn an_image_goes_on() {
    let root = suse();
    root.write("etc/machine-id", "");
    let package = telling(&kernel(NEW, 8)).build();
    Transaction::new("rpm in an image goes on", root, SUSE, &[&package], None).disturb();
}
