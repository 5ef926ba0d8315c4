// SPDX-License-Identifier: LGPL-2.1-or-later
//! One compressed stream read piece by piece, and its end found: what follows it is for the caller.

use std::io::{self, BufRead, Read};

use liblzma::stream as lzma;

use super::{DecompressError, Kind, Output, XZ_MEMORY, ZSTD_WINDOW_LOG, lz4, lzop};

/// How much is read at a time, in bytes.
const BUFFER: usize = 128 << 10;

/// A reader that tells what comes next and where it is.
#[derive(Debug)]
pub struct Source<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    taken: u64,
}

impl<R: Read> Source<R> {
    /// Reads `inner` from where it stands.
    pub fn new(inner: R) -> Self {
        Self { inner, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, taken: 0 }
    }

    /// How many bytes were taken so far.
    pub fn offset(&self) -> u64 {
        self.taken
    }

    /// The next `len` bytes, fewer only at the end. They are not taken.
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

    /// Takes `len` bytes and forgets them.
    ///
    /// # Errors
    /// Those of the reader; `UnexpectedEof` where there are fewer.
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

/// Unpacks the one stream of this format (a gzip member, a zstd frame, ...) that `input` stands at. When it has been read to its
/// end, `input` stands behind it. Memory is bounded by the format's windows, 128 MiB at most.
///
/// # Errors
/// A header that cannot be, or that wants more memory. Reading fails with `UnexpectedEof` where the input is cut, and with
/// other kinds where it is damaged.
pub fn stream<'r, R: Read>(kind: Kind, input: &'r mut Source<R>) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match kind {
        Kind::Plain => Box::new(input),
        Kind::Gzip => Box::new(flate2::bufread::GzDecoder::new(input)),
        Kind::Xz => {
            let decoder = lzma::Stream::new_stream_decoder(XZ_MEMORY, 0)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(input, decoder))
        }
        Kind::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        Kind::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(lz4::OneFrame::open(input)?)),
        Kind::Lz4Legacy => Box::new(lz4::Legacy::open(input)?),
        Kind::Lzop => Box::new(lzop::Lzop::open(input)?),
        Kind::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(input)),
    })
}

/// Unpacks stream after stream of one format, as [`super::Inflater::inflate`] does.
pub(super) fn to_end(kind: Kind, bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
    let mut input = Source::new(bytes);
    while let at = usize::try_from(input.offset()).unwrap_or(usize::MAX)
        && at < bytes.len()
    {
        out.another(&bytes[at..], &[])?;
        out.stream()?;
        let mut piece = stream(kind, &mut input).map_err(|e| told(kind, &e))?;
        loop {
            out.room()?;
            let at = out.bytes.len();
            let limit = (out.bytes.capacity() - at) as u64;
            match piece.by_ref().take(limit).read_to_end(&mut out.bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) => return Err(told(kind, &e)),
            }
        }
    }
    Ok(())
}

fn told(kind: Kind, error: &io::Error) -> DecompressError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => DecompressError::EndsEarly { kind },
        _ => DecompressError::Damaged { kind, why: error.to_string() },
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
