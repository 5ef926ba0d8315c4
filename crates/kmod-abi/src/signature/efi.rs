// SPDX-License-Identifier: LGPL-2.1-or-later
//! Lists of UEFI's variables (`EFI_SIGNATURE_LIST`, UEFI 2.10, 32.4.1): keys that are enrolled or wait for it, and what is revoked.

use kmp_steps as steps;

use super::Certificate;
use super::certificate::MOST;

/// What a list has of the kinds that kernels look at (`get_handler_for_dbx`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed<'a> {
    /// A certificate (`EFI_CERT_X509_GUID`), in DER.
    Certificate(&'a [u8]),
    /// The SHA-256 of a file (`EFI_CERT_SHA256_GUID`).
    File([u8; 32]),
    /// The SHA-256 of what is signed of a certificate (`EFI_CERT_X509_SHA256_GUID`), see [`Certificate::to_be_signed`].
    ToBeSigned([u8; 32]),
}

/// The kinds, as their GUIDs lie in memory.
const X509: [u8; 16] =
    [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
const SHA256: [u8; 16] =
    [0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28];
const X509_SHA256: [u8; 16] =
    [0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40, 0xb4, 0x20, 0xfc, 0xf9, 0x8e, 0xf1, 0x03, 0xed];

impl Listed<'_> {
    /// The kind of the list that it is in, a GUID as it lies in memory.
    pub const fn kind(&self) -> [u8; 16] {
        match self {
            Self::Certificate(_) => X509,
            Self::File(_) => SHA256,
            Self::ToBeSigned(_) => X509_SHA256,
        }
    }
}

/// The GUID of who has added an entry, which is before each.
const OWNER: usize = 16;

/// What is in lists that lie one after the other, as in `db`, `dbx`, `MokListRT` and `MokNew`; kinds that kernels pass over are left out.
/// `None`: they cannot be read to their end.
pub fn in_efi_lists(mut lists: &[u8]) -> Option<Vec<Listed<'_>>> {
    let mut found = Vec::new();
    while !lists.is_empty() {
        let (head, _) = lists.split_first_chunk::<28>()?;
        let number = |at: usize| {
            let bytes = head[at..at + 4].try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let (size, header, each) = (number(16)?, number(20)?, number(24)?);
        let (list, rest) = lists.split_at_checked(size).filter(|_| size >= 28)?;
        lists = rest;
        let entries = list.get(28_usize.checked_add(header)?..)?;
        let read: fn(&[u8]) -> Option<Listed<'_>> = match *head.first_chunk::<16>()? {
            X509 => |entry| Some(Listed::Certificate(entry)),
            SHA256 => |entry| entry.first_chunk().copied().map(Listed::File),
            // Behind it is the time of the revocation.
            X509_SHA256 => |entry| entry.first_chunk().copied().map(Listed::ToBeSigned),
            _ => continue,
        };
        if each <= OWNER || !entries.len().is_multiple_of(each) {
            return None;
        }
        for entry in entries.chunks_exact(each) {
            steps::count(1);
            found.push(read(&entry[OWNER..])?);
        }
    }
    Some(found)
}

/// The certificates in such lists, and each in DER. `None`: there are too many, or one cannot be read.
pub fn certificates<'a>(listed: &[Listed<'a>]) -> Option<Vec<(Certificate, &'a [u8])>> {
    let in_der = listed.iter().filter_map(|entry| match entry {
        Listed::Certificate(bytes) => Some(*bytes),
        _ => None,
    });
    let read = |bytes| Some((Certificate::parse(bytes)?, bytes));
    let found: Option<Vec<_>> = in_der.take(MOST + 1).map(read).collect();
    found.filter(|found| found.len() <= MOST)
}

#[cfg(test)]
mod tests {
    use super::super::tests::CERTIFICATE;
    use super::*;

    fn list(kind: [u8; 16], entries: &[&[u8]]) -> Vec<u8> {
        let each = entries.first().map_or(0, |entry| entry.len() + OWNER);
        let number = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
        let mut list = [&kind[..], &number(28 + each * entries.len()), &number(0), &number(each)].concat();
        entries.iter().for_each(|entry| list.extend([&[7; OWNER], *entry].concat()));
        list
    }

    #[test]
    fn each_kind_is_read_and_others_are_passed_over() {
        let (other, hashes) = (list([1; 16], &[&[0; 5]]), list(SHA256, &[&[2; 32], &[3; 32]]));
        let timed = list(X509_SHA256, &[&[[4; 32].as_slice(), &[0; 16]].concat()]);
        let whole = [other, hashes, list(X509, &[CERTIFICATE, CERTIFICATE]), timed].concat();
        let certificate = Listed::Certificate(CERTIFICATE);
        let all = [
            Listed::File([2; 32]),
            Listed::File([3; 32]),
            certificate,
            certificate,
            Listed::ToBeSigned([4; 32]),
        ];
        assert_eq!(in_efi_lists(&whole).unwrap(), all);
        assert_eq!(certificates(&all).unwrap().len(), 2);
        assert_eq!(in_efi_lists(&[]), Some(Vec::new()));
        assert_eq!(certificates(&[Listed::Certificate(b"no certificate")]), None);
        assert_eq!(certificates(&[certificate; MOST + 1]), None);
        assert_eq!(in_efi_lists(&list(SHA256, &[&[2; 31]])), None);
        let whole = list(X509, &[CERTIFICATE]);
        (1..whole.len()).for_each(|end| assert_eq!(in_efi_lists(&whole[..end]), None, "{end}"));
    }
}
