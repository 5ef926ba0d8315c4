// SPDX-License-Identifier: LGPL-2.1-or-later
//! Looks for builds of drivers at the places of a source, and makes of what is there a repository's metadata, by which they are
//! judged as any repository's are. No package is fetched whole here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kmp_repo::rpmmd::{Listed, Repomd};
use rpm_meta::header::LARGEST;
use rpm_meta::vercmp;

use crate::fetch::{FetchError, Fetcher};
use crate::listing;
use crate::metadata::{self, Entry, FileFacts};
use crate::nvra::Nvra;
use crate::records::Source;
use crate::url::Url;

/// A kernel that builds are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// Version and release of its package.
    pub version: String,
    /// Its architecture.
    pub arch: String,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names of packages of drivers.
    pub drivers: Vec<String>,
    /// The kernels that may come, the newest first.
    pub kernels: Vec<Kernel>,
    /// The product's name and version by os-release, for places of YaST's.
    pub product: Option<(String, String)>,
}

/// What a source has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundAt {
    /// Where packages' locations are below.
    pub base: Url,
    /// A directory with `repodata/`.
    pub dir: PathBuf,
    /// Are the checksums in it those of the packages' files? Else only the headers are known.
    pub has_checksums: bool,
}

/// The largest metadata of a source, in bytes.
const REPOMD: u64 = 1 << 20;
const PRIMARY: u64 = 64 << 20;

/// The most kernels that places are tried for, and the most builds whose headers are fetched.
const KERNELS: usize = 4;
const BUILDS: usize = 16;

/// How much of a package is fetched first: its header is in it, but of unusual ones.
const BEGINNING: u64 = 512 << 10;

/// Looks at the places of a source, one after the other; the first that has something ends it. `dir` is where metadata is written,
/// and is there.
///
/// # Errors
/// No place could be looked at; the last reason. `Ok(None)`: there is nothing at any of them.
pub fn find(
    source: &Source,
    wanted: &Wanted,
    fetcher: &Fetcher,
    dir: &Path,
) -> Result<Option<FoundAt>, String> {
    let mut failed = None;
    for url in &source.record.urls {
        match at_url(url, wanted, fetcher, dir) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => failed = None,
            Err(why) => failed = Some(why),
        }
    }
    failed.map_or(Ok(None), Err)
}

