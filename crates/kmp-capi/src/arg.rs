// SPDX-License-Identifier: LGPL-2.1-or-later
//! What C passes in, checked: the one place where its pointers are followed.
//!
//! Null and what can be seen to be wrong is an error. That a pointer which is not null leads to what the header
//! says, and that nobody else uses it meanwhile, is the caller's part of the bargain.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::mem::{offset_of, size_of};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, code};

fn null(what: &str) -> Error {
    Error::argument(format!("{what} is NULL"))
}

/// Writes a result to where the caller wants it.
pub(crate) fn give<T>(out: *mut *mut T, made: *mut T) -> Result<(), Error> {
    if out.is_null() {
        return Err(null("out"));
    }
    // SAFETY: not null; the caller's place for a pointer.
    unsafe { out.write(made) };
    Ok(())
}

/// A handle to look at.
pub(crate) fn shared<'a, T>(handle: *const T, what: &str) -> Result<&'a T, Error> {
    // SAFETY: null, or made by `ret::make` and not freed; used by one thread at a time.
    unsafe { handle.as_ref() }.ok_or_else(|| null(what))
}

/// A handle to change.
pub(crate) fn exclusive<'a, T>(handle: *mut T, what: &str) -> Result<&'a mut T, Error> {
    // SAFETY: null, or made by `ret::make` and not freed; used by one thread at a time.
    unsafe { handle.as_mut() }.ok_or_else(|| null(what))
}

/// Takes a handle back, and frees it.
pub(crate) fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: made by `ret::make` with Box::into_raw, and freed once.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// A C string that may be missing.
pub(crate) fn optional<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: not null; the caller's string, which stays as it is during the call.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

pub(crate) fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Error> {
    let text = optional(text).ok_or_else(|| null(what))?;
    text.to_str().map_err(|_| Error::argument(format!("{what} is not UTF-8")))
}

pub(crate) fn os_text<'a>(text: *const c_char, what: &str) -> Result<&'a OsStr, Error> {
    let bytes = optional(text).ok_or_else(|| null(what))?.to_bytes();
    if bytes.is_empty() {
        return Err(Error::argument(format!("{what} is empty")));
    }
    Ok(OsStr::from_bytes(bytes))
}

/// Names, as on the command line.
pub(crate) fn names(first: *const *const c_char, n: usize) -> Result<Vec<OsString>, Error> {
    let names = array(first, n, "names")?.iter();
    names.map(|name| os_text(*name, "a name").map(OsString::from)).collect()
}

pub(crate) fn path<'a>(path: *const c_char, what: &str) -> Result<&'a Path, Error> {
    os_text(path, what).map(Path::new)
}

/// An open file.
pub(crate) fn descriptor<'a>(fd: c_int, what: &str) -> Result<BorrowedFd<'a>, Error> {
    if fd < 0 {
        return Err(Error::argument(format!("{what} is {fd}, no open file")));
    }
    // SAFETY: not -1; open during the call by the caller's word, and if not, the kernel says so.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// An array; null is one without members.
pub(crate) fn array<'a, T>(first: *const T, count: usize, what: &str) -> Result<&'a [T], Error> {
    if count == 0 {
        return Ok(&[]);
    }
    if first.is_null() {
        return Err(null(what));
    }
    if !first.is_aligned() || count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::argument(format!("{what} cannot have {count} members")));
    }
    // SAFETY: not null, aligned, and of that many members by the caller's word; it stays as it is during the call.
    Ok(unsafe { std::slice::from_raw_parts(first, count) })
}

/// A struct that begins with its size and only grows.
///
/// # Safety
/// `#[repr(C)]`; the first member is a `usize` named `size`; all bytes zero is a value.
pub(crate) unsafe trait Growing: Copy {
    /// The size that it had in the first version.
    const FIRST: usize;

    fn set_size(&mut self, size: usize);
}

fn declared_size<T: Growing>(place: *const T, what: &str) -> Result<usize, Error> {
    if place.is_null() {
        return Err(null(what));
    }
    // SAFETY: not null, and its first member is the size.
    let size = unsafe { place.cast::<usize>().read_unaligned() };
    if size < T::FIRST {
        let text = format!("the size of {what} is {size}, it has to be {} or more", T::FIRST);
        return Err(Error::new(code::E_SIZE, text));
    }
    Ok(size)
}

/// Reads a struct of whichever version the caller has. What is not in it is zero.
pub(crate) fn read_growing<T: Growing>(place: *const T, what: &str) -> Result<T, Error> {
    let size = declared_size(place, what)?;
    let known = size.min(size_of::<T>());
    // SAFETY: the struct has that many bytes by its size.
    let after = unsafe { place.cast::<u8>().add(known) };
    // SAFETY: as above.
    let beyond = unsafe { std::slice::from_raw_parts(after, size - known) };
    if beyond.iter().any(|byte| *byte != 0) {
        let text = format!("{what} has members that this version of libkmp does not know");
        return Err(Error::new(code::E_SIZE, text));
    }
    // SAFETY: all bytes zero is a value of it.
    let mut value: T = unsafe { std::mem::zeroed() };
    // SAFETY: both have `known` bytes, and they are different objects.
    unsafe { std::ptr::copy_nonoverlapping(place.cast::<u8>(), (&raw mut value).cast::<u8>(), known) };
    Ok(value)
}

/// Writes as much of `value` as the caller's version of the struct has; what it has more becomes zero.
pub(crate) fn write_growing<T: Growing>(place: *mut T, mut value: T, what: &str) -> Result<(), Error> {
    let size = declared_size(place, what)?;
    value.set_size(size);
    let known = size.min(size_of::<T>());
    // SAFETY: both have `known` bytes, and they are different objects.
    unsafe { std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), place.cast::<u8>(), known) };
    // SAFETY: the struct has that many bytes by its size.
    let after = unsafe { place.cast::<u8>().add(known) };
    // SAFETY: as above.
    unsafe { after.write_bytes(0, size - known) };
    Ok(())
}

macro_rules! growing {
    ($name:ident, last: $last:ident: $type:ty) => {
        // SAFETY: the definition of the struct, next to this, is repr(C) with the size first, and has integers and
        // raw pointers only.
        unsafe impl $crate::arg::Growing for $name {
            const FIRST: usize = $crate::arg::end_of(std::mem::offset_of!($name, $last), size_of::<$type>());

            fn set_size(&mut self, size: usize) {
                self.size = size;
            }
        }
    };
}
pub(crate) use growing;

/// Where a struct ends whose last member is of that place and size.
pub(crate) const fn end_of(offset: usize, size: usize) -> usize {
    let align = align_of::<usize>();
    (offset + size).div_ceil(align) * align
}

const _: () = assert!(offset_of!(crate::Finding, size) == 0);
const _: () = assert!(offset_of!(crate::Reason, size) == 0);
const _: () = assert!(offset_of!(crate::Package, size) == 0);
