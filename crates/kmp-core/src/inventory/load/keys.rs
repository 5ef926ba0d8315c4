// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads which keys are in kernels' images.

use std::sync::Arc;

use super::super::image_keys::{of_installed, signature_of, undecided};
use super::super::kernels::Release;
use super::{LoadedKernel, Loader};
use crate::abi::signature::Signature;

impl Loader<'_> {
    /// Reads which keys are in the images of kernels that take signed modules only, where somebody has signed one of the modules that
    /// were read, or made one of `more` signatures, whose key is not known to be among them: that takes a moment.
    pub fn load_keys(&mut self, releases: &[&Release], kernels: &mut [LoadedKernel], more: &[Signature]) {
        let modules = self.modules.values().filter_map(|(_, module)| signature_of(module));
        let signatures: Vec<Signature> = modules.chain(more).cloned().collect();
        for (release, loaded) in releases.iter().zip(kernels) {
            let Some(own) = undecided(&loaded.kernel, &signatures) else { continue };
            self.show(&release.dir);
            let image = of_installed(self.root, release, own);
            Arc::make_mut(&mut loaded.kernel).signing.keys.image = image;
            if let Some((_, known)) = self.kernels.get_mut(&release.dir) {
                *known = loaded.clone();
            }
        }
    }
}
