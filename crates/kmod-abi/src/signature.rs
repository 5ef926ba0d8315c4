// SPDX-License-Identifier: LGPL-2.1-or-later
//! The signature at the end of a signed module.
//!
//! The layout is the kernel's `include/linux/module_signature.h`:
//!
//! ```text
//! module | [signer | key id |] signature | algo hash id_type signer_len key_id_len 0 0 0 be32(sig_len) | marker
//! ```
//!
//! The signature of today's modules (`id_type` 2) is a PKCS#7 (CMS, RFC 5652) `SignedData`, and all the one-byte fields but `id_type` are zero.
//! Nothing is verified here: the result only says who claims to have signed, and [`Keys`] whether a kernel knows such a key.

mod certificate;
mod efi;
mod keys;
mod message;
mod pkcs7;

pub use certificate::{Certificate, PublicKey, in_kernel};
pub use efi::{Listed, certificates, in_efi_lists};
pub use keys::{KeyTrust, Keys, Known, Origin, Revoked};
pub(crate) use keys::{NAME_IS_LISTED, RUNNING_HAS_IT};

use pkcs7::{hex, read_pkcs7};

/// The end of a signed module's file.
pub const MARKER: &[u8] = b"~Module signature appended~\n";

/// Bytes of the record before [`MARKER`].
const TRAILER: usize = 12;

/// How a signature names its key: the trailer's `id_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// 0: an OpenPGP key. No kernel since 3.7 writes or accepts it.
    Pgp,
    /// 1: an X.509 certificate's name and key id, in clear before the signature. Kernels 3.7 to 4.2.
    X509,
    /// 2: all in a PKCS#7 message. Kernels since 4.3.
    Pkcs7,
    /// A number that no kernel has given a meaning.
    Unknown(u8),
}

/// What a module's signature says about itself, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// How the key is named.
    pub id_type: IdType,
    /// The signer: the common name of the certificate's issuer, else its organisation, else its mail address; what
    /// `modinfo -F signer` shows. `None` where the signature names its key only by key id, or cannot be read. It is data: it
    /// may hold any character.
    pub signer: Option<String>,
    /// The contents of the issuer's name, where the signature has it: [`Self::key_id`] is a serial number then.
    pub issuer: Option<Box<[u8]>>,
    /// The certificate's serial number, or the subject key id where the signature has that instead, in upper-case hex with
    /// colons as `modinfo -F sig_key` shows it.
    pub key_id: Option<String>,
    /// The digest, by the kernel's name (`sha256`); `None` where it is not one of those that kernels know.
    pub hash: Option<&'static str>,
    /// Is it a digest that is signed? ML-DSA signs the module itself.
    pub is_of_digest: bool,
    /// Why kernels cannot verify it (ENOPKG), if so, as a clause: it counts as no signature then.
    pub unsupported: Option<&'static str>,
}

/// A signature trailer that contradicts the file. A kernel with module signatures refuses such a module (EBADMSG), enforcing or not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The marker is there, but not the record that belongs before it.
    #[error(
        "the module ends with a signature marker, but the {have} bytes before it are fewer than the {TRAILER} of a signature record; the file is damaged"
    )]
    Cut {
        /// Bytes before the marker.
        have: usize,
    },
    /// The record claims more than the file holds.
    #[error(
        "the module's signature record claims {claimed} bytes of signature, but the file has only {have} bytes of module and signature; the file is damaged"
    )]
    Size {
        /// Bytes that the record claims for signer, key id and signature.
        claimed: u64,
        /// Bytes before the record.
        have: usize,
    },
    /// A PKCS#7 record has something where the kernel wants zeros.
    #[error(
        "the module's signature record has unexpected values where the kernel wants zeros; the file is damaged or signed by a faulty tool"
    )]
    Fields,
    /// What the record calls a PKCS#7 message is none.
    #[error("the module's signature is no PKCS#7 message of signed data; the file is damaged")]
    Message,
    /// The message is not about data that lies outside of it.
    #[error("the module's signature is for something else than the data before it")]
    Content,
    /// The message has attributes that are signed with it.
    #[error(
        "the module's signature has signed attributes, which that of a module may not have (sign without them)"
    )]
    Attributes,
}

/// The ELF file in the contents of a module's file. Kernels cut off signatures of the kind PKCS#7; what looks like another may be the
/// end of the module, and a trailer that cannot be read is the kernel's affair: the module is before it all the same.
pub(crate) fn body(bytes: &[u8]) -> &[u8] {
    match split(bytes) {
        Ok((body, Some(signature))) if signature.id_type == IdType::Pkcs7 => body,
        _ => bytes,
    }
}

