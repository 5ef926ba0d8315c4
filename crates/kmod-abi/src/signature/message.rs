// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether the kernel can read a module's PKCS#7 message, to its end: `crypto/asymmetric_keys/pkcs7_parser.c` and its grammar
//! `pkcs7.asn1`. Not by the crate `der`: the kernel reads BER, with limits of its own.

use super::SignatureError;
use kmp_steps as steps;

/// The kernel refuses the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused;

type Read<T> = Result<T, Refused>;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Set in the tag of what is made of other elements.
const CONSTRUCTED: u8 = 0x20;

/// The tag `[number]`, of what is made of other elements or, in some places, is not.
const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// 1.2.840.113549.1.7.2 and .1
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];

/// The elements of something, one after the other (`asn1_ber_decoder`).
#[derive(Clone, Copy)]
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The tag of the next element, if there is one.
    fn tag(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and contents of the next element, whatever it is.
    fn any(&mut self) -> Read<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return Err(Refused) };
        if tag & 0x1f == 0x1f {
            return Err(Refused);
        }
        let (length, rest) = match (*length, rest) {
            (0x80, _) if tag & CONSTRUCTED != 0 => {
                let (contents, rest) = up_to_mark(rest).ok_or(Refused)?;
                self.0 = rest;
                return Ok((*tag, contents));
            }
            (0x81, [a, rest @ ..]) => (usize::from(*a), rest),
            (0x82, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (short @ ..0x80, rest) => (usize::from(short), rest),
            _ => return Err(Refused),
        };
        let (contents, rest) = rest.split_at_checked(length).ok_or(Refused)?;
        self.0 = rest;
        Ok((*tag, contents))
    }

    /// The contents of the next element, which has one of these tags.
    fn one_of(&mut self, tags: &[u8]) -> Read<&'a [u8]> {
        let (tag, contents) = self.any()?;
        // What is given as an element without parts may have some.
        let is_it = tags.iter().any(|t| *t == tag || t & CONSTRUCTED == 0 && *t == tag & !CONSTRUCTED);
        is_it.then_some(contents).ok_or(Refused)
    }

    fn one(&mut self, tag: u8) -> Read<&'a [u8]> {
        self.one_of(&[tag])
    }

    /// The next element, if it has one of these tags.
    fn optional(&mut self, tags: &[u8]) -> Read<Option<&'a [u8]>> {
        match self.tag() {
            Some(tag) if tags.contains(&tag) => self.any().map(|(_, contents)| Some(contents)),
            _ => Ok(None),
        }
    }

    fn end(self) -> Read<()> {
        self.0.is_empty().then_some(()).ok_or(Refused)
    }

    /// Each of the elements, which are of one kind.
    fn each(mut self, tag: u8, mut read: impl FnMut(Elements<'a>) -> Read<()>) -> Read<()> {
        while !self.0.is_empty() {
            read(Elements(self.one(tag)?))?;
        }
        Ok(())
    }
}

/// What stands before the mark that ends an element without a length, and what follows it (`asn1_find_indefinite_length`).
fn up_to_mark(all: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut rest, mut open) = (all, 1);
    loop {
        let [tag, length, after @ ..] = rest else { return None };
        steps::count(1);
        let skipped = match (*tag, *length) {
            (0, 0) => {
                open -= 1;
                if open == 0 {
                    return Some((&all[..all.len() - rest.len()], after));
                }
                0
            }
            (0, _) => return None,
            (tag, 0x80) => {
                open += 1;
                (tag & CONSTRUCTED != 0).then_some(0)?
            }
            (_, long @ 0x81..) => {
                let digits = after.get(..usize::from(long & 0x7f))?;
                let length =
                    digits.iter().try_fold(0_usize, |n, d| Some(n.checked_mul(256)? + usize::from(*d)))?;
                digits.len().checked_add(length)?
            }
            (_, short) => usize::from(short),
        };
        rest = after.get(skipped..)?;
    }
}

/// `AlgorithmIdentifier`: its OBJECT IDENTIFIER.
fn algorithm(mut parts: Elements<'_>) -> Read<&[u8]> {
    let oid = parts.one(OID)?;
    if !parts.0.is_empty() {
        parts.any()?;
    }
    parts.end().map(|()| oid)
}

/// `AttributeTypeAndValue` and the like: an OBJECT IDENTIFIER, and something.
fn pair(mut parts: Elements<'_>) -> Read<()> {
    parts.one(OID)?;
    parts.any()?;
    parts.end()
}

/// What is there for the kernel to look at.
#[derive(Debug, Default)]
struct Found {
    signers: usize,
    /// Something that the kernel has no code for (`ENOPKG`).
    unsupported: Option<&'static str>,
    has_attributes: bool,
    /// All signers with attributes are of a kind that may have them in newer kernels (ML-DSA).
    is_waived: bool,
    is_of_data: bool,
    has_content: bool,
}

/// What the kernel makes of a message that it can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// What no kernel has code for, if there is something: such a signature counts as none.
    pub unsupported: Option<&'static str>,
    /// Does a signer sign a digest?
    pub is_of_digest: bool,
}

