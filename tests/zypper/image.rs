// SPDX-License-Identifier: LGPL-2.1-or-later
//! Images of rpm-ostree and bootc: a driver is layered in a container build, where nothing boots. All is below `/usr`: the
//! rpm database, and the initramfs, in the kernel's directory; `/boot` is empty, and there is no fstab.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use testkit::{Package, PackageBuilder, TestRoot, run};

use crate::packages::{kernel, make_executable};
use crate::system::{System, installed};

/// What the driver was built for; it is in no image.
const BUILT_FOR: &str = "5.14.0-70.el9.x86_64";
/// The image's kernel, and the one that replaces it.
const BASE: &str = "5.14.0-162.el9.x86_64";
const LATER: &str = "5.14.0-284.el9.x86_64";

const LINK: &str = "weak-updates/foo/foo.ko";

/// dracut reads depmod's index, as the real one does, and makes an archive with the linked drivers.
const DRACUT: &str = "#!/bin/sh
echo \"$*\" >>/var/dracut.log
while [ $# -gt 2 ]; do shift; done
cd /
sed -n 's,^\\(weak-updates[^:]*\\):.*,usr/lib/modules/'$2'/\\1,p' \"usr/lib/modules/$2/modules.dep\" | cpio --quiet -oL -H newc >\"$1\"
";

/// Where images have the database of packages, and what leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Database {
    /// rpm-ostree's.
    Share,
    /// Newer ones.
    Sysimage,
}

impl Database {
    const BOTH: [Self; 2] = [Self::Share, Self::Sysimage];

    fn path(self) -> &'static str {
        match self {
            Self::Share => "usr/share/rpm",
            Self::Sysimage => "usr/lib/sysimage/rpm",
        }
    }
}

/// An image with a kernel, as `ostree container` lays one out.
fn image(database: Database) -> System {
    let system = System::new(&[installed()]);
    let root = &system.root;
    root.write("etc/os-release", "ID=centos\nID_LIKE=\"rhel fedora\"\n");
    root.write("etc/machine-id", "");
    root.mkdir("boot");
    root.mkdir("sysroot/ostree");
    root.symlink("ostree", "sysroot/ostree");
    std::fs::remove_dir_all(root.join("var/lib/rpm")).unwrap();
    root.mkdir(database.path());
    root.symlink("var/lib/rpm", format!("../../{}", database.path()));
    if database == Database::Share {
        root.symlink("usr/lib/sysimage/rpm", "../../share/rpm");
    }
    root.write("etc/rpm/macros", format!("%_dbpath /{}\n", database.path()));
    root.write("usr/lib/kernel/install.conf", "layout=ostree\n");
    root.write("usr/lib/dracut/modules.d/98ostree/module-setup.sh", "");
    root.write("usr/bin/dracut", DRACUT);
    make_executable(&root.join("usr/bin/dracut"));
    // rpm-ostree's plugin of kernel-install: no depmod, and nothing comes after it.
    let by_ostree = "#!/bin/sh\n[ \"$KERNEL_INSTALL_LAYOUT\" = ostree ] || exit 0\n\
                     [ \"$1\" != add ] || dracut --by-ostree -f \"/usr/lib/modules/$2/initramfs.img\" \"$2\" || exit 1\n\
                     exit 77\n";
    root.write("usr/lib/kernel/install.d/05-rpmostree.install", by_ostree);
    make_executable(&root.join("usr/lib/kernel/install.d/05-rpmostree.install"));
    rpm(&system, &[], &["-i", "--noplugins"], &[&core(BASE, "").build()]);
    root.write(format!("usr/lib/modules/{BASE}/initramfs.img"), "");
    system
}

/// A kernel's package; its %posttrans is EL's.
fn core(krel: &str, posttrans: &str) -> PackageBuilder {
    let release = krel.trim_start_matches("5.14.0-").trim_end_matches(".x86_64");
    let mut package = PackageBuilder::new("kernel-core", "5.14.0", release);
    for (path, bytes) in kernel(krel, 7).file("vmlinuz", "image").files() {
        package = package.file(path, bytes);
    }
    if posttrans.is_empty() { package } else { package.scriptlet("posttrans", posttrans) }
}

fn kmod() -> Package {
    let old = kernel(BUILT_FOR, 7);
    let module = old.driver("foo").need("printk", 0x1000_0001).need("changing", 7).build();
    let list = format!("/lib/modules/{BUILT_FOR}/extra/foo/foo.ko");
    let call = |mode: &str| format!("echo {list} | /usr/sbin/weak-modules {mode}");
    PackageBuilder::kmod("foo", "1.0", BUILT_FOR, [("foo.ko", module)])
        .scriptlet("post", &call("--add-modules"))
        .scriptlet("postun", &call("--remove-modules"))
        .build()
}

