// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads the payload of a package that comes.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use librpm_rt::PackageFile;

use super::Elements;
use super::contents::Contents;
use crate::abi::{KernelConfig, Malformed, ModuleFault};
use crate::budget::Budget;
use crate::inventory::{LoadedModule, load, parse_module};
use crate::unpack::MODULE_LIMIT;

impl Elements {
    /// Reads the modules `third_party`, which are returned by their paths, and, where Provides say nothing of a kernel's
    /// symbols, its symvers and configuration.
    ///
    /// # Errors
    /// What is wrong with the payload.
    pub(super) fn read_payload(
        &mut self,
        file: &mut PackageFile,
        contents: &Contents,
        third_party: &[(String, PathBuf, Box<str>)],
    ) -> Result<HashMap<PathBuf, LoadedModule>, librpm_rt::Error> {
        let mut modules: HashMap<PathBuf, LoadedModule> = HashMap::new();
        let known = |release: &String| self.kernels.get(release).is_some_and(|p| !p.capabilities.is_empty());
        let files = |list: &[(String, PathBuf)]| -> HashMap<PathBuf, String> {
            let unknown = list.iter().filter(|(release, _)| !known(release));
            unknown.map(|(release, path)| (path.clone(), release.clone())).collect()
        };
        let (symvers, configs) = (files(&contents.symvers), files(&contents.configs));
        let drivers: HashSet<&Path> = third_party.iter().map(|(_, path, _)| path.as_path()).collect();
        let is_wanted =
            |path: &Path| drivers.contains(path) || symvers.contains_key(path) || configs.contains_key(path);
        let (size, mut over) = (file.size(), None);
        if !(drivers.is_empty() && symvers.is_empty() && configs.is_empty()) {
            let budget = Budget::package(size);
            file.read_files(&is_wanted, MODULE_LIMIT, &mut |paths, bytes| {
                if let Err(why) = budget.read(bytes.len()) {
                    over = Some(why);
                    return ControlFlow::Break(());
                }
                let (of_driver, other): (Vec<_>, Vec<_>) =
                    paths.iter().partition(|path| drivers.contains(path.as_path()));
                if let Some(first) = of_driver.first() {
                    let pay = |amount| budget.keep(amount).and_then(|()| self.budget.keep(amount));
                    let module = load::paid(parse_module(&bytes, first).map_err(ModuleFault::from), &pay);
                    for path in of_driver {
                        modules.insert(path.clone(), load::by_other_name(&module, path, &pay));
                    }
                }
                for path in other {
                    if let Some(release) = symvers.get(path) {
                        if let Err(why) = self.set_symvers(release, &bytes) {
                            log::warn!("{}: {why}", crate::printable(path.as_os_str()));
                        }
                    } else if let Some(release) = configs.get(path) {
                        let parts = self.kernels.entry(release.clone()).or_default();
                        parts.config = Some(KernelConfig::parse(&bytes));
                    }
                }
                ControlFlow::Continue(())
            })?;
        }
        if let Some(why) = over {
            let why: LoadedModule = Arc::new(Err(Malformed::from(why).into()));
            for path in drivers {
                modules.entry(path.to_path_buf()).or_insert_with(|| why.clone());
            }
        }
        Ok(modules)
    }
}
