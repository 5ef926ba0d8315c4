// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packets, and the fields of signatures (subpackets).

use super::Malformed;

pub(super) const SIGNATURE: u8 = 2;
pub(super) const KEY: u8 = 6;
pub(super) const USER_ID: u8 = 13;
pub(super) const SUBKEY: u8 = 14;

/// More packets in one file are refused. A key with a thousand signatures of others has as many.
const MOST: usize = 20_000;

const CUT_OFF: Malformed = Malformed("it is cut off");

/// Takes bytes off a slice's front.
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of `len` bytes, four at most.
    pub(super) fn number(&mut self, len: usize) -> Result<u32, Malformed> {
        Ok(self.take(len)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    /// As many bytes as the number before them says, which has `len` bytes.
    pub(super) fn counted(&mut self, len: usize) -> Result<&'b [u8], Malformed> {
        let count = self.number(len)?;
        self.take(usize::try_from(count).map_err(|_| CUT_OFF)?)
    }

    /// A length in one, two or five bytes.
    fn length(&mut self) -> Result<usize, Malformed> {
        let first = self.number(1)?;
        let length = match first {
            0..192 => first,
            192..224 => ((first - 192) << 8) + self.number(1)? + 192,
            255 => self.number(4)?,
            // In parts: for encrypted data only.
            224.. => return Err(Malformed("a packet of it comes in parts")),
        };
        usize::try_from(length).map_err(|_| CUT_OFF)
    }
}

/// The packets in these bytes: the kind of each, and what is in it.
pub(super) fn packets(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>, Malformed> {
    let mut rest = Bytes(bytes);
    let mut found = Vec::new();
    while !rest.0.is_empty() {
        let first = rest.byte()?;
        let (kind, body) = match first {
            0..0x80 => return Err(Malformed("it is no OpenPGP data")),
            0x80..0xc0 => {
                let body = match first & 3 {
                    0 => rest.counted(1)?,
                    1 => rest.counted(2)?,
                    2 => rest.counted(4)?,
                    _ => return Err(Malformed("a packet of it has no length")),
                };
                (first >> 2 & 0xf, body)
            }
            0xc0.. => {
                let length = rest.length()?;
                (first & 0x3f, rest.take(length)?)
            }
        };
        if found.len() == MOST {
            return Err(Malformed("it has more packets than are read"));
        }
        found.push((kind, body));
    }
    Ok(found)
}

/// The fields of a signature: the kind of each (without the bit that says it has to be understood), and what is in it.
pub(super) fn fields(area: &[u8]) -> Result<Vec<(u8, &[u8])>, Malformed> {
    let mut rest = Bytes(area);
    let mut found = Vec::new();
    while !rest.0.is_empty() {
        let length = rest.length()?;
        let field = rest.take(length)?;
        let (kind, body) = field.split_first().ok_or(CUT_OFF)?;
        found.push((kind & 0x7f, body));
    }
    Ok(found)
}
