// SPDX-License-Identifier: LGPL-2.1-or-later
//! An open rpm database: which packages own what.

use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use rpm_meta::Package;

use crate::Error;
use crate::ffi::{RPMVSF_MASK_NOSIGNATURES, Ts, tag};
use crate::header::Header;
use crate::iterator::{Index, Matches};
use crate::library::Librpm;
use crate::locate::{self, Format, Location};
use crate::lock::{self, Identity};
use crate::ndb;

/// The database files that this process has open through this crate. Also held while opening: librpm gets the
/// database's place by a macro, which all threads share.
static OPEN: Mutex<Vec<Identity>> = Mutex::new(Vec::new());

/// A directory in which packages own something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedDir {
    /// Its absolute path as rpm stores it, with a slash at the end.
    pub name: Vec<u8>,
    /// The packages that own something in it, by their instances (the database's numbers of headers), each once.
    pub owners: Vec<u32>,
}

impl Librpm {
    /// Opens the rpm database of the root directory `root`, read-only.
    ///
    /// It is looked for in these directories *below the root*, where symbolic links are resolved as well: this system's
    /// `%_dbpath`, as `rpm --root` does; `/usr/lib/sysimage/rpm`; `/usr/share/rpm`; `/var/lib/rpm`. The first that
    /// holds a database file wins. (Debian's `%_dbpath` is `~/.rpmdb`, which rarely holds one.) If a directory has
    /// databases of several formats, the one that rpm is configured for (`%_db_backend`) wins.
    pub fn open(&self, root: &Path) -> Result<Database, Error> {
        Database::open(*self, root, None)
    }

    /// Like [`open`](Self::open), but if `dbpath` is given, the database is in that directory, an absolute path below the
    /// root.
    pub fn open_with(&self, root: &Path, dbpath: Option<&Path>) -> Result<Database, Error> {
        Database::open(*self, root, dbpath)
    }
}

/// An rpm database, open for reading; closed when dropped. It cannot be sent to another thread. Made by
/// [`Librpm::open`] and [`Librpm::open_with`].
///
/// Packages are identified by their *instance*, the number of the header in the database. A call returns a complete
/// answer or an error: it fails if a header that an index names cannot be loaded, or if librpm logs an error.
pub struct Database {
    rpm: Librpm,
    ts: NonNull<Ts>,
    file: PathBuf,
    identity: Identity,
}

impl Database {
    pub(crate) fn open(rpm: Librpm, root: &Path, dbpath: Option<&Path>) -> Result<Database, Error> {
        let wrong = |path: &Path, what, reason: String| Error::Path { path: path.to_owned(), what, reason };
        let root =
            root.canonicalize().map_err(|error| wrong(root, "the root directory", error.to_string()))?;
        let candidates = match dbpath {
            Some(path) if path.is_absolute() => vec![path.to_owned()],
            Some(path) => {
                let reason = "it must be an absolute path, as seen from the root".to_owned();
                return Err(wrong(path, "the database's directory", reason));
            }
            None => {
                let configured = PathBuf::from(rpm.expand(c"%{?_dbpath}"));
                let configured = configured.is_absolute().then_some(configured);
                configured.into_iter().chain(locate::USUAL.map(PathBuf::from)).collect()
            }
        };
        let configured = rpm.expand(c"%{?_db_backend}");
        let preferred =
            Format::ALL.into_iter().find(|format| configured.as_bytes() == format.backend().to_bytes());
        let Location { dir, file, format } = locate::locate(&root, &candidates, preferred)?;
        if dir.as_os_str().as_bytes().contains(&b'%') {
            let reason = "rpm would take the % in it for a macro".to_owned();
            return Err(wrong(&dir, "the database's directory", reason));
        }
        let unreadable = |source| Error::Unreadable { path: file.clone(), source };
        let body = CString::new(dir.as_os_str().as_bytes()).map_err(|error| unreadable(error.into()))?;

        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = lock::identity(&file).map_err(unreadable)?;
        // As a guest the host may have it open, and looking at the locks would drop the host's own.
        if !rpm.is_guest() && !open.contains(&identity) {
            lock::wait_until_readable(&file, format)?;
        }
        if format == Format::Ndb
            && let Some(reason) = ndb::fault(&file).map_err(unreadable)?
        {
            return Err(Error::Open { path: file, reason });
        }
        // SAFETY: takes nothing, returns a transaction set for us to free.
        let ts = NonNull::new(unsafe { (rpm.functions().rpmtsCreate)() }).ok_or_else(|| Error::Open {
            path: file.clone(),
            reason: "librpm made no transaction set".into(),
        })?;
        open.push(identity);
        // From here on, dropping it undoes everything.
        let database = Database { rpm, ts, file, identity };
        // SAFETY: ts is live.
        unsafe { (rpm.functions().rpmtsSetVSFlags)(ts.as_ptr(), RPMVSF_MASK_NOSIGNATURES) };
        // SAFETY: ts is live; librpm copies the string. The real root goes into the database's path instead: it
        // was resolved below the root, which librpm would do only after a chroot.
        unsafe { (rpm.functions().rpmtsSetRootDir)(ts.as_ptr(), c"/".as_ptr()) };
        let (code, errors) = {
            let _dbpath = rpm.define(c"_dbpath", &body);
            // Else librpm could choose another format, and create a database of it beside this one.
            let _backend = rpm.define(c"_db_backend", format.backend());
            let open_db = rpm.functions().rpmtsOpenDB;
            // SAFETY: ts is live.
            rpm.listen(|| unsafe { open_db(ts.as_ptr(), libc::O_RDONLY) })
        };
        drop(open);
        if code != 0 || errors.is_some() {
            let mut reason = errors.unwrap_or_else(|| format!("librpm says {code}"));
            let log = database.file.with_extension("sqlite-shm");
            if format == Format::Sqlite && !log.exists() {
                let hint =
                    "; its -wal and -shm files are missing, and whoever opens it must be able to create them";
                reason.push_str(hint);
            }
            return Err(Error::Open { path: database.file.clone(), reason });
        }
        database.refuse_false_emptiness(format)?;
        Ok(database)
    }

