// SPDX-License-Identifier: LGPL-2.1-or-later
//! A boot loader's entry, and the file format of the Boot Loader Specification's type 1. Pure.

use std::cmp::Ordering;
use std::path::{Component, Path, PathBuf};

use rpm_meta::vercmp;

use crate::tree::IMAGES;

/// What an entry was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `loader/entries/ID.conf`.
    Specification,
    /// `EFI/Linux/ID.efi`: a unified kernel image is its own entry.
    Unified,
    /// GRUB's own configuration.
    Grub,
}

/// An entry, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it was read from.
    pub source: Source,
    /// Where the paths in it start.
    pub boot: PathBuf,
    /// The file's name without suffix and boot counter.
    pub id: String,
    /// By these three, and the name, boot loaders sort.
    pub sort_key: Option<String>,
    /// As `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// Mostly the kernel's release; sdbootutil's `SNAPSHOT@RELEASE`.
    pub version: Option<String>,
    /// Every try to boot it has failed.
    pub is_bad: bool,
    /// The kernel's image, or a unified one.
    pub linux: String,
    /// The initrds, which are loaded one after the other.
    pub initrds: Vec<String>,
    /// The kernel's command line.
    pub options: String,
}

impl Entry {
    /// An entry with nothing in it.
    pub fn new(source: Source, boot: &Path, id: &str) -> Self {
        let (id, is_bad) = without_counter(id);
        Self {
            source,
            boot: boot.into(),
            id: id.into(),
            is_bad,
            sort_key: None,
            machine_id: None,
            version: None,
            linux: String::new(),
            initrds: Vec::new(),
            options: String::new(),
        }
    }

    /// Reads the text of `loader/entries/ID.conf` below `boot` (the Boot Loader Specification, "Type #1"); `None` for an entry
    /// that boots no kernel.
    pub fn parse(text: &str, boot: &Path, id: &str) -> Option<Self> {
        let mut entry = Self::new(Source::Specification, boot, id);
        for line in text.lines() {
            let line = line.trim();
            let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let value = value.trim();
            match key {
                "sort-key" => entry.sort_key = Some(value.into()),
                "machine-id" => entry.machine_id = Some(value.into()),
                "version" => entry.version = Some(value.into()),
                "linux" | "efi" | "uki" => entry.linux = value.into(),
                // GRUB takes several in one line, and variables (`$tuned_initrd`) that name more.
                "initrd" => {
                    let words = value.split_whitespace().filter(|word| !word.starts_with('$'));
                    entry.initrds.extend(words.map(Into::into));
                }
                "options" => entry.options = format!("{} {value}", entry.options).trim_start().into(),
                _ => {}
            }
        }
        (!entry.linux.is_empty()).then_some(entry)
    }

    /// Does it boot this kernel?
    pub fn boots(&self, release: &str) -> bool {
        let version = self.version.as_deref().unwrap_or_default();
        let version = version.split_once('@').map_or(version, |(_, version)| version);
        let is_called = self.source == Source::Unified && version.is_empty() && is_part(&self.id, release);
        version == release || is_called || names(&self.linux, release)
    }

    /// The subvolume that it has for the root file system, without slashes around.
    pub fn subvolume(&self) -> Option<&str> {
        let flags = self.options.split_whitespace().filter_map(|word| word.strip_prefix("rootflags="));
        let mut subvolume =
            flags.flat_map(|flags| flags.split(',')).filter_map(|flag| flag.strip_prefix("subvol="));
        subvolume.next_back().map(|subvolume| subvolume.trim_matches('/'))
    }

    /// Which of two is the first in a boot loader's list, by the specification ("Sorting").
    pub fn order(&self, other: &Self) -> Ordering {
        let newest = |a: &str, b: &str| vercmp(b, a).then_with(|| b.cmp(a));
        let by_key = match (&self.sort_key, &other.sort_key) {
            (Some(a), Some(b)) => {
                a.cmp(b).then_with(|| self.machine_id.cmp(&other.machine_id)).then_with(|| {
                    newest(
                        self.version.as_deref().unwrap_or_default(),
                        other.version.as_deref().unwrap_or_default(),
                    )
                })
            }
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        self.is_bad.cmp(&other.is_bad).then(by_key).then_with(|| newest(&self.id, &other.id))
    }
}

/// Is that the path of an image of this kernel: `vmlinuz-RELEASE`, `/TOKEN/RELEASE/linux`, `linux-RELEASE-ID.efi`?
fn names(path: &str, release: &str) -> bool {
    let path = Path::new(path);
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let is_image = name.strip_suffix(release).and_then(|rest| rest.strip_suffix('-'));
    is_image.is_some_and(|image| IMAGES.contains(&image))
        || path.components().any(|part| part == Component::Normal(release.as_ref()))
}

/// Is it the release in a name: `TOKEN-RELEASE`, or dracut's `linux-RELEASE-MACHINEID...`?
fn is_part(id: &str, release: &str) -> bool {
    let is_id = |after: &str| {
        let id = after.strip_prefix('-').and_then(|after| after.get(..32));
        id.is_some_and(|id| id.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    id.match_indices(release).any(|(at, _)| {
        let (before, after) = (&id[..at], &id[at + release.len()..]);
        (before.is_empty() || before.ends_with('-')) && (after.is_empty() || is_id(after))
    })
}

/// A name without `+LEFT` or `+LEFT-DONE` at its end, and whether no try is left.
fn without_counter(id: &str) -> (&str, bool) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((name, counter)) = id.rsplit_once('+') else { return (id, false) };
    let (left, done) = counter.split_once('-').unwrap_or((counter, "0"));
    if !is_number(left) || !is_number(done) {
        return (id, false);
    }
    (name, left.bytes().all(|b| b == b'0'))
}
