// SPDX-License-Identifier: LGPL-2.1-or-later
//! The keys in a kernel's image.

use std::io::Read as _;
use std::sync::Arc;

use super::{LoadedModule, Release};
use crate::abi::signature::{Certificate, KeyTrust, Known, Origin, Signature, in_kernel};
use crate::abi::{Kernel, image};
use crate::root::Root;
use crate::tree::{self, IMAGES};
use crate::unpack::{Inflater, Kind, MODULE_LIMIT, Source, stream};

/// What a module is signed with, if it was read and is.
pub(crate) fn signature_of(module: &LoadedModule) -> Option<&Signature> {
    (**module).as_ref().ok()?.signature.signed()
}

/// What a kernel's own modules are signed with, if the keys in its image decide whether it takes one of these signatures.
pub(crate) fn undecided<'k>(kernel: &'k Kernel, signatures: &[Signature]) -> Option<&'k str> {
    let own = kernel.traits.signed_by.as_deref()?;
    let is_open = |signature: &Signature| matches!(kernel.trust(signature), KeyTrust::Unknown(_));
    let is_unread = kernel.enforces_signatures() && kernel.signing.keys.image.is_none();
    (is_unread && signatures.iter().any(is_open)).then_some(own)
}

/// The certificates in the image of an installed kernel, if `own` is among them: what its own modules are signed with. `None`: without
/// that it is not sure that they were found.
pub(super) fn of_installed(root: &Root, release: &Release, own: &str) -> Option<Arc<[Known]>> {
    let places = IMAGES.iter().flat_map(|name| tree::places(&release.dir, &release.release, name));
    let mut images = places.filter_map(|place| root.read_if_there(&place, MODULE_LIMIT).ok().flatten());
    images.find_map(|bytes| in_image(&bytes, own))
}

/// The same of an image's bytes. Those that lie together with `own` are the ones that the kernel trusts.
pub(crate) fn in_image(bytes: &[u8], own: &str) -> Option<Arc<[Known]>> {
    let mut result = None;
    unpacked(bytes, &mut |kernel| {
        let found = in_kernel(kernel);
        let is_own = |one: &Certificate| one.serial == own || one.key_id.as_deref() == Some(own);
        let has_own = |list: &Vec<Certificate>| list.iter().any(is_own);
        if !found.iter().any(has_own) {
            return false;
        }
        let known = found.into_iter().flat_map(|list| {
            let origin = if has_own(&list) { Origin::Image } else { Origin::ElsewhereInImage };
            list.into_iter().map(move |certificate| Known { certificate, origin: origin.clone() })
        });
        result = Some(known.collect());
        true
    });
    result
}

/// Calls `take` with what may be the kernel in an image, however it is packed, until it is content.
pub fn unpacked(bytes: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) {
    // `Image.gz`
    let Ok(image) = Inflater::new().inflate(bytes, MODULE_LIMIT) else { return };
    for range in image::packed(&image) {
        let Some(packed) = image.get(range.clone()) else { continue };
        let mut input = Source::new(packed);
        let Ok(kind) = input.peek(Kind::LOOK).map(Kind::of) else { continue };
        let mut kernel = Vec::new();
        if kind != Kind::Plain {
            // Behind the stream there may be something else, such as its size: what came out until then counts.
            let unpacked =
                stream(kind, &mut input).and_then(|s| s.take(MODULE_LIMIT).read_to_end(&mut kernel));
            if let Err(e) = unpacked {
                log::debug!("a kernel's image, at byte {}: {e}", range.start);
            }
        }
        if take(&kernel) {
            return;
        }
    }
    take(&image);
}

#[cfg(test)]
mod tests {
    use testkit::compress;

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../kmod-abi/src/testdata/key.der");
    const OTHER: &[u8] = include_bytes!("../../../kmod-abi/src/testdata/curve.der");
    const SERIAL: &str = "F1:E2:D3:C4:B5:A6:97:88";

    #[test]
    fn certificates_count_beside_the_one_of_the_kernels_own_modules() {
        let kernel = [&[0; 100][..], CERTIFICATE, &[1; 100], CERTIFICATE].concat();
        let apart = [&[0; 100][..], OTHER, &[1; 100], CERTIFICATE, OTHER].concat();
        let origins = |bytes: &[u8]| -> Vec<Origin> {
            in_image(bytes, SERIAL).unwrap().iter().map(|known| known.origin.clone()).collect()
        };
        assert_eq!(origins(&apart), [Origin::ElsewhereInImage, Origin::Image, Origin::Image]);
        assert_eq!(in_image(&kernel, SERIAL).unwrap().len(), 2);
        assert_eq!(in_image(&compress(&kernel, testkit::Compression::Gz), SERIAL).unwrap().len(), 2);
        assert!(in_image(&kernel, "01:02").is_none() && in_image(&[0; 9], SERIAL).is_none());
    }
}
