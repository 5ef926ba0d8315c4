// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp initrd`, `regenerate-initrd-posttrans`, and the initrds that the other verbs ask for. Generators are stand-ins that
//! take note of their arguments, but for one test with the real dracut.

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
        for link in ["lib", "lib64", "bin", "sbin"] {
            std::fs::remove_file(root.join(link)).unwrap();
        }
        root.write("etc/fstab", "");
        three_kernels(root);
        root.write(format!("usr/lib/modules/{SAME}/vmlinuz"), "image");
        root.install(&[&foo("1").0]);
        machine
    }

    /// `VARIABLES kmp ARGS` in a chroot in the root laid over the machine's, where nothing of the machine is written. The command's
    /// directory may lie on another file system than the machine's "/", of which alone the layers are.
    fn chrooted(&self, variables: &str, args: &str) -> Output {
        let home = self.root.home();
        let home = home.display();
        self.in_namespace(&format!(
            "mkdir -p '{home}/work' '{home}/all' || exit 99; \
             mount -t overlay overlay -o lowerdir=/,upperdir=\"$1\",workdir='{home}/work' '{home}/all' || exit 99; \
             for d in /proc /dev /sys \"${{2%/*}}\"; do \
               mkdir -p '{home}/all'\"$d\" && mount --rbind \"$d\" '{home}/all'\"$d\" || exit 99; \
             done; \
             export HOME='{home}' {variables}; exec chroot '{home}/all' \"$2\" {args}"
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

#[test]
fn only_kernels_with_the_module_in_their_initrd_get_a_new_one() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, module) = foo("1");
    root.install(&[&one]);
    // No initrd has it.
    assert!(!good(root, &["sync"]).stdout.contains("initrd"));
    assert_eq!(machine.calls(), [""; 0]);
    machine.initrd(SAME, &[(LINK, module)]);
    let (two, _) = foo("2");
    root.update(&[&two]);
    let output = ends(root, &["sync", "--dry-run"], 1);
    let due = format!("{SAME}: a new initrd is needed: foo: the initrd has another build\n");
    assert!(output.stdout.contains(&due), "{output}");
    assert!(machine.calls().is_empty() && machine.markers().is_empty());
    let output = good(root, &["sync"]);
    assert!(output.stdout.contains(&format!("{SAME}: a new initrd was made: foo: ")), "{output}");
    assert_eq!(machine.calls(), [made(SAME)]);
    assert!(machine.markers().is_empty());
    // Once is enough.
    good(root, &["sync"]);
    assert!(machine.calls().is_empty());
}

/// bsc#1135854: the same module, packed in another way, is no change; another one is, however it is packed.
#[test]
fn bsc_1135854_packed_in_another_way() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, module) = foo("1");
    root.install(&[&one]);
    good(root, &["sync", "--no-initrd"]);
    for compression in Compression::ALL {
        let name = format!("{LINK}{}", compression.suffix());
        machine.initrd(SAME, &[(&name, compress(&module, compression))]);
        let output = good(root, &["initrd", "--dry-run", "--kernel", SAME]);
        assert_eq!(output.stdout, format!("{SAME}: no new initrd: the initrd is up to date\n"));
        machine.initrd(SAME, &[(&name, compress(&foo("2").1, compression))]);
        let output = ends(root, &["initrd", "--dry-run", "--kernel", SAME], 1);
        assert!(output.stdout.contains("foo: the initrd has another build"), "{output}");
    }
}

