// SPDX-License-Identifier: LGPL-2.1-or-later
//! Changes to a module file after it was built: what no compiler makes, and the loader must refuse.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::elf::File;
use super::run::{self, Result};

type Function = dyn Fn(&mut File) -> Result<()> + Send + Sync;

/// A change to the bytes of a file.
#[derive(Clone)]
pub struct Change(Arc<Function>);

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change")
    }
}

/// One change.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Another CRC for this symbol in `__versions`.
    BadCrc(&'static str),
    /// The entry of this symbol in `__versions` is for a symbol of another name.
    LoseEntry(&'static str),
    /// All entries of `__versions` are for nothing.
    LoseAllEntries,
    /// These bytes (all of them, anywhere) for those; of one length.
    Replace(String, String),
    /// The file ends here, in per mille.
    Cut(usize),
    /// One byte of the ELF header.
    Header(usize, u8),
    /// More bytes in this section's header: a larger `struct module`.
    Grow(&'static str, u64),
    /// `objcopy` with these arguments.
    Objcopy(Vec<String>),
    /// Something at the end of the file.
    Append(Vec<u8>),
    /// Fields of the file, by hand.
    Elf(Change),
    /// The file's end, where a signature is.
    Signature(Change),
    /// Compressed by this program, with this suffix.
    Compress(&'static str, &'static str),
}

impl Edit {
    /// Changes fields of a file.
    pub fn elf(change: impl Fn(&mut File) -> Result<()> + Send + Sync + 'static) -> Self {
        Self::Elf(Change(Arc::new(change)))
    }

    /// Changes a file's end, or what its signature is of.
    pub fn signature(change: impl Fn(&mut File) -> Result<()> + Send + Sync + 'static) -> Self {
        Self::Signature(Change(Arc::new(change)))
    }

    /// Is the signature what it is about?
    pub fn is_of_signature(&self) -> bool {
        matches!(self, Self::Signature(_) | Self::Append(_) | Self::Compress(..))
    }
}

/// Where a section of a little-endian 64-bit ELF file is: its header, its contents.
struct Section {
    header: usize,
    start: usize,
    size: usize,
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + size)?;
    Some(bytes.iter().rev().fold(0, |n, b| (n << 8) | usize::from(*b)))
}

fn section(bytes: &[u8], wanted: &str) -> Option<Section> {
    let table = number(bytes, 0x28, 8)?;
    let count = number(bytes, 0x3c, 2)?;
    let names = table + number(bytes, 0x3e, 2)? * 64;
    let strings = number(bytes, names + 24, 8)?;
    (0..count).map(|i| table + i * 64).find_map(|header| {
        let name = bytes.get(strings + number(bytes, header, 4)?..)?;
        let found = name.starts_with(wanted.as_bytes()) && name.get(wanted.len()) == Some(&0);
        let (start, size) = (number(bytes, header + 24, 8)?, number(bytes, header + 32, 8)?);
        found.then_some(Section { header, start, size })
    })
}

fn entries(bytes: &mut [u8]) -> Result<std::slice::ChunksExactMut<'_, u8>> {
    let found = section(bytes, "__versions").ok_or("no __versions")?;
    let contents = bytes.get_mut(found.start..found.start + found.size).ok_or("a bad __versions")?;
    Ok(contents.chunks_exact_mut(64))
}

fn is_for(entry: &[u8], symbol: &str) -> bool {
    entry[8..].starts_with(symbol.as_bytes()) && entry.get(8 + symbol.len()).is_none_or(|b| *b == 0)
}

fn replace(bytes: &mut [u8], from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let places: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i..].starts_with(from)).collect();
    for at in &places {
        bytes[*at..at + to.len()].copy_from_slice(to);
    }
    places.len()
}

/// Gives a module another, shorter name: in its struct module and in `.modinfo`, where NULs may follow.
///
/// # Errors
/// It does not have the name `from`.
pub fn rename(path: &Path, from: &str, to: &str) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let padded = format!("{to}{}", "\0".repeat(from.len().checked_sub(to.len()).ok_or("too long a name")?));
    if replace(&mut bytes, from, &padded) < 2 {
        return Err(format!("{}: not the module {from}", path.display()).into());
    }
    std::fs::write(path, bytes).map_err(Into::into)
}

/// Changes the module file `path`, and returns what it is called then.
///
/// # Errors
/// There is nothing to change there.
pub fn apply(path: &Path, edits: &[Edit]) -> Result<std::path::PathBuf> {
    let mut path = path.to_path_buf();
    for edit in edits {
        let mut bytes = std::fs::read(&path)?;
        let mut changed = 0;
        match edit {
            Edit::BadCrc(symbol) => {
                for entry in entries(&mut bytes)?.filter(|e| is_for(e, symbol)) {
                    entry[0] ^= 0x5a;
                    changed += 1;
                }
            }
            Edit::LoseEntry(symbol) => {
                for entry in entries(&mut bytes)?.filter(|e| is_for(e, symbol)) {
                    entry[8] = b'?';
                    changed += 1;
                }
            }
            Edit::LoseAllEntries => {
                for entry in entries(&mut bytes)? {
                    entry[8] = b'?';
                    changed += 1;
                }
            }
            Edit::Replace(from, to) => {
                if from.len() != to.len() {
                    return Err(format!("{from} and {to} are not of one length").into());
                }
                changed = replace(&mut bytes, from, to);
            }
            Edit::Cut(part) => {
                bytes.truncate(bytes.len() * part / 1000);
                changed = 1;
            }
            Edit::Header(at, value) => {
                bytes[*at] = *value;
                changed = 1;
            }
            Edit::Grow(name, by) => {
                let found = section(&bytes, name).ok_or("no such section")?;
                let size = (found.size as u64 + by).to_le_bytes();
                bytes[found.header + 32..found.header + 40].copy_from_slice(&size);
                changed = 1;
            }
            Edit::Append(what) => {
                bytes.extend_from_slice(what);
                changed = 1;
            }
            Edit::Elf(change) | Edit::Signature(change) => {
                let mut file = File(bytes);
                (change.0)(&mut file)?;
                bytes = file.0;
                changed = 1;
            }
            Edit::Objcopy(args) => {
                run::output(Command::new("objcopy").args(args).arg(&path))?;
                continue;
            }
            Edit::Compress(program, suffix) => {
                run::output(Command::new(program).args(["-q", "-f"]).arg(&path))?;
                let packed = format!("{}{suffix}", path.display());
                if path.exists() {
                    std::fs::remove_file(&path)?;
                }
                path = packed.into();
                continue;
            }
        }
        if changed == 0 {
            return Err(format!("{}: nothing to change for {edit:?}", path.display()).into());
        }
        // The file may have other names.
        std::fs::remove_file(&path)?;
        std::fs::write(&path, bytes)?;
    }
    Ok(path)
}
