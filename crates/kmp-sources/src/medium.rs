// SPDX-License-Identifier: LGPL-2.1-or-later
//! A driver medium: packages as a repository, the key that they are signed with, the record of the source that newer ones come from,
//! and a script of a line. It is an add-on medium of YaST's, too (`media.1/`).

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rpm_meta::openpgp::{Key, Signature, groups};
use rpm_meta::signature_header::{SIGNATURE_HEADER, signatures};

use crate::metadata::{self, Entry};
use crate::nvra::Nvra;
use crate::own::entry_of;
use crate::record::{LIMIT, Record, is_name};

/// Where things are on a medium.
const SOURCES: &str = "kmp/sources";
const KEYS: &str = "kmp/keys";
const PACKAGES: &str = "packages";
const SCRIPT: &str = "driver-setup";

/// The script.
const SETUP: &str = "#!/bin/sh\n# Shows what is on this medium, asks, and registers it: see kmp(8).\n\
                     exec kmp medium add \"$(dirname \"$(readlink -f \"$0\")\")\" \"$@\"\n";

/// The most packages and keys of a medium.
const MOST: usize = 500;
const MOST_KEYS: usize = 8;

/// The largest file of keys, in bytes.
const KEY_FILE: u64 = rpm_meta::openpgp::LIMIT as u64;

/// What is to be on a medium.
#[derive(Debug)]
pub struct NewMedium<'m> {
    /// The source's name, which is that of its record.
    pub name: &'m str,
    /// The record. Its fingerprints and packages are filled in.
    pub record: Record,
    /// Files of keys, as they are.
    pub keys: &'m [Vec<u8>],
    /// Package files.
    pub packages: &'m [PathBuf],
    /// In seconds since 1970.
    pub time: u64,
}

/// Writes a medium into a directory, which is empty or not there.
///
/// # Errors
/// In words.
pub fn make(dir: &Path, medium: NewMedium<'_>) -> Result<Record, String> {
    let NewMedium { name, mut record, keys, packages, time } = medium;
    if !is_name(name) {
        return Err(format!("{name:?} cannot be the name of a source: letters, digits and . _ + - can"));
    }
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{} is not empty; name a directory that is not there yet", dir.display()));
    }
    let mut known: Vec<Key> = Vec::new();
    for bytes in keys {
        known.extend(Key::read_all(bytes).map_err(|why| format!("a file of keys is none: {why}"))?);
    }
    record.fingerprints = known.iter().map(|key| key.fingerprint.clone()).collect();
    let failed = |path: &Path, e: &io::Error| format!("{} cannot be written: {e}", path.display());
    let put = |path: &str, bytes: &[u8], mode: u32| {
        let path = dir.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
        let written = written.and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        written.map_err(|e| failed(&path, &e))
    };
    let mut entries: Vec<Entry> = Vec::new();
    record.packages.clear();
    for package in packages {
        let location = |entry: &Entry| {
            let evr = &entry.evr;
            format!("{PACKAGES}/{}-{}-{}.{}.rpm", entry.name, evr.version, evr.release, entry.arch)
        };
        let unread = |e: io::Error| format!("{} cannot be put on the medium: {e}", package.display());
        let entry = entry_of(package, PACKAGES).map_err(unread)?;
        signed_by(package, &known)?;
        let to = dir.join(location(&entry));
        fs::create_dir_all(dir.join(PACKAGES)).map_err(unread)?;
        if to.exists() {
            return Err(format!("{} is named twice", entry.nevra()));
        }
        fs::copy(package, &to).map_err(|e| failed(&to, &e))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o644)).map_err(|e| failed(&to, &e))?;
        let entry = entry_of(&to, &location(&entry)).map_err(unread)?;
        if !record.packages.contains(&entry.name) {
            record.packages.push(entry.name.clone());
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err("a medium has packages; name some".into());
    }
    for (path, text) in metadata::files(&entries, time) {
        put(&path, text.as_bytes(), 0o644)?;
    }
    for (at, bytes) in keys.iter().enumerate() {
        put(&format!("{KEYS}/{name}-{}.asc", at + 1), bytes, 0o644)?;
    }
    let label = if record.label.is_empty() { name } else { &record.label };
    put(&format!("{SOURCES}/{name}"), record.to_text().as_bytes(), 0o644)?;
    put("media.1/media", format!("{label}\n{time}\n1\n").as_bytes(), 0o644)?;
    put("media.1/products", format!("/ {name} {time}\n").as_bytes(), 0o644)?;
    put(SCRIPT, SETUP.as_bytes(), 0o755)?;
    Ok(record)
}

