// SPDX-License-Identifier: LGPL-2.1-or-later
//! librpm's streams on files of ours, whose positions stay what they were.

use std::ffi::{CStr, c_char};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use crate::ffi::{Fd, PackageFunctions};

/// A file's position, put back when dropped.
pub(super) struct Place<'a> {
    file: &'a File,
    position: u64,
}

impl Place<'_> {
    pub(super) fn keep(file: &File) -> io::Result<Place<'_>> {
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
pub(super) struct Stream {
    functions: &'static PackageFunctions,
    pub(super) raw: NonNull<Fd>,
}

impl Stream {
    pub(super) fn of(functions: &'static PackageFunctions, file: &File) -> Result<Stream, String> {
        // SAFETY: takes an open descriptor, and duplicates it.
        let raw = NonNull::new(unsafe { (functions.fdDup)(file.as_raw_fd()) });
        raw.map(|raw| Stream { functions, raw }).ok_or_else(|| io::Error::last_os_error().to_string())
    }

    /// Inflates from now on what is read. False: librpm cannot.
    pub(super) fn inflate(&self, mode: &CStr) -> bool {
        // SAFETY: the stream is live, and stays the same: librpm only puts a layer on it.
        let same = unsafe { (self.functions.Fdopen)(self.raw.as_ptr(), mode.as_ptr()) };
        same == self.raw.as_ptr()
    }

    /// What went wrong in it, if anything did.
    pub(super) fn fault(&self) -> Option<String> {
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

/// A text that librpm allocated for us.
pub(crate) fn owned_text(text: *mut c_char) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and ends in NUL.
    let copy = unsafe { CStr::from_ptr(text) }.to_bytes().to_vec();
    // SAFETY: librpm allocated it with malloc for us, and it is not used after this.
    unsafe { libc::free(text.cast()) };
    Some(copy)
}
