// SPDX-License-Identifier: LGPL-2.1-or-later
//! The signatures that a package file has of its header. They are read from the file itself: once librpm has merged both
//! headers, a tag of the one that was signed could pass for a signature.

use crate::openpgp::{Malformed, from_base64};

/// How many bytes of a file are enough for [`signatures`].
pub const SIGNATURE_HEADER: usize = LEAD + 1024 * 1024;

/// What comes before the signature header.
const LEAD: usize = 96;

const MAGIC: &[u8] = b"\x8e\xad\xe8\x01";

/// Tags of signatures of the header: DSA (and EdDSA, ECDSA), RSA; a list of any kind, since rpm 6.
const DSA: u32 = 267;
const RSA: u32 = 268;
const OPENPGP: u32 = 278;

const BINARY: u32 = 7;
const STRINGS: u32 = 8;

/// The OpenPGP signatures of the header, each as rpm keeps it. `file`: the beginning of the package file.
///
/// # Errors
/// It is no package file, or its signature header is damaged or larger than [`SIGNATURE_HEADER`].
pub fn signatures(file: &[u8]) -> Result<Vec<Vec<u8>>, Malformed> {
    let damaged = Malformed("the signature header is damaged");
    let header = file.get(LEAD..).and_then(|rest| rest.strip_prefix(MAGIC)).ok_or(damaged.clone())?;
    let count = usize::try_from(number(header, 4).ok_or(damaged.clone())?).map_err(|_| damaged.clone())?;
    let size = usize::try_from(number(header, 8).ok_or(damaged.clone())?).map_err(|_| damaged.clone())?;
    let data = count.checked_mul(16).and_then(|len| len.checked_add(12)).ok_or(damaged.clone())?;
    let entries = header.get(12..data).ok_or(damaged.clone())?;
    let end = data.checked_add(size).ok_or(damaged.clone())?;
    let data = header.get(data..end).ok_or(damaged.clone())?;
    let mut found = Vec::new();
    for entry in entries.chunks_exact(16) {
        let field = |at| number(entry, at).ok_or(damaged.clone());
        let (tag, kind) = (field(0)?, field(4)?);
        let (start, count) = (field(8)? as usize, field(12)? as usize);
        match (tag, kind) {
            (DSA | RSA, BINARY) => {
                let bytes = data.get(start..).and_then(|data| data.get(..count)).ok_or(damaged.clone())?;
                found.push(bytes.to_vec());
            }
            (OPENPGP, STRINGS) => {
                let texts = data.get(start..).ok_or(damaged.clone())?.split(|byte| *byte == 0).take(count);
                for text in texts {
                    found.push(from_base64(&String::from_utf8_lossy(text))?);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..)?.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &[[u32; 4]], data: &[u8]) -> Vec<u8> {
        let mut file = vec![0; LEAD];
        file.extend(MAGIC);
        let numbers = [0, entries.len() as u32, data.len() as u32];
        numbers.iter().chain(entries.iter().flatten()).for_each(|n| file.extend(n.to_be_bytes()));
        file.extend(data);
        file
    }

    #[test]
    fn signatures_of_all_three_tags_are_found() {
        let entries = [[RSA, BINARY, 1, 2], [1000, BINARY, 0, 9], [OPENPGP, STRINGS, 4, 2], [DSA, 6, 0, 1]];
        let found = signatures(&file(&entries, b"-ab-Zm9v\0YmFy\0rest")).unwrap();
        assert_eq!(found, [&b"ab"[..], b"foo", b"bar"]);
        assert_eq!(signatures(&file(&[], b"")).unwrap(), [b""; 0]);
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_size_is_an_error() {
        let good = file(&[[RSA, BINARY, 1, 2]], b"-ab-");
        for len in 0..good.len() {
            assert!(signatures(&good[..len]).is_err(), "{len}");
        }
        for entry in [[RSA, BINARY, 3, 2], [RSA, BINARY, u32::MAX, 1], [RSA, BINARY, 0, u32::MAX]] {
            assert!(signatures(&file(&[entry], b"-ab-")).is_err(), "{entry:?}");
        }
        let mut many = good.clone();
        many[LEAD + 8..LEAD + 12].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(signatures(&many).is_err());
    }
}
