// SPDX-License-Identifier: LGPL-2.1-or-later
//! lzop's file format: a header, then blocks of LZO1X, each with its sizes and checksums; a size of zero ends it. Methods 1 to 3
//! (LZO1X-1, -1_15, -999: `lzop -1` to `-9`) unpack alike.

use std::io::{self, Read};

use super::source::{Block, Source, bytes, damaged, fill};

/// The largest block, in bytes: lzop writes 256 KiB, its format allows 64 MiB, the kernel takes 256 KiB.
const BLOCK: usize = 8 << 20;

const ADLER32_DATA: u32 = 0x1;
const ADLER32_PACKED: u32 = 0x2;
const EXTRA_FIELD: u32 = 0x40;
const CRC32_DATA: u32 = 0x100;
const CRC32_PACKED: u32 = 0x200;
const MULTIPART: u32 = 0x400;
const FILTER: u32 = 0x800;

/// One file of lzop.
pub(super) struct Lzop<'r, R> {
    input: &'r mut Source<R>,
    flags: u32,
    packed: Vec<u8>,
    block: Block,
    ended: bool,
}

fn number<R: Read>(input: &mut Source<R>) -> io::Result<u32> {
    Ok(u32::from_be_bytes(bytes(input)?))
}

impl<'r, R: Read> Lzop<'r, R> {
    pub(super) fn open(input: &'r mut Source<R>) -> io::Result<Self> {
        bytes::<9>(input)?;
        let version = u16::from_be_bytes(bytes(input)?);
        bytes::<2>(input)?;
        if version >= 0x940 {
            bytes::<2>(input)?;
        }
        let [method] = bytes(input)?;
        if !(1..=3).contains(&method) {
            return Err(damaged(format!("method {method} is not known")));
        }
        if version >= 0x940 {
            bytes::<1>(input)?;
        }
        let flags = number(input)?;
        if flags & (MULTIPART | FILTER) != 0 {
            return Err(damaged("a file of several parts, or filtered"));
        }
        // Mode and time; the time has a high part since 0.94.
        bytes::<8>(input)?;
        if version >= 0x940 {
            bytes::<4>(input)?;
        }
        let [name] = bytes(input)?;
        input.skip(name.into())?;
        bytes::<4>(input)?;
        if flags & EXTRA_FIELD != 0 {
            let len = number(input)?;
            input.skip(u64::from(len) + 4)?;
        }
        Ok(Self { input, flags, packed: Vec::new(), block: Block::default(), ended: false })
    }

    fn next(&mut self) -> io::Result<bool> {
        let size = number(self.input)? as usize;
        if size == 0 {
            return Ok(false);
        }
        let packed = number(self.input)? as usize;
        if size > BLOCK || packed == 0 || packed > size {
            return Err(damaged(format!("a block of {packed} bytes for {size}")));
        }
        let adler = self.optional(ADLER32_DATA)?;
        let crc = self.optional(CRC32_DATA)?;
        // Checksums of the packed bytes are there only where something was packed. Those of the data are enough.
        if packed < size {
            self.optional(ADLER32_PACKED)?;
            self.optional(CRC32_PACKED)?;
        }
        fill(self.input, &mut self.packed, packed)?;
        let out = self.block.renew(size)?;
        if packed == size {
            out.copy_from_slice(&self.packed);
        } else {
            match lzallright::decompress(&self.packed, out) {
                Ok(len) if len == size => {}
                Ok(len) => return Err(damaged(format!("a block of {size} bytes has {len}"))),
                Err(e) => return Err(damaged(e.to_string())),
            }
        }
        if adler.is_some_and(|sum| sum != adler32(out)) || crc.is_some_and(|sum| sum != crc32(out)) {
            return Err(damaged("a block's checksum is wrong"));
        }
        Ok(true)
    }

    fn optional(&mut self, flag: u32) -> io::Result<Option<u32>> {
        if self.flags & flag == 0 { Ok(None) } else { number(self.input).map(Some) }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// RFC 1950, section 9.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // As many as can be added without a number running over.
    for piece in bytes.chunks(5552) {
        for byte in piece {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65521, b % 65521);
    }
    b << 16 | a
}

impl<R: Read> Read for Lzop<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() && !out.is_empty() {
            if self.ended || !self.next()? {
                self.ended = true;
                return Ok(0);
            }
        }
        Ok(self.block.read(out))
    }
}
