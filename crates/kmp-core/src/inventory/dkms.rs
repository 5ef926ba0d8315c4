//! What dkms has built on this machine, by its state in `/var/lib/dkms`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::module_name;
use crate::initrd::Assignments;
use crate::root::{FileType, Root};

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
    /// Reads `/var/lib/dkms/NAME/VERSION/RELEASE/ARCH/module/`. What cannot be read counts as not there: who builds is
    /// not asked again for what concerns links.
    pub fn load(root: &Root) -> Self {
        let mut built = HashMap::new();
        let mut forbidden: BTreeMap<std::path::PathBuf, bool> = BTreeMap::new();
        for version in dirs(root, Path::new(STATE)).iter().flat_map(|name| dirs(root, name)) {
            for release in dirs(root, &version) {
                let Some(krel) = release.file_name().and_then(|n| n.to_str()).map(String::from) else {
                    continue;
                };
                for modules in dirs(root, &release).iter().map(|arch| arch.join("module")) {
                    for entry in root.read_dir(&modules).unwrap_or_default() {
                        let Some(name) = module_name(&entry.name) else { continue };
                        let is_forbidden =
                            *forbidden.entry(version.clone()).or_insert_with(|| forbids(root, &version));
                        built.insert((krel.clone(), name), is_forbidden);
                    }
                }
            }
        }
        Self { built }
    }

    /// Has dkms built a module of that name for the kernel `release`? If so: does its dkms.conf forbid weak updates?
    pub fn has(&self, release: &str, module: &str) -> Option<bool> {
        self.built.get(&(release.to_string(), module.into())).copied()
    }
}

fn dirs(root: &Root, dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = root.read_dir(dir).unwrap_or_default().into_iter();
    entries.filter(|entry| entry.kind == FileType::Dir).map(|entry| dir.join(entry.name)).collect()
}

/// Does the dkms.conf of a module in `version`, its directory in dkms's state, say NO_WEAK_MODULES?
fn forbids(root: &Root, version: &Path) -> bool {
    let (name, number) = (version.parent().and_then(Path::file_name), version.file_name());
    let mut source = name.unwrap_or_default().to_os_string();
    source.push("-");
    source.push(number.unwrap_or_default());
    let places =
        [version.join("source/dkms.conf"), Path::new(super::kind::SOURCES).join(source).join("dkms.conf")];
    let Some(text) = places.iter().find_map(|place| root.read(place, LIMIT).ok()) else { return false };
    let mut values = Assignments::default();
    values.read(&String::from_utf8_lossy(&text));
    values.get("NO_WEAK_MODULES").trim_start().starts_with(['y', 'Y'])
}
