// SPDX-License-Identifier: LGPL-2.1-or-later
//! A header read from a package file, with nothing verified and no database opened.

use std::ffi::c_int;
use std::fs::File;
use std::ptr::{NonNull, null, null_mut};

use super::stream::Stream;
use crate::ffi::{
    Hdr, Keyring, PackageFunctions, RPMRC_NOKEY, RPMRC_NOTFOUND, RPMRC_NOTTRUSTED, RPMRC_OK,
    RPMVSF_NO_DIGESTS_OR_SIGNATURES,
};
use crate::library::Librpm;

/// Lets librpm read a header. It leaves the file at the payload. Err: what happened, if librpm did not say it.
pub(super) fn read_header(
    rpm: Librpm,
    functions: &'static PackageFunctions,
    file: &File,
) -> Result<OwnedHeader, String> {
    let keyring = OwnedKeyring::empty(functions)?;
    let (code, header) = verify_header(rpm, functions, file, &keyring, RPMVSF_NO_DIGESTS_OR_SIGNATURES)?;
    match header {
        Some(header) if [RPMRC_OK, RPMRC_NOTTRUSTED, RPMRC_NOKEY].contains(&code) => Ok(header),
        _ if code == RPMRC_NOTFOUND => Err("it is not an rpm package".to_owned()),
        _ => Err(format!("librpm says {code}")),
    }
}

/// The same with what `flags` do not leave out verified by the keys in `keyring`: librpm's code, and a header if it returned
/// one.
pub(crate) fn verify_header(
    rpm: Librpm,
    functions: &'static PackageFunctions,
    file: &File,
    keyring: &OwnedKeyring,
    flags: u32,
) -> Result<(c_int, Option<OwnedHeader>), String> {
    let stream = Stream::of(functions, file)?;
    let settings = Settings::new(rpm, functions, keyring, flags)?;
    let mut raw: *mut Hdr = null_mut();
    // SAFETY: all are live; null lets librpm name the file itself; it writes a header that is ours, or null.
    let code = unsafe {
        (functions.rpmReadPackageFile)(settings.ts.as_ptr(), stream.raw.as_ptr(), null(), &raw mut raw)
    };
    Ok((code, NonNull::new(raw).map(|raw| OwnedHeader { functions, raw })))
}

/// A transaction set that only says how package files are to be read. It opens no database.
struct Settings {
    rpm: Librpm,
    ts: NonNull<crate::ffi::Ts>,
}

impl Settings {
    fn new(
        rpm: Librpm,
        functions: &PackageFunctions,
        keyring: &OwnedKeyring,
        flags: u32,
    ) -> Result<Settings, String> {
        // SAFETY: takes nothing, returns a transaction set for us to free.
        let ts = NonNull::new(unsafe { (rpm.functions().rpmtsCreate)() });
        let settings = Settings { rpm, ts: ts.ok_or("librpm made no transaction set")? };
        let ts = settings.ts.as_ptr();
        // SAFETY: ts is live.
        unsafe { (rpm.functions().rpmtsSetVSFlags)(ts, flags) };
        // Without a keyring librpm would load its own, and for that open (or even create) the database.
        // SAFETY: both are live; the transaction set makes a reference of its own.
        let code = unsafe { (functions.rpmtsSetKeyring)(ts, keyring.raw.as_ptr()) };
        if code == 0 { Ok(settings) } else { Err("librpm takes no keyring".to_owned()) }
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.rpm.functions().rpmtsFree)(self.ts.as_ptr()) };
    }
}

/// A reference of ours to keys in librpm's memory.
pub(crate) struct OwnedKeyring {
    functions: &'static PackageFunctions,
    pub(crate) raw: NonNull<Keyring>,
}

impl OwnedKeyring {
    /// Without keys.
    pub(crate) fn empty(functions: &'static PackageFunctions) -> Result<Self, String> {
        // SAFETY: takes nothing, returns a keyring for us to free.
        Self::of(functions, unsafe { (functions.rpmKeyringNew)() })
    }

    /// Takes a reference over.
    pub(crate) fn of(functions: &'static PackageFunctions, raw: *mut Keyring) -> Result<Self, String> {
        NonNull::new(raw)
            .map(|raw| Self { functions, raw })
            .ok_or_else(|| "librpm made no keyring".to_owned())
    }
}

impl Drop for OwnedKeyring {
    fn drop(&mut self) {
        // SAFETY: our reference is given up once, and not used after.
        unsafe { (self.functions.rpmKeyringFree)(self.raw.as_ptr()) };
    }
}

/// A header of ours.
pub(crate) struct OwnedHeader {
    functions: &'static PackageFunctions,
    pub(crate) raw: NonNull<Hdr>,
}

impl Drop for OwnedHeader {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.functions.headerFree)(self.raw.as_ptr()) };
    }
}