/// Reads a message as the kernel does.
///
/// # Errors
/// The kernel refuses the module (`EBADMSG`, `EINVAL`, `EKEYREJECTED`), whether signatures are enforced or not.
pub(super) fn check(blob: &[u8]) -> Result<Checked, SignatureError> {
    // asn1_ber_decoder: EMSGSIZE.
    if blob.len() > 0xffff {
        return Err(SignatureError::Message);
    }
    let mut found = Found { is_waived: true, ..Found::default() };
    match message(Elements(blob), &mut found) {
        // What has no code ends the reading.
        _ if found.unsupported.is_some() => Ok(found.checked()),
        Err(Refused) => Err(SignatureError::Message),
        Ok(()) if found.signers == 0 => Err(SignatureError::Message),
        Ok(()) if found.has_content || !found.is_of_data => Err(SignatureError::Content),
        Ok(()) if found.has_attributes && !found.is_waived => Err(SignatureError::Attributes),
        Ok(()) => Ok(found.checked()),
    }
}

impl Found {
    fn checked(&self) -> Checked {
        Checked { unsupported: self.unsupported, is_of_digest: !self.is_waived }
    }
}

fn message(mut all: Elements<'_>, found: &mut Found) -> Read<()> {
    let mut content_info = Elements(all.one(SEQUENCE)?);
    if content_info.one(OID)? != SIGNED_DATA {
        return Err(Refused);
    }
    let mut explicit = Elements(content_info.one(context(0))?);
    content_info.end()?;
    let mut signed_data = Elements(explicit.one(SEQUENCE)?);
    explicit.end()?;
    let version = match signed_data.one(INTEGER)? {
        [version @ (1 | 3)] => *version,
        _ => return Err(Refused),
    };
    Elements(signed_data.one_of(&[SET, SEQUENCE])?).each(SEQUENCE, |parts| algorithm(parts).map(drop))?;
    let mut content = Elements(signed_data.one(SEQUENCE)?);
    found.is_of_data = content.one(OID)? == DATA;
    found.has_content = content.optional(&[context(0)])?.is_some();
    content.end()?;
    signed_data.optional(&[context(0), context(2)])?; // certificates
    signed_data.optional(&[context(1), context(3)])?; // revocation lists
    let signers = Elements(signed_data.one_of(&[SET, SEQUENCE])?);
    signers.each(SEQUENCE, |parts| signer(parts, version, found))?;
    signed_data.end()
}

fn signer(mut parts: Elements<'_>, message_version: u8, found: &mut Found) -> Read<()> {
    match (parts.one(INTEGER)?, message_version) {
        ([1], 1) | ([3], 3) => {}
        _ => return Err(Refused),
    }
    match parts.any()? {
        (SEQUENCE, issuer_and_serial) => {
            let mut id = Elements(issuer_and_serial);
            Elements(id.one(SEQUENCE)?).each(SET, |set| set.each(SEQUENCE, pair))?;
            id.one(INTEGER)?;
            id.end()?;
        }
        (0x80 | 0xa0, _key_id) => {}
        _ => return Err(Refused),
    }
    let digest = algorithm(Elements(parts.one(SEQUENCE)?))?;
    if super::pkcs7::hash_name(digest).is_none() {
        found.unsupported = Some("its digest is none that kernels know");
        return Err(Refused);
    }
    let has_attributes = parts.tag() == Some(context(0));
    parts.optional(&[context(0), context(2)])?;
    let key = algorithm(Elements(parts.one(SEQUENCE)?))?;
    if !is_known_key(key) {
        found.unsupported = Some("its key is of a kind that kernels do not know");
        return Err(Refused);
    }
    found.has_attributes |= has_attributes;
    found.is_waived &= is_ml_dsa(key);
    parts.one(OCTET_STRING)?;
    parts.optional(&[context(1), context(3)])?;
    parts.end()?;
    found.signers += 1;
    Ok(())
}

/// 2.16.840.1.101.3.4.3.17 to .19
fn is_ml_dsa(oid: &[u8]) -> bool {
    matches!(oid, [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17..=19])
}