#[test]
fn a_module_that_goes_and_one_that_dracuts_configuration_wants() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, module) = foo("1");
    root.install(&[&one]);
    good(root, &["sync"]);
    root.write("etc/dracut.conf.d/foo.conf", "force_drivers+=\" foo \"\n");
    let output = ends(root, &["initrd", "--dry-run"], 1);
    let lacks = |krel| {
        format!(
            "{krel}: a new initrd is needed: foo: wanted by dracut's configuration, but not in the initrd\n"
        )
    };
    assert_eq!(
        output.stdout,
        format!("{}{}{OTHER}: no new initrd: the initrd is up to date\n", lacks(OLD), lacks(SAME))
    );
    root.write("etc/dracut.conf.d/foo.conf", "omit_drivers+=\" foo \"\n");
    good(root, &["initrd", "--dry-run"]);
    // Made by another configuration, with another build: what it has is loaded.
    machine.initrd(SAME, &[(LINK, foo("2").1)]);
    let output = ends(root, &["initrd", "--dry-run"], 1);
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd is needed: foo: the initrd has another build"))
    );
    root.write("etc/dracut.conf.d/foo.conf", "");
    machine.initrd(SAME, &[(LINK, module)]);
    good(root, &["initrd", "--dry-run"]);
    root.erase(&[one.name()]);
    good(root, &["sync"]);
    assert_eq!(machine.calls(), [made(SAME)]);
}

#[test]
fn json() {
    let machine = Machine::kernels();
    machine.root.write(format!("boot/initrd-{SAME}"), "cut");
    let value = crate::support::json(&machine.root, &["initrd", "--dry-run"]);
    let kernel = &value["kernels"][1];
    assert_eq!(kernel["release"], SAME);
    assert_eq!((&kernel["needed"], &kernel["done"]), (&true.into(), &"due".into()), "{value}");
    assert!(kernel["reason"].as_str().unwrap().contains("cannot be read"), "{value}");
    assert_eq!(value["kernels"][0]["needed"], false);
}

#[test]
fn markers_in_posttrans() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let later = [("INITRD_IN_POSTTRANS", "1")];
    machine.wm2(&later, &["--add-kernel", SAME]);
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![]));
    machine.wm2(&later, &["--add-kernel", SAME]);
    assert_eq!(machine.markers(), [SAME]);
    // It stays when the generator fails, and its exit status is passed on.
    root.write("broken", "");
    let output = machine.posttrans(&[]);
    assert_eq!(output.status, Some(7), "{output}");
    assert!(output.stderr.contains("no space left") && output.stderr.contains(SAME), "{output}");
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![made(SAME)]));
    std::fs::remove_file(root.join("broken")).unwrap();
    machine.posttrans(&[]).expect_success();
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![made(SAME)]));
    machine.posttrans(&[]).expect_success();
    assert!(machine.calls().is_empty());
}

/// boo#1201378, bsc#1214877: markers were named by path, by version and by image.
#[test]
fn boo_1201378_names_of_markers() {
    let machine = Machine::kernels();
    for marker in [SAME.to_string(), format!("vmlinuz-{SAME}"), format!("Image-{OLD}"), "6.9-gone".into()] {
        machine.root.write(format!("run/regenerate-initrd/{marker}"), "");
    }
    // No kernel: a KMP alone made the directory.
    machine.root.mkdir("usr/lib/modules/6.8-default/updates");
    machine.root.write("run/regenerate-initrd/6.8-default", "");
    let output = machine.posttrans(&[]).expect_success();
    assert!(output.stderr.contains("6.9-gone: there is no such kernel"), "{output}");
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![made(OLD), made(SAME)]));
    machine.root.write("run/regenerate-initrd/all", "");
    machine.root.write(format!("run/regenerate-initrd/{OLD}"), "");
    machine.posttrans(&[("SKIP_REGENERATE_INITRD_ALL", "1")]).expect_success();
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![made(OLD)]));
    machine.root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    assert_eq!(
        (machine.markers(), machine.calls()),
        (vec![], vec!["dracut -f --regenerate-all".to_string()])
    );
}

