// SPDX-License-Identifier: LGPL-2.1-or-later
//! ftp, by the program curl. What it fetches comes through a pipe, so that no more is taken than is wanted: once that is enough,
//! the pipe is closed, and curl ends.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use kmp_core::apply::program::{self, FIRST_FILE, Failure, With};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::{CONNECT, FetchError, Proxies, Take};
use crate::url::{Scheme, Url};

/// What curl says when there is no such directory or file, and when its time is up.
const NOT_THERE: [i32; 3] = [9, 19, 78];
const LATE: i32 = 28;

/// How much longer than curl's own limit is waited for it.
const GRACE: Duration = Duration::from_secs(5);

pub(super) fn read(proxies: &Proxies, url: &Url, left: Duration, take: Take<'_>) -> Result<u64, FetchError> {
    let failed = |why: String| FetchError::Failed { url: url.clone(), why };
    let (from, to) = pipe2(OFlag::O_CLOEXEC).map_err(|e| failed(e.to_string()))?;
    // -q: nobody's ~/.curlrc. Nothing but ftp, whatever a proxy or a server says; a directory's names alone.
    let mut arguments: Vec<OsString> =
        ["-q", "--silent", "--show-error", "--globoff"].iter().map(OsString::from).collect();
    let is_directory = url.path().ends_with('/');
    if is_directory {
        arguments.push("--list-only".into());
    }
    let proxy = proxies.of_scheme(Scheme::Ftp, url.host());
    // An http proxy is spoken to in http.
    let protocols = if proxy.is_some() { "=ftp,http,https" } else { "=ftp" };
    for (option, value) in [
        ("--proto", protocols.to_owned()),
        ("--max-redirs", "0".to_owned()),
        ("--connect-timeout", CONNECT.as_secs().to_string()),
        ("--max-time", left.as_secs().max(1).to_string()),
        ("--proxy", proxy.unwrap_or_default()),
        ("--output", format!("/proc/self/fd/{FIRST_FILE}")),
        ("--url", url.to_string()),
    ] {
        arguments.extend([OsString::from(option), OsString::from(value)]);
    }
    let mut to: Option<OwnedFd> = Some(to);
    let mut files = || to.take().map(Ok);
    let mut from = Some(Watched { inner: File::from(from), is_at_end: false });
    let (mut taken, mut is_whole) = (Ok(0), false);
    let mut meanwhile = || {
        // Then the pipe is closed, and curl ends.
        if let Some(mut from) = from.take() {
            taken = take(&mut from);
            is_whole = from.is_at_end;
        }
    };
    let with = With {
        files: Some(&mut files),
        meanwhile: Some(&mut meanwhile),
        limit: left + GRACE,
        ..With::default()
    };
    let ended = program::run("curl".as_ref(), &arguments, with);
    let taken = taken.map_err(|e| failed(e.to_string()))?;
    match ended {
        // Enough was taken; how curl ended for want of a reader does not matter.
        _ if !is_whole && taken > 0 => Ok(taken),
        Ok(_) => Ok(taken),
        Err(Failure::Ended(Some(LATE), ..)) => Err(FetchError::Late { url: url.clone(), after: left }),
        Err(Failure::Ended(Some(status), ..)) if NOT_THERE.contains(&status) => {
            Err(FetchError::Absent { url: url.clone() })
        }
        Err(failure) => Err(failed(failure.message("curl".as_ref(), program::first_lines))),
    }
}

/// A reader that knows whether everything was read.
struct Watched<R> {
    inner: R,
    is_at_end: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.is_at_end |= len == 0 && !buffer.is_empty();
        Ok(len)
    }
}
