// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which initrd a kernel is booted with: the one of its boot entry, not another that lies about.

use testkit::unified_image;

use crate::initrd::{LINK, Machine, foo, good};
use crate::support::*;

/// A machine on which [`SAME`] has the second build of a driver; and what initrds with the first and the second one have.
fn updated() -> (Machine, Modules, Modules) {
    let machine = Machine::kernels();
    let root = &machine.root;
    std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
    root.install(&[&foo("2").0]);
    good(root, &["sync", "--no-initrd"]);
    (machine, vec![(LINK, foo("1").1)], vec![(LINK, foo("2").1)])
}

type Modules = Vec<(&'static str, Vec<u8>)>;

/// Why a new initrd is needed, or not.
#[track_caller]
fn reason(machine: &Machine) -> String {
    let output = kmp(&machine.root, &["initrd", "--dry-run", "--kernel", SAME]);
    output.stdout.trim_end().strip_prefix(&format!("{SAME}: ")).unwrap().to_string()
}

const DIFFERS: &str = "a new initrd is needed: foo: the initrd has another build";
const SAME_BUILD: &str = "no new initrd: the initrd is up to date";
const NO_ENTRY: &str = "no new initrd: there is none to be made anew";
const MISSING: &str = "a new initrd is needed: there is no initrd";

/// The entry's is looked into, whatever lies beside it and is newer.
#[test]
fn an_entry_of_the_specification_says_which() {
    for boot in ["boot", "boot/efi", "efi"] {
        let (machine, old, new) = updated();
        let root = &machine.root;
        let entry = |id: &str, initrd: &str, options: &str| {
            root.write(
                format!("{boot}/loader/entries/{id}.conf"),
                format!(
                    "# made by a test\ntitle Test\nversion 5@{SAME}\nlinux /token/{SAME}/linux-1\ninitrd {initrd}\noptions {options}\n"
                ),
            );
        };
        let path = |name: &str| format!("/token/{SAME}/{name}");
        machine.initrd_at(&format!("{boot}{}", path("initrd-1")), "zstd -q", SAME, &old);
        entry("token-1", &path("initrd-1"), "quiet");
        assert_eq!(reason(&machine), DIFFERS, "{boot}");
        machine.initrd_at(&format!("boot/initrd-{SAME}"), "zstd -q", SAME, &new);
        machine.initrd_at(&format!("{boot}{}", path("initrd-2")), "zstd -q", SAME, &new);
        assert_eq!(reason(&machine), DIFFERS, "{boot}");
        // The first in the boot loader's list is booted, unless it has failed.
        entry("token-2", &path("initrd-2"), "quiet");
        assert_eq!(reason(&machine), SAME_BUILD, "{boot}");
        entry("token-9+0-3", &path("initrd-1"), "quiet");
        assert_eq!(reason(&machine), SAME_BUILD, "{boot}");
        entry("token-9+1-2", &path("initrd-1"), "quiet");
        assert_eq!(reason(&machine), DIFFERS, "{boot}");
        // Several are unpacked one after the other.
        entry("token-95", &format!("{} {} $tuned_initrd", path("initrd-1"), path("initrd-2")), "quiet");
        assert_eq!(reason(&machine), SAME_BUILD, "{boot}");
        entry("token-95", &path("gone"), "quiet");
        assert_eq!(reason(&machine), MISSING, "{boot}");
    }
}

#[test]
fn grubs_entries_say_which() {
    let (machine, old, new) = updated();
    let root = &machine.root;
    let menu = |path: &str| {
        root.write(
            "boot/grub2/grub.cfg",
            format!(
                "menuentry 'Test' {{\n\tlinux\t{path}/vmlinuz-{OTHER} root=/dev/sda1\n\tinitrd\t{path}/initrd-{OTHER}\n}}\n\
                 menuentry 'Test' {{\n\techo 'Loading'\n\tlinux\t{path}/vmlinuz-{SAME} root=/dev/sda1\n\tinitrd\t{path}/custom-{SAME}\n}}\n"
            ),
        );
    };
    machine.initrd(SAME, &old);
    machine.initrd_at(&format!("boot/custom-{SAME}"), "zstd -q", SAME, &new);
    assert_eq!(reason(&machine), DIFFERS);
    // /boot is a file system of its own, a directory, a part of a subvolume, a part of a snapshot.
    for path in ["", "/boot", "/@/boot", "/@/.snapshots/7/snapshot/boot"] {
        menu(path);
        assert_eq!(reason(&machine), SAME_BUILD, "{path}");
    }
    // Entries of another boot loader count only where that one is configured.
    root.write(
        "boot/loader/entries/token.conf",
        format!("version {SAME}\nlinux /vmlinuz-{SAME}\ninitrd /initrd-{SAME}\n"),
    );
    assert_eq!(reason(&machine), DIFFERS);
    root.write("etc/sysconfig/bootloader", "LOADER_TYPE=\"grub2-efi\"\n");
    assert_eq!(reason(&machine), SAME_BUILD);
    root.write("etc/sysconfig/bootloader", "LOADER_TYPE=\"grub2-bls\"\n");
    assert_eq!(reason(&machine), DIFFERS);
    // Without an entry a file that GRUB would have booted says nothing.
    std::fs::remove_dir_all(root.join("boot/loader")).unwrap();
    std::fs::remove_dir_all(root.join("boot/grub2")).unwrap();
    assert_eq!(reason(&machine), NO_ENTRY);
}

#[test]
fn a_unified_kernel_image_is_looked_into() {
    let (machine, old, new) = updated();
    let root = &machine.root;
    let image = |file: &str, uname: &str, modules: &Modules| {
        machine.initrd_at("initrd", "zstd -q", SAME, modules);
        let initrd = std::fs::read(root.join("initrd")).unwrap();
        let sections: &[(&str, &[u8])] = &[
            (".osrel", b"ID=opensuse-tumbleweed\nVERSION_ID=1\n"),
            (".uname", uname.as_bytes()),
            (".initrd", &initrd),
            (".linux", b"MZ"),
        ];
        root.write(format!("boot/efi/EFI/Linux/{file}"), unified_image(sections));
    };
    image("any-name.efi", SAME, &old);
    assert_eq!(reason(&machine), DIFFERS);
    // Images of other kernels, addons and other programs are passed over.
    image("another.efi", OTHER, &new);
    root.write("boot/efi/EFI/Linux/z.efi", unified_image(&[(".cmdline", b"quiet")]));
    root.write("boot/efi/EFI/Linux/y.efi", "MZ");
    assert_eq!(reason(&machine), DIFFERS);
    image("any-name.efi", SAME, &new);
    assert_eq!(reason(&machine), SAME_BUILD);
    // One that an entry of text names, and one with its release in its name only.
    std::fs::rename(root.join("boot/efi/EFI/Linux/any-name.efi"), root.join("boot/efi/mine.efi")).unwrap();
    assert_eq!(reason(&machine), MISSING);
    root.write("boot/efi/loader/entries/mine.conf", format!("version {SAME}\nuki /mine.efi\n"));
    assert_eq!(reason(&machine), SAME_BUILD);
    std::fs::remove_file(root.join("boot/efi/loader/entries/mine.conf")).unwrap();
    image(&format!("linux-{SAME}-0123456789abcdef0123456789abcdef.efi"), "", &old);
    assert_eq!(reason(&machine), DIFFERS);
}

/// openSUSE/sdbootutil#122: sdbootutil knows the entry of the snapshot that runs.
#[test]
fn sdbootutil_says_which() {
    let (machine, old, new) = updated();
    let root = &machine.root;
    machine.program("usr/bin/bootctl", "[ \"$*\" = --print-boot-path ] && echo /efi\n");
    let answer = |entry: &str| {
        machine.program(
            "usr/bin/sdbootutil",
            &format!("case $* in\n*show-entry*) echo \"sdbootutil $*\" >> /calls\n{entry};;\nesac\n"),
        );
        machine.calls();
        machine.with(&[("INITRD_IN_POSTTRANS", "1")], &["initrd", "--kernel", SAME]).expect_success();
        let asked = machine.calls().len() == 1;
        let marked = !machine.markers().is_empty();
        let _ = std::fs::remove_dir_all(root.join("run/regenerate-initrd"));
        (asked, marked)
    };
    machine.initrd_at("efi/token/initrd-2", "zstd -q", SAME, &new);
    machine.initrd_at("efi/token/initrd-1", "zstd -q", SAME, &old);
    machine.initrd_at("boot/token/initrd-2", "zstd -q", SAME, &old);
    assert_eq!(answer("echo 'initrd\t/token/initrd-2'"), (true, false));
    assert_eq!(answer("echo 'initrd\t/token/initrd-1'"), (true, true));
    assert_eq!(answer("echo 'initrd\t/token/gone'"), (true, true));
    // It has no entry, whatever lies about.
    machine.initrd(SAME, &old);
    assert_eq!(answer("exit 0"), (true, false));
    machine.initrd(SAME, &new);
    // It does not answer: what is on disk says it.
    assert_eq!(answer("exit 1"), (true, false));
    // In a dry run it is not run.
    writes_nothing(root, || good(root, &["initrd", "--dry-run", "--kernel", SAME]));
}

/// dracut's module `squash` puts most of an initrd into an image of squashfs, whose blocks are packed by one of these.
#[test]
fn most_of_it_in_an_image() {
    let (machine, old, new) = updated();
    let root = &machine.root;
    let home = root.home().join("image");
    let path = format!("boot/initrd-{SAME}");
    for (packer, name) in [
        ("gzip", "squash-root.img"),
        ("xz", "squashfs-root.img"),
        ("zstd", "squashfs-root.img"),
        ("lz4", "squash-root.img"),
        ("lzo", "squash-root.img"),
    ] {
        for (modules, expected) in [(&old, DIFFERS), (&new, SAME_BUILD)] {
            let _ = std::fs::remove_dir_all(&home);
            let tree = home.join("tree/usr/lib/modules").join(SAME);
            let (link, module) = &modules[0];
            std::fs::create_dir_all(tree.join(link).parent().unwrap()).unwrap();
            std::fs::write(tree.join("foo.ko"), module).unwrap();
            std::os::unix::fs::symlink("../../foo.ko", tree.join(link)).unwrap();
            // Several blocks, a fragment, zeros, and what is no module.
            let mut large = module.clone();
            large.extend((0..200_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()));
            large.resize(1_900_000, 0);
            std::fs::create_dir_all(tree.join("kernel/drivers")).unwrap();
            std::fs::write(tree.join("kernel/drivers/large.ko"), large).unwrap();
            std::fs::write(home.join("tree/usr/lib/other"), "text").unwrap();
            let script = format!(
                "cd '{home}' && mkdir out && mksquashfs tree out/{name} -quiet -no-progress -comp {packer} && \
                 cd out && echo {name} | cpio -o -H newc --quiet > '{place}'",
                home = home.display(),
                place = root.join(&path).display()
            );
            testkit::run(std::process::Command::new("sh").args(["-c", &script])).expect_success();
            assert_eq!(reason(&machine), expected, "{packer}");
        }
    }
    let image = root.join(&path);
    let bytes = std::fs::read(&image).unwrap();
    std::fs::write(&image, [&bytes[..bytes.len() / 2], &[0; 4096]].concat()).unwrap();
    assert!(reason(&machine).starts_with("a new initrd is needed: the initrd cannot be read: "));
}

/// What is packed by any program that the kernel undoes.
#[test]
fn however_it_is_packed() {
    let (machine, old, new) = updated();
    for packer in ["cat", "gzip", "bzip2", "lzma", "xz --check=crc32", "lzop", "lz4 -l", "zstd -q -T0 -19"] {
        let path = format!("boot/initrd-{SAME}");
        machine.initrd_at(&path, packer, SAME, &old);
        assert_eq!(reason(&machine), DIFFERS, "{packer}");
        machine.initrd_at(&path, packer, SAME, &new);
        assert_eq!(reason(&machine), SAME_BUILD, "{packer}");
    }
}
