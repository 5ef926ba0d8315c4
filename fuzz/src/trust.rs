// SPDX-License-Identifier: LGPL-2.1-or-later
//! Keys, certificates and signatures; aliases and names of devices.

use kmp_core::abi::modalias;
use kmp_core::abi::signature::{self, Certificate, in_efi_lists, in_kernel};
use kmp_drivers::devices::Names;
use rpm_meta::openpgp::{Key, Signature, groups};
use rpm_meta::signature_header::signatures;

/// A file of keys, or a signature.
pub fn openpgp(data: &[u8]) {
    for key in Key::read_all(data).into_iter().flatten() {
        assert!(!groups(&key.fingerprint).is_empty());
    }
    let _ = Signature::read(data);
}

/// The beginning of a package file.
pub fn signature_header(data: &[u8]) {
    for signature in signatures(data).into_iter().flatten() {
        assert!(signature.len() <= data.len());
    }
}

/// A certificate, lists of them as in UEFI's variables, and those in a kernel.
pub fn certificates(data: &[u8]) {
    let _ = Certificate::parse(data);
    if let Some(signed) = Certificate::to_be_signed(data) {
        assert!(signed.len() < data.len());
    }
    let found = in_kernel(data);
    assert!(found.iter().flatten().all(|one| one.issuer.len() < data.len()));
    if let Some(listed) = in_efi_lists(data) {
        assert!(listed.len() * 17 <= data.len());
        signature::certificates(&listed);
    }
}

/// A pattern, NUL, and what a device calls itself.
pub fn modalias(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some((pattern, alias)) = text.split_once('\0') else { return };
    let is_plain = |text: &str| !text.contains(['-', '[', ']']);
    if is_plain(pattern) && is_plain(alias) {
        assert_eq!(modalias::claims(pattern, alias), modalias::fnmatch(pattern, alias));
    }
    modalias::fnmatch(pattern, alias);
}

/// `pci.ids` or `usb.ids`.
pub fn hwdata(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut names = Names::default();
    names.read("pci", &text, ["pci:v00008086d000010D3sv0"].into_iter());
    names.read("usb", &text, ["usb:v1D6Bp0002d0100"].into_iter());
}
