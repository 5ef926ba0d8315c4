// SPDX-License-Identifier: LGPL-2.1-or-later
//! Archives made by cpio and packed by gzip, xz, zstd, lz4, lzop and bzip2.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::initrd::Digest;
use crate::initrd::archive::{Archived, Contents, read};
use crate::unpack::Inflater;

pub const KREL: &str = "6.4.0-1-default";

/// Every way in which an initrd may be packed: a command that reads and writes.
pub const PACKERS: &[&str] = &[
    "cat",
    "gzip -9",
    "xz --check=crc32",
    "xz -0",
    "zstd -3",
    "zstd -1 -T2 --no-check",
    "lz4 -l -9",
    "lz4 -9",
    "lz4 -1 -B4 -BD",
    "lzop -9",
    "lzop -1",
    "bzip2 -1",
    "lzma -1",
];

/// Runs a shell command in `dir` with `input`; its output.
pub fn pipe(dir: &Path, script: &str, input: &[u8]) -> Vec<u8> {
    let file = dir.join("input");
    fs::write(&file, input).unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("set -e; {script}")])
        .current_dir(dir)
        .stdin(Stdio::from(fs::File::open(&file).unwrap()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}{}", testkit::packages::advice_on(&said));
    output.stdout
}

/// A tree from which cpio makes archives.
pub struct Tree(TempDir);

impl Tree {
    pub fn new() -> Self {
        let tree = Self(TempDir::new().unwrap());
        fs::create_dir(tree.0.path().join("root")).unwrap();
        tree
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join("root").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// As `mksquashfs OPTIONS` makes an image of it.
    pub fn squashfs(&self, options: &str) -> Vec<u8> {
        let script = format!("mksquashfs root image -quiet -no-progress {options} >&2; cat image; rm image");
        pipe(self.0.path(), &script, b"")
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.path().join("root").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// As `cpio -H FORMAT` writes it.
    pub fn cpio(&self, format: &str) -> Vec<u8> {
        let script = format!("cd root; find . | LC_ALL=C sort | cpio -o -H {format} --quiet");
        pipe(self.0.path(), &script, b"")
    }

    pub fn packed(&self, packer: &str) -> Vec<u8> {
        pipe(self.0.path(), packer, &self.cpio("newc"))
    }
}

/// What early microcode looks like.
pub fn early() -> Vec<u8> {
    let tree = Tree::new();
    tree.write("early_cpio", b"1\n");
    tree.write("kernel/x86/microcode/AuthenticAMD.bin", &noise(70_001));
    tree.cpio("newc")
}

pub fn noise(len: usize) -> Vec<u8> {
    let mut seed = 88_172_645_463_325_252_u64;
    (0..len)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[3] & 0x3f
        })
        .collect()
}

pub fn digest(bytes: &[u8]) -> Archived {
    Archived::File(Digest::of(bytes, &mut Inflater::new()).unwrap())
}

fn modules() -> Tree {
    let tree = Tree::new();
    tree.write("init", b"#!/bin/sh\n");
    // More than a block of any format.
    tree.write("usr/bin/big", &[&vec![7; 9 << 20][..], &noise(600_000)].concat());
    tree.write(&format!("usr/lib/modules/{KREL}/kernel/fs/ext4.ko"), b"ext4");
    tree.write(&format!("usr/lib/modules/{KREL}/updates/own.ko"), &noise(300_000));
    tree.write(&format!("usr/lib/modules/{KREL}/modules.dep"), b"");
    tree.write("usr/lib/modules/6.3.0-default/updates/nic.ko", b"nic");
    tree.link(
        &format!("usr/lib/modules/{KREL}/weak-updates/updates/nic.ko"),
        "/usr/lib/modules/6.3.0-default/updates/nic.ko",
    );
    tree.link(&format!("usr/lib/modules/{KREL}/weak-updates/cam.ko"), "../../6.3.0-default/updates/nic.ko");
    tree.link(&format!("usr/lib/modules/{KREL}/weak-updates/lost.ko"), "../../../../../nowhere.ko");
    tree
}

#[track_caller]
fn list(bytes: &[u8]) -> Contents {
    read(bytes, &|_| false).unwrap()
}

fn at(below: &str) -> PathBuf {
    Path::new(KREL).join(below)
}

#[track_caller]
fn is_complete(contents: &Contents, what: &str) {
    assert_eq!(contents.modules.len(), 6, "{what}: {contents:?}");
    assert_eq!(contents.modules[&at("kernel/fs/ext4.ko")], Archived::NotRead, "{what}");
    assert_eq!(contents.modules[&at("updates/own.ko")], digest(&noise(300_000)), "{what}");
    for link in ["weak-updates/updates/nic.ko", "weak-updates/cam.ko"] {
        assert_eq!(contents.resolve(&at(link)), Some(&digest(b"nic")), "{what}");
    }
    assert_eq!(contents.resolve(&at("weak-updates/lost.ko")), None, "{what}");
    assert_eq!(contents.image, None);
}

