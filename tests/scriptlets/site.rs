// SPDX-License-Identifier: LGPL-2.1-or-later
//! A root in which the scriptlets run, and what can be seen of them afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{Output, Package, TestRoot, makes_empty_initrds, run, run_rpm};

use crate::calls::noting;
pub use crate::calls::{dracut, entry};
use crate::packages::OLD;
use crate::support::{bare, depmods, make_executable};

/// What may be /bin/sh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Dash,
    Bash,
    Busybox,
}

pub const SHELLS: [Shell; 3] = [Shell::Dash, Shell::Bash, Shell::Busybox];
const TOOLS: &str = "usr/lib/module-init-tools";
pub const WEAK_MODULES: &str = "usr/lib/module-init-tools/weak-modules2";
pub const REGENERATE: &str = "usr/lib/module-init-tools/regenerate-initrd-posttrans";

/// The command, without what only debuggers want: each root gets a copy.
fn command() -> &'static Path {
    static STRIPPED: OnceLock<PathBuf> = OnceLock::new();
    STRIPPED.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let new = directory.join(format!("kmp-{}", std::process::id()));
        let built = env!("CARGO_BIN_EXE_kmp");
        run(Command::new("strip").arg("-o").arg(&new).arg(built)).expect_success();
        // Another run of the tests may be at it, too.
        let stripped = directory.join("kmp-stripped");
        std::fs::rename(new, &stripped).unwrap();
        stripped
    })
}

/// A root with this shell, rpm, depmod, kmp, the scriptlets, and stand-ins for all other programs they call. Of
/// coreutils there is nothing.
pub struct Site {
    pub root: TestRoot,
}

impl Site {
    pub fn new(shell: Shell) -> Self {
        let root = bare();
        // With librpm, for kmp too.
        root.add_program("/usr/bin/rpm", "/usr/bin/rpm");
        root.write("usr/lib/rpm/rpmrc", std::fs::read("/usr/lib/rpm/rpmrc").unwrap());
        root.write("usr/lib/rpm/macros", testkit::LEAST_MACROS);
        let program = match shell {
            Shell::Dash => "/bin/dash",
            Shell::Bash => "/bin/bash",
            Shell::Busybox => "/bin/busybox",
        };
        root.add_program(program, "/usr/bin/sh");
        root.write("etc/fstab", "");
        root.write("proc/self/mountinfo", "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scriptlets/kernel-scriptlets");
        root.mkdir(TOOLS);
        run(Command::new("cp").arg("-a").arg(source).arg(root.join(TOOLS))).expect_success();
        let site = Self { root };
        site.real_weak_modules();
        site.stand_in("usr/lib/bootloader/bootloader_entry", "");
        site
    }

