// SPDX-License-Identifier: LGPL-2.1-or-later
//! Sets of symbols, as older SUSE kernels have them beside single ones: a module that needs symbols of a
//! set whose hash is the same needs `kernel(FLAVOR:SET) = HASH` instead of each.

use std::io::Read;

use crate::unpack::{MODULE_LIMIT, inflate};

/// A file that is no archive of symbol sets. The text says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSymsets(String);

/// One symbol in one set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SymsetRow {
    /// `RELEASE/CRC/SYMBOL`, the CRC in hexadecimal without `0x` and leading zeros.
    pub key: String,
    /// The set's name.
    pub set: String,
    /// The set's hash.
    pub hash: String,
}

/// Reads `symsets-RELEASE.tar.gz`: files `symsets-RELEASE/SET.HASH` with lines of symvers. Rows come by
/// directory and file in the order of their names, as in the table of SUSE's `symset-table`.
///
/// # Errors
/// [`NotSymsets`] for what cannot be unpacked.
pub fn read_symsets(bytes: &[u8]) -> Result<Vec<SymsetRow>, NotSymsets> {
    let text = |e: std::io::Error| NotSymsets(format!("the archive cannot be read: {e}"));
    let archive = inflate(bytes, MODULE_LIMIT).map_err(|e| NotSymsets(e.to_string()))?;
    let mut archive = tar::Archive::new(&*archive);
    let mut sets = Vec::new();
    for entry in archive.entries().map_err(text)? {
        let mut entry = entry.map_err(text)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
        if entry.header().entry_type().is_file()
            && let Some((dir, file)) = path.split_once('/')
            && !file.contains('/')
        {
            let mut lines = Vec::new();
            entry.read_to_end(&mut lines).map_err(text)?;
            sets.push((dir.to_owned(), file.to_owned(), lines));
        }
    }
    sets.sort();
    Ok(sets.iter().flat_map(|(dir, file, lines)| rows(dir, file, lines)).collect())
}

fn rows(dir: &str, file: &str, text: &[u8]) -> Vec<SymsetRow> {
    let release = dir.strip_prefix("symsets-").unwrap_or(dir);
    let (set, hash) = file.rsplit_once('.').unwrap_or((file, file));
    let row = |line: &[u8]| {
        let line = String::from_utf8_lossy(line).into_owned();
        let mut fields = line.split('\t');
        let (crc, symbol) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let crc = crc.strip_prefix("0x").map_or(crc, |hex| hex.trim_start_matches('0'));
        SymsetRow { key: format!("{release}/{crc}/{symbol}"), set: set.into(), hash: hash.into() }
    };
    super::lines(text).map(row).collect()
}
