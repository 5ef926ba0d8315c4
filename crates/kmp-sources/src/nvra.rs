// SPDX-License-Identifier: LGPL-2.1-or-later
//! What files are called by: `NAME-VERSION-RELEASE.ARCH.rpm`. Pure.

use rpm_meta::Evr;

/// A package, by its file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nvra {
    /// The file's name.
    pub file: String,
    /// The package's name.
    pub name: String,
    /// Its version; a file's name has no epoch.
    pub evr: Evr,
    /// Its architecture.
    pub arch: String,
}

impl Nvra {
    /// Takes a file's name apart; `None` of what is none of a package of binaries.
    pub fn of_file(file: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~+^".contains(c);
        if file.len() > 250 || file.starts_with(['.', '-']) || !file.chars().all(is_plain) {
            return None;
        }
        let (nvr, arch) = file.strip_suffix(".rpm")?.rsplit_once('.')?;
        let (nv, release) = nvr.rsplit_once('-')?;
        let (name, version) = nv.rsplit_once('-')?;
        let parts = [name, version, release, arch];
        if parts.iter().any(|part| part.is_empty()) || matches!(arch, "src" | "nosrc") {
            return None;
        }
        Some(Self {
            file: file.to_owned(),
            name: name.to_owned(),
            evr: Evr { epoch: None, version: version.to_owned(), release: release.to_owned() },
            arch: arch.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_packages() {
        let nvra = Nvra::of_file("nic-kmp-default-1.0_k6.4.0_2-1.1.x86_64.rpm");
        assert!(nvra.is_some_and(|n| n.name == "nic-kmp-default" && n.evr.to_string() == "1.0_k6.4.0_2-1.1"));
        for bad in [
            "x.rpm",
            "a-1-1.src.rpm",
            "../a-1-1.noarch.rpm",
            "a-1-1.x/y.rpm",
            "a-1-1.x86_64.rpm.sig",
            "a b-1-1.noarch.rpm",
            "-a-1-1.noarch.rpm",
        ] {
            assert_eq!(Nvra::of_file(bad), None, "{bad}");
        }
    }
}
