// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is compared: an installed kernel, packages, a list of symbols, or the types of symtypes.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use kmp_core::abi::name::module_name;
use kmp_core::abi::{SymbolTable, Traits};
use kmp_core::guard::Elements;
use kmp_core::inventory::{ModulesDirs, Release, has_kernels, parse_symvers};
use kmp_core::printable;
use kmp_core::tree;
use kmp_core::unpack::{MODULE_LIMIT, inflate};
use kmp_kabi::symtypes;

use super::bytes;
use crate::context::Context;
use crate::kernel_types::{self, KernelTypes, Modules};

/// One of the two kernels.
pub struct Side {
    /// As it is shown.
    pub name: String,
    pub exports: Exports,
    /// What its modules say of it; empty where it is not installed.
    pub traits: Traits,
    from: From,
}

/// What it exports.
pub enum Exports {
    /// With versions.
    Symbols(SymbolTable),
    /// By the types that versions are made of.
    Symtypes(String),
}

enum From {
    Installed(Box<Release>),
    Packages(Vec<PathBuf>),
    List,
}

impl Side {
    /// Reads what a word on the command line means: a file or directory if there is one, else an installed kernel.
    pub fn read(context: &Context, word: &OsStr) -> Result<Self, String> {
        let path = Path::new(word);
        let name = printable(word);
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|e| format!("{name} cannot be read: {e}"))?;
            let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            files.retain(|file| file.extension().is_some_and(|e| e == "rpm"));
            files.sort();
            if files.is_empty() {
                return Err(format!("there is no package file (*.rpm) in {name}"));
            }
            return Self::of_packages(context, name, files);
        }
        if path.extension().is_some_and(|e| e == "rpm") {
            return Self::of_packages(context, name, vec![path.into()]);
        }
        if path.is_file() {
            return Ok(Self { exports: list(path)?, name, traits: Traits::default(), from: From::List });
        }
        let (dirs, releases) = context.releases()?;
        has_kernels(&dirs, &releases, [&name]).map_err(|e| format!("{name} is no file, and {e}"))?;
        let release = releases.into_iter().find(|release| release.release == name);
        let release = release.ok_or_else(|| format!("there is no kernel {name}"))?;
        let mut loader = context.loader();
        let loaded = loader.load_kernels(&[&release]).pop();
        context.done();
        loader.take_problems().iter().for_each(|problem| log::warn!("{problem}"));
        let loaded = loaded.ok_or_else(|| format!("the kernel {name} cannot be read"))?;
        if let Some(problem) = loaded.unread {
            return Err(problem.to_string());
        }
        let exports = Exports::Symbols(loaded.kernel.symbols.clone());
        let traits = loaded.kernel.traits.clone();
        Ok(Self { name, exports, traits, from: From::Installed(Box::new(release)) })
    }

    fn of_packages(context: &Context, name: String, files: Vec<PathBuf>) -> Result<Self, String> {
        let rpm = context.rpm().map_err(|e| format!("package files cannot be read: {e}"))?;
        let mut found: Option<SymbolTable> = None;
        for file in &files {
            let mut package = rpm.open_package(file).map_err(|e| e.to_string())?;
            let wanted = |path: &Path| {
                let file = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
                tree::is_symvers(file) || file.starts_with("symvers-") || file == "Module.symvers"
            };
            let mut wrong = None;
            let read = package.read_files(&wanted, MODULE_LIMIT, &mut |_, bytes| {
                match parse_symvers(&bytes) {
                    Ok(table) => found = Some(table),
                    Err(e) => wrong = Some(format!("{}: its symvers: {e}", printable(file.as_os_str()))),
                }
                if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            read.map_err(|e| e.to_string())?;
            match (&found, wrong) {
                (None, Some(wrong)) => return Err(wrong),
                (Some(_), _) => break,
                (None, None) => {}
            }
        }
        let symbols = match found {
            Some(symbols) => symbols,
            None => by_provides(context, &name, &files)?,
        };
        Ok(Self {
            name,
            exports: Exports::Symbols(symbols),
            traits: Traits::default(),
            from: From::Packages(files),
        })
    }

    /// The types of its image, and of those of its modules that export `exporters`. `image`: a file that was named. `None`:
    /// there are none.
    pub fn types<'c>(
        &self,
        context: &'c Context,
        image: Option<&Path>,
        exporters: &HashSet<String>,
    ) -> Result<Option<KernelTypes<'c>>, String> {
        let named = image.map(bytes).transpose()?;
        Ok(match (&self.from, named) {
            (From::Installed(release), None) => KernelTypes::installed(&context.root, release),
            (From::Installed(release), Some(image)) => {
                let files = release.in_tree.iter().map(|module| (module.name.clone(), module.path.clone()));
                KernelTypes::new(&image, Modules::Files(&context.root, files.collect()))
            }
            (From::List, Some(image)) => KernelTypes::new(&image, Modules::Read(HashMap::new())),
            (From::List, None) => None,
            (From::Packages(files), named) => of_packages(context, files, named, exporters)?,
        })
    }
}

