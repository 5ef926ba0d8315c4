// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel's modules on disk beside those in its initrd.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::archive::{self, Archived, Contents};
use super::boot::{Boots, uki};
use super::decide::{Compared, Present, State};
use super::digest::Digest;
use crate::abi::name::module_name;
use crate::dialect::Dialect;
use crate::inventory::Release;
use crate::problem::Problem;
use crate::root::{Root, again, is_fault};
use crate::tree::{IN_TREE, WEAK_UPDATES};
use crate::unpack::{Inflater, MODULE_LIMIT};

/// A module that a new initrd could get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Where it is inside the root.
    pub path: PathBuf,
    /// Its path below the kernel's directory.
    pub below: PathBuf,
}

/// By module name, the file that modprobe would take.
pub type Modules = BTreeMap<Box<str>, Installed>;

/// What a kernel has on disk.
pub fn on_disk(dialect: Dialect, release: &Release) -> Modules {
    let items = release.weak_updates.as_deref().unwrap_or_default();
    let links = items.iter().filter_map(|item| {
        let below = Path::new(WEAK_UPDATES).join(&item.below);
        Some((item.name.clone()?, release.dir.join(&below), below))
    });
    collect(dialect, release, links)
}

/// What a kernel will have with these links, each with the file it leads to.
pub fn planned<'p>(
    dialect: Dialect,
    release: &Release,
    links: impl Iterator<Item = (&'p Path, &'p Path)>,
) -> Modules {
    let links = links.filter_map(|(link, target)| {
        let below = Path::new(WEAK_UPDATES).join(link);
        Some((module_name(link.file_name()?)?.into(), target.to_path_buf(), below))
    });
    collect(dialect, release, links)
}

fn collect(
    dialect: Dialect,
    release: &Release,
    links: impl Iterator<Item = (Box<str>, PathBuf, PathBuf)>,
) -> Modules {
    let rank = |below: &Path| dialect.load_rank(below);
    let mut modules = Modules::new();
    let own = release.third_party.iter().chain(&release.live_patches).chain(&release.in_tree);
    let own = own.map(|m| (m.name.clone(), m.path.clone(), m.below.clone()));
    for (name, path, below) in own.chain(links) {
        let wins = modules.get(&name).is_none_or(|there| rank(&below) < rank(&there.below));
        if wins {
            modules.insert(name, Installed { path, below });
        }
    }
    modules
}

/// The kernel's own modules come with it, or ask for a new initrd by themselves: they are not compared.
fn is_third_party(below: &Path) -> bool {
    !below.starts_with(IN_TREE)
}

/// Compares `modules` with what is in the initrd that the kernel is booted with.
pub fn with_initrd(
    root: &Root,
    dialect: Dialect,
    release: &Release,
    modules: &Modules,
    boots: &Boots,
) -> Present {
    let counting: BTreeSet<&str> =
        modules.iter().filter(|(_, m)| is_third_party(&m.below)).map(|(name, _)| &**name).collect();
    let wanted = |path: &Path| {
        path.starts_with(&release.release)
            && path.file_name().and_then(module_name).is_some_and(|name| counting.contains(name.as_str()))
    };
    let mut contents = Contents::default();
    for path in boots.files() {
        match read_initrd(root, path, matches!(boots, Boots::Unified(_)), &wanted) {
            Ok(more) => contents.add(more),
            Err(present) => return present,
        }
    }
    match boots {
        Boots::Missing => return Present::Missing,
        Boots::NoEntry => return Present::NoEntry,
        Boots::Unclear(files) => {
            let files: Vec<_> = files.iter().map(|file| root.display(file).display().to_string()).collect();
            return Present::Unreadable(format!("no boot entry says which of {} it is", files.join(", ")));
        }
        Boots::Initrds(_) | Boots::Unified(_) => {}
    }
    let packed = of_kernel(dialect, &contents, &release.release);
    let of_initrd = packed.iter().filter(|(_, path)| is_third_party(path)).map(|(name, _)| name.as_str());
    let names: BTreeSet<&str> = counting.iter().copied().chain(of_initrd).collect();
    let fault = |path: &Path, e: &io::Error| fault(root, path, e);
    let mut inflater = Inflater::new();
    let mut unread = None;
    let compared = names.into_iter().map(|name| {
        let packed = packed.get(name).map_or(State::Absent, |below| {
            match contents.resolve(&Path::new(&release.release).join(below)) {
                Some(Archived::File(digest)) => State::Read(*digest),
                Some(Archived::Broken(why)) => State::Broken(why.clone()),
                Some(_) => State::NotRead,
                None => State::Broken("a link that leads nowhere".into()),
            }
        });
        let installed = match modules.get(name) {
            None => State::Absent,
            Some(_) if packed == State::Absent => State::NotRead,
            Some(module) => read_module(root, &module.path, &mut inflater).unwrap_or_else(|e| {
                unread = Some(fault(&module.path, &e));
                State::NotRead
            }),
        };
        Compared { name: name.into(), installed, packed }
    });
    let compared = compared.collect();
    unread.unwrap_or(Present::Read(compared))
}

