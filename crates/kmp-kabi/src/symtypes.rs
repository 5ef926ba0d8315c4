// SPDX-License-Identifier: LGPL-2.1-or-later
//! The types that CRCs were made of, as genksyms and gendwarfksyms write them (`KBUILD_SYMTYPES=1`), a line a type: the exact
//! reason why one changed. Also the consolidated form of SUSE's kernels, all source files in one (suse-kabi-tools(5)).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Why a text has no types.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSymtypes {
    /// A line without a type.
    #[error("line {0} is no line of symtypes")]
    Line(usize),
    /// There is no line.
    #[error("there is no type in it")]
    Empty,
}

/// All types of one or more source files.
#[derive(Clone, Debug)]
pub struct Symtypes<'t> {
    /// For the name of a type its definitions: the source file from which on it counts, and the text.
    types: HashMap<&'t str, Vec<(usize, &'t str)>>,
    /// Types that a source file only declares, where others define them.
    opaque: HashSet<(usize, u8, &'t str)>,
    /// For an exported symbol its source file and its text.
    exports: BTreeMap<&'t str, (usize, &'t str)>,
}

/// Why an exported symbol differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason<'t> {
    /// The name of the type: `s#net_device`; the symbol's, if its own declaration differs.
    pub name: &'t str,
    /// As it was; `None`: only declared.
    pub old: Option<&'t str>,
    /// As it is.
    pub new: Option<&'t str>,
}

/// Does the text look like symtypes?
pub fn is_symtypes(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    first.starts_with("/* ") && first.ends_with(" */")
        || reference(first.split(' ').next().unwrap_or_default()).is_some()
}

/// The name of the type that a token refers to.
fn reference(token: &str) -> Option<&str> {
    let bare = token.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).unwrap_or(token);
    let is_type = bare.len() > 2 && matches!(bare.as_bytes(), [b's' | b'u' | b'e' | b't' | b'E', b'#', ..]);
    is_type.then_some(bare)
}

/// Words, of which those in quotes may have blanks in them.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_start();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let quoted = rest.starts_with('\'').then(|| rest[1..].find('\'').map(|at| at + 2)).flatten();
        // `s#'a b'`
        let inner = || {
            let at = rest.find('\'').filter(|at| rest[..*at].ends_with('#') && !rest[..*at].contains(' '))?;
            rest[at + 1..].find('\'').map(|end| at + end + 2)
        };
        let end =
            quoted.or_else(inner).unwrap_or_else(|| rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let (token, after) = rest.split_at(end);
        rest = after.trim_start();
        Some(token)
    })
}

impl<'t> Symtypes<'t> {
    /// Reads them.
    ///
    /// # Errors
    /// There is a line that is none.
    pub fn parse(text: &'t str) -> Result<Self, NotSymtypes> {
        let mut found = Self { types: HashMap::new(), opaque: HashSet::new(), exports: BTreeMap::new() };
        let mut file = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            if line.starts_with("/*") && line.ends_with("*/") {
                file += 1;
                continue;
            }
            let name = tokens(line).next().unwrap_or_default();
            let bare = name.strip_prefix('\'').and_then(|n| n.strip_suffix('\'')).unwrap_or(name);
            let rest = line[name.len()..].trim();
            if let Some((kind, of)) = bare.split_once("##").filter(|(kind, _)| kind.len() == 1) {
                // `s##name` stands for `s#name struct name { UNKNOWN }`.
                found.opaque.insert((file, kind.as_bytes()[0], of));
            } else if rest.is_empty() {
                return Err(NotSymtypes::Line(number));
            } else if let Some(name) = reference(bare) {
                found.types.entry(name).or_default().push((file, rest));
            } else {
                found.exports.insert(bare, (file, rest));
            }
        }
        if found.exports.is_empty() && found.types.is_empty() {
            return Err(NotSymtypes::Empty);
        }
        Ok(found)
    }

    /// The exported symbols.
    pub fn exports(&self) -> impl Iterator<Item = &'t str> {
        self.exports.keys().copied()
    }

    /// Has it that symbol?
    pub fn has(&self, symbol: &str) -> bool {
        self.exports.contains_key(symbol)
    }

    /// A type as a source file sees it. `None`: only declared.
    fn get(&self, name: &str, file: usize) -> Option<&'t str> {
        let (kind, bare) = name.split_once('#')?;
        if self.opaque.contains(&(file, *kind.as_bytes().first()?, bare)) {
            return None;
        }
        let all = self.types.get(name)?;
        let last = all.partition_point(|(from, _)| *from <= file);
        let text = all.get(last.checked_sub(1)?).map(|(_, text)| *text)?;
        (!text.trim_end().ends_with("{ UNKNOWN }")).then_some(text)
    }

    /// Why a symbol differs in `new`: the nearest type that does. `None`: it does not, or one of them has no such symbol.
    pub fn reason(&self, new: &Symtypes<'t>, symbol: &'t str) -> Option<Reason<'t>> {
        let (old_file, old) = self.exports.get(symbol)?;
        let (new_file, now) = new.exports.get(symbol)?;
        if !tokens(old).eq(tokens(now)) {
            return Some(Reason { name: symbol, old: Some(old), new: Some(now) });
        }
        let mut seen: HashSet<&str> = HashSet::new();
        let mut queue: VecDeque<&'t str> = tokens(old).filter_map(reference).collect();
        while let Some(name) = queue.pop_front() {
            if !seen.insert(name) {
                continue;
            }
            let (old, new) = (self.get(name, *old_file), new.get(name, *new_file));
            match (old, new) {
                (Some(a), Some(b)) if tokens(a).eq(tokens(b)) => {
                    queue.extend(tokens(a).filter_map(reference))
                }
                (None, None) => {}
                _ => return Some(Reason { name, old, new }),
            }
        }
        None
    }
}