#[test]
fn a_system_that_is_not_complete() {
    let machine = Machine::kernels();
    let root = &machine.root;
    root.write(".buildenv", "");
    let output = machine.wm2(&[], &["--add-kernel", SAME]);
    assert!(
        output.stderr.contains("Please run \"kmp initrd\" as soon as the system is complete"),
        "{output}"
    );
    root.write("run/regenerate-initrd/all", "");
    let output = machine.posttrans(&[]).expect_success();
    assert!(output.stderr.contains("as soon as the system is complete"), "{output}");
    assert!(machine.markers().is_empty() && machine.calls().is_empty());
    std::fs::remove_file(root.join(".buildenv")).unwrap();
    std::fs::remove_file(root.join("usr/bin/dracut")).unwrap();
    assert!(machine.wm2(&[], &["--add-kernel", SAME]).stderr.contains("dracut is not installed"));
    // Whether one is needed is said all the same, and what is in the way.
    good(root, &["initrd"]);
    std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
    let output = ends(root, &["initrd", "--dry-run"], 1);
    assert!(output.stdout.contains(&format!("{SAME}: a new initrd is needed: there is no initrd\n")));
    assert_eq!(output.stderr, "kmp: warning: no initrd can be made: dracut is not installed\n");
    let output = ends(root, &["initrd"], 2);
    assert!(
        output.stderr.contains(&format!(
            "kernel {SAME} needs a new initrd (there is no initrd), but dracut is not installed\n"
        )),
        "{output}"
    );
    assert_eq!(machine.markers(), [SAME]);
    root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    assert_eq!(machine.markers(), [SAME, "all"]);
}

/// boo#1212957, boo#1213822: a kernel without an initrd gets one, also where nothing else is to be done.
#[test]
fn boo_1212957_a_kernel_without_an_initrd() {
    let machine = Machine::kernels();
    let root = &machine.root;
    std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
    let output = good(root, &["initrd"]);
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was made: there is no initrd\n")),
        "{output}"
    );
    assert_eq!(machine.calls(), [made(SAME)]);
    good(root, &["add-kernel", SAME]);
    assert_eq!(machine.calls(), [made(SAME)]);
    // None for kdump, and none where nothing could boot it.
    let kdump = "6.4.0-2-kdump";
    write(&kernel(kdump, 7), root);
    root.write(format!("usr/lib/modules/{kdump}/vmlinuz"), "");
    good(root, &["add-kernel", kdump]);
    std::fs::remove_file(root.join(format!("usr/lib/modules/{OLD}/vmlinuz"))).unwrap();
    good(root, &["add-kernel", OLD]);
    assert!(machine.calls().is_empty());
}

/// bsc#1208179: what a KMP's scriptlet asks for with KMP_NEEDS_MKINITRD is not lost between commands.
#[test]
fn bsc_1208179_a_package_asks_for_an_initrd() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, _) = foo("1");
    root.install(&[&one]);
    machine.wm2(&[("KMP_NEEDS_MKINITRD", "0")], &["--add-kmp", one.nvr()]);
    assert!(machine.calls().is_empty());
    let variables = [("KMP_NEEDS_MKINITRD", "1"), ("INITRD_IN_POSTTRANS", "1")];
    machine.wm2(&variables, &["--add-kmp", one.nvr()]);
    assert_eq!(machine.markers(), [OLD, SAME]);
    // By another command, with nothing of that in its environment.
    machine.posttrans(&[]).expect_success();
    assert_eq!(machine.calls(), [made(OLD), made(SAME)]);
    // In a transaction that rpm's plugin looks after only a note is taken; the sync at its end knows nothing else.
    let script = format!(
        "mkdir -p \"$1\"/run/kmp && exec flock \"$1\"/run/kmp/transaction env KMP_TRANSACTION=1 KMP_NEEDS_MKINITRD=1 \
         \"$2\" --root \"$1\" add-kmp {}",
        one.nvr()
    );
    let noted =
        || run(root.command("sh").args(["-c", &script, "sh"]).arg(root.path()).arg(KMP)).expect_success();
    noted();
    assert!(machine.markers().is_empty() && machine.calls().is_empty());
    machine.with(&[("INITRD_IN_POSTTRANS", "1")], &["sync"]).expect_success();
    assert_eq!(machine.markers(), [OLD, SAME]);
    machine.posttrans(&[]).expect_success();
    machine.with(&[("INITRD_IN_POSTTRANS", "1")], &["sync"]).expect_success();
    assert!(machine.markers().is_empty());
}

