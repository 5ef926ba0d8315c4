// SPDX-License-Identifier: LGPL-2.1-or-later
//! librpm-rt against the rpm of this machine, in throwaway roots. Needs rpm, rpmbuild, sqlite3 and cc.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod broken;
mod guest;
mod package_file;
mod reading;
mod root;
mod signatures;
mod versions;
