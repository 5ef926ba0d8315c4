// SPDX-License-Identifier: LGPL-2.1-or-later
//! A reader that knows what comes next and where it is, and what formats that are read block by block have in common.

use std::io::{self, BufRead, Read};

/// How much is read at a time, in bytes.
const BUFFER: usize = 128 << 10;

/// A buffered reader that can look at the next bytes without consuming them, and counts what was consumed.
#[derive(Debug)]
pub struct Source<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    taken: u64,
}

impl<R: Read> Source<R> {
    /// Reads `inner` from its current position.
    pub fn new(inner: R) -> Self {
        Self { inner, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, taken: 0 }
    }

    /// How many bytes were consumed so far.
    pub fn offset(&self) -> u64 {
        self.taken
    }

    /// The next `len` bytes, fewer only at the end. They are not consumed.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        let len = len.min(self.buffer.len());
        if self.start + len > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < len {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + len)])
    }

    /// Consumes `len` bytes.
    ///
    /// # Errors
    /// Those of the reader; `UnexpectedEof` if there are fewer.
    pub fn skip(&mut self, mut len: u64) -> io::Result<()> {
        while len > 0 {
            let there = self.fill_buf()?.len();
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = there.min(usize::try_from(len).unwrap_or(usize::MAX));
            self.consume(step);
            len -= step as u64;
        }
        Ok(())
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.peek(1)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.end - self.start);
        self.start += amount;
        self.taken += amount as u64;
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let len = there.len().min(out.len());
        out[..len].copy_from_slice(&there[..len]);
        self.consume(len);
        Ok(len)
    }
}

/// Output in blocks, for formats that have them.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    at: usize,
}

impl Block {
    /// Space for a block of `len` bytes to be filled.
    pub(super) fn renew(&mut self, len: usize) -> io::Result<&mut Vec<u8>> {
        self.at = 0;
        self.bytes.clear();
        self.bytes.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.bytes.resize(len, 0);
        Ok(&mut self.bytes)
    }

    /// What is left of it, as much as fits.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let left = &self.bytes[self.at..];
        let len = left.len().min(out.len());
        out[..len].copy_from_slice(&left[..len]);
        self.at += len;
        len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }
}

/// An error over what the data says.
pub(super) fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// The next bytes, so many.
pub(super) fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The next `len` bytes in `buffer`, which grows only as they come.
pub(super) fn fill(input: &mut impl Read, buffer: &mut Vec<u8>, len: usize) -> io::Result<()> {
    buffer.clear();
    match input.take(len as u64).read_to_end(buffer)? {
        got if got < len => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
