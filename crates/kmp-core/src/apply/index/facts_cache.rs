// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is kept of a kernel's modules: the bytes of a file in the cache.
//!
//! | what | as |
//! | --- | --- |
//! | the format, and the version of kmp | [`MAGIC`] |
//! | depmod: inode, size, times; its version | 4 x 8 bytes, 4 |
//! | kinds of files that were compared | 1 |
//! | why depmod is not trusted, if so | length, text |
//! | each index file: name, inode, size, times, SHA-256 | number; length, text, 4 x 8, 32 |
//! | each module: path, inode, size, times; its facts | number; length, text, 4 x 8; 5 x 4, bytes |
//!
//! Numbers are little-endian; those of items, lengths and ends of lists have four bytes. All of it is one zstd frame with
//! a checksum.

use std::borrow::Cow;

use crate::index::{Facts, LISTS};
use crate::root::Stat;
use crate::unpack::inflate;

/// What a file of this kind begins with: those of other releases of kmp are not read.
const MAGIC: &[u8] = concat!("kmp-depmod 1 ", env!("CARGO_PKG_VERSION"), "\n").as_bytes();

/// The unpacked facts of a kernel have some megabytes.
const LIMIT: u64 = 128 << 20;

/// How a file is recognised as the same: inode, size, modification and change time, these in nanoseconds since 1970. Not
/// by its device, whose number is another one in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId([u64; 4]);

impl FileId {
    /// When its inode was changed last.
    pub(super) fn ctime_ns(self) -> i128 {
        i128::from(self.0[3].cast_signed())
    }

    pub(super) fn size(self) -> u64 {
        self.0[1]
    }
}

impl From<Stat> for FileId {
    fn from(stat: Stat) -> Self {
        // Until the year 2262.
        let time = |ns: i128| i64::try_from(ns).unwrap_or(i64::MAX).cast_unsigned();
        Self([stat.ino, stat.size, time(stat.mtime_ns), time(stat.ctime_ns)])
    }
}

/// A file of the index, as it was when it was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexFile {
    pub name: String,
    pub id: FileId,
    pub sha256: [u8; 32],
}

/// What is known beside the modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The depmod whose index ours is the same as.
    pub program: FileId,
    /// Its version.
    pub version: u32,
    /// Which kinds of files the comparisons have covered, a bit each: see `scan.rs`.
    pub kinds: u8,
    /// Why its index was not the same; then nothing else is known.
    pub doubt: Option<String>,
    /// The index that was there last.
    pub files: Vec<IndexFile>,
}

/// A module's file, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Its path below the kernel's directory.
    pub path: Cow<'a, [u8]>,
    pub id: FileId,
    pub facts: Facts<'a>,
}

/// A file of the cache, unpacked.
#[derive(Debug)]
pub(super) struct Cache {
    pub header: Header,
    bytes: Vec<u8>,
    /// Where the modules begin.
    modules: usize,
}

impl Cache {
    /// Unpacks a file; `None` if it is damaged, or another release's.
    pub(super) fn read(packed: &[u8]) -> Option<Self> {
        let bytes = inflate(packed, LIMIT).ok()?.into_owned();
        let mut rest = Rest(bytes.strip_prefix(MAGIC)?);
        let header = rest.header()?;
        let modules = bytes.len() - rest.0.len();
        Some(Self { header, bytes, modules })
    }

    /// The modules; `None` if what is there is damaged.
    pub(super) fn records(&self) -> Option<Vec<Record<'_>>> {
        let mut rest = Rest(self.bytes.get(self.modules..)?);
        let count = rest.number()?;
        let mut records = Vec::with_capacity(count.min(rest.0.len() / 64));
        for _ in 0..count {
            let (path, id) = (rest.text()?.into(), rest.id()?);
            let mut ends = [0; LISTS];
            for end in &mut ends {
                *end = u32::try_from(rest.number()?).ok()?;
            }
            let facts = Facts::of_parts(rest.take(ends[LISTS - 1] as usize)?, ends)?;
            records.push(Record { path, id, facts });
        }
        rest.0.is_empty().then_some(records)
    }
}

