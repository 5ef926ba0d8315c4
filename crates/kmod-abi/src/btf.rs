// SPDX-License-Identifier: LGPL-2.1-or-later
//! BTF, the types of a module as BPF programs see them: whether it can go with a kernel's (`kernel/bpf/btf.c`).
//!
//! A module's BTF is split: numbers of types and offsets of names go on where those of the kernel's own end, the base. A module
//! does not say where that is, but its names do: they lie one after the other, and each is used. Modules of one kernel have
//! the same base, so any of the kernel's own modules says where the kernel's ends.

/// `BTF_MAGIC`
const MAGIC: u16 = 0xeb9f;

/// `BTF_KIND_FUNC`
const FUNCTION: u32 = 12;

/// So many functions do not all happen to find a name, and a prototype, among types that are not theirs.
const MANY: usize = 16;

/// What is known of a module's BTF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Btf {
    /// How many bytes of names the base has that it was made for; `None`: it cannot be told, or it has a base of its own
    /// (`.BTF.base`), which the kernel maps to its own.
    pub base_names: Option<u32>,
    /// How many bytes of names it has itself.
    pub names: u32,
    /// The offset of its last name, beyond the base's.
    pub last_name: u32,
    /// Where each of its own names begins, and where those of functions do. Sorted, and counted from the end of the base.
    starts: Box<[u32]>,
    functions: Box<[u32]>,
}

impl Btf {
    /// Reads a `.BTF` section. `None`: the kernel would not get as far as that, or there are no names in it.
    pub fn parse(section: &[u8], big_endian: bool, has_own_base: bool) -> Option<Self> {
        let u32_at = |bytes: &[u8], at: usize| -> Option<u32> {
            let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
            Some(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
        };
        let magic: [u8; 2] = section.get(..2)?.try_into().ok()?;
        let magic = if big_endian { u16::from_be_bytes(magic) } else { u16::from_le_bytes(magic) };
        if magic != MAGIC {
            return None;
        }
        let size = |at: usize| usize::try_from(u32_at(section, at)?).ok();
        let contents = section.get(size(4)?..)?;
        let part = |offset: usize| contents.get(size(offset)?..)?.get(..size(offset + 4)?);
        let (types, strings) = (part(8)?, part(16)?);
        let (mut used, mut functions): (Vec<u32>, Vec<u32>) = Default::default();
        let mut rest = types;
        while !rest.is_empty() {
            kmp_steps::count(1);
            let (name, info) = (u32_at(rest, 0)?, u32_at(rest, 4)?);
            let count = usize::try_from(info & 0xffff).ok()?;
            used.push(name);
            if info >> 24 & 0x1f == FUNCTION {
                functions.push(name);
            }
            // How long a type is, and of what it has more than one name of: how many bytes each.
            let (single, each, has_names) = match info >> 24 & 0x1f {
                1 | 14 | 17 => (4, 0, false),
                3 => (12, 0, false),
                4 | 5 | 19 => (0, 12, true),
                6 | 13 => (0, 8, true),
                15 => (0, 12, false),
                2 | 7..=12 | 16 | 18 => (0, 0, false),
                _ => return None,
            };
            let more = rest.get(12 + single..12 + single + count * each)?;
            if has_names {
                used.extend(more.chunks_exact(each).filter_map(|one| u32_at(one, 0)));
            }
            rest = &rest[12 + single + more.len()..];
        }
        let names = u32::try_from(strings.len()).ok()?;
        let body = strings.strip_suffix(&[0])?;
        let last = body.iter().rposition(|b| *b == 0).map_or(0, |at| at + 1);
        let last_used = used.iter().copied().max()?;
        let base = last_used.checked_sub(u32::try_from(last).ok()?)?;
        // Each name that is not the base's begins where one of its own begins, and the first one is used as well.
        let ends = strings.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(ends).filter_map(|at| u32::try_from(at).ok());
        let starts: Box<[u32]> = starts.filter(|at| *at < names).collect();
        let own = |name: &u32| name.checked_sub(base);
        let is_sure = !has_own_base
            && used.iter().filter_map(own).all(|at| starts.binary_search(&at).is_ok())
            && used.contains(&base);
        let functions = functions.iter().filter_map(own).collect();
        Some(Self { base_names: is_sure.then_some(base), names, last_name: last_used, starts, functions })
    }

    /// How much memory it takes beside its own size, in bytes.
    pub(crate) fn memory(&self) -> usize {
        (self.starts.len() + self.functions.len()) * size_of::<u32>()
    }
}

/// Whether a module's BTF goes with a kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// As far as is known.
    Yes,
    /// It was made for another base; whether the kernel finds something wrong with it is not known.
    Unlikely,
    /// A name would lie outside of all names, or a function have none.
    No,
}

