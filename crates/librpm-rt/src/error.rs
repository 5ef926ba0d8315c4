// SPDX-License-Identifier: LGPL-2.1-or-later
//! Errors, for people: what was being done, to what, why it failed, what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A failure of this crate or of librpm.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No librpm could be loaded.
    #[error(
        "cannot load librpm; tried {}. Install rpm's library: package rpm-libs (Fedora, RHEL), rpm or librpm10 (SUSE), \
         librpm9 or librpm10 (Debian, Ubuntu)",
        .tried.join("; ")
    )]
    NoLibrary {
        /// Each name that was tried, and the loader's reason.
        tried: Vec<String>,
    },

    /// [`Librpm::loaded`](crate::Librpm::loaded) was asked, but this process has no librpm in it.
    #[error("no librpm is loaded in this process; looked for {}", .tried.join(", "))]
    NotLoaded {
        /// The names looked for.
        tried: Vec<String>,
    },

    /// librpm lacks a function that every version from 4.14 on has.
    #[error(
        "{soname} has no function {symbol}: rpm 4.14 or newer is needed. Update rpm, or report this to kmp with `rpm --version`"
    )]
    MissingSymbol {
        /// The function.
        symbol: &'static str,
        /// The library.
        soname: String,
    },

    /// rpm's configuration could not be read.
    #[error(
        "cannot read rpm's configuration (/usr/lib/rpm/rpmrc, macros): {reason}. Check that package rpm is installed whole: rpm -V rpm"
    )]
    Configuration {
        /// librpm's message.
        reason: String,
    },

    /// A path cannot be used.
    #[error("cannot use {} as {what}: {reason}", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What it was meant to be.
        what: &'static str,
        /// Why not.
        reason: String,
    },

    /// There is no rpm database there.
    #[error(
        "no rpm database below {}; looked in {}. If it lies elsewhere, name its directory",
        .root.display(),
        .tried.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoDatabase {
        /// The root directory.
        root: PathBuf,
        /// The directories looked in.
        tried: Vec<PathBuf>,
    },

    /// The database file is there, but this process may not read it, or it is no file.
    #[error("cannot read the rpm database {}: {source}", .path.display())]
    Unreadable {
        /// The database file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// Another process holds the database, and did not let go in time.
    #[error(
        "the rpm database {} is locked{}; waited {} s. Wait for the running rpm, zypper or dnf to end, then try again",
        .path.display(),
        .holder.map(|pid| format!(" by process {pid}")).unwrap_or_default(),
        .waited.as_secs()
    )]
    Locked {
        /// The database file.
        path: PathBuf,
        /// Who holds it, if the kernel knows.
        holder: Option<i32>,
        /// How long this crate waited.
        waited: Duration,
    },

    /// librpm was built without the database's format.
    #[error("{soname} cannot read databases of the format {format} ({}). Use an rpm built with it, or convert the database with rpm --rebuilddb", .path.display())]
    Format {
        /// The database file.
        path: PathBuf,
        /// sqlite, ndb or bdb.
        format: &'static str,
        /// The library.
        soname: String,
    },

    /// librpm could not open the database.
    #[error("cannot open the rpm database {}: {reason}. Look at it with: rpmdb --dbpath {} --verifydb; if it is damaged: rpm --rebuilddb",
        .path.display(), .path.parent().unwrap_or(.path).display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// librpm's message.
        reason: String,
    },

    /// librpm could not read from the open database.
    #[error("cannot read {what} from the rpm database {}: {reason}. Look at it with: rpmdb --dbpath {} --verifydb; if it is damaged: rpm --rebuilddb",
        .path.display(), .path.parent().unwrap_or(.path).display())]
    Read {
        /// What was wanted.
        what: String,
        /// The database file.
        path: PathBuf,
        /// librpm's message, or this crate's.
        reason: String,
    },

    /// A package file is not there, this process may not read it, or it is no file.
    #[error("cannot read the package file {}: {source}", .path.display())]
    UnreadablePackage {
        /// The package file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// A package file is damaged, or it is no package.
    #[error("cannot read {what} of the package file {}: {reason}. Check it with: rpm --checksig {}; if it is damaged, fetch it again",
        .path.display(), .path.display())]
    Package {
        /// What was wanted.
        what: String,
        /// The package file.
        path: PathBuf,
        /// librpm's message, or this crate's.
        reason: String,
    },

    /// A file in a package is larger than the caller takes.
    #[error("{} in the package file {} has {size} bytes, and at most {limit} are read", .file.display(), .path.display())]
    TooLarge {
        /// The package file.
        path: PathBuf,
        /// The file in it.
        file: PathBuf,
        /// Its size.
        size: u64,
        /// The most that the caller takes.
        limit: u64,
    },

    /// A header that the host gave cannot be read.
    #[error(
        "cannot read a package's header that rpm passed on: {reason}. Report this to kmp with `rpm --version`"
    )]
    Header {
        /// This crate's message.
        reason: String,
    },
}
