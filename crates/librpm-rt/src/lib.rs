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
//! # The fast way
//! To find the few packages that own something in certain directories: [`Database::dir_names`] (reads the keys
//! of one index: 7 ms for 15,000 directories), [`Database::owners_of_dir`] for those of interest (0.02 ms each,
//! and the loading of its owners), [`Database::package`] with a filter for directories. [`Database::dirs`] gets
//! the owners along with every key (30 ms), and needs no header. Loading all of 3,000 headers takes 130 ms.
//!
//! # Package files
//! [`Librpm::open_package`] reads a `*.rpm`: [`PackageFile`] gives its header's contents and files from its payload. Nothing is
//! verified, no key is looked for and no database opened. A kernel's header with 30,000 Provides takes 10 ms, and a
//! file costs what librpm must inflate before it. A plugin has [`Librpm::package_from_fd`] and
//! [`Librpm::borrowed_header`]. Functions that only this needs are looked up at the first use, so where one
//! were missing the database could still be read.
//!
//! # What it does to the process it lives in
//! - **Messages**: nothing of librpm's reaches stdout or stderr when *we* loaded it; its errors become part of
//!   our [`Error`], the rest goes to `log` at debug level. (Exception: the ndb backend writes a failed open with
//!   `perror`.) As a guest, where librpm was in the process before us, the host keeps its own log callback,
//!   so what librpm says of a bad package reaches the user through it, too.
//! - **Signals**: up to rpm 4.19, librpm catches SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE while a database is open, for the
//!   sake of writers. That is switched off (`rpmsqSetInterruptSafety`) when we loaded it; as a guest it is left alone.
//! - No chroot, no chdir, no change of locale or umask, no thread.
//! - librpm is never unloaded.
//!
//! # What it does to the database
//! It is opened read-only, and only after a database file was found: librpm itself would create what is missing.
//! What the backends do nevertheless, exactly as `rpm -q` does: sqlite rewrites `rpmdb.sqlite-shm`, and creates
//! it and an empty `rpmdb.sqlite-wal` where they are missing (which fails where the directory is read-only); bdb (rpm 4.14 to 4.15) keeps
//! its shared `__db.*` files; ndb, run as root, may rebuild an outdated `Index.db`.
//!
//! What is read is in the types of [`rpm_meta`], which needs no librpm.
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

pub use database::{Database, OwnedDir};
pub use error::Error;
pub use header::HeaderContents;
pub use library::Librpm;
pub use locate::has_database;
pub use package_file::{PackageFile, TakeFile};
