// SPDX-License-Identifier: LGPL-2.1-or-later
//! Devices, as sysfs has them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use kmp_core::printable;
use kmp_core::root::{FileType, Root};

/// More of one of sysfs' files is not read: it has a page at most.
const LIMIT: u64 = 4096;

/// Directories of devices in one another, and in all. A big machine has some ten thousand.
const DEPTH: usize = 40;
const MOST: usize = 500_000;

/// Memory in blocks: thousands of directories, and no device that a driver is for.
const LEFT_OUT: &str = "/sys/devices/system/memory";

/// A device that a driver may be for. Texts are as people may see them; a device chooses some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its directory in sysfs.
    pub path: PathBuf,
    /// What it calls itself: bus, vendor and more.
    pub modalias: String,
    /// The bus, or other subsystem, that it is on.
    pub bus: String,
    /// The driver that it is bound to.
    pub driver: Option<String>,
    /// The module of that driver; none where that is built into the kernel.
    pub module: Option<String>,
    /// What it says its maker and itself are (USB).
    pub says: Option<String>,
}

/// All devices below `/sys/devices` that say what they are, in the order of their paths.
///
/// # Errors
/// In words: the directory is there and cannot be read.
pub fn devices(root: &Root) -> Result<Vec<Device>, String> {
    let top = PathBuf::from("/sys/devices");
    let mut found = Vec::new();
    let mut seen = 0;
    let entries =
        root.read_dir_if_there(&top).map_err(|e| format!("{} cannot be read: {e}", top.display()))?;
    let mut pending: Vec<(PathBuf, usize)> = Vec::new();
    let below = |dir: &Path, entries: Vec<kmp_core::root::DirEntry>, depth: usize| -> Vec<(PathBuf, usize)> {
        let dirs = entries.into_iter().filter(|entry| entry.kind == FileType::Dir);
        dirs.map(|entry| (dir.join(entry.name), depth)).collect()
    };
    pending.extend(below(&top, entries, 0));
    while let Some((dir, depth)) = pending.pop() {
        seen += 1;
        if dir == Path::new(LEFT_OUT) || depth > DEPTH || seen > MOST {
            continue;
        }
        // A device may go at any time.
        let Ok(entries) = root.read_dir(&dir) else { continue };
        let has = |name: &str| entries.iter().any(|entry| entry.name == OsStr::new(name));
        // Some buses have the alias in this file alone (SSB).
        let alias = if has("modalias") {
            text(root, &dir.join("modalias"))
        } else if has("uevent") {
            let uevent = text(root, &dir.join("uevent"));
            uevent.and_then(|text| text.lines().find_map(|line| Some(line.strip_prefix("MODALIAS=")?.into())))
        } else {
            None
        };
        if let Some(modalias) = alias.filter(|alias: &String| !alias.is_empty()) {
            found.push(device(root, &dir, modalias));
        }
        pending.extend(below(&dir, entries, depth + 1));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn device(root: &Root, dir: &Path, modalias: String) -> Device {
    let name = |link: &str| {
        let target = root.read_link(&dir.join(link)).ok()?;
        target.file_name().map(printable)
    };
    // An interface's maker is said by the device that it is of.
    let of = |file: &str| {
        let own = text(root, &dir.join(file));
        own.or_else(|| text(root, &dir.parent()?.join(file))).filter(|text| !text.is_empty())
    };
    let bus = name("subsystem").unwrap_or_else(|| modalias.split(':').next().unwrap_or_default().to_string());
    let says = match bus.as_str() {
        "usb" => match (of("manufacturer"), of("product")) {
            (Some(maker), Some(product)) => Some(format!("{maker} {product}")),
            (maker, product) => maker.or(product),
        },
        _ => None,
    };
    Device {
        path: dir.to_path_buf(),
        modalias: printable(modalias.as_ref()),
        bus,
        driver: name("driver"),
        module: name("driver/module").map(|module| module.replace('-', "_")),
        says: says.map(|text| printable(text.as_ref())),
    }
}

fn text(root: &Root, path: &Path) -> Option<String> {
    let bytes = root.read(path, LIMIT).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_string())
}
