// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is wrong with a file or directory, without ending the run.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::printable;
use crate::root::is_fault;

/// Something that was not taken into account, and why. The rest goes on without it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Problem {
    /// The file or directory concerned, as seen from outside the root.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// It could not be looked at: what it holds is unknown, and no link may go for it. Otherwise it was read, and it is its
    /// contents that are wrong.
    pub is_unread: bool,
}

impl Problem {
    /// Something that was looked at, and is not as it should be.
    pub fn new(path: PathBuf, what: impl Into<String>) -> Self {
        Self { path, what: what.into(), is_unread: false }
    }

    /// Something that could not be read; unread where the system failed ([`is_fault`]), and not for what it is.
    pub fn unreadable(path: PathBuf, error: &io::Error) -> Self {
        Self { path, what: format!("cannot be read: {error}"), is_unread: is_fault(error) }
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", printable(self.path.as_os_str()), self.what)
    }
}
