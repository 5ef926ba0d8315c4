// SPDX-License-Identifier: LGPL-2.1-or-later
//! An opened root.

use std::ffi::{c_char, c_int};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use kmp_core::System;
use kmp_core::in_use::InUse;
use kmp_core::inventory;
use kmp_core::problem::Problem;
use kmp_core::root::Root;
use librpm_rt::Librpm;

use crate::error::{Error, code};
use crate::{arg, ret};

/// An opened root: its kernels, modules and rpm database.
#[derive(Debug)]
pub struct Kmp(pub(crate) Arc<Shared>);

/// What a root's handle and its transactions have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    system: System,
    is_system: bool,
}

impl Deref for Shared {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Shared {
    pub fn open(root: &Path, guest: bool) -> Result<Self, Error> {
        let rpm = if guest { Librpm::loaded() } else { Librpm::load() };
        if let (true, Err(e)) = (guest, &rpm) {
            return Err(Error::new(code::E_RPM, e));
        }
        let cannot = |e: &dyn std::fmt::Display| Error::new(code::E_ROOT, format!("{}: {e}", root.display()));
        let path = std::path::absolute(root).map_err(|e| cannot(&e))?;
        let is_system = path == Path::new("/");
        let root = Root::open(&path).map_err(|e| Error::new(code::E_ROOT, e))?;
        Ok(Self { system: System::new(root, rpm), is_system })
    }

    pub fn needed_rpm(&self) -> Result<&Librpm, Error> {
        self.rpm().map_err(|e| Error::new(code::E_RPM, e))
    }

    /// The running kernel's release, where the root is the running system; "" where it does not say. `None` also where
    /// it cannot be read, which is added to `problems`.
    pub fn running(&self, problems: &mut Vec<Problem>) -> Option<String> {
        if !self.is_system {
            return None;
        }
        let path = Path::new("/proc/sys/kernel/osrelease");
        match self.root.read_if_there(path, 4096) {
            Ok(text) => Some(String::from_utf8_lossy(&text.unwrap_or_default()).trim().into()),
            Err(e) => {
                problems.push(Problem::unreadable(self.root.display(path), &e));
                None
            }
        }
    }

    /// What the running system needs modules for, where the root is that.
    pub fn in_use(&self) -> InUse {
        InUse::of_running(&self.root, self.is_system)
    }

    /// Is this an image in the making, or a container, of which no kernel is booted? What could not be looked at is added to
    /// `problems`.
    pub fn nothing_boots(&self, problems: &mut Vec<Problem>) -> bool {
        let by_environment = self.is_system && inventory::is_offline();
        by_environment || inventory::nothing_boots(&self.root, problems)
    }
}

/// The library's version, such as "0.1.0". Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Flags of kmp_open().
pub mod open_flag {
    /// for a plugin of a program that has librpm: use that one, load none, do not change its settings
    pub const GUEST: u32 = 1;
}

/// Opens a root directory; NULL is "/". Reads nothing yet. *out is freed with kmp_close().
/// KMP_E_ROOT: it cannot be opened. KMP_E_RPM: KMP_GUEST is set, and there is no usable librpm in the process.
/// (Without KMP_GUEST, a missing librpm is an error of the first function that needs packages.) KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_open(root: *const c_char, flags: u32, out: *mut *mut Kmp) -> c_int {
    ret::make(out, || {
        check_flags(flags, open_flag::GUEST)?;
        let root = if root.is_null() { Path::new("/") } else { arg::path(root, "root")? };
        Ok(Kmp(Arc::new(Shared::open(root, flags & open_flag::GUEST != 0)?)))
    })
}

/// Frees a root.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_close(kmp: *mut Kmp) {
    ret::value((), || arg::free(kmp));
}

pub(crate) fn check_flags(flags: u32, known: u32) -> Result<(), Error> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(Error::argument(format!("there is no flag {unknown:#x}"))),
    }
}