/// A type's name as C has it: `struct net_device` for `s#net_device`.
pub fn c_name(name: &str) -> String {
    let (kind, rest) = match name.split_once('#') {
        Some(("s", rest)) => ("struct ", rest),
        Some(("u", rest)) => ("union ", rest),
        Some(("e", rest)) => ("enum ", rest),
        Some(("t" | "E", rest)) => ("", rest),
        _ => ("", name),
    };
    format!("{kind}{}", rest.trim_matches('\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<'t>(old: &'t str, new: &'t str, symbol: &'t str) -> Option<Reason<'t>> {
        Symtypes::parse(old).unwrap().reason(&Symtypes::parse(new).unwrap(), symbol)
    }

    const OLD: &str = "s#foo struct foo { int m ; s#list * next ; }\ns#list struct list { s#list * l ; u#bar b ; }\n\
                       u#bar union bar { int i ; }\nbaz void baz ( s#foo * )\nqux int qux ( int )\n";

    #[test]
    fn the_nearest_type_that_differs() {
        assert!(
            is_symtypes(OLD) && is_symtypes("/* a.symtypes */\n") && !is_symtypes("0x1\ta\tvmlinux\tX\n")
        );
        assert_eq!(reason(OLD, OLD, "baz"), None);
        let new = OLD.replace("int i ;", "long i ;").replace("qux ( int )", "qux ( long )");
        let found = reason(OLD, &new, "baz").unwrap();
        assert_eq!((found.name, found.new), ("u#bar", Some("union bar { long i ; }")));
        assert_eq!(reason(OLD, &new, "qux").unwrap().name, "qux");
        assert_eq!(reason(OLD, &new, "none"), None);
        let hidden = OLD.replace("union bar { int i ; }", "union bar { UNKNOWN }");
        assert_eq!(reason(OLD, &hidden, "baz").unwrap().new, None);
        assert_eq!((c_name("u#bar").as_str(), c_name("t#'a b'").as_str()), ("union bar", "a b"));
    }

    #[test]
    fn of_consolidated_types_each_file_has_its_own() {
        let old = "/* a.symtypes */\ns#foo struct foo { int m ; }\nu##bar\nbaz void baz ( s#foo a1 , u#bar * a2 )\n\n\
                   /* b.symtypes */\nu#bar union bar { int i ; }\nqux void qux ( s#foo a1 , u#bar * a2 )\n\n\
                   /* c.symtypes */\ns#foo struct foo { long m ; }\nlast void last ( s#foo , 'u#bar' )\n";
        let new = old.replace("int i ;", "long i ;");
        assert_eq!(reason(old, &new, "baz"), None);
        assert_eq!(reason(old, &new, "qux").unwrap().name, "u#bar");
        assert_eq!(reason(old, &new, "last").unwrap().name, "u#bar");
        let new = old.replace("int m ;", "char m ;");
        assert_eq!(reason(old, &new, "baz").unwrap().name, "s#foo");
        assert_eq!(reason(old, &new, "last"), None);
    }

    #[test]
    fn what_is_none() {
        assert_eq!(Symtypes::parse("").unwrap_err(), NotSymtypes::Empty);
        assert_eq!(Symtypes::parse("s#foo struct foo { }\nbar\n").unwrap_err(), NotSymtypes::Line(2));
        let names: Vec<&str> = tokens("a 's#b c' t#'d e' ; ' f").collect();
        assert_eq!(names, ["a", "'s#b c'", "t#'d e'", ";", "'", "f"]);
    }
}
