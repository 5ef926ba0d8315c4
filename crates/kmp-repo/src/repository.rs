// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads the metadata of one repository from the disk: a package manager's cache of it, or the repository itself.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kmp_fs::root::Root;
use kmp_fs::unpack::{Kind, Source, stream};
use sha2::{Digest, Sha256, Sha512};

use crate::kept::Key;
use crate::rpmmd::{self, Advisory, Checksum, Listed, Metadata, Repomd, Wanted, advisories, packages};

/// The largest `repomd.xml`, in bytes. Those of today have some thousands.
const REPOMD_LIMIT: u64 = 4 << 20;

/// The largest list of packages, decompressed, in bytes. Fedora's `updates` has 500 MB.
const OPEN_LIMIT: u64 = 4 << 30;

/// What a zchunk file begins with.
const ZCHUNK: &[u8] = b"\0ZCK1";

/// Why a repository's metadata cannot be used. The message begins with the file's path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} {error}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rpmmd::Error,
    },
    /// A file is not the one that `repomd.xml` means.
    #[error("{} is not the file that repomd.xml names: {what} differs; refresh the repository", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// The checksum or a size.
        what: &'static str,
    },
    /// A list that is there in zchunk's format only.
    #[error(
        "{} is in zchunk's format, which kmp does not read; set `zchunk=False` in dnf.conf, and refresh",
        path.display()
    )]
    Zchunk {
        /// The file.
        path: PathBuf,
    },
    /// There are more kernels and drivers in it than in any real one.
    #[error("{} has more kernels and drivers than kmp keeps of a repository", path.display())]
    TooLarge {
        /// The directory.
        path: PathBuf,
    },
    /// There is no list of packages.
    #[error("{} names no primary.xml", path.display())]
    NoPrimary {
        /// `repomd.xml`.
        path: PathBuf,
    },
}

/// A directory that has a repository's `repodata/`.
#[derive(Debug, Clone, Copy)]
pub struct MetadataDir<'r> {
    root: &'r Root,
    path: &'r Path,
}

impl<'r> MetadataDir<'r> {
    /// The directory `path` inside `root`. Nothing is read yet.
    pub fn new(root: &'r Root, path: &'r Path) -> Self {
        Self { root, path }
    }

