// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether to trust a driver's package, which hardware wants drivers, who supports them, and whether the system and a package
//! are sound. For the command alone: nothing here runs inside rpm.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod date;
pub mod devices;
pub mod secure_boot;
pub mod soundness;
pub mod support;
pub mod trust;
