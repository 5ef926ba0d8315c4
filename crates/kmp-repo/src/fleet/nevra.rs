// SPDX-License-Identifier: LGPL-2.1-or-later
//! Names of packages with their versions, as machines and servers print them.

use std::fmt;

use rpm_meta::Evr;

/// name-\[epoch:\]version-release.arch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nevra {
    /// The package's name.
    pub name: String,
    /// The epoch; `0` where there is none.
    pub epoch: String,
    /// The version.
    pub version: String,
    /// The release.
    pub release: String,
    /// The architecture.
    pub arch: String,
}

impl Nevra {
    /// The most bytes that one has.
    const MOST: usize = 512;

    /// Reads one: `rpm -qa` prints it without an epoch, package managers with one, before the version or before all. `None`: it is
    /// none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix(".rpm").unwrap_or(text);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+~^:".contains(c);
        if text.len() > Self::MOST || !text.chars().all(is_plain) {
            return None;
        }
        let (rest, arch) = text.rsplit_once('.')?;
        let (rest, release) = rest.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        let number = |epoch: &str| epoch.bytes().all(|c| c.is_ascii_digit()) && epoch.parse::<u32>().is_ok();
        let (name, epoch, version) = match (name.split_once(':'), version.split_once(':')) {
            (None, None) => (name, "0", version),
            (None, Some((epoch, version))) if number(epoch) => (name, epoch, version),
            (Some((epoch, name)), None) if number(epoch) => (name, epoch, version),
            _ => return None,
        };
        let found = Self::of(name, epoch, version, release, arch);
        let is_part = |part: &&str| !part.is_empty() && !part.starts_with('-') && !part.contains(':');
        let is_whole = [name, version, release, arch].iter().all(is_part) && arch != "rpm";
        is_whole.then_some(found)
    }

    /// Of its parts. An empty epoch is none.
    pub fn of(name: &str, epoch: &str, version: &str, release: &str, arch: &str) -> Self {
        let epoch = if epoch.is_empty() { "0" } else { epoch };
        Self {
            name: name.into(),
            epoch: epoch.into(),
            version: version.into(),
            release: release.into(),
            arch: arch.into(),
        }
    }

    /// Its version.
    pub fn evr(&self) -> Evr {
        Evr::parse(&format!("{}:{}-{}", self.epoch, self.version, self.release))
    }

    /// name-version-release.arch, by which packages of one repository are told from each other.
    pub fn nvra(&self) -> String {
        format!("{}-{}-{}.{}", self.name, self.version, self.release, self.arch)
    }
}

impl fmt::Display for Nevra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, epoch, version, release, arch } = self;
        match epoch.as_str() {
            "0" => write!(f, "{name}-{version}-{release}.{arch}"),
            epoch => write!(f, "{name}-{epoch}:{version}-{release}.{arch}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_write_one_is_read() {
        let of = |epoch: &str| Nevra::of("nic-kmp-default", epoch, "1.0_k6.4.0_1", "1.1", "x86_64");
        for (text, expected) in [
            ("nic-kmp-default-1.0_k6.4.0_1-1.1.x86_64", of("0")),
            ("nic-kmp-default-0:1.0_k6.4.0_1-1.1.x86_64", of("0")),
            ("nic-kmp-default-2:1.0_k6.4.0_1-1.1.x86_64.rpm", of("2")),
            ("2:nic-kmp-default-1.0_k6.4.0_1-1.1.x86_64", of("2")),
        ] {
            assert_eq!(Nevra::parse(text), Some(expected), "{text}");
        }
        assert_eq!(of("2").to_string(), "nic-kmp-default-2:1.0_k6.4.0_1-1.1.x86_64");
        let long = format!("{}-1-1.noarch", "a".repeat(600));
        for odd in [
            "",
            "a",
            "a-1-1",
            "-1-1.noarch",
            "a--1.noarch",
            "a-1-1.",
            "a-x:1-1.noarch",
            "a-+1:1-1.noarch",
            "a-0:1:2-1.noarch",
            "a-1-1.noarch.rpm.rpm",
            "a\u{1b}-1-1.noarch",
            "a b-1-1.noarch",
            &long,
        ] {
            assert_eq!(Nevra::parse(odd), None, "{odd}");
        }
    }
}