    /// Reads `repodata/repomd.xml`.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn repomd(&self) -> Result<Repomd, RepositoryError> {
        self.summed_repomd().map(|(repomd, _)| repomd)
    }

    /// The same, with its SHA-256; it is another one where the list of advisories is named and not there, as package managers
    /// fetch that list later, or never.
    ///
    /// # Errors
    /// As [`repomd`](Self::repomd).
    pub fn summed_repomd(&self) -> Result<(Repomd, Key), RepositoryError> {
        let path = self.repomd_path();
        let read = self.root.read(&path, REPOMD_LIMIT);
        let bytes = read.map_err(|error| RepositoryError::Read { path: path.clone(), error })?;
        let repomd = Repomd::read(&bytes[..]).map_err(|error| RepositoryError::Content { path, error })?;
        let mut sum = Sha256::new_with_prefix(&bytes);
        if !self.has_advisories(&repomd) {
            sum.update(b"without updateinfo");
        }
        Ok((repomd, sum.finalize().into()))
    }

    /// Is the list of advisories there, or none named?
    fn has_advisories(&self, repomd: &Repomd) -> bool {
        let is_there = |list: &Metadata| {
            let there = self.root.try_exists(&self.path.join(list.location.as_str()));
            there.unwrap_or(true)
        };
        repomd.file("updateinfo").is_none_or(is_there)
    }

    fn repomd_path(&self) -> PathBuf {
        self.path.join("repodata/repomd.xml")
    }

    /// Reads the list of packages, and calls `each` with one that is wanted after the other. What `each` was called with counts only if the result
    /// is no error: the checksum is known at the end.
    ///
    /// # Errors
    /// The list cannot be read, or is not the one that `repomd` names.
    pub fn packages(
        &self,
        repomd: &Repomd,
        wanted: &Wanted<'_>,
        each: &mut dyn FnMut(&Listed),
    ) -> Result<(), RepositoryError> {
        let Some(primary) = repomd.file("primary") else {
            return Err(RepositoryError::NoPrimary { path: self.repomd_path() });
        };
        self.list(primary, |input| packages(input, wanted, each))
    }

    /// Reads the list of advisories, as [`packages`](Self::packages) does; where it is not there, nothing.
    ///
    /// # Errors
    /// As [`packages`](Self::packages).
    pub fn advisories(&self, repomd: &Repomd, each: &mut dyn FnMut(Advisory)) -> Result<(), RepositoryError> {
        match repomd.file("updateinfo") {
            Some(list) if self.has_advisories(repomd) => self.list(list, |input| advisories(input, each)),
            _ => Ok(()),
        }
    }

    /// Has `parse` read a list, decompressed.
    fn list(
        &self,
        named: &Metadata,
        parse: impl FnOnce(&mut dyn Read) -> Result<(), rpmmd::Error>,
    ) -> Result<(), RepositoryError> {
        let path = self.path.join(named.location.as_str());
        let unread = |error| RepositoryError::Read { path: path.clone(), error };
        let file = self.root.open_file(&path).map_err(unread)?;
        // One byte more than there should be shows that there are more.
        let file = file.take(named.size.unwrap_or(OPEN_LIMIT).saturating_add(1));
        let mut summed = Summed::new(file, &named.checksum);
        let mut input = Source::new(&mut summed);
        let start = input.peek(ZCHUNK.len().max(Kind::LOOK)).map_err(unread)?;
        if start.starts_with(ZCHUNK) {
            return Err(RepositoryError::Zchunk { path });
        }
        let kind = Kind::of(start);
        let limit = named.open_size.unwrap_or(OPEN_LIMIT).min(OPEN_LIMIT);
        let mut open = Counted { inner: stream(kind, &mut input).map_err(unread)?, read: 0, limit };
        let parsed = parse(&mut open);
        let open_size = open.read;
        drop(open);
        let rest = io::copy(&mut input, &mut io::sink());
        rest.map_err(unread)?;
        drop(input);
        // A file that is another one is the reason of whatever is wrong in it.
        if let Some(what) = difference(named, summed, parsed.is_ok().then_some(open_size)) {
            return Err(RepositoryError::Other { path, what });
        }
        parsed.map_err(|error| RepositoryError::Content { path, error })
    }
}

/// What shows that a file is not the one that was named.
fn difference(named: &Metadata, read: Summed<impl Read>, open_size: Option<u64>) -> Option<&'static str> {
    let (size, is_same) = read.finish();
    if named.size.is_some_and(|named| named != size) {
        Some("the size")
    } else if !is_same {
        Some("the checksum")
    } else if let (Some(named), Some(read)) = (named.open_size, open_size)
        && named != read
    {
        Some("the size of what is in it")
    } else {
        None
    }
}

/// A reader that sums what is read.
struct Summed<R> {
    inner: R,
    read: u64,
    sum: Sum,
    named: Checksum,
}

enum Sum {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl<R: Read> Summed<R> {
    fn new(inner: R, named: &Checksum) -> Self {
        let sum = match named {
            Checksum::Sha256(_) => Sum::Sha256(Sha256::new()),
            Checksum::Sha512(_) => Sum::Sha512(Sha512::new()),
        };
        Self { inner, read: 0, sum, named: named.clone() }
    }

    /// How many bytes were read, and whether they have the checksum that was named.
    fn finish(self) -> (u64, bool) {
        let is_same = match self.sum {
            Sum::Sha256(sum) => sum.finalize()[..] == *self.named.as_bytes(),
            Sum::Sha512(sum) => sum.finalize()[..] == *self.named.as_bytes(),
        };
        (self.read, is_same)
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        match &mut self.sum {
            Sum::Sha256(sum) => sum.update(&buffer[..len]),
            Sum::Sha512(sum) => sum.update(&buffer[..len]),
        }
        self.read += len as u64;
        Ok(len)
    }
}

/// A reader that fails behind a limit.
struct Counted<R> {
    inner: R,
    read: u64,
    limit: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.read += len as u64;
        if self.read > self.limit {
            return Err(io::Error::other(format!("it has more than {} bytes when decompressed", self.limit)));
        }
        Ok(len)
    }
}