#[test]
fn every_packing_with_and_without_early_archives() {
    let tree = modules();
    let early = early();
    for packer in PACKERS {
        let packed = tree.packed(packer);
        is_complete(&list(&packed), packer);
        // Padded to 512 bytes by cpio; dracut pads no more than that, others to a page.
        is_complete(&list(&[&early[..], &packed].concat()), packer);
        is_complete(&list(&[&early[..], &[0; 4096], &early, &packed, &[0; 512]].concat()), packer);
    }
}

#[test]
fn archives_packed_one_by_one_follow_each_other() {
    let tree = modules();
    let other = Tree::new();
    other.write(&format!("usr/lib/modules/{KREL}/extra/more.ko"), b"more");
    for first in PACKERS {
        let first_packed = tree.packed(first);
        for second in ["cat", "gzip", "zstd", "lz4 -l", "bzip2"] {
            let both = [&first_packed[..], &other.packed(second)].concat();
            let mut contents = list(&both);
            assert_eq!(
                contents.modules.remove(&at("extra/more.ko")),
                Some(digest(b"more")),
                "{first}, {second}"
            );
            is_complete(&contents, &format!("{first}, {second}"));
        }
    }
    // Two archives in one stream.
    let both = [tree.cpio("newc"), vec![0; 100 * 4], other.cpio("newc")].concat();
    let contents = list(&pipe(tree.0.path(), "zstd", &both));
    assert_eq!(contents.modules.len(), 7);
}

#[test]
fn a_later_archive_goes_over_an_earlier_one() {
    let (first, second) = (Tree::new(), Tree::new());
    let path = format!("lib/modules/{KREL}/updates/a.ko");
    first.write(&path, b"old");
    second.write(&format!("usr/{path}"), b"new");
    let contents = list(&[first.packed("gzip"), second.packed("xz --check=crc32")].concat());
    assert_eq!(contents.modules[&at("updates/a.ko")], digest(b"new"));
}

#[test]
fn archives_with_checksums_and_modules_packed_by_themselves() {
    let tree = Tree::new();
    for packer in ["gzip", "xz --check=crc32", "zstd"] {
        let ending = packer.split(' ').next().unwrap().replace("gzip", "gz").replace("zstd", "zst");
        let packed = pipe(tree.0.path(), packer, b"contents");
        tree.write(&format!("lib/modules/{KREL}/kernel/{ending}.ko.{ending}"), &packed);
    }
    let contents = read(&tree.cpio("crc")[..], &|_| true).unwrap();
    assert_eq!(contents.modules.len(), 3);
    assert!(contents.modules.values().all(|m| *m == digest(b"contents")), "{contents:?}");
}

#[test]
fn only_what_is_asked_for_is_read_of_the_kernels_own() {
    let tree = Tree::new();
    for name in ["a", "b"] {
        tree.write(&format!("lib/modules/{KREL}/kernel/{name}.ko"), name.as_bytes());
    }
    let contents = read(&tree.cpio("newc")[..], &|path| path.ends_with("b.ko")).unwrap();
    assert_eq!(contents.modules[&at("kernel/a.ko")], Archived::NotRead);
    assert_eq!(contents.modules[&at("kernel/b.ko")], digest(b"b"));
}

#[test]
fn files_with_several_names_have_their_contents_once() {
    let tree = Tree::new();
    let path = format!("lib/modules/{KREL}/updates/a.ko");
    tree.write(&path, b"twice");
    for other in ["b.ko", "c.ko"] {
        let root = tree.0.path().join("root");
        fs::hard_link(root.join(&path), root.join(format!("lib/modules/{KREL}/updates/{other}"))).unwrap();
    }
    let contents = list(&tree.cpio("newc"));
    for name in ["a.ko", "b.ko", "c.ko"] {
        assert_eq!(contents.modules[&at("updates").join(name)], digest(b"twice"), "{name}");
    }
}

#[test]
fn an_image_with_a_part_of_the_initrd_is_noticed() {
    let tree = Tree::new();
    tree.write("erofs-root.img", b"");
    assert_eq!(list(&tree.packed("zstd")).image.as_deref(), Some("erofs-root.img"));
    // One of squashfs is looked into.
    tree.write("squash-root.img", b"hsqs");
    let error = read(&tree.packed("zstd")[..], &|_| true).unwrap_err().to_string();
    assert!(error.contains("squashfs image: it is cut off"), "{error}");
}

#[test]
fn what_is_no_initrd() {
    for (bytes, what) in [
        (&b""[..], "the file is empty, at byte 0"),
        (&[0; 1024], "the file is empty, at byte 0"),
        (
            b"MZ\x90\x00not an initrd",
            "neither a cpio archive nor a known compression (4d 5a 90 00 6e 6f 74 20 61), at byte 0",
        ),
        (b"070707000", "it ends early, the file is cut off, at byte 9"),
    ] {
        assert_eq!(read(bytes, &|_| true).unwrap_err().to_string(), what);
    }
}
