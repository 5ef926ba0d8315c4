// SPDX-License-Identifier: LGPL-2.1-or-later
//! What makes bytes no module.

use crate::budget::Exceeded;

/// The bytes are not a module that any kernel would look at further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// They do not begin like ELF.
    #[error("not an ELF file")]
    NotElf,
    /// ELF that cannot be read, as that of a file that was cut, or that is no relocatable object. The text says what is wrong.
    #[error("{0}")]
    Elf(String),
    /// An ELF object that the loader refuses before it looks at symbols (ENOEXEC). The text says why.
    #[error("{0}")]
    Refused(String),
    /// To read it would take more than a module may. A kernel might take it.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// Its file gives no bytes: compressed data that cannot be decompressed, a link that leads nowhere. The text says why. Only
    /// callers make this: nothing here reads files.
    #[error("{0}")]
    File(String),
}
