// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which packages of a list are none that is wanted, seen without parsing them: nearly all of a distribution's.
//!
//! What is passed over is the same as what a parser would find not to be wanted, in each well-formed document. In one that is not, a
//! package may be passed over that a parser would have refused; none is read that is not there. libsolv judges such a list as a whole.

use memchr::memchr3_iter;
use memchr::memmem::Finder;

use super::elements::Contents;

/// Knows packages that have none of some words.
pub(super) struct Others<'w> {
    words: Vec<Finder<'w>>,
    begin: Finder<'static>,
    end: Finder<'static>,
}

impl<'w> Others<'w> {
    /// `None` without words: any package may be wanted.
    pub(super) fn new(words: &[&'w str]) -> Option<Self> {
        let words: Vec<Finder<'w>> = words.iter().map(|word| Finder::new(*word)).collect();
        let (begin, end) = (Finder::new("<package"), Finder::new("</package>"));
        (!words.is_empty()).then_some(Self { words, begin, end })
    }

    /// What is to be done with a package whose contents begin with `bytes`.
    pub(super) fn look(&self, bytes: &[u8]) -> Contents {
        let end = self.end.find(bytes);
        let inside = &bytes[..end.unwrap_or(bytes.len())];
        if self.words.iter().any(|word| word.find(inside).is_some())
            || may_say_otherwise(inside)
            || self.has_package(inside)
        {
            return Contents::Read;
        }
        end.map_or(Contents::Unknown, Contents::PassOver)
    }

    /// Does another element of that name begin inside? Then the end is another one's.
    fn has_package(&self, inside: &[u8]) -> bool {
        self.begin.find_iter(inside).any(|at| {
            let next = inside.get(at + self.begin.needle().len());
            next.is_none_or(|next| b" \t\r\n/>".contains(next))
        })
    }
}

/// Is there anything in which an end tag would be text (a comment, CDATA, a processing instruction), or a character written as its
/// number, of which a word may be made?
fn may_say_otherwise(inside: &[u8]) -> bool {
    memchr3_iter(b'!', b'?', b'#', inside).any(|at| {
        let before = at.checked_sub(1).and_then(|before| inside.get(before));
        before == Some(if inside[at] == b'#' { &b'&' } else { &b'<' })
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Wanted, packages};

    /// The names of the packages that are parsed.
    fn parsed(list: &str) -> Vec<String> {
        let mut names = Vec::new();
        let wanted = Wanted { words: &["kmp"], ..Wanted::ALL };
        packages(list.as_bytes(), &wanted, &mut |package| names.push(package.name().to_owned())).unwrap();
        names
    }

    #[test]
    fn packages_without_a_word_are_passed_over() {
        let of = |name: &str| format!("<package><name>{name}</name><packager>x!</packager></package>");
        let list = |packages: &str| format!("<metadata>{packages}</metadata>");
        let others = of("bash").repeat(5_000);
        assert_eq!(parsed(&list(&(of("a-kmp") + &others + &of("b-kmp") + &others))), ["a-kmp", "b-kmp"]);
        // More than is looked at.
        let long = "<file>/x</file>".repeat(20_000);
        assert_eq!(
            parsed(&list(&format!("<package>{long}</package><package/>{}", of("a-kmp")))),
            ["", "", "a-kmp"]
        );
    }

    #[test]
    fn what_hides_a_word_or_an_end_is_parsed() {
        for package in [
            "<package><name>k&#109;p</name></package>",
            "<package><name><![CDATA[k]]><![CDATA[mp]]></name></package>",
            "<package><name>k<!-- -->mp</name></package>",
            "<package><!-- </package> --><name>kmp</name></package>",
            "<package><x><package></package></x><name>kmp</name></package>",
            "<package><x><package\n/></x><name>kmp</name></package>",
            "<package><name>kmp</name></package >",
        ] {
            assert_eq!(parsed(&format!("<metadata>{package}</metadata>")), ["kmp"], "{package}");
        }
    }
}
