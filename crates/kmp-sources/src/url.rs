// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where something is: a URL of the few kinds that sources may have. Pure.

use std::fmt;
use std::path::Path;

/// How what a URL names is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// `http:`.
    Http,
    /// `https:`.
    Https,
    /// `ftp:`.
    Ftp,
    /// `file:` or, as libzypp has it, `dir:`: a directory of this machine.
    File,
}

impl Scheme {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ftp => "ftp",
            Self::File => "file",
        }
    }
}

/// A URL without a user's name or a fragment, whose path leads nowhere upwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    scheme: Scheme,
    /// `HOST[:PORT]`; empty of a directory of this machine.
    host: String,
    /// Begins with `/`.
    path: String,
    /// What a server has put behind a `?` when it sent elsewhere, such as a signature of its own; no source has any.
    query: Option<String>,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoUrl {
    why: &'static str,
}

/// The longest URL, in bytes.
const LONGEST: usize = 2000;

impl Url {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind the URL.
    pub fn parse(text: &str) -> Result<Self, NoUrl> {
        let wrong = |why| Err(NoUrl { why });
        let text = text.trim();
        if text.len() > LONGEST {
            return wrong("is longer than 2000 bytes");
        }
        // Percent signs and what else no shell and no configuration file takes for its own; a comma stands between two URLs.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:%+=@!()*[]".contains(c);
        let Some((scheme, rest)) = text.split_once(':') else {
            return wrong("is no URL: it begins with none of http:, https:, ftp:, file:, dir:");
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "ftp" => Scheme::Ftp,
            "file" | "dir" => Scheme::File,
            _ => {
                return wrong(
                    "is of a kind that is not fetched: only http:, https:, ftp:, file: and dir: are",
                );
            }
        };
        if !text.chars().all(is_plain) {
            return wrong("has characters that belong in no source's URL; write them as %XX");
        }
        let (host, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)),
            None if scheme == Scheme::File => ("", rest),
            None => return wrong("has no // behind its kind"),
        };
        let host = match (scheme, host) {
            (Scheme::File, "" | "localhost") => "",
            (Scheme::File, _) => return wrong("names a directory of another machine"),
            (_, "") => return wrong("names no machine"),
            (_, host) if host.contains(['@', '%']) => {
                return wrong("has a user's name or password in it, which everybody could read");
            }
            (_, host) => host,
        };
        if !path.starts_with('/') {
            return wrong("has no absolute path");
        }
        let is_upwards = |part: &str| {
            let plain = part.replace("%2e", ".").replace("%2E", ".");
            plain == ".." || plain == "."
        };
        if path.split('/').any(is_upwards) || path.to_ascii_lowercase().contains("%2f") {
            return wrong("has .. in its path");
        }
        Ok(Self { scheme, host: host.to_ascii_lowercase(), path: path.to_owned(), query: None })
    }

    /// How it is fetched.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// `HOST[:PORT]`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The directory or file of this machine that it names.
    pub fn local(&self) -> Option<&Path> {
        (self.scheme == Scheme::File).then_some(Path::new(&self.path))
    }

    /// The same with a `/` at its end: a directory.
    #[must_use]
    pub fn directory(&self) -> Self {
        let mut path = self.path.trim_end_matches('/').to_owned();
        path.push('/');
        Self { path, query: None, ..self.clone() }
    }

    /// A name, or several with `/` between them, below it.
    ///
    /// # Errors
    /// A name that would lead elsewhere, or needs another spelling in a URL.
    pub fn below(&self, names: &str) -> Result<Self, NoUrl> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~+^/%".contains(c);
        let is_name = |name: &str| !matches!(name, "." | "..");
        if names.is_empty() || names.starts_with('/') || !names.chars().all(is_plain) {
            return Err(NoUrl { why: "has a name below it that is none of a file of a repository" });
        }
        let names_only = names.trim_end_matches('/');
        if !names_only.split('/').all(|name| !name.is_empty() && is_name(name)) {
            return Err(NoUrl { why: "has .. in its path" });
        }
        // A caret belongs in versions of packages, and not in URLs.
        let names = names.replace('^', "%5E");
        Self::parse(&format!("{}{names}", self.directory()))
    }

    /// Where a server that was asked for this one says that it is.
    ///
    /// # Errors
    /// Elsewhere than on http or https, or from https to http.
    pub fn redirected(&self, location: &str) -> Result<Self, NoUrl> {
        let (location, query) = match location.split_once('?') {
            Some((location, query)) => (location, Some(query)),
            None => (location, None),
        };
        let is_plain =
            |query: &str| query.len() <= LONGEST && query.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if !query.is_none_or(is_plain) {
            return Err(NoUrl { why: "has characters behind its ? that belong in no URL" });
        }
        let mut to = if location.is_empty() {
            return Err(NoUrl { why: "names no place" });
        } else if location.starts_with("//") {
            Self::parse(&format!("{}:{location}", self.scheme.as_str()))?
        } else if location.starts_with('/') {
            Self::parse(&format!("{}://{}{location}", self.scheme.as_str(), self.host))?
        } else if location.contains("://") || location.starts_with("file:") || location.starts_with("dir:") {
            Self::parse(location)?
        } else {
            let parent = self.path.rsplit_once('/').map_or("", |(parent, _)| parent);
            Self::parse(&format!("{}://{}{parent}/{location}", self.scheme.as_str(), self.host))?
        };
        to.query = query.map(str::to_owned);
        match (self.scheme, to.scheme) {
            (_, Scheme::File) => Err(NoUrl { why: "names a file of this machine, which no server may" }),
            (Scheme::Https, Scheme::Http) => Err(NoUrl { why: "leads from https to http" }),
            (_, Scheme::Ftp) => Err(NoUrl { why: "leads from http to ftp" }),
            _ => Ok(to),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}{}", self.scheme.as_str(), self.host, self.path)?;
        self.query.iter().try_for_each(|query| write!(out, "?{query}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_source_may_name() {
        for (text, shown) in [
            ("http://example.com", "http://example.com/"),
            ("FTP://Example.com:2121/pub/kmp/", "ftp://example.com:2121/pub/kmp/"),
            ("dir:/srv/kmp", "file:///srv/kmp"),
            ("dir:///srv/kmp", "file:///srv/kmp"),
            ("file://localhost/srv", "file:///srv"),
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for bad in [
            "",
            "example.com/x",
            "gopher://x/",
            "http:/x",
            "http:///x",
            "http://u:p@x/",
            "http://x/../y",
            "http://x/a/%2e%2E/y",
            "http://x/a%2f..%2fb",
            "http://x/a b",
            "http://x/a\n",
            "http://x/?q",
            "http://x/#f",
            "file://host/x",
            "dir:x",
            "ftp://x/a;type=i",
            "http://x/`id`",
        ] {
            assert!(Url::parse(bad).is_err() || bad.ends_with('\n'), "{bad:?}");
        }
    }

    #[test]
    fn names_stay_below_and_redirections_on_the_network() {
        let url = Url::parse("https://x/a").unwrap();
        assert_eq!(url.below("b/c-1.0^2-1.rpm").unwrap().to_string(), "https://x/a/b/c-1.0%5E2-1.rpm");
        for bad in ["", "/b", "../b", "b//c", "b/./c", "b c", "b;c", "http://y"] {
            assert!(url.below(bad).is_err(), "{bad:?}");
        }
        let to = |location| url.redirected(location).map(|to: Url| to.to_string()).ok();
        assert_eq!(to("/b"), Some("https://x/b".into()));
        assert_eq!(to("c"), Some("https://x/c".into()));
        assert_eq!(to("//y/b"), Some("https://y/b".into()));
        assert_eq!(to("https://y/b"), Some("https://y/b".into()));
        // As stores of large files have them; what is asked for next is without.
        assert_eq!(to("https://y/b?a=1&s=%2F+x"), Some("https://y/b?a=1&s=%2F+x".into()));
        let sent = url.redirected("https://y/b?a=1").unwrap();
        assert_eq!(sent.redirected("c").unwrap().to_string(), "https://y/c");
        assert_eq!(sent.below("c").unwrap().to_string(), "https://y/b/c");
        for bad in [
            "http://x/a",
            "file:///etc/passwd",
            "file:/etc/passwd",
            "dir:/etc",
            "ftp://x/a",
            "/../x",
            "?a",
            "/b?a b",
            "/b?a#b",
            "/b?\u{e4}",
        ] {
            assert_eq!(to(bad), None, "{bad}");
        }
    }
}
