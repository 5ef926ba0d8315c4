// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads files when neither their paths nor their contents are trusted.
//!
//! * [`root`] reads below a root directory that no path leads out of;
//! * [`conf_d`] finds drop-in files there, such as `/etc/depmod.d/*.conf`;
//! * [`unpack`] decompresses within limits of memory and work;
//! * [`pack`] packs what is kept in a cache;
//! * [`printable()`] makes any file name safe to print;
//! * [`workers`] lets the caller decide how many threads do the work.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod conf_d;
pub mod pack;
mod printable;
pub mod root;
pub mod unpack;
pub mod workers;

pub use printable::printable;
