// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why data could not be unpacked.

use super::kind::Kind;

/// Why data could not be decompressed. The caller adds the path of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The input is truncated.
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
        /// The library's message.
        why: String,
    },
    /// Other data follows the compressed data.
    #[error(
        "{len} bytes after the end of the {kind} data belong to nothing; install the file's package again"
    )]
    TrailingGarbage {
        /// The input's format.
        kind: Kind,
        /// How many bytes follow.
        len: usize,
    },
    /// The result would be larger than the caller's limit.
    #[error("the {kind} data unpacks to more than the limit of {limit} bytes")]
    TooBig {
        /// The input's format.
        kind: Kind,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The result would be larger than the [ratio](super::RATIO) allows.
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
    /// Too many streams for so few bytes.
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
    /// The data needs a larger dictionary or window than is accepted, or there is not enough memory.
    #[error("unpacking the {kind} data needs too much memory; pack it with the tool's usual settings")]
    Memory {
        /// The input's format.
        kind: Kind,
    },
}
