// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reading, where neither paths nor bytes are trusted.
//!
//! [`root`] reads beneath a root that no path leads out of, [`unpack`] unpacks within limits, [`conf_d`] finds drop-in files, [`printable()`] makes any name fit
//! to be printed, and [`workers`] lets the caller decide about threads.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod conf_d;
mod printable;
pub mod root;
pub mod unpack;
pub mod workers;

pub use printable::printable;
