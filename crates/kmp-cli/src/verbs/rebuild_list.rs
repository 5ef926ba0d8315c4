// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp rebuild-list`: the source packages that a rebuild mends, in the order in which they have to be built.

use std::collections::BTreeMap;
use std::path::Path;

use kmp_core::printable;
use kmp_kabi::rebuild::{self, List, Source};
use kmp_kabi::registry::{Build, Module, Package, Provider, Registration, State, judge};
use kmp_repo::offer::{self, CONCERNED, Concern};
use kmp_repo::repository::MetadataDir;
use kmp_repo::rpmmd::Listed;
use serde::Serialize;

use crate::args::fleet::{Engine, RebuildList as Args};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json::{self, VERSION};
use crate::output::terminal::Page;
use crate::verbs::kabi::Side;
use crate::verbs::registry::{kernel, sound};
use crate::verbs::update::sources;

/// What `kmp rebuild-list --json` prints.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The kernel that comes.
    kernel: String,
    /// The source packages, in the order in which they have to be built.
    sources: Vec<SourcePackage>,
    /// Packages that a rebuild does not mend, or that have to be judged again after one, each in a line.
    left: Vec<String>,
    /// Packages of which it is not known whether they fit.
    unknown: Vec<String>,
}

/// A source package.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SourcePackage {
    /// Its name.
    name: String,
    /// Its file, NAME-VERSION-RELEASE.src.rpm, if that is known.
    file: Option<String>,
    /// The build service's project, if that is known.
    project: Option<String>,
    /// What the project calls it.
    in_project: String,
    /// The packages that are built of it.
    packages: Vec<String>,
    /// Those with the same number can be built side by side, after those with smaller ones.
    group: usize,
    /// Does one of its group need it that it needs itself? Then no order is right.
    in_circle: bool,
}

pub fn run(context: &Context, args: &Args, quiet: bool) -> Result<Outcome, String> {
    let all = match &args.repositories[..] {
        [] => sound(&args.registry)?,
        named => newest(named)?,
    };
    if all.is_empty() {
        return Err("there is no driver to be judged".into());
    }
    let side = Side::read(context, &args.new)?;
    let items = judge(&all, None, &kernel(&side)?);
    let list = rebuild::list(&items);
    let unknown = items.iter().filter(|item| item.state == State::Unknown);
    let unknown: Vec<&str> = unknown.map(|item| item.registration.build.nevra.as_str()).collect();
    if args.json {
        json::print(&document(&list, &side.name, &unknown))?;
    } else {
        let name = |name: &str| printable(name.as_ref());
        list.left.iter().for_each(|left| log::warn!("{}", name(&left.to_string())));
        unknown.iter().for_each(|nevra| log::warn!("{}: it is not known whether it fits", name(nevra)));
        for source in list.sources.iter().filter(|source| source.is_in_circle) {
            let name = name(source.name);
            log::warn!("{name}: it needs what needs it, so no order is right: build its group twice");
        }
        if !quiet {
            let mut page = Page::new();
            lines(&list, args)?.into_iter().for_each(|line| page.line(line));
            page.print()?;
        }
    }
    Ok(match () {
        () if !unknown.is_empty() => Outcome::Failed,
        () if list.sources.is_empty() && list.left.is_empty() => Outcome::Good,
        () => Outcome::Found,
    })
}

/// The newest build of each driver in some repositories, as if they were registered.
fn newest(named: &[String]) -> Result<Vec<(String, Registration)>, String> {
    let given = sources::given(named)?;
    let mut newest: BTreeMap<String, (String, Listed)> = BTreeMap::new();
    for repository in &given {
        let of = |e: kmp_repo::repository::RepositoryError| format!("repository {}: {e}", repository.id());
        let dir = MetadataDir::new(repository.root(), Path::new("/"));
        let repomd = dir.repomd().map_err(of)?;
        let mut found: Vec<Listed> = Vec::new();
        let mut each = |package: &Listed| {
            let is_source = matches!(package.arch(), "src" | "nosrc");
            if !is_source && Concern::of(package) == Concern::Driver {
                found.push(package.clone());
            }
        };
        dir.packages(&repomd, &CONCERNED, &mut each).map_err(of)?;
        for package in found {
            let is_newer = |(_, known): &(String, Listed)| package.evr().compare(&known.evr()).is_gt();
            if newest.get(package.name()).is_none_or(is_newer) {
                newest.insert(package.name().to_owned(), (repository.id().to_owned(), package));
            }
        }
    }
    Ok(newest.into_values().map(|(id, package)| (id, registration(&package))).collect())
}

