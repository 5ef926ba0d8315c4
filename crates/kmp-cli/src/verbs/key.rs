// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp key`: the keys that packages are signed with. rpm keeps them, and its program imports them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use kmp_core::apply::program::{self, FIRST_FILE, With};
use kmp_core::inventory::Inventory;
use kmp_core::printable;
use kmp_core::workers::Serial;
use kmp_drivers::date::day;
use kmp_drivers::trust::user_id;
use kmp_sources::fetch::Fetcher;
use kmp_sources::records::{Source, Sources};
use kmp_sources::url::Url;
use nix::sys::memfd::{MFdFlags, memfd_create};
use rpm_meta::openpgp::{Key, LIMIT, groups};
use serde::Serialize;

use crate::args;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json;
use crate::output::terminal::{Colour, Page};

/// How long rpm may take to import keys.
const IMPORT: Duration = Duration::from_secs(60);

/// Keys, of rpm or in a file.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Keys {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The keys.
    keys: Vec<Shown>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Shown {
    /// In capital hexadecimal digits.
    fingerprint: String,
    /// Whose it is, as it says itself.
    user_ids: Vec<String>,
    /// The day on which it was made (`2026-11-26`).
    created: String,
    /// The day on which its validity ends; null: it does not.
    expires: Option<String>,
    /// Has its owner revoked it?
    revoked: bool,
    /// Does rpm trust it?
    trusted: bool,
    /// The installed KMPs (`NAME-VERSION-RELEASE`) that it signed.
    drivers: Vec<String>,
    /// The sources (`kmp sources list`) whose packages it may sign.
    sources: Vec<String>,
}

impl Shown {
    fn of(key: &Key, trusted: bool, drivers: Vec<String>) -> Self {
        Self {
            fingerprint: key.fingerprint.clone(),
            user_ids: key.user_ids.iter().map(|name| printable(name.as_ref())).collect(),
            created: day(key.created.into()),
            expires: key.expires.map(day),
            revoked: key.is_revoked,
            trusted,
            drivers,
            sources: Vec::new(),
        }
    }

    /// With the sources that name it.
    fn serving(mut self, sources: &Sources) -> Self {
        let is_it = |source: &&Source| source.record.fingerprints.contains(&self.fingerprint);
        self.sources = sources.all.iter().filter(is_it).map(|source| source.name.clone()).collect();
        self
    }

    fn draw(&self, page: &mut Page) {
        page.line(page.paint(Colour::Bold, groups(&self.fingerprint)));
        for name in &self.user_ids {
            page.wrapped_behind(2, 2, name);
        }
        let until = self.expires.as_ref().map(|day| format!(", valid until {day}")).unwrap_or_default();
        let revoked = if self.revoked { ", revoked by its owner" } else { "" };
        let trusted = if self.trusted { "rpm trusts it" } else { "rpm does not know it" };
        page.wrapped_behind(2, 2, &format!("made on {}{until}{revoked}; {trusted}", self.created));
        if !self.sources.is_empty() {
            page.wrapped_behind(2, 2, &format!("accepted for packages from {}", self.sources.join(", ")));
        }
        if !self.drivers.is_empty() {
            page.wrapped_behind(2, 2, &format!("signed {}", self.drivers.join(", ")));
        }
    }
}

pub fn run(context: &Context, args: &args::Key, quiet: bool) -> Result<Outcome, String> {
    match &args.what {
        args::KeyVerb::Show { file, json } => {
            let (_, keys) = read(context, file)?;
            let trusted = context.trusted_keys()?;
            let is_trusted = |key: &Key| trusted.all().iter().any(|k| k.fingerprint == key.fingerprint);
            let drivers = drivers(context)?;
            let sources = sources(context)?;
            let shown = |key| Shown::of(key, is_trusted(key), signed(&drivers, key)).serving(&sources);
            print(keys.iter().map(shown), *json, quiet)
        }
        args::KeyVerb::List { json } => {
            let trusted = context.trusted_keys()?;
            let drivers = drivers(context)?;
            let sources = sources(context)?;
            let shown = |key| Shown::of(key, true, signed(&drivers, key)).serving(&sources);
            print(trusted.all().iter().map(shown), *json, quiet)
        }
        args::KeyVerb::Import { file, accept_key } => import(context, file, accept_key, quiet),
    }
}