/// boo#1212957: modules of a kernel's own that come or go in another package. Which of them the initrd wants is for the
/// generator to say, which goes by the hardware: it is asked, whatever is in the initrd that there is.
#[test]
fn boo_1212957_in_tree_modules_that_come_or_go() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let module = kernel(SAME, 7).driver("more_net").need("printk", 1).build();
    let path = "kernel/drivers/net/more-net.ko";
    root.write(format!("usr/lib/modules/{SAME}/{path}"), &module);
    let call = |variables: &[(&str, &str)], verb: &str| {
        let list = format!("/usr/lib/modules/{SAME}/{path}\n");
        let mut command = wm2_command(root, &["--run-in-root", &format!("--{verb}-kernel-modules"), SAME]);
        run(command.envs(variables.iter().copied()).stdin(piped(&list))).expect_success();
        let markers = machine.markers();
        machine.posttrans(&[]).expect_success();
        (markers, machine.calls())
    };
    for present in [vec![], vec![(path, module)]] {
        machine.initrd(SAME, &present);
        for verb in ["add", "remove"] {
            let asked = (vec![SAME.to_string()], vec![made(SAME)]);
            assert_eq!(call(&[("INITRD_IN_POSTTRANS", "1")], verb), asked);
            assert_eq!(call(&[], verb), (vec![], vec![made(SAME)]));
        }
    }
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{SAME}"))).unwrap();
    assert_eq!(call(&[], "remove"), (vec![], vec![]));
}

/// Nothing of a root is run where that was not said: initrds are only asked for. A dry run runs nothing in any case.
#[test]
fn nothing_of_a_root_is_run_without_leave() {
    let machine = Machine::kernels();
    let root = &machine.root;
    machine.program("usr/bin/sdbootutil", &noting("sdbootutil"));
    std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
    let every_verb = [
        &["initrd", "--dry-run"][..],
        &["sync", "--dry-run"],
        &["status"],
        &["check"],
        &["--run-in-root", "initrd", "--dry-run"],
        &["--run-in-root", "sync", "--dry-run"],
    ];
    for verb in every_verb {
        writes_nothing(root, || kmp(root, verb));
    }
    let output = crate::support::good(root, &["initrd"]);
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was requested: there is no initrd")),
        "{output}"
    );
    assert!(output.stderr.contains("--run-in-root"), "{output}");
    run(&mut wm2_command(root, &["--add-kernel", SAME])).expect_success();
    let mut command = root.command(KMP);
    command.arg0("regenerate-initrd-posttrans").arg("--root").arg(root.path());
    let output = run(&mut command);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("with --run-in-root only"), "{output}");
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![]));
    good(root, &["initrd", "--kernel", SAME]);
    let asked = "sdbootutil is-installed".to_string();
    let added = format!("sdbootutil --no-reuse-initrd --default-snapshot add-kernel {SAME}");
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![asked, added]));
}

