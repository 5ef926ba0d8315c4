// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who signed a package of a repository, and who supports it. Lists say neither: a signature is in the package's header, which is
//! fetched alone, and support in its modules, which are looked at where the package is at hand.

use std::os::fd::AsRawFd;
use std::path::Path;

use kmp_core::abi::Supported;
use kmp_core::guard::Elements;
use kmp_core::inventory::ModulesDirs;
use librpm_rt::{Error, TrustedKeys, Verified};

use super::judge::Judge;
use super::offers::Offer;
use super::vendor::AtHand;
use super::{Named, Update};

/// What a package says of who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signing {
    /// Who signed it, and whether that is to be trusted; of its header alone, where it was not looked at whole.
    pub verified: Verified,
    /// Was the whole package looked at?
    pub is_whole: bool,
    /// What each of its modules says of support. Empty where it was not looked at whole.
    pub supported: Vec<Supported>,
}

impl AtHand<'_> {
    /// Who signed a package: of the file that is at hand; else of its header, where that is to be fetched.
    ///
    /// # Errors
    /// Why that is not known, for people.
    pub fn signing(&self, offer: &Offer, keys: &TrustedKeys, dirs: &ModulesDirs) -> Result<Signing, String> {
        let (file, is_whole) = match self.files.open_here(offer) {
            Some(file) => (file, true),
            None => (self.files.header(offer)?, false),
        };
        // The file itself, whatever is at its path by now.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let path = Path::new(&path);
        let verified = match is_whole {
            true => self.rpm.verify(path, keys),
            false => self.rpm.verify_header(path, keys),
        };
        let verified = verified.map_err(said)?;
        let mut signing = Signing { verified, is_whole, supported: Vec::new() };
        // Of one whose header is damaged there is no more to be read.
        let Ok(package) = self.rpm.open_package(path) else { return Ok(signing) };
        let nevra = package.package(&|_| false).map_err(said)?.nevra();
        if nevra != offer.package.nevra() {
            return Err(format!("what its server has is {nevra}"));
        }
        if is_whole {
            let mut elements = Elements::new(dirs.clone());
            elements.add_opened(package).map_err(said)?;
            let kmps = elements.finish().kmps;
            let modules = kmps.iter().flat_map(|kmp| &kmp.modules);
            let read = modules.filter_map(|module| module.module.as_ref().as_ref().ok());
            signing.supported = read.map(|module| module.supported).collect();
        }
        Ok(signing)
    }
}

fn said(error: Error) -> String {
    error.to_string()
}

impl Judge<'_> {
    /// Says of each build that comes along who signed it.
    pub fn sign(&self, update: &mut Update) {
        let drivers = update.kernels.iter_mut().flat_map(|kernel| &mut kernel.drivers);
        for build in drivers.filter_map(|driver| driver.build.as_mut()) {
            build.signing = Some(self.signing(build));
        }
    }

    fn signing(&self, build: &Named) -> Result<Signing, String> {
        let is_it =
            |offer: &&Offer| offer.repository == build.repository && offer.package.nevra() == build.nevra;
        let unknown = || "it was not fetched".to_owned();
        let offer = self.offers.drivers.iter().find(is_it).ok_or_else(unknown)?;
        let at_hand = self.at_hand.ok_or_else(unknown)?;
        let keys = at_hand.keys.get_or_init(|| self.installed.trusted_keys());
        let keys = keys.as_ref().ok_or("the keys that rpm trusts cannot be read")?;
        at_hand.signing(offer, keys, &self.survey.inventory.dirs)
    }
}
