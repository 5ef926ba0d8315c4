// SPDX-License-Identifier: LGPL-2.1-or-later
//! How many kernels dnf keeps.

use std::path::Path;

use kmp_fs::root::Root;

use super::setting;

/// dnf 5's directories of parts of its configuration. The later one goes over the earlier, and `dnf.conf` over both.
const PARTS: [&str; 2] = ["/usr/share/dnf5/libdnf.conf.d", "/etc/dnf/libdnf5.conf.d"];

/// What dnf does where nothing is set.
const DEFAULT: u32 = 3;

/// The most files that are looked at in a directory.
const MOST: usize = 200;

/// dnf's `installonly_limit`: how many packages of a kernel's name are installed at the most; `None`: any number.
pub fn installonly_limit(root: &Root) -> Option<u32> {
    let read = |path: &str| setting(root, path, "main", "installonly_limit");
    let parts = || {
        PARTS.iter().rev().find_map(|dir| {
            let entries = root.read_dir_if_there(Path::new(dir)).unwrap_or_default();
            let mut names: Vec<String> = entries
                .iter()
                .filter_map(|e| e.name.to_str())
                .filter(|n| n.ends_with(".conf"))
                .map(Into::into)
                .collect();
            names.sort();
            names.iter().rev().take(MOST).find_map(|name| read(&format!("{dir}/{name}")))
        })
    };
    let limit = read("/etc/dnf/dnf.conf").or_else(parts);
    // dnf takes what is no number for an error, and does nothing at all then.
    let limit = limit.and_then(|value| value.parse().ok()).unwrap_or(DEFAULT);
    (limit > 0).then_some(limit)
}
