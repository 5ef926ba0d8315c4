// SPDX-License-Identifier: LGPL-2.1-or-later
//! What depmod's texts say, line by line: `modules.dep`, `modules.alias`, `modules.symbols`. Names are taken as depmod writes them: with neither escapes nor quotes, so that what
//! follows a colon or a blank in a name cannot be told from what follows the name.

/// The longest path and the longest name of a file, in bytes.
const PATH_MAX: usize = 4096;
const NAME_MAX: usize = 255;

/// What ends the name of a module's file.
const SUFFIXES: [&[u8]; 4] = [b".ko", b".ko.gz", b".ko.xz", b".ko.zst"];

/// A line of `modules.dep`: `updates/user.ko.xz: kernel/b/used.ko.xz kernel/c/other.ko.xz`. Paths are below the kernel's directory, or
/// absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'t>(&'t [u8]);

/// The lines of `modules.dep`. Which of them are wanted is best seen by how they begin ([`Line::starts_with`]): nearly all are
/// about the kernel's own modules.
///
/// ```
/// let text = b"kernel/a.ko:\nupdates/b.ko: kernel/a.ko\n";
/// let users = kmod_index::listed::lines(text).filter(|line| line.needs().any(|path| path == b"kernel/a.ko"));
/// let paths: Vec<_> = users.filter_map(|line| line.path()).collect();
/// assert_eq!(paths, [b"updates/b.ko"]);
/// ```
pub fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', text).chain([text.len()]).map(move |end| {
        let line = &text[start..end];
        start = (end + 1).min(text.len());
        Line(line)
    })
}

/// The patterns of `modules.alias`, each with its module's name; of `modules.symbols` each exported symbol, behind `symbol:`, with the
/// module that exports it.
///
/// ```
/// let text = b"# Aliases for symbols, used by symbol_request().\nalias symbol:mii_link_ok mii\n";
/// let exporters: Vec<_> = kmod_index::listed::aliases(text).collect();
/// assert_eq!(exporters, [(&b"symbol:mii_link_ok"[..], &b"mii"[..])]);
/// ```
pub fn aliases(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(text).filter_map(|line| {
        // A pattern may have blanks in it, a module's name not.
        let rest = line.0.strip_prefix(b"alias ")?;
        let at = memchr::memrchr(b' ', rest)?;
        Some((&rest[..at], &rest[at + 1..]))
    })
}

impl<'t> Line<'t> {
    /// Does the line begin with these bytes?
    #[must_use]
    pub fn starts_with(self, path: &[u8]) -> bool {
        self.0.starts_with(path)
    }

    /// The module that the line is about: the first of [`Self::paths`].
    #[must_use]
    pub fn path(self) -> Option<&'t [u8]> {
        self.paths().next()
    }

    /// The module that the line is about: up to its first colon, or, as names may have one, to a later one.
    pub fn paths(self) -> impl Iterator<Item = &'t [u8]> {
        // No further than a path and a name can go, so that a line of colons costs no more than others.
        let line = self.0;
        let colons = memchr::memchr_iter(b':', &line[..line.len().min(PATH_MAX)]);
        colons.map(|at| &line[..at]).filter(|path| is_module(path))
    }

    /// The modules that it needs, directly or not, in the order in which they are unloaded.
    pub fn needs(self) -> impl Iterator<Item = &'t [u8]> {
        let behind = self.path().map_or(self.0.len(), |path| path.len() + 1);
        self.0[behind..].split(u8::is_ascii_whitespace).filter(|path| !path.is_empty())
    }
}

/// Does the path end like that of a module?
fn is_module(path: &[u8]) -> bool {
    let end = &path[path.len().saturating_sub(NAME_MAX + 1)..];
    let file = end.rsplit(|b| *b == b'/').next().unwrap_or(end);
    file.len() <= NAME_MAX
        && !file.starts_with(b".")
        && SUFFIXES.iter().any(|suffix| file.len() > suffix.len() && file.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(line: &str) -> Vec<String> {
        Line(line.as_bytes()).paths().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    #[test]
    fn each_line_has_a_module_and_what_it_needs() {
        let text =
            b"kernel/a/b.ko: kernel/c.ko.zst\nupdates/x.ko:\n\n/abs.ko.gz:  updates/x.ko\tkernel/c.ko.zst";
        let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let line = |line: Line<'_>| {
            let needs: Vec<_> = line.needs().map(shown).collect();
            format!("{} <- {}", line.path().map_or("nobody".into(), shown), needs.join(" "))
        };
        let expected = [
            "kernel/a/b.ko <- kernel/c.ko.zst",
            "updates/x.ko <- ",
            "nobody <- ",
            "/abs.ko.gz <- updates/x.ko kernel/c.ko.zst",
        ];
        assert!(lines(text).map(line).eq(expected));
    }

    #[test]
    fn a_path_may_have_colons_and_no_more_than_a_path_may_have() {
        assert_eq!(paths("a:b.ko: c.ko"), ["a:b.ko"]);
        assert_eq!(paths("x:y/a.ko:b.ko: c.ko"), ["x:y/a.ko", "x:y/a.ko:b.ko"]);
        assert_eq!(paths(&format!("{}.ko: b.ko", "n".repeat(252))).len(), 1);
        assert_eq!(paths(&format!("{}.ko: b.ko", "n".repeat(253))).len(), 0);
        assert_eq!(paths(&format!("{}a.ko: b.ko", "d/".repeat(3000))).len(), 0);
        assert_eq!(paths(&"a.ko:".repeat(1000)).len(), 51);
    }

    #[test]
    fn aliases_are_all_that_stands_before_the_last_blank() {
        let text = b"# alias a b\nalias pci:v1d* one\nalias dmi:*A B* two\nalias none\nsoftdep a pre: b\nalias fs-x xfs";
        let read: Vec<_> = aliases(text).collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(b"pci:v1d*", b"one"), (b"dmi:*A B*", b"two"), (b"fs-x", b"xfs")];
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_no_module_is_none() {
        for line in ["a.txt:", ".ko: x.ko", "d/.ko.xz:", "a.ko.lzma:", ":", "", "a.ko"] {
            assert!(paths(line).is_empty(), "{line}");
        }
    }
}
