// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which keys a kernel takes modules by, as far as that is known before it runs, and whether one that signed a module is among them.

use std::fmt;
use std::sync::Arc;

use super::{Certificate, Signature};

/// Where a certificate is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Among the machine owner's keys that are enrolled (`MokListRT`).
    Enrolled,
    /// Among those that wait for somebody to confirm them at the next boot (`MokNew`).
    Waiting,
    /// In the firmware's own list (`db`). Some kernels take modules by it, others do not.
    Firmware,
    /// In a file that a package has brought, or that was made here.
    File(Box<str>),
    /// Among the machine owner's keys, but its digest is revoked.
    EnrolledButRevoked,
    /// In the kernel's image, together with the one of the kernel's own modules.
    Image,
    /// In the kernel's image, elsewhere: it may be one that the kernel refuses.
    ElsewhereInImage,
}

/// A certificate, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The certificate.
    pub certificate: Certificate,
    /// Where it is.
    pub origin: Origin,
}

/// What is revoked on a machine (`dbx`, `MokListXRT`), whoever trusts it otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Keys.
    pub keys: Vec<Certificate>,
    /// The SHA-256 of files: of modules with their signatures.
    pub files: Vec<[u8; 32]>,
}

/// The keys that a kernel takes modules by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Certificates of the machine's, the same for all of its kernels.
    pub machine: Arc<[Known]>,
    /// Is that all that the machine adds to what is in a kernel?
    pub is_machine_complete: bool,
    /// What is written of the keys that the running kernel has, a line each as in `/proc/keys`. Empty: not known.
    pub listed: Arc<[Box<str>]>,
    /// Is the kernel the running one?
    pub is_running: bool,
    /// Does it take modules by the machine owner's keys?
    pub takes_enrolled: bool,
    /// The certificates in the kernel's image; `None`: it was not read.
    pub image: Option<Arc<[Known]>>,
    /// What is revoked on the machine.
    pub revoked: Arc<Revoked>,
    /// Does the kernel refuse modules by keys that are revoked?
    pub heeds_revoked: bool,
}

/// Whether a kernel knows the key of a signature. Displayed, it is a clause that says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTrust {
    /// It does.
    Trusted(&'static str),
    /// It will, once somebody has confirmed at the console that the key is to be enrolled.
    AfterEnrolment,
    /// It does not: all keys that it knows are known here. The file of the certificate, if one is at hand.
    NotTrusted(Option<Box<str>>),
    /// It does not take modules by it, as it was revoked.
    Revoked,
    /// That cannot be told.
    Unknown(&'static str),
}

impl KeyTrust {
    /// Every word.
    pub const WORDS: &[&str] = &["trusted", "after-enrolment", "not-trusted", "unknown"];

    /// The word for it, which does not change.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Trusted(_) => "trusted",
            Self::AfterEnrolment => "after-enrolment",
            Self::NotTrusted(_) | Self::Revoked => "not-trusted",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for KeyTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted(why) | Self::Unknown(why) => f.write_str(why),
            Self::AfterEnrolment => f.write_str(
                "its key waits to be enrolled: confirm it when the machine asks for it at the next boot (MOK management)",
            ),
            Self::Revoked => f.write_str(
                "its key is revoked on this machine (dbx, or mokutil --list-enrolled --mokx): only a module signed with another one helps",
            ),
            Self::NotTrusted(None) => {
                f.write_str("its key is neither in the kernel nor enrolled (mokutil --list-enrolled)")
            }
            Self::NotTrusted(Some(file)) => write!(
                f,
                "its key is neither in the kernel nor enrolled; to enrol it, which takes a reboot and somebody at the \
                 console: mokutil --import {file}"
            ),
        }
    }
}

/// What is known of a key only because the running kernel has it, or one of its name.
pub(crate) const RUNNING_HAS_IT: &str =
    "the running kernel has the key, and whether this one has it is not known";
pub(crate) const NAME_IS_LISTED: &str =
    "the running kernel has a key of that name, and whether it is this one is not known";

