// SPDX-License-Identifier: LGPL-2.1-or-later
//! The loaded library: found, bound, configured once per process, never unloaded.

use std::cmp::Ordering;
use std::ffi::{CStr, CString, OsString, c_char, c_int, c_void};
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::ptr::{NonNull, null, null_mut};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::ffi::{Functions, PackageFunctions, RMIL_CMDLINE};
use crate::{Error, messages};

/// Newest first. 10: rpm 4.19 to 6; 9: 4.15 to 4.18; 8: 4.14.
const SONAMES: [&CStr; 3] = [c"librpm.so.10", c"librpm.so.9", c"librpm.so.8"];

/// The library of this process: there is one librpm state, so there is one of these.
static THE_LIBRARY: Mutex<Option<&'static Library>> = Mutex::new(None);

/// A handle on the loaded librpm. It is cheap to copy; librpm stays loaded until the process ends.
#[derive(Clone, Copy)]
pub struct Librpm(&'static Library);

pub(crate) struct Library {
    pub(crate) functions: Functions,
    pub(crate) package_functions: OnceLock<PackageFunctions>,
    pub(crate) soname: String,
    /// librpm was in this process before us: its log and its signals are the host's.
    pub(crate) guest: bool,
}

impl Librpm {
    /// Loads librpm (or finds it in the process already) and reads rpm's configuration once.
    ///
    /// If the process has one already, whatever its soname, that one is used: two in one process would not know of
    /// each other's locks.
    pub fn load() -> Result<Librpm, Error> {
        find(true)
    }

    /// Finds the librpm that this process has already, for example as a plugin of rpm. Loads nothing, and reads rpm's
    /// configuration only if the process has not done so.
    pub fn loaded() -> Result<Librpm, Error> {
        find(false)
    }

    /// The name under which the library was found, such as `librpm.so.10`.
    pub fn soname(&self) -> &str {
        &self.0.soname
    }

    /// rpm's version, such as `4.20.1`, where the library says it.
    pub fn version(&self) -> Option<String> {
        let soname = CString::new(self.soname()).ok()?;
        let handle = open_library(&soname, libc::RTLD_NOLOAD).ok()?;
        // SAFETY: the handle is an open library's, and the name ends in NUL.
        let symbol = unsafe { libc::dlsym(handle.as_ptr(), c"RPMVERSION".as_ptr()) };
        let version: *const *const c_char = symbol.cast_const().cast();
        if version.is_null() {
            return None;
        }
        // SAFETY: rpmlib.h: `extern const char * const RPMVERSION`, which is never changed or unloaded.
        let version = unsafe { *version };
        if version.is_null() {
            return None;
        }
        // SAFETY: as above; it ends in NUL.
        let version = unsafe { CStr::from_ptr(version) };
        version.to_str().ok().map(Into::into)
    }

    /// Whether librpm was loaded before this crate looked for it. The crate's documentation says what that changes.
    pub fn is_guest(&self) -> bool {
        self.0.guest
    }

    /// rpm's own comparison of two versions or two releases (`rpmvercmp`), against which [`rpm_meta::vercmp`] is tested.
    /// Anything after a NUL byte is ignored.
    pub fn vercmp(&self, a: &str, b: &str) -> Ordering {
        let (a, b) = (until_nul(a), until_nul(b));
        // SAFETY: both strings end in NUL and outlive the call, which keeps neither.
        let order = unsafe { (self.0.functions.rpmvercmp)(a.as_ptr(), b.as_ptr()) };
        order.cmp(&0)
    }

    pub(crate) fn functions(&self) -> &'static Functions {
        &self.0.functions
    }

    /// What package files need, looked up now if it was not before: reading the database does without.
    pub(crate) fn package_functions(&self) -> Result<&'static PackageFunctions, Error> {
        if let Some(functions) = self.0.package_functions.get() {
            return Ok(functions);
        }
        let soname = CString::new(self.soname()).unwrap_or_default();
        let handle = open_library(&soname, libc::RTLD_NOLOAD)
            .map_err(|reason| Error::NoLibrary { tried: vec![reason] })?;
        let found = PackageFunctions::look_up(handle, self.soname())?;
        Ok(self.0.package_functions.get_or_init(|| found))
    }

    /// Runs `call`, and returns the errors that librpm reported meanwhile.
    pub(crate) fn listen<T>(&self, call: impl FnOnce() -> T) -> (T, Option<String>) {
        messages::listen(&self.0.functions, self.0.guest, call)
    }

    /// What rpm's macros make of `text`.
    pub(crate) fn expand(&self, text: &CStr) -> OsString {
        // SAFETY: the list of strings ends in null, as the function wants it.
        let expanded = unsafe { (self.functions().rpmExpand)(text.as_ptr(), null::<c_void>()) };
        if expanded.is_null() {
            return OsString::new();
        }
        // SAFETY: not null, and ends in NUL.
        let copy = unsafe { CStr::from_ptr(expanded) }.to_bytes().to_vec();
        // SAFETY: librpm allocated it with malloc for us, and it is not used after this.
        unsafe { libc::free(expanded.cast()) };
        OsString::from_vec(copy)
    }

    /// Defines a macro until the returned value is dropped.
    pub(crate) fn define(&self, name: &'static CStr, body: &CStr) -> Definition {
        let push = self.functions().rpmPushMacro;
        // SAFETY: null stands for the global macros and for "no options"; librpm copies both strings.
        unsafe { push(null_mut(), name.as_ptr(), null(), body.as_ptr(), RMIL_CMDLINE) };
        Definition { rpm: *self, name }
    }
}

