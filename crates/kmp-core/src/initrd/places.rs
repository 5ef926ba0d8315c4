// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where a kernel and its initrd are.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::problem::Problem;
use crate::root::{FileType, Root, is_fault};
use crate::tree::{self, IMAGES};

/// Where boot partitions are that a boot loader of the Boot Loader Specification reads.
const BOOT: &[&str] = &[tree::BOOT, "/boot/efi", "/efi"];

/// Files that name the directory of this system's entries there.
const TOKENS: &[&str] = &["/etc/kernel/entry-token", "/etc/machine-id"];

/// Is there an image of this kernel, in its directory `dir` or in `/boot`?
///
/// # Errors
/// The system could not look.
pub fn has_image(root: &Root, release: &str, dir: &Path) -> Result<bool, Problem> {
    let places = IMAGES.iter().flat_map(|name| tree::places(dir, release, name));
    Ok(first_there(root, places)?.is_some())
}

/// The first of these files that is there.
fn first_there(root: &Root, paths: impl IntoIterator<Item = PathBuf>) -> Result<Option<PathBuf>, Problem> {
    for path in paths {
        match root.try_exists(&path) {
            Ok(true) => return Ok(Some(path)),
            Ok(false) => {}
            Err(e) => return Err(Problem::unreadable(root.display(&path), &e)),
        }
    }
    Ok(None)
}

/// Is it `vmlinuz-` or the like: what stands before the release in an image's name?
pub fn is_image_prefix(prefix: &str) -> bool {
    prefix.strip_suffix('-').is_some_and(|image| IMAGES.contains(&image))
}

/// The initrd of a kernel: SUSE's and Red Hat's names, the kernel's directory, then the newest of a boot loader's entries.
///
/// # Errors
/// The system could not look.
pub fn find(root: &Root, release: &str, dir: &Path) -> Result<Option<PathBuf>, Problem> {
    match first_there(root, tree::initrd_places(dir, release))? {
        Some(path) => Ok(Some(path)),
        None => newest_entry(root, release),
    }
}

/// `/boot/efi/TOKEN/RELEASE/initrd*`.
fn newest_entry(root: &Root, release: &str) -> Result<Option<PathBuf>, Problem> {
    let unreadable = |path: &Path, e| Problem::unreadable(root.display(path), &e);
    let mut found: Vec<(i128, PathBuf)> = Vec::new();
    for file in TOKENS {
        let Some(token) = token(root, file).map_err(|e| unreadable(Path::new(file), e))? else { continue };
        for boot in BOOT {
            let dir = Path::new(boot).join(&token).join(release);
            for entry in root.read_dir_if_there(&dir).map_err(|e| unreadable(&dir, e))? {
                if !entry.name.as_encoded_bytes().starts_with(b"initrd") {
                    continue;
                }
                let path = dir.join(&entry.name);
                match root.metadata(&path) {
                    Ok(stat) if stat.kind() == FileType::File => found.push((stat.mtime_ns, path)),
                    Err(e) if is_fault(&e) => return Err(unreadable(&path, e)),
                    _ => {}
                }
            }
        }
    }
    Ok(found.into_iter().max().map(|(_, path)| path))
}

/// The first word of a small file, if it can be a directory's name.
fn token(root: &Root, file: &str) -> io::Result<Option<String>> {
    let text = root.read_if_there(Path::new(file), 4096)?;
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let Some(word) = text.split_whitespace().next() else { return Ok(None) };
    let mut components = Path::new(word).components();
    let is_name = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    Ok(is_name.then(|| word.into()))
}
