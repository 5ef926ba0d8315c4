// SPDX-License-Identifier: LGPL-2.1-or-later
//! Private readers, opened to the fuzz targets (`fuzz/` in the project), by the feature `fuzz`.

use std::cmp::Ordering;
use std::path::Path;

use crate::abi;
use crate::initrd::dracut_conf;
use crate::inventory::DepmodConfig;
use crate::last_update::LastUpdate;

/// Reads a `.modinfo` section.
pub fn modinfo(section: &[u8]) {
    abi::fuzz_modinfo(section);
}

/// Reads a file of depmod.d and asks it for a module.
pub fn depmod_d(text: &str, module: &str, release: &str) -> bool {
    let mut config = DepmodConfig::default();
    config.read(text);
    let link = Path::new("weak-updates").join(module);
    config.compare(release, &link, &Path::new("kernel").join(module)).is_lt()
}

/// Reads what is kept of a kernel's modules, unpacked; what is read is written as it was.
pub fn index_cache(bytes: &[u8]) {
    crate::apply::fuzz_index_cache(bytes);
}

/// Reads what the last `kmp update` found; what is read is written so that it is read as the same again.
pub fn last_update(text: &str) {
    let Some(last) = LastUpdate::parse(text) else { return };
    let again = last.text();
    let read = LastUpdate::parse(&again);
    // Only so many kernels are kept.
    assert!(read.is_some_and(|read| read.text() == again));
}

/// The order of two names of dracut's configuration files.
pub fn by_version(a: &[u8], b: &[u8]) -> Ordering {
    dracut_conf::by_version(a, b)
}
