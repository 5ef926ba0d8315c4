// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads boot entries, and looks for the files that they name.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::entry::{Entry, Source};
use super::{Entries, Loader, grub_cfg, uki};
use crate::assignments::Assignments;
use crate::dialect::os_release_value;
use crate::problem::Problem;
use crate::root::{FileType, Root, is_fault};
use crate::tree::BOOT;

/// Where boot partitions are that a boot loader of the Boot Loader Specification reads.
const PARTITIONS: &[&str] = &[BOOT, "/boot/efi", "/efi"];

/// Entries below these, as files of text and as unified kernel images.
const TEXTS: &str = "loader/entries";
const UNIFIED: &str = "EFI/Linux";

/// GRUB's own configuration.
const GRUB: &[&str] = &["/boot/grub2/grub.cfg", "/boot/grub/grub.cfg"];

/// Where SUSE says which boot loader is used.
const SYSCONFIG: &str = "/etc/sysconfig/bootloader";

/// Files that name the directory of this system's entries in a boot partition.
const TOKENS: &[&str] = &["/etc/kernel/entry-token", "/etc/machine-id"];

/// The most entries of a directory that are read, and the length of one, in bytes.
const ENTRIES: usize = 1024;
const ENTRY: u64 = 64 << 10;

/// The length of GRUB's configuration and of the list of mounts, in bytes.
const TEXT: u64 = 4 << 20;

/// Reads all entries of a root.
pub(super) fn entries(root: &Root) -> Result<Entries, Problem> {
    let mut all = Vec::new();
    for boot in PARTITIONS.iter().map(Path::new) {
        for (path, id) in files(root, &boot.join(TEXTS), "conf")? {
            if let Some(text) = text(root, &path, ENTRY)? {
                all.extend(Entry::parse(&text, boot, &id));
            }
        }
        for (path, id) in files(root, &boot.join(UNIFIED), "efi")? {
            all.extend(unified(root, boot, &path, &id)?);
        }
    }
    for path in GRUB.iter().map(Path::new) {
        all.extend(text(root, path, TEXT)?.into_iter().flat_map(|text| grub_cfg::parse(&text)));
    }
    let loader = text(root, Path::new(SYSCONFIG), TEXT)?.map(|text| {
        let mut read = Assignments::default();
        read.read(&text);
        read.get("LOADER_TYPE").to_string()
    });
    let loader = match loader.as_deref() {
        Some("systemd-boot" | "grub2-bls") => Loader::Specification,
        Some(loader) if loader.starts_with("grub") => Loader::Grub,
        _ => Loader::Unknown,
    };
    Ok(Entries { all, subvolume: subvolume(root)?, loader })
}

/// The files of a directory with this suffix, with their names before it, by name.
fn files(root: &Root, dir: &Path, suffix: &str) -> Result<Vec<(PathBuf, String)>, Problem> {
    let entries = match root.read_dir_if_there(dir) {
        // What is no directory has no entries.
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Vec::new(),
        read => read.map_err(|e| Problem::unreadable(root.display(dir), &e))?,
    };
    let mut files: Vec<(PathBuf, String)> = entries
        .into_iter()
        .filter_map(|entry| {
            let path = dir.join(&entry.name);
            let is_one = path.extension() == Some(OsStr::new(suffix));
            let id = path.file_stem()?.to_str()?.to_string();
            is_one.then_some((path, id))
        })
        .collect();
    files.sort();
    files.truncate(ENTRIES);
    Ok(files)
}

/// A text; `None` where there is no such file, or none that can be read as one.
fn text(root: &Root, path: &Path, limit: u64) -> Result<Option<String>, Problem> {
    match root.read_if_there(path, limit) {
        Ok(bytes) => Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if is_fault(&e) => Err(Problem::unreadable(root.display(path), &e)),
        Err(_) => Ok(None),
    }
}

/// The entry that a unified kernel image is.
fn unified(root: &Root, boot: &Path, path: &Path, id: &str) -> Result<Option<Entry>, Problem> {
    let read = match root.open_file(path) {
        Ok(file) => uki::read(&file),
        Err(e) => Err(e),
    };
    let unified = match read {
        Ok(Some(unified)) if unified.initrd.is_some() => unified,
        Err(e) if is_fault(&e) => return Err(Problem::unreadable(root.display(path), &e)),
        _ => return Ok(None),
    };
    let mut entry = Entry::new(Source::Unified, boot, id);
    let value = |key| os_release_value(&unified.os_release, key).filter(|value| !value.is_empty());
    entry.sort_key = value("IMAGE_ID").or_else(|| value("ID"));
    entry.version = unified.release;
    entry.linux = path.strip_prefix(boot).unwrap_or(path).to_string_lossy().into_owned();
    Ok(Some(entry))
}

