// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads and parses one module.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::LoadedModule;
use crate::abi::{Malformed, Module, ModuleFault, name};
use crate::budget::Exceeded;
use crate::root::{FileType, Root, is_fault};
use crate::unpack::{DecompressError, MODULE_LIMIT, inflate};

/// A module that was read, paid for; malformed where that is too much.
pub(crate) fn paid(
    read: Result<Module, ModuleFault>,
    pay: &dyn Fn(u64) -> Result<(), Exceeded>,
) -> LoadedModule {
    Arc::new(read.and_then(|module| {
        pay(module.memory()).map_err(Malformed::from)?;
        Ok(module)
    }))
}

/// What `module` is by the name of another file with the same contents. A copy, which is paid for, only where the name matters.
pub(crate) fn by_other_name(
    module: &LoadedModule,
    path: &Path,
    pay: &dyn Fn(u64) -> Result<(), Exceeded>,
) -> LoadedModule {
    match &**module {
        Ok(known) if known.is_named_by_file && *known.name != *name_by_file(path) => {
            paid(Ok(Module { name: name_by_file(path).into(), ..known.clone() }), pay)
        }
        _ => module.clone(),
    }
}

fn name_by_file(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default();
    name::module_name(file).unwrap_or_else(|| name::normalized(&file.to_string_lossy()))
}

/// Reads and parses one module of `root`.
pub(super) fn read_module(root: &Root, path: &Path) -> Result<Module, ModuleFault> {
    // Whether it can be read shows when it is.
    let size = root.metadata(path).map_or(0, |s| s.size);
    let _alone = (size > LARGE).then(|| ONE_LARGE.lock());
    let bytes = root.read(path, MODULE_LIMIT).map_err(|e| {
        let what = format!("cannot be read: {e}");
        // It was there a moment ago; only of a link it is known that it leads nowhere.
        let is_link = || root.symlink_metadata(path).is_ok_and(|s| s.kind() == FileType::Symlink);
        let has_vanished = e.kind() == io::ErrorKind::NotFound && !is_link();
        if is_fault(&e) || has_vanished { ModuleFault::Unread(what) } else { Malformed::File(what).into() }
    })?;
    let parsed =
        if size > LARGE { parse_up_to(MODULE_LIMIT, &bytes, path)? } else { parse_module(&bytes, path) };
    Ok(parsed?)
}

/// Modules that are larger, which no sound one is, are read one after the other: so that the memory taken is
/// that of one, however many cores there are and however many files somebody has made to fill it.
const LARGE: u64 = 64 << 20;

static ONE_LARGE: Mutex<()> = Mutex::new(());

/// Parses a module from a file's bytes, compressed or not. `path` is for its name only.
///
/// # Errors
/// [`Malformed`]: cannot be inflated, or is no module.
pub fn parse_module(bytes: &[u8], path: &Path) -> Result<Module, Malformed> {
    match parse_up_to(LARGE, bytes, path) {
        Ok(done) => done,
        Err(_) => {
            let _alone = ONE_LARGE.lock();
            parse_up_to(MODULE_LIMIT, bytes, path)?
        }
    }
}

/// The outer error: larger than `limit` when unpacked.
fn parse_up_to(limit: u64, bytes: &[u8], path: &Path) -> Result<Result<Module, Malformed>, Malformed> {
    let inflated = match inflate(bytes, limit) {
        Ok(inflated) => inflated,
        Err(e @ DecompressError::TooBig { .. }) => return Err(Malformed::File(e.to_string())),
        Err(e) => return Ok(Err(Malformed::File(e.to_string()))),
    };
    Ok(Module::parse(&inflated, &name_by_file(path)))
}

/// Reads a module file from outside any root, for example one named on the command line.
///
/// # Errors
/// [`ModuleFault`]: cannot be read, cannot be inflated, or is no module.
pub fn read_module_file(path: &Path) -> Result<Module, ModuleFault> {
    let cannot = |e: io::Error| ModuleFault::Unread(format!("cannot be read: {e}"));
    let root = Root::open(Path::new("/")).map_err(|e| ModuleFault::Unread(e.to_string()))?;
    let path = std::path::absolute(path).map_err(cannot)?;
    read_module(&root, &path)
}
