// SPDX-License-Identifier: LGPL-2.1-or-later
//! The header of a package file, read from its bytes: for what is listed of packages, such as in a repository's metadata.
//!
//! Nothing is verified. Whoever installs by it has the file verified by librpm.

use std::ops::Range;

use crate::openpgp::Malformed;

/// What comes before the signature header.
const LEAD: usize = 96;
const LEAD_MAGIC: &[u8] = b"\xed\xab\xee\xdb";
const MAGIC: &[u8] = b"\x8e\xad\xe8\x01";

/// The largest header, in bytes: rpm's own limit is 256 MiB; kernels have some 5.
pub const LARGEST: usize = 32 << 20;

/// Tags, by rpm's numbers.
#[allow(missing_docs, reason = "rpm's names")]
pub mod tag {
    pub const NAME: u32 = 1000;
    pub const VERSION: u32 = 1001;
    pub const RELEASE: u32 = 1002;
    pub const EPOCH: u32 = 1003;
    pub const SUMMARY: u32 = 1004;
    pub const DESCRIPTION: u32 = 1005;
    pub const BUILDTIME: u32 = 1006;
    pub const BUILDHOST: u32 = 1007;
    pub const SIZE: u32 = 1009;
    pub const VENDOR: u32 = 1011;
    pub const LICENSE: u32 = 1014;
    pub const PACKAGER: u32 = 1015;
    pub const GROUP: u32 = 1016;
    pub const URL: u32 = 1020;
    pub const ARCH: u32 = 1022;
    pub const FILEMODES: u32 = 1030;
    pub const FILEFLAGS: u32 = 1037;
    pub const SOURCERPM: u32 = 1044;
    pub const ARCHIVESIZE: u32 = 1046;
    pub const PROVIDENAME: u32 = 1047;
    pub const REQUIREFLAGS: u32 = 1048;
    pub const REQUIRENAME: u32 = 1049;
    pub const REQUIREVERSION: u32 = 1050;
    pub const CONFLICTFLAGS: u32 = 1053;
    pub const CONFLICTNAME: u32 = 1054;
    pub const CONFLICTVERSION: u32 = 1055;
    pub const OBSOLETENAME: u32 = 1090;
    pub const SOURCEPACKAGE: u32 = 1106;
    pub const PROVIDEFLAGS: u32 = 1112;
    pub const PROVIDEVERSION: u32 = 1113;
    pub const OBSOLETEFLAGS: u32 = 1114;
    pub const OBSOLETEVERSION: u32 = 1115;
    pub const DIRINDEXES: u32 = 1116;
    pub const BASENAMES: u32 = 1117;
    pub const DIRNAMES: u32 = 1118;
    pub const LONGSIZE: u32 = 5009;
    pub const RECOMMENDNAME: u32 = 5046;
    pub const RECOMMENDVERSION: u32 = 5047;
    pub const RECOMMENDFLAGS: u32 = 5048;
    pub const SUGGESTNAME: u32 = 5049;
    pub const SUGGESTVERSION: u32 = 5050;
    pub const SUGGESTFLAGS: u32 = 5051;
    pub const SUPPLEMENTNAME: u32 = 5052;
    pub const SUPPLEMENTVERSION: u32 = 5053;
    pub const SUPPLEMENTFLAGS: u32 = 5054;
    pub const ENHANCENAME: u32 = 5055;
    pub const ENHANCEVERSION: u32 = 5056;
    pub const ENHANCEFLAGS: u32 = 5057;
}

/// A header.
#[derive(Debug, Clone, Copy)]
pub struct Header<'b> {
    entries: &'b [u8],
    data: &'b [u8],
    start: usize,
    end: usize,
}

impl<'b> Header<'b> {
    /// The header of the package file that begins with these bytes; its payload need not be among them.
    ///
    /// # Errors
    /// It is no package file, the header is damaged or too large, or it is not all there.
    pub fn read(file: &'b [u8]) -> Result<Self, Malformed> {
        if !file.starts_with(LEAD_MAGIC) {
            return Err(Malformed("it is not an rpm package"));
        }
        let signature = block(file, LEAD)?;
        // Headers are at multiples of eight.
        block(file, signature.end.next_multiple_of(8))
    }

    /// Which bytes of the file it is.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Where a tag's values are, and how many of which type.
    fn entry(&self, tag: u32) -> Option<(u32, &'b [u8], usize)> {
        let entry = self.entries.chunks_exact(16).find(|entry| number(entry, 0) == Some(tag))?;
        let (kind, offset, count) = (number(entry, 4)?, number(entry, 8)?, number(entry, 12)?);
        Some((kind, self.data.get(offset as usize..)?, count as usize))
    }

