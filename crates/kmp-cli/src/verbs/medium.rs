// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp medium`: makes a driver medium, and registers the source of one that somebody has been given. Never by itself.

mod mounted;

use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;

use kmp_core::dialect::Dialect;
use kmp_core::{apply, check, clock, printable};
use kmp_drivers::trust;
use kmp_sources::medium::{self, Medium, NewMedium};
use kmp_sources::own::{self, OwnRepository};
use kmp_sources::record::Record;
use kmp_sources::records::OF_ADMINISTRATOR;
use rpm_meta::openpgp::{Key, groups};
use serde::Serialize;

use super::key;
use super::update::{register, write_repository};
use crate::args::{self, MediumVerb};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json;
use crate::output::terminal::{Colour, Page};
use mounted::Mounted;

/// Of this form. It changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// A driver medium.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The source's name.
    name: String,
    /// Whose it is.
    label: String,
    /// Whom to ask; empty: it does not say.
    contact: String,
    /// Where newer packages come from.
    urls: Vec<String>,
    /// The packages on it.
    packages: Vec<Package>,
    /// The keys on it.
    keys: Vec<ShownKey>,
    /// Was it registered?
    registered: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Package {
    /// The file's name.
    file: String,
    /// What its signature is worth here, before any key is imported: `good`, `unknown-key`, `not-trusted`, `unsigned`, `uncovered`,
    /// `corrupt`; or what is wrong with the file.
    trust: String,
    /// The installed kernels (`uname -r`) in which all its modules work.
    fits: Vec<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShownKey {
    /// In capital hexadecimal digits.
    fingerprint: String,
    /// Whose it is, as it says itself.
    user_id: String,
    /// Does rpm trust it?
    trusted: bool,
}

pub fn run(context: &Context, args: &args::Medium, quiet: bool) -> Result<Outcome, String> {
    match &args.what {
        MediumVerb::Make(make) => made(make, quiet),
        MediumVerb::Add(add) => {
            let mounted = Mounted::open(&add.medium)?;
            added(context, add, mounted.path(), quiet)
        }
    }
}

fn made(make: &args::MakeMedium, quiet: bool) -> Result<Outcome, String> {
    let mut keys = Vec::new();
    for path in &make.keys {
        keys.push(fs::read(path).map_err(|e| format!("{}: {e}", printable(path.as_os_str())))?);
    }
    let (mut record, mut faults) = (Record::default(), Vec::new());
    for url in &make.sources {
        let (one, wrong) = Record::parse(&format!("url = {url}\n"));
        record.urls.extend(one.urls);
        faults.extend(wrong);
    }
    if let Some(fault) = faults.first() {
        return Err(fault.clone());
    }
    let (said, _) = Record::parse(&format!(
        "label = {}\ncontact = {}\n",
        make.label.as_deref().unwrap_or_default(),
        make.contact.as_deref().unwrap_or_default()
    ));
    (record.label, record.contact) = (said.label, said.contact);
    let first = make.packages.first().and_then(|path| own::entry_of(path, "x").ok());
    let name = make.name.clone().or_else(|| first.map(|entry| entry.name)).unwrap_or_default();
    let new = NewMedium { name: &name, record, keys: &keys, packages: &make.packages, time: clock::now() };
    let record = medium::make(&make.dir, new)?;
    if !quiet {
        let mut page = Page::new();
        page.wrapped(
            0,
            &format!(
                "{} is a medium with {} packages of {}.",
                printable(make.dir.as_os_str()),
                make.packages.len(),
                name
            ),
        );
        for digits in &record.fingerprints {
            page.wrapped_behind(2, 2, &format!("publish the key's fingerprint: {}", groups(digits)));
        }
        page.wrapped(0, "Its users run driver-setup on it, or: kmp medium add PATH|DEVICE");
        page.print()?;
    }
    Ok(Outcome::Good)
}

fn added(context: &Context, args: &args::AddMedium, dir: &Path, quiet: bool) -> Result<Outcome, String> {
    let medium = Medium::read(dir)?;
    let rpm = context.rpm().map_err(ToString::to_string)?;
    let trusted = context.trusted_keys()?;
    let is_trusted = |key: &Key| trusted.all().iter().any(|k| k.fingerprint == key.fingerprint);
    let mut packages = Vec::new();
    for path in &medium.packages {
        let trust = match rpm.verify(path, &trusted) {
            Ok(verified) => trust::word(verified.trust).to_owned(),
            Err(why) => printable(why.to_string().as_ref()),
        };
        packages.push(Package { file: file_name(path), trust, fits: fits(context, path) });
    }
    let keys: Vec<&Key> = medium.keys.iter().flat_map(|(_, keys)| keys).collect();
    let new: Vec<&Key> = keys.iter().copied().filter(|key| !is_trusted(key)).collect();
    let mut document = Document {
        version: VERSION,
        name: medium.name.clone(),
        label: medium.record.label.clone(),
        contact: medium.record.contact.clone(),
        urls: medium.record.urls.iter().map(ToString::to_string).collect(),
        packages,
        keys: keys
            .iter()
            .map(|key| ShownKey {
                fingerprint: key.fingerprint.clone(),
                user_id: trust::user_id(key),
                trusted: is_trusted(key),
            })
            .collect(),
        registered: false,
    };
    drop(trusted);
    if !args.json && !quiet {
        draw(&document)?;
    }
    if !agreed(args, &new)? {
        if args.json {
            json::print(&document)?;
        }
        log::warn!("nothing was registered, and no key was imported");
        return Ok(Outcome::Found);
    }
    let imported: Vec<Vec<u8>> = medium
        .keys
        .iter()
        .filter(|(_, keys)| keys.iter().any(|key| new.contains(&key)))
        .map(|(bytes, _)| bytes.clone())
        .collect();
    imported.iter().try_for_each(|bytes| key::run_rpmkeys(context, bytes))?;
    let path = Path::new(OF_ADMINISTRATOR).join(&medium.name);
    let text = format!("# Written by kmp medium add.\n{}", medium.record.to_text());
    apply::replace(&context.root, &path, Some(text.as_bytes()))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    let (refused, taken) = take(context, &medium)?;
    refused.iter().for_each(|why| log::warn!("{why}"));
    document.registered = true;
    if args.json {
        json::print(&document)?;
    } else if !quiet {
        done(context, &document, &taken)?;
    }
    Ok(if refused.is_empty() { Outcome::Good } else { Outcome::Found })
}

/// Puts what is signed well into kmp's own repository. Returns what was refused, and the names of what was taken.
fn take(context: &Context, medium: &Medium) -> Result<(Vec<String>, Vec<String>), String> {
    let own = OwnRepository::of(&context.root);
    let rpm = context.rpm().map_err(ToString::to_string)?;
    let keys = context.trusted_keys()?;
    let failed = |e: std::io::Error| format!("{}: {e}", own.dir().display());
    let (mut refused, mut taken) = (Vec::new(), Vec::new());
    for path in &medium.packages {
        let shown = file_name(path);
        // A copy: what is on the medium may change.
        let mut copy = own.new_file().map_err(failed)?;
        let copied = fs::File::open(path).and_then(|mut from| std::io::copy(&mut from, copy.as_file_mut()));
        copied.map_err(|e| format!("{shown}: {e}"))?;
        let verified = own::verify(rpm, copy.path(), &shown, &keys, &medium.record.fingerprints);
        match verified.and_then(|_| own::entry_of(copy.path(), "x").map_err(|e| own::Refused(e.to_string())))
        {
            Ok(entry) => {
                let name =
                    format!("{}-{}-{}.{}.rpm", entry.name, entry.evr.version, entry.evr.release, entry.arch);
                own.put(&medium.name, copy, &name).map_err(failed)?;
                if !taken.contains(&entry.name) {
                    taken.push(entry.name);
                }
            }
            Err(own::Refused(why)) => refused.push(why),
        }
    }
    drop(keys);
    if !taken.is_empty() {
        write_repository(context, &own)?;
        register(context)?;
    }
    Ok((refused, taken))
}

fn draw(document: &Document) -> Result<(), String> {
    let mut page = Page::new();
    let label = if document.label.is_empty() { &document.name } else { &document.label };
    page.line(page.paint(Colour::Bold, printable(label.as_ref())));
    if !document.contact.is_empty() {
        page.wrapped_behind(2, 2, &format!("contact: {}", document.contact));
    }
    for url in &document.urls {
        page.wrapped_behind(2, 2, &format!("newer packages will come from {url}"));
    }
    for package in &document.packages {
        let fits = match package.fits.as_slice() {
            [] => "fits no kernel that is installed".to_owned(),
            kernels => format!("fits {}", kernels.join(", ")),
        };
        page.wrapped_behind(2, 4, &format!("{}: {fits}; signature: {}", package.file, package.trust));
    }
    for key in &document.keys {
        let known = if key.trusted { "rpm trusts it" } else { "rpm does not know it" };
        page.wrapped_behind(2, 4, &format!("key {} of {}; {known}", groups(&key.fingerprint), key.user_id));
    }
    page.print()
}

fn done(context: &Context, document: &Document, taken: &[String]) -> Result<(), String> {
    let mut page = Page::new();
    page.wrapped(0, &format!("The source {} is registered: kmp sources list", document.name));
    if !taken.is_empty() {
        let command = match context.dialect() {
            Some(Dialect::RedHat) => "dnf install",
            _ => "zypper install",
        };
        page.wrapped(0, "Nothing was installed. To install its drivers:");
        page.line(format!("    {command} {}", taken.join(" ")));
    }
    page.print()
}

/// The installed kernels in which all modules of a package work.
fn fits(context: &Context, path: &Path) -> Vec<String> {
    let names: [OsString; 1] = [path.into()];
    let request = check::Request { names: &names, ..check::Request::default() };
    let checked = check::check(&context.root, context.rpm(), &mut context.loader(), &request);
    context.done();
    let Ok(checked) = checked else { return Vec::new() };
    let mut kernels: Vec<(String, bool)> = Vec::new();
    for line in &checked.lines {
        let (release, fits) = (&checked.releases[line.kernel], line.verdict.fits());
        match kernels.iter_mut().find(|(name, _)| name == release) {
            Some((_, all)) => *all &= fits,
            None => kernels.push((release.clone(), fits)),
        }
    }
    kernels.into_iter().filter(|(_, fits)| *fits).map(|(release, _)| release).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(printable).unwrap_or_default()
}

/// Asked once, about all of it: by whoever has seen it, or by the digits of each new key on the command line.
fn agreed(args: &args::AddMedium, new: &[&Key]) -> Result<bool, String> {
    let digits = |text: &String| text.replace([' ', ':'], "").to_ascii_uppercase();
    let accepted: Vec<String> = args.accept_key.iter().map(digits).collect();
    if let Some(other) = accepted.iter().find(|a| !new.iter().any(|key| key.fingerprint == **a)) {
        return Err(format!(
            "the key {} is to be accepted, but no new key on the medium is that one; nothing was registered",
            groups(other)
        ));
    }
    if !new.is_empty() && new.iter().all(|key| accepted.contains(&key.fingerprint))
        || args.yes && new.is_empty()
    {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let wanted: Vec<String> =
            new.iter().map(|key| format!(" --accept-key {}", key.fingerprint)).collect();
        let wanted = if wanted.is_empty() { " --yes".to_owned() } else { wanted.concat() };
        return Err(format!(
            "nobody can be asked whether to trust this medium. Compare all digits of its keys with what its provider publishes; \
             then: kmp medium add{wanted} {}",
            printable(args.medium.as_os_str())
        ));
    }
    let mut err = std::io::stderr().lock();
    let question = match new {
        [] => "Register this source [y/N]? ",
        _ => {
            "Whoever has a key may sign any package for this system. Have you compared all digits with what the provider \
             publishes? Import the key and register this source [y/N]? "
        }
    };
    // Who does not see the question answers no.
    let _ = write!(err, "{question}");
    let _ = err.flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| format!("the answer cannot be read: {e}"))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