impl fmt::Debug for Librpm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Librpm").field("soname", &self.0.soname).field("guest", &self.0.guest).finish()
    }
}

/// A macro of ours, taken back when dropped.
pub(crate) struct Definition {
    rpm: Librpm,
    name: &'static CStr,
}

impl Drop for Definition {
    fn drop(&mut self) {
        // SAFETY: takes back what `define` pushed.
        unsafe { (self.rpm.functions().rpmPopMacro)(null_mut(), self.name.as_ptr()) };
    }
}

/// Finds this process's librpm; loads one if it may.
fn find(may_load: bool) -> Result<Librpm, Error> {
    let mut the_library = THE_LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = *the_library {
        return Ok(Librpm(library));
    }
    let mut tried = Vec::new();
    let mut found = None;
    for soname in SONAMES {
        match open_library(soname, libc::RTLD_NOLOAD) {
            Ok(handle) => {
                found = Some((handle, soname, true));
                break;
            }
            Err(_) => tried.push(soname.to_string_lossy().into_owned()),
        }
    }
    if found.is_none() {
        if !may_load {
            return Err(Error::NotLoaded { tried });
        }
        tried.clear();
        for soname in SONAMES {
            match open_library(soname, 0) {
                Ok(handle) => {
                    found = Some((handle, soname, false));
                    break;
                }
                Err(reason) => tried.push(reason),
            }
        }
    }
    let Some((handle, soname, guest)) = found else { return Err(Error::NoLibrary { tried }) };
    let soname = soname.to_string_lossy().into_owned();
    let functions = Functions::look_up(handle, &soname)?;
    log::debug!("using {soname}{}", if guest { ", which this process had already" } else { "" });
    let rpm =
        Librpm(Box::leak(Box::new(Library { functions, package_functions: OnceLock::new(), soname, guest })));
    if !guest {
        messages::take_over(rpm.functions());
        if let Some(set_interrupt_safety) = rpm.functions().rpmsqSetInterruptSafety {
            // SAFETY: takes a flag. Without it librpm leaves signal handlers alone when it opens a database.
            unsafe { set_interrupt_safety(0) };
        }
    }
    configure(rpm)?;
    *the_library = Some(rpm.0);
    Ok(rpm)
}

/// Opens a library by name, for good.
fn open_library(soname: &CStr, how: c_int) -> Result<NonNull<c_void>, String> {
    let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE | how;
    // SAFETY: the name ends in NUL. Loading runs librpm's initialisers, which any user of librpm runs too.
    let handle = unsafe { libc::dlopen(soname.as_ptr(), flags) };
    NonNull::new(handle).ok_or_else(|| {
        // SAFETY: takes nothing; the text lives until this thread's next dl call, and is copied at once.
        let reason = unsafe { libc::dlerror() };
        if reason.is_null() {
            return soname.to_string_lossy().into_owned();
        }
        // SAFETY: not null, and ends in NUL.
        unsafe { CStr::from_ptr(reason) }.to_string_lossy().into_owned()
    })
}

/// Reads rpm's configuration, unless that was done: a second time would bury the host's own macros.
fn configure(rpm: Librpm) -> Result<(), Error> {
    // SAFETY: the string ends in NUL. The macro's body is not expanded, so nothing is run.
    let configured = unsafe { (rpm.functions().rpmExpandNumeric)(c"%{?_dbpath:1}".as_ptr()) };
    if configured == 1 {
        return Ok(());
    }
    let read = rpm.functions().rpmReadConfigFiles;
    // SAFETY: null twice stands for the default files and the machine's own architecture.
    let (code, errors) = rpm.listen(|| unsafe { read(null(), null()) });
    if code == 0 {
        return Ok(());
    }
    Err(Error::Configuration { reason: errors.unwrap_or_else(|| format!("librpm says {code}")) })
}

/// A C string of what comes before the first NUL.
fn until_nul(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}
