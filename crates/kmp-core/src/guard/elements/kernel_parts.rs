// SPDX-License-Identifier: LGPL-2.1-or-later
//! What only files say of a kernel that comes, so that it is judged as it will be once it is installed: its configuration, what
//! one of its modules shows, and what it has built in.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::Path;

use super::{Elements, Parts};
use crate::abi::name::module_name;
use crate::abi::signature::Signature;
use crate::abi::{Kernel, KernelConfig, SymbolTable, Traits, builtin_names};
use crate::inventory::{
    MachinePolicy, ModulesDirs, SAMPLES, in_image, parse_module, signature_of, undecided,
};
use crate::root::Root;
use crate::tree::{self, CONFIG, IN_TREE, MODULES_BUILTIN};
use crate::unpack::MODULE_LIMIT;

/// What a file of a kernel's package is good for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Config,
    Module,
    BuiltIn,
}

fn part(dirs: &ModulesDirs, release: &str, path: &Path) -> Option<Part> {
    if tree::places(Path::new(""), release, CONFIG).iter().any(|place| place == path) {
        return Some(Part::Config);
    }
    let path = dirs.canonical(path)?;
    let (of, below) = dirs.split(&path)?;
    if of != release {
        return None;
    }
    if below == Path::new(CONFIG) {
        Some(Part::Config)
    } else if below == Path::new(MODULES_BUILTIN) {
        Some(Part::BuiltIn)
    } else if below.starts_with(IN_TREE) && below.file_name().is_some_and(|name| module_name(name).is_some())
    {
        Some(Part::Module)
    } else {
        None
    }
}

fn is_image(dirs: &ModulesDirs, release: &str, path: &Path) -> bool {
    let below = dirs.canonical(path).and_then(|path| dirs.split(&path)).filter(|(of, _)| of == release);
    tree::IMAGES.iter().any(|name| match &below {
        Some((_, below)) => below == Path::new(name),
        None => tree::places(Path::new(""), release, name).iter().any(|place| place == path),
    })
}

impl Parts {
    fn lacks(&self, part: Part, with_builtin: bool) -> bool {
        match part {
            Part::Config => self.config.is_none(),
            Part::Module => self.traits.arch.is_none(),
            Part::BuiltIn => with_builtin && self.builtin.is_none(),
        }
    }
}

impl Elements {
    /// What the modules that come are signed with.
    pub fn signatures(&self) -> Vec<Signature> {
        let modules = self.kmps.iter().flat_map(|kmp| &kmp.modules);
        modules.filter_map(|module| signature_of(&module.module)).cloned().collect()
    }

    /// Reads which keys are in the images of the kernels that come and take signed modules only, where one of these signatures is by
    /// a key that is not known to be among them. [`read_kernels`](Self::read_kernels) comes before. To get to an image may take seconds.
    pub(crate) fn read_keys(&mut self, signatures: &[Signature]) {
        let Self { dirs, kernels, kernel_files, policy, .. } = self;
        for (release, file) in kernel_files {
            let Some(parts) = kernels.get_mut(release).filter(|parts| parts.keys.is_none()) else { continue };
            let (config, traits) = (parts.config.unwrap_or_default(), parts.traits.clone());
            let symbols = Kernel::of_symbols(release.clone(), SymbolTable::unknown());
            let mut kernel = Kernel { config, traits, ..symbols };
            policy.complete(&mut kernel);
            let Some(own) = undecided(&kernel, signatures) else { continue };
            let result =
                file.read_files(&|path| is_image(dirs, release, path), MODULE_LIMIT, &mut |_, bytes| {
                    parts.keys = in_image(&bytes, own);
                    if parts.keys.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
            if let Err(e) = result {
                log::info!("{e}");
            }
        }
    }

    /// Is there a driver among what comes?
    pub fn has_kmps(&self) -> bool {
        !self.kmps.is_empty()
    }

    /// Reads of the packages of each kernel that comes its configuration and the first of its modules, which are at the beginning
    /// of payloads; `with_builtin`, also which modules are built in: that list is at the end, and to get there may take
    /// seconds. A payload that cannot be read says nothing, and the kernel would not be installed, either. They will be booted
    /// on the same machine as those of `root`.
    pub fn read_kernels(&mut self, root: &Root, with_builtin: bool) {
        self.policy = MachinePolicy::load(root);
        let Self { dirs, kernels, kernel_files, .. } = self;
        for (release, file) in kernel_files {
            let parts = kernels.entry(release.clone()).or_default();
            let samples = Cell::new(SAMPLES);
            let wanted = |path: &Path| {
                let part = part(dirs, release, path).filter(|part| parts.lacks(*part, with_builtin));
                match part {
                    Some(Part::Module) => samples.replace(samples.get().saturating_sub(1)) > 0,
                    other => other.is_some(),
                }
            };
            let mut found = Parts::default();
            let result = file.read_files(&wanted, MODULE_LIMIT, &mut |paths, bytes| {
                let Some(path) = paths.first() else { return ControlFlow::Continue(()) };
                match part(dirs, release, path) {
                    Some(Part::Config) => found.config = Some(KernelConfig::parse(&bytes)),
                    Some(Part::BuiltIn) => found.builtin = Some(builtin_names(&bytes)),
                    Some(Part::Module) if found.traits.arch.is_none() => {
                        if let Ok(module) = parse_module(&bytes, path) {
                            found.traits = Traits::of(&module);
                        }
                    }
                    Some(Part::Module) | None => {}
                }
                let is_done = [Part::Config, Part::Module, Part::BuiltIn]
                    .into_iter()
                    .all(|part| !parts.lacks(part, with_builtin) || !found.lacks(part, with_builtin));
                if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if let Err(e) = result {
                log::info!("{e}");
            }
            parts.config = parts.config.take().or(found.config);
            parts.builtin = parts.builtin.take().or(found.builtin);
            if parts.traits.arch.is_none() {
                parts.traits = found.traits;
            }
        }
    }
}