fn print(keys: impl Iterator<Item = Shown>, as_json: bool, quiet: bool) -> Result<Outcome, String> {
    let keys: Vec<Shown> = keys.collect();
    if as_json {
        json::print(&Keys { version: json::VERSION, keys })?;
    } else if !quiet {
        let mut page = Page::new();
        if keys.is_empty() {
            page.line("rpm trusts no keys here");
        }
        keys.iter().for_each(|key| key.draw(&mut page));
        page.print()?;
    }
    Ok(Outcome::Good)
}

/// Each installed KMP, and who signed it.
type Drivers = BTreeMap<String, Vec<rpm_meta::openpgp::Issuer>>;

fn drivers(context: &Context) -> Result<Drivers, String> {
    let mut found = Drivers::new();
    let inventory = Inventory::take(&context.root, context.rpm(), &[], &Serial).map_err(|p| p.to_string())?;
    let Some(database) = context.database()? else { return Ok(found) };
    for kmp in inventory.kmps.iter() {
        if let Some(instance) = kmp.package.instance {
            let issuers = database.issuers(instance).map_err(|e| e.to_string())?;
            found.insert(kmp.package.nvr(), issuers);
        }
    }
    Ok(found)
}

fn sources(context: &Context) -> Result<Sources, String> {
    Sources::read(&context.root, context.database()?.as_ref()).map_err(|e| e.to_string())
}

fn signed(drivers: &Drivers, key: &Key) -> Vec<String> {
    let is_by_it = |issuers: &Vec<_>| issuers.iter().any(|issuer| key.made(issuer));
    drivers.iter().filter(|(_, issuers)| is_by_it(issuers)).map(|(nvr, _)| nvr.clone()).collect()
}

/// How long a key on a server may take.
const FETCH: Duration = Duration::from_secs(60);

/// A key file's bytes, which are what is imported, and the keys in it.
fn read(context: &Context, path: &Path) -> Result<(Vec<u8>, Vec<Key>), String> {
    match path.to_str().filter(|text| text.contains("://")) {
        Some(url) => fetched(context, url),
        None => in_file(path),
    }
}

/// The same from a server. Who made them says nobody: all digits are to be compared.
fn fetched(context: &Context, url: &str) -> Result<(Vec<u8>, Vec<Key>), String> {
    let named = Url::parse(url).map_err(|why| format!("{} {why}", printable(url.as_ref())))?;
    let bytes = Fetcher::new(&context.root, FETCH).bytes(&named, LIMIT as u64).map_err(|e| e.to_string())?;
    let keys = Key::read_all(&bytes).map_err(|why| format!("at {named} is no OpenPGP public key: {why}"))?;
    Ok((bytes, keys))
}

/// The same in a file.
fn in_file(path: &Path) -> Result<(Vec<u8>, Vec<Key>), String> {
    let shown = printable(path.as_os_str());
    let unreadable = |e: std::io::Error| format!("the key file {shown} cannot be read: {e}");
    // A FIFO would be waited for.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("{shown} is no file; name the file with the key"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let keys = Key::read_all(&bytes).map_err(|why| {
        format!("{shown} is no file of OpenPGP public keys: {why}. Fetch the key again from its provider")
    })?;
    Ok((bytes, keys))
}

