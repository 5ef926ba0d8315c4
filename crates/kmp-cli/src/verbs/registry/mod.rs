// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp registry`.

mod check;
pub mod document;
mod files;
mod repository;

pub use check::kernel;
pub use files::sound;

use std::collections::BTreeMap;
use std::path::Path;

use kmp_core::printable;
use kmp_kabi::registry::{Provider, Registration};

use self::repository::Newest;
use crate::args::registry::{Add, Lint, Refresh, Registry, RegistryVerb};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::terminal::Page;

pub fn run(context: &Context, args: &Registry, quiet: bool) -> Result<Outcome, String> {
    match &args.verb {
        RegistryVerb::Add(args) => add(context, args, quiet),
        RegistryVerb::Check(args) => check::run(context, args, quiet),
        RegistryVerb::Lint(args) => lint(args, quiet),
        RegistryVerb::Refresh(args) => refresh(context, args, quiet),
    }
}

/// A name that becomes part of a path.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+~^".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
}

fn add(context: &Context, args: &Add, quiet: bool) -> Result<Outcome, String> {
    let rpm = context.rpm().map_err(|e| format!("package files cannot be read: {e}"))?;
    let known = files::all(&args.place.registry)?;
    let mut page = Page::new();
    for file in &args.files {
        let (package, build, modules) = files::of_file(context, rpm, file)?;
        let name = package.name.clone();
        let before = known.iter().find(|one| one.name == name);
        let (path, provider) = match before {
            Some(one) => {
                let at = printable(one.path.as_os_str());
                let old = one.read.as_ref().map_err(|e| format!("{at}: {e}"))?;
                (one.path.clone(), old.provider.clone())
            }
            None => {
                let who = args.provider.as_deref().filter(|who| is_plain(who));
                let who = who.ok_or_else(|| format!("{name} is not registered: add --provider NAME"))?;
                let contact = args.contact.clone();
                let contact =
                    contact.ok_or_else(|| format!("{name} is not registered: add --contact ADDRESS"))?;
                if !is_plain(&name) {
                    return Err(format!("{} cannot be the name of a file", printable(name.as_ref())));
                }
                let path = args.place.registry.join(who).join(format!("{name}.toml"));
                (path, Provider { contact, rebuild_without_asking: false })
            }
        };
        let provider = Provider {
            contact: args.contact.clone().unwrap_or(provider.contact),
            rebuild_without_asking: provider.rebuild_without_asking || args.rebuild_without_asking,
        };
        let registration = Registration { version: 1, provider, package, build, modules };
        let faults = registration.faults(&name, Some(&registration.to_symbols()));
        if let Some(fault) = faults.first() {
            return Err(format!("{}: {fault}", printable(file.as_os_str())));
        }
        let is_new = files::write(&path, &registration)?;
        let what = if is_new { "registered" } else { "already registered" };
        page.line(format!("{}: {what}", registration.build.nevra));
    }
    if !quiet {
        page.print()?;
    }
    Ok(Outcome::Good)
}

fn lint(args: &Lint, quiet: bool) -> Result<Outcome, String> {
    let mut page = Page::new();
    let all = files::all(&args.place.registry)?;
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    let mut faults = 0;
    for one in &all {
        let symbols = std::fs::read_to_string(files::symbols_path(&one.path)).ok();
        let mut found = match &one.read {
            Err(e) => vec![e.clone()],
            Ok(registration) => registration.faults(&one.name, symbols.as_deref()),
        };
        if let Some(other) = seen.insert(&one.name, &one.path) {
            found.push(format!("{} registers the package, too", printable(other.as_os_str())));
        }
        faults += found.len();
        for fault in found {
            page.wrapped_behind(0, 2, &format!("{}: {fault}", printable(one.path.as_os_str())));
        }
    }
    if faults == 0 {
        page.line(format!("{} packages are registered", all.len()));
    }
    if !quiet {
        page.print()?;
    }
    Ok(if faults == 0 { Outcome::Good } else { Outcome::Found })
}

fn refresh(context: &Context, args: &Refresh, quiet: bool) -> Result<Outcome, String> {
    let rpm = context.rpm().map_err(|e| format!("package files cannot be read: {e}"))?;
    let known = files::all(&args.place.registry)?;
    let mut newest = Newest::new();
    for dir in &args.repos {
        repository::add(&mut newest, rpm, dir, &|name| known.iter().any(|one| one.name == name))?;
    }
    let mut page = Page::new();
    for one in &known {
        let Some((_, file)) = newest.get(&one.name) else { continue };
        let at = printable(one.path.as_os_str());
        let old = one.read.as_ref().map_err(|e| format!("{at}: {e}"))?;
        let (package, build, modules) = files::of_file(context, rpm, file)?;
        let registration = Registration { package, build, modules, ..old.clone() };
        if files::write(&one.path, &registration)? {
            page.line(format!("{}: registered, before {}", registration.build.nevra, old.build.nevra));
        }
    }
    if !quiet {
        page.print()?;
    }
    Ok(Outcome::Good)
}
