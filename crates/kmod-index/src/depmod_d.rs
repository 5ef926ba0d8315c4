// SPDX-License-Identifier: LGPL-2.1-or-later
//! depmod.d(5), read as depmod reads it: of two modules of one name, which one is loaded.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use regex_lite::Regex;

use crate::Unsure;

/// What all files say, in their order.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Words of `search` lines: directories below the kernel's own, `built-in`, `external`.
    search: Vec<String>,
    overrides: Vec<Override>,
    externals: Vec<External>,
    /// The first line whose meaning is not certain, in words.
    strange: Option<String>,
}

/// Where a kernel's own modules are, below its directory.
const IN_TREE: &str = "kernel";

/// `override MODULE KERNEL DIRECTORY`.
#[derive(Clone, Debug)]
struct Override {
    kernels: Kernels,
    /// The module's path below the kernel's directory, without what follows its name.
    path: PathBuf,
}

/// A directory of an `external KERNEL DIRECTORY...` line.
#[derive(Clone, Debug)]
struct External {
    kernels: Kernels,
    dir: PathBuf,
}

/// Which kernels a line is for.
#[derive(Clone, Debug)]
enum Kernels {
    All,
    Matching(Regex),
    /// An expression that is none.
    None,
}

impl Kernels {
    fn parse(word: &str) -> Self {
        match word {
            "*" => Self::All,
            _ => extended(word).and_then(|e| Regex::new(&e).ok()).map_or(Self::None, Self::Matching),
        }
    }

    fn has(&self, release: &str) -> bool {
        match self {
            Self::All => true,
            Self::Matching(expression) => expression.is_match(release),
            Self::None => false,
        }
    }
}

impl Config {
    /// Takes in the text of one file.
    pub fn read(&mut self, text: &str) {
        for line in lines(text).iter().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            match words.as_slice() {
                ["search", order @ ..] => self.search.extend(order.iter().map(|w| (*w).into())),
                ["override", module, kernels, dir, ..] => {
                    let kernels = Kernels::parse(kernels);
                    if matches!(kernels, Kernels::None) {
                        self.strange.get_or_insert_with(|| shown(line));
                    }
                    self.overrides.push(Override { kernels, path: format!("{dir}/{module}").into() });
                }
                ["external", kernels, dirs @ ..] => {
                    let kernels = Kernels::parse(kernels);
                    let external = |dir: &&str| External { kernels: kernels.clone(), dir: (*dir).into() };
                    self.externals.extend(dirs.iter().map(external));
                }
                [] => {}
                _ => {
                    self.strange.get_or_insert_with(|| shown(line));
                }
            }
            if !line.is_ascii() {
                self.strange.get_or_insert_with(|| shown(line));
            }
        }
    }

    /// Is it certain what depmod makes of it for the kernel `release`?
    ///
    /// # Errors
    /// [`Unsure::Config`]: there is a line that this reader does not know, or an external directory.
    pub fn is_sure(&self, release: &str) -> Result<(), Unsure> {
        let external = || {
            let mut all = self.externals.iter();
            all.find(|e| e.kernels.has(release) || matches!(e.kernels, Kernels::None))
        };
        let external = || Some(format!("the external directory {}", external()?.dir.display()));
        let strange = self.strange.as_ref().map(|line| format!("the line \"{line}\""));
        strange.or_else(external).map_or(Ok(()), |what| Err(Unsure::Config(what)))
    }

    /// Which of two modules of one name is loaded in the kernel `release`: by their paths below its directory, or
    /// absolute ones below a directory that is external. `Less`: the first. `Equal`: the one that depmod sees first.
    #[must_use]
    pub fn compare(&self, release: &str, first: &Path, second: &Path) -> Ordering {
        let (one, two) = (without_suffix(first), without_suffix(second));
        // The line that was read last is looked at first.
        for line in self.overrides.iter().rev().filter(|line| line.kernels.has(release)) {
            // Byte for byte: `a//b` is no other spelling of `a/b` here.
            if line.path.as_os_str() == one.as_os_str() {
                return Ordering::Less;
            }
            if line.path.as_os_str() == two.as_os_str() {
                return Ordering::Greater;
            }
        }
        self.rank(release, first).cmp(&self.rank(release, second))
    }

    /// Where the kernel's own module of a link's name is, as far as an `override` line names it; otherwise just below
    /// `kernel/`.
    #[must_use]
    pub fn likely_in_tree(&self, release: &str, link: &Path) -> PathBuf {
        let link = without_suffix(link);
        let name = link.file_name().unwrap_or_default();
        let lines = self.overrides.iter().rev().filter(|line| line.kernels.has(release));
        let mut paths = lines.map(|line| &line.path);
        let named = paths.find(|path| path.starts_with(IN_TREE) && path.file_name() == Some(name));
        named.cloned().unwrap_or_else(|| Path::new(IN_TREE).join(name))
    }

    /// The place of a path's directory in the search order: smaller wins.
    fn rank(&self, release: &str, path: &Path) -> (usize, usize) {
        let usual = ["updates".to_owned()];
        let search = if self.search.is_empty() { &usual[..] } else { &self.search };
        let position = |word: &str| search.iter().position(|w| w == word);
        let listed = search.iter().enumerate().find_map(|(place, word)| {
            if word == "external" {
                let mut dirs = self.externals.iter().filter(|e| e.kernels.has(release));
                return dirs.position(|e| path.starts_with(&e.dir)).map(|at| (place, at));
            }
            (word != "built-in" && path.starts_with(word)).then_some((place, 0))
        });
        listed.unwrap_or((position("built-in").unwrap_or(usize::MAX), 0))
    }

    /// The external directories of a kernel, whose modules depmod lists by their absolute paths.
    pub fn external_dirs(&self, release: &str) -> impl Iterator<Item = &Path> {
        let dirs = self.externals.iter().filter(move |e| e.kernels.has(release) && e.dir.is_absolute());
        dirs.map(|external| &*external.dir)
    }
}