#[test]
fn other_generators() {
    let machine = Machine::kernels();
    let root = &machine.root;
    machine.program("usr/bin/mkosi-initrd", &noting("mkosi-initrd"));
    machine.program("opt/other", &noting("other"));
    let mkosi = |krel| format!("mkosi-initrd --kernel-version {krel} -O /boot -o initrd-{krel}");
    root.write("etc/sysconfig/bootloader", "# text\nINITRD_GENERATOR=\"mkosi\"\n");
    machine.wm2(&[], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [mkosi(SAME)]);
    root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    assert_eq!(machine.calls(), [mkosi(OLD), mkosi(SAME), mkosi(OTHER)]);
    // The file goes over the environment.
    machine.wm2(&[("INITRD_GENERATOR", "dracut")], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [mkosi(SAME)]);
    std::fs::remove_file(root.join("etc/sysconfig/bootloader")).unwrap();
    machine.wm2(&[("DRACUT", "/opt/other")], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [made(SAME).replace("dracut", "other")]);
    root.write("etc/sysconfig/bootloader", "INITRD_GENERATOR=booster\n");
    root.write(format!("run/regenerate-initrd/{SAME}"), "");
    let output = machine.posttrans(&[]);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("INITRD_GENERATOR is \"booster\""), "{output}");
    assert_eq!(machine.markers(), [SAME]);
    // sdbootutil goes over all, where it is in use; in a snapshot of transactional-update it has to wait.
    // What it is asked is no matter here.
    let sdbootutil = noting("sdbootutil").replace("echo \"sd", "[ $1 = --no-reuse-initrd ] && echo \"sd");
    machine.program("usr/bin/sdbootutil", &format!("[ \"$1\" != is-installed ] || exit 1\n{sdbootutil}"));
    assert_eq!(machine.posttrans(&[]).status, Some(1));
    machine.program("usr/bin/sdbootutil", &format!("[ \"$1\" != is-installed ] || exit 0\n{sdbootutil}"));
    // What it calls itself has to be known, and there.
    assert_eq!(machine.posttrans(&[]).status, Some(1));
    root.write("etc/sysconfig/bootloader", "INITRD_GENERATOR=dracut\n");
    machine.posttrans(&[]).expect_success();
    // What was requested may be about the snapshot that a transaction made; what changed, changed in the one that runs.
    assert_eq!(
        machine.calls(),
        [format!("sdbootutil --no-reuse-initrd --default-snapshot add-kernel {SAME}")]
    );
    machine.wm2(&[], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [format!("sdbootutil --no-reuse-initrd add-kernel {SAME}")]);
    let snapshot = [("TRANSACTIONAL_UPDATE", "true")];
    machine.wm2(&snapshot, &["--add-kernel", SAME]);
    machine.posttrans(&snapshot).expect_success();
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![]));
    root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    let all = "sdbootutil --no-reuse-initrd --default-snapshot add-all-kernels".to_string();
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![all]));
    std::fs::remove_file(root.join("usr/bin/dracut")).unwrap();
    root.write("run/regenerate-initrd/all", "");
    assert!(machine.posttrans(&[]).expect_success().stderr.contains("dracut is not installed"));
    assert_eq!((machine.markers(), machine.calls()), (vec!["all".to_string()], vec![]));
}

/// bsc#1223278: with Xen on EFI, copies of the initrds are on the EFI system partition.
#[test]
fn bsc_1223278_xen_on_efi() {
    let machine = Machine::kernels();
    let root = &machine.root;
    machine.program("usr/sbin/update-bootloader", "echo \"update-bootloader $*\" >> /calls\nexit 3\n");
    let requested = |request: &str| {
        root.write(format!("run/regenerate-initrd/{request}"), "");
        let output = machine.posttrans(&[]);
        assert_eq!(output.status, Some(if root.exists("broken") { 7 } else { 0 }), "{output}");
        machine.calls()
    };
    let all = "dracut -f --regenerate-all".to_string();
    let refreshed = "update-bootloader --refresh".to_string();
    root.write("boot/xen-4.18.gz", "");
    assert_eq!(requested("all"), std::slice::from_ref(&all));
    root.mkdir("sys/firmware/efi");
    assert_eq!(requested("all"), [all, refreshed.clone()]);
    assert_eq!(requested(SAME), [made(SAME), refreshed.clone()]);
    machine.wm2(&[], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [made(SAME), refreshed.clone()]);
    root.write(format!("run/regenerate-initrd/{SAME}"), "");
    assert!(good(root, &["initrd"]).stderr.contains("please run \"update-bootloader --refresh\""));
    assert_eq!(machine.calls(), [made(SAME), refreshed]);
    root.write("broken", "");
    assert_eq!(requested(SAME), [made(SAME)]);
    std::fs::remove_file(root.join("broken")).unwrap();
    std::fs::remove_file(root.join("boot/xen-4.18.gz")).unwrap();
    root.write("boot/xen.efi", "");
    assert_eq!(requested(SAME), [made(SAME)]);
}

#[test]
fn a_failed_generator_is_told_and_leaves_a_marker() {
    let machine = Machine::kernels();
    machine.root.write("broken", "");
    let output = ends(&machine.root, &["add-kernel", SAME], 2);
    assert!(output.stderr.contains("no space left"), "{output}");
    assert_eq!(machine.markers(), [SAME]);
    let output = run(&mut wm2_command(&machine.root, &["--run-in-root", "--add-kernel", SAME]));
    assert_eq!(output.status, Some(1), "{output}");
    std::fs::remove_file(machine.root.join("broken")).unwrap();
    // The marker says so, whatever is in the initrd.
    assert!(
        good(&machine.root, &["initrd"]).stdout.contains("a request in /run/regenerate-initrd asks for it")
    );
    assert!(machine.markers().is_empty());
}

