// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads the files of packages, to compare them with what was installed.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use kmp_core::root::Root;
use librpm_rt::{Database, Error};
use sha2::{Digest, Sha256};

use super::Problem;

/// kmp's own packages.
pub const OWN: &[&str] =
    &["kmp", "libkmp1", "rpm-plugin-kmp", "kmp-weak-modules2", "kmp-weak-modules", "kmp-scriptlets"];

/// How much of a file is read at once.
const PART: usize = 128 << 10;

/// The files of the installed packages of these names that are not as they were installed. Files that the caller may not read
/// are left out, and so are packages whose digests are not SHA-256.
///
/// # Errors
/// The database cannot be read.
pub fn changed(root: &Root, database: &Database, names: &BTreeSet<String>) -> Result<Vec<Problem>, Error> {
    let mut found = Vec::new();
    for name in names {
        for instance in database.by_name(name)? {
            let package = database.package(instance, &|_| false)?.nvr();
            for file in database.digests(instance)? {
                let how = match digest(root, &file.path) {
                    Ok(digest) if digest == file.sha256 => continue,
                    Ok(_) => "has other contents".to_string(),
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => continue,
                    Err(error) if error.kind() == ErrorKind::NotFound => "is missing".to_string(),
                    Err(error) => format!("cannot be read: {error}"),
                };
                found.push(Problem { package: package.clone(), path: file.path, how });
            }
        }
    }
    Ok(found)
}

fn digest(root: &Root, path: &Path) -> io::Result<Vec<u8>> {
    let mut file = root.open_file(path)?;
    let mut digest = Sha256::new();
    let mut part = vec![0; PART];
    loop {
        match file.read(&mut part) {
            Ok(0) => return Ok(digest.finalize().to_vec()),
            Ok(len) => digest.update(&part[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
