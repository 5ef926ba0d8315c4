// SPDX-License-Identifier: LGPL-2.1-or-later
//! The two formats of lz4.
//!
//! The newer one, of frames, is unpacked by lz4_flex, which goes on with what follows a frame; [`OneFrame`] shows it one alone.
//!
//! The older format is read here, as `lz4 -l` writes it and the kernel's decompressor reads it: a magic number, then blocks of 8 MiB, each
//! with its packed size before it. Nothing marks the end.

use std::io::{self, BufRead, Read};

use super::source::{Block, Source, bytes, damaged, fill};

/// What each block but the last unpacks to, in bytes.
const BLOCK: usize = 8 << 20;

/// The most that a block can be packed to, in bytes: LZ4_compressBound.
const PACKED: usize = BLOCK + BLOCK / 255 + 16;

/// Unpacks one frame of the newer format.
pub(super) fn stream<'r, R: Read>(input: &'r mut Source<R>) -> io::Result<impl Read + use<'r, R>> {
    Ok(lz4_flex::frame::FrameDecoder::new(OneFrame::open(input)?))
}

/// The bytes of one frame (lz4_Frame_format.md, "General structure"), and then the end.
struct OneFrame<'r, R> {
    input: &'r mut Source<R>,
    /// Bytes taken to learn the frame's layout, and those still to be given.
    head: Vec<u8>,
    given: usize,
    /// Bytes of the block at hand, its checksum included.
    left: u64,
    block_checksums: bool,
    content_checksum: bool,
    ended: bool,
}

impl<'r, R: Read> OneFrame<'r, R> {
    fn open(input: &'r mut Source<R>) -> io::Result<Self> {
        let head = bytes::<6>(input)?.to_vec();
        let flags = head[4];
        let mut frame = Self {
            input,
            head,
            given: 0,
            left: 0,
            block_checksums: flags & 0x10 != 0,
            content_checksum: flags & 0x04 != 0,
            ended: false,
        };
        // The content's size, the dictionary's number, the header's checksum.
        frame.left = if flags & 0x08 != 0 { 8 } else { 0 } + if flags & 0x01 != 0 { 4 } else { 0 } + 1;
        Ok(frame)
    }

    /// Begins the next block.
    fn next(&mut self) -> io::Result<()> {
        let size = bytes::<4>(self.input)?;
        self.head = size.to_vec();
        self.given = 0;
        // The highest bit says that a block is not packed; nothing marks the end.
        let len = u32::from_le_bytes(size) & 0x7fff_ffff;
        self.ended = len == 0;
        let checksum = if self.ended { self.content_checksum } else { self.block_checksums };
        self.left = u64::from(len) + if checksum { 4 } else { 0 };
        Ok(())
    }
}

impl<R: Read> Read for OneFrame<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if self.given < self.head.len() {
                let len = out.len().min(self.head.len() - self.given);
                out[..len].copy_from_slice(&self.head[self.given..self.given + len]);
                self.given += len;
                return Ok(len);
            }
            if self.left > 0 {
                let there = self.input.fill_buf()?;
                if there.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let left = usize::try_from(self.left).unwrap_or(usize::MAX);
                let len = there.len().min(out.len()).min(left);
                out[..len].copy_from_slice(&there[..len]);
                self.input.consume(len);
                self.left -= len as u64;
                return Ok(len);
            }
            if self.ended {
                return Ok(0);
            }
            self.next()?;
        }
    }
}

/// One stream of the older format.
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
        // A byte stands for 255 at most: a short block takes little space.
        let out = self.block.renew(BLOCK.min(size * 255))?;
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