impl Keys {
    /// Does the kernel know the key? `own`: what its own modules are signed with, as [`Signature::key_id`].
    pub fn trust(&self, signature: &Signature, own: Option<&str>) -> KeyTrust {
        let is_it = |certificate: &Certificate| certificate.is_named_by(signature);
        if self.heeds_revoked && self.revoked.keys.iter().any(is_it) {
            return KeyTrust::Revoked;
        }
        if signature.key_id.is_some() && signature.key_id.as_deref() == own {
            return KeyTrust::Trusted("the kernel's own modules are signed with its key");
        }
        let origins = || self.known().filter(|known| is_it(&known.certificate)).map(|known| &known.origin);
        let has = |origin: &Origin| origins().any(|found| found == origin);
        if has(&Origin::Image) {
            return KeyTrust::Trusted("its certificate is in the kernel's image");
        }
        if has(&Origin::Enrolled) && self.takes_enrolled {
            return KeyTrust::Trusted("its key is enrolled (MOK)");
        }
        match (self.is_listed(signature), self.is_running) {
            (Some(true), true) => return KeyTrust::Trusted("the running kernel has its key"),
            (Some(true), false) => return KeyTrust::Unknown(RUNNING_HAS_IT),
            _ => {}
        }
        // Kernels mean to heed it, but take the time behind the digest for a part of it, and load the key.
        if has(&Origin::EnrolledButRevoked) {
            return KeyTrust::Unknown(
                "its key is enrolled, but the digest of its certificate is revoked, which not every kernel heeds",
            );
        }
        if has(&Origin::ElsewhereInImage) {
            return KeyTrust::Unknown(
                "the kernel's image has its key, and whether the kernel takes modules by it or refuses them is not known",
            );
        }
        if has(&Origin::Enrolled) || has(&Origin::Firmware) {
            return KeyTrust::Unknown(
                "the firmware has its key, and whether the kernel takes modules by it is not known",
            );
        }
        if has(&Origin::Waiting) {
            return KeyTrust::AfterEnrolment;
        }
        let file = origins().find_map(|origin| match origin {
            Origin::File(file) => Some(file.clone()),
            _ => None,
        });
        // A name that the running kernel has may be of another key, but then nothing is sure.
        let named =
            || signature.signer.as_deref().is_some_and(|name| self.listed.iter().any(|l| l.contains(name)));
        let is_all_known = self.image.is_some() && self.is_machine_complete && signature.key_id.is_some();
        let is_not_listed = self.is_running && self.is_listed(signature) == Some(false);
        match () {
            () if is_not_listed || (is_all_known && !named()) => KeyTrust::NotTrusted(file),
            () if named() => KeyTrust::Unknown(NAME_IS_LISTED),
            () => KeyTrust::Unknown("which keys the kernel knows is not known"),
        }
    }

    /// The certificate of the key that a signature names, if it is at hand.
    pub fn certificate(&self, signature: &Signature) -> Option<&Certificate> {
        self.known().map(|known| &known.certificate).find(|certificate| certificate.is_named_by(signature))
    }

    /// All certificates that are known to be somewhere: the machine's, then those in the kernel's image.
    fn known(&self) -> impl Iterator<Item = &Known> {
        self.machine.iter().chain(self.image.iter().flat_map(|all| all.iter()))
    }

