// SPDX-License-Identifier: LGPL-2.1-or-later
//! The keys that rpm trusts, for librpm and for people.

use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::ptr::NonNull;

use rpm_meta::openpgp::{self, Issuer, Key, Signature};

use crate::ffi::{KeyringIter, PackageFunctions, RPMVSF_NO_HEADER_SIGNATURES, tag};
use crate::library::Librpm;
use crate::package_file::OwnedKeyring;
use crate::{Database, Error};

/// The keys that the rpm of a root trusts. It cannot be sent to another thread.
pub struct TrustedKeys {
    pub(crate) raw: OwnedKeyring,
    keys: Vec<Key>,
}

impl Database {
    /// The keys that rpm trusts, loaded by librpm.
    fn load_keyring(&self) -> Result<OwnedKeyring, Error> {
        let functions = self.rpm().package_functions()?;
        let (keyring, errors) = self.rpm().listen(|| {
            // Where the keys are files, they are beside this database and not this system's.
            let dir = self.path().parent().unwrap_or(self.path()).as_os_str().as_bytes();
            let _dbpath = CString::new(dir).ok().map(|dir| self.rpm().define(c"_dbpath", &dir));
            let set_flags = self.rpm().functions().rpmtsSetVSFlags;
            // SAFETY: ts is live.
            let before = unsafe { set_flags(self.ts().as_ptr(), RPMVSF_NO_HEADER_SIGNATURES) };
            // SAFETY: ts is live; 1: the keys are loaded if they are not yet. The reference is for us to free.
            let raw = unsafe { (functions.rpmtsGetKeyring)(self.ts().as_ptr(), 1) };
            // SAFETY: ts is live.
            unsafe { set_flags(self.ts().as_ptr(), before) };
            OwnedKeyring::of(functions, raw)
        });
        let what = || "the keys that rpm trusts".to_owned();
        self.check(what, errors)?;
        keyring.map_err(|reason| self.error(what(), &reason))
    }

    /// The keys that rpm trusts here: those that were imported (`rpmkeys --import`), and in rpm 6 those of its other kinds of
    /// stores.
    pub fn trusted_keys(&self) -> Result<TrustedKeys, Error> {
        let raw = self.load_keyring()?;
        let functions = self.rpm().package_functions()?;
        let keys = match walk(functions, &raw) {
            Some(keys) => keys,
            // Before rpm 6 a keyring cannot be listed; there the keys are packages.
            None => {
                let mut texts = Vec::new();
                for instance in self.by_name("gpg-pubkey")? {
                    texts.extend(self.with_header(instance, |header| Ok(header.strings(tag::PUBKEYS)))?);
                }
                texts
            }
        };
        let mut keys: Vec<Key> = keys.iter().flat_map(|text| read(text)).collect();
        keys.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        // Each subkey may come as a key of its own, with all that belongs to it.
        keys.dedup_by(|a, b| a.fingerprint == b.fingerprint);
        Ok(TrustedKeys { raw, keys })
    }
}

impl Database {
    /// By which keys an installed package is signed, as its header says. It was verified when it was installed, or not.
    pub fn issuers(&self, instance: u32) -> Result<Vec<Issuer>, Error> {
        let signatures = self.with_header(instance, |header| {
            let many = header.strings(tag::OPENPGP);
            let mut found: Vec<Vec<u8>> = many.iter().flat_map(|text| openpgp::from_base64(text)).collect();
            found.extend([tag::RSAHEADER, tag::DSAHEADER].iter().filter_map(|tag| header.bytes(*tag)));
            Ok(found)
        })?;
        let mut issuers: Vec<Issuer> =
            signatures.iter().filter_map(|bytes| Signature::read(bytes).ok()?.issuer).collect();
        issuers.sort_unstable();
        issuers.dedup();
        Ok(issuers)
    }
}

impl Librpm {
    /// No keys: those of a root without a database.
    pub fn no_keys(&self) -> Result<TrustedKeys, Error> {
        let functions = self.package_functions()?;
        let raw = OwnedKeyring::empty(functions).map_err(|reason| Error::Header { reason })?;
        Ok(TrustedKeys { raw, keys: Vec::new() })
    }
}

impl TrustedKeys {
    /// All, by fingerprint.
    pub fn all(&self) -> &[Key] {
        &self.keys
    }

    /// The one that made a signature of this issuer.
    pub fn of(&self, issuer: &Issuer) -> Option<&Key> {
        self.keys.iter().find(|key| key.made(issuer))
    }
}

impl fmt::Debug for TrustedKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TrustedKeys").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// What cannot be read has no name to be shown; rpm may verify by it all the same.
fn read(base64: &str) -> Vec<Key> {
    let bytes = openpgp::from_base64(base64);
    bytes.and_then(|bytes| Key::read_all(&bytes)).unwrap_or_else(|why| {
        log::debug!("a key that rpm trusts cannot be read: {why}");
        Vec::new()
    })
}

/// Each key of a keyring, in base64; `None`: librpm has no functions for it.
fn walk(functions: &'static PackageFunctions, keyring: &OwnedKeyring) -> Option<Vec<String>> {
    let init = functions.rpmKeyringInitIterator?;
    let next = functions.rpmKeyringIteratorNext?;
    let base64 = functions.rpmPubkeyBase64?;
    let free = functions.rpmKeyringIteratorFree?;
    let mut keys = Vec::new();
    // SAFETY: the keyring is live; 0 is the only value that there is.
    let Some(iterator): Option<NonNull<KeyringIter>> = NonNull::new(unsafe { init(keyring.raw.as_ptr(), 0) })
    else {
        return Some(keys);
    };
    loop {
        // SAFETY: the iterator is live; the key belongs to the keyring.
        let key = unsafe { next(iterator.as_ptr()) };
        if key.is_null() {
            break;
        }
        // SAFETY: the key is live; the text is for us to free.
        let text = unsafe { base64(key) };
        keys.extend(
            crate::package_file::owned_text(text).map(|text| String::from_utf8_lossy(&text).into_owned()),
        );
    }
    // SAFETY: freed once, and not used after.
    unsafe { free(iterator.as_ptr()) };
    Some(keys)
}
