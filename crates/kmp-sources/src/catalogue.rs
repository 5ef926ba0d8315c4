// SPDX-License-Identifier: LGPL-2.1-or-later
//! A catalogue of providers, which a distributor keeps: who has drivers for which devices, where, and by which keys. It comes in a
//! package that is signed, and nothing in it is used before somebody has agreed to a provider.

use std::path::{Path, PathBuf};

use kmod_abi::{glob, modalias};
use kmp_fs::root::Root;
use librpm_rt::{Database, TrustedKeys};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::record::{Record, is_fingerprint, is_name};
use crate::url::Url;

/// Where catalogues are.
pub const DIR: &str = "/usr/share/kmp/catalogue";

/// The form of a catalogue.
pub const VERSION: u32 = 1;

/// The largest catalogue, in bytes.
pub const LIMIT: u64 = 8 << 20;

/// The most catalogues, and patterns of a provider.
const MOST: usize = 100;
const PATTERNS: usize = 10_000;

/// A catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Of this form: 1.
    pub version: u32,
    /// Who keeps it.
    pub issuer: String,
    /// The day on which it was made (`2026-11-26`).
    pub created: String,
    /// The providers, by name.
    pub providers: Vec<Provider>,
}

/// Somebody who has drivers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The short name, which is that of the source's record.
    pub name: String,
    /// For people.
    pub label: String,
    /// Whom to ask: an address of mail or a page.
    pub contact: String,
    /// Where the drivers are.
    pub urls: Vec<String>,
    /// The keys that they are signed with, as full fingerprints; two while one takes the place of the other.
    pub fingerprints: Vec<String>,
    /// Where these keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For which systems: globs of `ID VERSION_ID` as os-release has them, such as `sles 15.*`.
    pub distributions: Vec<String>,
    /// The names of the packages, as globs.
    pub packages: Vec<String>,
    /// The provider's own vendor IDs, such as `pci:1234` and `usb:04b4`.
    pub vendors: Vec<String>,
    /// Patterns of the devices, as modules have them. Each begins with one of the vendor IDs.
    pub modaliases: Vec<String>,
    /// Who has looked at patterns that have no vendor ID (such as dmi's), which else are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_by: Option<String>,
}

impl Catalogue {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > LIMIT {
            return Err(format!("it has more than {LIMIT} bytes"));
        }
        let catalogue: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if catalogue.version != VERSION {
            return Err(format!("its form is {}, and not {VERSION}", catalogue.version));
        }
        for provider in &catalogue.providers {
            provider.check().map_err(|why| format!("provider {:?}: {why}", provider.name))?;
        }
        let mut names: Vec<&str> = catalogue.providers.iter().map(|p| &*p.name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(format!("provider {:?} is there twice", twice[0])),
            None => Ok(catalogue),
        }
    }
}

impl Provider {
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) {
            return Err("its name is none of a source: letters, digits and . _ + - are".into());
        }
        if self.urls.is_empty() || self.fingerprints.is_empty() || self.packages.is_empty() {
            return Err("it names no URL, no fingerprint, or no packages".into());
        }
        for url in self.urls.iter().chain(&self.key) {
            Url::parse(url).map_err(|why| format!("{url:?} {why}"))?;
        }
        if let Some(digits) = self.fingerprints.iter().find(|digits| !is_fingerprint(digits)) {
            return Err(format!("{digits:?} is no whole fingerprint: it has 40 digits, or 64"));
        }
        let starts: Vec<String> = self.vendors.iter().map(|id| start(id)).collect::<Result<_, _>>()?;
        if self.modaliases.len() > PATTERNS {
            return Err(format!("it has more than {PATTERNS} patterns"));
        }
        for pattern in &self.modaliases {
            let is_own = starts.iter().any(|start| pattern.starts_with(start));
            let has_ids = ["pci:", "usb:"].iter().any(|bus| pattern.starts_with(bus));
            if !is_own && (has_ids || self.reviewed_by.is_none()) {
                return Err(format!(
                    "{pattern:?} begins with none of its vendor IDs; devices of others it may not claim{}",
                    if has_ids { "" } else { ", unless somebody has looked at it (reviewed_by)" }
                ));
            }
        }
        let (record, faults) = Record::parse(&self.record().to_text());
        match faults.first() {
            Some(fault) => Err(fault.clone()),
            None if record.urls.len() != self.urls.len() => Err("it names a URL twice".into()),
            None => Ok(()),
        }
    }

    /// As a source's record.
    pub fn record(&self) -> Record {
        Record {
            urls: self.urls.iter().filter_map(|url| Some(Url::parse(url).ok()?.directory())).collect(),
            label: self.label.clone(),
            packages: self.packages.clone(),
            fingerprints: self.fingerprints.iter().map(|digits| digits.to_ascii_uppercase()).collect(),
            contact: self.contact.clone(),
            is_disabled: false,
        }
    }

    /// Has it something for a system of this `ID VERSION_ID`?
    pub fn is_for_system(&self, system: &str) -> bool {
        self.distributions.iter().any(|name| glob::matches(name, system))
    }

    /// Has it a driver for a device that calls itself so?
    pub fn claims(&self, alias: &str) -> bool {
        self.modaliases.iter().any(|pattern| modalias::claims(pattern, alias))
    }
}

/// What aliases of devices of a vendor begin with: `pci:1234` is `pci:v00001234d`, `usb:04b4` is `usb:v04B4p`.
fn start(vendor: &str) -> Result<String, String> {
    let wrong = || format!("{vendor:?} is no vendor ID, such as pci:1234 or usb:04b4");
    let (bus, digits) = vendor.split_once(':').ok_or_else(wrong)?;
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let digits = digits.to_ascii_uppercase();
    match bus {
        "pci" => Ok(format!("pci:v0000{digits}d")),
        "usb" => Ok(format!("usb:v{digits}p")),
        _ => Err(wrong()),
    }
}

