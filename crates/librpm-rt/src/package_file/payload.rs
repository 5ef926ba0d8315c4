// SPDX-License-Identifier: LGPL-2.1-or-later
//! The files of a payload, and its archive, read through librpm.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_int, c_void};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{NonNull, null, null_mut};

use super::PackageFile;
use super::stream::{Stream, owned_text};
use crate::Error;
use crate::ffi::{
    FileIter, Files, PackageFunctions, RPMERR_ITER_END, RPMFI_ITER_READ_ARCHIVE, RPMFI_LEAST, RPMFILE_GHOST,
};

/// Contents are read in pieces of this size, so that a size which only the header claims takes no memory.
const PIECE: u64 = 1 << 20;

/// Longer than any link's target. librpm believes the header's word for it, and ends the process where memory runs out.
const LONGEST_LINK: u64 = 1 << 16;

/// The list of files in a header. A file's number is its place there.
pub(super) struct FileList<'a> {
    package: &'a PackageFile,
    raw: NonNull<Files>,
}

impl<'a> FileList<'a> {
    pub(super) fn of(package: &'a PackageFile) -> Result<FileList<'a>, Error> {
        let new = package.functions.rpmfilesNew;
        let (raw, errors) = package.rpm.listen(|| {
            // SAFETY: the header is live; null stands for a pool of strings of its own, 0 is unused.
            NonNull::new(unsafe { new(null_mut(), package.header.raw.as_ptr(), 0, RPMFI_LEAST) })
        });
        raw.map(|raw| FileList { package, raw }).ok_or_else(|| {
            package.error("the list of files", errors.unwrap_or_else(|| "librpm refuses it".into()))
        })
    }

    /// Numbers and paths of the wanted files that are in the payload.
    pub(super) fn wanted(&self, wanted: &dyn Fn(&Path) -> bool) -> Result<HashMap<c_int, PathBuf>, Error> {
        let functions = self.package.functions;
        // SAFETY: the list is live.
        let count = unsafe { (functions.rpmfilesFC)(self.raw.as_ptr()) };
        let mut found = HashMap::new();
        for number in 0..c_int::try_from(count).unwrap_or(c_int::MAX) {
            // SAFETY: the list is live, and the number below its count.
            let mode = unsafe { (functions.rpmfilesFMode)(self.raw.as_ptr(), number) };
            let kind = u32::from(mode) & libc::S_IFMT;
            if kind == libc::S_IFLNK && self.size(number) > LONGEST_LINK {
                let reason = format!("a symbolic link in it claims {} bytes", self.size(number));
                return Err(self.package.error("the list of files", reason));
            }
            // SAFETY: as above.
            let flags = unsafe { (functions.rpmfilesFFlags)(self.raw.as_ptr(), number) };
            if kind != libc::S_IFREG || flags & RPMFILE_GHOST != 0 {
                continue;
            }
            if let Some(path) = self.path(number).filter(|path| wanted(path)) {
                found.insert(number, path);
            }
        }
        Ok(found)
    }

    pub(super) fn path(&self, number: c_int) -> Option<PathBuf> {
        // SAFETY: the list is live; a number out of range gives null.
        let text = unsafe { (self.package.functions.rpmfilesFN)(self.raw.as_ptr(), number) };
        owned_text(text).map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)))
    }

    pub(super) fn size(&self, number: c_int) -> u64 {
        // SAFETY: the list is live; a number out of range gives 0.
        unsafe { (self.package.functions.rpmfilesFSize)(self.raw.as_ptr(), number) }
    }

    /// The file and its hard links.
    pub(super) fn links(&self, number: c_int) -> Vec<c_int> {
        let mut links: *const c_int = null();
        // SAFETY: the list is live; librpm writes a pointer to as many numbers as it returns, or none.
        let count =
            unsafe { (self.package.functions.rpmfilesFLinks)(self.raw.as_ptr(), number, &raw mut links) };
        match usize::try_from(count) {
            // SAFETY: librpm keeps that many numbers as long as the list; they are copied at once.
            Ok(count) if count > 1 && !links.is_null() => unsafe {
                std::slice::from_raw_parts(links, count).to_vec()
            },
            _ => vec![number],
        }
    }
}

impl Drop for FileList<'_> {
    fn drop(&mut self) {
        // SAFETY: our reference is given up once, and not used after.
        unsafe { (self.package.functions.rpmfilesFree)(self.raw.as_ptr()) };
    }
}

