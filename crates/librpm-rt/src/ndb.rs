// SPDX-License-Identifier: LGPL-2.1-or-later
//! Faults of an ndb database that librpm would pass over in silence, or mend by writing.
//!
//! librpm takes any file for a `Packages.db` and finds it empty; it builds a missing `Index.db` anew.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// What is wrong with the database whose main file is `packages`. None: nothing that can be seen from outside.
pub(crate) fn fault(packages: &Path) -> io::Result<Option<String>> {
    let index = packages.with_file_name("Index.db");
    for (path, magic) in [(packages, b"RpmP"), (&index, b"RpmX")] {
        let mut start = [0; 4];
        match File::open(path).and_then(|mut file| file.read_exact(&mut start)) {
            Ok(()) if start == *magic => {}
            Ok(()) => return Ok(Some(format!("{} is damaged at its start", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Some(format!("{} is cut off", path.display())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some(format!("{} is missing", path.display())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the main file holds any package: its slots begin after 32 bytes, each of 16: "Slot", then the
/// package's number, little-endian, 0 where the slot is free.
pub(crate) fn holds_packages(packages: &Path) -> io::Result<bool> {
    let bytes = fs::read(packages)?;
    let slots = bytes.get(32..).unwrap_or_default().chunks_exact(16);
    Ok(slots.take_while(|slot| slot.starts_with(b"Slot")).any(|slot| slot[4..8] != [0; 4]))
}
