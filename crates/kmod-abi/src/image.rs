// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels' images as boot loaders take them: where the packed kernel is in one, and where its BTF is in what comes out.

use std::ops::Range;

use memchr::memmem;

use crate::elf_section;

/// Where a packed kernel may be in an image, the likeliest place first. Empty: the image is not packed, or not known.
///
/// x86 and arm64's zboot say it (`Documentation/arch/x86/boot.rst`, `drivers/firmware/efi/libstub/zboot-header.S`); a wrapper of
/// ppc64's has it in a section; of others it is wherever a stream begins, as `scripts/extract-vmlinux` has it.
pub fn packed(image: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = [x86(image), zboot(image)].into_iter().flatten().collect();
    if found.is_empty()
        && let Some((section, _)) = elf_section(image, ".kernel:vmlinux.strip")
    {
        // Sections lie in the file.
        let start = section.as_ptr().addr() - image.as_ptr().addr();
        found.push(start..start + section.len());
    }
    if found.is_empty() && btf(image).is_none() {
        found = STREAMS.iter().flat_map(|magic| streams(image, magic)).collect();
        found.sort_by_key(|range| range.start);
        found.truncate(MOST);
    }
    found
}

/// How streams begin, long enough that little else does.
const STREAMS: &[&[u8]] = &[
    &[0xfd, b'7', b'z', b'X', b'Z', 0],
    &[0x28, 0xb5, 0x2f, 0xfd],
    &[0x1f, 0x8b, 8, 0],
    &[0x02, 0x21, 0x4c, 0x18],
    &[0x89, b'L', b'Z', b'O', 0],
    b"BZh9",
    &[0x5d, 0, 0, 0],
];

/// So many places are tried.
const MOST: usize = 32;

fn streams<'d>(image: &'d [u8], magic: &'d [u8]) -> impl Iterator<Item = Range<usize>> + use<'d> {
    memmem::find_iter(image, magic).take(MOST).map(|at| at..image.len())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

fn within(image: &[u8], start: usize, len: usize) -> Option<Range<usize>> {
    let range = start..start.checked_add(len)?;
    image.get(range.clone()).filter(|data| !data.is_empty())?;
    Some(range)
}

fn x86(image: &[u8]) -> Option<Range<usize>> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let setup = match *image.get(0x1f1)? {
        // For old boot loaders.
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = ((setup + 1) * 512).checked_add(u32_at(image, 0x248)?)?;
    within(image, start, u32_at(image, 0x24c)?)
}

fn zboot(image: &[u8]) -> Option<Range<usize>> {
    if !image.starts_with(b"MZ") || image.get(4..8)? != b"zimg" {
        return None;
    }
    within(image, u32_at(image, 8)?, u32_at(image, 12)?)
}

/// The BTF of an unpacked kernel: the section of an ELF file, or, of an image that is none (arm64, s390x), whatever can be nothing
/// else. Also: is it big endian?
pub fn btf(kernel: &[u8]) -> Option<(&[u8], bool)> {
    elf_section(kernel, ".BTF").or_else(|| {
        let heads: [(&[u8], bool); 2] = [
            (&[0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0], false),
            (&[0xeb, 0x9f, 1, 0, 0, 0, 0, 24, 0, 0, 0, 0], true),
        ];
        heads.into_iter().find_map(|(head, big_endian)| {
            let places = memmem::find_iter(kernel, head).take(MOST);
            places
                .filter_map(|at| Some((whole(&kernel[at..], big_endian)?, big_endian)))
                .max_by_key(|f| f.0.len())
        })
    })
}

/// BTF that begins here, to its end: names follow types.
fn whole(bytes: &[u8], big_endian: bool) -> Option<&[u8]> {
    let number = |at: usize| {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }).ok()
    };
    let (types, names, size) = (number(12)?, number(16)?, number(20)?);
    let end = names.checked_add(size)?.checked_add(24)?;
    (types == names && size > 0).then(|| bytes.get(..end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::Types;
    use crate::btf::tests::{NAMES, btf as made};

    fn x86_image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x248..0x24c].copy_from_slice(&16u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        image.extend([0; 16]);
        image.extend(payload);
        image
    }

    fn places(image: &[u8]) -> Vec<(usize, usize)> {
        packed(image).into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn where_the_packed_kernel_is() {
        let image = x86_image(b"\xfd7zXZ\0rest");
        assert_eq!(places(&image), [(1040, 1050)]);
        let mut cut = image.clone();
        cut.truncate(1045);
        assert_eq!(places(&cut), []);
        let mut zboot = b"MZ\0\0zimg".to_vec();
        zboot.extend([20u32, 6].map(u32::to_le_bytes).concat());
        zboot.extend(b"gzip\x1f\x8b\x08\0ab");
        assert_eq!(places(&zboot), [(20, 26)]);
        // s390x: nothing says where.
        let other = [&[7; 100][..], b"\x28\xb5\x2f\xfd", b"kernel"].concat();
        assert_eq!(places(&other), [(100, 110)]);
        for bytes in [&b""[..], b"MZ", b"MZ\0\0zimg", &[0; 0x206]] {
            assert!(packed(bytes).is_empty());
        }
    }

    #[test]
    fn the_btf_of_an_image_that_is_no_elf_file() {
        for big_endian in [false, true] {
            let types = made(0, &["", "m", "f", "g", "i"], big_endian);
            let image = [&b"code"[..], &types, b"more"].concat();
            let (found, is_big) = btf(&image).unwrap();
            assert_eq!((found, is_big), (&types[..], big_endian));
            Types::parse(found, None, is_big).unwrap();
        }
        assert_eq!(btf(&made(5, NAMES, false)[..60]), None);
    }
}
