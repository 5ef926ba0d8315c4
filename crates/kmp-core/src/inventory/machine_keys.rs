// SPDX-License-Identifier: LGPL-2.1-or-later
//! The keys that a machine has for its kernels: what the running one lists, those in UEFI's variables, enrolled or revoked, and the
//! certificates that packages have brought.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::machine_policy::{LIMIT, text};
use crate::abi::KernelConfig;
use crate::abi::signature::{Certificate, Keys, Known, Listed, Origin, Revoked, certificates, in_efi_lists};
use crate::printable;
use crate::root::{FileType, Root};

/// There is nothing of UEFI's where this is not.
const EFI: &str = "/sys/firmware/efi";
/// What shim hands to the kernel; without the four bytes of attributes that variables begin with.
const MOK_TABLE: &str = "/sys/firmware/efi/mok-variables/MokListRT";
const MOK_LIST: &str = "/sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23";
const MOK_NEW: &str = "/sys/firmware/efi/efivars/MokNew-605dab50-e046-4300-abb6-3dd810dd8b23";
/// What is revoked, by shim's list of the machine owner's, and by the firmware's.
const MOKX_TABLE: &str = "/sys/firmware/efi/mok-variables/MokListXRT";
const MOKX_LIST: &str = "/sys/firmware/efi/efivars/MokListXRT-605dab50-e046-4300-abb6-3dd810dd8b23";
const DBX: &str = "/sys/firmware/efi/efivars/dbx-d719b2cb-3d3a-4596-a3bc-dad00e67656f";
const DB: &str = "/sys/firmware/efi/efivars/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f";

/// Firmware that hands keys to kernels in ways of its own: POWER's, and the IPL of s390.
const OTHER_FIRMWARE: &[&str] = &["/sys/firmware/secvar", "/sys/firmware/ipl"];

/// Where packages and tools put the certificates of keys that sign modules: SUSE's, dkms', akmods', Debian's shim.
const DIRECTORIES: &[&str] = &[
    "/etc/uefi/certs",
    "/usr/share/uefi/certs",
    "/etc/pki/akmods/certs",
    "/var/lib/shim-signed/mok",
    "/var/lib/dkms",
];
/// What certificates' files end in.
const SUFFIXES: &[&str] = &["crt", "cer", "der", "pub"];
/// So many files are read, and so much of each.
const FILES: usize = 200;
const FILE_LIMIT: u64 = 64 << 10;

/// The keys that a machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MachineKeys {
    listed: Arc<[Box<str>]>,
    known: Arc<[Known]>,
    is_complete: bool,
    revoked: Arc<Revoked>,
}

impl MachineKeys {
    /// Reads them, for the system that runs.
    pub(super) fn read(root: &Root) -> Self {
        let in_kernel = text(root, "/proc/keys").unwrap_or_default();
        let listed = in_kernel.lines().filter(|line| line.contains(" asymmetri")).map(Box::from).collect();
        let mut known = Vec::new();
        let bytes = |path: &str| root.read_if_there(Path::new(path), LIMIT).ok().flatten();
        let variable = |path: &str| bytes(path).and_then(|bytes| bytes.get(4..).map(<[u8]>::to_vec));
        let lists = [bytes(MOKX_TABLE).or_else(|| variable(MOKX_LIST)), variable(DBX)];
        let (revoked, digests) = revoked(&lists.map(Option::unwrap_or_default), &in_kernel);
        // Without shim nothing is enrolled; what cannot be read is not known.
        let is_there = |path: &str| root.try_exists(Path::new(path)).unwrap_or(true);
        let mut is_complete = true;
        let lists = [
            (bytes(MOK_TABLE).or_else(|| variable(MOK_LIST)), Origin::Enrolled, [MOK_TABLE, MOK_LIST]),
            (variable(MOK_NEW), Origin::Waiting, [MOK_NEW; 2]),
            (variable(DB), Origin::Firmware, [DB; 2]),
        ];
        for (list, origin, paths) in lists {
            let Some(list) = list else {
                is_complete &= !paths.into_iter().any(is_there);
                continue;
            };
            let Some(found) = in_efi_lists(&list).and_then(|listed| certificates(&listed)) else {
                is_complete = false;
                continue;
            };
            known.extend(found.into_iter().map(|(certificate, der)| {
                let is_revoked = origin == Origin::Enrolled && is_among(&digests, der);
                let origin = if is_revoked { Origin::EnrolledButRevoked } else { origin.clone() };
                Known { certificate, origin }
            }));
        }
        // The variables themselves have to be there to be read.
        is_complete &= !is_there(EFI) || is_there(DB);
        is_complete &= !OTHER_FIRMWARE.iter().any(|path| is_there(path));
        for path in files(root) {
            let certificate = root.read(Path::new(&path), FILE_LIMIT).ok();
            let certificate = certificate.and_then(|bytes| Certificate::parse(&bytes));
            let origin = Origin::File(printable(path.as_ref()).into());
            known.extend(certificate.map(|certificate| Known { certificate, origin }));
        }
        Self { listed, known: known.into(), is_complete, revoked: Arc::new(revoked) }
    }