#[track_caller]
fn rpm(
    system: &System,
    variables: &[(&str, &str)],
    options: &[&str],
    packages: &[&Package],
) -> testkit::Output {
    let mut words = vec!["rpm", "--nodeps"];
    words.extend(options);
    let files: Vec<String> = packages
        .iter()
        .map(|package| {
            let name = package.path().file_name().unwrap().to_str().unwrap();
            system.root.write(format!("var/tmp/{name}"), std::fs::read(package.path()).unwrap());
            format!("/var/tmp/{name}")
        })
        .collect();
    words.extend(files.iter().map(String::as_str));
    system.run(variables, &words).expect_success()
}

fn dracuts(root: &TestRoot) -> Vec<String> {
    let log = root.join("var/dracut.log");
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(log);
    text.lines().map(Into::into).collect()
}

fn made(krel: &str) -> String {
    format!("--no-hostonly --reproducible --add ostree -f /usr/lib/modules/{krel}/initramfs.img {krel}")
}

#[track_caller]
fn has_driver(root: &TestRoot, krel: &str, is_there: bool) {
    let links: Vec<String> = root.weak_updates(krel).keys().map(|link| link.display().to_string()).collect();
    assert_eq!(links, if is_there { vec![LINK] } else { vec![] });
    let index = root.read(format!("usr/lib/modules/{krel}/modules.dep"));
    assert_eq!(index.contains(LINK), is_there, "{index}");
    let initramfs = std::fs::read(root.join(format!("usr/lib/modules/{krel}/initramfs.img"))).unwrap();
    let initramfs = String::from_utf8_lossy(&initramfs);
    assert_eq!(initramfs.contains(LINK), is_there, "{initramfs}");
    let boot = std::fs::read_dir(root.join("boot")).unwrap().count();
    assert_eq!(boot, 0, "ostree makes what is in /boot");
}

const BUILD: &[(&str, &str)] = &[("container", "oci")];

#[test]
fn a_driver_is_layered_and_goes() {
    for database in Database::BOTH {
        for with_plugin in [true, false] {
            let system = image(database);
            let off = ["--define", "__transaction_kmp %{nil}"];
            let options = |mode: &'static str| [&[mode][..], if with_plugin { &[] } else { &off }].concat();
            let output = rpm(&system, BUILD, &options("-i"), &[&kmod()]);
            assert!(!output.stderr.contains("kmp"), "{output}");
            has_driver(&system.root, BASE, true);
            assert_eq!(dracuts(&system.root), [made(BASE)], "{database:?}, plugin: {with_plugin}");
            let status = system.run(BUILD, &["kmp", "status"]).expect_success().stdout;
            assert!(status.contains("kmod-foo") && status.contains("linked"), "{status}");
            rpm(&system, BUILD, &[&options("-e")[..], &["kmod-foo"]].concat(), &[]);
            has_driver(&system.root, BASE, false);
            assert_eq!(dracuts(&system.root), [made(BASE)]);
        }
    }
}

/// The image's kernel is replaced: an image has one kernel.
#[test]
fn a_kernel_is_layered() {
    for scripts in [
        // EL's.
        format!(
            "weak-modules --add-kernel {LATER} || exit $?\nkernel-install add {LATER} /lib/modules/{LATER}/vmlinuz"
        ),
        // Fedora's, and of many kernels beside the distribution's.
        format!("kernel-install add {LATER} /lib/modules/{LATER}/vmlinuz"),
    ] {
        for with_plugin in [true, false] {
            let system = image(Database::Sysimage);
            rpm(&system, BUILD, &["-i"], &[&kmod()]);
            dracuts(&system.root);
            let mut options = vec!["-U"];
            if !with_plugin {
                options.extend(["--define", "__transaction_kmp %{nil}"]);
            }
            rpm(&system, BUILD, &options, &[&core(LATER, &scripts).build()]);
            has_driver(&system.root, LATER, true);
            let by_ostree = format!("--by-ostree -f /usr/lib/modules/{LATER}/initramfs.img {LATER}");
            assert_eq!(dracuts(&system.root), [by_ostree], "plugin: {with_plugin}, {scripts}");
        }
    }
}

