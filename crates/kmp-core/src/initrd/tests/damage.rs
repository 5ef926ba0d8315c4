// SPDX-License-Identifier: LGPL-2.1-or-later
//! Cut and damaged archives: an error or a list, never a panic, and never much memory.

use std::ffi::OsStr;

use super::archive::{KREL, PACKERS, Tree, early};
use crate::initrd::archive::read;
use crate::initrd::squashfs::{Image, Node};

fn small() -> Tree {
    let tree = Tree::new();
    tree.write("init", b"#!/bin/sh\n");
    tree.write(&format!("lib/modules/{KREL}/kernel/a.ko"), &[7; 3000]);
    tree.write(&format!("lib/modules/{KREL}/updates/b.ko"), &[9; 500]);
    tree
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn every_cut_is_an_error_or_the_end_of_an_archive() {
    let tree = small();
    for packer in PACKERS {
        let packed = tree.packed(packer);
        let whole = read(&packed[..], &|_| true).unwrap();
        // Every cut of what is short, and of what is long (cpio itself) one in seven.
        for end in (1..packed.len()).step_by(if packed.len() > 2000 { 7 } else { 1 }) {
            match read(&packed[..end], &|_| true) {
                // Only padding is missing, or the checksum that comes last.
                Ok(contents) => assert_eq!(contents, whole, "{packer} cut at {end} of {}", packed.len()),
                Err(e) => assert!(!e.what.is_empty(), "{packer}"),
            }
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    let tree = small();
    let early = early();
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for packer in PACKERS {
        let packed = [&early[..1024], &[0; 512], &tree.packed(packer)].concat();
        for packed in [&packed, &tree.packed(packer)] {
            for _ in 0..100 {
                let mut bytes = packed.clone();
                for _ in 0..1 + random(&mut seed) % 3 {
                    let at = random(&mut seed) as usize % bytes.len();
                    bytes[at] ^= 1 << (random(&mut seed) % 8);
                }
                let _ = read(&bytes[..], &|_| true);
            }
        }
    }
}

#[test]
fn streams_are_as_many_as_an_initrd_may_have() {
    let tree = small();
    let packed = tree.packed("gzip -9");
    assert!(read(&packed.repeat(100)[..], &|_| true).is_ok());
    let error = read(&packed.repeat(300)[..], &|_| true).unwrap_err();
    assert!(error.what.contains("more than 256 packed streams"), "{error}");
    assert_eq!(error.offset, 256 * packed.len() as u64);
}

/// What is in an image, as an error or by the sizes of its files.
fn look_into(image: &[u8]) -> std::io::Result<Vec<usize>> {
    let mut left = 1 << 24;
    let mut image = Image::open(image)?;
    let mut sizes = Vec::new();
    for (_, node) in image.modules(&|name: &OsStr| name.to_string_lossy().ends_with(".ko"))? {
        if let Node::File(file) = node {
            sizes.push(image.contents(&file, &mut left)?.len());
        }
    }
    sizes.sort_unstable();
    Ok(sizes)
}

#[test]
fn damaged_images_never_panic() {
    let tree = small();
    tree.write(&format!("lib/modules/{KREL}/updates/large.ko"), &[1; 9000]);
    // Nothing is packed, so that damage is not noticed by a decoder.
    for options in ["-noI -noD -noF -b 4096", "-b 4096", "-comp xz"] {
        let image = tree.squashfs(options);
        assert_eq!(look_into(&image).unwrap(), [500, 3000, 9000], "{options}");
        let end = image.len().min(20_000);
        for len in (0..end).step_by(7) {
            let _ = look_into(&image[..len]);
        }
        let mut seed = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..4000 {
            let mut bytes = image.clone();
            for _ in 0..1 + random(&mut seed) % 3 {
                let at = random(&mut seed) as usize % bytes.len();
                bytes[at] = random(&mut seed) as u8;
            }
            let at = random(&mut seed) as usize % 96;
            if seed % 3 == 0 {
                bytes[at] ^= 1 << (random(&mut seed) % 8);
            }
            let _ = look_into(&bytes);
        }
    }
}

#[test]
fn zeros_that_take_no_place_cost_little_memory() {
    let tree = small();
    tree.write(&format!("lib/modules/{KREL}/updates/large.ko"), &vec![0; 20 << 20]);
    let error = look_into(&tree.squashfs("-b 1M")).unwrap_err().to_string();
    assert!(error.contains("a file is said to have 20971520 bytes"), "{error}");
}
