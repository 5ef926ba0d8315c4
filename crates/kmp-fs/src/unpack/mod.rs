// SPDX-License-Identifier: LGPL-2.1-or-later
//! Unpacks `.gz`, `.xz` and `.zst`, and what else initrds are packed with (lz4, lzop, bzip2), told apart by their first bytes
//! and never by a file's name. [`Inflater`] is for whole files in memory, [`stream()`] for one stream among others.
//!
//! Decompression is most of the cost of reading a kernel's modules, so it goes straight to the libraries: output lands in one
//! vector that is as large as the data says it will be (a hint, and never trusted), and contexts are kept in an [`Inflater`].
//!
//! Input is not trusted. Nothing grows past the caller's limit, and a claim of size only counts as far as the format could pack
//! that much into that few bytes.

mod lz4;
mod lzop;
mod stream;

use flate2::{Decompress, FlushDecompress};
use kmp_steps as steps;
use liblzma::stream as lzma;
use std::borrow::Cow;
use std::fmt;
use zstd::zstd_safe::{self as zs, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

pub use stream::{Source, stream};

/// The limit for one module or table, in bytes after unpacking: 512 MiB. The largest modules of today, with debug information,
/// are a tenth of it.
pub const MODULE_LIMIT: u64 = 512 << 20;

/// What names of compressed files end in.
pub const SUFFIXES: [&str; 3] = [".gz", ".xz", ".zst"];

/// Memory that an xz stream's dictionary may take, in bytes. `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;

/// The largest zstd window, as a power of two: 128 MiB, the zstd tool's own default.
const ZSTD_WINDOW_LOG: u32 = 27;

/// How many times its size data may unpack to. Modules unpack to three to eight times their size, and what is mostly zeros is no
/// module.
pub const RATIO: u64 = 64;

/// What any data may unpack to, in bytes, whatever the ratio.
pub const RATIO_LEAST: u64 = 64 << 20;

/// In how many streams (gzip's members, zstd's frames) any data may be, and how many bytes there are for each one more: each costs
/// the memory of a decoder, however short it is.
const STREAMS: usize = 64;
const STREAM: usize = 4096;

/// The least space to add when the size is unknown, in bytes.
const STEP: usize = 64 << 10;

/// A format, told by the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// None of the others: the bytes are the data.
    Plain,
    /// RFC 1952.
    Gzip,
    /// The `.xz` format (not `.lzma`).
    Xz,
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
            Kind::Zstd => "zstd",
            Kind::Lz4 | Kind::Lz4Legacy => "lz4",
            Kind::Lzop => "lzop",
            Kind::Bzip2 => "bzip2",
        })
    }
}

/// Why data could not be unpacked. The caller knows the file and puts its path before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The input stops in the middle.
    #[error("the {kind} data ends early; the file is cut off, install its package again")]
    EndsEarly {
        /// The input's format.
        kind: Kind,
    },
    /// The data contradicts its format or its own checksum.
    #[error("the {kind} data is damaged ({why}); install the file's package again")]
    Damaged {
        /// The input's format.
        kind: Kind,
        /// The library's word on it.
        why: String,
    },
    /// Something follows the compressed data.
    #[error(
        "{len} bytes after the end of the {kind} data belong to nothing; install the file's package again"
    )]
    TrailingGarbage {
        /// The input's format.
        kind: Kind,
        /// How many bytes follow.
        len: usize,
    },
    /// More data than the caller wants.
    #[error("the {kind} data unpacks to more than the limit of {limit} bytes")]
    TooBig {
        /// The input's format.
        kind: Kind,
        /// The limit, in bytes.
        limit: u64,
    },
    /// More data than so few bytes stand for.
    #[error(
        "{len} bytes of {kind} data unpack to more than {limit} bytes, the limit for so few; this is no module"
    )]
    Ratio {
        /// The input's format.
        kind: Kind,
        /// The input's length, in bytes.
        len: usize,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Very many tiny streams.
    #[error(
        "{len} bytes of {kind} data are in more than {limit} streams, the limit for so few; pack the file anew"
    )]
    Streams {
        /// The input's format.
        kind: Kind,
        /// The input's length, in bytes.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The data was packed with a dictionary or window larger than is sane here, or there is no memory.
    #[error("unpacking the {kind} data needs too much memory; pack it with the tool's usual settings")]
    Memory {
        /// The input's format.
        kind: Kind,
    },
}

