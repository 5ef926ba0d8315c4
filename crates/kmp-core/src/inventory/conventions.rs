// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is linked, and which of two modules is loaded: the dialect, the configuration and depmod.d together.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{DepmodConfig, FoundModule, Package};
use crate::config::{Config, Wish};
use crate::dialect::{Dialect, UnknownDistribution};
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;
use crate::tree::WEAK_UPDATES;

/// What is linked: by the dialect, and by what somebody asked for.
#[derive(Clone, Debug)]
pub struct Conventions {
    /// The dialect.
    pub dialect: Dialect,
    /// Why no dialect is known, if so: [`Self::dialect`] serves for reading only then, and no link may be changed.
    pub distribution_unknown: Option<UnknownDistribution>,
    /// Modules that are linked in this run wherever they are below a release directory, by their paths.
    pub asked: HashSet<PathBuf>,
    /// Which of two modules is loaded, where that is configured.
    pub depmod: DepmodConfig,
    /// The configuration: what is to be linked into which kernels.
    pub config: Config,
}

impl Conventions {
    /// Into which kernels a package's modules are to be linked.
    pub fn wish(&self, package: &Package) -> Wish {
        self.config.wish(&package.name, Wish::of_package(package))
    }

    /// Is a link, by its path below `weak-updates/`, inert in the kernel `release`, because the kernel's own module of
    /// its name is loaded? `in_tree`: that one's path below the kernel's directory, where it is known.
    pub fn is_inert(&self, release: &str, link: &Path, in_tree: Option<&Path>) -> bool {
        let link = Path::new(WEAK_UPDATES).join(link);
        let in_tree = in_tree.map_or_else(|| self.depmod.likely_in_tree(release, &link), Path::to_path_buf);
        match self.depmod.compare(release, &link, &in_tree) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => !self.dialect.links_beat_in_tree(),
        }
    }

    /// Names and paths of modules in external directories that depmod prefers to links in the kernel `release`.
    ///
    /// # Errors
    /// One of them cannot be listed.
    pub fn external(&self, root: &Root, release: &str) -> Result<Vec<(Box<str>, String)>, Problem> {
        let modules = super::depmod_d::external_modules(&self.depmod, root, release)?.into_iter();
        let wins = |m: &FoundModule| {
            let link = Path::new(WEAK_UPDATES).join(m.path.file_name().unwrap_or_default());
            self.depmod.compare(release, &m.path, &link) == Ordering::Less
        };
        Ok(modules.filter(wins).map(|m| (m.name, printable(m.path.as_os_str()))).collect())
    }

    /// May the module at `path`, which is `below` its release directory, be linked?
    pub(super) fn may_link(&self, path: &Path, below: &Path) -> bool {
        self.dialect.is_eligible(below) || self.asked.contains(path)
    }
}
