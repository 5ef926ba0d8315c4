// SPDX-License-Identifier: LGPL-2.1-or-later
//! The metadata of repositories (rpm-md): `repomd.xml`, which names and sums all other files, and `primary.xml`, which has a
//! package's name, version and dependencies; `updateinfo.xml` has advisories.
//!
//! The format is what createrepo_c writes and libsolv reads. Elements and attributes that are not known are skipped, as
//! both do.
//!
//! Input is not trusted: memory is bounded whatever it holds, and a path that leads out of the repository is an error.

mod elements;
mod error;
mod listed;
mod location;
mod others;
mod primary;
mod repomd;
mod updateinfo;

pub use error::Error;
pub(crate) use listed::kept::TEXTS;
pub use listed::{Capability, Listed, Role};
pub use location::Location;
pub use primary::{Wanted, packages};
pub use repomd::{Checksum, Metadata, Repomd};
pub use updateinfo::{Advisory, advisories};