/// A snapshot of transactional-update: a chroot, in which everything is done as elsewhere, and the running kernel is the
/// host's.
#[test]
fn in_a_snapshot() {
    let machine = Machine::over_the_machine();
    let root = &machine.root;
    let running = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    write(&kernel(running.trim(), 7), root);
    let kmp = |args: &str| machine.chrooted("TRANSACTIONAL_UPDATE=true", args);
    kmp("sync --no-initrd").expect_success();
    assert_eq!(links(root, SAME), linked(&[("foo", OLD)]));
    let output = kmp("remove-kernel");
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("name a kernel"), "{output}");
    kmp(&format!("remove-kernel {SAME}")).expect_success();
    assert!(links(root, SAME).is_empty());
}

/// A `/usr` that is really read-only: it is said, a note is left, and the next run that can makes up for it.
#[test]
fn read_only_usr() {
    let machine = Machine::kernels();
    let root = &machine.root;
    root.install(&[&foo("1").0]);
    let read_only = "mount --bind \"$1\"/usr \"$1\"/usr && mount -o remount,ro,bind \"$1\"/usr || exit 99";
    let output = machine.in_namespace(&format!("{read_only}; \"$2\" --root \"$1\" sync"));
    assert_eq!(output.status, Some(2), "{output}");
    assert!(
        output.stderr.contains("is read-only") && output.stderr.contains("transactional-update run kmp sync"),
        "{output}"
    );
    assert!(root.exists(format!("run/kmp/pending/{SAME}")));
    assert!(links(root, SAME).is_empty() && machine.markers().is_empty());
    good(root, &["sync"]);
    assert_eq!(links(root, SAME), linked(&[("foo", OLD)]));
    assert!(!root.exists(format!("run/kmp/pending/{SAME}")));
    // With nothing to do it is no fault.
    machine.in_namespace(&format!("{read_only}; \"$2\" --root \"$1\" sync")).expect_success();
}

/// An initrd that claims to be endless, with no more memory than a small machine has.
#[test]
fn a_hostile_initrd_takes_no_memory() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let entry = "printf '07070100000001000081a40000000000000000000000010000000007f0000000000000000000000000000000000000003000000000usr/lib/modules/6.4.0-2-default/updates/huge.ko\\0\\0'; head -c 133169152 /dev/zero";
    for (what, script) in [
        ("zeros without end", "head -c 400M /dev/zero | zstd -q".to_string()),
        ("a huge module", format!("{{ {entry}; }} | zstd -q")),
        ("a greedy window", "head -c 20M /dev/urandom | zstd -q --long=31 -1".to_string()),
    ] {
        let file = root.join(format!("boot/initrd-{SAME}"));
        run(Command::new("bash").args(["-c", &format!("{script} > '{}'", file.display())])).expect_success();
        let output = machine.in_namespace(&format!(
            "ulimit -v 1000000; exec \"$2\" --root \"$1\" initrd --dry-run --kernel {SAME}"
        ));
        assert_eq!(output.status, Some(1), "{what}: {output}");
        assert!(output.stdout.contains("a new initrd is needed"), "{what}: {output}");
    }
}

/// The real dracut, in a root of its own that is laid over the machine's: it packs the linked module, and kmp reads it back.
#[test]
fn the_real_dracut() {
    let machine = Machine::over_the_machine();
    let root = &machine.root;
    root.write("etc/dracut.conf.d/test.conf", "hostonly=no\ndracutmodules='base'\nadd_drivers+=' foo '\n");
    let kmp = |args: &str| machine.chrooted("", args);
    let output = kmp("sync").expect_success();
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was made: there is no initrd\n")),
        "{output}"
    );
    assert_eq!(links(root, SAME), linked(&[("foo", OLD)]));
    let up_to_date = format!("{SAME}: no new initrd: the initrd is up to date\n");
    let asked = format!("initrd --dry-run --kernel {SAME}");
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
    // Another build of the KMP, packed in another way, and then the same build packed.
    root.update(&[&foo("2").0]);
    kmp("sync --no-initrd").expect_success();
    let output = kmp(&asked);
    assert_eq!(output.status, Some(1), "{output}");
    assert_eq!(output.stdout, format!("{SAME}: a new initrd is needed: foo: the initrd has another build\n"));
    kmp(&format!("initrd --kernel {SAME}")).expect_success();
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
    let packed = compress(&foo("2").1, Compression::Zst);
    let same = PackageBuilder::kmp("foo", "default", "3", OLD, [("foo.ko.zst", packed)]).build();
    root.update(&[&same]);
    kmp("sync --no-initrd").expect_success();
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
}

