// SPDX-License-Identifier: LGPL-2.1-or-later
//! librpm, bound at run time.
//!
//! No librpm is needed to build this crate, and one build serves every distribution: [`Librpm::load`] opens
//! whichever of `librpm.so.10`, `.9` and `.8` (rpm 4.14 to 6) the machine has and looks up the few functions
//! that exist, with the same signature, in all of them. No C struct is laid out here: only accessors are called.
//!
//! ```no_run
//! # fn main() -> Result<(), librpm_rt::Error> {
//! let rpm = librpm_rt::Librpm::load()?;
//! let database = rpm.open(std::path::Path::new("/"))?;
//! for dir in database.dirs_below(b"/usr/lib/modules/")? {
//!     for instance in dir.owners {
//!         let package = database.package(instance, &|name| name == dir.name)?;
//!         println!("{}: {:?}", package.nvra(), package.files);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What calls cost
//! To find the few packages that own something in certain directories, the fastest way is [`Database::dir_names`]
//! (reads the keys of one index: 7 ms for 15,000 directories), then [`Database::owners_of_dir`] for the directories of
//! interest (0.02 ms each, plus loading the owners), then [`Database::package`] with a filter for directories.
//! [`Database::dirs`] returns the owners along with every key (30 ms) and loads no header. Loading 3,000 headers takes
//! 130 ms.
//!
//! # Package files
//! [`Librpm::open_package`] reads a `*.rpm`: [`PackageFile`] has its header's contents and files from its payload. Nothing
//! is verified, no key is looked up and no database opened. A kernel's header with 30,000 Provides takes 10 ms; reading
//! a file takes as long as librpm needs to decompress the payload up to it. For plugins there are
//! [`Librpm::package_from_fd`] and [`Librpm::borrowed_header`]. The functions of librpm that only this needs are looked up
//! when they are first used, so the database can be read even if one of them is missing.
//!
//! [`Librpm::verify`] says by whose key a package file is signed and whether it is whole, by the keys that the database of a root
//! has ([`Database::trusted_keys`]). Nothing that librpm prints is read for it: its words differ from version to version.
//!
//! # Effects on the process
//! A process in which librpm was loaded before is a *host*, and this crate its guest: it uses that librpm and does not
//! change its settings ([`Librpm::is_guest`]).
//! - **Messages**: if this crate loaded librpm, nothing of librpm's reaches stdout or stderr: its errors become part of
//!   the [`Error`], the rest goes to `log` at debug level. (Exception: the ndb backend prints a failed open with
//!   `perror`.) A host keeps its own log callback, so its user also sees what librpm says about a bad package.
//! - **Signals**: up to rpm 4.19, librpm catches SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE while a database is open, to
//!   protect writers. This is switched off (`rpmsqSetInterruptSafety`) if this crate loaded librpm, and left alone in a host.
//! - It does not call chroot or chdir, does not change locale or umask, and starts no thread.
//! - librpm is never unloaded.
//!
//! # Effects on the database
//! It is opened read-only, and only after a database file was found: librpm would create one otherwise. Some backends
//! write nevertheless, as they do for `rpm -q`: sqlite rewrites `rpmdb.sqlite-shm`, and creates it and an empty
//! `rpmdb.sqlite-wal` if they are missing (which fails in a read-only directory); bdb (rpm 4.14 to 4.15) keeps its shared
//! `__db.*` files; ndb, run as root, may rebuild an outdated `Index.db`.
//!
//! Packages, dependencies and versions are the types of [`rpm_meta`], which needs no librpm.
#![allow(unsafe_code, reason = "this crate is the one place where librpm's C functions are called")]

mod database;
mod error;
mod ffi;
mod header;
mod iterator;
mod library;
mod locate;
mod lock;
mod messages;
mod ndb;
mod package_file;
mod provenance;
mod trusted_keys;
mod verify;

pub use database::{Database, OwnedDir};
pub use error::Error;
pub use header::HeaderContents;
pub use library::Librpm;
pub use locate::has_database;
pub use package_file::{PackageFile, TakeFile};
pub use provenance::{FileDigest, Provenance};
pub use trusted_keys::TrustedKeys;
pub use verify::{Signer, Trust, Verified};
