// SPDX-License-Identifier: LGPL-2.1-or-later
//! By whose key a package file is signed, and whether it is whole.
//!
//! What librpm prints of it differs from version to version, and so does what it lets pass: rpm 4.18 takes an unsigned package for
//! a good one, and so does rpm 6 where it is configured to. What holds in all of them: the code with which a header is read
//! when nothing is left out, and the payload's digest, which is in the header that is signed. A package is signed, in a way
//! that this rpm looks at, if without any keys one is found missing.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use rpm_meta::openpgp::{Issuer, Key, Signature};
use rpm_meta::signature_header::{self, SIGNATURE_HEADER};
use sha2::{Digest, Sha256};

use crate::ffi::{
    PGPHASHALGO_SHA256, RPMRC_FAIL, RPMRC_NOKEY, RPMRC_NOTFOUND, RPMRC_NOTTRUSTED, RPMRC_OK, RPMVSF_ALL, tag,
};
use crate::header::{Header, from_hex};
use crate::package_file::{OwnedKeyring, open_file, verify_header};
use crate::{Error, Librpm, TrustedKeys};

/// How much of a payload is read at once.
const PART: usize = 128 << 10;

/// Whether a package file may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// It is whole, and signed with a key that rpm trusts.
    Good,
    /// It is signed, by a key that rpm does not have: whether the signature is good is not known.
    UnknownKey,
    /// It is signed by a key that rpm has and does not trust for this: one that had expired or was revoked.
    NotTrusted,
    /// It has no signature that this rpm knows of.
    Unsigned,
    /// Its signature is good, but covers no digest of the payload that can be checked: the package was made by an rpm before 4.14.
    Uncovered,
    /// It is not what it was when it was made.
    Corrupt,
}

/// Who signed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key, as the signature names it.
    pub issuer: Option<Issuer>,
    /// When, in seconds since 1970.
    pub created: Option<u32>,
    /// The key, if rpm has it.
    pub key: Option<Key>,
}

/// What was found out about a package file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whether it may be trusted.
    pub trust: Trust,
    /// Who signed it. Unless it is to be trusted, these only say so.
    pub signers: Vec<Signer>,
    /// Why it is corrupt, or not trusted, for people: librpm's words where it has some.
    pub why: Option<String>,
}

impl Librpm {
    /// Verifies a package file: its header's digests and signature by the keys in `keys`, and its payload by the digest in the
    /// header. Reads the whole file; only a regular one.
    ///
    /// # Errors
    /// It cannot be read, or is no package at all.
    pub fn verify(&self, path: &Path, keys: &TrustedKeys) -> Result<Verified, Error> {
        self.verify_as_far(path, keys, true)
    }

