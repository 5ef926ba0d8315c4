// SPDX-License-Identifier: LGPL-2.1-or-later
//! `/usr/lib/modules` and `/lib/modules`, one directory or two.

use std::path::{Component, Path, PathBuf};

use rpm_meta::vercmp;

use crate::dialect::Dialect;
use crate::problem::Problem;
use crate::root::{FileType, Root, is_fault};
use crate::tree::{self, DIRECTORIES};

const USR: &str = DIRECTORIES[0];
const LIB: &str = DIRECTORIES[1];

/// Where modules are. With a merged `/usr` both spellings mean one directory, and the canonical one, that
/// links point to, is `/usr/lib/modules`; otherwise it is `/lib/modules`, unless only the other is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModulesDirs {
    /// Directories that are really different, the canonical one first.
    dirs: Vec<&'static str>,
    merged: bool,
    /// The canonical one, as seen from outside the root.
    shown: PathBuf,
}

/// Those of a merged `/usr`.
impl Default for ModulesDirs {
    fn default() -> Self {
        Self { dirs: vec![USR], merged: true, shown: USR.into() }
    }
}

impl ModulesDirs {
    /// Looks which there are.
    ///
    /// # Errors
    /// The system could not look.
    pub fn find(root: &Root) -> Result<Self, Problem> {
        let identity = |path: &str| match root.metadata(Path::new(path)) {
            Ok(stat) => Ok(Some((stat.dev, stat.ino))),
            Err(e) if is_fault(&e) => Err(Problem::unreadable(root.display(Path::new(path)), &e)),
            Err(_) => Ok(None),
        };
        let (dirs, merged) = match (identity(USR)?, identity(LIB)?) {
            (Some(a), Some(b)) if a == b => (vec![USR], true),
            (Some(_), Some(_)) => (vec![LIB, USR], false),
            (None, Some(_)) => (vec![LIB], false),
            _ => (vec![USR], false),
        };
        let shown = root.display(Path::new(dirs[0]));
        Ok(Self { dirs, merged, shown })
    }

    /// The canonical directory.
    pub fn path(&self) -> &'static Path {
        Path::new(self.dirs[0])
    }

    /// The canonical directory as seen from outside the root, for messages.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// All that are really different.
    pub fn all(&self) -> impl Iterator<Item = &'static Path> + use<'_> {
        self.dirs.iter().map(|dir| Path::new(*dir))
    }

    /// How packages may spell a path that we spell `path`: as it is, and, with a merged `/usr`, the
    /// other way.
    pub fn spellings(&self, path: &Path) -> Vec<PathBuf> {
        let other = self.merged.then(|| tree::spellings(path)).flatten();
        std::iter::once(path.to_path_buf()).chain(other.map(|[_, in_lib]| in_lib)).collect()
    }

    /// The target of a link to the module at `path`, as a dialect's original spells it.
    pub fn target(&self, dialect: Dialect, path: &Path) -> PathBuf {
        let in_lib = || tree::spellings(path).map(|[_, in_lib]| in_lib);
        let other = (dialect.targets_are_in_lib() && self.merged).then(in_lib).flatten();
        other.unwrap_or_else(|| path.to_path_buf())
    }

    /// Our spelling of an absolute path below a directory of modules; `None` for any other path, and for
    /// one with `..` in it.
    pub fn canonical(&self, path: &Path) -> Option<PathBuf> {
        if path.components().any(|c| c == Component::ParentDir) {
            return None;
        }
        let [in_usr, in_lib] = tree::spellings(path)?;
        Some(if self.merged || path.starts_with(USR) { in_usr } else { in_lib })
    }

    /// A canonical path's release, and the rest below its directory.
    pub fn split(&self, path: &Path) -> Option<(String, PathBuf)> {
        let parts = tree::parts(path).filter(|parts| self.dirs.contains(&parts.dir))?;
        Some((parts.release.to_str()?.to_string(), parts.below.to_path_buf()))
    }

    /// The release directories: release and path, in the order of versions, the canonical directory's first.
    ///
    /// # Errors
    /// A directory cannot be listed: then nobody knows which kernels there are.
    pub(super) fn releases(
        &self,
        root: &Root,
        problems: &mut Vec<Problem>,
    ) -> Result<Vec<(String, PathBuf)>, Problem> {
        let mut found = Vec::new();
        for dir in self.all() {
            let entries = match root.read_dir(dir) {
                Ok(entries) => entries,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) if is_fault(&e) => return Err(Problem::unreadable(root.display(dir), &e)),
                Err(e) => {
                    problems.push(Problem::unreadable(root.display(dir), &e));
                    continue;
                }
            };
            for entry in entries {
                let hidden = entry.name.as_encoded_bytes().starts_with(b".");
                if entry.kind != FileType::Dir || hidden {
                    continue;
                }
                let path = dir.join(&entry.name);
                match entry.name.into_string() {
                    Ok(release) if !release.contains(char::is_control) => found.push((release, path)),
                    _ => {
                        let what =
                            "the name is not a kernel release (not UTF-8, or control characters); ignored";
                        problems.push(Problem::new(root.display(&path), what));
                    }
                }
            }
        }
        // The canonical directory's stay first.
        found.sort_by(|a, b| vercmp(&a.0, &b.0).then_with(|| a.0.cmp(&b.0)));
        Ok(found)
    }
}
