// SPDX-License-Identifier: LGPL-2.1-or-later
//! Signatures: sound ones, and each of their fields wrong.

use std::path::Path;

use super::copy;
use crate::judge::cases::Spec;
use crate::judge::edit::Edit;
use crate::judge::own::kernel::Small;
use crate::judge::own::signing::{self, Keys};
use crate::judge::run::Result;

const MARKER: &[u8] = b"~Module signature appended~\n";
/// Size of the record before it.
const RECORD: usize = 12;

/// A record with these first eight bytes, of a signature of that many.
fn record(fields: [u8; 8], length: u32) -> Vec<u8> {
    [&fields[..], &length.to_be_bytes(), MARKER].concat()
}

/// For a PKCS#7 message.
const PKCS7: [u8; 8] = [0, 0, 2, 0, 0, 0, 0, 0];

/// Adds bytes to the file.
fn appended(set: &str, bytes: Vec<u8>) -> Spec {
    copy(
        &format!("signature-{set}"),
        vec![Edit::signature(move |file| {
            file.0.extend_from_slice(&bytes);
            Ok(())
        })],
    )
}

pub fn all(small: &Small) -> Vec<Spec> {
    let mut list = without_keys();
    if small.has("MODULE_SIG") {
        list.extend(with_keys(&small.kernel.headers));
        list.extend(changed_afterwards(&small.kernel.headers));
    }
    list
}

fn without_keys() -> Vec<Spec> {
    let rubbish = |fields: [u8; 8], length: u32| [&[0x55; 64][..], &record(fields, length)].concat();
    let only = |set: &str, bytes: Vec<u8>| {
        copy(
            &format!("signature-{set}"),
            vec![Edit::signature(move |file| {
                file.0.clone_from(&bytes);
                Ok(())
            })],
        )
    };
    vec![
        appended("none", Vec::new()),
        appended("marker-only", MARKER.to_vec()),
        appended("marker-twice", [MARKER, MARKER].concat()),
        appended("marker-cut", MARKER[..27].to_vec()),
        appended("marker-and-a-byte", [MARKER, b"x"].concat()),
        appended("rubbish", rubbish(PKCS7, 64)),
        appended("rubbish-of-no-length", rubbish(PKCS7, 0)),
        appended("rubbish-longer-than-the-file", rubbish(PKCS7, 0x7fff_ffff)),
        appended("rubbish-of-type-0", rubbish([0; 8], 64)),
        appended("rubbish-of-type-1", rubbish([1, 4, 1, 8, 8, 0, 0, 0], 48)),
        appended("rubbish-of-type-9", rubbish([0, 0, 9, 0, 0, 0, 0, 0], 64)),
        appended("rubbish-with-fields", rubbish([1, 1, 2, 1, 1, 1, 1, 1], 64)),
        appended("sequence-only", [&[0x30, 0][..], &record(PKCS7, 2)].concat()),
        only("marker-is-the-file", MARKER.to_vec()),
        only("record-is-the-file", record(PKCS7, 0)),
        only("rubbish-is-the-file", rubbish(PKCS7, 64)),
    ]
}

/// Signed, and then changed: the module, the message, its record.
fn signed(
    tree: &Path,
    set: &str,
    digest: &'static str,
    keys: Keys,
    change: impl Fn(&mut Parts) + Send + Sync + 'static,
) -> Spec {
    let tree = tree.to_path_buf();
    let edit = Edit::signature(move |file| {
        let bytes = signing::signed(&tree, keys, digest, &file.0)?;
        let mut parts = Parts::of(&bytes, file.0.len())?;
        change(&mut parts);
        file.0 = [parts.module, parts.message, parts.record].concat();
        Ok(())
    });
    copy(&format!("signature-{set}"), vec![edit])
}

/// What a signed file consists of.
struct Parts {
    module: Vec<u8>,
    message: Vec<u8>,
    /// With the marker.
    record: Vec<u8>,
}