/// Unpacks once. For many files keep an [`Inflater`]: that saves the contexts.
///
/// # Errors
/// As [`Inflater::inflate`].
pub fn inflate<'a>(bytes: impl Into<Cow<'a, [u8]>>, limit: u64) -> Result<Cow<'a, [u8]>, DecompressError> {
    Inflater::new().inflate(bytes, limit)
}

/// Unpacks file after file and keeps what can be kept between them. One for each thread.
#[derive(Default)]
pub struct Inflater {
    zstd: Option<DCtx<'static>>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("zstd", &self.zstd.is_some()).finish()
    }
}

impl Inflater {
    /// An inflater without contexts; each is made when first needed.
    pub fn new() -> Inflater {
        Inflater::default()
    }

    /// Unpacks `bytes`, or hands them back as they are where they are not compressed. `limit` is in bytes of the result, packed
    /// or not.
    ///
    /// Whatever the tools accept as one file is accepted: gzip with several members, zstd with several and with skippable
    /// frames, xz with several streams and stream padding. Bytes after the end are ignored for gzip, as gzip and zlib's gzread
    /// (so kmod) do, and an error for xz and zstd, as for their tools.
    ///
    /// # Errors
    /// Cut or damaged input, something behind it, or more than `limit` bytes.
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
            Kind::Gzip => gunzip(&bytes, &mut out)?,
            Kind::Xz => unxz(&bytes, &mut out)?,
            Kind::Zstd => self.unzstd(&bytes, &mut out)?,
            // No kernel packs its modules so; an image in an initrd may be.
            Kind::Lz4 | Kind::Lz4Legacy | Kind::Lzop | Kind::Bzip2 => {
                stream::to_end(kind, &bytes, &mut out)?;
            }
        }
        if out.bytes.len() as u64 > limit {
            return Err(out.too_big());
        }
        Ok(Cow::Owned(out.bytes))
    }

    fn unzstd(&mut self, bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
        let context = match &mut self.zstd {
            Some(context) => context,
            none => {
                let mut context = DCtx::try_create().ok_or(DecompressError::Memory { kind: Kind::Zstd })?;
                context
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
                    .map_err(|code| out.damaged(zs::get_error_name(code)))?;
                none.insert(context)
            }
        };
        // An earlier input may have ended in an error.
        context.reset(ResetDirective::SessionOnly).map_err(|code| out.damaged(zs::get_error_name(code)))?;
        let mut input = InBuffer::around(bytes);
        loop {
            // At the start of a frame.
            let rest = &bytes[input.pos()..];
            if rest.is_empty() {
                return Ok(());
            }
            out.another(rest, &[0x28, 0xb5, 0x2f, 0xfd])?;
            out.stream()?;
            if let Ok(Some(size)) = zs::get_frame_content_size(rest) {
                if (out.bytes.len() as u64).saturating_add(size) > out.limit {
                    return Err(out.too_big());
                }
                // A block of four bytes can stand for 128 KiB, no more.
                out.expect(size, rest.len() / 4 + 1, 128 << 10)?;
            }
            loop {
                out.room()?;
                let before = (input.pos(), out.bytes.len());
                let mut output = {
                    let at = out.bytes.len();
                    OutBuffer::around_pos(&mut out.bytes, at)
                };
                let hint = context.decompress_stream(&mut output, &mut input);
                match hint {
                    Ok(0) => break,
                    Ok(_) if input.pos() == bytes.len() && out.has_room() => {
                        return Err(DecompressError::EndsEarly { kind: Kind::Zstd });
                    }
                    Ok(_) if before == (input.pos(), out.bytes.len()) => {
                        return Err(out.damaged("no progress"));
                    }
                    Ok(_) => {}
                    Err(code) => {
                        let why = zs::get_error_name(code);
                        // ZSTD_error_frameParameter_windowTooLarge; the crate hides the numbers.
                        return Err(if why.contains("too much memory") {
                            DecompressError::Memory { kind: Kind::Zstd }
                        } else {
                            out.damaged(why)
                        });
                    }
                }
            }
        }
    }
}

