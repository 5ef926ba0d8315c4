// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads which modules an initrd holds.
//!
//! An initrd is one archive after the other, with zeros between: cpio as it is ("early" ones, with microcode), and packed
//! streams of cpio archives. What the kernel's `unpack_to_rootfs` (init/initramfs.c) takes is taken here, and lz4's newer
//! format besides. Nothing is unpacked to disk, and memory is bounded whatever the file says.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use super::cpio;
use super::digest::Digest;
use super::squashfs::{Image, Node};
use crate::abi::name::module_name;
use crate::tree::{self, IN_TREE};
use crate::unpack::{Inflater, Kind, Source, stream};

/// The most that all streams together may unpack to, in bytes. Initrds have some hundred MiB.
const UNPACKED: u64 = 4 << 30;

/// The most packed streams. Initrds have one or a few; each costs the memory of its format's decoder, however short it is.
const STREAMS: usize = 256;

/// The most entries, in all archives together.
const ENTRIES: usize = 1 << 20;

/// The most bytes that the paths of modules may have together.
const PATHS: usize = 32 << 20;

/// The largest module file that is looked into, in bytes as it is in the archive.
const MODULE: u32 = 128 << 20;

/// The longest target of a link, in bytes: PATH_MAX.
const TARGET: u32 = 4096;

/// Links followed before it counts as a loop.
const LINKS: usize = 8;

/// Images in which dracut can put a part of the initrd: those of squashfs are looked into ([`super::squashfs`]).
const SQUASHFS: &[&[u8]] = &[b"squash-root.img", b"squashfs-root.img"];
const EROFS: &[u8] = b"erofs-root.img";

/// The largest image, in bytes: it is held in memory. Initrds of this kind have some ten MiB.
const IMAGE: u32 = 256 << 20;

/// Why an initrd cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{what}, at byte {offset}")]
pub struct ArchiveError {
    /// Where, in bytes from the file's start; in a packed stream: where that begins.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// A module in an initrd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Archived {
    /// A file whose contents nobody asked for.
    NotRead,
    /// A file.
    File(Digest),
    /// A file that cannot be read, and why.
    Broken(String),
    /// A symbolic link.
    Link(PathBuf),
}

/// The modules of an initrd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// By their path below `/lib/modules` or `/usr/lib/modules`, which are one in an initrd.
    pub modules: BTreeMap<PathBuf, Archived>,
    /// The name of an image in it that may hold more modules, and cannot be looked into.
    pub image: Option<String>,
}

impl Contents {
    /// What is unpacked after this goes over it.
    pub fn add(&mut self, later: Self) {
        self.modules.extend(later.modules);
        self.image = later.image.or(self.image.take());
    }

    /// What `path`, one of [`Self::modules`], is in the end; `None` for a link that leads nowhere.
    pub fn resolve(&self, path: &Path) -> Option<&Archived> {
        let mut at = path.to_path_buf();
        for _ in 0..LINKS {
            match self.modules.get(&at)? {
                Archived::Link(target) => at = tree::parts_in_initrd(&joined(&at, target))?.to_path_buf(),
                other => return Some(other),
            }
        }
        None
    }
}

