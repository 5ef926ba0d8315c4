// SPDX-License-Identifier: LGPL-2.1-or-later
//! The files of depmod.d(5). What they mean is in `kmod_index::depmod_d`.

use kmod_index::depmod_d::Config;

use super::{FoundModule, kernels};
use crate::conf_d::DropIns;
use crate::problem::Problem;
use crate::root::Root;

/// depmod.d(5)'s files.
pub const DEPMOD_D: DropIns = DropIns::of(&[
    "/etc/depmod.d",
    "/run/depmod.d",
    "/usr/local/lib/depmod.d",
    "/usr/lib/depmod.d",
    "/lib/depmod.d",
]);

/// Larger ones are not read.
const LIMIT: u64 = 1 << 20;

/// Reads all files below `root`.
///
/// # Errors
/// One of them cannot be read: then which module is loaded is not known.
pub fn load(root: &Root) -> Result<Config, Problem> {
    let found = DEPMOD_D.find(root);
    if let Some((path, e)) = found.unread.first() {
        return Err(Problem::unreadable(root.display(path), e));
    }
    let mut config = Config::default();
    for path in found.files {
        // What is no file is left to depmod to complain of.
        let text = root.read_if_there(&path, LIMIT);
        if let Some(text) = text.map_err(|e| Problem::unreadable(root.display(&path), &e))? {
            config.read(&String::from_utf8_lossy(&text));
        }
    }
    Ok(config)
}

/// The modules of a kernel that are in external directories, which depmod lists by their absolute paths.
///
/// # Errors
/// One of these directories cannot be listed.
pub fn external_modules(config: &Config, root: &Root, release: &str) -> Result<Vec<FoundModule>, Problem> {
    let mut problems = Vec::new();
    let dirs = config.external_dirs(release);
    let modules = dirs.flat_map(|dir| kernels::modules_below(root, dir, &mut problems)).collect();
    problems.into_iter().find(|p| p.is_unread).map_or(Ok(modules), Err)
}
