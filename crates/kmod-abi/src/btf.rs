// SPDX-License-Identifier: LGPL-2.1-or-later
//! BTF, the types of a module as BPF programs see them: whether it can go with a kernel's (`kernel/bpf/btf.c`).
//!
//! A module's BTF is split: numbers of types and offsets of names go on where those of the kernel's own end, the base. A module
//! does not say where that is, but its names do: they lie one after the other, and each is used. Modules of one kernel have
//! the same base, so any of the kernel's own modules says where the kernel's ends.

mod parts;
mod types;

pub use types::{Fault, Kind, Scope, Type, Types};

use parts::{MAX_NAME, Parts};

/// `BTF_KIND_FUNC`
const FUNCTION: u32 = 12;

/// So many functions do not all happen to find a name, and a prototype, among types that are not theirs.
const MANY: usize = 16;

/// `NR_BTF_KINDS`, until Linux 7.3.
const KINDS: u32 = 20;

/// What is known of a module's BTF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Btf {
    /// How many bytes of names the base has that it was made for; `None`: it cannot be told.
    pub base_names: Option<u32>,
    /// How many bytes of names it has itself.
    pub names: u32,
    /// The offset of its last name, beyond the base's.
    pub last_name: u32,
    /// The base that it brings itself (`.BTF.base`).
    pub own_base: Option<OwnBase>,
    /// What kernels find wrong with it whatever their own is, as a clause.
    pub fault: Option<&'static str>,
    /// Has it a type of a kind that no kernel until [`Sections::KNOWN`](crate::Sections::KNOWN) has?
    pub has_unknown_kind: bool,
    /// Where each of its own names begins, and where those of functions do. Sorted, and counted from the end of the base.
    starts: Box<[u32]>,
    functions: Box<[u32]>,
}

/// The types of a kernel that a module's BTF uses, so that another kernel can look for its own of these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnBase {
    /// How many bytes of names it has.
    pub names: u32,
    /// What kernels find wrong with it, as a clause.
    pub fault: Option<&'static str>,
}

impl Btf {
    /// Reads a `.BTF` section, and `.BTF.base` if there is one. `None`: it is empty, so that no kernel looks at it.
    pub fn parse(section: &[u8], base: Option<&[u8]>, big_endian: bool) -> Option<Self> {
        if section.is_empty() {
            return None;
        }
        let own_base = base.map(|base| read_base(base, big_endian));
        let nothing = Self {
            base_names: None,
            names: 0,
            last_name: 0,
            own_base,
            fault: None,
            has_unknown_kind: false,
            starts: Box::default(),
            functions: Box::default(),
        };
        let parts = match Parts::of(section, big_endian, false) {
            Ok(parts) => parts,
            Err(why) => return Some(Self { fault: Some(why), ..nothing }),
        };
        let (mut used, mut functions): (Vec<u32>, Vec<u32>) = Default::default();
        let walked = parts.each_type(|kind, names| {
            if kind == FUNCTION {
                functions.extend(names.first());
            }
            used.extend_from_slice(names);
        });
        if let Err(fault) = walked {
            return Some(Self { fault, has_unknown_kind: fault.is_none(), ..nothing });
        }
        if used.iter().any(|name| *name > MAX_NAME) {
            return Some(Self { fault: Some("a name lies outside of all names"), ..nothing });
        }
        let split = || -> Option<Self> {
            let names = u32::try_from(parts.strings.len()).ok()?;
            let body = parts.strings.strip_suffix(&[0])?;
            let last = body.iter().rposition(|b| *b == 0).map_or(0, |at| at + 1);
            let last_used = used.iter().copied().max()?;
            let base = last_used.checked_sub(u32::try_from(last).ok()?)?;
            // Each name that is not the base's begins where one of its own begins, and the first one is used as well.
            let ends = parts.strings.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at + 1);
            let starts = std::iter::once(0).chain(ends).filter_map(|at| u32::try_from(at).ok());
            let starts: Box<[u32]> = starts.filter(|at| *at < names).collect();
            let own = |name: &u32| name.checked_sub(base);
            let is_sure = used.iter().filter_map(own).all(|at| starts.binary_search(&at).is_ok())
                && used.contains(&base);
            let functions = functions.iter().filter_map(own).collect();
            let base_names = is_sure.then_some(base);
            Some(Self { base_names, names, last_name: last_used, starts, functions, ..nothing.clone() })
        };
        Some(split().unwrap_or_else(|| nothing.clone()))
    }

    /// How much memory it takes beside its own size, in bytes.
    pub(crate) fn memory(&self) -> usize {
        (self.starts.len() + self.functions.len()) * size_of::<u32>()
    }
}

