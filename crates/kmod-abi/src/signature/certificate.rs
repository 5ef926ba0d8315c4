// SPDX-License-Identifier: LGPL-2.1-or-later
//! X.509 certificates (RFC 5280), as far as signatures name them, and where they lie in a kernel's image.

use der::{Reader, SliceReader, Tag};
use kmp_steps as steps;
use memchr::memmem;

use super::Signature;
use super::pkcs7::{common_name, expect, hex, next, reader, without_sign};

/// What a certificate says of its key. It is data: texts may hold any character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose key it is: the common name, else the organisation, else the mail address.
    pub subject: Option<String>,
    /// Who says so: the contents of the issuer's `Name`, which signatures repeat.
    pub issuer: Box<[u8]>,
    /// The serial number, as [`Signature::key_id`] has it.
    pub serial: String,
    /// The subject key id, in upper-case hex with colons.
    pub key_id: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The contents of the algorithm's OBJECT IDENTIFIER.
    pub algorithm: Box<[u8]>,
    /// Those of the parameter, where it is an OBJECT IDENTIFIER (a curve).
    pub curve: Option<Box<[u8]>>,
    /// An `RSAPublicKey`, or a point.
    pub bytes: Box<[u8]>,
}

/// 2.5.29.14
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];

/// The longest certificate that is read, in bytes.
const LONGEST: usize = 16 << 10;

/// So many of one list or image are read.
pub(super) const MOST: usize = 256;

impl Certificate {
    /// Reads a certificate in DER; what follows it is not looked at.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut certificate = reader(expect(&mut reader(bytes)?, Tag::Sequence)?)?;
        let mut parts = reader(expect(&mut certificate, Tag::Sequence)?)?;
        let serial = match next(&mut parts)? {
            (Tag::Integer, serial) => serial,
            // [0] version
            (Tag::ContextSpecific { .. }, _) => expect(&mut parts, Tag::Integer)?,
            _ => return None,
        };
        expect(&mut parts, Tag::Sequence)?; // signature
        let issuer = expect(&mut parts, Tag::Sequence)?;
        expect(&mut parts, Tag::Sequence)?; // validity
        let subject = expect(&mut parts, Tag::Sequence)?;
        let key = public_key(reader(expect(&mut parts, Tag::Sequence)?)?)?;
        let mut key_id = None;
        // [1] and [2] unique identifiers, [3] extensions.
        while !parts.is_finished() {
            let (tag, value) = next(&mut parts)?;
            if matches!(tag, Tag::ContextSpecific { number, .. } if number.value() == 3) {
                key_id = subject_key_id(value);
            }
        }
        Some(Self {
            subject: common_name(subject),
            issuer: issuer.into(),
            serial: hex(without_sign(serial)),
            key_id: key_id.map(hex),
            key,
        })
    }

    /// What the issuer has signed of a certificate in DER, with its head: kernels look for its digest among those that are revoked.
    pub fn to_be_signed(bytes: &[u8]) -> Option<&[u8]> {
        let mut certificate = reader(expect(&mut reader(bytes)?, Tag::Sequence)?)?;
        certificate.tlv_bytes().ok()
    }

    /// Does a signature say that it was made with this key? As the kernel looks keys up: by issuer and serial number, or by the
    /// subject key id.
    pub fn is_named_by(&self, signature: &Signature) -> bool {
        let Some(named) = signature.key_id.as_deref() else { return false };
        match &signature.issuer {
            Some(issuer) => *self.serial == *named && self.issuer == *issuer,
            None => self.key_id.as_deref() == Some(named),
        }
    }
}

fn public_key(mut info: SliceReader<'_>) -> Option<PublicKey> {
    let mut algorithm = reader(expect(&mut info, Tag::Sequence)?)?;
    let kind = expect(&mut algorithm, Tag::ObjectIdentifier)?;
    let curve = if algorithm.is_finished() { None } else { next(&mut algorithm) };
    let curve = curve.filter(|(tag, _)| *tag == Tag::ObjectIdentifier).map(|(_, oid)| oid.into());
    match expect(&mut info, Tag::BitString)? {
        // Whole bytes.
        [0, bytes @ ..] => Some(PublicKey { algorithm: kind.into(), curve, bytes: bytes.into() }),
        _ => None,
    }
}

