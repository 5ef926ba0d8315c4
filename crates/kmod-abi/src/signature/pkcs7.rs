// SPDX-License-Identifier: LGPL-2.1-or-later
//! The PKCS#7 message (CMS, RFC 5652) in a module's signature: who says to have signed it.

use der::asn1::AnyRef;
use der::{Reader, SliceReader, Tag};
use std::fmt::Write as _;

use super::Signature;

/// The contents of the next element, whatever it is.
pub(super) fn next<'a>(reader: &mut SliceReader<'a>) -> Option<(Tag, &'a [u8])> {
    let any: AnyRef<'a> = reader.decode().ok()?;
    Some((der::Tagged::tag(&any), any.value()))
}

/// The contents of the next element, which has to be a `tag`.
pub(super) fn expect<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Option<&'a [u8]> {
    next(reader).filter(|(found, _)| *found == tag).map(|(_, value)| value)
}

pub(super) fn reader(bytes: &[u8]) -> Option<SliceReader<'_>> {
    SliceReader::new(bytes).ok()
}

/// The first signer of RFC 5652's `ContentInfo { signedData, SignedData { .., signerInfos } }`, behind its version. No recursion: the
/// depth is that of this function.
fn first_signer(blob: &[u8]) -> Option<SliceReader<'_>> {
    let mut content_info = reader(expect(&mut reader(blob)?, Tag::Sequence)?)?;
    expect(&mut content_info, Tag::ObjectIdentifier)?;
    let (_, explicit) = next(&mut content_info)?;
    let mut signed_data = reader(expect(&mut reader(explicit)?, Tag::Sequence)?)?;
    expect(&mut signed_data, Tag::Integer)?; // version
    expect(&mut signed_data, Tag::Set)?; // digestAlgorithms
    expect(&mut signed_data, Tag::Sequence)?; // encapContentInfo
    let signer_infos = loop {
        // [0] certificates and [1] crls may come before.
        let (tag, value) = next(&mut signed_data)?;
        if tag == Tag::Set {
            break value;
        }
    };
    let mut info = reader(expect(&mut reader(signer_infos)?, Tag::Sequence)?)?;
    expect(&mut info, Tag::Integer)?; // version
    Some(info)
}

/// Fills `signature` from a message's first signer. `None` where it could not read on.
pub(super) fn read_pkcs7(blob: &[u8], signature: &mut Signature) -> Option<()> {
    let mut info = first_signer(blob)?;
    match next(&mut info)? {
        (Tag::Sequence, issuer_and_serial) => {
            let mut parts = reader(issuer_and_serial)?;
            let issuer = expect(&mut parts, Tag::Sequence)?;
            signature.signer = common_name(issuer);
            signature.issuer = Some(issuer.into());
            signature.key_id = Some(hex(without_sign(expect(&mut parts, Tag::Integer)?)));
        }
        // [0] subjectKeyIdentifier
        (Tag::ContextSpecific { .. }, key_id) => signature.key_id = Some(hex(key_id)),
        _ => return None,
    }
    let mut digest = reader(expect(&mut info, Tag::Sequence)?)?;
    signature.hash = hash_name(expect(&mut digest, Tag::ObjectIdentifier)?);
    Some(())
}

/// What the first signer's key has made of the digest.
pub(super) fn value(blob: &[u8]) -> Option<&[u8]> {
    let mut info = first_signer(blob)?;
    next(&mut info)?; // whose key it is
    expect(&mut info, Tag::Sequence)?; // digestAlgorithm
    expect(&mut info, Tag::Sequence)?; // signatureAlgorithm: a module's signature has no attributes before it
    expect(&mut info, Tag::OctetString)
}

/// DER puts a zero before a first byte that would read as a sign.
pub(super) fn without_sign(number: &[u8]) -> &[u8] {
    match number {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

/// The first common name in an X.501 `Name`, else its organisation, else its mail address.
pub(super) fn common_name(name: &[u8]) -> Option<String> {
    let (mut organisation, mut mail) = (None, None);
    let mut sets = reader(name)?;
    while let Some(set) = expect(&mut sets, Tag::Set) {
        let Some(mut attributes) = reader(set) else { continue };
        while let Some(attribute) = expect(&mut attributes, Tag::Sequence) {
            let Some(mut pair) = reader(attribute) else { continue };
            let Some(oid) = expect(&mut pair, Tag::ObjectIdentifier) else { continue };
            let Some((tag, value)) = next(&mut pair) else { continue };
            match oid {
                [0x55, 4, 3] => return Some(text(tag, value)), // 2.5.4.3 commonName
                [0x55, 4, 10] => organisation = organisation.or_else(|| Some(text(tag, value))), // 2.5.4.10
                // 1.2.840.113549.1.9.1 emailAddress
                [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => {
                    mail = mail.or_else(|| Some(text(tag, value)))
                }
                _ => {}
            }
        }
    }
    organisation.or(mail)
}

/// An ASN.1 character string as text.
fn text(tag: Tag, value: &[u8]) -> String {
    if tag == Tag::BmpString {
        let units: Vec<u16> =
            value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(value).into_owned()
    }
}

/// The kernel's name of a digest, from the contents of its OBJECT IDENTIFIER.
pub(super) fn hash_name(oid: &[u8]) -> Option<&'static str> {
    Some(match oid {
        // 2.16.840.1.101.3.4.2.N
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, n] => match n {
            1 => "sha256",
            2 => "sha384",
            3 => "sha512",
            4 => "sha224",
            8 => "sha3-256",
            9 => "sha3-384",
            10 => "sha3-512",
            _ => return None,
        },
        [0x2b, 0x0e, 3, 2, 0x1a] => "sha1",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 4] => "md4",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5] => "md5",
        [0x2b, 0x24, 3, 2, 1] => "rmd160",
        [0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11] => "sm3",
        [0x2a, 0x85, 0x03, 7, 1, 1, 2, 2] => "streebog256",
        [0x2a, 0x85, 0x03, 7, 1, 1, 2, 3] => "streebog512",
        _ => return None,
    })
}

/// `F1:E2:D3`.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3);
    for (i, byte) in bytes.iter().enumerate() {
        let colon = if i == 0 { "" } else { ":" };
        // Writing to a String cannot fail.
        let _ = write!(out, "{colon}{byte:02X}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_every_kind() {
        assert_eq!(text(Tag::BmpString, &[0, b'A', 0x20, 0xac, 0]), "A\u{20ac}");
        assert_eq!(text(Tag::Utf8String, b"a\xffb"), "a\u{fffd}b");
    }
}
