// SPDX-License-Identifier: LGPL-2.1-or-later
//! Decompresses `.gz`, `.xz` and `.zst`, and the other formats of initrds (lz4, lzop, bzip2, lzma). The format is recognised by the
//! first bytes, never by a file's name. [`Inflater`] is for whole files in memory, [`stream()`] for one stream among others.
//!
//! Decompression is most of the cost of reading a kernel's modules, so output goes into one vector of the size that the data
//! claims (a hint, which is never trusted), and an [`Inflater`] keeps the libraries' contexts.
//!
//! Input is not trusted: memory does not grow beyond the caller's limit, and a claimed size counts only as far as the format
//! could pack that much into so few bytes.
//!
//! To add a format: its row in `kind.rs`, a file beside `bzip2.rs`, and what the compiler then asks for in this one. For modules also
//! kmod-abi's `name.rs`, the file attributes and the scriptlets: the table "To add" in ARCHITECTURE.md has all of it.

mod block;
mod bzip2;
mod error;
mod gzip;
mod kind;
mod lz4;
mod lzop;
mod output;
mod source;
#[cfg(test)]
mod tests;
mod xz;
mod zstd;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use output::Output;

pub use block::BlockKind;
pub use error::DecompressError;
pub use kind::{Kind, SUFFIXES};
pub use output::{RATIO, RATIO_LEAST};
pub use source::Source;

/// A limit for one module or symbol table, in decompressed bytes: 512 MiB. The largest modules of today, with debug
/// information, have a tenth of it.
pub const MODULE_LIMIT: u64 = 512 << 20;

/// Decompresses one file. For many files, keep an [`Inflater`], which saves making new contexts.
///
/// # Errors
/// As [`Inflater::inflate`].
///
/// # Examples
/// ```
/// use kmp_fs::unpack::{DecompressError, inflate};
///
/// // "Hello\n" as `gzip` packs it.
/// let packed = [
///     0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 2, 0, 0x16, 0x35, 0x96, 0x31, 6, 0, 0, 0,
/// ];
/// assert_eq!(*inflate(&packed[..], 1000)?, *b"Hello\n");
/// // What is not packed comes back as it is, uncopied.
/// assert_eq!(*inflate(&b"Hello\n"[..], 1000)?, *b"Hello\n");
/// // The limit is that of the result.
/// assert!(matches!(inflate(&packed[..], 5), Err(DecompressError::TooBig { .. })));
/// # Ok::<(), DecompressError>(())
/// ```
pub fn inflate<'a>(bytes: impl Into<Cow<'a, [u8]>>, limit: u64) -> Result<Cow<'a, [u8]>, DecompressError> {
    Inflater::new().inflate(bytes, limit)
}

/// Decompresses one file after the other, and keeps contexts between them. Use one for each thread.
#[derive(Default)]
pub struct Inflater {
    zstd: zstd::Context,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("zstd", &self.zstd.is_made()).finish()
    }
}

impl Inflater {
    /// An inflater without contexts; each is made when it is first needed.
    pub fn new() -> Inflater {
        Inflater::default()
    }

    /// Decompresses `bytes`, or returns them unchanged if they are not compressed. `limit` is the greatest size of the result
    /// in bytes, compressed or not.
    ///
    /// Accepts what the formats' own tools accept as one file: gzip with several members, zstd with several and with skippable
    /// frames, xz with several streams and stream padding. Bytes after the end are ignored for gzip, as by gzip and zlib's
    /// gzread (and so by kmod), and an error for xz and zstd, as for their tools.
    ///
    /// # Errors
    /// Truncated or damaged input, data after its end, or a result of more than `limit` bytes.
    pub fn inflate<'a>(
        &mut self,
        bytes: impl Into<Cow<'a, [u8]>>,
        limit: u64,
    ) -> Result<Cow<'a, [u8]>, DecompressError> {
        let bytes = bytes.into();
        let kind = Kind::of(&bytes);
        let mut out = Output::new(kind, bytes.len(), limit);
        match kind {
            Kind::Plain if bytes.len() as u64 > limit => return Err(out.too_big()),
            Kind::Plain => return Ok(bytes),
            Kind::Gzip => gzip::whole(&bytes, &mut out)?,
            Kind::Xz => xz::whole(&bytes, &mut out)?,
            Kind::Zstd => self.zstd.whole(&bytes, &mut out)?,
            // No kernel packs its modules so; an image in an initrd may be.
            Kind::Lzma | Kind::Lz4 | Kind::Lz4Legacy | Kind::Lzop | Kind::Bzip2 => {
                streams(kind, &bytes, &mut out)?
            }
        }
        if out.bytes.len() as u64 > limit {
            return Err(out.too_big());
        }
        Ok(Cow::Owned(out.bytes))
    }
}

/// Decompresses one stream of the format `kind` (a gzip member, a zstd frame, ...) from the current position of `input`. After
/// it has been read to its end, `input` is just behind it. Memory is bounded by the format's window, 128 MiB at most.
///
/// # Errors
/// An invalid header, or one that asks for more memory. Reading fails with `UnexpectedEof` if the input is truncated, and with
/// other kinds if it is damaged.
///
/// # Examples
/// ```
/// use kmp_fs::unpack::{Kind, Source, stream};
/// use std::io::Read;
///
/// // "Hello\n" as `gzip` packs it, and then something else.
/// let mut bytes = vec![
///     0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 2, 0, 0x16, 0x35, 0x96, 0x31, 6, 0, 0, 0,
/// ];
/// bytes.extend(b"what follows");
/// let mut input = Source::new(&bytes[..]);
/// let kind = Kind::of(input.peek(Kind::LOOK)?);
/// let mut text = String::new();
/// stream(kind, &mut input)?.read_to_string(&mut text)?;
/// assert_eq!((text.as_str(), input.offset()), ("Hello\n", 26));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stream<'r, R: Read>(kind: Kind, input: &'r mut Source<R>) -> io::Result<Box<dyn Read + 'r>> {
    Ok(match kind {
        Kind::Plain => Box::new(input),
        Kind::Gzip => Box::new(gzip::stream(input)?),
        Kind::Xz => Box::new(xz::stream(input)?),
        Kind::Lzma => Box::new(xz::lzma_stream(input)?),
        Kind::Zstd => Box::new(zstd::stream(input)?),
        Kind::Lz4 => Box::new(lz4::stream(input)?),
        Kind::Lz4Legacy => Box::new(lz4::Legacy::open(input)?),
        Kind::Lzop => Box::new(lzop::Lzop::open(input)?),
        Kind::Bzip2 => Box::new(bzip2::stream(input)?),
    })
}

/// Unpacks a whole file as stream after stream.
fn streams(kind: Kind, bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
    let mut input = Source::new(bytes);
    while let at = usize::try_from(input.offset()).unwrap_or(usize::MAX)
        && at < bytes.len()
    {
        out.another(&bytes[at..], &[])?;
        out.stream()?;
        let mut piece = stream(kind, &mut input).map_err(|e| out.failure(&e))?;
        loop {
            out.room()?;
            let at = out.bytes.len();
            let limit = (out.bytes.capacity() - at) as u64;
            match piece.by_ref().take(limit).read_to_end(&mut out.bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) => return Err(out.failure(&e)),
            }
        }
    }
    Ok(())
}
