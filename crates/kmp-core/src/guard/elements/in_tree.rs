// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a kernel that comes has of its own, read from its packages: takes seconds, and is asked for only where a driver would
//! be lost else.

use std::ops::ControlFlow;
use std::path::Path;

use librpm_rt::PackageFile;

use crate::abi::builtin_names;
use crate::abi::name::{module_name, normalized};
use crate::guard::InTree;
use crate::inventory::{ModulesDirs, Release, parse_module};
use crate::root::Root;
use crate::tree::{IN_TREE, MODULES_ALIAS, MODULES_BUILTIN, MODULES_BUILTIN_MODINFO};
use crate::unpack::MODULE_LIMIT;

/// The most that one of depmod's lists may take.
const LIST_LIMIT: u64 = 64 << 20;

/// Reads it from `files`. `is_kept_out`: is a module of that name never loaded for a device? A payload that cannot be read
/// claims nothing: the kernel would not be installed, either.
pub(in crate::guard) fn read<'f>(
    dirs: &ModulesDirs,
    release: &str,
    files: impl Iterator<Item = &'f mut PackageFile>,
    is_kept_out: &dyn Fn(&str) -> bool,
) -> InTree {
    let below = |path: &Path| {
        let path = dirs.canonical(path)?;
        dirs.split(&path).filter(|(of, _)| of == release).map(|(_, below)| below)
    };
    let is_module = |below: &Path| {
        below.starts_with(IN_TREE) && below.file_name().is_some_and(|name| module_name(name).is_some())
    };
    let wanted = |path: &Path| {
        let is_list =
            |below: &Path| below == Path::new(MODULES_BUILTIN) || below == Path::new(MODULES_BUILTIN_MODINFO);
        below(path).is_some_and(|below| is_module(&below) || is_list(&below))
    };
    let mut found = InTree::default();
    for file in files {
        let result = file.read_files(&wanted, MODULE_LIMIT, &mut |paths, bytes| {
            // More than one are hard links to the same contents.
            let Some(path) = paths.first() else { return ControlFlow::Continue(()) };
            match below(path) {
                Some(below) if below == Path::new(MODULES_BUILTIN) => {
                    found.builtin.extend(builtin_names(&bytes))
                }
                Some(below) if below == Path::new(MODULES_BUILTIN_MODINFO) => {
                    found.aliases.extend(builtin_aliases(&bytes));
                }
                _ => {
                    let module = parse_module(&bytes, path).ok().filter(|m| !is_kept_out(&m.name));
                    let aliases =
                        module.iter().flat_map(|m| m.aliases.iter().map(|a| (a.clone(), m.name.clone())));
                    found.aliases.extend(aliases);
                }
            }
            ControlFlow::Continue(())
        });
        if let Err(e) = result {
            log::info!("{e}");
        }
    }
    found
}

/// The same of an installed kernel, from depmod's lists. `is_kept_out` as with [`read`].
pub(in crate::guard) fn installed(
    root: &Root,
    kernel: &Release,
    is_kept_out: &dyn Fn(&str) -> bool,
) -> InTree {
    let list = |name: &str| {
        let path = kernel.dir.join(name);
        // What cannot be read claims nothing.
        let bytes =
            root.read_if_there(&path, LIST_LIMIT).inspect_err(|e| log::info!("{}: {e}", path.display()));
        bytes.ok().flatten().unwrap_or_default()
    };
    let aliases = list(MODULES_ALIAS);
    let aliases = String::from_utf8_lossy(&aliases);
    let alias = |line: &str| {
        let mut words = line.strip_prefix("alias ")?.split_whitespace();
        let (pattern, module) = (words.next()?, words.next()?);
        (kernel.in_tree_names.contains(module) && !is_kept_out(module))
            .then(|| (pattern.into(), module.into()))
    };
    let mut found = InTree { builtin: builtin_names(&list(MODULES_BUILTIN)), ..InTree::default() };
    found.aliases.extend(aliases.lines().filter_map(alias));
    found.aliases.extend(builtin_aliases(&list(MODULES_BUILTIN_MODINFO)));
    found
}

fn builtin_aliases(bytes: &[u8]) -> Vec<(Box<str>, Box<str>)> {
    let alias = |entry: &[u8]| {
        let entry = String::from_utf8_lossy(entry).into_owned();
        let (key, value) = entry.split_once('=')?;
        let name = key.strip_suffix(".alias")?;
        Some((value.into(), normalized(name).into()))
    };
    bytes.split(|byte| *byte == 0).filter_map(alias).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_is_built_in_is_listed_by_paths_and_by_what_it_says() {
        let names = builtin_names(b"kernel/drivers/scsi/a-b.ko\nkernel/fs/ext4/ext4.ko\n");
        assert_eq!(names, HashSet::from(["a_b".into(), "ext4".into()]));
        let aliases = builtin_aliases(b"ext4.license=GPL\0ext4.alias=fs-ext4\0a-b.alias=pci:v1*\0junk\0");
        assert_eq!(aliases, [("fs-ext4".into(), "ext4".into()), ("pci:v1*".into(), "a_b".into())]);
    }
}
