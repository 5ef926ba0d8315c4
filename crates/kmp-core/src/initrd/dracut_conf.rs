// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which modules dracut's configuration puts into every initrd, and which it keeps out.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io;

use crate::abi::name::normalized;
use crate::assignments::Assignments;
use crate::conf_d::{DropIns, Found};
use crate::problem::Problem;
use crate::root::Root;

const FILE: &str = "/etc/dracut.conf";
/// The order is that of `sort -Vu`: of names that count as the same, the first.
const DROP_INS: DropIns = DropIns::of(&["/etc/dracut.conf.d", "/usr/lib/dracut/dracut.conf.d"])
    .sorted_by(by_version)
    .passing_over_dangling_links();
const LIMIT: u64 = 1 << 20;

/// Names of modules, `_` for `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drivers {
    /// Of `drivers`, `add_drivers` and `force_drivers`.
    pub wanted: BTreeSet<String>,
    /// Of `omit_drivers`, less those. Regular expressions, which dracut takes there, are left out: a module that is
    /// taken for included costs an initrd too many at worst.
    pub omitted: BTreeSet<String>,
}

impl Drivers {
    /// Reads dracut's configuration below `root`, in dracut's order. What cannot be read, or would have to be run, is
    /// a problem, and left out.
    pub fn load(root: &Root, problems: &mut Vec<Problem>) -> Self {
        let mut read = Assignments::default();
        let found = files(root);
        let unread = found.unread.iter();
        problems.extend(unread.map(|(path, e)| Problem::unreadable(root.display(path), e)));
        for file in found.files {
            let mut problem = |what| problems.push(Problem::new(root.display(&file), what));
            match root.read(&file, LIMIT) {
                Ok(text) => {
                    let mut left_out = read.read(&String::from_utf8_lossy(&text));
                    // The first of each kind says enough.
                    left_out.dedup_by_key(|one| std::mem::discriminant(one));
                    left_out.iter().for_each(|one| problem(one.to_string()));
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                // A link to /dev/null turns a file off.
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => {}
                Err(e) => problems.push(Problem::unreadable(root.display(&file), &e)),
            }
        }
        Self::of(&read)
    }

    /// By the values of dracut's variables.
    pub fn of(read: &Assignments) -> Self {
        // At what dracut's shell splits words; other white space is a part of them.
        let names = |variable| read.get(variable).split([' ', '\t', '\n', '\r']).filter(|w| !w.is_empty());
        let wanted: BTreeSet<String> = ["drivers", "add_drivers", "force_drivers"]
            .into_iter()
            .flat_map(names)
            .filter_map(name)
            .collect();
        let omitted = names("omit_drivers").filter_map(name).filter(|n| !wanted.contains(n)).collect();
        Self { wanted, omitted }
    }
}

/// A module by its name or file; `None` for a directory of modules (`=drivers/net`) or a regular expression.
fn name(word: &str) -> Option<String> {
    let file = word.rsplit('/').next().filter(|f| !f.is_empty() && !word.starts_with('='))?;
    let name = file.split_once(".ko").map_or(file, |(name, _)| name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.chars().all(is_plain).then(|| normalized(name))
}

/// All files in the order in which dracut reads them.
pub(super) fn files(root: &Root) -> Found {
    let mut found = DROP_INS.find(root);
    found.files.insert(0, FILE.into());
    found
}

/// The order of `sort -V` (GNU coreutils' "Version sort ordering"): as without the endings first, and then with them.
pub(crate) fn by_version(a: &[u8], b: &[u8]) -> Ordering {
    let (stem_a, stem_b) = (stem(a), stem(b));
    if stem_a == stem_b { compare(a, b) } else { compare(stem_a, stem_b).then_with(|| compare(a, b)) }
}

/// Without `(\.[A-Za-z~][A-Za-z0-9~]*)*$`.
fn stem(name: &[u8]) -> &[u8] {
    let mut stem = name;
    while let Some(dot) = stem.iter().rposition(|b| *b == b'.') {
        let ending = &stem[dot + 1..];
        let is_ending = ending.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'~')
            && ending.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'~');
        if !is_ending {
            break;
        }
        stem = &stem[..dot];
    }
    stem
}

/// Piece by piece: other characters, then a number.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    // The end comes before letters, and letters before other characters; a tilde before the end.
    let rank = |s: &[u8], i: usize| match s.get(i) {
        None => -1,
        Some(c) if c.is_ascii_digit() => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(b'~') => -2,
        Some(c) => i32::from(*c) + 256,
    };
    let text = |s: &[u8], i: usize| s.get(i).is_some_and(|c| !c.is_ascii_digit());
    while !a.is_empty() || !b.is_empty() {
        let mut i = 0;
        while text(a, i) || text(b, i) {
            match rank(a, i).cmp(&rank(b, i)) {
                Ordering::Equal => i += 1,
                other => return other,
            }
        }
        (a, b) = (&a[i.min(a.len())..], &b[i.min(b.len())..]);
        let number = |s: &mut &[u8]| -> Vec<u8> {
            let len = s.iter().take_while(|c| c.is_ascii_digit()).count();
            let (digits, rest) = s.split_at(len);
            *s = rest;
            digits.iter().copied().skip_while(|d| *d == b'0').collect()
        };
        let (x, y) = (number(&mut a), number(&mut b));
        match x.len().cmp(&y.len()).then_with(|| x.cmp(&y)) {
            Ordering::Equal => {}
            other => return other,
        }
    }
    Ordering::Equal
}
