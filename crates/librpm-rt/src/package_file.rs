// SPDX-License-Identifier: LGPL-2.1-or-later
//! A package file: its header, and files from its payload.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::{NonNull, null, null_mut};

use rpm_meta::{Dependency, Package};

use crate::Error;
use crate::ffi::{
    Fd, FileIter, Files, Hdr, PackageFunctions, RPMERR_ITER_END, RPMFI_ITER_READ_ARCHIVE, RPMFI_LEAST,
    RPMFILE_GHOST, RPMRC_NOKEY, RPMRC_NOTFOUND, RPMRC_NOTTRUSTED, RPMRC_OK, RPMVSF_NO_DIGESTS_OR_SIGNATURES,
    tag,
};
use crate::header::{Header, HeaderContents};
use crate::library::Librpm;

/// What librpm may call a payload's compression. Each is also its name for the reader; "no tag" means gzip, whose reader takes
/// uncompressed data too. Which of them a librpm can read depends on how it was built.
const COMPRESSORS: [&CStr; 5] = [c"r.gzip", c"r.bzip2", c"r.lzma", c"r.xz", c"r.zstd"];

/// Contents are read in pieces of this size, so that a size which only the header claims takes no memory.
const PIECE: u64 = 1 << 20;

/// Longer than any link's target. librpm believes the header's word for it, and ends the process where memory runs out.
const LONGEST_LINK: u64 = 1 << 16;

/// Takes a file of a payload: all its wanted paths (several for hard links), and its contents.
pub type TakeFile<'t> = dyn FnMut(&[PathBuf], Vec<u8>) -> ControlFlow<()> + 't;

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
        let unreadable = |source| Error::UnreadablePackage { path: path.to_owned(), source };
        // Looked at first, for even to open a device can do something. And then again, for it may have changed.
        refuse_all_but_files(&fs::metadata(path).map_err(unreadable)?).map_err(unreadable)?;
        let no_wait = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = fs::OpenOptions::new().read(true).custom_flags(no_wait).open(path).map_err(unreadable)?;
        PackageFile::read(rpm, file, path.to_owned())
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

    fn header(&self) -> Header<'_> {
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

/// Lets librpm read a header. It leaves the file at the payload. Err: what happened, if librpm did not say it.
fn read_header(
    rpm: Librpm,
    functions: &'static PackageFunctions,
    file: &File,
) -> Result<OwnedHeader, String> {
    let stream = Stream::of(functions, file)?;
    let settings = Settings::new(rpm, functions)?;
    let mut raw: *mut Hdr = null_mut();
    // SAFETY: all are live; null lets librpm name the file itself; it writes a header that is ours, or null.
    let code = unsafe {
        (functions.rpmReadPackageFile)(settings.ts.as_ptr(), stream.raw.as_ptr(), null(), &raw mut raw)
    };
    let header = NonNull::new(raw).map(|raw| OwnedHeader { functions, raw });
    match header {
        Some(header) if [RPMRC_OK, RPMRC_NOTTRUSTED, RPMRC_NOKEY].contains(&code) => Ok(header),
        _ if code == RPMRC_NOTFOUND => Err("it is not an rpm package".to_owned()),
        _ => Err(format!("librpm says {code}")),
    }
}

/// A transaction set that only says how package files are to be read. It opens no database.
struct Settings {
    rpm: Librpm,
    ts: NonNull<crate::ffi::Ts>,
}

impl Settings {
    fn new(rpm: Librpm, functions: &PackageFunctions) -> Result<Settings, String> {
        // SAFETY: takes nothing, returns a transaction set for us to free.
        let ts = NonNull::new(unsafe { (rpm.functions().rpmtsCreate)() });
        let settings = Settings { rpm, ts: ts.ok_or("librpm made no transaction set")? };
        let ts = settings.ts.as_ptr();
        // SAFETY: ts is live.
        unsafe { (rpm.functions().rpmtsSetVSFlags)(ts, RPMVSF_NO_DIGESTS_OR_SIGNATURES) };
        // Without a keyring librpm would load its own, and for that open (or even create) the database.
        // SAFETY: takes nothing, returns a keyring for us to free.
        let keyring = unsafe { (functions.rpmKeyringNew)() };
        // SAFETY: both are live; the transaction set makes a reference of its own.
        let code = unsafe { (functions.rpmtsSetKeyring)(ts, keyring) };
        // SAFETY: our reference is given up once, and not used after.
        unsafe { (functions.rpmKeyringFree)(keyring) };
        if code == 0 { Ok(settings) } else { Err("librpm takes no keyring".to_owned()) }
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.rpm.functions().rpmtsFree)(self.ts.as_ptr()) };
    }
}

/// A header of ours.
struct OwnedHeader {
    functions: &'static PackageFunctions,
    raw: NonNull<Hdr>,
}

impl Drop for OwnedHeader {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.functions.headerFree)(self.raw.as_ptr()) };
    }
}

