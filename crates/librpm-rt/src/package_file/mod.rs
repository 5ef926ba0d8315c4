// SPDX-License-Identifier: LGPL-2.1-or-later
//! A package file: its header, and files from its payload.

mod payload;
mod read_header;
mod stream;

use std::ffi::{CStr, c_int};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rpm_meta::{Dependency, Package};

use crate::Error;
use crate::ffi::{PackageFunctions, tag};
use crate::header::{Header, HeaderContents};
use crate::library::Librpm;
use payload::{Archive, FileList};
use read_header::read_header;
pub(crate) use read_header::{OwnedHeader, OwnedKeyring, verify_header};
use stream::Place;
pub(crate) use stream::owned_text;

/// What librpm may call a payload's compression. Each is also its name for the reader; "no tag" means gzip, whose reader takes
/// uncompressed data too. Which of them a librpm can read depends on how it was built.
const COMPRESSORS: [&CStr; 5] = [c"r.gzip", c"r.bzip2", c"r.lzma", c"r.xz", c"r.zstd"];

/// Takes a file of a payload: all its wanted paths (several for hard links), and its contents.
pub type TakeFile<'t> = dyn FnMut(&[PathBuf], Vec<u8>) -> ControlFlow<()> + 't;

impl Librpm {
    /// Opens a package file (`*.rpm`) and reads its header. Only a regular file is opened, never a FIFO or device.
    ///
    /// **Nothing is verified**: no signature, no digest; rpm does that when it installs the package. If librpm cannot parse
    /// the file, the error has its path and librpm's reason.
    pub fn open_package(&self, path: &Path) -> Result<PackageFile, Error> {
        PackageFile::open(*self, path)
    }

    /// Reads a package file that somebody else has opened, from its current position: for example the file of the `FD_t`
    /// that a plugin gets from `rpmtsNotify(INST_OPEN_FILE)`. It has to be a regular file.
    ///
    /// The descriptor is duplicated, so the owner may close it before the result is dropped. Both share one file position.
    /// This call and [`PackageFile::read_files`] move it and restore it before they return; within `take` it is undefined.
    ///
    /// # Errors
    /// As with [`open_package`](Self::open_package).
    pub fn package_from_fd(&self, fd: BorrowedFd<'_>) -> Result<PackageFile, Error> {
        PackageFile::from_fd(*self, fd)
    }
}

/// A package file, open for reading. Made by [`Librpm::open_package`] and [`Librpm::package_from_fd`]. It cannot be sent to
/// another thread.
///
/// ```no_run
/// # use std::ops::ControlFlow;
/// # fn main() -> Result<(), librpm_rt::Error> {
/// let rpm = librpm_rt::Librpm::load()?;
/// let mut file = rpm.open_package(std::path::Path::new("drv-kmp-default.rpm"))?;
/// println!("{}", file.package(&|_| false)?.nvra());
/// let is_module = |path: &std::path::Path| path.extension().is_some_and(|extension| extension == "ko");
/// file.read_files(&is_module, 1 << 30, &mut |paths, bytes| {
///     println!("{}: {} bytes", paths[0].display(), bytes.len());
///     ControlFlow::Continue(())
/// })
/// # }
/// ```
pub struct PackageFile {
    rpm: Librpm,
    functions: &'static PackageFunctions,
    file: File,
    /// Where in the file the payload starts.
    payload: u64,
    path: PathBuf,
    header: OwnedHeader,
}

impl PackageFile {
    pub(crate) fn open(rpm: Librpm, path: &Path) -> Result<PackageFile, Error> {
        PackageFile::read(rpm, open_file(path)?, path.to_owned())
    }

    pub(crate) fn from_fd(rpm: Librpm, fd: BorrowedFd<'_>) -> Result<PackageFile, Error> {
        let path = name_of(fd.as_raw_fd());
        match fd.try_clone_to_owned() {
            Ok(copy) => PackageFile::read(rpm, File::from(copy), path),
            Err(source) => Err(Error::UnreadablePackage { path, source }),
        }
    }

    /// Reads the header from where the file stands.
    fn read(rpm: Librpm, file: File, path: PathBuf) -> Result<PackageFile, Error> {
        let functions = rpm.package_functions()?;
        let unreadable = |source| Error::UnreadablePackage { path: path.clone(), source };
        refuse_all_but_files(&file.metadata().map_err(unreadable)?).map_err(unreadable)?;
        let place = Place::keep(&file).map_err(unreadable)?;
        let (result, errors) = rpm.listen(|| read_header(rpm, functions, &file));
        let header = result.map_err(|reason| {
            let mut reason = errors.unwrap_or(reason);
            // librpm names the file, as we do.
            for name in [&path, &name_of(file.as_raw_fd())] {
                if let Some(rest) = reason.strip_prefix(&format!("{}: ", name.display())) {
                    reason = rest.to_owned();
                }
            }
            Error::Package { what: "the header".into(), path: path.clone(), reason }
        })?;
        let payload = (&file).stream_position().map_err(unreadable)?;
        drop(place);
        Ok(PackageFile { rpm, functions, file, payload, path, header })
    }

    /// The path of the package file as it was given; for a descriptor, as the kernel names it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's size in bytes; 0 if it is unknown.
    pub fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Whether it is a source package: its files are a spec file and sources, and its Requires are for building.
    pub fn is_source(&self) -> bool {
        // SAFETY: the header is live.
        unsafe { (self.functions.headerIsSource)(self.header.raw.as_ptr()) != 0 }
    }

