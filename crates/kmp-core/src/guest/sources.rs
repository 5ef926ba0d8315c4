// SPDX-License-Identifier: LGPL-2.1-or-later
//! Sources of drivers that are built on the machine. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::inventory::kind::{AKMODS, DKMS_CONF, SOURCES};

/// Is this file of a package a source for dkms or akmods? Such a package will build on this machine what the
/// package that it replaces had built.
pub fn builds_drivers(path: &[u8]) -> bool {
    let file = Path::new(OsStr::from_bytes(path));
    let in_sources = |below: &Path| {
        below.file_name().is_some_and(|name| name == DKMS_CONF) && below != Path::new(DKMS_CONF)
    };
    file.strip_prefix(SOURCES).is_ok_and(in_sources) || file.starts_with(AKMODS) && path.ends_with(b".rpm")
}

#[test]
fn sources_of_dkms_and_akmods() {
    for (path, expected) in [
        ("/usr/src/foo-1.0/dkms.conf", true),
        ("/usr/src/akmods/foo-kmod-1.0-1.src.rpm", true),
        ("/usr/src/akmods/foo-kmod.latest", false),
        ("/usr/src/dkms.conf", false),
        ("/usr/src/foo-1.0/foo.c", false),
        ("/usr/src/foo.rpm", false),
        ("/usr/share/foo/dkms.conf", false),
        ("", false),
    ] {
        assert_eq!(builds_drivers(path.as_bytes()), expected, "{path}");
    }
}