/// Is this image of a kernel one with an initrd in it?
pub(super) fn is_unified(root: &Root, path: &Path) -> Result<bool, Problem> {
    match root.open_file(path).and_then(|file| uki::read(&file)) {
        Ok(unified) => Ok(unified.is_some_and(|unified| unified.initrd.is_some())),
        Err(e) if is_fault(&e) => Err(Problem::unreadable(root.display(path), &e)),
        Err(_) => Ok(false),
    }
}

/// The subvolume of the running system's root, by the kernel's list of mounts (proc(5), "mountinfo"); of another root it is not
/// known.
fn subvolume(root: &Root) -> Result<Option<String>, Problem> {
    let mounts = match root.is_system() {
        true => text(root, Path::new("/proc/self/mountinfo"), TEXT)?.unwrap_or_default(),
        false => return Ok(None),
    };
    let mut of_root = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(3);
        let (subvolume, point) = (fields.next()?, fields.next()?);
        (point == "/").then(|| subvolume.trim_matches('/').to_string())
    });
    Ok(of_root.next_back().filter(|subvolume| !subvolume.is_empty()))
}

/// Where a file may be that an entry of the partition `boot` names. GRUB's paths start at a file system's root, which may be
/// that of `/boot`, of a subvolume, or of what the subvolumes are in.
pub(super) fn candidates(boot: &Path, named: &str) -> Vec<PathBuf> {
    let named: PathBuf =
        Path::new(named).components().filter(|c| matches!(c, Component::Normal(_))).collect();
    let mut places = Vec::new();
    if boot.as_os_str().is_empty() {
        places.extend([Path::new("/").join(&named), Path::new(BOOT).join(&named)]);
    } else {
        places.extend([boot.join(&named), Path::new("/").join(&named)]);
    }
    let parts: Vec<&OsStr> = named.components().map(|c| c.as_os_str()).collect();
    let at = parts.iter().rposition(|part| *part == "boot");
    places.extend(at.map(|at| Path::new("/").join(parts[at..].iter().collect::<PathBuf>())));
    places
}

/// The first of these files that is there.
pub(super) fn first_there(
    root: &Root,
    paths: impl IntoIterator<Item = PathBuf>,
) -> Result<Option<PathBuf>, Problem> {
    for path in paths {
        match root.metadata(&path) {
            Ok(stat) if stat.kind() == FileType::File => return Ok(Some(path)),
            Err(e) if is_fault(&e) => return Err(Problem::unreadable(root.display(&path), &e)),
            _ => {}
        }
    }
    Ok(None)
}

/// `/boot/efi/TOKEN/RELEASE/initrd*`.
pub(super) fn of_token(root: &Root, release: &str) -> Result<Vec<PathBuf>, Problem> {
    let mut found: Vec<PathBuf> = Vec::new();
    for file in TOKENS.iter().map(Path::new) {
        let Some(token) = text(root, file, 4096)?.and_then(|text| one_word(&text)) else { continue };
        for partition in PARTITIONS {
            let dir = Path::new(partition).join(&token).join(release);
            let entries =
                root.read_dir_if_there(&dir).map_err(|e| Problem::unreadable(root.display(&dir), &e))?;
            for entry in entries.into_iter().filter(|e| e.name.as_encoded_bytes().starts_with(b"initrd")) {
                found.extend(first_there(root, [dir.join(&entry.name)])?);
            }
        }
    }
    Ok(found)
}

/// The first word, if it can be a directory's name.
fn one_word(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?;
    let mut components = Path::new(word).components();
    let is_name = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    is_name.then(|| word.into())
}

/// Where the boot loader's own program may mean a path, in the partition that it names, if it does.
pub(crate) fn in_partitions(named: Option<&Path>, path: &str) -> Vec<PathBuf> {
    let partitions = named.into_iter().chain(PARTITIONS.iter().map(Path::new));
    let below: PathBuf = Path::new(path).components().filter(|c| matches!(c, Component::Normal(_))).collect();
    partitions.map(|partition| partition.join(&below)).collect()
}