    /// A tag's texts; bytes that are no text are replaced.
    pub fn texts(&self, tag: u32) -> Vec<String> {
        let Some((6 | 8 | 9, data, count)) = self.entry(tag) else { return Vec::new() };
        let texts = data.split(|byte| *byte == 0).take(count);
        texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// A tag's first text; empty where there is none. Of a text in several languages it is the one without.
    pub fn text(&self, tag: u32) -> String {
        let Some((6 | 8 | 9, data, 1..)) = self.entry(tag) else { return String::new() };
        let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// A tag's numbers.
    pub fn numbers(&self, tag: u32) -> Vec<u64> {
        let Some((kind, data, count)) = self.entry(tag) else { return Vec::new() };
        let width = match kind {
            1 | 2 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            _ => return Vec::new(),
        };
        let value = |bytes: &[u8]| bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        data.chunks_exact(width).take(count).map(value).collect()
    }

    /// Its files and directories: path and mode.
    pub fn files(&self) -> Vec<(String, u64)> {
        let (dirs, names) = (self.texts(tag::DIRNAMES), self.texts(tag::BASENAMES));
        let (indexes, modes) = (self.numbers(tag::DIRINDEXES), self.numbers(tag::FILEMODES));
        let path = |(at, name): (usize, &String)| {
            let dir = dirs.get(usize::try_from(*indexes.get(at)?).ok()?)?;
            Some((format!("{dir}{name}"), modes.get(at).copied().unwrap_or_default()))
        };
        // Each may name a long directory.
        let mut room = LARGEST;
        let files = names.iter().enumerate().filter_map(path);
        files
            .take_while(|(path, _)| {
                room = room.saturating_sub(path.len());
                room > 0
            })
            .collect()
    }
}

fn block(file: &[u8], start: usize) -> Result<Header<'_>, Malformed> {
    let cut = || Malformed("it is cut off in its header");
    let head = file.get(start..).ok_or_else(cut)?;
    let Some(rest) = head.strip_prefix(MAGIC) else {
        return Err(if head.len() < MAGIC.len() { cut() } else { Malformed("its header is damaged") });
    };
    let field = |at| number(rest, at).map(|n| n as usize).ok_or_else(cut);
    let (count, size) = (field(4)?, field(8)?);
    if count > LARGEST / 16 || size > LARGEST {
        return Err(Malformed("its header is larger than any package's"));
    }
    let entries = rest.get(12..12 + 16 * count).ok_or_else(cut)?;
    let data = rest.get(12 + 16 * count..12 + 16 * count + size).ok_or_else(cut)?;
    Ok(Header { entries, data, start, end: start + MAGIC.len() + 12 + 16 * count + size })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..)?.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn file(entries: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let mut file = vec![0; LEAD];
        file[..4].copy_from_slice(LEAD_MAGIC);
        let mut put = |entries: &[(u32, u32, u32, &[u8])]| {
            file.resize(file.len().next_multiple_of(8), 0);
            let data: Vec<u8> = entries.iter().flat_map(|entry| entry.3.to_vec()).collect();
            file.extend(MAGIC);
            file.extend([0; 4]);
            file.extend((entries.len() as u32).to_be_bytes());
            file.extend((data.len() as u32).to_be_bytes());
            let mut offset = 0;
            for (tag, kind, count, bytes) in entries {
                [*tag, *kind, offset, *count].iter().for_each(|n| file.extend(n.to_be_bytes()));
                offset += bytes.len() as u32;
            }
            file.extend(data);
        };
        put(&[(1000, 7, 3, b"abc")]);
        put(entries);
        file
    }

    #[test]
    fn tags_have_texts_and_numbers() {
        let file = file(&[
            (tag::NAME, 6, 1, b"foo\0"),
            (tag::DIRNAMES, 8, 1, b"/lib/\0"),
            (tag::BASENAMES, 8, 2, b"a\0b\0"),
            (tag::DIRINDEXES, 4, 2, &[0, 0, 0, 0, 0, 0, 0, 9]),
            (tag::FILEMODES, 3, 2, &[0x81, 0xa4, 0x41, 0xed]),
        ]);
        let header = Header::read(&file).unwrap();
        assert_eq!(header.text(tag::NAME), "foo");
        assert_eq!(header.text(tag::VENDOR), "");
        assert_eq!(header.range().end, file.len());
        // The second file's directory is none.
        assert_eq!(header.files(), [("/lib/a".to_owned(), 0o100_644)]);
        for len in 0..file.len() {
            assert!(Header::read(&file[..len]).is_err(), "{len}");
        }
    }
}
