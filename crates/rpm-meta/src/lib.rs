// SPDX-License-Identifier: LGPL-2.1-or-later
//! Values of rpm packages, without librpm: versions ([`Evr`]) and rpm's order of them, dependencies ([`Dependency`]), and
//! packages ([`Package`]); OpenPGP's keys and signatures ([`openpgp`]).
//!
//! Pure: text in, values out. Nothing here opens a file or needs a C library. The crate `librpm-rt` reads these values
//! from an rpm database or a package file.
//!
//! ```
//! use rpm_meta::Evr;
//!
//! let (old, new) = (Evr::parse("1.0~rc1-1"), Evr::parse("1.0-1"));
//! assert!(old.compare(&new).is_lt());
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod dependency;
mod evr;
pub mod header;
pub mod openpgp;
mod package;
pub mod signature_header;

pub use dependency::Dependency;
pub use evr::{Evr, vercmp};
pub use package::{Package, is_named_for_drivers, is_uname_r};
