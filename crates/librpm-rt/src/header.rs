// SPDX-License-Identifier: LGPL-2.1-or-later
//! One package's header, and what is read from it.

use std::ffi::{CStr, OsStr, c_void};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr::NonNull;

use rpm_meta::{Dependency, Evr, Package};

use crate::Error;
use crate::ffi::{HEADERGET_MINMEM, Hdr, RPMFILE_GHOST, RPMSENSE_TRIGGERIN, Td, tag};
use crate::library::Librpm;
use crate::package_file::owned_text;

/// What a header says of a package, where it is not only what the package is but what it does to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderContents {
    /// The package, with its Provides and files.
    pub package: Package,
    /// What it requires, `rpmlib(...)` included.
    pub requires: Vec<Dependency>,
    /// What it obsoletes.
    pub obsoletes: Vec<Dependency>,
}

/// The longest path of a file that is taken, in bytes: PATH_MAX. rpm can install no longer one.
const LONGEST_PATH: usize = 4096;

/// The most dependencies of one kind that are taken. A kernel provides some 30,000 symbols.
const DEPENDENCIES: usize = 1 << 19;

/// The most that paths of a package's files may take together, in bytes. Those of kernel-source have five million.
const PATHS: usize = 64 << 20;

/// A header in librpm's memory.
pub(crate) struct Header<'a> {
    rpm: Librpm,
    raw: NonNull<Hdr>,
    owner: PhantomData<&'a ()>,
}

impl Librpm {
    /// Reads a header that the host owns, such as one from `rpmteHeader` or `rpmReadPackageFile`, and keeps nothing of it.
    /// Files are listed for directories that `keep` accepts, as with [`Database::package`](crate::Database::package).
    ///
    /// # Safety
    /// `header` is null (an error) or a live `Header` of the same librpm.
    pub unsafe fn borrowed_header(
        &self,
        header: *mut c_void,
        keep: &dyn Fn(&[u8]) -> bool,
    ) -> Result<HeaderContents, Error> {
        let wrong = |reason: String| Error::Header { reason };
        let raw = NonNull::new(header.cast()).ok_or_else(|| wrong("there is none".to_owned()))?;
        // SAFETY: live by contract, and used during this call only.
        let header = unsafe { Header::new(*self, raw) };
        header.contents(keep).map_err(wrong)
    }
}