/// The unpacked bytes, and the only place that makes space for them.
struct Output {
    bytes: Vec<u8>,
    kind: Kind,
    /// How much is packed, in bytes.
    packed: usize,
    limit: u64,
    /// Is the limit that of the ratio?
    is_ratio: bool,
    streams: usize,
}

impl Output {
    fn new(kind: Kind, packed: usize, limit: u64) -> Self {
        let by_ratio = RATIO_LEAST.max((packed as u64).saturating_mul(RATIO));
        let is_ratio = kind != Kind::Plain && by_ratio < limit;
        let limit = if is_ratio { by_ratio } else { limit };
        Self { bytes: Vec::new(), kind, packed, limit, is_ratio, streams: 0 }
    }

    fn too_big(&self) -> DecompressError {
        let (kind, limit) = (self.kind, self.limit);
        match self.is_ratio {
            true => DecompressError::Ratio { kind, len: self.packed, limit },
            false => DecompressError::TooBig { kind, limit },
        }
    }

    /// Another stream begins.
    fn stream(&mut self) -> Result<(), DecompressError> {
        steps::count(1);
        self.streams += 1;
        let limit = STREAMS + self.packed / STREAM;
        if self.streams > limit {
            return Err(DecompressError::Streams { kind: self.kind, len: self.packed, limit });
        }
        Ok(())
    }

    fn damaged(&self, why: &str) -> DecompressError {
        DecompressError::Damaged { kind: self.kind, why: why.to_owned() }
    }

    fn has_room(&self) -> bool {
        self.bytes.len() < self.bytes.capacity()
    }

    /// Space for `more` bytes, never beyond one more than the limit: that one tells that there is more.
    fn reserve(&mut self, more: usize) -> Result<(), DecompressError> {
        let end = usize::try_from(self.limit.saturating_add(1)).unwrap_or(usize::MAX);
        let more = more.min(end.saturating_sub(self.bytes.len()));
        self.bytes.try_reserve_exact(more).map_err(|_| DecompressError::Memory { kind: self.kind })
    }

    /// Makes space for the `claimed` size of what comes, as far as `units` of input that unpack to `ratio` bytes each could hold
    /// it. One byte more, so that a decoder that has filled it can go on to its checksum.
    fn expect(&mut self, claimed: u64, units: usize, ratio: usize) -> Result<(), DecompressError> {
        let most = units.saturating_mul(ratio);
        let claimed = usize::try_from(claimed).unwrap_or(usize::MAX).min(most);
        self.reserve(claimed.saturating_add(1))
    }

    /// An error unless `rest`, what follows the end of some data, is empty or of the same kind; `magic` is how that begins.
    fn another(&self, rest: &[u8], magic: &[u8]) -> Result<(), DecompressError> {
        if rest.is_empty() || Kind::of(rest) == self.kind {
            Ok(())
        } else if magic.starts_with(rest) {
            Err(DecompressError::EndsEarly { kind: self.kind })
        } else {
            Err(DecompressError::TrailingGarbage { kind: self.kind, len: rest.len() })
        }
    }

    /// Makes sure that there is space for at least a byte: doubles what there is.
    fn room(&mut self) -> Result<(), DecompressError> {
        if self.has_room() {
            return Ok(());
        }
        if self.bytes.len() as u64 > self.limit {
            return Err(self.too_big());
        }
        self.reserve(self.bytes.len().max(STEP))
    }
}