    /// The package's name, version, architecture, Provides, and its files in directories that `keep` accepts, as
    /// [`Database::package`](crate::Database::package) returns them for an installed package. Its instance is 0.
    pub fn package(&self, keep: &dyn Fn(&[u8]) -> bool) -> Result<Package, Error> {
        self.header().package(None, keep).map_err(|reason| self.error("the header", reason))
    }

    /// What it requires, `rpmlib(...)` included.
    pub fn requires(&self) -> Result<Vec<Dependency>, Error> {
        self.header().requires().map_err(|reason| self.error("the header", reason))
    }

    /// What it obsoletes.
    pub fn obsoletes(&self) -> Result<Vec<Dependency>, Error> {
        self.header().obsoletes().map_err(|reason| self.error("the header", reason))
    }

    /// All of these at once.
    pub fn contents(&self, keep: &dyn Fn(&[u8]) -> bool) -> Result<HeaderContents, Error> {
        self.header().contents(keep).map_err(|reason| self.error("the header", reason))
    }

    /// Reads the payload from its start, and calls `take` for each regular file that `wanted` accepts, with its path and its
    /// contents. The path is as in the package: absolute, not necessarily UTF-8; in a source package only a name. For a
    /// file with several names (hard links), `take` is called once, with all wanted names. May be called repeatedly.
    ///
    /// It stops when `take` breaks, or after the last wanted file that the header lists: the rest of the payload is not
    /// decompressed, and damage in it goes unnoticed. Ghosts are skipped, as no payload has them. A wanted file of more
    /// than `limit` bytes is an error, before it is read.
    pub fn read_files(
        &mut self,
        wanted: &dyn Fn(&Path) -> bool,
        limit: u64,
        take: &mut TakeFile<'_>,
    ) -> Result<(), Error> {
        let files = FileList::of(self)?;
        let mut missing = files.wanted(wanted)?;
        if missing.is_empty() {
            return Ok(());
        }
        let mode = self.compression()?;
        let unreadable = |source| Error::UnreadablePackage { path: self.path.clone(), source };
        let _place = Place::keep(&self.file).map_err(unreadable)?;
        (&self.file).seek(SeekFrom::Start(self.payload)).map_err(unreadable)?;
        let mut archive = Archive::open(self, &files, mode)?;
        while !missing.is_empty() {
            let number = archive.next(&missing)?;
            if !archive.has_content() {
                continue;
            }
            let paths: Vec<PathBuf> =
                files.links(number).into_iter().filter_map(|link| missing.remove(&link)).collect();
            let Some(path) = paths.first() else { continue };
            let size = files.size(number);
            if size > limit {
                return Err(Error::TooLarge { path: self.path.clone(), file: path.clone(), size, limit });
            }
            let contents = archive.read(path, size)?;
            if take(&paths, contents).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(crate) fn header(&self) -> Header<'_> {
        // SAFETY: it lives as long as self.
        unsafe { Header::new(self.rpm, self.header.raw) }
    }

    /// How librpm is to open the payload.
    fn compression(&self) -> Result<&'static CStr, Error> {
        let header = self.header();
        let format = header.string(tag::PAYLOADFORMAT).unwrap_or_else(|| "cpio".into());
        if format != "cpio" {
            return Err(self.error("the payload", format!("it is of the format {format:?}, not cpio")));
        }
        let name = header.string(tag::PAYLOADCOMPRESSOR).unwrap_or_else(|| "gzip".into());
        let known = |mode: &&CStr| mode.to_bytes().strip_prefix(b"r.") == Some(name.as_bytes());
        COMPRESSORS
            .into_iter()
            .find(known)
            .ok_or_else(|| self.error("the payload", format!("its compression, {name:?}, is unknown")))
    }

    fn error(&self, what: &str, reason: String) -> Error {
        Error::Package { what: what.to_owned(), path: self.path.clone(), reason }
    }
}

impl fmt::Debug for PackageFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PackageFile")
            .field("path", &self.path)
            .field("rpm", &self.rpm)
            .finish_non_exhaustive()
    }
}

/// Opens a regular file, and nothing else.
pub(crate) fn open_file(path: &Path) -> Result<File, Error> {
    let unreadable = |source| Error::UnreadablePackage { path: path.to_owned(), source };
    // Looked at first, for even to open a device can do something. And then again, for it may have changed.
    refuse_all_but_files(&fs::metadata(path).map_err(unreadable)?).map_err(unreadable)?;
    let no_wait = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = fs::OpenOptions::new().read(true).custom_flags(no_wait).open(path).map_err(unreadable)?;
    refuse_all_but_files(&file.metadata().map_err(unreadable)?).map_err(unreadable)?;
    Ok(file)
}

/// Says what something is that cannot be a package file, or that could keep us waiting.
fn refuse_all_but_files(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() { "it is a directory" } else { "it is not a regular file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// What the kernel calls an open file.
fn name_of(descriptor: c_int) -> PathBuf {
    fs::read_link(format!("/proc/self/fd/{descriptor}"))
        .unwrap_or_else(|_| PathBuf::from(format!("(descriptor {descriptor})")))
}
