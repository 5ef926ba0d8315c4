// SPDX-License-Identifier: LGPL-2.1-or-later
//! The cpio format of initrds: `newc` (070701) and its variant with checksums (070702), as in the kernel's
//! Documentation/driver-api/early-userspace/buffer-format.rst.

use std::io::{self, Read};

use crate::unpack::Source;

/// A header's length, in bytes.
const HEADER: usize = 110;

/// The longest name that the kernel takes, in bytes, with its NUL: PATH_MAX.
const NAME: u64 = 4096;

/// How an archive begins; the kernel looks no further, either.
pub(super) const MAGIC: &[u8] = b"07070";

const TRAILER: &[u8] = b"TRAILER!!!";

/// What an entry is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Link,
    Other,
}

/// One entry; its contents follow in the source.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: Vec<u8>,
    pub kind: Kind,
    /// How many names its inode has.
    pub names: u32,
    /// Inode and device: the same for all names of a file.
    pub inode: [u32; 3],
    /// In bytes. Of a file with several names only the last has contents.
    pub size: u32,
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Takes the next header and name; `None` at the end of the archive.
pub(super) fn next<R: Read>(source: &mut Source<R>) -> io::Result<Option<Entry>> {
    let mut header = [0; HEADER];
    source.read_exact(&mut header)?;
    if !matches!(&header[..6], b"070701" | b"070702") {
        return Err(invalid("not a header of a cpio archive (newc)"));
    }
    let mut fields = [0_u32; 13];
    for (field, digits) in fields.iter_mut().zip(header[6..].chunks_exact(8)) {
        *field = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| invalid("a number in a cpio header is none"))?;
    }
    let [ino, mode, _, _, names, _, size, major, minor, _, _, name_len, _] = fields;
    let name_len = u64::from(name_len);
    if !(1..=NAME).contains(&name_len) {
        return Err(invalid(format!("a name of {name_len} bytes")));
    }
    let mut name = Vec::new();
    source.take(name_len).read_to_end(&mut name)?;
    if (name.len() as u64) < name_len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    source.skip(padding(HEADER as u64 + name_len))?;
    if let Some(end) = name.iter().position(|b| *b == 0) {
        name.truncate(end);
    }
    if name == TRAILER {
        source.skip(u64::from(size))?;
        return Ok(None);
    }
    let kind = match mode & 0o170_000 {
        0o100_000 => Kind::File,
        0o120_000 => Kind::Link,
        _ => Kind::Other,
    };
    Ok(Some(Entry { name, kind, names, inode: [ino, major, minor], size }))
}

/// Headers and contents begin at multiples of four bytes.
pub(super) fn padding(len: u64) -> u64 {
    len.next_multiple_of(4) - len
}
