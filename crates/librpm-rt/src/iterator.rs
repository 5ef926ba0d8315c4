// SPDX-License-Identifier: LGPL-2.1-or-later
//! librpm's iterators, freed when dropped. Neither outlives its database.

use std::ffi::c_void;
use std::ptr::{NonNull, null};

use crate::ffi::{Hdr, IndexIter, MatchIter, RPMDBI_PACKAGES, Ts};
use crate::header::Header;
use crate::library::Librpm;

/// Headers found by a key.
pub(crate) struct Matches {
    rpm: Librpm,
    raw: NonNull<MatchIter>,
}

impl Matches {
    /// Headers that the index `tag` has under `key`. None: there are none, or librpm failed and said so.
    ///
    /// # Safety
    /// `ts` has its database open, and stays so as long as the result.
    pub(crate) unsafe fn by_key(rpm: Librpm, ts: NonNull<Ts>, tag: i32, key: &[u8]) -> Option<Matches> {
        // A key of length 0 would mean "find the length by strlen" to librpm.
        let key = if key.is_empty() { b"\0" } else { key };
        let init = rpm.functions().rpmtsInitIterator;
        // SAFETY: ts is good by contract; librpm copies what it needs of the key.
        let raw = unsafe { init(ts.as_ptr(), tag, key.as_ptr().cast::<c_void>(), key.len()) };
        NonNull::new(raw).map(|raw| Matches { rpm, raw })
    }

    /// The header with this instance.
    ///
    /// # Safety
    /// As for [`by_key`](Self::by_key).
    pub(crate) unsafe fn by_instance(rpm: Librpm, ts: NonNull<Ts>, instance: u32) -> Option<Matches> {
        // SAFETY: the same contract. The primary index is keyed by the instance's bytes.
        unsafe { Matches::by_key(rpm, ts, RPMDBI_PACKAGES, &instance.to_ne_bytes()) }
    }

    /// How many headers there should be.
    pub(crate) fn count(&self) -> usize {
        // SAFETY: the iterator is live.
        let count = unsafe { (self.rpm.functions().rpmdbGetIteratorCount)(self.raw.as_ptr()) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Loads the next header: its instance and itself. It lives until the next call.
    pub(crate) fn next(&mut self) -> Option<(u32, Header<'_>)> {
        // SAFETY: the iterator is live.
        let header: *mut Hdr = unsafe { (self.rpm.functions().rpmdbNextIterator)(self.raw.as_ptr()) };
        let header = NonNull::new(header)?;
        // SAFETY: the iterator is live.
        let instance = unsafe { (self.rpm.functions().rpmdbGetIteratorOffset)(self.raw.as_ptr()) };
        // SAFETY: the header belongs to the iterator, which stays borrowed as long as the result.
        Some((instance, unsafe { Header::new(self.rpm, header) }))
    }
}

impl Drop for Matches {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.rpm.functions().rpmdbFreeIterator)(self.raw.as_ptr()) };
    }
}

/// All keys of an index, sorted where the backend sorts.
pub(crate) struct Index {
    rpm: Librpm,
    raw: NonNull<IndexIter>,
}

impl Index {
    /// The keys of the index `tag`, each with its headers' instances, or (faster) without. None: librpm failed and said so.
    ///
    /// # Safety
    /// `ts` has its database open, and stays so as long as the result.
    pub(crate) unsafe fn new(rpm: Librpm, ts: NonNull<Ts>, tag: i32, with_instances: bool) -> Option<Index> {
        // SAFETY: ts is good by contract.
        let db = unsafe { (rpm.functions().rpmtsGetRdb)(ts.as_ptr()) };
        if db.is_null() {
            return None;
        }
        let init = match rpm.functions().rpmdbIndexKeyIteratorInit {
            Some(keys_only) if !with_instances => keys_only,
            _ => rpm.functions().rpmdbIndexIteratorInit,
        };
        // SAFETY: the database is open, and not null.
        NonNull::new(unsafe { init(db, tag) }).map(|raw| Index { rpm, raw })
    }

    /// The next key; it lives until the next call.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        let mut key: *const c_void = null();
        let mut length = 0usize;
        let next = self.rpm.functions().rpmdbIndexIteratorNext;
        // SAFETY: the iterator is live; librpm writes a pointer and a length.
        let code = unsafe { next(self.raw.as_ptr(), &raw mut key, &raw mut length) };
        if code != 0 || key.is_null() {
            return None;
        }
        // SAFETY: librpm keeps `length` bytes there until the iterator is moved, which needs `&mut self`.
        Some(unsafe { std::slice::from_raw_parts(key.cast::<u8>(), length) })
    }

    /// Instances of the headers under the key that `next` returned last, each once.
    pub(crate) fn instances(&self) -> Vec<u32> {
        // SAFETY: the iterator is live.
        let count = unsafe { (self.rpm.functions().rpmdbIndexIteratorNumPkgs)(self.raw.as_ptr()) };
        let offset = self.rpm.functions().rpmdbIndexIteratorPkgOffset;
        // SAFETY: the iterator is live, and the number is below the count.
        let mut all: Vec<u32> = (0..count).map(|nr| unsafe { offset(self.raw.as_ptr(), nr) }).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // SAFETY: freed once, and not used after.
        unsafe { (self.rpm.functions().rpmdbIndexIteratorFree)(self.raw.as_ptr()) };
    }
}