/// Splits the contents of a module's file into the module and its signature, if it has one.
///
/// Without [`MARKER`] at the end, all of `bytes` is the module. If a PKCS#7 message can only be read in part, the
/// [`Signature`] has that part.
///
/// # Errors
/// A record whose sizes do not fit the file or whose fields the kernel's `mod_check_sig` refuses, or a message that it cannot
/// read to its end (`pkcs7_parse_message`).
pub fn split(bytes: &[u8]) -> Result<(&[u8], Option<Signature>), SignatureError> {
    // With nothing before it the kernel does not see a marker.
    let Some(before) = bytes.strip_suffix(MARKER).filter(|before| !before.is_empty()) else {
        return Ok((bytes, None));
    };
    let Some((rest, record)) = before.split_last_chunk::<TRAILER>() else {
        return Err(SignatureError::Cut { have: before.len() });
    };
    let [algo, hash, id_type, signer_len, key_id_len, pad @ .., a, b, c, d] = *record;
    let sig_len = u64::from(u32::from_be_bytes([a, b, c, d]));
    let id_type = match id_type {
        0 => IdType::Pgp,
        1 => IdType::X509,
        2 => IdType::Pkcs7,
        other => IdType::Unknown(other),
    };
    // In the order of mod_check_sig. It also refuses a signature that leaves nothing for the module.
    let start = usize::try_from(sig_len)
        .ok()
        .and_then(|claimed| rest.len().checked_sub(claimed))
        .filter(|&start| start > 0)
        .ok_or(SignatureError::Size { claimed: sig_len, have: rest.len() })?;
    if id_type == IdType::Pkcs7 && [algo, hash, signer_len, key_id_len].iter().chain(&pad).any(|&b| b != 0) {
        return Err(SignatureError::Fields);
    }
    let (mut module, blob) = rest.split_at(start);
    let unsupported = (id_type != IdType::Pkcs7).then_some("it is no PKCS#7 message");
    let mut signature = Signature {
        id_type,
        signer: None,
        issuer: None,
        key_id: None,
        hash: None,
        is_of_digest: true,
        unsupported,
    };
    match id_type {
        IdType::Pkcs7 => {
            let checked = message::check(blob)?;
            (signature.unsupported, signature.is_of_digest) = (checked.unsupported, checked.is_of_digest);
            // As far as it goes: what was read before a fault is kept.
            let _ = read_pkcs7(blob, &mut signature);
        }
        IdType::Pgp | IdType::X509 => {
            // Both stand before the signature.
            let parts = usize::from(signer_len) + usize::from(key_id_len);
            let (body, parts) = module.split_at(module.len().saturating_sub(parts));
            let (signer, key_id) = parts.split_at(usize::from(signer_len).min(parts.len()));
            module = body;
            signature.signer = (!signer.is_empty()).then(|| String::from_utf8_lossy(signer).into_owned());
            signature.key_id = (!key_id.is_empty()).then(|| hex(key_id));
            // enum pkey_hash_algo of the kernels that wrote this.
            signature.hash = ["md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224"]
                .get(usize::from(hash))
                .copied();
        }
        IdType::Unknown(_) => {}
    }
    Ok((module, Some(signature)))
}