    /// Those for a kernel of that configuration. Its image is not read here.
    ///
    /// What is enrolled is read under Secure Boot alone (`load_uefi_certs`), as anybody can change it without.
    pub(super) fn of(&self, is_running: bool, is_secure_boot: bool, config: &KernelConfig) -> Keys {
        Keys {
            machine: Arc::clone(&self.known),
            is_machine_complete: self.is_complete,
            listed: Arc::clone(&self.listed),
            is_running,
            takes_enrolled: config.reads_enrolled_keys && is_secure_boot,
            image: None,
            revoked: Arc::clone(&self.revoked),
            heeds_revoked: config.heeds_revoked_keys,
        }
    }
}

/// What lists and the running kernel (in `/proc/keys`) have revoked, and the digests of certificates that are. A list that is damaged
/// revokes nothing, as for kernels.
fn revoked(lists: &[Vec<u8>], in_kernel: &str) -> (Revoked, Vec<[u8; 32]>) {
    let (mut revoked, mut digests) = (Revoked::default(), Vec::new());
    for listed in lists.iter().filter_map(|list| in_efi_lists(list)) {
        revoked.keys.extend(certificates(&listed).unwrap_or_default().into_iter().map(|(found, _)| found));
        for entry in listed {
            match entry {
                Listed::File(digest) => revoked.files.push(digest),
                Listed::ToBeSigned(digest) => digests.push(digest),
                Listed::Certificate(_) => {}
            }
        }
    }
    // `blacklist bin:` and 64 digits; `tbs:` for certificates.
    for word in in_kernel.lines().filter(|line| line.contains(" blacklist ")).flat_map(str::split_whitespace)
    {
        let Some((kind @ ("bin" | "tbs"), digits)) = word.split_once(':') else { continue };
        let Some(digest) = digest(digits) else { continue };
        let list = if kind == "bin" { &mut revoked.files } else { &mut digests };
        list.push(digest);
    }
    (revoked, digests)
}