fn shown(line: &str) -> String {
    line.escape_default().to_string()
}

/// The lines of a file. A backslash takes the end of a line away, and is itself lost before anything else.
fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let (c, is_quoted) = match c {
            '\\' => match chars.next() {
                Some(next) => (next, true),
                None => break,
            },
            c => (c, false),
        };
        match (c, is_quoted, lines.last_mut()) {
            ('\n', true, _) => {}
            ('\n', false, _) => lines.push(String::new()),
            (c, _, Some(line)) => line.push(c),
            (_, _, None) => {}
        }
    }
    lines
}

/// A path up to the first dot of its file's name.
fn without_suffix(path: &Path) -> PathBuf {
    let file = path.file_name().unwrap_or_default().as_bytes();
    let name = file.split(|b| *b == b'.').next().unwrap_or_default();
    path.with_file_name(OsStr::from_bytes(name))
}

/// A POSIX extended regular expression in the syntax of the crate; `None`: it cannot be said there.
fn extended(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '[' => bracket(&mut chars, &mut out)?,
            '\\' => match chars.next()? {
                c @ ('w' | 'W' | 's' | 'S' | 'b' | 'B') => out.extend(['\\', c]),
                // A back reference.
                c if c.is_ascii_digit() => return None,
                c if c.is_ascii_punctuation() => out.extend(['\\', c]),
                c => out.push(c),
            },
            // With nothing to repeat, it stands for itself.
            '*' | '+' | '?' if out.is_empty() || out.ends_with(['(', '|', '^']) && !out.ends_with("\\(") => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    Some(out)
}

/// What follows a `[`, in which a backslash is no more than itself.
fn bracket(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut is_first = true;
    loop {
        match chars.next()? {
            ']' if !is_first => break,
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                loop {
                    let c = chars.next()?;
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' if matches!(chars.peek(), Some('.' | '=')) => return None,
            '-' => out.push('-'),
            c if c.is_ascii_punctuation() => out.extend(['\\', c]),
            c => out.push(c),
        }
        is_first = false;
    }
    out.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(expression: &str, release: &str) -> bool {
        Kernels::parse(expression).has(release)
    }

    #[test]
    fn kernels_are_matched_by_extended_regular_expressions_anywhere_in_the_release() {
        for (expression, release, expected) in [
            ("*", "anything", true),
            ("5.14.0-70", "5.14.0-70.el9.x86_64", true),
            ("^5.14.0-(70|162)[.]el9", "5.14.0-162.el9.x86_64", true),
            ("^5.14.0-(70|162)[.]el9", "5.14.0-1620.el9.x86_64", false),
            ("5.14.0-*", "4.18.0", false),
            ("5.14.0-*", "5.14.0", true),
            ("*.x86_64", "5.14.0.x86_64", false),
            ("[[:digit:]]+-default$", "6.4.0-1-default", true),
            ("[^[:digit:]]-default$", "6.4.0-1-default", false),
            ("[]a]b", "]b", true),
            (r"[\.]x", r"\x", true),
            ("[&&]", "&", true),
            ("6.4{2}", "6.44", true),
            ("el(8|9)?$", "5.el9", true),
            ("(", "(", false),
            ("[", "[", false),
            (r"(a)\1", "aa", false),
        ] {
            assert_eq!(matches(expression, release), expected, "{expression} {release}");
        }
    }

    #[test]
    fn a_backslash_is_lost_and_joins_lines() {
        assert_eq!(lines("a \\\nb\nc\\.d\\\\e\nf\\"), ["a b", "c.d\\e", "f"]);
    }
}
