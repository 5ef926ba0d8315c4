// SPDX-License-Identifier: LGPL-2.1-or-later
//! Blocks of file systems: packed each by itself, with a known greatest size, and mostly without the headers that files have.

use std::io::{self, Read};

use super::source::damaged;
use super::{Inflater, Kind};

/// How the blocks of a file system are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// RFC 1950, which is not gzip's format.
    Zlib,
    /// LZO1X without a header.
    Lzo,
    /// A whole `.xz` file.
    Xz,
    /// LZ4 without a frame.
    Lz4,
    /// A whole Zstandard frame.
    Zstd,
}

impl Inflater {
    /// Unpacks a block to at most `limit` bytes.
    ///
    /// # Errors
    /// It is damaged, or has more.
    pub fn block(&mut self, kind: BlockKind, packed: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        match kind {
            BlockKind::Zlib => {
                let read =
                    flate2::read::ZlibDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut out);
                read.map_err(|e| damaged(e.to_string()))?;
            }
            BlockKind::Lz4 => {
                out.resize(limit, 0);
                let len =
                    lz4_flex::block::decompress_into(packed, &mut out).map_err(|e| damaged(e.to_string()))?;
                out.truncate(len);
            }
            BlockKind::Lzo => {
                out.resize(limit, 0);
                let len = lzallright::decompress(packed, &mut out).map_err(|e| damaged(e.to_string()))?;
                out.truncate(len);
            }
            BlockKind::Xz | BlockKind::Zstd => {
                let expected = if kind == BlockKind::Xz { Kind::Xz } else { Kind::Zstd };
                if Kind::of(packed) != expected {
                    return Err(damaged(format!("a block is no {expected} data")));
                }
                out = self.inflate(packed, limit as u64).map_err(|e| damaged(e.to_string()))?.into_owned();
            }
        }
        match out.len() > limit {
            true => Err(damaged(format!("a block unpacks to more than {limit} bytes"))),
            false => Ok(out),
        }
    }
}
