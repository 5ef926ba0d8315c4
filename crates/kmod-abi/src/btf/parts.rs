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
    pub big_endian: bool,
}

pub(super) fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
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
        let mut names = Vec::new();
        self.each_record(|record| {
            names.clear();
            names.push(record.name);
            if matches!(record.kind, 4..=6 | 13 | 19) {
                let rows = record.rows.chunks_exact(record.width);
                names.extend(rows.filter_map(|one| u32_at(one, 0, self.big_endian)));
            }
            see(record.kind, &names);
        })
    }

    /// Shows each type.
    ///
    /// # Errors
    /// As [`Self::each_type`].
    pub fn each_record(self, mut see: impl FnMut(Record<'d>)) -> Result<(), Option<&'static str>> {
        let mut rest = self.types;
        while !rest.is_empty() {
            kmp_steps::count(1);
            let (record, after) = self.record(rest)?;
            see(record);
            rest = after;
        }
        Ok(())
    }

    /// The type that begins here, and what follows it.
    fn record(self, rest: &'d [u8]) -> Result<(Record<'d>, &'d [u8]), Option<&'static str>> {
        const CUT: Option<&str> = Some("a type is cut");
        let u32_at = |at: usize| u32_at(rest, at, self.big_endian).ok_or(CUT);
        let (name, info) = (u32_at(0)?, u32_at(4)?);
        let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
        // How long a type is, and of what it has more than one: how many bytes each.
        let (single, width) = match kind {
            1 | 14 | 17 => (4, 0),
            3 => (12, 0),
            4 | 5 | 15 | 19 => (0, 12),
            6 | 13 => (0, 8),
            2 | 7..=12 | 16 | 18 => (0, 0),
            0 => return Err(Some("a type is of no kind")),
            KINDS.. => return Err(None),
        };
        let end = 12 + single + count * width;
        let rows = rest.get(12..end).ok_or(CUT)?;
        let width = if single > 0 { single } else { width.max(1) };
        let size = u32_at(8)?;
        Ok((Record { kind, name, size, has_flag: info >> 31 == 1, rows, width }, &rest[end..]))
    }
}

/// A type as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'d> {
    /// `BTF_KIND_*`
    pub kind: u32,
    pub name: u32,
    /// A size in bytes, or the number of another type: by its kind.
    pub size: u32,
    /// `kind_flag`
    pub has_flag: bool,
    /// What follows: one row, or as many as it has members, enumerators, parameters.
    pub rows: &'d [u8],
    /// How many bytes each row has.
    pub width: usize,
}