impl Header<'_> {
    /// # Safety
    /// The header lives as long as the lifetime that the caller gives the result.
    pub(crate) unsafe fn new(rpm: Librpm, raw: NonNull<Hdr>) -> Self {
        Header { rpm, raw, owner: PhantomData }
    }

    /// Reads the package. Files are taken from the directories that `keep` accepts. Err: what is wrong with the header.
    pub(crate) fn package(
        &self,
        instance: Option<u32>,
        keep: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Package, String> {
        let needed = |tag, name: &str| self.string(tag).ok_or_else(|| format!("the package has no {name}"));
        let (files, ghosts) = self.files(keep)?;
        Ok(Package {
            instance,
            name: needed(tag::NAME, "name")?,
            evr: Evr {
                epoch: self.epoch(),
                version: needed(tag::VERSION, "version")?,
                release: needed(tag::RELEASE, "release")?,
            },
            arch: self.string(tag::ARCH).unwrap_or_default(),
            provides: self.dependencies(
                "Provides",
                tag::PROVIDENAME,
                tag::PROVIDEFLAGS,
                tag::PROVIDEVERSION,
            )?,
            files,
            ghosts,
            source: self.string(tag::SOURCERPM).unwrap_or_default(),
            vendor: self.string(tag::VENDOR).unwrap_or_default(),
            disturl: self.string(tag::DISTURL).unwrap_or_default(),
            triggers: self.triggers(),
            scriptlets: [tag::POSTIN, tag::POSTTRANS]
                .into_iter()
                .filter_map(|tag| self.string(tag))
                .collect::<Vec<_>>()
                .join("\n"),
        })
    }

    /// A tag's text; None: the header has no such tag.
    pub(crate) fn string(&self, tag: i32) -> Option<String> {
        // SAFETY: the header is live.
        let value = unsafe { (self.rpm.functions().headerGetString)(self.raw.as_ptr(), tag) };
        if value.is_null() {
            return None;
        }
        // SAFETY: not null; the string ends in NUL and lives in the header.
        Some(unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
    }

    /// The texts of a tag that has several, as they are.
    pub(crate) fn byte_strings(&self, tag: i32) -> Vec<Vec<u8>> {
        let mut texts = Vec::new();
        let Some(mut values) = Values::of(self, tag) else { return texts };
        while let Some(text) = values.next_string() {
            texts.push(text.to_owned());
        }
        texts
    }

    /// The same for people.
    pub(crate) fn strings(&self, tag: i32) -> Vec<String> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.byte_strings(tag).iter().map(text).collect()
    }

    /// A tag's bytes.
    pub(crate) fn bytes(&self, tag: i32) -> Option<Vec<u8>> {
        // SAFETY: the header is live; the text (the bytes in hexadecimal digits) is for us to free.
        let text = unsafe { (self.rpm.functions().headerGetAsString)(self.raw.as_ptr(), tag) };
        from_hex(&owned_text(text)?)
    }

    /// A tag's first number.
    pub(crate) fn number(&self, tag: i32) -> Option<u32> {
        Values::of(self, tag)?.next_number()
    }

    fn epoch(&self) -> Option<u32> {
        // SAFETY: the header is live.
        let is_there = unsafe { (self.rpm.functions().headerIsEntry)(self.raw.as_ptr(), tag::EPOCH) } != 0;
        // SAFETY: the header is live.
        let epoch = unsafe { (self.rpm.functions().headerGetNumber)(self.raw.as_ptr(), tag::EPOCH) };
        is_there.then(|| u32::try_from(epoch).unwrap_or(u32::MAX))
    }

    /// All that is read from a header here. Err: what is wrong with it.
    pub(crate) fn contents(&self, keep: &dyn Fn(&[u8]) -> bool) -> Result<HeaderContents, String> {
        Ok(HeaderContents {
            package: self.package(None, keep)?,
            requires: self.requires()?,
            obsoletes: self.obsoletes()?,
        })
    }

    pub(crate) fn requires(&self) -> Result<Vec<Dependency>, String> {
        self.dependencies("Requires", tag::REQUIRENAME, tag::REQUIREFLAGS, tag::REQUIREVERSION)
    }

    pub(crate) fn obsoletes(&self) -> Result<Vec<Dependency>, String> {
        self.dependencies("Obsoletes", tag::OBSOLETENAME, tag::OBSOLETEFLAGS, tag::OBSOLETEVERSION)
    }

    fn dependencies(
        &self,
        what: &str,
        names: i32,
        flags: i32,
        versions: i32,
    ) -> Result<Vec<Dependency>, String> {
        let Some(mut names) = Values::of(self, names) else { return Ok(Vec::new()) };
        let mut flags = Values::of(self, flags);
        let mut versions = Values::of(self, versions);
        // Before rpm 4 a list could come without flags and versions.
        if flags.iter().chain(&versions).any(|values| values.len() != names.len()) {
            return Err(format!("its {what} are not as many as their flags or versions"));
        }
        if names.len() > DEPENDENCIES {
            return Err(format!("its {what} are {}, and no more than {DEPENDENCIES} are taken", names.len()));
        }
        let mut found = Vec::with_capacity(names.len());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        while let Some(name) = names.next_string().map(text) {
            let flags = flags.as_mut().and_then(Values::next_number).unwrap_or(0);
            let evr = versions.as_mut().and_then(Values::next_string).map(text).unwrap_or_default();
            found.push(Dependency { name, flags, evr });
        }
        Ok(found)
    }

    /// What the triggers wait for that are run when something is installed.
    fn triggers(&self) -> Vec<String> {
        let kinds = [
            (tag::TRIGGERNAME, tag::TRIGGERFLAGS),
            (tag::FILETRIGGERNAME, tag::FILETRIGGERFLAGS),
            (tag::TRANSFILETRIGGERNAME, tag::TRANSFILETRIGGERFLAGS),
        ];
        let mut found = Vec::new();
        for (names, flags) in kinds {
            let (Some(mut names), Some(mut flags)) = (Values::of(self, names), Values::of(self, flags))
            else {
                continue;
            };
            while let (Some(name), Some(flags)) = (names.next_string(), flags.next_number()) {
                if flags & RPMSENSE_TRIGGERIN != 0 {
                    found.push(String::from_utf8_lossy(name).into_owned());
                }
            }
        }
        found
    }

    /// Files, and those of them that are ghosts.
    fn files(&self, keep: &dyn Fn(&[u8]) -> bool) -> Result<(Vec<PathBuf>, Vec<PathBuf>), String> {
        let none = || Ok((Vec::new(), Vec::new()));
        let Some(mut names) = Values::of(self, tag::DIRNAMES) else { return none() };
        let mut dirs = Vec::with_capacity(names.len());
        while let Some(name) = names.next_string() {
            if name.len() > LONGEST_PATH {
                return Err(format!("a directory in it has a name of {} bytes", name.len()));
            }
            dirs.push(keep(name).then(|| name.to_owned()));
        }
        if dirs.iter().all(Option::is_none) {
            return none();
        }
        let (Some(mut indexes), Some(mut basenames)) =
            (Values::of(self, tag::DIRINDEXES), Values::of(self, tag::BASENAMES))
        else {
            return Err("its list of files lacks names or directories".to_owned());
        };
        // Before rpm 4 there could be none.
        let mut flags = Values::of(self, tag::FILEFLAGS);
        let (mut files, mut ghosts, mut left) = (Vec::new(), Vec::new(), PATHS);
        for number in 0..basenames.len() {
            let flags = flags.as_mut().and_then(Values::next_number).unwrap_or(0);
            let index = indexes.next_number().and_then(|index| usize::try_from(index).ok());
            let dir = index.and_then(|index| dirs.get(index)).ok_or("a file of it is in no directory")?;
            if let Some(dir) = dir {
                let base = basenames.string_at(number).ok_or("a file of it has no name")?;
                let len = dir.len() + base.len();
                left = left.checked_sub(len).filter(|_| len <= LONGEST_PATH).ok_or_else(|| {
                    format!("paths of its files have more than {LONGEST_PATH} bytes, or {PATHS} in all")
                })?;
                let path = PathBuf::from(OsStr::from_bytes(&[dir.as_slice(), base].concat()));
                if flags & RPMFILE_GHOST != 0 {
                    ghosts.push(path.clone());
                }
                files.push(path);
            }
        }
        Ok((files, ghosts))
    }
}

