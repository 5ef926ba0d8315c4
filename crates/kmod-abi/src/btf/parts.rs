// SPDX-License-Identifier: LGPL-2.1-or-later
//! The parts of BTF: a header, types, names (`btf_parse_hdr`, `btf_parse_str_sec`, `btf_check_all_metas`).

use super::KINDS;

/// `BTF_MAGIC`
const MAGIC: u16 = 0xeb9f;

/// `sizeof(struct btf_header)`
const HEADER: usize = 24;

/// `BTF_MAX_NAME_OFFSET`
pub(super) const MAX_NAME: u32 = 0x00ff_ffff;

/// What can be read of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'d> {
    types: &'d [u8],
    pub strings: &'d [u8],
    big_endian: bool,
}

fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}

impl<'d> Parts<'d> {
    /// `is_base`: nothing comes before it.
    ///
    /// # Errors
    /// Why kernels refuse it, as a clause.
    pub fn of(section: &'d [u8], big_endian: bool, is_base: bool) -> Result<Self, &'static str> {
        const CUT: &str = "its header is cut";
        let length = u32_at(section, 4, big_endian).ok_or(CUT)? as usize;
        let contents = section.get(length..).ok_or(CUT)?;
        let mut header = [0; HEADER];
        let known = length.min(HEADER);
        header[..known].copy_from_slice(&section[..known]);
        let magic = [header[0], header[1]];
        let magic = if big_endian { u16::from_be_bytes(magic) } else { u16::from_le_bytes(magic) };
        if magic != MAGIC || header[2] != 1 || header[3] != 0 {
            return Err("it does not begin as BTF does");
        }
        let field = |at| u32_at(&header, at, big_endian).unwrap_or(0) as usize;
        let mut parts = [(field(8), field(12)), (field(16), field(20))];
        let part = |(offset, size): (usize, usize)| contents.get(offset..offset.checked_add(size)?);
        let (types, strings) = part(parts[0]).zip(part(parts[1])).ok_or("a part of it lies outside")?;
        parts.sort_unstable();
        // One after the other, from the beginning to the end, and names are last. What newer headers have more is not known.
        let is_whole =
            parts[0].0 == 0 && parts[1].0 == parts[0].1 && parts[1].0 + parts[1].1 == contents.len();
        if length <= HEADER && !(is_whole && field(16) + field(20) == contents.len()) {
            return Err("its parts do not follow one on the other");
        }
        let is_begun = !is_base || strings.first() == Some(&0);
        let is_ended = strings.is_empty() || strings.last() == Some(&0);
        if !is_begun || !is_ended || strings.len() > MAX_NAME as usize + 1 {
            return Err("its names do not begin or end with NUL");
        }
        Ok(Self { types, strings, big_endian })
    }

    /// Shows kind and names of each type, its own first.
    ///
    /// # Errors
    /// A type is cut, or of a kind that there is not; with what kernels say of it, if it is known, as a clause.
    pub fn each_type(self, mut see: impl FnMut(u32, &[u32])) -> Result<(), Option<&'static str>> {
        const CUT: Option<&str> = Some("a type is cut");
        let u32_at = |bytes: &[u8], at: usize| u32_at(bytes, at, self.big_endian);
        let mut rest = self.types;
        let mut names = Vec::new();
        while !rest.is_empty() {
            kmp_steps::count(1);
            let (name, info) = u32_at(rest, 0).zip(u32_at(rest, 4)).ok_or(CUT)?;
            let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
            // How long a type is, and of what it has more than one name of: how many bytes each.
            let (single, each, has_names) = match kind {
                1 | 14 | 17 => (4, 0, false),
                3 => (12, 0, false),
                4 | 5 | 19 => (0, 12, true),
                6 | 13 => (0, 8, true),
                15 => (0, 12, false),
                2 | 7..=12 | 16 | 18 => (0, 0, false),
                0 => return Err(Some("a type is of no kind")),
                KINDS.. => return Err(None),
            };
            let more = rest.get(12 + single..12 + single + count * each).ok_or(CUT)?;
            names.clear();
            names.push(name);
            if has_names {
                names.extend(more.chunks_exact(each).filter_map(|one| u32_at(one, 0)));
            }
            see(kind, &names);
            rest = &rest[12 + single + more.len()..];
        }
        Ok(())
    }
}