    /// Verifies only a package's header, of a file that may end behind it: [`Trust::Good`] says nothing of the payload then, but that
    /// the header says what it has to be.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_header(&self, path: &Path, keys: &TrustedKeys) -> Result<Verified, Error> {
        self.verify_as_far(path, keys, false)
    }

    fn verify_as_far(&self, path: &Path, keys: &TrustedKeys, is_whole: bool) -> Result<Verified, Error> {
        let functions = self.package_functions()?;
        let unreadable = |source| Error::UnreadablePackage { path: path.to_owned(), source };
        let broken =
            |reason: String| Error::Package { what: "the header".into(), path: path.to_owned(), reason };
        let file = open_file(path)?;
        let read = |keys: &OwnedKeyring| {
            (&file).rewind().map_err(unreadable)?;
            let (read, errors) = self.listen(|| verify_header(*self, functions, &file, keys, RPMVSF_ALL));
            let (code, header) = read.map_err(broken)?;
            Ok((code, header, errors))
        };
        let is_signed = read(&self.no_keys()?.raw)?.0 == RPMRC_NOKEY;
        let (code, header, errors) = read(&keys.raw)?;
        let header = match (code, header) {
            (RPMRC_NOTFOUND, _) => return Err(broken("it is not an rpm package".into())),
            (RPMRC_OK | RPMRC_NOKEY | RPMRC_NOTTRUSTED, Some(header)) => header,
            (RPMRC_FAIL, _) => {
                let why = errors.unwrap_or_else(|| "its header is damaged".into());
                return Ok(Verified { trust: Trust::Corrupt, signers: Vec::new(), why: Some(why) });
            }
            (code, _) => return Err(broken(errors.unwrap_or_else(|| format!("librpm says {code}")))),
        };
        // SAFETY: `header` lives until the end of this function.
        let fields = unsafe { Header::new(*self, header.raw) };
        let payload = match payload_digest(&fields) {
            None => Payload::Unknown,
            Some(_) if !is_whole => Payload::Whole,
            Some(wanted) => check_payload(&file, &wanted).map_err(unreadable)?,
        };
        let signers = if is_signed { signers(&file, keys).map_err(unreadable)? } else { Vec::new() };
        let (trust, why) = match (code, payload) {
            (_, Payload::Changed) => {
                (Trust::Corrupt, Some("its contents are not those that its header was made for".into()))
            }
            _ if !is_signed => (Trust::Unsigned, None),
            (RPMRC_NOKEY, _) => (Trust::UnknownKey, None),
            (RPMRC_NOTTRUSTED, _) => (Trust::NotTrusted, signers.iter().find_map(of_no_use).or(errors)),
            _ => match signers.iter().find_map(of_no_use) {
                Some(why) => (Trust::NotTrusted, Some(why)),
                None if payload == Payload::Unknown => (Trust::Uncovered, None),
                None => (Trust::Good, None),
            },
        };
        Ok(Verified { trust, signers, why })
    }
}

/// Who signed the header, by the signatures in the file. Which of several librpm has verified is not known.
fn signers(file: &File, keys: &TrustedKeys) -> io::Result<Vec<Signer>> {
    let mut file = file;
    file.rewind()?;
    let mut beginning = Vec::new();
    file.take(SIGNATURE_HEADER as u64).read_to_end(&mut beginning)?;
    // librpm has read them; what is only for people may lack.
    let signatures = signature_header::signatures(&beginning).unwrap_or_default();
    let mut signers: Vec<Signer> = Vec::new();
    for signature in signatures {
        let read = Signature::read(&signature).ok();
        let issuer = read.as_ref().and_then(|read| read.issuer.clone());
        let key = issuer.as_ref().and_then(|issuer| keys.of(issuer)).cloned();
        let signer = Signer { issuer, created: read.and_then(|read| read.created), key };
        // rpm 6 keeps one for older versions as well.
        if !signers.contains(&signer) {
            signers.push(signer);
        }
    }
    Ok(signers)
}

/// Not every rpm asks whether a key was still valid.
fn of_no_use(signer: &Signer) -> Option<String> {
    let (key, issuer) = (signer.key.as_ref()?, signer.issuer.as_ref()?);
    if key.is_revoked {
        return Some("the key was revoked by its owner".into());
    }
    let had_expired = signer.created.is_some_and(|time| key.had_expired(issuer, time.into()));
    had_expired.then(|| "the key had expired when the package was signed".into())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Payload {
    Whole,
    Changed,
    /// The header does not say what it should be.
    Unknown,
}

/// The payload's SHA-256 in hexadecimal digits, where the header has it.
fn payload_digest(header: &Header<'_>) -> Option<String> {
    let algorithm = header.number(tag::PAYLOADDIGESTALGO).unwrap_or(PGPHASHALGO_SHA256);
    header.strings(tag::PAYLOADDIGEST).into_iter().next().filter(|_| algorithm == PGPHASHALGO_SHA256)
}

/// Reads the file from where it stands, behind the header, to its end.
fn check_payload(file: &File, wanted: &str) -> io::Result<Payload> {
    let mut file = file;
    let mut digest = Sha256::new();
    let mut part = vec![0; PART];
    loop {
        match file.read(&mut part) {
            Ok(0) => break,
            Ok(len) => digest.update(&part[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let is_same = from_hex(wanted.as_bytes()).is_some_and(|wanted| wanted == digest.finalize().as_slice());
    Ok(if is_same { Payload::Whole } else { Payload::Changed })
}
