// SPDX-License-Identifier: LGPL-2.1-or-later
//! How far it is certain that an index which is made here is the one that depmod would write: this depmod, by its file,
//! has written the same bytes before, and nobody else has written others since.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::facts_cache::{Cache, FileId, Header, IndexFile};
use super::{Attempt, store};
use crate::apply::depmod::Place;
use crate::apply::program::{self, With};
use crate::index::Index;
use crate::root::Root;
use crate::root::Stat;
use crate::tree::{self, MODULES_DEP};

/// The releases of kmod whose indexes are known.
const VERSIONS: std::ops::RangeInclusive<u32> = 28..=34;

/// Larger files are no index.
const LIMIT: u64 = 256 << 20;

/// A depmod, as far as it was compared.
pub(super) struct Trust {
    pub version: u32,
    pub kinds: u8,
}

impl From<&Header> for Trust {
    fn from(header: &Header) -> Self {
        Self { version: header.version, kinds: header.kinds }
    }
}

impl Attempt<'_> {
    /// # Errors
    /// What is missing, in words.
    pub(super) fn trust(&self) -> Result<Trust, String> {
        let Place { root, release, .. } = self.at;
        let has_agreed = |header: &&Header| header.program == self.program && header.doubt.is_none();
        let own = self.kept.as_ref().map(|kept| &kept.header).filter(has_agreed);
        let is_there = root.try_exists(&release.dir.join(MODULES_DEP)).map_err(|e| e.to_string())?;
        if is_there {
            let own = own.ok_or("it has not been compared with this depmod's yet")?;
            own.files.iter().try_for_each(|file| is_as_it_was(root, &release.dir, file))?;
            return Ok(own.into());
        }
        // A kernel's first index.
        if let Some(own) = own {
            return Ok(own.into());
        }
        let others = store::all(root);
        let others: Vec<&Header> = others.iter().filter(has_agreed).collect();
        let kinds = others.iter().fold(0, |all, header| all | header.kinds);
        let first = others.first().ok_or("nothing has been compared with this depmod's index yet")?;
        Ok(Trust { kinds, ..Trust::from(*first) })
    }
}

fn is_as_it_was(root: &Root, dir: &Path, file: &IndexFile) -> Result<(), String> {
    let other = || format!("{} is not the one that was there last", file.name);
    let mut there = root.open_file(&dir.join(&file.name)).map_err(|e| format!("{}: {e}", file.name))?;
    let stat = nix::sys::stat::fstat(&there).map_err(|e| e.to_string())?;
    let id = FileId::from(Stat::from(stat));
    if id == file.id {
        return Ok(());
    }
    if id.size() != file.id.size() || id.size() > LIMIT {
        return Err(other());
    }
    let mut bytes = Vec::new();
    there.by_ref().take(LIMIT).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if <[u8; 32]>::from(Sha256::digest(&bytes)) == file.sha256 { Ok(()) } else { Err(other()) }
}

/// Which program it is.
///
/// # Errors
/// It is not there.
pub(super) fn identity(depmod: &OsStr) -> Result<FileId, String> {
    let path = program::find(None, depmod)?;
    let stat = std::fs::metadata(&path).map_err(|e| e.to_string())?;
    let ns = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
    Ok(FileId::from(Stat {
        dev: stat.dev(),
        ino: stat.ino(),
        mode: stat.mode(),
        size: stat.size(),
        mtime_ns: ns(stat.mtime(), stat.mtime_nsec()),
        ctime_ns: ns(stat.ctime(), stat.ctime_nsec()),
    }))
}

/// The program's version, where that is not known yet by what it says itself.
///
/// # Errors
/// It is not known, or no index of such a one is.
pub(super) fn version(
    root: &Root,
    depmod: &OsStr,
    program: FileId,
    kept: Option<&Cache>,
) -> Result<u32, String> {
    let own = kept.map(|kept| &kept.header).filter(|header| header.program == program);
    let known = own.map(|header| header.version).or_else(|| {
        store::all(root).iter().find(|other| other.program == program).map(|header| header.version)
    });
    if let Some(known) = known.filter(|known| VERSIONS.contains(known)) {
        return Ok(known);
    }
    let with = With { limit: Duration::from_secs(60), ..With::default() };
    let output = program::output(depmod, &[OsString::from("--version")], with);
    let output = output.map_err(|failure| failure.message(depmod, program::first_lines))?;
    let text = String::from_utf8_lossy(&output.printed).into_owned();
    // `kmod version 34.2`, and with what it was built.
    let word =
        text.strip_prefix("kmod version ").and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let version = word.and_then(|word| word.parse().ok()).filter(|version| VERSIONS.contains(version));
    version.ok_or_else(|| "it is of a version of kmod whose index is not known".into())
}

/// Is every file on disk the one that was made?
///
/// # Errors
/// What differs, in words.
pub(super) fn compare(root: &Root, dir: &Path, index: &Index) -> Result<Vec<IndexFile>, String> {
    let mut files = Vec::with_capacity(index.files.len());
    let mut list_written_ns = None;
    for (name, bytes) in &index.files {
        let mut there = root.open_file(&dir.join(name)).map_err(|e| format!("{name}: {e}"))?;
        let stat = Stat::from(nix::sys::stat::fstat(&there).map_err(|e| format!("{name}: {e}"))?);
        let mut theirs = Vec::with_capacity(bytes.len());
        there.by_ref().take(LIMIT).read_to_end(&mut theirs).map_err(|e| format!("{name}: {e}"))?;
        if theirs != *bytes {
            let at = theirs.iter().zip(bytes).take_while(|(one, other)| one == other).count();
            let (theirs, ours) = (theirs.len(), bytes.len());
            return Err(format!(
                "{name} differs from byte {at} on; depmod's has {theirs} bytes, ours {ours}"
            ));
        }
        if *name == MODULES_DEP {
            list_written_ns = Some(stat.mtime_ns);
        }
        files.push(IndexFile { name: (*name).into(), id: stat.into(), sha256: Sha256::digest(bytes).into() });
    }
    // One that another depmod has left is older.
    for entry in root.read_dir(dir).map_err(|e| e.to_string())? {
        let Some(name) = entry.name.to_str().filter(|name| tree::may_be_index(name)) else { continue };
        let is_new = || {
            let stat = root.symlink_metadata(&dir.join(name)).ok()?;
            Some(stat.mtime_ns >= list_written_ns?)
        };
        if index.file(name).is_none() && is_new() == Some(true) {
            return Err(format!("depmod writes {name}, too"));
        }
    }
    Ok(files)
}
