// SPDX-License-Identifier: LGPL-2.1-or-later
//! A signature: by which key, and when.

use super::packet::{self, Bytes, fields};
use super::{Malformed, hex};

/// Which key made a signature.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Issuer {
    /// Its fingerprint, in capital hexadecimal digits.
    Fingerprint(String),
    /// Only its ID, the 16 digits that others may have as well.
    Id(String),
}

impl Issuer {
    /// The digits.
    pub fn digits(&self) -> &str {
        match self {
            Self::Fingerprint(digits) | Self::Id(digits) => digits,
        }
    }
}

/// What a signature says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Who made it, as far as it says so.
    pub issuer: Option<Issuer>,
    /// When, in seconds since 1970.
    pub created: Option<u32>,
    /// What it is for: 0 for a file; others are about keys.
    pub(super) kind: u8,
    /// Of one about a key: how long that is valid, in seconds from its creation; 0: for ever.
    pub(super) key_lifetime: Option<u32>,
}

impl Signature {
    /// Reads a signature's packet, or the first signature in a sequence of packets.
    ///
    /// # Errors
    /// It is none.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let packets = packet::packets(bytes)?;
        let found = packets.into_iter().find(|(kind, _)| *kind == packet::SIGNATURE);
        Self::of_body(found.ok_or(Malformed("there is no signature in it"))?.1)
    }

    pub(super) fn of_body(body: &[u8]) -> Result<Self, Malformed> {
        let mut rest = Bytes(body);
        let version = rest.byte()?;
        if version == 3 {
            rest.byte()?;
            let kind = rest.byte()?;
            let created = Some(rest.number(4)?);
            let issuer = Some(Issuer::Id(hex(rest.take(8)?)));
            return Ok(Self { issuer, created, kind, key_lifetime: None });
        }
        let width = match version {
            4 => 2,
            6 => 4,
            _ => return Err(Malformed("the signature is of an unknown version")),
        };
        let mut signature = Self { issuer: None, created: None, kind: rest.byte()?, key_lifetime: None };
        rest.take(2)?;
        // What is signed counts before what anybody may have added.
        for area in [rest.counted(width)?, rest.counted(width)?] {
            for (kind, body) in fields(area)? {
                signature.take(kind, body);
            }
        }
        Ok(signature)
    }

    fn take(&mut self, kind: u8, body: &[u8]) {
        let number = || <[u8; 4]>::try_from(body).ok().map(u32::from_be_bytes);
        match kind {
            2 => self.created = self.created.or_else(number),
            9 => self.key_lifetime = self.key_lifetime.or_else(number),
            16 if body.len() == 8 && self.issuer.is_none() => self.issuer = Some(Issuer::Id(hex(body))),
            33 if body.len() > 20 && !matches!(self.issuer, Some(Issuer::Fingerprint(_))) => {
                self.issuer = Some(Issuer::Fingerprint(hex(&body[1..])));
            }
            _ => {}
        }
    }
}
