// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is kept of a repository's lists, so that the next run need not read them again: of the hundreds of megabytes that a large
//! repository has, the packages that concern drivers, and the security advisories about kernels.
//!
//! An extract is known by the SHA-256 of `repomd.xml`, which sums all lists: other lists have another. One that is of another
//! version of kmp, of another `repomd.xml`, damaged, or not root's is as good as none: the lists are read, and it is written anew.

mod read;
mod store;
mod write;

pub use read::{Extract, Selection};
pub use store::Cache;
pub use write::Writer;

/// The SHA-256 of a `repomd.xml`.
pub type Key = [u8; 32];

/// What an extract begins with. To be raised when its form changes, or what is kept of a list.
const MAGIC: &[u8; 16] = b"kmp-repository-2";

/// What comes before the lists, in bytes: what says that it is one, the key, and the SHA-256 of all that follows.
pub const BEGINNING: usize = MAGIC.len() + 32 + 32;

/// The largest extract, in bytes. A kernel takes some 100,000.
const LARGEST: usize = 32 << 20;

#[cfg(test)]
mod tests;