/// Where a link at `at` (below the directory of modules) leads, from the initrd's root.
fn joined(at: &Path, target: &Path) -> PathBuf {
    let from = Path::new("lib/modules").join(at.parent().unwrap_or(Path::new("")));
    let mut path = PathBuf::new();
    for component in from.join(target).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// Reads an initrd. `wanted` is asked for the path of each file of a module (as in [`Contents::modules`]) that is below a
/// kernel's `kernel/`, whether its contents matter; those of all others are read.
///
/// # Errors
/// [`ArchiveError`]: the file is cut, damaged, no initrd, or larger than any should be.
pub fn read(input: impl Read, wanted: &dyn Fn(&Path) -> bool) -> Result<Contents, ArchiveError> {
    let mut source = Source::new(input);
    let mut reader = Reader {
        wanted,
        contents: Contents::default(),
        names: HashMap::new(),
        inflater: Inflater::new(),
        entries: 0,
        paths: 0,
        of_images: UNPACKED,
    };
    let mut left = UNPACKED;
    let mut is_empty = true;
    let mut streams = 0;
    loop {
        let failed = |offset| move |e: io::Error| ArchiveError { offset, what: in_words(&e) };
        let offset = source.offset();
        skip_zeros(&mut source).map_err(failed(offset))?;
        let offset = source.offset();
        let begin = source.peek(Kind::LOOK).map_err(failed(offset))?;
        if begin.is_empty() {
            break;
        }
        is_empty = false;
        if begin.starts_with(cpio::MAGIC) {
            reader.archive(&mut source).map_err(failed(source.offset()))?;
            continue;
        }
        let kind = Kind::of(begin);
        if kind == Kind::Plain {
            let what = format!("neither a cpio archive nor a known compression ({})", hex(begin));
            return Err(ArchiveError { offset, what });
        }
        streams += 1;
        if streams > STREAMS {
            return Err(ArchiveError { offset, what: format!("it has more than {STREAMS} packed streams") });
        }
        let failed = |e: io::Error| ArchiveError { offset, what: format!("{kind} data: {}", in_words(&e)) };
        let mut unpacked =
            Source::new(Limited { inner: stream(kind, &mut source).map_err(failed)?, left: &mut left });
        let mut holds_nothing = true;
        loop {
            skip_zeros(&mut unpacked).map_err(failed)?;
            let begin = unpacked.peek(cpio::MAGIC.len()).map_err(failed)?;
            if begin.is_empty() {
                break;
            }
            reader.archive(&mut unpacked).map_err(failed)?;
            holds_nothing = false;
        }
        // Not every format shows that it is cut.
        if holds_nothing {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    if is_empty {
        return Err(ArchiveError { offset: 0, what: "the file is empty".into() });
    }
    Ok(reader.contents)
}

fn skip_zeros<R: Read>(source: &mut Source<R>) -> io::Result<()> {
    loop {
        let there = source.fill_buf()?;
        let zeros = there.iter().take_while(|b| **b == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        source.skip(zeros as u64)?;
    }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it ends early, the file is cut off".into(),
        _ => error.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}

/// A reader of which no more than so much may be read.
struct Limited<'a, R> {
    inner: R,
    left: &'a mut u64,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(out)?;
        *self.left = self.left.checked_sub(len as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, format!("it unpacks to more than {UNPACKED} bytes"))
        })?;
        Ok(len)
    }
}

struct Reader<'w> {
    wanted: &'w dyn Fn(&Path) -> bool,
    contents: Contents,
    /// Files with several names, of which one is a module's: those that wait for the contents.
    names: HashMap<[u32; 3], Vec<PathBuf>>,
    inflater: Inflater,
    entries: usize,
    paths: usize,
    /// How much the files of images may still unpack to, in bytes.
    of_images: u64,
}

