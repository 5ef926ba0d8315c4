// SPDX-License-Identifier: LGPL-2.1-or-later
//! The registry on disk.

use std::path::{Path, PathBuf};

use kmp_core::printable;
use kmp_kabi::registry::{Build, Module, Package, Registration};
use librpm_rt::Librpm;

use crate::context::Context;
use crate::verbs::kabi::modules;

/// A registered package, or why its files cannot be read.
pub struct Registered {
    pub provider: String,
    pub name: String,
    /// Of its TOML.
    pub path: PathBuf,
    pub read: Result<Registration, String>,
}

fn shown(path: &Path) -> String {
    printable(path.as_os_str())
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{} cannot be read: {e}", shown(dir)))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|e| format!("{} cannot be read: {e}", shown(dir)))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// All of a registry, by provider and name. A registry that is not there yet is empty.
pub fn all(registry: &Path) -> Result<Vec<Registered>, String> {
    let mut found = Vec::new();
    if !registry.exists() {
        return Ok(found);
    }
    for dir in sorted(registry)?.into_iter().filter(|path| path.is_dir()) {
        let provider = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        if provider.starts_with('.') {
            continue;
        }
        for path in sorted(&dir)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "toml")) {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_string();
            let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot be read: {e}"));
            let read = text.and_then(|text| Registration::parse(&text).map_err(|e| e.to_string()));
            found.push(Registered { provider: provider.clone(), name, path, read });
        }
    }
    Ok(found)
}

/// All of a registry that is sound.
pub fn sound(registry: &Path) -> Result<Vec<(String, Registration)>, String> {
    let read = |one: Registered| match one.read {
        Ok(registration) => Ok((one.provider, registration)),
        Err(e) => Err(format!("{}: {e}", shown(&one.path))),
    };
    all(registry)?.into_iter().map(read).collect()
}

/// The list of symbols beside a TOML.
pub fn symbols_path(toml: &Path) -> PathBuf {
    toml.with_extension("symbols")
}

/// What a package file says of itself.
pub fn of_file(
    context: &Context,
    rpm: &Librpm,
    file: &Path,
) -> Result<(Package, Build, Vec<Module>), String> {
    let package =
        rpm.open_package(file).and_then(|opened| opened.package(&|_| false)).map_err(|e| e.to_string())?;
    let read = modules(context, &[file.into()])?;
    let kernel = read.iter().find_map(|(_, module)| module.vermagic.as_deref()?.split(' ').next());
    let build = Build { nevra: package.nevra(), kernel: kernel.unwrap_or_default().into() };
    let mut modules: Vec<Module> = read.iter().map(|(_, module)| Module::of(module)).collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((Package::of(&package.name, &package.source, &package.disturl), build, modules))
}

/// Writes both files, the list of symbols with what it had already. Returns whether something is another than before.
pub fn write(toml: &Path, registration: &Registration) -> Result<bool, String> {
    let text = registration.to_toml().map_err(|e| format!("{}: {e}", shown(toml)))?;
    let list = symbols_path(toml);
    let before = std::fs::read_to_string(&list).unwrap_or_default();
    let own = registration.symbols();
    // What somebody relied on stays until people take it out.
    let stays =
        before.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['[', '#']));
    let mut stays: Vec<&str> = stays
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|s| !own.contains(s))
        .collect();
    stays.sort_unstable();
    stays.dedup();
    let mut symbols = registration.to_symbols();
    if !stays.is_empty() {
        symbols.push_str("\n# used by earlier builds\n");
        stays.iter().for_each(|symbol| symbols.push_str(&format!("  {symbol}\n")));
    }
    let first = put(toml, &text)?;
    Ok(put(&list, &symbols)? || first)
}

/// Writes a file, and the directory it is in, unless it has that text already. Returns whether it had not.
pub fn put(path: &Path, text: &str) -> Result<bool, String> {
    if std::fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes()) {
        return Ok(false);
    }
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
        let new = path.with_extension("kmp-new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, path)
    });
    written.map_err(|e| format!("{} cannot be written: {e}", shown(path)))?;
    Ok(true)
}

/// Package files below a directory.
pub fn packages(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_path_buf()];
    while let Some(dir) = pending.pop() {
        for path in sorted(&dir)? {
            // Links are not followed to directories: they may lead back.
            let is_dir = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
            if is_dir {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rpm") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
