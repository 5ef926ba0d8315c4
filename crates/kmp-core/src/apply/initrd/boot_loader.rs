// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a boot loader has copies of.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::super::program::{self, With, find_in, last_lines};
use crate::problem::Problem;
use crate::root::Root;
use crate::tree::BOOT;

/// Is there on a system that was booted by EFI.
const EFI: &str = "/sys/firmware/efi";

/// SUSE's program that updates the boot loader, whichever it is.
const UPDATER: &str = "update-bootloader";

/// The longest time for it.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// To be called when initrds were made. With Xen on EFI, GRUB's configuration has a copy of each initrd made on the EFI system
/// partition (grub's `20_linux_xen`), and `update-bootloader --refresh` makes these copies anew. Nothing is done elsewhere.
///
/// # Errors
/// In words: it could not be looked, or the program failed.
pub fn refresh(root: &Root) -> Result<(), String> {
    let unreadable =
        |path: &str, e: &io::Error| Problem::unreadable(root.display(Path::new(path)), e).to_string();
    if !root.try_exists(Path::new(EFI)).map_err(|e| unreadable(EFI, &e))? {
        return Ok(());
    }
    let entries = root.read_dir_if_there(Path::new(BOOT)).map_err(|e| unreadable(BOOT, &e))?;
    let is_xen = |name: &[u8]| name.starts_with(b"xen") && name.ends_with(b".gz");
    if !entries.iter().any(|entry| is_xen(entry.name.as_encoded_bytes())) {
        return Ok(());
    }
    let found = find_in(root, UPDATER.as_ref()).map_err(|e| format!("{UPDATER}: {e}"))?;
    let Some(updater) = found else { return Ok(()) };
    let with = With { root: Some(root), limit: LIMIT, ..With::default() };
    program::run(updater.as_os_str(), &["--refresh".into()], with).map(drop).map_err(|failure| {
        let why = failure.message(updater.as_os_str(), last_lines);
        format!("Xen may boot with an old initrd, as the EFI system partition keeps a copy of it: {why}; please run \"{UPDATER} --refresh\"")
    })
}