/// Whether it is signed with one of these keys, as it says. That the signature is good is verified by who takes it.
fn signed_by(package: &Path, keys: &[Key]) -> Result<(), String> {
    let shown = package.display();
    let mut beginning = Vec::new();
    let read =
        File::open(package).and_then(|file| file.take(SIGNATURE_HEADER as u64).read_to_end(&mut beginning));
    read.map_err(|e| format!("{shown}: {e}"))?;
    let signatures = signatures(&beginning).map_err(|e| format!("{shown}: {e}"))?;
    let issuers = signatures.iter().filter_map(|bytes| Signature::read(bytes).ok()?.issuer);
    let issuers: Vec<_> = issuers.collect();
    if issuers.is_empty() {
        return Err(format!("{shown} is not signed, and nobody would take it; sign it: rpmsign --addsign"));
    }
    if !issuers.iter().any(|issuer| keys.iter().any(|key| key.made(issuer))) {
        let named: Vec<String> = keys.iter().map(|key| groups(&key.fingerprint)).collect();
        return Err(format!("{shown} is not signed with {}", named.join(" or ")));
    }
    Ok(())
}

/// A medium that is looked at.
#[derive(Debug)]
pub struct Medium {
    /// The source's name.
    pub name: String,
    /// Its record, whose packages are among those of the medium.
    pub record: Record,
    /// The keys on it: each file as it is, and what is in it.
    pub keys: Vec<(Vec<u8>, Vec<Key>)>,
    /// Its package files.
    pub packages: Vec<PathBuf>,
}

impl Medium {
    /// Reads one that is a directory. Nothing on it is believed but that it says so.
    ///
    /// # Errors
    /// In words: it is none.
    pub fn read(dir: &Path) -> Result<Self, String> {
        let none = |why: String| format!("{} is no driver medium: {why}", dir.display());
        let sources = names(&dir.join(SOURCES)).map_err(|e| none(format!("{SOURCES}: {e}")))?;
        let [name] = sources.as_slice() else {
            return Err(none(format!("{SOURCES} has {} records of sources, and not one", sources.len())));
        };
        if !is_name(name) {
            return Err(none(format!("{name:?} cannot be the name of a source")));
        }
        let text = bytes(&dir.join(SOURCES).join(name), LIMIT).map_err(&none)?;
        let (mut record, faults) = Record::parse(&String::from_utf8_lossy(&text));
        if let Some(fault) = faults.first() {
            return Err(none(format!("{SOURCES}/{name}: {fault}")));
        }
        let mut keys = Vec::new();
        for file in names(&dir.join(KEYS)).unwrap_or_default().iter().take(MOST_KEYS) {
            let bytes = bytes(&dir.join(KEYS).join(file), KEY_FILE).map_err(&none)?;
            let read = Key::read_all(&bytes).map_err(|why| none(format!("{KEYS}/{file}: {why}")))?;
            keys.push((bytes, read));
        }
        let files = names(&dir.join(PACKAGES)).map_err(|e| none(format!("{PACKAGES}: {e}")))?;
        let of: Vec<Nvra> = files.iter().filter_map(|file| Nvra::of_file(file)).take(MOST).collect();
        if of.is_empty() || keys.is_empty() {
            return Err(none("it has no packages, or no keys".into()));
        }
        // It is for what it brings, and no more.
        record.packages = of.iter().map(|nvra| nvra.name.clone()).collect();
        record.packages.sort();
        record.packages.dedup();
        // Those that are shown, and no others.
        record.fingerprints =
            keys.iter().flat_map(|(_, keys)| keys).map(|key| key.fingerprint.clone()).collect();
        let packages = of.iter().map(|nvra| dir.join(PACKAGES).join(&nvra.file)).collect();
        Ok(Self { name: name.clone(), record, keys, packages })
    }
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(dir)?.take(2 * MOST);
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    // What some file systems make for themselves.
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let stat = fs::symlink_metadata(path).map_err(|e| format!("{shown}: {e}"))?;
    if !stat.is_file() || stat.len() > limit {
        return Err(format!("{shown} is no file, or has more than {limit} bytes"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("{shown}: {e}"))?;
    file.take(limit).read_to_end(&mut bytes).map_err(|e| format!("{shown}: {e}"))?;
    Ok(bytes)
}