fn fault(root: &Root, path: &Path, e: &io::Error) -> Present {
    Present::Unknown(Problem::unreadable(root.display(path), e).to_string())
}

/// Reads one of the files that make up an initrd; `is_unified`: it is in a unified kernel image.
fn read_initrd(
    root: &Root,
    path: &Path,
    is_unified: bool,
    wanted: &dyn Fn(&Path) -> bool,
) -> Result<Contents, Present> {
    let unreadable = |why: String| Present::Unreadable(format!("{}: {why}", root.display(path).display()));
    let failed = |e: io::Error| if is_fault(&e) { fault(root, path, &e) } else { unreadable(e.to_string()) };
    let file = root.open_file(path).map_err(failed)?;
    let section = match is_unified {
        true => Some(uki::read(&file).map_err(failed)?.and_then(|unified| unified.initrd)),
        false => None,
    };
    let mut file = Watched { file, fault: None };
    let read = match section {
        None => archive::read(&mut file, wanted),
        Some(None) => return Err(unreadable("there is no .initrd in it".into())),
        Some(Some(section)) => archive::read(uki::initrd(&mut file, section).map_err(failed)?, wanted),
    };
    if let Some(e) = &file.fault {
        return Err(fault(root, path, e));
    }
    let contents = read.map_err(|e| unreadable(e.to_string()))?;
    match &contents.image {
        Some(image) => Err(Present::Closed(format!(
            "{}: a part of it is in {image}, which is not looked into",
            root.display(path).display()
        ))),
        None => Ok(contents),
    }
}

/// A file that remembers that it could not be read.
struct Watched {
    file: File,
    fault: Option<io::Error>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = again(|| self.file.read(buffer));
        if let Err(e) = &read {
            self.fault = Some(e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error));
        }
        read
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Of each module of a kernel in the initrd the file that would be loaded, by its path below the kernel's directory.
fn of_kernel<'c>(dialect: Dialect, contents: &'c Contents, release: &str) -> BTreeMap<String, &'c Path> {
    let mut modules: BTreeMap<String, &Path> = BTreeMap::new();
    for path in contents.modules.keys() {
        let Ok(below) = path.strip_prefix(release) else { continue };
        let Some(name) = below.file_name().and_then(module_name) else { continue };
        let there = modules.entry(name).or_insert(below);
        if dialect.load_rank(below) < dialect.load_rank(there) {
            *there = below;
        }
    }
    modules
}

fn read_module(root: &Root, path: &Path, inflater: &mut Inflater) -> io::Result<State> {
    Ok(match root.read(path, MODULE_LIMIT) {
        Ok(bytes) => Digest::of(bytes, inflater).map_or_else(|e| State::Broken(e.to_string()), State::Read),
        Err(e) if is_fault(&e) => return Err(e),
        Err(e) => State::Broken(format!("{}: {e}", root.display(path).display())),
    })
}