/// 64 digits.
fn digest(digits: &str) -> Option<[u8; 32]> {
    let bytes = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// Is the digest of a certificate in DER among these?
fn is_among(digests: &[[u8; 32]], der: &[u8]) -> bool {
    let digest = || Some(<[u8; 32]>::from(Sha256::digest(Certificate::to_be_signed(der)?)));
    !digests.is_empty() && digest().is_some_and(|digest| digests.contains(&digest))
}

fn files(root: &Root) -> Vec<String> {
    let mut found = Vec::new();
    for dir in DIRECTORIES {
        let entries = root.read_dir_if_there(Path::new(dir)).unwrap_or_default();
        let files =
            entries.into_iter().filter(|entry| matches!(entry.kind, FileType::File | FileType::Symlink));
        let names = files.filter_map(|entry| entry.name.into_string().ok());
        let is_certificate = |name: &String| {
            name.rsplit_once('.')
                .is_some_and(|(_, suffix)| SUFFIXES.contains(&suffix.to_ascii_lowercase().as_str()))
        };
        found.extend(names.filter(is_certificate).map(|name| format!("{dir}/{name}")));
    }
    found.sort();
    found.truncate(FILES);
    found
}

#[cfg(test)]
mod tests {
    use testkit::TestRoot;

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../kmod-abi/src/testdata/key.der");

    fn list() -> Vec<u8> {
        let kind =
            [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
        let number = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
        let each = CERTIFICATE.len() + 16;
        [&kind[..], &number(28 + each), &number(0), &number(each), &[7; 16], CERTIFICATE].concat()
    }

    fn read(root: &TestRoot) -> (Vec<Origin>, bool) {
        let keys = MachineKeys::read(&Root::open(&root.path()).unwrap());
        (keys.known.iter().map(|known| known.origin.clone()).collect(), keys.is_complete)
    }

    #[test]
    fn keys_are_in_variables_and_files() {
        let root = TestRoot::new();
        assert_eq!(read(&root), (vec![], true));
        let variable = [&[7, 0, 0, 0][..], &list()].concat();
        root.write(MOK_LIST.trim_start_matches('/'), &variable);
        // Which keys the firmware itself has is not known.
        assert_eq!(read(&root), (vec![Origin::Enrolled], false));
        root.write(DB.trim_start_matches('/'), &variable);
        root.write(MOK_NEW.trim_start_matches('/'), &variable);
        root.write("etc/uefi/certs/A.crt", CERTIFICATE);
        root.write("etc/uefi/certs/A.crt.delete", CERTIFICATE);
        root.write("etc/uefi/certs/text.crt", "no certificate");
        let all = [
            Origin::Enrolled,
            Origin::Waiting,
            Origin::Firmware,
            Origin::File("/etc/uefi/certs/A.crt".into()),
        ];
        assert_eq!(read(&root), (all.to_vec(), true));
        root.write(MOK_TABLE.trim_start_matches('/'), &list()[..99]);
        assert!(!read(&root).1);
        root.write(MOK_TABLE.trim_start_matches('/'), list());
        assert_eq!(read(&root), (all.to_vec(), true));
        root.mkdir("sys/firmware/ipl");
        assert!(!read(&root).1);
    }

    #[test]
    fn keys_are_those_of_the_keyrings() {
        let root = TestRoot::new();
        root.write("proc/keys", "1 I--- 1 perm 1f0b0000 0 0 keyring .builtin: 1\n2 I--- 1 perm 1f030000 0 0 asymmetri Example: key: X509.rsa 1234abcd []\n");
        let keys = MachineKeys::read(&Root::open(&root.path()).unwrap());
        let keys = keys.of(true, true, &KernelConfig::default());
        assert!(keys.listed.len() == 1 && keys.listed[0].contains("Example: key: X509") && keys.is_running);
    }

    #[test]
    fn what_is_revoked_is_in_variables_and_listed_by_the_kernel() {
        let root = TestRoot::new();
        let kind =
            [0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28];
        let number = |n: u32| n.to_le_bytes();
        let file = [&kind[..], &number(28 + 48), &number(0), &number(48), &[7; 16], &[2; 32]].concat();
        root.write(MOKX_TABLE.trim_start_matches('/'), list());
        root.write(DBX.trim_start_matches('/'), [&[7, 0, 0, 0][..], &file].concat());
        let line = |word: &str| format!("1 I--- 2 perm 09090000 0 0 blacklist {word}\n");
        let digits = |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let own = digits(&Sha256::digest(Certificate::to_be_signed(CERTIFICATE).unwrap()));
        let lines = [line(&format!("bin:{}", digits(&[3; 32]))), line(&format!("tbs:{own}")), line("bin:0x")];
        root.write("proc/keys", lines.concat());
        root.write(MOK_TABLE.trim_start_matches('/'), list());
        let keys = MachineKeys::read(&Root::open(&root.path()).unwrap());
        assert_eq!(keys.revoked.files, [[2; 32], [3; 32]]);
        assert_eq!(keys.revoked.keys.len(), 1);
        assert_eq!(keys.known[0].origin, Origin::EnrolledButRevoked);
        let config = KernelConfig::parse(b"CONFIG_INTEGRITY_PLATFORM_KEYRING=y\n");
        let [without, under] = [false, true].map(|secure| keys.of(false, secure, &config));
        assert!(!under.heeds_revoked && under.takes_enrolled && !without.takes_enrolled);
        assert!(
            keys.of(false, true, &KernelConfig::parse(b"CONFIG_SYSTEM_REVOCATION_LIST=y\n")).heeds_revoked
        );
    }
}
