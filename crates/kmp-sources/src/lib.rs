// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where drivers come from: the sources that packages and administrators name, what is fetched from them, and what of that is
//! offered to the package manager.
//!
//! For the command only: nothing here is linked into rpm's plugin.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod catalogue;
#[cfg(feature = "fetch")]
pub mod fetch;
#[cfg(feature = "fetch")]
pub mod find;
pub mod listing;
pub mod medium;
pub mod metadata;
pub mod nvra;
pub mod own;
pub mod record;
pub mod records;
pub mod url;
