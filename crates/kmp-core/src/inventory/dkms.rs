// SPDX-License-Identifier: LGPL-2.1-or-later
//! What dkms has built on this machine, by its state in `/var/lib/dkms`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::module_name;
use crate::assignments::Assignments;
use crate::problem::Problem;
use crate::root::{DirEntry, FileType, Root};

const STATE: &str = "/var/lib/dkms";

/// A dkms.conf has some lines.
const LIMIT: u64 = 1 << 20;

/// The modules that dkms has built.
#[derive(Debug, Default)]
pub(super) struct Dkms {
    /// By release and module name (`_` for `-`): are weak updates forbidden for it?
    built: HashMap<(String, Box<str>), bool>,
}

impl Dkms {
    /// Reads `/var/lib/dkms/NAME/VERSION/RELEASE/ARCH/module/`.
    ///
    /// # Errors
    /// Something of it cannot be read: then it is not known what dkms has built, and what it forbids.
    pub fn load(root: &Root) -> Result<Self, Problem> {
        let mut built = HashMap::new();
        let mut forbidden: BTreeMap<std::path::PathBuf, bool> = BTreeMap::new();
        let mut versions = Vec::new();
        for name in dirs(root, Path::new(STATE))? {
            versions.extend(dirs(root, &name)?);
        }
        for version in versions {
            for release in dirs(root, &version)? {
                let Some(krel) = release.file_name().and_then(|n| n.to_str()).map(String::from) else {
                    continue;
                };
                for modules in dirs(root, &release)?.iter().map(|arch| arch.join("module")) {
                    for entry in entries(root, &modules)? {
                        let Some(name) = module_name(&entry.name) else { continue };
                        let is_forbidden = match forbidden.get(&version) {
                            Some(known) => *known,
                            None => forbids(root, &version)?,
                        };
                        forbidden.insert(version.clone(), is_forbidden);
                        built.insert((krel.clone(), name), is_forbidden);
                    }
                }
            }
        }
        Ok(Self { built })
    }

    /// Has dkms built a module of that name for the kernel `release`? If so: does its dkms.conf forbid weak updates?
    pub fn has(&self, release: &str, module: &str) -> Option<bool> {
        self.built.get(&(release.to_string(), module.into())).copied()
    }
}

fn entries(root: &Root, dir: &Path) -> Result<Vec<DirEntry>, Problem> {
    root.read_dir_if_there(dir).map_err(|e| Problem::unreadable(root.display(dir), &e))
}

fn dirs(root: &Root, dir: &Path) -> Result<Vec<std::path::PathBuf>, Problem> {
    let entries = entries(root, dir)?.into_iter();
    Ok(entries.filter(|entry| entry.kind == FileType::Dir).map(|entry| dir.join(entry.name)).collect())
}

/// Does the dkms.conf of a module in `version`, its directory in dkms's state, say NO_WEAK_MODULES?
fn forbids(root: &Root, version: &Path) -> Result<bool, Problem> {
    let (name, number) = (version.parent().and_then(Path::file_name), version.file_name());
    let mut source = name.unwrap_or_default().to_os_string();
    source.push("-");
    source.push(number.unwrap_or_default());
    let places =
        [version.join("source/dkms.conf"), Path::new(super::kind::SOURCES).join(source).join("dkms.conf")];
    for place in places {
        let text = root.read_if_there(&place, LIMIT);
        if let Some(text) = text.map_err(|e| Problem::unreadable(root.display(&place), &e))? {
            let mut values = Assignments::default();
            values.read(&String::from_utf8_lossy(&text));
            return Ok(values.get("NO_WEAK_MODULES").trim_start().starts_with(['y', 'Y']));
        }
    }
    Ok(false)
}