/// Bytes from hexadecimal digits.
pub(crate) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    text.len().is_multiple_of(2).then(|| text.chunks_exact(2).map(pair).collect())?
}

/// The values of one tag. They live in the header where they can, and in the container else.
pub(crate) struct Values<'a> {
    rpm: Librpm,
    raw: NonNull<Td>,
    owner: PhantomData<&'a ()>,
}

impl<'a> Values<'a> {
    /// None: the header has no such tag.
    pub(crate) fn of(header: &'a Header<'_>, tag: i32) -> Option<Values<'a>> {
        // SAFETY: takes nothing, returns an empty container for us to free.
        let raw = NonNull::new(unsafe { (header.rpm.functions().rpmtdNew)() })?;
        let values = Values { rpm: header.rpm, raw, owner: PhantomData };
        let get = header.rpm.functions().headerGet;
        // SAFETY: header and container are live; the header outlives the container by the lifetime.
        let found = unsafe { get(header.raw.as_ptr(), tag, raw.as_ptr(), HEADERGET_MINMEM) };
        (found != 0).then_some(values)
    }

    fn len(&self) -> usize {
        // SAFETY: the container is live.
        let count = unsafe { (self.rpm.functions().rpmtdCount)(self.raw.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    pub(crate) fn next_string(&mut self) -> Option<&[u8]> {
        // SAFETY: the container is live.
        let value = unsafe { (self.rpm.functions().rpmtdNextString)(self.raw.as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: not null; the string ends in NUL and lives as long as the container's data.
        Some(unsafe { CStr::from_ptr(value) }.to_bytes())
    }

    fn string_at(&mut self, number: usize) -> Option<&[u8]> {
        let number = i32::try_from(number).ok()?;
        // SAFETY: the container is live; a number out of range is refused with -1.
        if unsafe { (self.rpm.functions().rpmtdSetIndex)(self.raw.as_ptr(), number) } < 0 {
            return None;
        }
        // SAFETY: the container is live.
        let value = unsafe { (self.rpm.functions().rpmtdGetString)(self.raw.as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: not null; the string ends in NUL and lives as long as the container's data.
        Some(unsafe { CStr::from_ptr(value) }.to_bytes())
    }

    pub(crate) fn next_number(&mut self) -> Option<u32> {
        // SAFETY: the container is live.
        let value = unsafe { (self.rpm.functions().rpmtdNextUint32)(self.raw.as_ptr()) };
        // SAFETY: null, or a number in the container's data.
        unsafe { value.as_ref() }.copied()
    }
}

impl Drop for Values<'_> {
    fn drop(&mut self) {
        // SAFETY: the container is live; what it holds is its own or the header's, which it tells apart.
        unsafe { (self.rpm.functions().rpmtdFreeData)(self.raw.as_ptr()) };
        // SAFETY: freed once, and not used after.
        unsafe { (self.rpm.functions().rpmtdFree)(self.raw.as_ptr()) };
    }
}