fn subject_key_id(extensions: &[u8]) -> Option<&[u8]> {
    let mut all = reader(expect(&mut reader(extensions)?, Tag::Sequence)?)?;
    while !all.is_finished() {
        let mut extension = reader(expect(&mut all, Tag::Sequence)?)?;
        let is_it = expect(&mut extension, Tag::ObjectIdentifier)? == SUBJECT_KEY_ID;
        let value = match next(&mut extension)? {
            (Tag::Boolean, _) => expect(&mut extension, Tag::OctetString)?,
            (_, value) => value,
        };
        if is_it {
            return expect(&mut reader(value)?, Tag::OctetString);
        }
    }
    None
}

/// The certificates in a kernel that is unpacked, those that lie one behind the other together: without symbols it is not known which are
/// those that it trusts from the first (`system_certificate_list`), and others may be those that it refuses
/// (`revocation_certificate_list`).
pub fn in_kernel(kernel: &[u8]) -> Vec<Vec<Certificate>> {
    // `[0] { INTEGER 2 }`: a certificate of version 3, behind the heads of two sequences.
    let versions = memmem::find_iter(kernel, &[0xa0, 3, 2, 1, 2]);
    let mut found: Vec<Vec<Certificate>> = Vec::new();
    let (mut end, mut count) = (None, 0);
    for at in versions {
        steps::count(1);
        let Some(start) = at.checked_sub(8) else { continue };
        let bytes = &kernel[start..];
        let [0x30, 0x82, a, b, 0x30, 0x82, ..] = bytes else { continue };
        let length = usize::from(u16::from_be_bytes([*a, *b])) + 4;
        let Some(bytes) = bytes.get(..length).filter(|_| length <= LONGEST) else { continue };
        let Some(certificate) = Certificate::parse(bytes) else { continue };
        match found.last_mut() {
            Some(list) if end == Some(start) => list.push(certificate),
            _ => found.push(vec![certificate]),
        }
        (end, count) = (Some(start + length), count + 1);
        if count >= MOST {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CERTIFICATE, signature_of};
    use super::*;

    /// What `openssl x509 -text` says of it.
    #[test]
    fn what_a_certificate_says_is_read() {
        let read = Certificate::parse(CERTIFICATE).unwrap();
        assert_eq!(read.subject.as_deref(), Some("A driver key"));
        assert_eq!(read.serial, "00:F1:E2:D3:C4:B5:A6:97:88"[3..].to_string());
        assert_eq!(read.key_id.as_deref(), Some(KEY_ID));
        assert_eq!(&*read.key.algorithm, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]);
        assert!(read.is_named_by(&signature_of("by-issuer")) && read.is_named_by(&signature_of("by-key-id")));
        let other = Certificate { serial: "01".into(), key_id: None, ..read };
        assert!(
            !other.is_named_by(&signature_of("by-issuer")) && !other.is_named_by(&signature_of("by-key-id"))
        );
        for end in 0..CERTIFICATE.len() {
            assert!(Certificate::parse(&CERTIFICATE[..end]).is_none(), "{end}");
        }
    }

    const KEY_ID: &str = include_str!("../testdata/key.id");

    #[test]
    fn certificates_that_lie_together_are_found_together_in_a_kernel() {
        let noise: Vec<u8> = [0x30, 0x82, 0xa0, 3, 2, 1, 2].repeat(9);
        let kernel = [&noise[..], CERTIFICATE, CERTIFICATE, &noise, CERTIFICATE, &CERTIFICATE[..99]].concat();
        let one = Certificate::parse(CERTIFICATE).unwrap();
        assert_eq!(in_kernel(&kernel), [vec![one.clone(), one.clone()], vec![one]]);
        assert!(in_kernel(&noise).is_empty());
    }

    /// `openssl x509 -in key.der -inform der -outform der | openssl asn1parse -inform der`: an object of 4 + 411 bytes at offset 4.
    #[test]
    fn what_is_signed_of_a_certificate_has_its_head() {
        let signed = Certificate::to_be_signed(CERTIFICATE).unwrap();
        assert!(CERTIFICATE[4..].starts_with(signed) && signed[..2] == [0x30, 0x82]);
        assert_eq!(signed.len(), usize::from(u16::from_be_bytes([signed[2], signed[3]])) + 4);
        assert!(Certificate::to_be_signed(&CERTIFICATE[..9]).is_none());
    }
}
