// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why data could not be unpacked.

use super::kind::Kind;

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
