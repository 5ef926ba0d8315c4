// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which modules dracut's configuration puts into every initrd, and which it keeps out.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::assignments::Assignments;
use crate::abi::name::normalized;
use crate::problem::Problem;
use crate::root::Root;

const FILE: &str = "/etc/dracut.conf";
/// A file in the first takes the place of one of the same name in the second.
const DIRECTORIES: [&str; 2] = ["/etc/dracut.conf.d", "/usr/lib/dracut/dracut.conf.d"];
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
        let files = files(root).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        for file in files {
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
pub(super) fn files(root: &Root) -> Result<Vec<PathBuf>, Problem> {
    let unreadable = |path: &Path, e| Problem::unreadable(root.display(path), &e);
    let is_there = |path: &Path| root.try_exists(path).map_err(|e| unreadable(path, e));
    let mut names: Vec<OsString> = Vec::new();
    for directory in DIRECTORIES {
        let directory = Path::new(directory);
        let entries = root.read_dir_if_there(directory).map_err(|e| unreadable(directory, e))?;
        let is_conf =
            |name: &OsString| name.as_bytes().ends_with(b".conf") && !name.as_bytes().starts_with(b".");
        for name in entries.into_iter().map(|e| e.name).filter(is_conf) {
            // A link that leads nowhere is passed over.
            if is_there(&directory.join(&name))? {
                names.push(name);
            }
        }
    }
    // `sort -Vu`: of names that count as the same, the first.
    names.sort_by(|a, b| by_version(a.as_bytes(), b.as_bytes()));
    names.dedup_by(|b, a| by_version(a.as_bytes(), b.as_bytes()).is_eq());
    let mut found = vec![PathBuf::from(FILE)];
    for name in names {
        for directory in DIRECTORIES {
            let file = Path::new(directory).join(&name);
            if is_there(&file)? {
                found.push(file);
                break;
            }
        }
    }
    Ok(found)
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