/// The real dracut makes a unified kernel image, where it is configured to, and kmp looks into it.
#[test]
fn the_real_dracut_makes_a_unified_image() {
    let machine = Machine::over_the_machine();
    let root = &machine.root;
    root.write(
        "etc/dracut.conf.d/test.conf",
        "hostonly=no\ndracutmodules='base'\nadd_drivers+=' foo '\nuefi=yes\nkernel_cmdline=quiet\n",
    );
    let kmp = |args: &str| machine.chrooted("", args);
    let output = kmp("sync").expect_success();
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was made: there is no initrd\n")),
        "{output}"
    );
    let images = std::fs::read_dir(root.join("boot/EFI/Linux"))
        .or_else(|_| std::fs::read_dir(root.join("boot/efi/EFI/Linux")));
    assert_eq!(images.unwrap().count(), 1);
    assert!(!root.exists(format!("boot/initrd-{SAME}")) && !root.exists(format!("boot/initrd.img-{SAME}")));
    let asked = format!("initrd --dry-run --kernel {SAME}");
    let up_to_date = format!("{SAME}: no new initrd: the initrd is up to date\n");
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
    root.update(&[&foo("2").0]);
    kmp("sync --no-initrd").expect_success();
    let output = kmp(&asked);
    assert_eq!(output.stdout, format!("{SAME}: a new initrd is needed: foo: the initrd has another build\n"));
    kmp(&format!("initrd --kernel {SAME}")).expect_success();
    assert_eq!(kmp(&asked).expect_success().stdout, up_to_date);
}

/// What a generator says of itself is not believed: it ends with 0, and there is no new initrd that the kernel could boot with.
#[test]
fn a_generator_that_makes_nothing_has_failed() {
    let (one, old) = foo("1");
    for (script, present, why) in [
        ("exit 0", true, "is the one that was there before"),
        ("exit 0", false, "there is none"),
        (": > /boot/initrd-$3", true, "it cannot be read"),
        ("echo made > /boot/initrd-$3", false, "it cannot be read"),
        ("while read -r line; do :; done < /old > /elsewhere", true, "is the one that was there before"),
        // Times alone are no new initrd: it has the build that was to be replaced.
        ("exec /bin/cp /old /boot/initrd-$3", true, "foo: the initrd has another build"),
    ] {
        let machine = Machine::kernels();
        let root = &machine.root;
        root.install(&[&one]);
        machine.initrd_at("old", "cat", SAME, &[(LINK, old.clone())]);
        machine.initrd(SAME, &[(LINK, old.clone())]);
        root.update(&[&foo("2").0]);
        good(root, &["sync", "--no-initrd"]);
        root.add_program("/bin/cp", "/bin/cp");
        machine.program("usr/bin/dracut", &format!("echo \"dracut $*\" >> /calls\n{script}\n"));
        if !present {
            std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
        }
        let output = ends(root, &["initrd", "--kernel", SAME], 2);
        let failed = format!(
            "/usr/bin/dracut could not make the initrd of kernel {SAME}: it ended without an error, but "
        );
        assert!(output.stderr.contains(&failed) && output.stderr.contains(why), "{script}: {output}");
        assert!(!output.stdout.contains("was made"), "{script}: {output}");
        assert_eq!(
            (machine.markers(), machine.calls()),
            (vec![SAME.to_string()], vec![made(SAME)]),
            "{script}"
        );
        // In the place of suse-module-tools' script its exit status counts, as there. What is wrong is said.
        let served = |what: &str, why: &str| {
            let output = machine.posttrans(&[]);
            assert_eq!((output.status, machine.markers()), (Some(0), Vec::new()), "{script}: {output}");
            let failed = format!("could not make {what}: it ended without an error, but ");
            assert!(output.stderr.contains(&failed) && output.stderr.contains(why), "{script}: {output}");
        };
        served(&format!("the initrd of kernel {SAME}"), why);
        let value = crate::support::json(root, &["--run-in-root", "initrd", "--kernel", SAME]);
        assert_eq!(value["kernels"][0]["done"], "failed", "{script}: {value}");
        assert_eq!(machine.markers(), [SAME], "{script}");
        root.write("run/regenerate-initrd/all", "");
        served("the initrds of all kernels", "kernel");
        // One that does what it says: all is done.
        machine.program("usr/bin/dracut", &format!("{DRACUT}{}", makes_empty_initrds()));
        good(root, &["initrd"]);
        assert!(machine.markers().is_empty(), "{script}");
    }
}

