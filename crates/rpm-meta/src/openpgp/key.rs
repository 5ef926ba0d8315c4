// SPDX-License-Identifier: LGPL-2.1-or-later
//! A public key: its fingerprint, whose it is, and until when.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::packet::{self, Bytes};
use super::{Issuer, LIMIT, Malformed, Signature, armor, hex};

/// More names of one key are left out, and longer ones.
const USER_IDS: usize = 64;
const USER_ID: usize = 2048;

/// The most keys of one file that are read.
const KEYS: usize = 1000;

/// A signature of these kinds says of a key until when it is valid: with a name (0x10 to 0x13), or alone.
const ABOUT_KEY: u8 = 0x1f;
const KEY_REVOKED: u8 = 0x20;

/// A public key. What is said in it is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its fingerprint, in capital hexadecimal digits: 40, or 64 of a key of version 6.
    pub fingerprint: String,
    /// When it was made, in seconds since 1970.
    pub created: u32,
    /// Until when it is valid, in seconds since 1970; `None`: for ever.
    pub expires: Option<u64>,
    /// Its owner has revoked it.
    pub is_revoked: bool,
    /// Whose it is, as its owner says: mostly `Name <address>`. Bytes that are no text are replaced; other characters may be
    /// anything.
    pub user_ids: Vec<String>,
    /// Keys that it answers for, such as one for signatures only.
    pub subkeys: Vec<Subkey>,
}

/// A key that another one answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subkey {
    /// As [`Key::fingerprint`].
    pub fingerprint: String,
    /// As [`Key::expires`].
    pub expires: Option<u64>,
    created: u32,
}

impl Key {
    /// The keys in a file, as text (one block or several) or binary. Keys before version 4, which rpm does not take either,
    /// are left out.
    ///
    /// # Errors
    /// What is wrong with the file, or that there is no key in it.
    pub fn read_all(file: &[u8]) -> Result<Vec<Self>, Malformed> {
        if file.len() > LIMIT {
            return Err(Malformed("it is larger than a key file of 1 MiB"));
        }
        let mut keys: Vec<Self> = Vec::new();
        for block in armor::blocks(file)? {
            // False: what follows belongs to a key that is left out.
            let mut is_of_key = false;
            let mut is_of_subkey = false;
            for (kind, body) in packet::packets(&block)? {
                if kind == packet::KEY {
                    let made = Self::of_body(body)?;
                    is_of_key = made.is_some();
                    is_of_subkey = false;
                    keys.extend(made);
                    if keys.len() > KEYS {
                        return Err(Malformed("it has more than 1000 keys"));
                    }
                } else if let Some(key) = keys.last_mut().filter(|_| is_of_key) {
                    is_of_subkey |= kind == packet::SUBKEY;
                    key.take(kind, body, is_of_subkey)?;
                }
            }
        }
        if keys.is_empty() { Err(Malformed("there is no public key in it")) } else { Ok(keys) }
    }

    fn of_body(body: &[u8]) -> Result<Option<Self>, Malformed> {
        Ok(identity(body)?.map(|(fingerprint, created)| Self {
            fingerprint,
            created,
            expires: None,
            is_revoked: false,
            user_ids: Vec::new(),
            subkeys: Vec::new(),
        }))
    }