fn import(context: &Context, path: &Path, accepted: &[String], quiet: bool) -> Result<Outcome, String> {
    let (bytes, keys) = read(context, path)?;
    let trusted = context.trusted_keys()?;
    let is_new = |key: &&Key| !trusted.all().iter().any(|k| k.fingerprint == key.fingerprint);
    let new: Vec<&Key> = keys.iter().filter(is_new).collect();
    let mut page = Page::new();
    keys.iter().for_each(|key| Shown::of(key, !is_new(&key), Vec::new()).draw(&mut page));
    if new.is_empty() {
        page.line("Nothing to do.");
    }
    if !quiet {
        page.print()?;
    }
    if new.is_empty() {
        return Ok(Outcome::Good);
    }
    if !agreed(path, &new, accepted)? {
        log::warn!("the key was not imported");
        return Ok(Outcome::Found);
    }
    drop(trusted);
    run_rpmkeys(context, &bytes)?;
    let trusted = context.trusted_keys()?;
    let missing: Vec<String> = new
        .iter()
        .filter(|key| !trusted.all().iter().any(|k| k.fingerprint == key.fingerprint))
        .map(|key| groups(&key.fingerprint))
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "rpm has not taken the key {}, though it reports no error; look at: rpmkeys --list",
            missing.join(", ")
        ));
    }
    for key in new {
        log::info!("imported {} of {}", groups(&key.fingerprint), user_id(key));
    }
    Ok(Outcome::Good)
}

/// Is each key accepted: by its digits on the command line, or by the answer of somebody who has seen them?
fn agreed(path: &Path, new: &[&Key], accepted: &[String]) -> Result<bool, String> {
    let digits = |text: &str| text.replace([' ', ':'], "").to_ascii_uppercase();
    let accepted: Vec<String> = accepted.iter().map(|text| digits(text)).collect();
    if let Some(other) = accepted.iter().find(|a| !new.iter().any(|key| key.fingerprint == **a)) {
        return Err(format!(
            "the key {} is to be accepted, but no new key in {} is that one; nothing was imported",
            groups(other),
            printable(path.as_os_str())
        ));
    }
    let others: Vec<&&Key> = new.iter().filter(|key| !accepted.contains(&key.fingerprint)).collect();
    let Some(first) = others.first() else { return Ok(true) };
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "{} is not accepted, and nobody can be asked. Compare it with what its provider publishes; then: kmp key import \
             {} --accept-key {}",
            groups(&first.fingerprint),
            printable(path.as_os_str()),
            first.fingerprint
        ));
    }
    let mut err = std::io::stderr().lock();
    // Who does not see the question answers no.
    let _ = write!(
        err,
        "Whoever has this key may sign any package for this system. Have you compared all digits with what its owner \
         publishes? Import it [y/N]? "
    );
    let _ = err.flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| format!("the answer cannot be read: {e}"))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Has rpm import what was shown, whatever has become of the file meanwhile.
pub fn run_rpmkeys(context: &Context, bytes: &[u8]) -> Result<(), String> {
    let failed = |why: String| format!("rpmkeys cannot import the key: {why}");
    let copy = memfd_create(c"keys", MFdFlags::MFD_CLOEXEC).map_err(|e| failed(e.to_string()))?;
    let mut copy = File::from(copy);
    copy.write_all(bytes).map_err(|e| failed(e.to_string()))?;
    let database = context.database()?.ok_or("there is no rpm database that could keep the key")?;
    let dir = database.path().parent().unwrap_or(Path::new("/")).to_path_buf();
    // It must not be open while it is written to.
    drop(database);
    let arguments: Vec<OsString> =
        vec!["--dbpath".into(), dir.into(), "--import".into(), format!("/proc/self/fd/{FIRST_FILE}").into()];
    let mut copy = Some(OwnedFd::from(copy));
    let mut files = || copy.take().map(Ok);
    let with = With { files: Some(&mut files), limit: IMPORT, ..With::default() };
    let name = "rpmkeys".as_ref();
    program::run(name, &arguments, with)
        .map(|said| said.lines().for_each(|line| log::info!("rpmkeys: {line}")))
        .map_err(|failure| failed(failure.message(name, program::first_lines)))
}