/// The bytes of a file, not yet packed.
pub(super) fn bytes<'r, 'a: 'r>(
    header: &Header,
    records: impl ExactSizeIterator<Item = &'r Record<'a>> + Clone,
) -> Vec<u8> {
    // Beside the facts, paths and numbers: so it does not grow to twice what it needs.
    let size =
        records.clone().map(|record| record.path.len() + record.facts.parts().0.len() + 64).sum::<usize>();
    let mut out = Vec::with_capacity(size + 4096);
    out.extend_from_slice(MAGIC);
    let number = |out: &mut Vec<u8>, n: usize| {
        // Nothing that is kept has 4 GiB; a wrong number would be noticed as damage.
        out.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    };
    let text = |out: &mut Vec<u8>, text: &[u8]| {
        number(out, text.len());
        out.extend_from_slice(text);
    };
    let id =
        |out: &mut Vec<u8>, id: FileId| id.0.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
    id(&mut out, header.program);
    number(&mut out, header.version as usize);
    out.push(header.kinds);
    text(&mut out, header.doubt.as_deref().unwrap_or_default().as_bytes());
    number(&mut out, header.files.len());
    for file in &header.files {
        text(&mut out, file.name.as_bytes());
        id(&mut out, file.id);
        out.extend_from_slice(&file.sha256);
    }
    number(&mut out, records.len());
    for record in records {
        text(&mut out, &record.path);
        id(&mut out, record.id);
        let (bytes, ends) = record.facts.parts();
        ends.iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes()));
        out.extend_from_slice(bytes);
    }
    out
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn string(&mut self) -> Option<String> {
        Some(std::str::from_utf8(self.text()?).ok()?.into())
    }

    fn id(&mut self) -> Option<FileId> {
        let mut id = [0; 4];
        for part in &mut id {
            *part = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
        }
        Some(FileId(id))
    }

    fn header(&mut self) -> Option<Header> {
        let program = self.id()?;
        let version = u32::try_from(self.number()?).ok()?;
        let kinds = self.take(1)?[0];
        let doubt = Some(self.string()?).filter(|doubt| !doubt.is_empty());
        let mut files = Vec::new();
        for _ in 0..self.number()? {
            let (name, id) = (self.string()?, self.id()?);
            files.push(IndexFile { name, id, sha256: self.take(32)?.try_into().ok()? });
        }
        Some(Header { program, version, kinds, doubt, files })
    }
}

/// Reads the bytes of a file, as they are when they are unpacked.
#[cfg(feature = "fuzz")]
pub(crate) fn fuzz(bytes: &[u8]) {
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return };
    let mut rest = Rest(rest);
    let Some(header) = rest.header() else { return };
    let modules = bytes.len() - rest.0.len();
    let cache = Cache { header, bytes: bytes.to_vec(), modules };
    if let Some(records) = cache.records() {
        assert_eq!(self::bytes(&cache.header, records.iter()), bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack;

    #[test]
    fn what_is_kept_is_read_and_damage_is_noticed() {
        let id = |n| FileId([n, 1, u64::MAX, 7]);
        let file = IndexFile { name: "modules.dep".into(), id: id(3), sha256: [9; 32] };
        let header = Header { program: id(1), version: 34, kinds: 5, doubt: None, files: vec![file] };
        let facts = Facts::new([&["e"][..], &["n", "o"], &[], &[], &["w"]]);
        let records = [
            Record { path: Cow::from(&b"kernel/a.ko"[..]), id: id(2), facts },
            Record { path: Cow::from(&b""[..]), id: id(0), facts: Facts::new::<&str>([&[]; LISTS]) },
        ];
        let plain = bytes(&header, records.iter());
        let packed = pack::zstd(&plain).unwrap();
        let cache = Cache::read(&packed).unwrap();
        assert_eq!(cache.header, header);
        assert_eq!(cache.records().unwrap(), records);
        for end in 0..plain.len() {
            let cut = pack::zstd(&plain[..end]).unwrap();
            assert!(Cache::read(&cut).is_none_or(|cache| cache.records().is_none()), "{end}");
        }
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 4;
            let read = Cache::read(&damaged);
            assert!(read.is_none_or(|cache| cache.bytes == plain), "{at}");
        }
        let doubtful = Header { doubt: Some("modules.dep".into()), files: Vec::new(), ..header };
        let packed = pack::zstd(&bytes(&doubtful, [].iter())).unwrap();
        let cache = Cache::read(&packed).unwrap();
        assert_eq!((cache.records(), &cache.header), (Some(Vec::new()), &doubtful));
    }
}
