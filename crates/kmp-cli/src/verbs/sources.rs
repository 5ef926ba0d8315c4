// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp sources`: where newer builds of drivers come from, and which providers catalogues offer. No server learns which hardware this
//! machine has.

mod document;

use std::io::{IsTerminal, Write};
use std::path::Path;

use kmp_core::{apply, printable};
use kmp_drivers::devices;
use kmp_sources::catalogue::{self, Kept, Provider};
use kmp_sources::own::OwnRepository;
use kmp_sources::record::Record;
use kmp_sources::records::{OF_ADMINISTRATOR, Origin, Source, Sources};
use rpm_meta::openpgp::groups;

use super::update::write_repository;
use crate::args::{self, SourcesVerb};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json;
use crate::output::terminal::{Colour, Page};

pub use document::Document;
use document::Listed;

pub fn run(context: &Context, args: &args::Sources, quiet: bool) -> Result<Outcome, String> {
    match &args.what {
        SourcesVerb::List { json } => list(context, *json, quiet),
        SourcesVerb::Enable { name, agree } => enable(context, name, *agree, quiet),
        SourcesVerb::Disable { name } => disable(context, name, quiet),
    }
}

/// All that is known: the system's sources, and the providers of catalogues.
struct Known {
    sources: Sources,
    catalogues: Vec<Kept>,
    /// Full fingerprints of the keys that rpm trusts.
    keys: Vec<String>,
}

fn read(context: &Context) -> Result<Known, String> {
    let database = context.database()?;
    let trusted = context.trusted_keys()?;
    let mut sources = Sources::read(&context.root, database.as_ref()).map_err(|e| e.to_string())?;
    let catalogues = match &database {
        Some(database) => {
            let read = catalogue::read_all(&context.root, database, &trusted).map_err(|e| e.to_string())?;
            sources.problems.extend(read.1);
            read.0
        }
        None => Vec::new(),
    };
    sources.problems.iter().for_each(|problem| log::warn!("{problem}"));
    let keys = trusted.all().iter().map(|key| key.fingerprint.clone()).collect();
    Ok(Known { sources, catalogues, keys })
}