/// What has to be verified of a signed module's file: what was signed, and what the key has made of it. `None`: it is not signed, or
/// by no message that can be read.
pub fn signed_parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (module, signature) = split(bytes).ok()?;
    signature.filter(|signature| signature.id_type == IdType::Pkcs7)?;
    let blob = bytes.get(module.len()..bytes.len().checked_sub(TRAILER + MARKER.len())?)?;
    Some((module, pkcs7::value(blob)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &[u8] = include_bytes!("testdata/issuer.p7");
    const KEYID: &[u8] = include_bytes!("testdata/keyid.p7");
    const ORG: &[u8] = include_bytes!("testdata/org.p7");
    const MODULE: &[u8] = b"\x7fELF, were this a module";
    pub const CERTIFICATE: &[u8] = include_bytes!("testdata/key.der");

    /// Made with the key of [`CERTIFICATE`].
    pub fn signature_of(file: &str) -> Signature {
        let blob: &[u8] = match file {
            "by-issuer" => include_bytes!("testdata/by-issuer.p7"),
            _ => include_bytes!("testdata/by-key-id.p7"),
        };
        signature(&signed(blob))
    }

    fn signed_as(record: [u8; 8], blob: &[u8]) -> Vec<u8> {
        let len = u32::try_from(blob.len()).unwrap();
        [MODULE, blob, &record, &len.to_be_bytes(), MARKER].concat()
    }

    fn signed(blob: &[u8]) -> Vec<u8> {
        signed_as([0, 0, 2, 0, 0, 0, 0, 0], blob)
    }

    fn signature(bytes: &[u8]) -> Signature {
        let (module, signature) = split(bytes).unwrap();
        assert_eq!(module, MODULE);
        signature.unwrap()
    }

    /// The expected values are what `modinfo -F signer|sig_key|sig_hashalgo` of kmod 30 prints for a module signed like this.
    #[test]
    fn issuer_and_serial() {
        let s = signature(&signed(ISSUER));
        assert_eq!(s.id_type, IdType::Pkcs7);
        assert_eq!(s.signer.as_deref(), Some("Example Drivers signing key"));
        assert_eq!(s.key_id.as_deref(), Some("F1:E2:D3:C4:B5:A6:97:88"));
        assert_eq!(s.hash, Some("sha256"));

        let s = signature(&signed(ORG));
        assert_eq!(
            (s.signer.as_deref(), s.key_id.as_deref(), s.hash),
            (Some("Only Org"), Some("01:02"), Some("sha384"))
        );
    }

    /// kmod 30 shows nothing at all here; the key id is what `openssl x509 -ext subjectKeyIdentifier` prints.
    #[test]
    fn key_id() {
        let s = signature(&signed(KEYID));
        assert_eq!(s.signer, None);
        assert_eq!(s.key_id.as_deref(), Some("8E:91:35:9D:B6:D8:E5:48:E1:68:28:03:AE:C6:59:EF:33:72:62:A8"));
        assert_eq!(s.hash, Some("sha512"));
    }

    #[test]
    fn the_old_kind_names_its_key_in_clear() {
        let mut bytes = [MODULE, b"Some: key", b"\x01\xab", b"RSA"].concat();
        bytes.extend([1, 4, 1, 9, 2, 0, 0, 0, 0, 0, 0, 3]);
        bytes.extend(MARKER);
        let s = signature(&bytes);
        assert_eq!(s.id_type, IdType::X509);
        assert_eq!(
            (s.signer.as_deref(), s.key_id.as_deref(), s.hash),
            (Some("Some: key"), Some("01:AB"), Some("sha256"))
        );
    }

    #[test]
    fn what_is_signed_and_the_value() {
        let whole = signed(ISSUER);
        let (module, value) = signed_parts(&whole).unwrap();
        assert_eq!((module, value.len()), (MODULE, 256));
        assert!(ISSUER.ends_with(value) && signed_parts(MODULE).is_none());
    }

    #[test]
    fn unsigned() {
        for bytes in [&b""[..], MODULE, &MARKER[1..]] {
            assert_eq!(split(bytes), Ok((bytes, None)));
        }
    }

    #[test]
    fn records_that_do_not_fit() {
        assert_eq!(split(MARKER), Ok((MARKER, None)));
        assert_eq!(split(&[&[0; 11], MARKER].concat()), Err(SignatureError::Cut { have: 11 }));
        assert_eq!(split(&[&[0; 12], MARKER].concat()), Err(SignatureError::Size { claimed: 0, have: 0 }));
        let huge = [MODULE, &[0, 0, 2, 0, 0, 0, 0, 0, 255, 255, 255, 255], MARKER].concat();
        assert_eq!(split(&huge), Err(SignatureError::Size { claimed: 0xffff_ffff, have: MODULE.len() }));
        assert_eq!(split(&signed_as([0, 4, 2, 0, 0, 0, 0, 0], ISSUER)), Err(SignatureError::Fields));
        assert_eq!(split(&signed_as([0, 0, 2, 0, 0, 0, 0, 1], ISSUER)), Err(SignatureError::Fields));
        assert_eq!(signature(&signed_as([0, 0, 77, 0, 0, 0, 0, 0], ISSUER)).id_type, IdType::Unknown(77));
    }

    /// `asn1_ber_decoder`: a length that leads past the end is refused, wherever the message was cut.
    #[test]
    fn a_message_that_breaks_off_is_refused() {
        for blob in [ISSUER, KEYID, ORG] {
            for end in 0..blob.len() {
                assert_eq!(split(&signed(&blob[..end])), Err(SignatureError::Message), "{end}");
            }
        }
    }

    /// Found by `cargo xtask judge`: the kernel refuses these (EBADMSG) even where it enforces no signatures.
    #[test]
    fn what_is_no_message_is_refused() {
        let deep = [0x30, 0x80].repeat(5000);
        let nested: Vec<u8> = (0..2000).fold(vec![], |inner: Vec<u8>, _| {
            let len = u16::try_from(inner.len()).unwrap().to_be_bytes();
            [&[0x30, 0x82, len[0], len[1]], &inner[..]].concat()
        });
        for blob in [&b""[..], b"rubbish", b"\x30", b"\x30\xff", &deep, &nested, &ISSUER[1..]] {
            assert_eq!(split(&signed(blob)), Err(SignatureError::Message));
        }
    }

    #[test]
    fn cut_and_damaged_input_never_panics() {
        for blob in [ISSUER, KEYID, ORG] {
            for end in 0..blob.len() {
                let _ = split(&signed(&blob[..end]));
            }
            let whole = signed(blob);
            for end in 0..whole.len() {
                let _ = split(&whole[..end]);
            }
            let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
            for _ in 0..20_000 {
                let mut bytes = whole.clone();
                for _ in 0..4 {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    let at = usize::try_from(seed >> 16).unwrap() % (bytes.len() - MARKER.len());
                    bytes[at] = seed.to_le_bytes()[0];
                }
                let _ = split(&bytes);
            }
        }
    }
}
