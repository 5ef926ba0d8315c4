// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the initrds of [`add_generator`](super::add_generator) hold, and what they should.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root::TestRoot;

/// Modules by their path below the kernel's directory.
pub type Modules = BTreeMap<PathBuf, Vec<u8>>;

/// The names under which a kernel's initrd may be.
fn images(krel: &str) -> [String; 2] {
    [format!("boot/initrd-{krel}"), format!("boot/initramfs-{krel}.img")]
}

/// The bytes of a kernel's initrd.
pub fn bytes(root: &TestRoot, krel: &str) -> Option<Vec<u8>> {
    images(krel).into_iter().find_map(|image| fs::read(root.join(image)).ok())
}

/// Is there a marker that asks for it?
pub fn is_marked(root: &TestRoot, krel: &str) -> bool {
    root.exists(format!("run/regenerate-initrd/{krel}"))
}

/// What a kernel's initrd holds; `None` where there is none, or it is damaged.
pub fn packed(root: &TestRoot, krel: &str) -> Option<Modules> {
    let bytes = bytes(root, krel)?;
    let mut modules = Modules::new();
    let mut at = 0;
    loop {
        let header = bytes.get(at..at + 110)?;
        let field = |n: usize| {
            let text = std::str::from_utf8(&header[6 + 8 * n..14 + 8 * n]).ok()?;
            usize::from_str_radix(text, 16).ok()
        };
        let (size, length) = (field(6)?, field(11)?);
        if &header[..6] != b"070701" {
            return None;
        }
        let name = std::str::from_utf8(bytes.get(at + 110..at + 110 + length - 1)?).ok()?;
        if name == "TRAILER!!!" {
            return Some(modules);
        }
        let start = (at + 110 + length).next_multiple_of(4);
        let contents = bytes.get(start..start + size)?;
        let below = Path::new(name).strip_prefix(format!("usr/lib/modules/{krel}")).ok()?;
        modules.insert(below.to_owned(), contents.to_vec());
        at = (start + size).next_multiple_of(4);
    }
}

/// What it would hold if it were made now.
pub fn on_disk(root: &TestRoot, krel: &str) -> Modules {
    let top = root.join("usr/lib/modules").join(krel);
    let mut modules = Modules::new();
    let mut pending: Vec<PathBuf> = ["updates", "extra", "weak-updates"].map(|dir| top.join(dir)).into();
    while let Some(dir) = pending.pop() {
        for path in fs::read_dir(&dir).into_iter().flatten().map(|e| e.expect("a directory of ours").path()) {
            if path.is_dir() && !path.is_symlink() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "ko") {
                let target = fs::read_link(&path).map_or_else(|_| path.clone(), |target| root.join(target));
                if let Ok(contents) = fs::read(target) {
                    modules.insert(path.strip_prefix(&top).expect("below it").to_owned(), contents);
                }
            }
        }
    }
    modules
}
