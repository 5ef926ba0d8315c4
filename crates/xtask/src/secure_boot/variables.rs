// SPDX-License-Identifier: LGPL-2.1-or-later
//! Variables of UEFI in the file that OVMF keeps them in: a machine is given keys before it is switched on. virt-firmware does this and
//! much more, but is in no release of Debian that has these packages.

use kmp_core::abi::signature::Listed;

use crate::judge::run::Result;

/// Where shim's variables are, as GUIDs lie in memory.
const SHIM: [u8; 16] =
    [0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43, 0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23];
/// `EFI_SIGNATURE_LIST`s, one for each entry.
pub fn lists(entries: &[Listed<'_>]) -> Vec<u8> {
    let list = |entry: &Listed<'_>| {
        let data = match entry {
            Listed::Certificate(der) => der.to_vec(),
            Listed::File(digest) => digest.to_vec(),
            // Behind it is the time from which on it is revoked: from the first.
            Listed::ToBeSigned(digest) => [digest.as_slice(), &[0; 16]].concat(),
        };
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let each = 16 + data.len();
        [&entry.kind()[..], &number(28 + each), &number(0), &number(each), &SHIM, &data].concat()
    };
    entries.iter().flat_map(list).collect()
}

/// Bytes of a variable store's head and of a variable's (`VARIABLE_STORE_HEADER`, `AUTHENTICATED_VARIABLE_HEADER`).
const STORE_HEAD: usize = 28;
const HEAD: usize = 60;
/// What a variable begins with, and its state: complete, and there.
const START: [u8; 2] = [0xaa, 0x55];
const ADDED: u8 = 0x3f;
/// It is kept, and not to be seen once the boot loader has gone: shim believes in no other.
const BOOT_SERVICES: u32 = 3;

/// Adds a variable of shim's behind those that there are.
///
/// # Errors
/// The file is no variable store, or full.
pub fn add(store: &mut [u8], name: &str, data: &[u8]) -> Result<()> {
    let number = |store: &[u8], at: usize| -> Result<usize> {
        let bytes = store.get(at..at + 4).ok_or("the variable store is cut off")?;
        Ok(usize::try_from(u32::from_le_bytes(bytes.try_into()?))?)
    };
    // The firmware volume's own head says how long it is.
    let volume = number(store, 48)? & 0xffff;
    if store.get(40..44) != Some(b"_FVH") {
        return Err("this is no firmware volume".into());
    }
    let end = volume + number(store, volume + 16)?;
    let mut at = (volume + STORE_HEAD).next_multiple_of(4);
    while store.get(at..at + 2) == Some(&START) {
        at = (at + HEAD + number(store, at + 36)? + number(store, at + 40)?).next_multiple_of(4);
    }
    let name: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).map(u32::to_le_bytes);
    // No count, no time and no key: those are of variables that are changed by signed ones.
    let variable = [
        &START[..],
        &[ADDED, 0],
        &BOOT_SERVICES.to_le_bytes(),
        &[0; 28],
        &size(&name)?,
        &size(data)?,
        &SHIM,
        &name,
        data,
    ]
    .concat();
    let place = store
        .get_mut(at..at + variable.len())
        .filter(|place| at + variable.len() <= end && place.iter().all(|byte| *byte == 0xff));
    place.ok_or("the variable store is full")?.copy_from_slice(&variable);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_added_one_behind_the_other() {
        let mut store = vec![0xff; 1000];
        store[40..44].copy_from_slice(b"_FVH");
        store[48..52].copy_from_slice(&[0x48, 0, 0, 0]);
        store[0x48 + 16..0x48 + 20].copy_from_slice(&400u32.to_le_bytes());
        add(&mut store, "MokList", b"12345").unwrap();
        add(&mut store, "MokListX", b"6").unwrap();
        let first = 0x48 + STORE_HEAD;
        assert_eq!(&store[first + HEAD..][..4], b"M\0o\0");
        assert_eq!(&store[first + HEAD + 16..][..5], b"12345");
        let second = (first + HEAD + 16 + 5).next_multiple_of(4);
        assert_eq!((&store[second..second + 2], store[second + 40]), (&START[..], 1));
        let full = add(&mut store, "Large", &[0; 300]).unwrap_err();
        assert!(full.to_string().contains("full"));
        assert!(add(&mut [0; 60], "x", b"").is_err());
    }
}
