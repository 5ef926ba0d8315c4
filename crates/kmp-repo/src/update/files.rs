// SPDX-License-Identifier: LGPL-2.1-or-later
//! Package files of a repository: those on this machine, in the package manager's cache or as the repository is a directory, and
//! others that may be fetched.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use kmp_core::root::Root;
use sha2::{Digest, Sha256, Sha512};

use super::offers::{Offer, Source};
use crate::rpmmd::{Checksum, Location};

/// The largest package that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// The largest header, in bytes.
const LARGEST_HEADER: u64 = rpm_meta::header::LARGEST as u64;

/// How much of a package's header is fetched where its list does not say how long it is, in bytes.
const BEGINNING: u64 = 512 << 10;

/// How much of a file is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it, which has to be no more than so many bytes.
    Whole(u64),
    /// Its first bytes, so many at most.
    Beginning(u64),
}

/// Fetches the file at a place in the repository of a short name.
pub type Fetch<'f> = &'f dyn Fn(&str, &Location, Part) -> Result<File, String>;

/// Where package files may be.
#[derive(Default)]
pub struct Files<'r> {
    places: Vec<Place<'r>>,
    fetch: Option<Fetch<'r>>,
    /// By the package's checksum: its file, if it is to be had. It is looked for and summed once.
    known: RefCell<HashMap<Checksum, Option<File>>>,
}

impl fmt::Debug for Files<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Files").field("places", &self.places).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Place<'r> {
    /// The repository's short name.
    repository: String,
    root: &'r Root,
    dir: PathBuf,
}

impl<'r> Files<'r> {
    /// Those of some repositories, and what `fetch` fetches of the others.
    pub fn of(sources: &[Source<'r>], fetch: Option<Fetch<'r>>) -> Self {
        let places = sources.iter().flat_map(|source| {
            let place =
                |dir: &PathBuf| Place { repository: source.id.clone(), root: source.root, dir: dir.clone() };
            source.packages.iter().map(place)
        });
        Self { places: places.collect(), fetch, known: RefCell::default() }
    }

    /// Opens a package's file, if it is to be had and is the one that its repository means.
    pub(super) fn open(&self, offer: &Offer) -> Option<File> {
        let checksum = offer.package.checksum().ok()?;
        let mut known = self.known.borrow_mut();
        let found = known
            .entry(checksum.clone())
            .or_insert_with(|| self.find(offer, &checksum).or_else(|| self.fetched(offer, &checksum)));
        let mut file = found.as_ref()?.try_clone().ok()?;
        file.rewind().ok()?;
        Some(file)
    }

    /// The same, where it is on this machine or was fetched already.
    pub(super) fn open_here(&self, offer: &Offer) -> Option<File> {
        let checksum = offer.package.checksum().ok()?;
        let mut known = self.known.borrow_mut();
        if !matches!(known.get(&checksum), Some(Some(_))) {
            let found = self.find(offer, &checksum)?;
            known.insert(checksum.clone(), Some(found));
        }
        let mut file = known.get(&checksum)?.as_ref()?.try_clone().ok()?;
        file.rewind().ok()?;
        Some(file)
    }

    /// Fetches a package's header, and no more, as its repository says where it ends. Whether it is that of the package that is meant
    /// no checksum says.
    ///
    /// # Errors
    /// Why not, for people; also where nothing is to be fetched.
    pub(super) fn header(&self, offer: &Offer) -> Result<File, String> {
        let fetch = self.fetch.ok_or("it was not fetched")?;
        let location = offer.package.location().map_err(|e| e.to_string())?;
        let end = Some(offer.package.header().end).filter(|end| *end > 0).unwrap_or(BEGINNING);
        let mut file = fetch(&offer.repository, &location, Part::Beginning(end.min(LARGEST_HEADER)))?;
        file.rewind().map_err(|e| e.to_string())?;
        Ok(file)
    }

    /// Is there a file of it, or can it be fetched? It may be another one.
    pub(super) fn may_have(&self, offer: &Offer) -> bool {
        let is_there = |(root, path): (&Root, PathBuf)| root.try_exists(&path).unwrap_or(false);
        self.fetch.is_some() || self.paths(offer).any(is_there)
    }

    fn find(&self, offer: &Offer, checksum: &Checksum) -> Option<File> {
        self.paths(offer).find_map(|(root, path)| {
            let mut file = root.open_file(&path).ok()?;
            let is_it = is_of(&mut file, offer, checksum);
            if !is_it {
                log::debug!("{} is not the package of the repository", path.display());
            }
            is_it.then_some(file)
        })
    }

    fn fetched(&self, offer: &Offer, checksum: &Checksum) -> Option<File> {
        let (fetch, location) = (self.fetch?, offer.package.location().ok()?);
        let limit = if offer.package.size() == 0 { LARGEST } else { offer.package.size().min(LARGEST) };
        let nevra = offer.package.nevra();
        match fetch(&offer.repository, &location, Part::Whole(limit)) {
            Ok(mut file) => {
                if is_of(&mut file, offer, checksum) {
                    return Some(file);
                }
                log::warn!("{nevra} is not fetched: what its server has is not what its repository means");
            }
            Err(why) => log::warn!("{nevra} is not fetched: {why}"),
        }
        None
    }

    /// Where it may be: below the directory as in the repository, or by its name alone.
    fn paths(&self, offer: &Offer) -> impl Iterator<Item = (&'r Root, PathBuf)> {
        let location = offer.package.location().ok();
        let of_repository = self.places.iter().filter(|place| place.repository == offer.repository);
        of_repository.flat_map(move |place| {
            let location = location.as_ref().map(|location| Path::new(location.as_str()));
            let name = location.and_then(Path::file_name).map(Path::new);
            let mut paths: Vec<PathBuf> =
                [location, name].into_iter().flatten().map(|below| place.dir.join(below)).collect();
            paths.dedup();
            paths.into_iter().map(|path| (place.root, path))
        })
    }
}

/// Is a file the one that a repository means?
fn is_of(file: &mut File, offer: &Offer, checksum: &Checksum) -> bool {
    let (named, size) = (offer.package.size(), file.metadata().map_or(0, |stat| stat.len()));
    size <= LARGEST && (named == 0 || named == size) && has_checksum(file, checksum).unwrap_or(false)
}

/// Has a file this checksum?
fn has_checksum(file: &mut File, checksum: &Checksum) -> io::Result<bool> {
    file.rewind()?;
    Ok(match checksum {
        Checksum::Sha256(sum) => digest::<Sha256>(file)? == *sum,
        Checksum::Sha512(sum) => digest::<Sha512>(file)? == *sum,
    })
}

fn digest<D: Digest>(file: &mut File) -> io::Result<Vec<u8>> {
    let mut digest = D::new();
    let mut part = vec![0; 128 << 10];
    loop {
        match file.read(&mut part) {
            Ok(0) => return Ok(digest.finalize().to_vec()),
            Ok(len) => digest.update(&part[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