/// A catalogue of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// The package that brought it.
    pub package: String,
    /// What it says.
    pub catalogue: Catalogue,
}

/// Reads the catalogues of a system that came in packages signed with a key that rpm trusts, and are what those brought. Others are
/// left out, each with a line that says why.
///
/// # Errors
/// librpm's.
pub fn read_all(
    root: &Root,
    database: &Database,
    keys: &TrustedKeys,
) -> Result<(Vec<Kept>, Vec<String>), librpm_rt::Error> {
    let (mut kept, mut problems) = (Vec::new(), Vec::new());
    let entries = root.read_dir_if_there(Path::new(DIR)).unwrap_or_else(|e| {
        problems.push(format!("{DIR} cannot be read: {e}"));
        Vec::new()
    });
    let files: Vec<PathBuf> = entries.iter().map(|entry| Path::new(DIR).join(&entry.name)).collect();
    let files: Vec<PathBuf> =
        files.into_iter().filter(|f| f.extension().is_some_and(|e| e == "json")).take(MOST).collect();
    if files.is_empty() {
        return Ok((kept, problems));
    }
    let mut owners = Vec::new();
    for instance in database.owners_of_dir(format!("{DIR}/").as_bytes())? {
        let signer = database.issuers(instance)?;
        let is_trusted = signer.iter().any(|issuer| keys.of(issuer).is_some());
        owners.push((database.package(instance, &|_| false)?.name, is_trusted, database.digests(instance)?));
    }
    for path in files {
        let mut problem = |why: &str| problems.push(format!("{} is left out: {why}", path.display()));
        let bytes = match root.read(&path, LIMIT) {
            Ok(bytes) => bytes,
            Err(e) => {
                problem(&e.to_string());
                continue;
            }
        };
        let sum = Sha256::digest(&bytes);
        let owner = owners.iter().find_map(|(name, is_trusted, digests)| {
            let digest = digests.iter().find(|digest| digest.path == path)?;
            Some((name, *is_trusted, digest.sha256 == sum.as_slice()))
        });
        match owner {
            None => problem("it came in no package, so that nobody has signed it"),
            Some((name, false, _)) => {
                problem(&format!("the package {name} is not signed with a key that rpm trusts"))
            }
            Some((name, true, false)) => {
                problem(&format!("it is not what the package {name} brought; reinstall that"))
            }
            Some((name, true, true)) => match Catalogue::read(&bytes) {
                Ok(catalogue) => kept.push(Kept { path: path.clone(), package: name.clone(), catalogue }),
                Err(why) => problem(&why),
            },
        }
    }
    Ok((kept, problems))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn provider() -> Provider {
        Provider {
            name: "acme".into(),
            label: "Acme Inc.".into(),
            contact: "drivers@acme.example".into(),
            urls: vec!["https://acme.example/kmp".into()],
            fingerprints: vec!["0".repeat(40)],
            key: None,
            distributions: vec!["sles 15.*".into()],
            packages: vec!["acme-kmp-*".into()],
            vendors: vec!["pci:1af4".into(), "usb:04b4".into()],
            modaliases: vec!["pci:v00001AF4d00001000sv*sd*bc*sc*i*".into(), "usb:v04B4p0001d*".into()],
            reviewed_by: None,
        }
    }

    #[test]
    fn a_provider_claims_devices_of_its_own_vendors_only() {
        let good = provider();
        good.check().unwrap();
        assert!(
            good.claims("pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00")
                && !good.claims("pci:v00008086d1")
        );
        assert!(good.is_for_system("sles 15.6") && !good.is_for_system("sles 12.5"));
        for pattern in [
            "pci:v00008086d*",
            "pci:v*d*",
            "*",
            "pci:v00001AF*d*",
            "usb:v*",
            "dmi:*:svnAcme:*",
            "usb:v04b4p*",
        ] {
            let bad = Provider { modaliases: vec![pattern.into()], ..provider() };
            assert!(bad.check().unwrap_err().contains("none of its vendor IDs"), "{pattern}");
        }
        let looked_at = Provider {
            modaliases: vec!["dmi:*:svnAcme:*".into()],
            reviewed_by: Some("somebody".into()),
            ..provider()
        };
        looked_at.check().unwrap();
        let bad = Provider { modaliases: vec!["pci:v*".into()], reviewed_by: Some("x".into()), ..provider() };
        assert!(bad.check().is_err(), "a person cannot agree to all");
    }

    #[test]
    fn what_is_wrong_with_a_catalogue_is_said() {
        let whole = |providers| Catalogue {
            version: VERSION,
            issuer: "X".into(),
            created: "2026-11-26".into(),
            providers,
        };
        let read = |catalogue: &Catalogue| Catalogue::read(&serde_json::to_vec(catalogue).unwrap());
        assert_eq!(read(&whole(vec![provider()])).unwrap().providers.len(), 1);
        assert!(read(&whole(vec![provider(), provider()])).unwrap_err().contains("twice"));
        for bad in [
            Provider { name: "../x".into(), ..provider() },
            Provider { urls: vec!["gopher://x/".into()], ..provider() },
            Provider { fingerprints: vec!["0123".into()], ..provider() },
            Provider { vendors: vec!["pci:1".into()], ..provider() },
            Provider { packages: vec!["a b;c".into()], ..provider() },
        ] {
            assert!(read(&whole(vec![bad.clone()])).is_err(), "{bad:?}");
        }
        assert!(Catalogue::read(b"{}").is_err() && Catalogue::read(&[b'['; 100_000]).is_err());
    }
}
