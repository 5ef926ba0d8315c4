// SPDX-License-Identifier: LGPL-2.1-or-later
//! The unpacked bytes of a whole file, and the bounds on them.

use kmp_steps as steps;
use std::io;

use super::error::DecompressError;
use super::kind::Kind;

/// The greatest ratio of decompressed to compressed size. That of modules is three to eight; data that is mostly zeros is not a
/// module.
pub const RATIO: u64 = 64;

/// The decompressed size, in bytes, that is accepted at any ratio.
pub const RATIO_LEAST: u64 = 64 << 20;

/// In how many streams (gzip's members, zstd's frames) any data may be, and how many bytes there are for each one more: each costs
/// the memory of a decoder, however short it is.
const STREAMS: usize = 64;
const STREAM: usize = 4096;

/// The least space to add when the size is unknown, in bytes.
const STEP: usize = 64 << 10;

/// The unpacked bytes, and the only place that makes space for them.
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    kind: Kind,
    /// How much is packed, in bytes.
    packed: usize,
    /// The most that there may be, in bytes.
    pub(super) limit: u64,
    /// Is the limit that of the ratio?
    is_ratio: bool,
    streams: usize,
}

impl Output {
    pub(super) fn new(kind: Kind, packed: usize, limit: u64) -> Self {
        let by_ratio = RATIO_LEAST.max((packed as u64).saturating_mul(RATIO));
        let is_ratio = kind != Kind::Plain && by_ratio < limit;
        let limit = if is_ratio { by_ratio } else { limit };
        Self { bytes: Vec::new(), kind, packed, limit, is_ratio, streams: 0 }
    }

    pub(super) fn too_big(&self) -> DecompressError {
        let (kind, limit) = (self.kind, self.limit);
        match self.is_ratio {
            true => DecompressError::Ratio { kind, len: self.packed, limit },
            false => DecompressError::TooBig { kind, limit },
        }
    }

    /// Another stream begins.
    pub(super) fn stream(&mut self) -> Result<(), DecompressError> {
        steps::count(1);
        self.streams += 1;
        let limit = STREAMS + self.packed / STREAM;
        if self.streams > limit {
            return Err(DecompressError::Streams { kind: self.kind, len: self.packed, limit });
        }
        Ok(())
    }

    pub(super) fn damaged(&self, why: &str) -> DecompressError {
        DecompressError::Damaged { kind: self.kind, why: why.to_owned() }
    }

    pub(super) fn ends_early(&self) -> DecompressError {
        DecompressError::EndsEarly { kind: self.kind }
    }

    pub(super) fn no_memory(&self) -> DecompressError {
        DecompressError::Memory { kind: self.kind }
    }

    /// An error of a reader of streams.
    pub(super) fn failure(&self, error: &io::Error) -> DecompressError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.ends_early(),
            _ => self.damaged(&error.to_string()),
        }
    }

    /// Do `bytes` begin as data of the kind at hand?
    pub(super) fn is_same_kind(&self, bytes: &[u8]) -> bool {
        Kind::of(bytes) == self.kind
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() < self.bytes.capacity()
    }

    /// Space for `more` bytes, never beyond one more than the limit: that one shows that there is more.
    fn reserve(&mut self, more: usize) -> Result<(), DecompressError> {
        let end = usize::try_from(self.limit.saturating_add(1)).unwrap_or(usize::MAX);
        let more = more.min(end.saturating_sub(self.bytes.len()));
        self.bytes.try_reserve_exact(more).map_err(|_| self.no_memory())
    }

    /// Makes space for the `claimed` size of what comes, as far as `units` of input that unpack to `ratio` bytes each could hold
    /// it. One byte more, so that a decoder that has filled it can go on to its checksum.
    pub(super) fn expect(&mut self, claimed: u64, units: usize, ratio: usize) -> Result<(), DecompressError> {
        let most = units.saturating_mul(ratio);
        let claimed = usize::try_from(claimed).unwrap_or(usize::MAX).min(most);
        self.reserve(claimed.saturating_add(1))
    }

    /// An error unless `rest`, what follows the end of some data, is empty or of the same kind; `magic` is how that begins.
    pub(super) fn another(&self, rest: &[u8], magic: &[u8]) -> Result<(), DecompressError> {
        if rest.is_empty() || self.is_same_kind(rest) {
            Ok(())
        } else if magic.starts_with(rest) {
            Err(self.ends_early())
        } else {
            Err(DecompressError::TrailingGarbage { kind: self.kind, len: rest.len() })
        }
    }

    /// Makes sure that there is space for at least a byte: doubles what there is.
    pub(super) fn room(&mut self) -> Result<(), DecompressError> {
        if self.has_room() {
            return Ok(());
        }
        if self.bytes.len() as u64 > self.limit {
            return Err(self.too_big());
        }
        self.reserve(self.bytes.len().max(STEP))
    }
}
