// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads modules from a squashfs image, in which dracut's module `squash` puts most of an initrd.
//!
//! Format 4.0, as in the kernel's `fs/squashfs/squashfs_fs.h`. Only directories that lead to modules are entered. The image is
//! data: what it says is checked, each block of metadata is unpacked once, and their number is bounded.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::tree::DIRECTORIES;
use crate::unpack::{BlockKind, Inflater};

/// The size of a block of metadata, unpacked, in bytes.
const METADATA: usize = 8192;

/// The most blocks of metadata that are unpacked: 64 MiB. Images have some hundred.
const METADATA_BLOCKS: usize = 8192;

/// The largest block of a file, in bytes.
const BLOCK: u32 = 1 << 20;

/// The most entries of all directories together, and how deep these may be.
const ENTRIES: usize = 1 << 18;
const DEPTH: usize = 40;

/// The longest target of a link, in bytes: PATH_MAX.
const TARGET: u32 = 4096;

/// A file has at most this many times the bytes of its image, and this many bytes in any case: blocks of zeros take none.
const RATIO: u64 = 64;
const RATIO_LEAST: u64 = 16 << 20;

/// In the size of a block of a file: it is not packed.
const PLAIN_BLOCK: u32 = 1 << 24;

/// The number of a fragment that says that there is none.
const NO_FRAGMENT: u32 = u32::MAX;

/// The most bytes that the paths of directories and modules, and the targets of links, may have together.
const PATHS: usize = 32 << 20;

/// A module in the image.
#[derive(Clone, Debug)]
pub(super) enum Node {
    File(FileNode),
    Link(PathBuf),
}

/// A file's contents: where they are.
#[derive(Clone, Debug)]
pub(super) struct FileNode {
    pub(super) size: u64,
    start: u64,
    fragment: Option<(u32, u32)>,
    /// Where the sizes of its blocks are.
    sizes: Place,
}

/// An image.
pub(super) struct Image<'b> {
    bytes: &'b [u8],
    kind: BlockKind,
    block_size: u32,
    root: u64,
    inodes: u64,
    directories: u64,
    fragments: u64,
    fragment_count: u32,
    /// Unpacked blocks of metadata by where they are, and where the next one is.
    metadata: BTreeMap<u64, (Rc<[u8]>, u64)>,
    inflater: Inflater,
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("squashfs image: {}", what.into()))
}

/// A place in a table of metadata: a block, and a byte in it.
#[derive(Clone, Copy, Debug)]
struct Place {
    block: u64,
    offset: usize,
}

