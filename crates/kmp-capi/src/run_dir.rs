// SPDX-License-Identifier: LGPL-2.1-or-later
//! For rpm's plugin alone: files of `/run/kmp`, opened in the one way there is. See `rpm-plugin/run_dir.h`.

use std::ffi::{c_char, c_int, c_void};
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};

use kmp_core::root::Root;
use kmp_core::run_dir::{RunDir, is_refusal};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::error::c_text;
use crate::{arg, ret};

type Say = Option<extern "C" fn(*mut c_void, *const c_char)>;

/// `int kmp_run_directory(const char *root, int create, kmp_say *say, void *context);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_run_directory(
    root: *const c_char,
    create: c_int,
    say: Say,
    context: *mut c_void,
) -> c_int {
    open(root, create != 0, say, context, |dir| Ok(OwnedFd::from(dir)))
}

/// `int kmp_run_file(const char *root, const char *name, int flags, kmp_say *say, void *context);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_run_file(
    root: *const c_char,
    name: *const c_char,
    flags: c_int,
    say: Say,
    context: *mut c_void,
) -> c_int {
    let flags = OFlag::from_bits_retain(flags);
    open(root, flags.contains(OFlag::O_CREAT), say, context, |dir| {
        let name = arg::text(name, "name").map_err(|e| io::Error::other(e.text))?;
        let opened = dir.file(name, flags)?;
        if let Some(remark) = opened.remark {
            tell(say, context, &remark);
        }
        Ok(opened.file.into())
    })
}

fn open(
    root: *const c_char,
    create: bool,
    say: Say,
    context: *mut c_void,
    then: impl FnOnce(RunDir) -> io::Result<OwnedFd>,
) -> c_int {
    let opened = ret::value(Err(Errno::EIO.into()), || {
        let root = arg::path(root, "root").map_err(|e| io::Error::other(e.text))?;
        let root = Root::open(root).map_err(io::Error::other)?;
        let dir = match create {
            true => RunDir::create(&root)?,
            false => RunDir::open(&root)?.ok_or(Errno::ENOENT)?,
        };
        if let Some(remark) = dir.remark() {
            tell(say, context, remark);
        }
        then(dir).map(IntoRawFd::into_raw_fd)
    });
    opened.unwrap_or_else(|e| {
        if is_refusal(&e) {
            tell(say, context, &e.to_string());
        }
        -e.raw_os_error().unwrap_or(Errno::EIO as c_int)
    })
}

fn tell(say: Say, context: *mut c_void, text: &str) {
    if let Some(say) = say {
        say(context, c_text(text).as_ptr());
    }
}