fn list(path: &Path) -> Result<Exports, String> {
    let name = printable(path.as_os_str());
    let text = inflate(bytes(path)?, MODULE_LIMIT).map_err(|e| format!("{name}: {e}"))?.into_owned();
    let start = &text[..text.len().min(4096)];
    if symtypes::is_symtypes(&String::from_utf8_lossy(start)) {
        return Ok(Exports::Symtypes(String::from_utf8_lossy(&text).into_owned()));
    }
    let table = parse_symvers(&text).map_err(|e| format!("{name}: {e}"))?;
    if !table.is_complete() {
        log::warn!("{name}: the last line is cut, symbols may be missing");
    } else if table.bad_lines() > 0 {
        log::warn!("{name}: {} lines are not symbol versions; ignored", table.bad_lines());
    }
    Ok(Exports::Symbols(table))
}

/// Of packages without symvers.
fn by_provides(context: &Context, name: &str, files: &[PathBuf]) -> Result<SymbolTable, String> {
    let rpm = context.rpm().map_err(|e| e.to_string())?;
    let mut elements = Elements::new(ModulesDirs::find(&context.root).map_err(|e| e.to_string())?);
    for file in files {
        elements.add_file(rpm, file).map_err(|e| e.to_string())?;
    }
    let kernel = elements.finish().kernels.into_iter().next();
    match kernel.map(|kernel| kernel.kernel.symbols.clone()).filter(|symbols| !symbols.is_empty()) {
        Some(symbols) => Ok(symbols),
        None => Err(format!("{name}: neither symvers nor Provides that name symbols are in it")),
    }
}

fn of_packages<'c>(
    context: &Context,
    files: &[PathBuf],
    mut image: Option<Vec<u8>>,
    exporters: &HashSet<String>,
) -> Result<Option<KernelTypes<'c>>, String> {
    let rpm = context.rpm().map_err(|e| e.to_string())?;
    let mut modules = HashMap::new();
    for file in files {
        let mut package = rpm.open_package(file).map_err(|e| e.to_string())?;
        let module =
            |path: &Path| path.file_name().and_then(module_name).filter(|name| exporters.contains(name));
        let wants_image = image.is_none();
        let wanted = |path: &Path| module(path).is_some() || wants_image && kernel_types::is_image(path);
        let read = package.read_files(&wanted, MODULE_LIMIT, &mut |paths, bytes| {
            match paths.first().and_then(|path| module(path)) {
                Some(name) => modules.extend(kernel_types::of_module(&bytes).map(|types| (name, types))),
                None if image.is_none() => image = Some(bytes),
                None => {}
            }
            ControlFlow::Continue(())
        });
        read.map_err(|e| e.to_string())?;
    }
    Ok(image.and_then(|image| KernelTypes::new(&image, Modules::Read(modules))))
}