fn gunzip(bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
    let mut rest = bytes;
    // The last four bytes are the last member's size, modulo 2^32, where nothing follows. Deflate packs at most 1032 to 1.
    if let Some(size) = bytes.last_chunk::<4>() {
        out.expect(u64::from(u32::from_le_bytes(*size)), bytes.len(), 1032)?;
    }
    loop {
        out.stream()?;
        // flate2's reset makes a gzip state anew as well: nothing to keep.
        let mut member = Decompress::new_gzip(15);
        let used = loop {
            out.room()?;
            let before = (member.total_in(), member.total_out());
            let at = usize::try_from(before.0).unwrap_or(usize::MAX);
            let status = member
                .decompress_vec(&rest[at..], &mut out.bytes, FlushDecompress::Finish)
                .map_err(|error| out.damaged(error.message().unwrap_or("invalid data")))?;
            let used = usize::try_from(member.total_in()).unwrap_or(usize::MAX);
            if status == flate2::Status::StreamEnd {
                break used;
            }
            if used == rest.len() && out.has_room() {
                return Err(DecompressError::EndsEarly { kind: Kind::Gzip });
            }
            if before == (member.total_in(), member.total_out()) {
                return Err(out.damaged("no progress"));
            }
        };
        rest = &rest[used..];
        if Kind::of(rest) != Kind::Gzip {
            return Ok(());
        }
    }
}

fn unxz(bytes: &[u8], out: &mut Output) -> Result<(), DecompressError> {
    if let Some(size) = xz_size(bytes) {
        if size > out.limit {
            return Err(out.too_big());
        }
        // LZMA packs at most about 7000 to 1.
        out.expect(size, bytes.len(), 8192)?;
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        out.stream()?;
        let used = unxz_stream(rest, out)?;
        // Padding: zeros, a multiple of four bytes (section 2.2).
        rest = &rest[used..];
        while let Some(after) = rest.strip_prefix(&[0; 4]) {
            rest = after;
        }
        out.another(rest, &[0xfd, b'7', b'z', b'X', b'Z', 0])?;
    }
    Ok(())
}

/// Unpacks one stream; the bytes of input it took.
fn unxz_stream(bytes: &[u8], out: &mut Output) -> Result<usize, DecompressError> {
    let mut stream = lzma::Stream::new_stream_decoder(XZ_MEMORY, 0)
        .map_err(|_| DecompressError::Memory { kind: Kind::Xz })?;
    loop {
        out.room()?;
        let before = (stream.total_in(), stream.total_out());
        let at = usize::try_from(before.0).unwrap_or(usize::MAX);
        let status = stream.process_vec(&bytes[at..], &mut out.bytes, lzma::Action::Finish);
        let used = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        match status {
            Ok(lzma::Status::StreamEnd) => return Ok(used),
            // liblzma lets one call without progress pass, and tells at the second.
            Ok(lzma::Status::MemNeeded) if out.has_room() => {
                return Err(if used == bytes.len() {
                    DecompressError::EndsEarly { kind: Kind::Xz }
                } else {
                    out.damaged("no progress")
                });
            }
            Ok(_) => {}
            Err(lzma::Error::MemLimit | lzma::Error::Mem) => {
                return Err(DecompressError::Memory { kind: Kind::Xz });
            }
            Err(error) => return Err(out.damaged(&error.to_string())),
        }
    }
}

/// The size that the index of the last stream claims for it, in bytes; `None` where there is no such index. A hint: no checksum is
/// looked at, and earlier streams are not counted. Layout: the xz file format 1.2, sections 2.1.2 and 4.
fn xz_size(bytes: &[u8]) -> Option<u64> {
    let mut bytes = bytes;
    // Stream padding.
    while let Some(before) = bytes.strip_suffix(&[0; 4]) {
        bytes = before;
    }
    let (before, footer) = bytes.split_last_chunk::<12>()?;
    let [_, _, _, _, a, b, c, d, _, _, b'Y', b'Z'] = *footer else { return None };
    let index_len = (u64::from(u32::from_le_bytes([a, b, c, d])) + 1) * 4;
    let index = &before[before.len().checked_sub(usize::try_from(index_len).ok()?)?..];
    let mut index = index.strip_prefix(&[0])?;
    let records = xz_number(&mut index)?;
    let mut size = 0_u64;
    // Each record takes two bytes at least, so this ends with the index.
    for _ in 0..records {
        let _packed = xz_number(&mut index)?;
        size = size.checked_add(xz_number(&mut index)?)?;
    }
    Some(size)
}

