// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which kernels and kernel module packages the repositories of a machine have, and which of them go together.
//!
//! * [`rpmmd`] reads the metadata of repositories: pure, text in, values out.
//! * [`offer`] knows which packages concern drivers, by metadata alone.
//! * [`hardware`] finds the packages of drivers that say that they are for a device.
//! * [`update`] asks kmp-core's guard what would become of drivers in kernels that may come.
//! * [`kept`] is what of that is kept for the next run.
//! * [`fleet`] asks the same of many machines at once, of which only the packages are known.
//! * [`repository`] reads the metadata of one repository from the disk, [`found`] finds those that zypper and dnf keep.
//!
//! For the command only: nothing here is linked into rpm's plugin, and nothing fetches anything.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod fleet;
pub mod found;
pub mod hardware;
pub mod kept;
pub mod offer;
pub mod repository;
pub mod rpmmd;
pub mod update;