impl Parts {
    fn of(bytes: &[u8], module: usize) -> Result<Self> {
        let (module, rest) = bytes.split_at_checked(module).ok_or("signed, and shorter")?;
        let at = rest.len().checked_sub(RECORD + MARKER.len()).ok_or("no signature")?;
        let (message, record) = rest.split_at(at);
        Ok(Self { module: module.to_vec(), message: message.to_vec(), record: record.to_vec() })
    }

    /// Makes the record say how long the message is.
    fn fit(&mut self) {
        self.record[8..12].copy_from_slice(&(self.message.len() as u32).to_be_bytes());
    }
}

fn with_keys(tree: &Path) -> Vec<Spec> {
    let plain = |set: &str, digest, keys| signed(tree, set, digest, keys, |_| {});
    vec![
        plain("sound", "sha256", Keys::OfTheBuild),
        plain("sound-sha512", "sha512", Keys::OfTheBuild),
        plain("sound-sha384", "sha384", Keys::OfTheBuild),
        plain("other-key", "sha256", Keys::Others),
        plain("other-key-sha512", "sha512", Keys::Others),
        signed(tree, "sound-twice", "sha256", Keys::OfTheBuild, |parts| {
            let again = [&parts.module[..], &parts.message, &parts.record].concat();
            parts.module = again;
        }),
        signed(tree, "two-marks", "sha256", Keys::OfTheBuild, |parts| parts.record.extend_from_slice(MARKER)),
        signed(tree, "byte-after-it", "sha256", Keys::OfTheBuild, |parts| parts.record.push(b'\n')),
        signed(tree, "marker-changed", "sha256", Keys::OfTheBuild, |parts| parts.record[14] = b'm'),
    ]
}

fn changed_afterwards(tree: &Path) -> Vec<Spec> {
    let mut list = Vec::new();
    for (at, name) in
        ["algorithm", "digest", "type", "signer-length", "key-length", "pad-1", "pad-2", "pad-3"]
            .into_iter()
            .enumerate()
    {
        let set = format!("record-{name}");
        list.push(signed(tree, &set, "sha256", Keys::OfTheBuild, move |parts| parts.record[at] ^= 1));
    }
    for keys in [Keys::OfTheBuild, Keys::Others] {
        let of = if keys == Keys::OfTheBuild { "" } else { "other-key-" };
        let add =
            |set: &str, change: fn(&mut Parts)| signed(tree, &format!("{of}{set}"), "sha256", keys, change);
        list.extend([
            add("module-changed", |parts| {
                // In the name of the compiler: the module is sound but for the signature.
                let at = parts.module.windows(4).position(|w| w == b"GCC:").unwrap_or(64);
                parts.module[at] = b'g';
            }),
            add("module-longer", |parts| parts.module.push(0)),
            add("message-first-byte", |parts| parts.message[0] = 0x31),
            add("message-type", |parts| parts.message[6] ^= 1),
            add("message-last-byte", |parts| {
                let last = parts.message.len() - 1;
                parts.message[last] ^= 1;
            }),
            add("message-cut", |parts| {
                parts.message.truncate(parts.message.len() / 2);
                parts.fit();
            }),
            add("message-cut-by-a-byte", |parts| {
                parts.message.pop();
                parts.fit();
            }),
            add("message-of-one-byte", |parts| {
                parts.message.truncate(1);
                parts.fit();
            }),
            add("message-empty", |parts| {
                parts.message.clear();
                parts.fit();
            }),
            add("message-longer", |parts| {
                parts.message.push(0);
                parts.fit();
            }),
            add("message-rubbish", |parts| parts.message.fill(0x55)),
            add("length-less", |parts| parts.record[11] = parts.record[11].wrapping_sub(1)),
            add("length-more", |parts| parts.record[11] = parts.record[11].wrapping_add(1)),
            add("length-of-the-file", |parts| {
                let all = (parts.module.len() + parts.message.len()) as u32;
                parts.record[8..12].copy_from_slice(&all.to_be_bytes());
            }),
            add("middle-of-the-message", |parts| {
                // The lengths of what is inside no longer go together.
                let middle = parts.message.len() / 4;
                parts.message[middle..middle + 8].fill(0xff);
            }),
        ]);
    }
    list
}
