// SPDX-License-Identifier: LGPL-2.1-or-later
//! A header read from a package file, with nothing verified and no database opened.

use std::fs::File;
use std::ptr::{NonNull, null, null_mut};

use super::stream::Stream;
use crate::ffi::{
    Hdr, PackageFunctions, RPMRC_NOKEY, RPMRC_NOTFOUND, RPMRC_NOTTRUSTED, RPMRC_OK,
    RPMVSF_NO_DIGESTS_OR_SIGNATURES,
};
use crate::library::Librpm;

/// Lets librpm read a header. It leaves the file at the payload. Err: what happened, if librpm did not say it.
pub(super) fn read_header(
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
pub(super) struct Settings {
    rpm: Librpm,
    ts: NonNull<crate::ffi::Ts>,
}

impl Settings {
    pub(super) fn new(rpm: Librpm, functions: &PackageFunctions) -> Result<Settings, String> {
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
pub(super) struct OwnedHeader {
    functions: &'static PackageFunctions,
    pub(super) raw: NonNull<Hdr>,
}

impl Drop for OwnedHeader {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.functions.headerFree)(self.raw.as_ptr()) };
    }
}