/// Is `module` for a kernel whose own BTF has `base_names` bytes of names?
pub(crate) fn matches(module: &Btf, base_names: u32) -> Match {
    match module.base_names {
        None => Match::Yes,
        Some(own) if own == base_names => Match::Yes,
        // btf_name_offset_valid
        Some(_) if module.last_name >= base_names.saturating_add(module.names) => Match::No,
        Some(own) => {
            // btf_func_check_meta: a function has a name.
            let moved = |at: &u32| i64::from(*at) + i64::from(own) - i64::from(base_names);
            let is_nameless = |at: &u32| {
                let after = u32::try_from(moved(at) + 1).ok().filter(|after| *after > 0);
                after
                    .is_some_and(|after| after == module.names || module.starts.binary_search(&after).is_ok())
            };
            // So far apart that each name, and each type with it, is some other of the base's.
            let is_far = module.functions.len() >= MANY && module.functions.iter().all(|at| moved(at) < 0);
            if is_far || module.functions.iter().any(is_nameless) { Match::No } else { Match::Unlikely }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The BTF of a module with two functions and a structure, split from a base with as many bytes of names.
    pub(crate) fn btf(base: u32, names: &[&str], big_endian: bool) -> Vec<u8> {
        let strings: Vec<u8> = names.iter().flat_map(|name| [name.as_bytes(), &[0]].concat()).collect();
        let mut at = base;
        let mut offsets = names.iter().map(|name| {
            let own = at;
            at += u32::try_from(name.len()).unwrap() + 1;
            own
        });
        let mut next = || offsets.next().unwrap_or(0);
        let info = |kind: u32, count: u32| kind << 24 | count;
        let mut types: Vec<u32> = vec![next(), info(4, 1), 8, next(), 1, 0];
        types.extend([0, info(13, 1), 0, 0, 1]);
        types.extend([next(), info(12, 0), 7]);
        types.extend([next(), info(12, 0), 7]);
        types.extend([next(), info(1, 0), 4, 0x20]);
        let word = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let size = u32::try_from(types.len() * 4).unwrap();
        let start = if big_endian { [0xeb, 0x9f, 1, 0] } else { [0x9f, 0xeb, 1, 0] };
        let header = [24, 0, size, size, u32::try_from(strings.len()).unwrap()].map(word);
        [&start[..], &header.concat(), &types.into_iter().flat_map(word).collect::<Vec<_>>(), &strings]
            .concat()
    }

    pub(crate) const NAMES: &[&str] = &["structure", "member", "open_it", "close_it", "foo_int"];

    #[test]
    fn where_the_base_ends_follows_from_the_names() {
        for base in [1, 1000, 4_000_000] {
            for big_endian in [false, true] {
                let found = Btf::parse(&btf(base, NAMES, big_endian), big_endian, false).unwrap();
                assert_eq!(found.base_names, Some(base));
                assert_eq!(matches(&found, base), Match::Yes);
                // Where a function's name was is the end of the one before.
                assert_eq!(matches(&found, base + 1), Match::No);
                assert_eq!(matches(&found, base + 2), Match::Unlikely);
                assert_eq!(matches(&found, base + 5_000_000), Match::Unlikely);
                if base > 1 {
                    // The last name is longer than what is missing.
                    assert_eq!(matches(&found, base - 1), Match::Unlikely);
                    assert_eq!(matches(&found, base - 500), Match::No);
                }
            }
        }
        let found = Btf::parse(&btf(1000, NAMES, false), false, false).unwrap();
        let many = Btf { functions: vec![17; MANY].into(), ..found };
        assert_eq!(matches(&many, 5_000_000), Match::No);
        let own = Btf::parse(&btf(1000, NAMES, false), false, true).unwrap();
        assert_eq!((own.base_names, matches(&own, 5)), (None, Match::Yes));
    }

    #[test]
    fn what_is_cut_or_does_not_add_up_is_not_sure() {
        let whole = btf(1000, NAMES, false);
        for end in 0..whole.len() {
            assert_eq!(Btf::parse(&whole[..end], false, false), None, "{end}");
        }
        assert_eq!(Btf::parse(&whole, true, false), None);
        let gap = btf(1000, &["structure", "member", "open_it", "close_it", "foo_int", "unused"], false);
        assert_eq!(Btf::parse(&gap, false, false).unwrap().base_names, None);
    }
}