    /// Does the running kernel list the key? Only the key's own id proves it: `None` where that is not known, or the list is not.
    fn is_listed(&self, signature: &Signature) -> Option<bool> {
        let known = self.machine.iter().find(|known| known.certificate.is_named_by(signature));
        let id = match (&signature.issuer, known) {
            (None, _) => signature.key_id.as_deref(),
            (Some(_), known) => known?.certificate.key_id.as_deref(),
        }?;
        if self.listed.is_empty() {
            return None;
        }
        // `A driver key: ef08365c: X509.rsa 1c0affc0 []`, with all digits of the id.
        let id = format!(": {}: ", id.replace(':', "").to_ascii_lowercase());
        Some(self.listed.iter().any(|line| line.contains(&id)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CERTIFICATE, signature_of};
    use super::*;

    const LINE: &str = "1a I------ 1 perm 1f030000 0 0 asymmetri Example: A driver key: \
        ef08365c0a9012a5510ea4aac313879a1c0affc0: X509.rsa 1c0affc0 []";

    fn with(origin: Option<Origin>) -> Keys {
        let certificate = Certificate::parse(CERTIFICATE).unwrap();
        let machine = origin.map(|origin| Known { certificate, origin });
        Keys { machine: machine.into_iter().collect(), takes_enrolled: true, ..Keys::default() }
    }

    fn words(keys: &Keys) -> [&'static str; 2] {
        ["by-issuer", "by-key-id"].map(|file| keys.trust(&signature_of(file), Some("01:02")).word())
    }

    #[test]
    fn where_the_certificate_is_decides() {
        let image = |origin| {
            let certificate = Certificate::parse(CERTIFICATE).unwrap();
            Keys {
                image: Some([Known { certificate, origin }].into()),
                is_machine_complete: true,
                ..with(None)
            }
        };
        assert_eq!(words(&with(Some(Origin::Enrolled))), ["trusted"; 2]);
        assert_eq!(words(&Keys { takes_enrolled: false, ..with(Some(Origin::Enrolled)) }), ["unknown"; 2]);
        assert_eq!(words(&with(Some(Origin::Waiting))), ["after-enrolment"; 2]);
        assert_eq!(words(&with(Some(Origin::Firmware))), ["unknown"; 2]);
        assert_eq!(words(&with(None)), ["unknown"; 2]);
        assert_eq!(words(&image(Origin::Image)), ["trusted"; 2]);
        assert_eq!(words(&image(Origin::ElsewhereInImage)), ["unknown"; 2]);
        let own = with(None).trust(&signature_of("by-issuer"), Some("F1:E2:D3:C4:B5:A6:97:88"));
        assert_eq!(own.word(), "trusted");
    }

    /// Only where all keys are known is one known to be missing.
    #[test]
    fn what_is_not_there_is_missing_only_in_a_complete_list() {
        let read = Keys { image: Some([].into()), ..with(None) };
        assert_eq!(words(&read), ["unknown"; 2]);
        let complete = Keys { is_machine_complete: true, ..read };
        assert_eq!(words(&complete), ["not-trusted"; 2]);
        // A key of that name may be this one.
        let named = Keys { listed: [LINE.replace("ef08", "0000").into()].into(), ..complete.clone() };
        assert_eq!(named.trust(&signature_of("by-issuer"), None).word(), "unknown");
        let file = Origin::File("/etc/uefi/certs/A.crt".into());
        let shipped = Keys { is_machine_complete: true, image: Some([].into()), ..with(Some(file)) };
        let trust = shipped.trust(&signature_of("by-issuer"), None);
        assert!(trust.to_string().contains("mokutil --import /etc/uefi/certs/A.crt"), "{trust}");
    }

    #[test]
    fn the_running_kernel_lists_keys_by_their_ids() {
        let listed: Arc<[Box<str>]> = [LINE.into()].into();
        let keys = Keys { listed: listed.clone(), is_running: true, ..with(None) };
        // Of a certificate that is not at hand the id is not known.
        assert_eq!(words(&keys), ["unknown", "trusted"]);
        let shipped = Keys { listed, is_running: true, ..with(Some(Origin::File("x".into()))) };
        assert_eq!(words(&shipped), ["trusted"; 2]);
        assert_eq!(words(&Keys { is_running: false, ..shipped.clone() }), ["unknown"; 2]);
        let other: Arc<[Box<str>]> = [LINE.replace("ef08", "0000").into()].into();
        assert_eq!(words(&Keys { listed: other, ..shipped }), ["not-trusted"; 2]);
    }

    /// `is_key_on_revocation_list` is asked before any keyring; what a digest of a certificate does depends on the kernel.
    #[test]
    fn what_is_revoked_is_not_trusted_where_the_kernel_heeds_it() {
        let certificate = Certificate::parse(CERTIFICATE).unwrap();
        let revoked = Arc::new(Revoked { keys: vec![certificate], files: vec![] });
        let keys = Keys { revoked, heeds_revoked: true, ..with(Some(Origin::Enrolled)) };
        assert_eq!(words(&keys), ["not-trusted"; 2]);
        // Of the .blacklist keyring it is listed, too.
        let listed = Keys { listed: [LINE.into()].into(), is_running: true, ..keys.clone() };
        assert_eq!(words(&listed), ["not-trusted"; 2]);
        let own = keys.trust(&signature_of("by-issuer"), Some("F1:E2:D3:C4:B5:A6:97:88"));
        assert!(own == KeyTrust::Revoked && own.to_string().contains("is revoked on this machine"));
        assert_eq!(words(&Keys { heeds_revoked: false, ..keys }), ["trusted"; 2]);
        assert_eq!(words(&with(Some(Origin::EnrolledButRevoked))), ["unknown"; 2]);
    }

    #[test]
    fn each_verdict_has_a_word() {
        let all = [
            KeyTrust::Trusted(""),
            KeyTrust::AfterEnrolment,
            KeyTrust::NotTrusted(None),
            KeyTrust::Unknown(""),
        ];
        assert_eq!(all.map(|trust| trust.word()), *KeyTrust::WORDS);
    }
}