    fn take(&mut self, kind: u8, body: &[u8], is_of_subkey: bool) -> Result<(), Malformed> {
        match kind {
            packet::USER_ID if self.user_ids.len() < USER_IDS && body.len() <= USER_ID => {
                self.user_ids.push(String::from_utf8_lossy(body).into_owned());
            }
            packet::SUBKEY if self.subkeys.len() < KEYS => {
                self.subkeys.extend(identity(body)?.map(|(fingerprint, created)| Subkey {
                    fingerprint,
                    expires: None,
                    created,
                }));
            }
            packet::SIGNATURE => {
                // Signatures of a kind that is not known say nothing.
                let Ok(signature) = Signature::of_body(body) else { return Ok(()) };
                let is_own = signature.issuer.as_ref().is_some_and(|issuer| self.is(issuer));
                let lifetime = signature.key_lifetime.filter(|seconds| *seconds > 0);
                let until = |created: u32| lifetime.map(|seconds| u64::from(created) + u64::from(seconds));
                match (signature.kind, is_of_subkey) {
                    _ if !is_own => {}
                    (0x10..=0x13 | ABOUT_KEY, false) => self.expires = until(self.created).or(self.expires),
                    (KEY_REVOKED, false) => self.is_revoked = true,
                    (0x18, true) => {
                        if let Some(subkey) = self.subkeys.last_mut() {
                            subkey.expires = until(subkey.created);
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Is it the key itself that this names?
    fn is(&self, issuer: &Issuer) -> bool {
        names(issuer, &self.fingerprint)
    }

    /// Was a signature of this issuer made by this key, or by one that it answers for?
    pub fn made(&self, issuer: &Issuer) -> bool {
        self.is(issuer) || self.subkeys.iter().any(|subkey| names(issuer, &subkey.fingerprint))
    }

    /// Had it expired at this time (in seconds since 1970)? That of the subkey, where it is that which the issuer names.
    pub fn had_expired(&self, issuer: &Issuer, time: u64) -> bool {
        let subkey = self.subkeys.iter().find(|subkey| names(issuer, &subkey.fingerprint));
        let ends = [self.expires, subkey.and_then(|subkey| subkey.expires)];
        ends.into_iter().flatten().any(|end| end <= time)
    }
}

/// The ID is the end of a fingerprint of version 4, and the beginning of later ones.
fn names(issuer: &Issuer, fingerprint: &str) -> bool {
    match issuer {
        Issuer::Fingerprint(digits) => digits == fingerprint,
        Issuer::Id(digits) if fingerprint.len() == 40 => fingerprint.ends_with(digits.as_str()),
        Issuer::Id(digits) => fingerprint.starts_with(digits.as_str()),
    }
}

/// The fingerprint of a key's packet, and when the key was made. `None`: it is of a version without a sound one.
fn identity(body: &[u8]) -> Result<Option<(String, u32)>, Malformed> {
    let mut rest = Bytes(body);
    let version = rest.byte()?;
    let created = rest.number(4)?;
    let too_long = |_| Malformed("a key in it is too long");
    let fingerprint = match version {
        4 => {
            let length = u16::try_from(body.len()).map_err(too_long)?;
            hex(&Sha1::new()
                .chain_update([0x99])
                .chain_update(length.to_be_bytes())
                .chain_update(body)
                .finalize())
        }
        6 => {
            let length = u32::try_from(body.len()).map_err(too_long)?;
            hex(&Sha256::new()
                .chain_update([0x9b])
                .chain_update(length.to_be_bytes())
                .chain_update(body)
                .finalize())
        }
        _ => return Ok(None),
    };
    Ok(Some((fingerprint, created)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[0xc0 | kind, 255][..], &(body.len() as u32).to_be_bytes(), body].concat()
    }

    /// A key of version 4 made at second 1000, which its owner says is valid for 50 seconds, and a subkey for ever.
    fn key() -> Vec<u8> {
        let main = [&[4, 0, 0, 3, 232, 1][..], b"numbers"].concat();
        let id = hex(&Sha1::new().chain_update([0x99, 0, main.len() as u8]).chain_update(&main).finalize());
        let id: Vec<u8> =
            (24..40).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect();
        let about = |kind: u8, fields: &[u8]| {
            let issuer = [&[9, 16][..], &id].concat();
            let hashed = [fields, &issuer].concat();
            packet(2, &[&[4, kind, 1, 8, 0, hashed.len() as u8][..], &hashed, &[0, 0]].concat())
        };
        let lifetime = [5, 9, 0, 0, 0, 50];
        [
            packet(6, &main),
            packet(13, b"A <a@b>"),
            about(0x13, &lifetime),
            packet(14, &[&main[..], b"2"].concat()),
            about(0x18, &[]),
        ]
        .concat()
    }

    #[test]
    fn a_key_has_a_name_an_end_and_subkeys() {
        let keys = Key::read_all(&key()).unwrap();
        let [key] = keys.as_slice() else { panic!("{keys:?}") };
        assert_eq!((key.created, key.expires, key.is_revoked), (1000, Some(1050), false));
        assert_eq!((&key.user_ids[..], key.subkeys.len()), (&["A <a@b>".to_string()][..], 1));
        let by = |digits: &str| Issuer::Fingerprint(digits.into());
        let (own, sub) = (by(&key.fingerprint), by(&key.subkeys[0].fingerprint));
        let id = Issuer::Id(key.fingerprint[24..].into());
        assert!(key.made(&own) && key.made(&sub) && key.made(&id) && !key.made(&by("")));
        assert!(key.had_expired(&own, 1050) && !key.had_expired(&own, 1049));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = key();
        for len in 0..good.len() {
            let _ = Key::read_all(&good[..len]);
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut changed = good.clone();
                changed[len] = value;
                let _ = (Key::read_all(&changed), Signature::read(&changed));
            }
        }
        assert!(Key::read_all(&vec![0xff; LIMIT + 1]).is_err());
    }
}
