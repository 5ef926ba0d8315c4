// SPDX-License-Identifier: LGPL-2.1-or-later
//! A directory of this machine, such as a medium that is mounted.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use super::{FetchError, Take};
use crate::url::Url;

/// The most names of a directory.
const MOST: usize = 10_000;

pub(super) fn read(url: &Url, take: Take<'_>) -> Result<u64, FetchError> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FetchError::Absent { url: url.clone() },
        _ => FetchError::Failed { url: url.clone(), why: e.to_string() },
    };
    let path = url.path().replace("%5E", "^");
    if path.ends_with('/') {
        let names = fs::read_dir(&path).map_err(failed)?.take(MOST);
        let mut names: Vec<String> =
            names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        return take(&mut names.join("\n").as_bytes()).map_err(failed);
    }
    let what =
        |file: &fs::Metadata| if file.is_file() { Ok(()) } else { Err(io::Error::other("it is no file")) };
    // Opened only once it is known to be no device.
    fs::metadata(&path).and_then(|stat| what(&stat)).map_err(failed)?;
    let mut file: File =
        OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(&path).map_err(failed)?;
    file.metadata().and_then(|stat| what(&stat)).map_err(failed)?;
    take(&mut file).map_err(failed)
}