fn at_url(url: &Url, wanted: &Wanted, fetcher: &Fetcher, dir: &Path) -> Result<Option<FoundAt>, String> {
    if let Some(found) = repository(url, fetcher, dir)? {
        return Ok(Some(found));
    }
    for place in places(url, wanted) {
        let candidates = match candidates(&place, wanted, fetcher) {
            Ok(candidates) => candidates,
            Err(error) if error.is_absent() => continue,
            Err(error) => return Err(error.to_string()),
        };
        if let Some(found) = by_headers(&place, candidates, fetcher, dir)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The first place: a repository.
fn repository(url: &Url, fetcher: &Fetcher, dir: &Path) -> Result<Option<FoundAt>, String> {
    let below = |path: &str| url.below(path).map_err(|why| format!("{url} {why}"));
    let bytes = match fetcher.bytes(&below("repodata/repomd.xml")?, REPOMD) {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let repomd = Repomd::read(&bytes[..]).map_err(|why| format!("{url}repodata/repomd.xml {why}"))?;
    let primary = repomd
        .file("primary")
        .ok_or_else(|| format!("{url}repodata/repomd.xml names no list of packages"))?;
    let limit = primary.size.unwrap_or(PRIMARY).min(PRIMARY);
    let list = fetcher.bytes(&below(primary.location.as_str())?, limit).map_err(|error| match error {
        // A server that is changed meanwhile.
        error if error.is_absent() => {
            format!("{error}, though its repomd.xml names it: it is being changed. Try again later")
        }
        error => error.to_string(),
    })?;
    write(dir, primary.location.as_str(), &list).map_err(|e| local(dir, &e))?;
    write(dir, "repodata/repomd.xml", &bytes).map_err(|e| local(dir, &e))?;
    Ok(Some(FoundAt { base: url.clone(), dir: dir.to_owned(), has_checksums: true }))
}

/// The other places, in their order.
fn places(url: &Url, wanted: &Wanted) -> Vec<Url> {
    let mut places = Vec::new();
    let mut add = |path: String| places.extend(url.below(&path).map(|place| place.directory()));
    for kernel in wanted.kernels.iter().take(KERNELS) {
        for name in [&kernel.release, &kernel.version] {
            add(format!("{name}/"));
            add(format!("{name}/{}/", kernel.arch));
        }
    }
    if let Some(arch) = wanted.kernels.first().map(|kernel| &kernel.arch)
        && let Some((product, version)) = &wanted.product
    {
        // YaST Online Update's; 32 bits of x86 were i386 there.
        add(format!("{arch}/update/{product}/{version}/rpm/{arch}/"));
        add(format!("{arch}/update/{version}/rpm/{arch}/"));
    }
    places.push(url.directory());
    places.dedup();
    places
}

/// The builds of drivers in a directory, the newest first.
fn candidates(place: &Url, wanted: &Wanted, fetcher: &Fetcher) -> Result<Vec<Nvra>, FetchError> {
    let mut listed = None;
    // Of a directory of this machine its own list is the truth.
    let indexes: &[&str] = if place.local().is_some() { &[] } else { &["INDEX", "directory.3"] };
    for index in indexes {
        let Ok(url) = place.below(index) else { continue };
        match fetcher.bytes(&url, listing::LIMIT) {
            Ok(bytes) => {
                listed = Some(bytes);
                break;
            }
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(error),
        }
    }
    let listed = match listed {
        Some(listed) => listed,
        None => fetcher.listing(place, listing::LIMIT)?,
    };
    let arch = wanted.kernels.first().map(|kernel| kernel.arch.as_str()).unwrap_or_default();
    let is_wanted =
        |nvra: &Nvra| wanted.drivers.contains(&nvra.name) && (nvra.arch == arch || nvra.arch == "noarch");
    let mut found: Vec<Nvra> = listing::packages(&listed).into_iter().filter(is_wanted).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| b.evr.compare(&a.evr)));
    Ok(found)
}

/// Metadata made of headers alone.
fn by_headers(
    place: &Url,
    mut candidates: Vec<Nvra>,
    fetcher: &Fetcher,
    dir: &Path,
) -> Result<Option<FoundAt>, String> {
    candidates.truncate(BUILDS);
    let mut entries = Vec::new();
    for candidate in &candidates {
        let Ok(url) = place.below(&candidate.file) else { continue };
        match entry(&url, candidate, fetcher) {
            Ok(entry) => entries.push(entry),
            Err(why) => log::warn!("{url} is left out: {why}"),
        }
    }
    if entries.is_empty() {
        return Ok(None);
    }
    for (path, text) in metadata::files(&entries, 0) {
        write(dir, &path, text.as_bytes()).map_err(|e| local(dir, &e))?;
    }
    Ok(Some(FoundAt { base: place.clone(), dir: dir.to_owned(), has_checksums: false }))
}

fn entry(url: &Url, candidate: &Nvra, fetcher: &Fetcher) -> Result<Entry, String> {
    let read = |len| fetcher.beginning(url, len).map_err(|e| e.to_string());
    let of = |bytes: &[u8]| Entry::read(bytes, &candidate.file, FileFacts::default());
    let beginning = read(BEGINNING)?;
    let entry = match of(&beginning) {
        Ok(entry) => entry,
        // Its header is longer than most.
        Err(_) if beginning.len() as u64 == BEGINNING => {
            of(&read(LARGEST as u64)?).map_err(|e| e.to_string())?
        }
        Err(why) => return Err(why.to_string()),
    };
    let is_same = entry.name == candidate.name
        && entry.arch == candidate.arch
        && vercmp(&entry.evr.version, &candidate.evr.version).is_eq();
    if is_same { Ok(entry) } else { Err(format!("it is not what its name says, but {}", entry.nevra())) }
}

/// Where a package that was listed is.
pub fn url_of(found: &FoundAt, package: &Listed) -> Result<Url, String> {
    let location = package.location().map_err(|e| e.to_string())?;
    found.base.below(location.as_str()).map_err(|why| format!("{}{} {why}", found.base, location.as_str()))
}

fn write(dir: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
    let path = dir.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)
}

fn local(dir: &Path, error: &io::Error) -> String {
    format!("{} cannot be written to: {error}", dir.display())
}