/// A tool that assembles images works on a root that is not its own, and with an rpm whose database is elsewhere.
#[test]
fn from_outside_by_a_tool() {
    for database in Database::BOTH {
        let system = image(database);
        rpm(&system, &[], &["-i", "--noplugins", "--noscripts"], &[&kmod()]);
        let root = &system.root;
        let mut kmp = root.command(env!("CARGO_BIN_EXE_kmp"));
        run(kmp.arg("--root").arg(root.path()).arg("sync")).expect_success();
        assert_eq!(root.weak_updates(BASE).len(), 1, "{database:?}");
        assert!(root.exists(format!("run/regenerate-initrd/{BASE}")) && dracuts(root).is_empty());
        system.run(BUILD, &["kmp", "initrd", "--requested"]).expect_success();
        has_driver(root, BASE, true);
    }
}

/// In a container build what the base image has is in a lower layer, where no directory can be exchanged.
#[test]
fn on_the_layers_of_a_container() {
    let system = image(Database::Sysimage);
    let root = &system.root;
    rpm(&system, &[], &["-i", "--noplugins", "--noscripts"], &[&kmod()]);
    let modules = root.join("usr/lib/modules");
    let layer = root.home().join("layer");
    let script = "mkdir -p \"$1/upper\" \"$1/work\" \"$1/merged\" && mount -t tmpfs none \"$1\" && \
                  mkdir \"$1/upper\" \"$1/work\" && mount -t overlay overlay \
                  -o \"lowerdir=$0,upperdir=$1/upper,workdir=$1/work\" \"$0\" && \
                  \"$2\" --root \"$3\" sync --no-initrd && \
                  cd \"$0\" && find . -type l && find \"$1/upper\" -type f -name '*.ko' | wc -l && \
                  grep -c \"^weak-updates/foo\" */modules.dep";
    let mut unshare = Command::new("unshare");
    unshare.args(["-m", "sh", "-c", script]).arg(&modules).arg(&layer);
    let output = run(unshare.arg(env!("CARGO_BIN_EXE_kmp")).arg(root.path())).expect_success();
    assert!(output.stdout.contains(&format!("./{BASE}/{LINK}")), "{output}");
    // No module is copied up into the new layer.
    assert!(output.stdout.lines().any(|line| line == "0"), "{output}");
}

/// A tree of ostree's is checked out as hard links to the repository's objects, which nobody may write to.
#[test]
fn objects_of_a_repository_stay() {
    let system = image(Database::Share);
    let root = &system.root;
    rpm(&system, &[], &["-i", "--noplugins", "--noscripts"], &[&kmod()]);
    let repository = root.home().join("repo");
    let tree = root.home().join("tree");
    let ostree = |words: &[&str]| {
        let mut command = Command::new("ostree");
        command.arg(words[0]).arg(format!("--repo={}", repository.display())).args(&words[1..]);
        run(&mut command).expect_success()
    };
    std::fs::create_dir(&tree).unwrap();
    for part in ["usr", "etc", "boot", "sysroot"] {
        run(Command::new("cp").arg("-a").arg(root.join(part)).arg(&tree)).expect_success();
    }
    ostree(&["init", "--mode=bare"]);
    let commit = |directory: &Path| {
        // As rpm-ostree does: sqlite writes to these when a database is only read.
        for suffix in ["shm", "wal"] {
            let _ = std::fs::remove_file(directory.join(format!("usr/share/rpm/rpmdb.sqlite-{suffix}")));
        }
        ostree(&["commit", "--branch=image", &format!("--tree=dir={}", directory.display())]);
    };
    commit(&tree);
    let checkout = root.home().join("checkout");
    ostree(&["checkout", "--require-hardlinks", "image", checkout.to_str().unwrap()]);
    let kmp = || {
        let mut kmp = root.command(env!("CARGO_BIN_EXE_kmp"));
        run(kmp.arg("--root").arg(&checkout).args(["sync", "--no-initrd"])).expect_success()
    };
    kmp();
    assert!(std::fs::symlink_metadata(checkout.join("usr/lib/modules").join(BASE).join(LINK)).is_ok());
    ostree(&["fsck", "--all"]);
    // What was made is committed, and the same once more.
    commit(&checkout);
    let again = root.home().join("again");
    ostree(&["checkout", "--require-hardlinks", "image", again.to_str().unwrap()]);
    let index = again.join("usr/lib/modules").join(BASE).join("modules.dep");
    assert!(std::fs::read_to_string(&index).unwrap().contains(LINK));
    assert_eq!(std::fs::metadata(&index).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(kmp().stdout, "", "nothing is left to do");
}
