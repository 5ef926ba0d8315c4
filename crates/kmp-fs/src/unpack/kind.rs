// SPDX-License-Identifier: LGPL-2.1-or-later
//! The formats, and how each is recognised. What else one more takes: `mod.rs`.

use std::fmt;

/// The suffixes of compressed modules and symbol tables.
pub const SUFFIXES: [&str; 3] = [".gz", ".xz", ".zst"];

/// A format, recognised by the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// None of the others: the bytes are the data.
    Plain,
    /// RFC 1952.
    Gzip,
    /// The `.xz` format.
    Xz,
    /// The `.lzma` format, the one before `.xz`.
    Lzma,
    /// RFC 8878.
    Zstd,
    /// LZ4's frame format.
    Lz4,
    /// LZ4's older format, `lz4 -l`: the one that the kernel knows.
    Lz4Legacy,
    /// The file format of lzop.
    Lzop,
    /// bzip2.
    Bzip2,
}

impl Kind {
    /// How many bytes [`Kind::of`] looks at.
    pub const LOOK: usize = 9;

    /// The format of data that begin with `bytes`; [`Kind::LOOK`] bytes are enough.
    pub fn of(bytes: &[u8]) -> Kind {
        match bytes {
            [0x1f, 0x8b, ..] => Kind::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Kind::Xz,
            // It has no magic number: the usual properties, and a dictionary of 64 KiB or more. The kernel looks at two bytes.
            [0x5d, 0, 0, ..] => Kind::Lzma,
            // A frame, or a skippable frame before the first.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Kind::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Kind::Lz4,
            [0x02, 0x21, 0x4c, 0x18, ..] => Kind::Lz4Legacy,
            [0x89, b'L', b'Z', b'O', 0, 0x0d, 0x0a, 0x1a, 0x0a, ..] => Kind::Lzop,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, ..] => Kind::Bzip2,
            _ => Kind::Plain,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Plain => "uncompressed",
            Kind::Gzip => "gzip",
            Kind::Xz => "xz",
            Kind::Lzma => "lzma",
            Kind::Zstd => "zstd",
            Kind::Lz4 | Kind::Lz4Legacy => "lz4",
            Kind::Lzop => "lzop",
            Kind::Bzip2 => "bzip2",
        })
    }
}
