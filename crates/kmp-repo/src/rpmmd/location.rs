// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where a file of a repository is.

use std::fmt;

use super::Error;

/// A file's path below its repository: relative, without `.`, `..`, empty parts, a scheme, or control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location(String);

impl Location {
    /// The longest that Linux opens.
    const LONGEST: usize = 4095;

    /// Reads the `href` of a `<location>`.
    ///
    /// # Errors
    /// [`Error::Path`] if it may lead elsewhere.
    ///
    /// ```
    /// use kmp_repo::rpmmd::Location;
    ///
    /// assert!(Location::parse("x86_64/kernel-default-6.4.0-1.x86_64.rpm").is_ok());
    /// for bad in ["../x.rpm", "/etc/passwd", "a/../../b", "file:///x.rpm", ""] {
    ///     assert!(Location::parse(bad).is_err(), "{bad}");
    /// }
    /// ```
    pub fn parse(href: &str) -> Result<Self, Error> {
        let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
        // A colon before the first slash makes it a URL of its own.
        let has_scheme = href.split('/').next().is_some_and(|first| first.contains(':'));
        let is_below = href.len() <= Self::LONGEST
            && !has_scheme
            && href.split('/').all(is_part)
            && !href.contains(|c: char| c.is_control() || c == '\\');
        if is_below { Ok(Self(href.to_owned())) } else { Err(Error::Path { path: shortened(href) }) }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// For a message.
fn shortened(path: &str) -> String {
    path.chars().take(200).collect()
}