    /// A database without packages may be one that librpm could not read and did not say so.
    fn refuse_false_emptiness(&self, format: Format) -> Result<(), Error> {
        let any = self.scan(tag::NAME, "the names of packages", false, |index| index.next().is_some())?;
        if any {
            return Ok(());
        }
        // Without the code for a format, librpm opens a dummy. It shows by its not having the file open.
        if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
            let is_open = descriptors
                .flatten()
                .any(|descriptor| lock::identity(&descriptor.path()).is_ok_and(|id| id == self.identity));
            if !is_open {
                let soname = self.rpm.soname().to_owned();
                return Err(Error::Format { path: self.file.clone(), format: format.name(), soname });
            }
        }
        let unreadable = |source| Error::Unreadable { path: self.file.clone(), source };
        if format == Format::Ndb && ndb::holds_packages(&self.file).map_err(unreadable)? {
            let reason = "it holds packages that its index does not name".to_owned();
            return Err(Error::Open { path: self.file.clone(), reason });
        }
        Ok(())
    }

    /// The path of the database's main file, as seen by this process (not below the root).
    pub fn path(&self) -> &Path {
        &self.file
    }

    /// The instances of the packages that own something directly in the directory `dir`. It is written as rpm does:
    /// absolute, with a slash at the end, such as `b"/usr/lib/modules/6.4.0-default/updates/"`.
    ///
    /// This is one lookup in the Dirnames index; only the owners' headers are loaded.
    pub fn owners_of_dir(&self, dir: &[u8]) -> Result<Vec<u32>, Error> {
        self.instances(tag::DIRNAMES, dir)
    }

    /// The instances of the packages with this name.
    pub fn by_name(&self, name: &str) -> Result<Vec<u32>, Error> {
        self.instances(tag::NAME, name.as_bytes())
    }

    /// The instances of the packages that provide a capability of this name, in any version.
    pub fn by_provide(&self, capability: &str) -> Result<Vec<u32>, Error> {
        self.instances(tag::PROVIDENAME, capability.as_bytes())
    }

    /// The directories in which packages own something and that `wanted` accepts, with the owners' instances, sorted.
    /// Reads the whole Dirnames index once, and no header.
    pub fn dirs(&self, wanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<OwnedDir>, Error> {
        let mut found = self.scan(tag::DIRNAMES, "the directories of packages", true, |index| {
            let mut found = Vec::new();
            while let Some(dir) = index.next() {
                if wanted(dir) {
                    found.push(OwnedDir { name: dir.to_owned(), owners: index.instances() });
                }
            }
            found
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// [`dirs`](Self::dirs) whose name starts with `prefix`.
    pub fn dirs_below(&self, prefix: &[u8]) -> Result<Vec<OwnedDir>, Error> {
        self.dirs(&|dir| dir.starts_with(prefix))
    }

    /// The names of the directories in which packages own something and that `wanted` accepts, sorted. If only few are
    /// wanted, this and [`owners_of_dir`](Self::owners_of_dir) for each are faster than [`dirs`](Self::dirs).
    pub fn dir_names(&self, wanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = self.scan(tag::DIRNAMES, "the directories of packages", false, |index| {
            let mut found = Vec::new();
            while let Some(dir) = index.next() {
                if wanted(dir) {
                    found.push(dir.to_owned());
                }
            }
            found
        })?;
        found.sort_unstable();
        Ok(found)
    }

    /// The instances of all packages, by name. Reads the Name index, and no header.
    pub fn all(&self) -> Result<Vec<u32>, Error> {
        let mut all = self.scan(tag::NAME, "the names of packages", true, |index| {
            let mut all = Vec::new();
            while index.next().is_some() {
                all.extend(index.instances());
            }
            all
        })?;
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// Loads a package. Its files are listed only for directories that `keep` accepts (its argument is written as for
    /// [`owners_of_dir`](Self::owners_of_dir)), so that thousands of other files cost next to nothing.
    pub fn package(&self, instance: u32, keep: &dyn Fn(&[u8]) -> bool) -> Result<Package, Error> {
        self.with_header(instance, |header| header.package(Some(instance), keep))
    }

    /// Loads a header, and lets `read` read it.
    pub(crate) fn with_header<T>(
        &self,
        instance: u32,
        read: impl FnOnce(&Header<'_>) -> Result<T, String>,
    ) -> Result<T, Error> {
        let what = || format!("package number {instance}");
        let (matches, errors) = self.rpm.listen(|| {
            // SAFETY: the database is open as long as self, which outlives the iterator.
            unsafe { Matches::by_instance(self.rpm, self.ts, instance) }
        });
        self.check(what, errors)?;
        let Some(mut matches) = matches else { return Err(self.error(what(), "there is none")) };
        let (found, errors) = self.rpm.listen(|| matches.next());
        self.check(what, errors)?;
        match found {
            Some((_, header)) => read(&header).map_err(|reason| self.error(what(), &reason)),
            None => Err(self.error(what(), "there is none, or its header is damaged")),
        }
    }

    pub(crate) fn rpm(&self) -> Librpm {
        self.rpm
    }

    /// The transaction set that has it open.
    pub(crate) fn ts(&self) -> NonNull<Ts> {
        self.ts
    }

    /// Instances of the headers that the index `tag` has under `key`.
    fn instances(&self, tag: i32, key: &[u8]) -> Result<Vec<u32>, Error> {
        let what = || format!("the packages with {}", String::from_utf8_lossy(key));
        let (result, errors) = self.rpm.listen(|| {
            // SAFETY: the database is open as long as self, which outlives the iterator.
            let mut matches = unsafe { Matches::by_key(self.rpm, self.ts, tag, key) }?;
            let mut loaded = Vec::with_capacity(matches.count());
            while let Some((instance, _)) = matches.next() {
                loaded.push(instance);
            }
            Some((matches.count(), loaded))
        });
        self.check(what, errors)?;
        let Some((named, mut instances)) = result else { return Ok(Vec::new()) };
        if named != instances.len() {
            let reason =
                format!("the index names {named} headers, of which {} can be loaded", instances.len());
            return Err(self.error(what(), &reason));
        }
        instances.sort_unstable();
        instances.dedup();
        Ok(instances)
    }

    /// Opens an index and lets `read` go through it.
    fn scan<T>(
        &self,
        tag: i32,
        what: &str,
        with_instances: bool,
        read: impl FnOnce(&mut Index) -> T,
    ) -> Result<T, Error> {
        let (result, errors) = self.rpm.listen(|| {
            // SAFETY: the database is open as long as self, which outlives the iterator.
            unsafe { Index::new(self.rpm, self.ts, tag, with_instances) }.map(|mut index| read(&mut index))
        });
        self.check(|| what.to_owned(), errors)?;
        result.ok_or_else(|| self.error(what.to_owned(), "librpm cannot open the index"))
    }

    pub(crate) fn check(&self, what: impl FnOnce() -> String, errors: Option<String>) -> Result<(), Error> {
        errors.map_or(Ok(()), |reason| Err(self.error(what(), &reason)))
    }

    pub(crate) fn error(&self, what: String, reason: &str) -> Error {
        Error::Read { what, path: self.file.clone(), reason: reason.to_owned() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.rpm.functions().rpmtsFree;
        // SAFETY: freed once, and not used after; every iterator is gone, since none outlives a call of ours.
        let (_, errors) = self.rpm.listen(|| unsafe { free(self.ts.as_ptr()) });
        if let Some(errors) = errors {
            log::debug!("closing {}: {errors}", self.file.display());
        }
        if let Some(place) = open.iter().position(|identity| *identity == self.identity) {
            open.swap_remove(place);
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Database").field("file", &self.file).field("rpm", &self.rpm).finish_non_exhaustive()
    }
}
