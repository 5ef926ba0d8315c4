// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who made a package, and what its files should be.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::ffi::{PGPHASHALGO_SHA256, RPMFILE_CONFIG, RPMFILE_GHOST, tag};
use crate::header::{Header, HeaderContents, Values, from_hex};
use crate::{Database, Error, PackageFile};

/// Who built a package, and which hardware wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The company or project that answers for it (`Vendor`).
    pub vendor: Option<String>,
    /// Who built it (`Packager`).
    pub packager: Option<String>,
    /// Names of what it supplements, such as `modalias(...)`.
    pub supplements: Vec<String>,
}

/// A regular file of a package, as it was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigest {
    /// Its path.
    pub path: PathBuf,
    /// The SHA-256 of its contents.
    pub sha256: Vec<u8>,
}

impl Header<'_> {
    fn provenance(&self) -> Provenance {
        Provenance {
            vendor: self.string(tag::VENDOR),
            packager: self.string(tag::PACKAGER),
            supplements: self.strings(tag::SUPPLEMENTNAME),
        }
    }

    /// Nothing where digests are of another kind, as before rpm 4.11 or so.
    fn digests(&self) -> Result<Vec<FileDigest>, String> {
        let mut found = Vec::new();
        if self.number(tag::FILEDIGESTALGO) != Some(PGPHASHALGO_SHA256) {
            return Ok(found);
        }
        let dirs = self.byte_strings(tag::DIRNAMES);
        let (Some(mut digests), Some(mut indexes), Some(mut names)) = (
            Values::of(self, tag::FILEDIGESTS),
            Values::of(self, tag::DIRINDEXES),
            Values::of(self, tag::BASENAMES),
        ) else {
            return Ok(found);
        };
        let mut flags = Values::of(self, tag::FILEFLAGS);
        while let (Some(digest), Some(name)) = (digests.next_string(), names.next_string()) {
            let flags = flags.as_mut().and_then(Values::next_number).unwrap_or(0);
            let index = indexes.next_number().and_then(|index| usize::try_from(index).ok());
            let dir = index.and_then(|index| dirs.get(index)).ok_or("a file of it is in no directory")?;
            // Directories and links have none; what is configured or made later may differ.
            if !digest.is_empty()
                && flags & (RPMFILE_GHOST | RPMFILE_CONFIG) == 0
                && let Some(sha256) = from_hex(digest)
            {
                let path = PathBuf::from(OsStr::from_bytes(&[dir.as_slice(), name].concat()));
                found.push(FileDigest { path, sha256 });
            }
        }
        Ok(found)
    }
}

impl Database {
    /// Who made an installed package.
    pub fn provenance(&self, instance: u32) -> Result<Provenance, Error> {
        self.with_header(instance, |header| Ok(header.provenance()))
    }

    /// All that is read of a package, as of one in a file.
    pub fn contents(&self, instance: u32, keep: &dyn Fn(&[u8]) -> bool) -> Result<HeaderContents, Error> {
        self.with_header(instance, |header| header.contents(keep))
    }

    /// What the files of an installed package should be; not those for the administrator to change, nor those that no
    /// package brings. Empty where the package has digests of another kind.
    pub fn digests(&self, instance: u32) -> Result<Vec<FileDigest>, Error> {
        self.with_header(instance, |header| header.digests())
    }
}

impl PackageFile {
    /// Who made it.
    pub fn provenance(&self) -> Provenance {
        self.header().provenance()
    }
}