fn registration(package: &Listed) -> Registration {
    let pair =
        |symbol: kmp_core::abi::capability::SymbolCapability<'_>| (symbol.symbol.to_owned(), symbol.crc);
    let uses: Vec<(String, u32)> = offer::needs(package).map(pair).collect();
    let exports: Vec<(String, u32)> = offer::symbols(package).map(pair).collect();
    let module = Module::declared(
        package.name(),
        uses.iter().map(|(symbol, crc)| (symbol.as_str(), *crc)),
        exports.iter().map(|(symbol, crc)| (symbol.as_str(), *crc)),
    );
    Registration {
        version: 1,
        provider: Provider { contact: String::new(), rebuild_without_asking: true },
        package: Package::of(package.name(), package.source(), ""),
        build: Build { nevra: package.nevra(), kernel: String::new() },
        modules: vec![module],
    }
}

/// What an engine takes.
fn lines(list: &List<'_>, args: &Args) -> Result<Vec<String>, String> {
    let each = |line: &dyn Fn(&Source<'_>) -> Result<String, String>| list.sources.iter().map(line).collect();
    match args.engine {
        Engine::Plain | Engine::Copr => each(&|source| word(source.name)),
        Engine::Obs => each(&|source| {
            let given = args.project.as_deref().unwrap_or_default();
            let project = if source.project.is_empty() { given } else { source.project };
            if project.is_empty() {
                let why = "does not say in which project it was built: add --project NAME";
                return Err(format!("{} {why}", word(source.name)?));
            }
            Ok(format!("{} {}", word(project)?, word(source.in_project)?))
        }),
        Engine::Mock => each(&|source| {
            if source.file.is_empty() {
                return Err(format!("{} does not say which source package it is of", word(source.name)?));
            }
            let file = word(source.file)?;
            Ok(match &args.sources {
                Some(dir) => printable(dir.join(file).as_os_str()),
                None => file,
            })
        }),
        Engine::Koji => {
            let groups: Vec<String> = list
                .sources
                .chunk_by(|a, b| a.group == b.group)
                .map(|group| group.iter().map(|s| word(s.name)).collect::<Result<Vec<_>, _>>())
                .map(|group| group.map(|names| names.join(" ")))
                .collect::<Result<_, _>>()?;
            Ok(if groups.is_empty() { Vec::new() } else { vec![groups.join(" : ")] })
        }
    }
}

/// A name that becomes a word of a command line: nothing in it that a shell, or an engine, takes for more than that.
fn word(name: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+~^:".contains(c);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain) {
        return Ok(name.to_owned());
    }
    Err(format!("{} is no name of a package or project", printable(name.as_ref())))
}

fn document(list: &List<'_>, kernel: &str, unknown: &[&str]) -> Document {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let source = |source: &Source<'_>| SourcePackage {
        name: source.name.into(),
        file: some(source.file),
        project: some(source.project),
        in_project: source.in_project.into(),
        packages: source.packages.iter().map(ToString::to_string).collect(),
        group: source.group,
        in_circle: source.is_in_circle,
    };
    Document {
        version: VERSION,
        kernel: kernel.into(),
        sources: list.sources.iter().map(source).collect(),
        left: list.left.iter().map(ToString::to_string).collect(),
        unknown: unknown.iter().map(ToString::to_string).collect(),
    }
}