impl Reader<'_> {
    /// Reads one cpio archive, up to and with its trailer.
    fn archive<R: Read>(&mut self, source: &mut Source<R>) -> io::Result<()> {
        // Inode numbers are those of one archive.
        self.names.clear();
        while let Some(entry) = cpio::next(source)? {
            self.entries += 1;
            if self.entries > ENTRIES {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has too many entries"));
            }
            let size = u64::from(entry.size);
            let before = source.offset();
            self.entry(&entry, source)?;
            let taken = source.offset() - before;
            source.skip(size - taken + cpio::padding(size))?;
        }
        Ok(())
    }

    fn entry<R: Read>(&mut self, entry: &cpio::Entry, source: &mut Source<R>) -> io::Result<()> {
        let name = OsStr::from_bytes(&entry.name);
        let path: PathBuf =
            Path::new(name).components().filter(|c| matches!(c, Component::Normal(_))).collect();
        let Some(file) = path.file_name() else { return Ok(()) };
        if SQUASHFS.contains(&file.as_bytes()) && entry.kind == cpio::Kind::File {
            return self.image(entry, source);
        }
        if file == OsStr::from_bytes(EROFS) {
            self.contents.image = Some(String::from_utf8_lossy(file.as_bytes()).into_owned());
        }
        let Some(path) = tree::parts_in_initrd(&path)
            .map(Path::to_path_buf)
            .filter(|p| p.file_name().is_some_and(is_module))
        else {
            return Ok(());
        };
        self.paths += path.as_os_str().len();
        if self.paths > PATHS {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has too many modules"));
        }
        let module = match entry.kind {
            cpio::Kind::Other => return Ok(()),
            cpio::Kind::Link if entry.size > TARGET => Archived::Broken("its link is too long".into()),
            cpio::Kind::Link => {
                let mut target = Vec::new();
                source.take(entry.size.into()).read_to_end(&mut target)?;
                Archived::Link(OsString::from_vec(target).into())
            }
            cpio::Kind::File if entry.names > 1 && entry.size == 0 => {
                self.names.entry(entry.inode).or_default().push(path.clone());
                Archived::Broken("its contents are missing".into())
            }
            // One of its other names may be one that matters.
            cpio::Kind::File if entry.names > 1 || self.matters(&path) => self.file(entry, source)?,
            cpio::Kind::File => Archived::NotRead,
        };
        if entry.names > 1 && entry.size > 0 {
            for other in self.names.remove(&entry.inode).unwrap_or_default() {
                self.contents.modules.insert(other, module.clone());
            }
        }
        self.contents.modules.insert(path, module);
        Ok(())
    }

    /// Takes the modules of a squashfs image.
    fn image<R: Read>(&mut self, entry: &cpio::Entry, source: &mut Source<R>) -> io::Result<()> {
        if entry.size > IMAGE {
            let what = format!("it has an image of {} bytes", entry.size);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        let bytes = contents(entry, source)?;
        let mut image = Image::open(&bytes)?;
        for (path, node) in image.modules(&is_module)? {
            let Some(path) = tree::parts_in_initrd(&path).map(Path::to_path_buf) else { continue };
            self.paths += path.as_os_str().len();
            if self.paths > PATHS {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has too many modules"));
            }
            let module = match node {
                Node::Link(target) => Archived::Link(target),
                Node::File(_) if !self.matters(&path) => Archived::NotRead,
                Node::File(file) if file.size > MODULE.into() => {
                    Archived::Broken(format!("it has {} bytes", file.size))
                }
                Node::File(file) => {
                    let module = image.contents(&file, &mut self.of_images)?;
                    self.digest(module)
                }
            };
            self.contents.modules.insert(path, module);
        }
        Ok(())
    }

    fn matters(&self, path: &Path) -> bool {
        let is_in_tree = path.components().nth(1).is_some_and(|c| c.as_os_str() == IN_TREE);
        !is_in_tree || (self.wanted)(path)
    }

    fn file<R: Read>(&mut self, entry: &cpio::Entry, source: &mut Source<R>) -> io::Result<Archived> {
        if entry.size > MODULE {
            return Ok(Archived::Broken(format!("it has {} bytes", entry.size)));
        }
        contents(entry, source).map(|bytes| self.digest(bytes))
    }

    fn digest(&mut self, module: Vec<u8>) -> Archived {
        Digest::of(module, &mut self.inflater)
            .map_or_else(|e| Archived::Broken(e.to_string()), Archived::File)
    }
}

/// The contents of a file.
fn contents<R: Read>(entry: &cpio::Entry, source: &mut Source<R>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(entry.size.into()).read_to_end(&mut bytes)?;
    match bytes.len() < entry.size as usize {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(bytes),
    }
}

fn is_module(file: &OsStr) -> bool {
    module_name(file).is_some()
}
