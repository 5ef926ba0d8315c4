// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why metadata cannot be read.

use std::io;

/// Why metadata cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read, or not be decompressed.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// It is no XML. `at`: the byte of the decompressed text.
    #[error("is no valid XML at byte {at}: {why}")]
    Xml {
        /// Where, in bytes.
        at: u64,
        /// The parser's words.
        why: String,
    },
    /// It is XML, but of something else.
    #[error("is no {expected}: it begins with <{found}>")]
    Document {
        /// The element that such a document begins with.
        expected: &'static str,
        /// What it begins with.
        found: String,
    },
    /// It ends before its last element does.
    #[error("is cut off: it ends inside <{inside}>")]
    Cut {
        /// The element that is not closed.
        inside: &'static str,
    },
    /// Something in it is larger than in any real repository.
    #[error("has {what} of more than {limit} {unit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it may be.
        limit: u64,
        /// In which unit.
        unit: &'static str,
    },
    /// A name in it leads out of the repository.
    #[error("names the file {path:?}, which is not below the repository")]
    Path {
        /// As it is written.
        path: String,
    },
    /// A checksum that says nothing.
    #[error("has the checksum {hex:?} of the kind {kind:?}: only SHA-256 and SHA-512 count")]
    Checksum {
        /// The kind, as it is written.
        kind: String,
        /// The number, as it is written.
        hex: String,
    },
}
