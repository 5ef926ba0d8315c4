// SPDX-License-Identifier: LGPL-2.1-or-later
//! Verifies what a key has made of a module. Pure.

use kmp_core::abi::signature::PublicKey;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0, 34];

/// Was `value` made with `key`, of a digest of `module` by the kernel's name `hash`? `None`: such keys and digests cannot be
/// verified here (SHA-1, SHA-3, SM3, Streebog, P-521, ML-DSA).
pub(super) fn is_made_with(key: &PublicKey, hash: &str, module: &[u8], value: &[u8]) -> Option<bool> {
    let algorithm: &dyn VerificationAlgorithm = match (&*key.algorithm, key.curve.as_deref(), hash) {
        (RSA, _, "sha256") => &signature::RSA_PKCS1_2048_8192_SHA256,
        (RSA, _, "sha384") => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RSA, _, "sha512") => &signature::RSA_PKCS1_2048_8192_SHA512,
        (ELLIPTIC, Some(P256), "sha256") => &signature::ECDSA_P256_SHA256_ASN1,
        (ELLIPTIC, Some(P256), "sha384") => &signature::ECDSA_P256_SHA384_ASN1,
        (ELLIPTIC, Some(P384), "sha256") => &signature::ECDSA_P384_SHA256_ASN1,
        (ELLIPTIC, Some(P384), "sha384") => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return None,
    };
    Some(UnparsedPublicKey::new(algorithm, &key.bytes).verify(module, value).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmp_core::abi::signature::{Certificate, MARKER, signed_parts, split};

    const MODULE: &[u8] = b"what a module is, were it one";

    /// Signed by openssl, see kmod-abi's testdata.
    fn made_with(blob: &[u8], certificate: &[u8], changed: bool) -> Option<bool> {
        let length = u32::try_from(blob.len()).unwrap().to_be_bytes();
        let mut file = [MODULE, blob, &[0, 0, 2, 0, 0, 0, 0, 0], &length, MARKER].concat();
        file[0] ^= u8::from(changed);
        let hash = split(&file).unwrap().1.unwrap().hash.unwrap();
        let (module, value) = signed_parts(&file).unwrap();
        is_made_with(&Certificate::parse(certificate).unwrap().key, hash, module, value)
    }

    #[test]
    fn signatures_of_openssl_are_verified() {
        let (rsa, curve) = (
            include_bytes!("../../../kmod-abi/src/testdata/key.der"),
            include_bytes!("../../../kmod-abi/src/testdata/curve.der"),
        );
        let signatures: [(&[u8], &[u8]); 3] = [
            (include_bytes!("../../../kmod-abi/src/testdata/by-issuer.p7"), rsa),
            (include_bytes!("../../../kmod-abi/src/testdata/by-key-id.p7"), rsa),
            (include_bytes!("../../../kmod-abi/src/testdata/by-curve.p7"), curve),
        ];
        for (blob, certificate) in signatures {
            assert_eq!(made_with(blob, certificate, false), Some(true));
            assert_eq!(made_with(blob, certificate, true), Some(false));
            let other: &[u8] = if certificate == rsa { curve } else { rsa };
            assert_ne!(made_with(blob, other, false), Some(true));
        }
    }
}
