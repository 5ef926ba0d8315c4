// SPDX-License-Identifier: LGPL-2.1-or-later
//! Fetches files and lists of files, from servers that may be slow, broken, or hostile: with limits of size and time, and without
//! ever being led to this machine's own files.
//!
//! http and https by ureq in this process; ftp, which nothing that is kept up speaks beside libcurl, by the program curl.

mod authorities;
mod by_proxy;
mod ftp;
mod http;
mod local;
mod proxy;

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use kmp_fs::root::Root;

pub use self::proxy::Proxies;
use crate::url::{NoUrl, Scheme, Url};

/// Why something was not fetched. The message begins with the URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no such file or directory.
    #[error("{url} is not there")]
    Absent {
        /// What was asked for.
        url: Url,
    },
    /// It has more bytes than it may have.
    #[error("{url} has more than {limit} bytes, and was not fetched")]
    TooLarge {
        /// What was asked for.
        url: Url,
        /// How many it may have.
        limit: u64,
    },
    /// The time is up.
    #[error("{url} was not fetched in time: after {} seconds nothing more is waited for", seconds(.after))]
    Late {
        /// What was asked for.
        url: Url,
        /// How long it was tried.
        after: Duration,
    },
    /// A server says that it is somewhere where it cannot be.
    #[error("{url} is said to be at {location:?}, which {why}; not followed")]
    Redirected {
        /// What was asked for.
        url: Url,
        /// What the server said.
        location: String,
        /// What is wrong with that.
        why: NoUrl,
    },
    /// Anything else.
    #[error("{url} cannot be fetched: {why}")]
    Failed {
        /// What was asked for.
        url: Url,
        /// In words.
        why: String,
    },
}

impl FetchError {
    /// Is it just not there? Then it may be somewhere else.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

fn seconds(time: &Duration) -> u64 {
    time.as_secs().max(1)
}

/// How long a connection may take to be made, and a server to say anything.
const CONNECT: Duration = Duration::from_secs(10);

/// Fetches, until its time is up.
#[derive(Debug)]
pub struct Fetcher {
    agent: ureq::Agent,
    proxies: Proxies,
    begun: Instant,
    limit: Duration,
}

impl Fetcher {
    /// One that may take `limit` for all that it fetches. `root` has the settings for proxies, beside the environment, and the
    /// authorities that certificates of https are checked by.
    pub fn new(root: &Root, limit: Duration) -> Self {
        let proxies = Proxies::of(root);
        let agent = http::agent(root);
        Self { agent, proxies, begun: Instant::now(), limit }
    }

    /// A whole file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn bytes(&self, url: &Url, limit: u64) -> Result<Vec<u8>, FetchError> {
        let mut bytes = Vec::new();
        self.save(url, &mut bytes, limit)?;
        Ok(bytes)
    }

    /// A whole file of at most `limit` bytes, written to `to`. Returns how many it has. What was written before an error is of no
    /// use.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn save(&self, url: &Url, to: &mut dyn Write, limit: u64) -> Result<u64, FetchError> {
        self.read(url, &mut |from| {
            let copied = io::copy(&mut from.take(limit + 1), to)?;
            Ok(copied)
        })
        .and_then(|copied| match copied > limit {
            true => Err(FetchError::TooLarge { url: url.clone(), limit }),
            false => Ok(copied),
        })
    }

    /// The first bytes of a file, at most `len`: no more of it is asked for, where its server can do that, or read.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn beginning(&self, url: &Url, len: u64) -> Result<Vec<u8>, FetchError> {
        let mut bytes = Vec::new();
        self.read_range(url, Some(len), &mut |from| io::copy(&mut from.take(len), &mut bytes))?;
        Ok(bytes)
    }

    /// What a directory's server shows of it, of at most `limit` bytes: of http(s) a page, of the others a name a line.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn listing(&self, url: &Url, limit: u64) -> Result<Vec<u8>, FetchError> {
        self.bytes(&url.directory(), limit)
    }

    fn read(&self, url: &Url, take: Take<'_>) -> Result<u64, FetchError> {
        self.read_range(url, None, take)
    }

    fn read_range(&self, url: &Url, len: Option<u64>, take: Take<'_>) -> Result<u64, FetchError> {
        let left = self.left(url)?;
        log::debug!("fetching {url}");
        match url.scheme() {
            Scheme::Http | Scheme::Https => http::read(&self.agent, &self.proxies, url, len, left, take),
            Scheme::Ftp => ftp::read(&self.proxies, url, left, take),
            Scheme::File => local::read(url, take),
        }
        .map_err(|error| match error {
            // That of the whole, and not what was left of it.
            FetchError::Late { url, .. } => FetchError::Late { url, after: self.limit },
            error => error,
        })
    }

    /// How long it may still go on.
    fn left(&self, url: &Url) -> Result<Duration, FetchError> {
        let left = self.limit.checked_sub(self.begun.elapsed()).filter(|left| !left.is_zero());
        left.ok_or_else(|| FetchError::Late { url: url.clone(), after: self.limit })
    }
}

/// Takes what comes, and returns how many bytes that was.
type Take<'t> = &'t mut dyn FnMut(&mut dyn Read) -> io::Result<u64>;
