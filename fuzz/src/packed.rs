// SPDX-License-Identifier: LGPL-2.1-or-later
//! Compressions, and what initrds are made of.

use std::io::Read;
use std::path::Path;

use kmp_core::initrd::archive;
use kmp_core::unpack::{Inflater, Kind, Source, stream};

/// The most that anything may unpack to here, in bytes.
const LIMIT: u64 = 1 << 20;

/// Unpacks in both ways: as a whole file, and as one stream that something follows.
fn unpack(kind: Kind, data: &[u8]) {
    let whole = Inflater::new().inflate(data, LIMIT);
    if let Ok(unpacked) = &whole {
        assert!(unpacked.len() as u64 <= LIMIT);
    }
    let mut source = Source::new(data);
    let mut out = Vec::new();
    let Ok(reader) = stream(kind, &mut source) else { return };
    let read = reader.take(LIMIT).read_to_end(&mut out);
    assert!(source.offset() <= data.len() as u64);
    // Where the file is this one stream, both say the same.
    if let (Ok(whole), Ok(_)) = (&whole, &read)
        && Kind::of(data) == kind
        && source.offset() == data.len() as u64
        && (out.len() as u64) < LIMIT
    {
        assert_eq!(**whole, out);
    }
}

pub fn gzip(data: &[u8]) {
    unpack(Kind::Gzip, data);
}

pub fn xz(data: &[u8]) {
    unpack(Kind::Xz, data);
}

pub fn lzma(data: &[u8]) {
    unpack(Kind::Lzma, data);
}

pub fn zstd(data: &[u8]) {
    unpack(Kind::Zstd, data);
}

pub fn lz4(data: &[u8]) {
    unpack(Kind::Lz4, data);
}

pub fn lz4_legacy(data: &[u8]) {
    unpack(Kind::Lz4Legacy, data);
}

pub fn lzop(data: &[u8]) {
    unpack(Kind::Lzop, data);
}

pub fn bzip2(data: &[u8]) {
    unpack(Kind::Bzip2, data);
}

/// An initrd of any kind.
pub fn initrd(data: &[u8]) {
    let wanted = |path: &Path| path.as_os_str().len().is_multiple_of(2);
    let Ok(contents) = archive::read(data, &wanted) else { return };
    for path in contents.modules.keys() {
        contents.resolve(path);
    }
}

/// An initrd that is not packed.
pub fn cpio(data: &[u8]) {
    if Kind::of(data) == Kind::Plain {
        initrd(data);
    }
}

/// An initrd that is a squashfs image, as a file of an archive.
pub fn squashfs(data: &[u8]) {
    let name = b"squashfs-root.img\0";
    let header = |size: usize, name: usize| {
        format!(
            "070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{name:08x}{:08x}",
            1, 0o100_644, 0, 0, 1, 0, 0, 0, 0, 0, 0
        )
    };
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let mut archive = padded([header(data.len(), name.len()).as_bytes(), name].concat());
    archive = padded([&archive[..], data].concat());
    archive.extend(padded([header(0, 11).as_bytes(), b"TRAILER!!!\0"].concat()));
    initrd(&archive);
}