/// Checks a `.BTF.base` (`btf_parse_base`, `btf_relocate_validate_distilled_base`).
fn read_base(section: &[u8], big_endian: bool) -> OwnBase {
    let parts = match Parts::of(section, big_endian, true) {
        Ok(parts) => parts,
        Err(why) => return OwnBase { names: 0, fault: Some(why) },
    };
    let mut fault = None;
    let walked = parts.each_type(|kind, names| {
        // INT, STRUCT, UNION, ENUM, FWD, FLOAT, each with a name
        if !matches!(kind, 1 | 4..=7 | 16) {
            fault = fault.or(Some("its base has a type of a kind that no base has"));
        } else if names.first() == Some(&0) {
            fault = fault.or(Some("its base has a type without a name"));
        } else if names.iter().any(|name| *name as usize >= parts.strings.len()) {
            fault = fault.or(Some("a name of its base lies outside of all names"));
        }
    });
    let names = u32::try_from(parts.strings.len()).unwrap_or(u32::MAX);
    OwnBase { names, fault: walked.err().flatten().or(fault) }
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
                let found = Btf::parse(&btf(base, NAMES, big_endian), None, big_endian).unwrap();
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
        let found = Btf::parse(&btf(1000, NAMES, false), None, false).unwrap();
        let many = Btf { functions: vec![17; MANY].into(), ..found };
        assert_eq!(matches(&many, 5_000_000), Match::No);
    }

    #[test]
    fn what_is_cut_or_does_not_add_up_is_a_fault() {
        let whole = btf(1000, NAMES, false);
        let fault = |bytes: &[u8]| Btf::parse(bytes, None, false).unwrap().fault;
        assert_eq!((fault(&whole), Btf::parse(&[], None, false)), (None, None));
        for end in 1..whole.len() {
            assert!(fault(&whole[..end]).is_some(), "{end}");
        }
        assert!(Btf::parse(&whole, None, true).unwrap().fault.is_some());
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = whole.clone();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            changed
        };
        let last = whole.len() - 1;
        for (what, changed) in [
            ("magic", with(0, &[1])),
            ("version", with(2, &[2])),
            ("flags", with(3, &[1])),
            ("a gap", with(8, &[4])),
            ("too long", with(15, &[1])),
            ("no kind", with(24 + 7, &[0])),
            ("a name far away", with(24, &[0xff, 0xff, 0xff, 0xf])),
            ("names without an end", with(last, b"x")),
        ] {
            assert!(fault(&changed).is_some(), "{what}");
        }
        // A kind of kernels to come.
        let unknown = Btf::parse(&with(24 + 7, &[25]), None, false).unwrap();
        assert_eq!((unknown.fault, unknown.base_names, unknown.has_unknown_kind), (None, None, true));
        let gap = btf(1000, &["structure", "member", "open_it", "close_it", "foo_int", "unused"], false);
        let gap = Btf::parse(&gap, None, false).unwrap();
        assert_eq!((gap.fault, gap.base_names), (None, None));
    }

    /// A base with one structure of this kind and name.
    pub(crate) fn base(kind: u32, name: u32) -> Vec<u8> {
        let header = [24, 0, 12, 12, 9].map(u32::to_le_bytes).concat();
        let types = [name, kind << 24, 8].map(u32::to_le_bytes).concat();
        [&[0x9f, 0xeb, 1, 0][..], &header, &types, b"\0foo_bar\0"].concat()
    }

    #[test]
    fn a_base_has_types_with_names() {
        let of =
            |base: &[u8]| Btf::parse(&btf(9, NAMES, false), Some(base), false).unwrap().own_base.unwrap();
        assert_eq!(of(&base(4, 1)), OwnBase { names: 9, fault: None });
        for bad in
            [base(2, 1), base(4, 0), base(4, 99), vec![], b"rubbish".to_vec(), base(4, 1)[..40].to_vec()]
        {
            assert!(of(&bad).fault.is_some(), "{bad:?}");
        }
    }
}
