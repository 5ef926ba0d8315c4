// SPDX-License-Identifier: LGPL-2.1-or-later
//! A medium that is a directory, a device, or an image: the latter two are mounted where nobody but this process sees them, read-only,
//! without devices, programs or privileges of theirs.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kmp_core::apply::program::{self, With};
use kmp_core::printable;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// How long a medium may take to be mounted: drives have to spin up.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a medium's files are. The mount ends with the process, whose namespace alone it is in.
#[derive(Debug)]
pub struct Mounted {
    path: PathBuf,
    point: Option<TempDir>,
}

impl Mounted {
    pub fn open(named: &Path) -> Result<Self, String> {
        let shown = printable(named.as_os_str());
        let stat = fs::metadata(named).map_err(|e| format!("{shown}: {e}"))?;
        if stat.is_dir() {
            let path = fs::canonicalize(named).map_err(|e| format!("{shown}: {e}"))?;
            return Ok(Self { path, point: None });
        }
        let is_device = stat.file_type().is_block_device();
        if !is_device && !stat.is_file() {
            return Err(format!("{shown} is no directory, no device and no image of a medium"));
        }
        let failed =
            |what: &str, e: &dyn std::fmt::Display| format!("{shown} cannot be mounted: {what}: {e}");
        let point = tempfile::tempdir().map_err(|e| failed("a directory", &e))?;
        unshare(CloneFlags::CLONE_NEWNS).map_err(|e| failed("a namespace of its own", &e))?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
            .map_err(|e| failed("a private namespace", &e))?;
        let options = if is_device { "ro,nosuid,nodev,noexec" } else { "ro,loop,nosuid,nodev,noexec" };
        let mut arguments: Vec<OsString> = ["-o", options, "--"].iter().map(OsString::from).collect();
        let named = fs::canonicalize(named).map_err(|e| failed("its path", &e))?;
        arguments.extend([named.into_os_string(), point.path().into()]);
        let name = "mount".as_ref();
        program::run(name, &arguments, With { limit: LIMIT, ..With::default() })
            .map_err(|failure| failed("mount", &failure.message(name, program::first_lines)))?;
        Ok(Self { path: point.path().to_owned(), point: Some(point) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.point.is_some() {
            // Also frees the loop device.
            let _ = nix::mount::umount2(&self.path, nix::mount::MntFlags::MNT_DETACH);
        }
    }
}
