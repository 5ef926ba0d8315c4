// SPDX-License-Identifier: LGPL-2.1-or-later
//! Versions as rpm has them: epoch, version and release, and the order of packages of one name.
//!
//! The order is that of rpm's `rpmvercmp` (rpmio/rpmvercmp.c) and `rpmverCmp` (rpmio/rpmver.c); librpm-rt's tests hold it
//! against librpm itself. A text is compared piece by piece:
//! * a piece is a run of digits or a run of ASCII letters; whatever else stands between two of them only separates;
//! * numbers are compared as numbers of any length, so leading zeros do not count; words byte by byte;
//! * a number is more than a word, and where one text ends the longer one is more;
//! * but `~` is less than anything, the end included (`1.0~rc1` comes before `1.0`), and `^` is more than the end and less
//!   than anything else (`1.0^git1` comes between `1.0` and `1.0.1`).

use std::cmp::Ordering;
use std::fmt;

/// Epoch, version and release of a package, ordered by [`Evr::compare`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Evr {
    /// None counts as 0 when compared.
    pub epoch: Option<u32>,
    /// The version.
    pub version: String,
    /// The release.
    pub release: String,
}

impl Evr {
    /// rpm's order of packages of one name: by epoch, then version, then release. No release is less than any.
    ///
    /// ```
    /// use rpm_meta::Evr;
    ///
    /// let mut versions = ["1:1-1", "2-1", "1.10-1", "1.9-2", "1.9"].map(Evr::parse);
    /// versions.sort_by(Evr::compare);
    /// assert_eq!(versions.map(|v| v.to_string()), ["1.9", "1.9-2", "1.10-1", "2-1", "1:1-1"]);
    /// ```
    pub fn compare(&self, other: &Evr) -> Ordering {
        let epochs = self.epoch.unwrap_or(0).cmp(&other.epoch.unwrap_or(0));
        let versions = || vercmp(&self.version, &other.version);
        // `~1` is less than the end of a text, but not less than no release at all.
        let presence = || other.release.is_empty().cmp(&self.release.is_empty());
        let releases = || presence().then_with(|| vercmp(&self.release, &other.release));
        epochs.then_with(versions).then_with(releases)
    }

    /// Reads `[epoch:]version[-release]`, as rpm writes it in dependencies and file names. Any text is a version: what is no
    /// epoch or release is a part of it.
    pub fn parse(text: &str) -> Evr {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => {
                (if epoch.is_empty() { Some(0) } else { epoch.parse().ok() }, rest)
            }
            _ => (None, text),
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Evr { epoch, version: version.to_owned(), release: release.to_owned() }
    }
}

/// `[epoch:]version[-release]`.
impl fmt::Display for Evr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(out, "{epoch}:")?;
        }
        out.write_str(&self.version)?;
        if !self.release.is_empty() {
            write!(out, "-{}", self.release)?;
        }
        Ok(())
    }
}

/// rpm's order of two versions or releases (`rpmvercmp`). It is that of kernel releases, too: `23.7` comes before `23.14`.
pub fn vercmp(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        (a, b) = (without_separators(a), without_separators(b));
        match (a.first(), b.first()) {
            // A tilde is less than anything, the end included.
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (a, b) = (&a[1..], &b[1..]);
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            // A caret is more than the end, and less than anything else.
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, _) | (_, None) => break,
            _ => {}
        }
        let is_number = a[0].is_ascii_digit();
        let (one, rest_a) = segment(a, is_number);
        let (two, rest_b) = segment(b, is_number);
        if two.is_empty() {
            // A number is more than a word.
            return if is_number { Ordering::Greater } else { Ordering::Less };
        }
        let order = if is_number {
            let (one, two) = (without_zeros(one), without_zeros(two));
            one.len().cmp(&two.len()).then_with(|| one.cmp(two))
        } else {
            one.cmp(two)
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.is_empty().cmp(&b.is_empty()).reverse()
}

fn without_separators(text: &[u8]) -> &[u8] {
    let counts = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'~' | b'^');
    &text[text.iter().position(counts).unwrap_or(text.len())..]
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().position(|byte| *byte != b'0').unwrap_or(number.len())..]
}

/// The digits, or letters, that a text begins with, and the rest.
fn segment(text: &[u8], is_number: bool) -> (&[u8], &[u8]) {
    let belongs = |byte: &u8| if is_number { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    text.split_at(text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Evr, vercmp};

    #[test]
    fn versions_are_in_rpms_order() {
        let ascending = [
            "1.0~rc1", "1.0", "1.0^git1", "1.0.a", "1.0.0", "1.0.1", "1.0.2", "1.0.010", "1.0.10a",
            "1.0.10.1", "2",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(vercmp(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(vercmp("6.4.0-150600.23.7-default", "6.4.0-150600.23.14-default"), Ordering::Less);
        assert_eq!((vercmp("1..2", "1.2"), vercmp("", "")), (Ordering::Equal, Ordering::Equal));
        let evr = |text| Evr::parse(text);
        assert_eq!(evr("1:1-1").compare(&evr("2-1")), Ordering::Greater);
        assert_eq!(evr("0:1-9").compare(&evr("1-10")), Ordering::Less);
        assert_eq!(evr("1").compare(&evr("1-~1")), Ordering::Less);
    }

    #[test]
    fn evr_is_read_and_written() {
        for text in ["1", "1-2", "3:1-2", "0:1.0_k6.4-1.1", "1-2-3"] {
            assert_eq!(Evr::parse(text).to_string(), text);
        }
        assert_eq!(Evr::parse("7:1-2").epoch, Some(7));
        assert_eq!(Evr::parse("1-2-3").version, "1-2");
        assert_eq!(Evr::parse("a:1").epoch, None);
    }
}