/// A payload being read. Its fields are dropped in their order: the reader, then what it reads from.
pub(super) struct Archive<'a> {
    package: &'a PackageFile,
    reader: Reader<'a>,
    stream: Stream,
}

pub(super) struct Reader<'a> {
    functions: &'static PackageFunctions,
    raw: NonNull<FileIter>,
    files: PhantomData<&'a ()>,
}

impl<'a> Archive<'a> {
    /// Opens the payload where the package file stands.
    pub(super) fn open(
        package: &'a PackageFile,
        files: &'a FileList<'_>,
        mode: &CStr,
    ) -> Result<Archive<'a>, Error> {
        let functions = package.functions;
        let (opened, errors) = package.rpm.listen(|| {
            let stream = Stream::of(functions, &package.file)?;
            if !stream.inflate(mode) {
                return Err(format!("librpm cannot open it as {}", &mode.to_string_lossy()[2..]));
            }
            let new = functions.rpmfiNewArchiveReader;
            // SAFETY: both are live; the reader makes references of its own to them.
            let raw = unsafe { new(stream.raw.as_ptr(), files.raw.as_ptr(), RPMFI_ITER_READ_ARCHIVE) };
            let raw = NonNull::new(raw).ok_or("librpm made no reader")?;
            Ok((stream, Reader { functions, raw, files: PhantomData }))
        });
        match opened {
            Ok((stream, reader)) => Ok(Archive { package, reader, stream }),
            Err(reason) => Err(package.error("the payload", errors.unwrap_or(reason))),
        }
    }

    /// Goes to the next file. There must be one, since some are missing yet.
    pub(super) fn next(&mut self, missing: &HashMap<c_int, PathBuf>) -> Result<c_int, Error> {
        let reader = &self.reader;
        // SAFETY: the reader is live.
        let (code, errors) =
            self.package.rpm.listen(|| unsafe { (reader.functions.rpmfiNext)(reader.raw.as_ptr()) });
        if code >= 0 {
            // SAFETY: the reader is live.
            return Ok(unsafe { (reader.functions.rpmfiFX)(reader.raw.as_ptr()) });
        }
        let mut reason = errors.or_else(|| self.stream.fault()).unwrap_or_else(|| self.meaning(code));
        if let Some(path) = missing.values().min() {
            reason = format!("{reason} (before {} was found)", path.display());
        }
        Err(self.package.error("the payload", reason))
    }

    /// What librpm means by a code.
    pub(super) fn meaning(&self, code: c_int) -> String {
        if code == RPMERR_ITER_END {
            return "it ends too early".to_owned();
        }
        // SAFETY: takes a number.
        let text = self.package.functions.rpmfileStrerror.map_or(null_mut(), |text| unsafe { text(code) });
        let text = owned_text(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        text.unwrap_or_else(|| format!("librpm says {code}"))
    }

    /// Whether contents follow: not those of a directory, nor of a hard link but the last.
    pub(super) fn has_content(&self) -> bool {
        // SAFETY: the reader is live.
        unsafe { (self.reader.functions.rpmfiArchiveHasContent)(self.reader.raw.as_ptr()) != 0 }
    }

    /// Reads the contents of the file at hand, which the header says are so many bytes.
    pub(super) fn read(&mut self, path: &Path, size: u64) -> Result<Vec<u8>, Error> {
        let mut contents = Vec::new();
        let what = || format!("{} in the payload", path.display());
        loop {
            let left = size - contents.len() as u64;
            if left == 0 {
                return Ok(contents);
            }
            let piece = usize::try_from(left.min(PIECE)).unwrap_or(0);
            let start = contents.len();
            contents
                .try_reserve(piece)
                .map_err(|_| self.package.error(&what(), format!("no memory for its {size} bytes")))?;
            contents.resize(start + piece, 0);
            let space = contents.as_mut_ptr_range().start.wrapping_add(start).cast::<c_void>();
            let reader = &self.reader;
            // SAFETY: the reader is live; `piece` bytes are there to be written.
            let (read, errors) = self
                .package
                .rpm
                .listen(|| unsafe { (reader.functions.rpmfiArchiveRead)(reader.raw.as_ptr(), space, piece) });
            if usize::try_from(read) != Ok(piece) {
                let reason = errors.or_else(|| self.stream.fault());
                let reason = reason.unwrap_or_else(|| format!("it ends before its {size} bytes"));
                return Err(self.package.error(&what(), reason));
            }
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.functions.rpmfiFree)(self.raw.as_ptr()) };
    }
}