/// Numbers of `N` bytes, low byte first.
fn number(bytes: &[u8], at: usize, len: usize) -> io::Result<u64> {
    let part =
        at.checked_add(len).and_then(|end| bytes.get(at..end)).ok_or_else(|| damaged("it is cut off"))?;
    Ok(part.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[expect(clippy::cast_possible_truncation, reason = "of four bytes")]
fn word(bytes: &[u8], at: usize) -> io::Result<u32> {
    number(bytes, at, 4).map(|value| value as u32)
}

#[expect(clippy::cast_possible_truncation, reason = "of two bytes")]
fn half(bytes: &[u8], at: usize) -> io::Result<u16> {
    number(bytes, at, 2).map(|value| value as u16)
}

impl<'b> Image<'b> {
    pub(super) fn open(bytes: &'b [u8]) -> io::Result<Self> {
        if !bytes.starts_with(b"hsqs") || (half(bytes, 28)?, half(bytes, 30)?) != (4, 0) {
            return Err(damaged("it is none of format 4.0"));
        }
        let block_size = word(bytes, 12)?;
        if !block_size.is_power_of_two() || !(4096..=BLOCK).contains(&block_size) {
            return Err(damaged(format!("its blocks have {block_size} bytes")));
        }
        let kind = match half(bytes, 20)? {
            1 => BlockKind::Zlib,
            3 => BlockKind::Lzo,
            4 => BlockKind::Xz,
            5 => BlockKind::Lz4,
            6 => BlockKind::Zstd,
            other => return Err(damaged(format!("it is packed in a way that is not known ({other})"))),
        };
        Ok(Self {
            bytes,
            kind,
            block_size,
            root: number(bytes, 32, 8)?,
            inodes: number(bytes, 64, 8)?,
            directories: number(bytes, 72, 8)?,
            fragments: number(bytes, 80, 8)?,
            fragment_count: word(bytes, 16)?,
            metadata: BTreeMap::new(),
            inflater: Inflater::new(),
        })
    }

    /// All files and links below the directories of modules, by their paths.
    pub(super) fn modules(&mut self, is_module: &dyn Fn(&OsStr) -> bool) -> io::Result<Vec<(PathBuf, Node)>> {
        let mut found = Vec::new();
        let (mut entries, mut paths) = (0, 0);
        let mut open = vec![(PathBuf::new(), self.root)];
        while let Some((path, inode)) = open.pop() {
            for (name, kind, inode) in self.directory(inode)? {
                entries += 1;
                if entries > ENTRIES || path.components().count() > DEPTH {
                    return Err(damaged("it has too many entries"));
                }
                let name = OsStr::from_bytes(&name);
                let path = path.join(name);
                if kind == 1 && leads_to_modules(&path) || is_below_modules(&path) {
                    paths += path.as_os_str().len();
                }
                if paths > PATHS {
                    return Err(damaged("its paths are too long"));
                }
                match kind {
                    1 if leads_to_modules(&path) => open.push((path, inode)),
                    2 | 3 if is_module(name) && is_below_modules(&path) => {
                        let node = self.node(inode)?;
                        if let Some(Node::Link(target)) = &node {
                            paths += target.as_os_str().len();
                        }
                        found.extend(node.map(|node| (path, node)));
                    }
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    /// The contents of a file. `left`: how much all may still unpack to, in bytes.
    pub(super) fn contents(&mut self, file: &FileNode, left: &mut u64) -> io::Result<Vec<u8>> {
        if file.size > RATIO_LEAST.max(RATIO.saturating_mul(self.bytes.len() as u64)) {
            return Err(damaged(format!("a file is said to have {} bytes", file.size)));
        }
        *left = left
            .checked_sub(file.size)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "it unpacks to too much"))?;
        let size = usize::try_from(file.size).map_err(|_| damaged("a file is too large"))?;
        let mut out = Vec::new();
        let whole = size / self.block_size as usize;
        let has_rest = !size.is_multiple_of(self.block_size as usize) && file.fragment.is_none();
        let count = whole + usize::from(has_rest);
        // Four bytes for each are there, or this fails.
        let sizes = self
            .take(&mut { file.sizes }, count.checked_mul(4).ok_or_else(|| damaged("a file is too large"))?)?;
        let mut at = file.start;
        for number_ in 0..count {
            let header = word(&sizes, number_ * 4)?;
            let wanted = (size - out.len()).min(self.block_size as usize);
            let packed = u64::from(header & (PLAIN_BLOCK - 1));
            match packed {
                0 => out.resize(out.len() + wanted, 0),
                _ => {
                    let block =
                        self.block(at, packed, header & PLAIN_BLOCK != 0, self.block_size as usize)?;
                    if block.len() != wanted {
                        return Err(damaged("a block has another size than its file says"));
                    }
                    out.extend(block);
                }
            }
            at += packed;
        }
        if let Some((number_, offset)) = file.fragment {
            let (start, header) = self.fragment(number_)?;
            let packed = u64::from(header & (PLAIN_BLOCK - 1));
            let block = self.block(start, packed, header & PLAIN_BLOCK != 0, self.block_size as usize)?;
            let offset = offset as usize;
            let end = offset.checked_add(size - out.len());
            let part =
                end.and_then(|end| block.get(offset..end)).ok_or_else(|| damaged("a fragment is cut off"))?;
            out.extend_from_slice(part);
        }
        match out.len() == size {
            true => Ok(out),
            false => Err(damaged("a file has fewer blocks than its size says")),
        }
    }

    /// The names, types and inodes of a directory.
    fn directory(&mut self, inode: u64) -> io::Result<Vec<(Vec<u8>, u16, u64)>> {
        let (head, mut place) = self.inode(inode)?;
        let (start, size, offset) = match half(&head, 0)? {
            1 => {
                let rest = self.take(&mut place, 16)?;
                (word(&rest, 0)?, u32::from(half(&rest, 8)?), half(&rest, 10)?)
            }
            8 => {
                let rest = self.take(&mut place, 24)?;
                (word(&rest, 8)?, word(&rest, 4)?, half(&rest, 18)?)
            }
            _ => return Err(damaged("a directory is none")),
        };
        // Two entries, `.` and `..`, are counted and not there.
        let mut left = u64::from(size.saturating_sub(3));
        let mut place = Place { block: self.directories.saturating_add(start.into()), offset: offset.into() };
        let mut entries = Vec::new();
        while left > 0 {
            let header = self.take(&mut place, 12)?;
            left = left.saturating_sub(12);
            let (count, block) = (word(&header, 0)?, u64::from(word(&header, 4)?));
            if count >= 256 {
                return Err(damaged("a directory has a group of too many entries"));
            }
            for _ in 0..=count {
                let entry = self.take(&mut place, 8)?;
                let name = self.take(&mut place, usize::from(half(&entry, 6)?) + 1)?;
                left = left.saturating_sub(8 + name.len() as u64);
                if entries.len() >= ENTRIES || name.contains(&b'/') || name == b".." || name == b"." {
                    return Err(damaged("a directory has entries that cannot be"));
                }
                entries.push((name, half(&entry, 4)?, block << 16 | u64::from(half(&entry, 0)?)));
            }
        }
        Ok(entries)
    }

    /// A file or a link; `None` for anything else.
    fn node(&mut self, inode: u64) -> io::Result<Option<Node>> {
        let (head, mut place) = self.inode(inode)?;
        let (start, size, fragment, offset) = match half(&head, 0)? {
            2 => {
                let rest = self.take(&mut place, 16)?;
                (word(&rest, 0)?.into(), word(&rest, 12)?.into(), word(&rest, 4)?, word(&rest, 8)?)
            }
            9 => {
                let rest = self.take(&mut place, 40)?;
                (number(&rest, 0, 8)?, number(&rest, 8, 8)?, word(&rest, 28)?, word(&rest, 32)?)
            }
            3 | 10 => {
                let len = word(&self.take(&mut place, 8)?, 4)?;
                if len > TARGET {
                    return Err(damaged("a link is too long"));
                }
                let target = self.take(&mut place, len as usize)?;
                return Ok(Some(Node::Link(Path::new(OsStr::from_bytes(&target)).into())));
            }
            _ => return Ok(None),
        };
        let fragment = (fragment != NO_FRAGMENT).then_some((fragment, offset));
        Ok(Some(Node::File(FileNode { size, start, fragment, sizes: place })))
    }

    /// The head of an inode, and the place behind it.
    fn inode(&mut self, reference: u64) -> io::Result<(Vec<u8>, Place)> {
        let block = self.inodes.saturating_add(reference >> 16);
        let mut place = Place { block, offset: usize::from(reference as u16) };
        let head = self.take(&mut place, 16)?;
        Ok((head, place))
    }

    /// Where a fragment is, and the size that is stored for it.
    fn fragment(&mut self, number_: u32) -> io::Result<(u64, u32)> {
        if number_ >= self.fragment_count {
            return Err(damaged("a fragment is not there"));
        }
        let index = self.fragments.saturating_add(u64::from(number_ / 512) * 8);
        let block = number(self.bytes, usize::try_from(index).map_err(|_| damaged("it is cut off"))?, 8)?;
        let mut place = Place { block, offset: (number_ % 512) as usize * 16 };
        let entry = self.take(&mut place, 16)?;
        Ok((number(&entry, 0, 8)?, word(&entry, 8)?))
    }

    /// The next `len` bytes of a table of metadata.
    fn take(&mut self, place: &mut Place, len: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        while out.len() < len {
            let (block, next) = self.metadata(place.block)?;
            let there = block.get(place.offset..).ok_or_else(|| damaged("a table is cut off"))?;
            if there.is_empty() {
                if block.len() < METADATA {
                    return Err(damaged("a table is cut off"));
                }
                *place = Place { block: next, offset: place.offset - METADATA };
                continue;
            }
            let step = there.len().min(len - out.len());
            out.extend_from_slice(&there[..step]);
            place.offset += step;
        }
        Ok(out)
    }

    /// A block of metadata, and where the next one is.
    fn metadata(&mut self, at: u64) -> io::Result<(Rc<[u8]>, u64)> {
        if let Some((block, next)) = self.metadata.get(&at) {
            return Ok((Rc::clone(block), *next));
        }
        if self.metadata.len() >= METADATA_BLOCKS {
            return Err(damaged("it has too many blocks of metadata"));
        }
        let header = half(self.bytes, usize::try_from(at).map_err(|_| damaged("it is cut off"))?)?;
        let (len, is_plain) = (u64::from(header & 0x7fff), header & 0x8000 != 0);
        let block: Rc<[u8]> = self.block(at + 2, len, is_plain, METADATA)?.into();
        let next = at + 2 + len;
        self.metadata.insert(at, (Rc::clone(&block), next));
        Ok((block, next))
    }

    /// A block of the image, unpacked to at most `limit` bytes.
    fn block(&mut self, at: u64, len: u64, is_plain: bool, limit: usize) -> io::Result<Vec<u8>> {
        let range =
            usize::try_from(at).ok().zip(at.checked_add(len).and_then(|end| usize::try_from(end).ok()));
        let packed =
            range.and_then(|(at, end)| self.bytes.get(at..end)).ok_or_else(|| damaged("it is cut off"))?;
        match is_plain {
            true if packed.len() > limit => Err(damaged("a block is too large")),
            true => Ok(packed.to_vec()),
            false => self.inflater.block(self.kind, packed, limit).map_err(|e| damaged(e.to_string())),
        }
    }
}

/// Can there be modules in or below this directory?
fn leads_to_modules(path: &Path) -> bool {
    is_below_modules(path)
        || DIRECTORIES.iter().any(|dir| Path::new(dir.trim_start_matches('/')).starts_with(path))
}

fn is_below_modules(path: &Path) -> bool {
    DIRECTORIES.iter().any(|dir| path.starts_with(dir.trim_start_matches('/')))
}
