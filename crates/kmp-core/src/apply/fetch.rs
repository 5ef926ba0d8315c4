// SPDX-License-Identifier: LGPL-2.1-or-later
//! Has the package manager fetch what its repositories have now.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::program::{self, With, last_lines};
use crate::dialect::Dialect;

/// How long that may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Refreshes the repositories of the system itself.
///
/// # Errors
/// In words: the package manager cannot be run, or says that it failed.
pub fn fetch_metadata(dialect: Dialect) -> Result<(), String> {
    let (names, words): (&[&str], &[&str]) = match dialect {
        Dialect::Suse => (&["zypper"], &["--non-interactive", "--quiet", "refresh"]),
        Dialect::RedHat => (&["dnf", "dnf5"], &["--quiet", "makecache"]),
    };
    let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
    let is_there = |name: &&&str| program::find(None, OsStr::new(**name)).is_ok();
    let name = OsStr::new(names.iter().find(is_there).unwrap_or(&names[0]));
    let with = With { limit: LIMIT, ..With::default() };
    let failed = |failure: program::Failure| failure.message(name, last_lines);
    program::run(name, &arguments, with).map(drop).map_err(failed)
}
