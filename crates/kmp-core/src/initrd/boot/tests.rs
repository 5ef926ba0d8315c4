// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which entry is chosen. How entries are found is tested from outside (`tests/e2e/boot_entries.rs`).

use std::io::Cursor;
use std::path::Path;

use testkit::unified_image;

use super::{Entries, Entry, Loader, Source, grub_cfg, uki};

const KREL: &str = "6.15.1-1-default";

fn entry(id: &str, text: &str) -> Entry {
    Entry::parse(text, Path::new("/boot"), id).unwrap()
}

#[test]
fn whose_entry_it_is() {
    for text in [
        format!("version {KREL}\nlinux /a"),
        format!("version 12@{KREL}\nlinux /a"),
        format!("linux /token/{KREL}/linux-0123"),
        format!("title x\n  linux\t/vmlinuz-{KREL}\n"),
    ] {
        assert!(entry("x", &text).boots(KREL), "{text}");
        assert!(!entry("x", &text).boots("6.15.1-1"), "{text}");
        assert!(!entry("x", &text).boots("15.1-1-default"), "{text}");
    }
    assert!(!entry("x", "linux /vmlinuz-0-rescue").boots(KREL));
    assert_eq!(Entry::parse("efi-shell /shell.efi", Path::new("/boot"), "x"), None);
    let mut unified = Entry::new(
        Source::Unified,
        Path::new("/efi"),
        &format!("linux-{KREL}-0123456789abcdef0123456789abcdef+3-1"),
    );
    assert!(unified.boots(KREL) && !unified.boots("6.15.1-1") && !unified.is_bad);
    unified.version = Some("6.16".into());
    assert!(!unified.boots(KREL));
}

/// Each snapshot has an entry for the kernel, and an initrd of its own.
#[test]
fn that_of_the_running_snapshot_is_chosen() {
    let of = |number: u32| {
        let text = format!(
            "version {number}@{KREL}\nlinux /t/{KREL}/linux\ninitrd /t/{KREL}/initrd-{number}\n\
             options root=UUID=1 rw rootflags=subvol=@/.snapshots/{number}/snapshot quiet\n"
        );
        entry(&format!("t-{KREL}-{number}"), &text)
    };
    let all: Vec<Entry> = [9, 10, 2].map(of).into();
    let chosen = |subvolume: Option<&str>| {
        let entries =
            Entries { all: all.clone(), subvolume: subvolume.map(Into::into), loader: Loader::Unknown };
        entries.of(KREL).unwrap().initrds[0].clone()
    };
    assert_eq!(chosen(Some("@/.snapshots/2/snapshot")), format!("/t/{KREL}/initrd-2"));
    // Not known, or none of it: the first in the list.
    assert_eq!(chosen(None), format!("/t/{KREL}/initrd-10"));
    assert_eq!(chosen(Some("@/.snapshots/11/snapshot")), format!("/t/{KREL}/initrd-10"));
}

#[test]
fn the_order_is_the_specifications() {
    let sorted = [
        entry("a", "sort-key a\nversion 2\nlinux /x"),
        entry("z", "sort-key a\nversion 1\nlinux /x"),
        entry("b", "sort-key b\nmachine-id 1\nversion 1\nlinux /x"),
        entry("c", "sort-key b\nmachine-id 2\nversion 9\nlinux /x"),
        entry("name-10", "linux /x"),
        entry("name-9", "linux /x"),
        entry("name-11+0-3", "linux /x"),
    ];
    for (at, first) in sorted.iter().enumerate() {
        for second in &sorted[at + 1..] {
            assert!(first.order(second).is_lt() && second.order(first).is_gt(), "{} {}", first.id, second.id);
        }
    }
}

#[test]
fn a_menu_of_grubs() {
    let text = "menuentry 'a' --class x {\n\tlinux /vmlinuz-1 root=/dev/sda\n\tinitrd /ucode.img /initrd-1 ${extra}\n}\n\
                menuentry 'no initrd' {\n\tlinuxefi \"/vmlinuz-2\"\n}\nmenuentry 'chain' {\n\tinitrd /stray\n}\n";
    let entries = grub_cfg::parse(text);
    let seen: Vec<(&str, Vec<&str>)> =
        entries.iter().map(|e| (&*e.linux, e.initrds.iter().map(String::as_str).collect())).collect();
    assert_eq!(seen, [("/vmlinuz-1", vec!["/ucode.img", "/initrd-1"]), ("/vmlinuz-2", vec![])]);
}

#[test]
fn the_sections_of_an_image() {
    let read = |bytes: &[u8]| uki::read(Cursor::new(bytes)).unwrap();
    let sections: &[(&str, &[u8])] = &[
        (".uname", b"6.1\0\0"),
        (".linux", b"kernel"),
        (".initrd", b"initrd"),
        (".profile", b"ID=other"),
        (".osrel", b"ID=other"),
    ];
    let image = unified_image(sections);
    let unified = read(&image).unwrap();
    assert_eq!((unified.release.as_deref(), &*unified.os_release), (Some("6.1"), ""));
    let (offset, size) = unified.initrd.unwrap();
    let at = usize::try_from(offset).unwrap();
    assert_eq!((&image[at..at + 6], size), (&b"initrd"[..], 6));
    // Cut anywhere it is no image, or its sections are shorter; nothing panics.
    for len in 0..image.len() {
        read(&image[..len]);
    }
    assert_eq!(read(&unified_image(&[(".text", b"addon")])), None);
}