/// A file's position, put back when dropped.
struct Place<'a> {
    file: &'a File,
    position: u64,
}

impl Place<'_> {
    fn keep(file: &File) -> io::Result<Place<'_>> {
        let mut file_itself = file;
        let position = file_itself.stream_position()?;
        Ok(Place { file, position })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // It was there before, so it can go there again.
        let mut file = self.file;
        let _regular_files_can_seek = file.seek(SeekFrom::Start(self.position));
    }
}

/// librpm's `FD_t`, on a descriptor of its own that shares the file's position.
struct Stream {
    functions: &'static PackageFunctions,
    raw: NonNull<Fd>,
}

impl Stream {
    fn of(functions: &'static PackageFunctions, file: &File) -> Result<Stream, String> {
        // SAFETY: takes an open descriptor, and duplicates it.
        let raw = NonNull::new(unsafe { (functions.fdDup)(file.as_raw_fd()) });
        raw.map(|raw| Stream { functions, raw }).ok_or_else(|| io::Error::last_os_error().to_string())
    }

    /// Inflates from now on what is read. False: librpm cannot.
    fn inflate(&self, mode: &CStr) -> bool {
        // SAFETY: the stream is live, and stays the same: librpm only puts a layer on it.
        let same = unsafe { (self.functions.Fdopen)(self.raw.as_ptr(), mode.as_ptr()) };
        same == self.raw.as_ptr()
    }

    /// What went wrong in it, if anything did.
    fn fault(&self) -> Option<String> {
        // SAFETY: the stream is live.
        if unsafe { (self.functions.Ferror)(self.raw.as_ptr()) } == 0 {
            return None;
        }
        // SAFETY: the stream is live; the text lives until it is used again, and is copied at once.
        let text = unsafe { (self.functions.Fstrerror)(self.raw.as_ptr()) };
        if text.is_null() {
            return None;
        }
        // SAFETY: not null, and ends in NUL.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
        (!text.is_empty()).then_some(text)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: closed and freed once, and not used after.
        unsafe { (self.functions.Fclose)(self.raw.as_ptr()) };
    }
}

/// The list of files in a header. A file's number is its place there.
struct FileList<'a> {
    package: &'a PackageFile,
    raw: NonNull<Files>,
}

impl<'a> FileList<'a> {
    fn of(package: &'a PackageFile) -> Result<FileList<'a>, Error> {
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
    fn wanted(&self, wanted: &dyn Fn(&Path) -> bool) -> Result<HashMap<c_int, PathBuf>, Error> {
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

    fn path(&self, number: c_int) -> Option<PathBuf> {
        // SAFETY: the list is live; a number out of range gives null.
        let text = unsafe { (self.package.functions.rpmfilesFN)(self.raw.as_ptr(), number) };
        owned_text(text).map(|bytes| PathBuf::from(OsStr::from_bytes(&bytes)))
    }

    fn size(&self, number: c_int) -> u64 {
        // SAFETY: the list is live; a number out of range gives 0.
        unsafe { (self.package.functions.rpmfilesFSize)(self.raw.as_ptr(), number) }
    }

    /// The file and its hard links.
    fn links(&self, number: c_int) -> Vec<c_int> {
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
struct Archive<'a> {
    package: &'a PackageFile,
    reader: Reader<'a>,
    stream: Stream,
}

struct Reader<'a> {
    functions: &'static PackageFunctions,
    raw: NonNull<FileIter>,
    files: PhantomData<&'a ()>,
}

impl<'a> Archive<'a> {
    /// Opens the payload where the package file stands.
    fn open(package: &'a PackageFile, files: &'a FileList<'_>, mode: &CStr) -> Result<Archive<'a>, Error> {
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
    fn next(&mut self, missing: &HashMap<c_int, PathBuf>) -> Result<c_int, Error> {
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
    fn meaning(&self, code: c_int) -> String {
        if code == RPMERR_ITER_END {
            return "it ends too early".to_owned();
        }
        // SAFETY: takes a number.
        let text = self.package.functions.rpmfileStrerror.map_or(null_mut(), |text| unsafe { text(code) });
        let text = owned_text(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        text.unwrap_or_else(|| format!("librpm says {code}"))
    }

    /// Whether contents follow: not those of a directory, nor of a hard link but the last.
    fn has_content(&self) -> bool {
        // SAFETY: the reader is live.
        unsafe { (self.reader.functions.rpmfiArchiveHasContent)(self.reader.raw.as_ptr()) != 0 }
    }

    /// Reads the contents of the file at hand, which the header says are so many bytes.
    fn read(&mut self, path: &Path, size: u64) -> Result<Vec<u8>, Error> {
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

/// A text that librpm allocated for us.
fn owned_text(text: *mut c_char) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and ends in NUL.
    let copy = unsafe { CStr::from_ptr(text) }.to_bytes().to_vec();
    // SAFETY: librpm allocated it with malloc for us, and it is not used after this.
    unsafe { libc::free(text.cast()) };
    Some(copy)
}