    /// With what the scriptlets use of coreutils, if it is there.
    pub fn with_coreutils(self) -> Self {
        for program in ["rm", "ln", "cp", "mv", "readlink", "mountpoint"] {
            let path =
                ["/bin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(program)).find(|p| p.exists());
            self.root.add_program(path.unwrap(), Path::new("/usr/bin").join(program));
        }
        self
    }

    /// A program that notes its name and each argument in brackets, and then does this.
    pub fn stand_in(&self, path: &str, then: &str) {
        self.root.write(path, noting(then));
        make_executable(&self.root.join(path));
    }

    /// Ours, with a note of how it was called and of what it was given on stdin.
    fn real_weak_modules(&self) {
        self.root.add_program(command(), "/usr/lib/real/kmp");
        self.root.symlink("usr/bin/kmp", "../lib/real/kmp");
        for name in ["weak-modules2", "regenerate-initrd-posttrans"] {
            self.root.symlink(format!("usr/lib/real/{name}"), "kmp");
        }
        self.stand_in(
            WEAK_MODULES,
            "case $1 in --remove-kmp | --*-modules) given=\n\
             while read -r line; do printf '  < %s\\n' \"$line\" >> /calls; given=\"$given$line\n\"; done\n\
             printf '%s' \"$given\" | /usr/lib/real/weak-modules2 \"$@\" ;;\n\
             *) exec /usr/lib/real/weak-modules2 \"$@\" ;; esac",
        );
        self.stand_in(REGENERATE, "exec /usr/lib/real/regenerate-initrd-posttrans");
        self.stand_in("usr/bin/dracut", &makes_empty_initrds());
    }

    pub fn without(&self, path: &str) -> &Self {
        std::fs::remove_file(self.root.join(path)).unwrap();
        self
    }

    /// Calls of the command kmp are noted, too.
    pub fn note_kmp(&self) {
        self.without("usr/bin/kmp").stand_in("usr/bin/kmp", "exec /usr/lib/real/kmp \"$@\"");
    }

    /// A system with UEFI and mokutil, which knows these options.
    pub fn with_uefi(&self, options: &str) {
        self.root.mkdir("sys/firmware/efi/efivars");
        self.stand_in("usr/bin/mokutil", &format!("[ \"$1\" != -h ] || printf '%s\\n' 'usage: {options}'"));
    }

    /// A system whose boot loader follows the Boot Loader Specification, with initrds on the EFI system partition.
    pub fn with_sdbootutil(&self, first: &str) {
        self.root.mkdir("efi");
        let makes = makes_empty_initrds().replace("/boot/", "/efi/");
        self.stand_in("usr/bin/sdbootutil", &format!("{first}\n{makes}"));
    }

    pub fn rpm(&self, options: &[&str], packages: &[&Package]) -> Output {
        self.rpm_env(&[], options, packages)
    }

    /// `rpm --root ROOT OPTIONS --nodeps FILES` with variables.
    pub fn rpm_env(&self, env: &[(&str, &str)], options: &[&str], packages: &[&Package]) -> Output {
        let mut command = self.root.command("rpm");
        let bin = self.root.home().join("bin");
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display()));
        // Of the plugin, which runs outside of the root.
        command.env("DEPMOD", bin.join("depmod")).env("KMP_INDEX", "depmod");
        command.envs(env.iter().copied()).arg("--root").arg(self.root.path()).arg("--nodeps").args(options);
        run_rpm(command.args(packages.iter().map(|p| p.path())))
    }

    /// The same between two shell commands, in a mount namespace of its own; the root is `$R`. The second need not
    /// succeed.
    pub fn rpm_between(&self, before: &str, after: &str, options: &[&str], packages: &[&Package]) -> Output {
        let mut command = self.root.command("unshare");
        let script = format!(
            "R=$1; shift; {before} || exit 99; rpm --root $R --nodeps \"$@\"; status=$?; {after}; exit $status"
        );
        command.args(["-m", "sh", "-c", &script, "sh"]).arg(self.root.path()).args(options);
        run_rpm(command.args(packages.iter().map(|p| p.path())))
    }

    /// A scriptlet by itself, called by this name.
    pub fn scriptlet(&self, env: &[(&str, &str)], name: &str, args: &[&str]) -> Output {
        let mut command = self.root.command("chroot");
        command.envs(env.iter().copied()).arg(self.root.path());
        run(command.arg(format!("/{TOOLS}/kernel-scriptlets/{name}")).args(args))
    }

    /// rpm, which ends well and says nothing.
    #[track_caller]
    pub fn good(&self, options: &[&str], packages: &[&Package]) {
        let output = self.rpm(options, packages).expect_success();
        assert_eq!((&*output.stdout, &*output.stderr), ("", ""));
    }

    /// What was called since the last look.
    pub fn calls(&self) -> Vec<String> {
        let path = self.root.join("calls");
        let lines = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        lines.lines().map(str::to_owned).collect()
    }

    /// `/boot`, each name with where it leads to.
    pub fn boot(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.root.join("boot"))
            .unwrap()
            .map(|entry| {
                let path: PathBuf = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                match std::fs::read_link(&path) {
                    Ok(target) => format!("{name} -> {}", target.display()),
                    Err(_) => name,
                }
            })
            .collect();
        names.sort();
        names
    }

    /// What the scriptlets have left in /run.
    pub fn left_in_run(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.root.join("run")).unwrap();
        let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|n| n.starts_with("rpm-") || n == "regenerate-initrd").collect();
        if self.root.exists("run/regenerate-initrd") {
            let markers = std::fs::read_dir(self.root.join("run/regenerate-initrd")).unwrap().count();
            names.retain(|n| n != "regenerate-initrd" || markers > 0);
        }
        names.sort();
        names
    }

    /// How often depmod ran for a kernel since the last look.
    pub fn depmods(&self, krel: &str) -> usize {
        depmods(&self.root).get(krel).copied().unwrap_or_default()
    }

    /// The links of a kernel to modules of [`OLD`], by their names.
    pub fn linked(&self, krel: &str) -> Vec<String> {
        let links = self.root.weak_updates(krel).into_iter();
        links
            .map(|(link, target)| {
                let name = link.file_name().unwrap().to_string_lossy().into_owned();
                assert_eq!(target, Path::new("/usr/lib/modules").join(OLD).join("updates").join(&name));
                name
            })
            .collect()
    }
}

/// What `/boot` has of a kernel whose files are links.
pub fn boot_of(krel: &str) -> Vec<String> {
    let modules = format!("../usr/lib/modules/{krel}");
    let mut names =
        vec![format!(".vmlinuz-{krel}.hmac -> {modules}/.vmlinuz.hmac"), format!("initrd-{krel}")];
    names.extend(
        ["System.map", "config", "sysctl.conf", "vmlinuz"].map(|n| format!("{n}-{krel} -> {modules}/{n}")),
    );
    names
}

/// `/boot` with these kernels, the last named of which has the links.
pub fn boot_with(kernels: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = kernels.iter().flat_map(|krel| boot_of(krel)).collect();
    if let Some(krel) = kernels.last() {
        names.push(format!(".vmlinuz.hmac -> .vmlinuz-{krel}.hmac"));
        names.push(format!("initrd -> initrd-{krel}"));
        names.push(format!("vmlinuz -> vmlinuz-{krel}"));
    }
    names.sort();
    names
}

/// What rpm has done although a scriptlet failed. Since rpm 6.1 this is in its exit status, too.
#[track_caller]
pub fn in_spite_of_a_scriptlet(output: Output) -> Output {
    let is_known = output.success() || output.stderr.contains("scriptlet failed, exit status");
    assert!(is_known && !output.stderr.contains("error: "), "{output}");
    output
}
