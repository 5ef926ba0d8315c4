// SPDX-License-Identifier: LGPL-2.1-or-later
//! May a build by another vendor than the installed one's take its place? A vendor's name is but a text; a key is not.

use std::cell::OnceCell;
use std::os::fd::AsRawFd;
use std::path::Path;

use kmp_core::config::VendorChange;
use librpm_rt::{Librpm, Trust, TrustedKeys};
use rpm_meta::openpgp::Issuer;

use super::files::Files;
use super::judge::Judge;
use super::offers::Offer;

/// Package files, and what reads them.
#[derive(Debug)]
pub struct AtHand<'j> {
    pub(super) rpm: &'j Librpm,
    pub(super) files: &'j Files<'j>,
    /// The keys that rpm trusts, looked up where it matters.
    pub(super) keys: OnceCell<Option<TrustedKeys>>,
}

impl<'j> AtHand<'j> {
    /// These files.
    pub fn new(rpm: &'j Librpm, files: &'j Files<'j>) -> Self {
        Self { rpm, files, keys: OnceCell::new() }
    }
}

impl Judge<'_> {
    /// Why a build does not count, in words; `None`: it does.
    pub(super) fn refuses(&self, offer: &Offer) -> Option<String> {
        let (package, config) = (&offer.package, self.orders.config);
        let change = config.vendor_change(package.name());
        let installed = || self.survey.inventory.kmps.iter().filter(|kmp| kmp.package.name == package.name());
        let is_same = || installed().any(|kmp| kmp.package.vendor == package.vendor());
        if change == VendorChange::Yes || installed().next().is_none() || is_same() {
            return None;
        }
        let why = match change {
            VendorChange::Yes => return None,
            VendorChange::No => "it is another vendor's, and vendor-change is no".to_owned(),
            VendorChange::SameKey => {
                let instances = installed().filter_map(|kmp| kmp.package.instance);
                let issuers =
                    instances.flat_map(|instance| self.installed.issuers(instance)).collect::<Vec<_>>();
                self.other_key(offer, &issuers)?
            }
        };
        Some(format!("{} of repository {} does not count: {why}", package.nevra(), offer.repository))
    }

    /// Why a package is not known to be signed with the key of one of these.
    fn other_key(&self, offer: &Offer, installed: &[Issuer]) -> Option<String> {
        let file = self.at_hand.and_then(|at_hand| Some((at_hand, at_hand.files.open(offer)?)));
        let Some((at_hand, file)) = file else {
            return Some(
                "it is another vendor's, and its package is not at hand, so that its key is not known (kmp update --fetch)".into(),
            );
        };
        if installed.is_empty() {
            return Some("it is another vendor's, and the installed one is not signed".into());
        }
        let keys = at_hand.keys.get_or_init(|| self.installed.trusted_keys());
        let Some(keys) = keys else { return Some("the keys that rpm trusts cannot be read".into()) };
        // The file itself that was compared with the repository's checksum, whatever is at its path by now.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        match at_hand.rpm.verify(Path::new(&path), keys) {
            Ok(verified) if verified.trust == Trust::Good => {
                let is_same = verified.signers.iter().any(|signer| {
                    let by_key = signer.key.as_ref().is_some_and(|key| installed.iter().any(|i| key.made(i)));
                    by_key || signer.issuer.as_ref().is_some_and(|issuer| installed.contains(issuer))
                });
                (!is_same).then(|| "it is another vendor's, and signed with another key".into())
            }
            Ok(_) => Some("it is another vendor's, and not signed with a key that rpm trusts".into()),
            Err(error) => Some(error.to_string()),
        }
    }
}