/// A variable-length integer of the xz format (section 1.2): seven bits a byte, low ones first, at most nine bytes.
fn xz_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmp_steps::steps_of;
    use std::io::Write;
    use std::time::{Duration, Instant};

    const LIMIT: u64 = 1 << 20;
    const KINDS: [Kind; 3] = [Kind::Gzip, Kind::Xz, Kind::Zstd];

    fn gz(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(data: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// One frame that tells its size.
    fn zst(data: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(data, 3).unwrap()
    }

    /// One frame that does not, with a checksum.
    fn zst_stream(data: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn pack(kind: Kind, data: &[u8]) -> Vec<u8> {
        match kind {
            Kind::Plain => data.to_vec(),
            Kind::Gzip => gz(data),
            Kind::Xz => xz(data),
            Kind::Zstd => zst(data),
            other => panic!("{other} is for the programs to pack"),
        }
    }

    fn random(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    fn sample(len: usize) -> Vec<u8> {
        let mut seed = 88_172_645_463_325_252;
        (0..len)
            .map(|i| if i % 5 == 0 { random(&mut seed).to_le_bytes()[3] } else { (i / 97) as u8 })
            .collect()
    }

    #[test]
    fn round_trips_of_every_size() {
        let mut inflater = Inflater::new();
        for len in [0, 1, 5, 1000, 65_535, 65_536, 65_537, 131_072, 700_000] {
            let data = sample(len);
            for packed in [gz(&data), xz(&data), zst(&data), zst_stream(&data), data.clone()] {
                assert_eq!(inflater.inflate(&packed, LIMIT).unwrap(), data, "{:?} {len}", Kind::of(&packed));
            }
        }
    }

    #[test]
    fn plain_bytes_pass_through_uncopied() {
        assert!(matches!(inflate(&b"\x7fELF"[..], 4), Ok(Cow::Borrowed(b"\x7fELF"))));
        let owned = b"\x7fELF".to_vec();
        let at = owned.as_ptr();
        assert_eq!(inflate(owned, 4).unwrap().as_ptr(), at);
        assert!(matches!(inflate(&b"\x7fELF"[..], 3), Err(DecompressError::TooBig { limit: 3, .. })));
        assert_eq!(inflate(&b""[..], 0).unwrap(), &b""[..]);
    }

    #[test]
    fn several_streams_make_one_file() {
        let (a, b) = (sample(70_000), b"second".to_vec());
        let both = [&a[..], &b].concat();
        let skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        for packed in [
            [gz(&a), gz(&b)].concat(),
            [gz(&a), gz(b""), gz(&b)].concat(),
            [xz(&a), xz(&b)].concat(),
            [xz(&a), vec![0; 8], xz(&b), vec![0; 4]].concat(),
            [zst(&a), zst(&b)].concat(),
            [zst_stream(&a), zst(&b), skippable.to_vec()].concat(),
            [skippable.to_vec(), zst(&a), skippable.to_vec(), zst_stream(&b)].concat(),
        ] {
            assert_eq!(inflate(&packed, LIMIT).unwrap(), both);
        }
    }

    #[test]
    fn the_limit_is_exact() {
        let data = sample(100_000);
        for packed in
            [gz(&data), xz(&data), zst(&data), zst_stream(&data), [zst(&data[..9]), zst(&data[9..])].concat()]
        {
            let kind = Kind::of(&packed);
            assert_eq!(inflate(&packed, 100_000).unwrap(), data);
            assert_eq!(
                inflate(&packed, 99_999),
                Err(DecompressError::TooBig { kind, limit: 99_999 }),
                "{kind:?}"
            );
            assert_eq!(inflate(&packed, 0), Err(DecompressError::TooBig { kind, limit: 0 }), "{kind:?}");
        }
        // 32 MiB of zeros in a few bytes, with no word of its size.
        let bomb = zst_stream(&vec![0; 32 << 20]);
        let mut out = Output::new(Kind::Zstd, bomb.len(), LIMIT);
        assert_eq!(
            Inflater::new().unzstd(&bomb, &mut out),
            Err(DecompressError::TooBig { kind: Kind::Zstd, limit: LIMIT })
        );
        assert!(out.bytes.capacity() as u64 <= LIMIT + 1, "{}", out.bytes.capacity());
    }

    #[test]
    fn claims_of_size_are_not_believed() {
        // gzip: 4 GiB - 1 claimed.
        let mut packed = gz(b"little");
        let at = packed.len() - 4;
        packed[at..].fill(0xff);
        let mut out = Output::new(Kind::Gzip, packed.len(), MODULE_LIMIT);
        assert!(matches!(gunzip(&packed, &mut out), Err(DecompressError::Damaged { .. })));
        assert!(out.bytes.capacity() < 100_000);
        // zstd: a single-segment frame of 256 MiB, then nothing.
        let packed = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x10, 1, 0, 0];
        let mut out = Output::new(Kind::Zstd, packed.len(), MODULE_LIMIT);
        assert!(Inflater::new().unzstd(&packed, &mut out).is_err());
        assert!(out.bytes.capacity() < 2 << 20);
    }

    #[test]
    fn exact_space_where_the_size_is_told() {
        let data = sample(300_000);
        for kind in KINDS {
            let Cow::Owned(out) = inflate(pack(kind, &data), LIMIT).unwrap() else { panic!("{kind:?}") };
            assert!(out.capacity() <= 300_016, "{kind:?} {}", out.capacity());
        }
    }

    #[test]
    fn every_cut_ends_early() {
        let data = sample(3000);
        let mut inflater = Inflater::new();
        for packed in [gz(&data), xz(&data), zst(&data), zst_stream(&data)] {
            let kind = Kind::of(&packed);
            for end in 6..packed.len() {
                let got = inflater.inflate(&packed[..end], LIMIT);
                assert_eq!(got, Err(DecompressError::EndsEarly { kind }), "{kind} cut at {end}");
            }
        }
    }

    #[test]
    fn what_follows() {
        let data = sample(3000);
        assert_eq!(inflate([gz(&data), b"garbage".to_vec()].concat(), LIMIT).unwrap(), data);
        for kind in [Kind::Xz, Kind::Zstd] {
            let got = inflate([pack(kind, &data), b"garbage, and more of it".to_vec()].concat(), LIMIT);
            assert!(matches!(got, Err(DecompressError::TrailingGarbage { .. })), "{kind} {got:?}");
        }
        // Padding that is no multiple of four.
        assert!(inflate([xz(&data), vec![0; 3]].concat(), LIMIT).is_err());
    }

    #[test]
    fn what_unpacks_to_far_more_than_modules_do_is_refused() {
        let zeros = vec![0; 100 << 20];
        for kind in KINDS {
            let packed = pack(kind, &zeros);
            let error = inflate(packed, MODULE_LIMIT).unwrap_err();
            assert!(matches!(error, DecompressError::Ratio { limit: RATIO_LEAST, .. }), "{kind}: {error}");
        }
    }

    #[test]
    fn very_many_tiny_streams_are_refused_and_cost_little() {
        let legacy = [&[0x02, 0x21, 0x4c, 0x18, 2, 0, 0, 0, 0x10, b'x'][..]].concat();
        let bzip2 = {
            let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            packer.write_all(b"x").unwrap();
            packer.finish().unwrap()
        };
        let lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        let lz4 = {
            let mut lz4 = lz4;
            lz4.write_all(b"x").unwrap();
            lz4.finish().unwrap()
        };
        let tiny = [gz(b"x"), xz(b"x"), zst(b"x"), lz4, legacy, bzip2];
        for one in tiny {
            let error = inflate(one.repeat(20_000), MODULE_LIMIT).unwrap_err();
            assert!(matches!(error, DecompressError::Streams { .. }), "{error}");
            // Some are sound.
            inflate(one.repeat(20), MODULE_LIMIT).unwrap();
            let steps = |n: usize| steps_of(|| drop(inflate(one.repeat(n), MODULE_LIMIT)));
            assert!(steps(80_000) < 2000, "{}", steps(80_000));
        }
    }

    #[test]
    fn greedy_xz_is_refused() {
        let mut options = lzma::LzmaOptions::new_preset(6).unwrap();
        options.dict_size(512 << 20);
        let mut filters = lzma::Filters::new();
        filters.lzma2(&options);
        // Only the header's dictionary size matters: patch nothing, encode nothing big.
        let Ok(stream) = lzma::Stream::new_stream_encoder(&filters, lzma::Check::Crc32) else { return };
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(b"x").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(inflate(packed, LIMIT), Err(DecompressError::Memory { kind: Kind::Xz }));
    }

    #[test]
    fn damage_never_panics_nor_breaks_the_next() {
        let data = sample(2000);
        let mut inflater = Inflater::new();
        let mut seed = 0x9e37_79b9_7f4a_7c15;
        for packed in [gz(&data), xz(&data), zst(&data), zst_stream(&data)] {
            for _ in 0..3000 {
                let mut bytes = packed.clone();
                for _ in 0..1 + random(&mut seed) % 4 {
                    let at = random(&mut seed) as usize % bytes.len();
                    bytes[at] = random(&mut seed).to_le_bytes()[2];
                }
                if let Ok(out) = inflater.inflate(&bytes, LIMIT) {
                    assert!(out.len() as u64 <= LIMIT);
                }
            }
            assert_eq!(inflater.inflate(&packed, LIMIT).unwrap(), data);
        }
    }

    /// The cost beside that of the libraries alone, called with a context and an output that are kept and large enough. Run with
    /// `cargo test --release -p kmp-core --lib -- --ignored --nocapture cost`.
    #[test]
    #[ignore = "a measurement"]
    fn cost_beside_the_bare_libraries() {
        let code = std::fs::read("/proc/self/exe").unwrap();
        let mut seed = 7;
        let pieces: Vec<&[u8]> = (0..300)
            .map(|_| {
                let len = 8000 + random(&mut seed) as usize % 200_000;
                let at = random(&mut seed) as usize % (code.len() - len);
                &code[at..at + len]
            })
            .collect();
        let mib = pieces.iter().map(|p| p.len()).sum::<usize>() as f64 / 1048576.0;
        for kind in KINDS {
            let packed: Vec<Vec<u8>> = pieces.iter().map(|p| pack(kind, p)).collect();
            let mut buffer = vec![0; 300_000];
            let mut context = DCtx::create();
            let mut bare = |packed: &[u8]| -> usize {
                match kind {
                    Kind::Zstd => context.decompress(&mut buffer[..], packed).unwrap(),
                    Kind::Xz => {
                        let mut s = lzma::Stream::new_stream_decoder(u64::MAX, 0).unwrap();
                        s.process(packed, &mut buffer, lzma::Action::Finish).unwrap();
                        s.total_out() as usize
                    }
                    _ => {
                        let mut d = Decompress::new_gzip(15);
                        d.decompress(packed, &mut buffer, FlushDecompress::Finish).unwrap();
                        d.total_out() as usize
                    }
                }
            };
            let mut inflater = Inflater::new();
            let (mut best, mut best_bare) = (Duration::MAX, Duration::MAX);
            for _ in 0..7 {
                let start = Instant::now();
                let a: usize = packed.iter().map(|p| bare(p)).sum();
                best_bare = best_bare.min(start.elapsed());
                let start = Instant::now();
                let b: usize = packed.iter().map(|p| inflater.inflate(p, MODULE_LIMIT).unwrap().len()).sum();
                best = best.min(start.elapsed());
                assert_eq!(a, b);
            }
            println!(
                "{kind}: {mib:.1} MiB in 300 files: {best:.1?}, bare {best_bare:.1?}, ratio {:.3}",
                best.as_secs_f64() / best_bare.as_secs_f64()
            );
        }
    }
}