fn list(context: &Context, as_json: bool, quiet: bool) -> Result<Outcome, String> {
    let known = read(context)?;
    // Only the system itself has hardware.
    let found = if context.root.is_system() { devices::devices(&context.root) } else { Ok(Vec::new()) };
    let aliases: Vec<String> = found
        .unwrap_or_else(|why| {
            log::warn!("devices are not known: {why}");
            Vec::new()
        })
        .into_iter()
        .map(|device| device.modalias)
        .collect();
    let system = system(context);
    let mut listed: Vec<Listed> = known.sources.all.iter().map(|source| of_source(source, &known)).collect();
    for (kept, provider) in providers(&known) {
        if !known.sources.all.iter().any(|source| source.name == provider.name) {
            let devices = aliases.iter().filter(|alias| provider.claims(alias)).count();
            listed.push(of_provider(kept, provider, devices, provider.is_for_system(&system), &known));
        }
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let document = Document::new(listed);
    if as_json {
        json::print(&document)?;
    } else if !quiet {
        draw(&document)?;
    }
    Ok(Outcome::Good)
}

fn providers(known: &Known) -> impl Iterator<Item = (&Kept, &Provider)> {
    known
        .catalogues
        .iter()
        .flat_map(|kept| kept.catalogue.providers.iter().map(move |provider| (kept, provider)))
}

/// `ID VERSION_ID` of os-release.
fn system(context: &Context) -> String {
    let read = |path| context.root.read_if_there(Path::new(path), 1 << 20).ok().flatten();
    let bytes = read("/etc/os-release").or_else(|| read("/usr/lib/os-release")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let of_system = |key| kmp_core::dialect::os_release_value(&text, key).unwrap_or_default();
    format!("{} {}", of_system("ID"), of_system("VERSION_ID")).trim().to_owned()
}

fn of_source(source: &Source, known: &Known) -> Listed {
    let from = match &source.origin {
        Origin::Package(name) => format!("package {name}"),
        Origin::Administrator => "administrator".into(),
    };
    let state = if source.record.is_disabled { "disabled" } else { "enabled" };
    of_record(&source.name, &source.record, state, from, known)
}

fn of_provider(kept: &Kept, provider: &Provider, devices: usize, fits: bool, known: &Known) -> Listed {
    let from = format!("catalogue of {}", printable(kept.catalogue.issuer.as_ref()));
    let state = if fits { "offered" } else { "other-system" };
    Listed {
        devices,
        key: provider.key.clone(),
        ..of_record(&provider.name, &provider.record(), state, from, known)
    }
}

fn of_record(name: &str, record: &Record, state: &'static str, from: String, known: &Known) -> Listed {
    Listed {
        name: name.to_owned(),
        label: printable(record.label.as_ref()),
        contact: printable(record.contact.as_ref()),
        state,
        from,
        urls: record.urls.iter().map(ToString::to_string).collect(),
        packages: record.packages.clone(),
        fingerprints: record
            .fingerprints
            .iter()
            .map(|digits| document::Fingerprint {
                digits: digits.clone(),
                trusted: known.keys.contains(digits),
            })
            .collect(),
        key: None,
        devices: 0,
    }
}

fn draw(document: &Document) -> Result<(), String> {
    let mut page = Page::new();
    if document.sources.is_empty() {
        page.line("There are no sources of drivers but the package manager's repositories.");
    }
    for source in &document.sources {
        let (colour, word) = match source.state {
            "enabled" => (Colour::Green, "enabled"),
            "offered" if source.devices > 0 => (Colour::Yellow, "offered, for devices of this machine"),
            "offered" => (Colour::Yellow, "offered"),
            "other-system" => (Colour::Yellow, "for other systems"),
            _ => (Colour::Yellow, "disabled"),
        };
        let label = if source.label.is_empty() { String::new() } else { format!(", {}", source.label) };
        let name = page.paint(Colour::Bold, &source.name);
        page.line(format!("{name}{label}: {}", page.paint(colour, word)));
        page.wrapped_behind(2, 4, &format!("from: {}", source.from));
        for url in &source.urls {
            page.wrapped_behind(2, 4, &format!("at {url}"));
        }
        page.wrapped_behind(2, 4, &format!("for {}", source.packages.join(", ")));
        for key in &source.fingerprints {
            let known = if key.trusted { "rpm trusts it" } else { "rpm does not know it" };
            page.wrapped_behind(2, 4, &format!("key {}; {known}", groups(&key.digits)));
        }
        if source.fingerprints.is_empty() {
            page.wrapped_behind(2, 4, "names no key: any that rpm trusts will do");
        }
        if !source.contact.is_empty() {
            page.wrapped_behind(2, 4, &format!("contact: {}", source.contact));
        }
    }
    page.print()
}

fn enable(context: &Context, name: &str, agree: bool, quiet: bool) -> Result<Outcome, String> {
    let known = read(context)?;
    let of_system = known.sources.all.iter().find(|source| source.name == name);
    if let Some(source) = of_system.filter(|source| !source.record.is_disabled) {
        log::info!("{} is enabled", source.name);
        return Ok(Outcome::Good);
    }
    let provider = providers(&known).find(|(_, provider)| provider.name == name);
    let (record, from, key) = match (provider, of_system) {
        (Some((kept, provider)), _) => {
            let issuer = printable(kept.catalogue.issuer.as_ref());
            (provider.record(), format!("the catalogue of {issuer}"), provider.key.clone())
        }
        (None, Some(source)) if !source.record.urls.is_empty() => {
            (Record { is_disabled: false, ..source.record.clone() }, source.path.display().to_string(), None)
        }
        (None, Some(source)) => return off_by_file(context, source),
        (None, None) => return Err(unknown(name, &known)),
    };
    if !quiet {
        let mut page = Page::new();
        let label = if record.label.is_empty() { name } else { &record.label };
        page.line(page.paint(Colour::Bold, printable(label.as_ref())));
        page.wrapped_behind(2, 4, &format!("named by {from}"));
        record.urls.iter().for_each(|url| page.wrapped_behind(2, 4, &format!("at {url}")));
        page.wrapped_behind(2, 4, &format!("for {}", record.packages.join(", ")));
        record.fingerprints.iter().for_each(|d| page.wrapped_behind(2, 4, &format!("key {}", groups(d))));
        page.print()?;
    }
    if !agree && !agreed(name)? {
        log::warn!("{name} is not enabled");
        return Ok(Outcome::Found);
    }
    let path = Path::new(OF_ADMINISTRATOR).join(name);
    let text = format!("# Written by kmp sources enable, from {from}.\n{}", record.to_text());
    apply::replace(&context.root, &path, Some(text.as_bytes()))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    let missing: Vec<&String> =
        record.fingerprints.iter().filter(|digits| !known.keys.contains(digits)).collect();
    if missing.len() == record.fingerprints.len() && !missing.is_empty() {
        let at = key.unwrap_or_else(|| "FILE".into());
        let words: Vec<String> = missing.iter().map(|digits| format!(" --accept-key {digits}")).collect();
        log::warn!(
            "rpm knows none of its keys yet, so that nothing from it is taken. Compare the digits with what the provider \
             publishes; then: kmp key import{} {at}",
            words.concat()
        );
    }
    Ok(Outcome::Good)
}

/// One that the administrator's own file has switched off: that file goes.
fn off_by_file(context: &Context, source: &Source) -> Result<Outcome, String> {
    apply::replace(&context.root, &source.path, None)
        .map_err(|e| format!("{}: {e}", source.path.display()))?;
    let again = read(context)?.sources.all.into_iter().find(|s| s.name == source.name);
    match again {
        Some(again) if !again.record.is_disabled => Ok(Outcome::Good),
        _ => {
            Err(format!("{} had switched off a source that no package names any more", source.path.display()))
        }
    }
}

fn unknown(name: &str, known: &Known) -> String {
    let names = known.sources.all.iter().map(|source| source.name.as_str());
    let names: Vec<&str> =
        names.chain(providers(known).map(|(_, provider)| provider.name.as_str())).collect();
    let name = printable(name.as_ref());
    match kmp_core::suggest::nearest(&name, names.iter().copied()) {
        Some(near) => format!("there is no source {name}; did you mean {near}?"),
        None => format!("there is no source {name}; there are: {}", names.join(", ")),
    }
}

fn agreed(name: &str) -> Result<bool, String> {
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "nobody can be asked whether {name} may deliver drivers; who agrees types: kmp sources enable --agree {name}"
        ));
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "Take drivers for this system from there [y/N]? ");
    let _ = err.flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| format!("the answer cannot be read: {e}"))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn disable(context: &Context, name: &str, quiet: bool) -> Result<Outcome, String> {
    let known = read(context)?;
    let Some(source) = known.sources.all.iter().find(|source| source.name == name) else {
        return Err(unknown(name, &known));
    };
    if source.name.starts_with("download.conf-") {
        return Err(format!("take its line out of {}", source.path.display()));
    }
    let path = Path::new(OF_ADMINISTRATOR).join(name);
    // One of a package is switched off without its words: the package may correct them later.
    let text = match &source.origin {
        Origin::Package(_) => "# Written by kmp sources disable.\nenabled = no\n".to_owned(),
        Origin::Administrator => {
            let record = Record { is_disabled: true, ..source.record.clone() };
            format!("# Written by kmp sources disable.\n{}", record.to_text())
        }
    };
    apply::replace(&context.root, &path, Some(text.as_bytes()))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    let own = OwnRepository::of(&context.root);
    if own.remove_source(name).map_err(|e| format!("{}: {e}", own.dir().display()))? {
        write_repository(context, &own)?;
    }
    if !quiet {
        println!("{name} is disabled; what was fetched from it and not installed is gone.");
    }
    Ok(Outcome::Good)
}
