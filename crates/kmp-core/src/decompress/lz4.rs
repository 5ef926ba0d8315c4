//! LZ4's older format, as `lz4 -l` writes it and the kernel's decompressor reads it: a magic number, then blocks of 8 MiB, each
//! with its packed size before it. Nothing marks the end.

use std::io::{self, Read};

use super::stream::{Block, Source, bytes, damaged, fill};

/// What each block but the last unpacks to, in bytes.
const BLOCK: usize = 8 << 20;

/// The most that a block can be packed to, in bytes: LZ4_compressBound.
const PACKED: usize = BLOCK + BLOCK / 255 + 16;

/// One stream.
pub(super) struct Legacy<'r, R> {
    input: &'r mut Source<R>,
    packed: Vec<u8>,
    block: Block,
    ended: bool,
}

impl<'r, R: Read> Legacy<'r, R> {
    pub(super) fn open(input: &'r mut Source<R>) -> io::Result<Self> {
        bytes::<4>(input)?;
        Ok(Self { input, packed: Vec::new(), block: Block::default(), ended: false })
    }

    /// Unpacks the next block, if there is one. What cannot be the size of one belongs to what follows, and so does zero,
    /// which is padding.
    fn next(&mut self) -> io::Result<bool> {
        let size = match *self.input.peek(4)? {
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]) as usize,
            _ => 0,
        };
        if size == 0 || size > PACKED {
            return Ok(false);
        }
        self.input.skip(4)?;
        fill(self.input, &mut self.packed, size)?;
        let out = self.block.renew(BLOCK)?;
        let len = lz4_flex::block::decompress_into(&self.packed, out).map_err(|e| damaged(e.to_string()))?;
        out.truncate(len);
        self.ended = len < BLOCK;
        Ok(true)
    }
}

impl<R: Read> Read for Legacy<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() && !out.is_empty() {
            if self.ended || !self.next()? {
                return Ok(0);
            }
        }
        Ok(self.block.read(out))
    }
}