fn is_known_key(oid: &[u8]) -> bool {
    match oid {
        // 1.2.840.113549.1.1.1 rsaEncryption, 1.2.840.10045.4.1 and .4.3.N ECDSA, with SHA-3 2.16.840.1.101.3.4.3.9 to .12
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]
        | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, _]
        | [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 9..=12] => true,
        // 1.2.643.7.1.1.1.1 and .2: GOST R 34.10-2012
        [0x2a, 0x85, 0x03, 7, 1, 1, 1, 1 | 2] => true,
        other => is_ml_dsa(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(blob: &[u8]) -> Result<Option<&'static str>, SignatureError> {
        super::check(blob).map(|checked| checked.unsupported)
    }

    /// An element.
    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let contents = parts.concat();
        let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, length[0], length[1]], &contents[..]].concat()
    }

    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];

    /// A message, and what of it is changed.
    #[derive(Clone)]
    struct Parts {
        versions: [u8; 2],
        of: &'static [u8],
        content: Vec<u8>,
        digest: Vec<u8>,
        attributes: Vec<u8>,
        key: &'static [u8],
        signers: usize,
        more: Vec<u8>,
    }

    impl Parts {
        fn sound() -> Self {
            Self {
                versions: [1, 1],
                of: DATA,
                content: vec![],
                digest: SHA256.to_vec(),
                attributes: vec![],
                key: RSA,
                signers: 1,
                more: vec![],
            }
        }

        fn build(&self) -> Vec<u8> {
            let oid = |oid: &[u8]| tlv(OID, &[oid]);
            let kind = |of: &[u8]| tlv(SEQUENCE, &[&oid(of), &[5, 0]]);
            let name =
                tlv(SEQUENCE, &[&tlv(SET, &[&tlv(SEQUENCE, &[&oid(&[0x55, 4, 3]), &tlv(12, &[b"me"])])])]);
            let id = tlv(SEQUENCE, &[&name, &tlv(INTEGER, &[&[7]])]);
            let signature = tlv(OCTET_STRING, &[&[1; 256]]);
            let info = tlv(
                SEQUENCE,
                &[
                    &tlv(INTEGER, &[&self.versions[1..]]),
                    &id,
                    &kind(&self.digest),
                    &self.attributes,
                    &kind(self.key),
                    &signature,
                ],
            );
            let data = tlv(
                SEQUENCE,
                &[
                    &tlv(INTEGER, &[&self.versions[..1]]),
                    &tlv(SET, &[&kind(SHA256)]),
                    &tlv(SEQUENCE, &[&oid(self.of), &self.content]),
                    &tlv(SET, &[&info.repeat(self.signers)]),
                    &self.more,
                ],
            );
            tlv(SEQUENCE, &[&oid(SIGNED_DATA), &tlv(context(0), &[&data])])
        }

        fn check(&self) -> Result<Option<&'static str>, SignatureError> {
            check(&self.build())
        }
    }

    #[test]
    fn sound_messages_are_read_to_their_end() {
        assert_eq!(Parts::sound().check(), Ok(None));
        assert_eq!(Parts { versions: [3, 3], signers: 2, ..Parts::sound() }.check(), Ok(None));
        // Lengths up to a mark.
        let inner = Parts::sound().build();
        assert_eq!(check(&[&[0x30, 0x80], &inner[4..], &[0, 0]].concat()), Ok(None));
        assert_eq!(check(&[&[0x30, 0x80], &inner[4..]].concat()), Err(SignatureError::Message));
        // What follows the message is not looked at.
        assert_eq!(check(&[&Parts::sound().build()[..], b"more"].concat()), Ok(None));
        for blob in [
            &include_bytes!("../testdata/issuer.p7")[..],
            include_bytes!("../testdata/keyid.p7"),
            include_bytes!("../testdata/org.p7"),
        ] {
            assert_eq!(check(blob), Ok(None));
        }
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_refused() {
        let sound = Parts::sound();
        for parts in [
            Parts { versions: [1, 3], ..sound.clone() },
            Parts { versions: [3, 1], ..sound.clone() },
            Parts { versions: [2, 1], ..sound.clone() },
            Parts { signers: 0, ..sound.clone() },
            Parts { more: vec![5, 0], ..sound.clone() },
        ] {
            assert_eq!(parts.check(), Err(SignatureError::Message));
        }
        // Cut anywhere inside, with lengths that go with it.
        let blob = sound.build();
        for at in 4..blob.len() {
            let mut cut = blob[..at].to_vec();
            let length = u16::try_from(at - 4).unwrap().to_be_bytes();
            cut[2..4].copy_from_slice(&length);
            assert_eq!(check(&cut), Err(SignatureError::Message), "{at}");
        }
        assert_eq!(check(&[0x30; 70_000]), Err(SignatureError::Message));
    }

    #[test]
    fn what_a_signature_of_a_module_may_not_have_is_refused() {
        let sound = Parts::sound();
        let content = tlv(context(0), &[&tlv(OCTET_STRING, &[b"data"])]);
        assert_eq!(Parts { content, ..sound.clone() }.check(), Err(SignatureError::Content));
        assert_eq!(Parts { of: SIGNED_DATA, ..sound.clone() }.check(), Err(SignatureError::Content));
        let with = Parts { attributes: tlv(context(0), &[&[0x30, 0]]), ..sound };
        assert_eq!(with.check(), Err(SignatureError::Attributes));
        let ml_dsa = Parts { key: &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18], ..with };
        assert_eq!(ml_dsa.check(), Ok(None));
        // It signs the data themselves.
        let is_of_digest = |parts: &Parts| super::check(&parts.build()).unwrap().is_of_digest;
        assert!(is_of_digest(&Parts::sound()) && !is_of_digest(&ml_dsa));
    }

    /// ENOPKG: it counts as no signature.
    #[test]
    fn what_kernels_have_no_code_for_is_said() {
        let digest = [SHA256, &[9]].concat();
        assert!(Parts { digest, ..Parts::sound() }.check().unwrap().unwrap().contains("digest"));
        assert!(Parts { key: DATA, ..Parts::sound() }.check().unwrap().unwrap().contains("key"));
    }
}
