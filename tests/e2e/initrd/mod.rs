// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp initrd`, `regenerate-initrd-posttrans`, and the initrds that the other verbs ask for. Generators are stand-ins that
//! take note of their arguments, but for one test with the real dracut.

mod decided;
mod generators;
mod real;
mod requests;

use std::os::unix::process::CommandExt;
use std::process::Command;

use testkit::{Compression, Output, Package, PackageBuilder, TestRoot, compress, makes_empty_initrds, run};

use crate::support::*;

/// A complete system: kernels with images, and a dracut that takes note of its arguments, and makes initrds with nothing in them.
pub struct Machine {
    pub root: TestRoot,
}

const DRACUT: &str =
    "echo \"dracut $*\" >> /calls\n[ ! -e /broken ] || { echo no space left >&2; exit 7; }\n";

/// A stand-in for a generator, by its name. Questions are not noted.
fn noting(name: &str) -> String {
    let note = format!("echo \"{name} $*\" >> /calls");
    format!("case $* in *show-entry*) ;; *) {note} ;; esac\n{}", makes_empty_initrds())
}

impl Machine {
    fn new() -> Self {
        let machine = Self { root: TestRoot::new() };
        let root = &machine.root;
        root.write("etc/fstab", "");
        root.add_program("/bin/sh", "/bin/sh");
        machine.program("usr/bin/dracut", &format!("{DRACUT}{}", makes_empty_initrds()));
        machine
    }

    /// A root with nothing of its own that the machine has, to be laid over that: kernels, of which one can be booted, and a
    /// KMP.
    fn over_the_machine() -> Self {
        let machine = Self { root: TestRoot::new() };
        let root = &machine.root;
        root.write("etc/fstab", "");
        three_kernels(root);
        root.write(format!("usr/lib/modules/{SAME}/vmlinuz"), "image");
        root.install(&[&foo("1").0]);
        machine
    }

    /// `VARIABLES kmp ARGS` in a chroot in the root, which is laid over the machine's `/usr` and `/etc`, where nothing of the machine is
    /// written. Not over "/": an ordinary user's namespace lays nothing over a directory with mounts below it.
    fn chrooted(&self, variables: &str, args: &str) -> Output {
        let home = self.root.home();
        let home = home.display();
        self.in_namespace(&format!(
            "for d in usr etc; do \
               mkdir -p \"$1/$d\" '{home}/work/'$d || exit 99; \
               layers=\"lowerdir=/$d,upperdir=$1/$d,workdir={home}/work/$d\"; \
               mount -t overlay overlay -o \"$layers\" \"$1/$d\" || exit 99; \
             done; \
             for d in /proc /dev /sys \"${{2%/*}}\"; do \
               mkdir -p \"$1$d\" && mount --rbind \"$d\" \"$1$d\" || exit 99; \
             done; \
             mkdir -p \"$1{home}\" \"$1/tmp\" \"$1/run\" \"$1/var/tmp\"; \
             export HOME='{home}' {variables}; exec chroot \"$1\" \"$2\" {args}"
        ))
    }

    pub fn kernels() -> Self {
        let machine = Self::new();
        three_kernels(&machine.root);
        for krel in [OLD, SAME, OTHER] {
            machine.root.write(format!("usr/lib/modules/{krel}/vmlinuz"), "image");
            machine.initrd(krel, &[]);
        }
        good(&machine.root, &["sync"]);
        machine.calls();
        machine
    }

    /// Installs a program of the root: a shell script.
    pub fn program(&self, path: &str, text: &str) {
        let made = Command::new("install")
            .args(["-D", "-m", "755", "/dev/stdin"])
            .arg(self.root.join(path))
            .stdin(piped(&format!("#!/bin/sh\n{text}")))
            .status();
        assert!(made.unwrap().success());
    }

    /// Writes an initrd with these modules, by their paths below the kernel's directory: packed by zstd.
    pub fn initrd(&self, krel: &str, modules: &[(&str, Vec<u8>)]) {
        self.initrd_at(&format!("boot/initrd-{krel}"), "zstd -q", krel, modules);
    }

    /// The same at another path, packed by another program.
    pub fn initrd_at(&self, path: &str, packer: &str, krel: &str, modules: &[(&str, Vec<u8>)]) {
        self.root.write(path, "");
        let dir = self.root.home().join("initrd");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("init"), "").unwrap();
        for (path, bytes) in modules {
            let path = dir.join("usr/lib/modules").join(krel).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let script = format!(
            "cd '{}' && find . | cpio -o -H newc --quiet | {packer} > '{}'",
            dir.display(),
            self.root.join(path).display()
        );
        run(Command::new("sh").args(["-c", &script])).expect_success();
    }

    /// The generators' calls since it was asked last.
    pub fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.root.join("calls")).unwrap_or_default();
        let _ = std::fs::remove_file(self.root.join("calls"));
        text.lines().map(Into::into).collect()
    }

    pub fn markers(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join("run/regenerate-initrd"));
        let names = entries.into_iter().flatten().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    pub fn with(&self, variables: &[(&str, &str)], args: &[&str]) -> Output {
        run(command(&self.root, &[IN_ROOT, args].concat()).envs(variables.iter().copied()))
    }

    pub fn wm2(&self, variables: &[(&str, &str)], args: &[&str]) -> Output {
        run(wm2_command(&self.root, &[IN_ROOT, args].concat()).envs(variables.iter().copied()))
            .expect_success()
    }

    pub fn posttrans(&self, variables: &[(&str, &str)]) -> Output {
        let mut command = self.root.command(KMP);
        command
            .arg0("/usr/lib/module-init-tools/regenerate-initrd-posttrans")
            .arg("--root")
            .arg(self.root.path())
            .args(IN_ROOT);
        run(command.envs(variables.iter().copied()))
    }

    /// Runs a script in a namespace, with the root's path as `$1` and the command as `$2`.
    fn in_namespace(&self, script: &str) -> Output {
        let mut command = self.root.command("unshare");
        run(command.args(["-m", "sh", "-c", script, "sh"]).arg(self.root.path()).arg(KMP))
    }
}

/// The generators are in the root.
const IN_ROOT: &[&str] = &["--run-in-root"];

#[track_caller]
pub fn good(root: &TestRoot, args: &[&str]) -> Output {
    crate::support::good(root, &[IN_ROOT, args].concat())
}

#[track_caller]
pub fn ends(root: &TestRoot, args: &[&str], status: i32) -> Output {
    crate::support::ends(root, &[IN_ROOT, args].concat(), status)
}

/// A KMP `foo` for [`OLD`], and its module.
pub fn foo(version: &str) -> (Package, Vec<u8>) {
    let module = driver("foo", &kernel(OLD, 7), 7).info("version", version).build();
    (PackageBuilder::kmp("foo", "default", version, OLD, [("foo.ko", module.clone())]).build(), module)
}

pub fn made(krel: &str) -> String {
    format!("dracut -f --kver {krel}")
}

/// Where the module of `foo` is in the initrd of [`SAME`].
pub const LINK: &str = "weak-updates/updates/foo.ko";