/// sdbootutil names an initrd by its contents: one that is equal stays where it is. About another snapshot, of which nothing is
/// known here, its word counts.
#[test]
fn an_equal_initrd_of_sdbootutil_is_new() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let entry = "*show-entry*) echo \"initrd /initrd-$3\";;";
    for (entry, is_new) in [(entry, true), ("*show-entry*) ;;", false), ("*show-entry*) exit 1;;", true)] {
        machine.program(
            "usr/bin/sdbootutil",
            &format!("for last; do :; done\nall=$*\nset -- a b \"$last\"\ncase $all in\n{entry}\nesac\n"),
        );
        root.write(format!("run/regenerate-initrd/{SAME}"), "");
        let output = machine.posttrans(&[]);
        assert_eq!((output.status, machine.markers()), (Some(0), Vec::new()), "{entry}: {output}");
        assert_eq!(!output.stderr.contains("could not make"), is_new, "{entry}: {output}");
    }
}

/// What is wrong, what it means and what to do, at 80 columns.
#[test]
fn whole_screens() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, old) = foo("1");
    root.install(&[&one]);
    machine.initrd(SAME, &[(LINK, old)]);
    root.update(&[&foo("2").0]);
    good(root, &["sync", "--no-initrd"]);
    std::fs::remove_file(root.join(format!("boot/initrd-{OTHER}"))).unwrap();
    // On a terminal: stdout and stderr are one.
    let screen = |args: &str, status: i32| {
        let line =
            format!("stty rows 24 cols 80; '{KMP}' --root '{}' --run-in-root {args}", root.path().display());
        let mut script = root.command("script");
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", "1");
        let output = run(script.stdin(std::process::Stdio::null()));
        assert_eq!(output.status, Some(status), "{output}");
        output.stdout.replace('\r', "").replace(&root.path().display().to_string(), "")
    };
    assert_eq!(
        screen("initrd --dry-run", 1),
        "6.4.0-1-default: no new initrd: the initrd is up to date\n\
         6.4.0-2-default: a new initrd is needed: foo: the initrd has another build\n\
         6.4.0-3-default: a new initrd is needed: there is no initrd\n"
    );
    machine.program("usr/bin/dracut", "exit 0\n");
    // Where its lines are broken depends on the root's path.
    assert_eq!(
        screen(&format!("initrd --kernel {SAME}"), 2).replace("\n  ", " "),
        "kmp: error: kernel 6.4.0-2-default needs a new initrd (foo: the initrd has another build), but \
         /usr/bin/dracut could not make the initrd of kernel 6.4.0-2-default: it ended without an error, but \
         /boot/initrd-6.4.0-2-default is the one that was there before\n"
    );
    machine.program("usr/bin/dracut", &makes_empty_initrds());
    assert_eq!(
        screen("initrd", 0),
        "6.4.0-1-default: no new initrd: the initrd is up to date\n\
         6.4.0-2-default: a new initrd was made: a request in /run/regenerate-initrd asks\n\
         for it\n\
         6.4.0-3-default: a new initrd was made: there is no initrd\n"
    );
}
