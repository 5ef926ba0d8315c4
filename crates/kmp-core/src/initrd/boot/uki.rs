// SPDX-License-Identifier: LGPL-2.1-or-later
//! Unified kernel images: EFI programs with a kernel, its initrd and its release in their sections (the UAPI group's "Unified
//! Kernel Image" specification, systemd-stub(7)).

use std::io::{self, Read, Seek, SeekFrom, Take};

use object::LittleEndian as LE;
use object::pe::{ImageDosHeader, ImageNtHeaders32, ImageNtHeaders64, ImageSectionHeader};
use object::read::pe::ImageNtHeaders;

use crate::root::again;

/// How much of a file is looked at for its headers, in bytes. They take one or two pages.
const HEADERS: usize = 64 << 10;

/// The longest `.uname`, in bytes: a release has 64 at most.
const UNAME: u64 = 256;

/// The longest `.osrel`, in bytes.
const OSREL: u64 = 64 << 10;

/// What a unified kernel image says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unified {
    /// The kernel's release, `.uname`.
    pub release: Option<String>,
    /// `.osrel`: what os-release says of the system it is for.
    pub os_release: String,
    /// `.initrd`, where it is in the file and how long, in bytes.
    pub initrd: Option<(u64, u64)>,
}

/// Reads what an EFI program says of itself; `None`: it is none, or has no kernel in it.
///
/// # Errors
/// The system's.
pub fn read<F: Read + Seek>(mut file: F) -> io::Result<Option<Unified>> {
    let mut headers = vec![0; HEADERS];
    let len = read_up_to(&mut file, 0, &mut headers)?;
    headers.truncate(len);
    let Some(sections) = sections(&headers) else { return Ok(None) };
    let find = |name: &str| sections.iter().find(|section| section.name == name);
    if find(".linux").is_none() {
        return Ok(None);
    }
    let mut text = |name: &str, limit: u64| -> io::Result<Option<String>> {
        let Some(section) = find(name) else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(section.size.min(limit)).unwrap_or_default()];
        let len = read_up_to(&mut file, section.offset, &mut bytes)?;
        bytes.truncate(len);
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        Ok(Some(String::from_utf8_lossy(&bytes[..end]).trim().to_string()))
    };
    Ok(Some(Unified {
        release: text(".uname", UNAME)?.filter(|release| !release.is_empty()),
        os_release: text(".osrel", OSREL)?.unwrap_or_default(),
        initrd: find(".initrd").map(|section| (section.offset, section.size)),
    }))
}

/// The initrd in a unified image.
///
/// # Errors
/// The system's.
pub fn initrd<F: Read + Seek>(mut file: F, (offset, size): (u64, u64)) -> io::Result<Take<F>> {
    file.seek(SeekFrom::Start(offset))?;
    Ok(file.take(size))
}

/// A section: its name, and what of it is in the file.
struct Section {
    name: String,
    offset: u64,
    size: u64,
}

/// The sections by the headers at a file's beginning; `None` where these are no EFI program's. Of an image with profiles only
/// the sections before the first profile are common to all.
fn sections(headers: &[u8]) -> Option<Vec<Section>> {
    let dos = ImageDosHeader::parse(headers).ok()?;
    let at = u64::from(dos.nt_headers_offset());
    let table =
        of_width::<ImageNtHeaders64>(headers, at).or_else(|| of_width::<ImageNtHeaders32>(headers, at))?;
    let base = table.into_iter().take_while(|section| section.raw_name() != b".profile");
    Some(
        base.map(|section| {
            let (offset, size) = section.pe_file_range();
            // What is in memory may be less than what is in the file, for alignment.
            let size = size.min(section.virtual_size.get(LE));
            let name = String::from_utf8_lossy(section.raw_name()).into_owned();
            Section { name, offset: offset.into(), size: size.into() }
        })
        .collect(),
    )
}

fn of_width<H: ImageNtHeaders>(headers: &[u8], mut at: u64) -> Option<Vec<&ImageSectionHeader>> {
    let (nt, _) = H::parse(headers, &mut at).ok()?;
    Some(nt.sections(headers, at).ok()?.iter().collect())
}

/// Fills `buffer` from `offset` on as far as the file goes.
fn read_up_to<F: Read + Seek>(file: &mut F, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    let mut len = 0;
    while len < buffer.len() {
        match again(|| file.read(&mut buffer[len..]))? {
            0 => break,
            n => len += n,
        }
    }
    Ok(len)
}
