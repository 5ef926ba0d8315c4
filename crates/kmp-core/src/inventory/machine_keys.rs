// SPDX-License-Identifier: LGPL-2.1-or-later
//! The keys that a machine has for its kernels: what the running one lists, those in UEFI's variables, and the certificates that packages
//! have brought; and those in a kernel's image.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::machine_policy::{LIMIT, text};
use super::{LoadedModule, Release};
use crate::abi::signature::{Certificate, KeyTrust, Keys, Known, Origin, Signature, in_efi_lists, in_kernel};
use crate::abi::{Kernel, KernelConfig, image};
use crate::printable;
use crate::root::{FileType, Root};
use crate::tree::{self, IMAGES};
use crate::unpack::{Inflater, Kind, MODULE_LIMIT, Source, stream};

/// There is nothing of UEFI's where this is not.
const EFI: &str = "/sys/firmware/efi";
/// What shim hands to the kernel; without the four bytes of attributes that variables begin with.
const MOK_TABLE: &str = "/sys/firmware/efi/mok-variables/MokListRT";
const MOK_LIST: &str = "/sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23";
const MOK_NEW: &str = "/sys/firmware/efi/efivars/MokNew-605dab50-e046-4300-abb6-3dd810dd8b23";
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
}

impl MachineKeys {
    /// Reads them, for the system that runs.
    pub(super) fn read(root: &Root) -> Self {
        let listed = text(root, "/proc/keys").unwrap_or_default();
        let listed = listed.lines().filter(|line| line.contains(" asymmetri")).map(Box::from).collect();
        let mut known = Vec::new();
        let mut add = |certificates: Vec<Certificate>, origin: &Origin| {
            known.extend(
                certificates.into_iter().map(|certificate| Known { certificate, origin: origin.clone() }),
            );
        };
        let bytes = |path: &str| root.read_if_there(Path::new(path), LIMIT).ok().flatten();
        let variable = |path: &str| bytes(path).and_then(|bytes| bytes.get(4..).map(<[u8]>::to_vec));
        // Without shim nothing is enrolled; what cannot be read is not known.
        let is_there = |path: &str| root.try_exists(Path::new(path)).unwrap_or(true);
        let mut is_complete = true;
        let lists = [
            (bytes(MOK_TABLE).or_else(|| variable(MOK_LIST)), Origin::Enrolled, [MOK_TABLE, MOK_LIST]),
            (variable(MOK_NEW), Origin::Waiting, [MOK_NEW; 2]),
            (variable(DB), Origin::Firmware, [DB; 2]),
        ];
        for (list, origin, paths) in lists {
            match list.map(|list| in_efi_lists(&list)) {
                Some(Some(certificates)) => add(certificates, &origin),
                Some(None) => is_complete = false,
                None => is_complete &= !paths.into_iter().any(is_there),
            }
        }
        // The variables themselves have to be there to be read.
        is_complete &= !is_there(EFI) || is_there(DB);
        is_complete &= !OTHER_FIRMWARE.iter().any(|path| is_there(path));
        for path in files(root) {
            let certificate = root.read(Path::new(&path), FILE_LIMIT).ok();
            let certificate = certificate.and_then(|bytes| Certificate::parse(&bytes));
            add(certificate.into_iter().collect(), &Origin::File(printable(path.as_ref()).into()));
        }
        Self { listed, known: known.into(), is_complete }
    }

    /// Those for a kernel of that configuration. Its image is not read here.
    pub(super) fn of(&self, is_running: bool, config: &KernelConfig) -> Keys {
        Keys {
            machine: Arc::clone(&self.known),
            is_machine_complete: self.is_complete,
            listed: Arc::clone(&self.listed),
            is_running,
            takes_enrolled: config.reads_enrolled_keys,
            image: None,
        }
    }
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

/// What a module is signed with, if it was read and is.
pub(crate) fn signature_of(module: &LoadedModule) -> Option<&Signature> {
    (**module).as_ref().ok()?.signature.signed()
}

/// What a kernel's own modules are signed with, if the keys in its image decide whether it takes one of these signatures.
pub(crate) fn undecided<'k>(kernel: &'k Kernel, signatures: &[Signature]) -> Option<&'k str> {
    let own = kernel.traits.signed_by.as_deref()?;
    let is_open = |signature: &Signature| matches!(kernel.trust(signature), KeyTrust::Unknown(_));
    let is_unread = kernel.enforces_signatures() && kernel.signing.keys.image.is_none();
    (is_unread && signatures.iter().any(is_open)).then_some(own)
}

/// The certificates in the image of an installed kernel, if `own` is among them: what its own modules are signed with. `None`: without
/// that it is not sure that they were found.
pub(super) fn of_installed(root: &Root, release: &Release, own: &str) -> Option<Arc<[Certificate]>> {
    let places = IMAGES.iter().flat_map(|name| tree::places(&release.dir, &release.release, name));
    let mut images = places.filter_map(|place| root.read_if_there(&place, MODULE_LIMIT).ok().flatten());
    images.find_map(|bytes| in_image(&bytes, own))
}

/// The same of an image's bytes.
pub(crate) fn in_image(bytes: &[u8], own: &str) -> Option<Arc<[Certificate]>> {
    let mut result = None;
    unpacked(bytes, &mut |kernel| {
        let found = in_kernel(kernel);
        let is_it = found
            .iter()
            .any(|certificate| certificate.serial == own || certificate.key_id.as_deref() == Some(own));
        result = is_it.then(|| found.into());
        is_it
    });
    result
}

/// Calls `take` with what may be the kernel in an image, however it is packed, until it is content.
pub fn unpacked(bytes: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) {
    // `Image.gz`
    let Ok(image) = Inflater::new().inflate(bytes, MODULE_LIMIT) else { return };
    for range in image::packed(&image) {
        let Some(packed) = image.get(range.clone()) else { continue };
        let mut input = Source::new(packed);
        let Ok(kind) = input.peek(Kind::LOOK).map(Kind::of) else { continue };
        let mut kernel = Vec::new();
        if kind != Kind::Plain {
            // Behind the stream there may be something else, such as its size: what came out until then counts.
            let unpacked =
                stream(kind, &mut input).and_then(|s| s.take(MODULE_LIMIT).read_to_end(&mut kernel));
            if let Err(e) = unpacked {
                log::debug!("a kernel's image, at byte {}: {e}", range.start);
            }
        }
        if take(&kernel) {
            return;
        }
    }
    take(&image);
}

#[cfg(test)]
mod tests {
    use testkit::{TestRoot, compress};

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../../kmod-abi/src/testdata/key.der");
    const SERIAL: &str = "F1:E2:D3:C4:B5:A6:97:88";

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
        let keys = MachineKeys::read(&Root::open(&root.path()).unwrap()).of(true, &KernelConfig::default());
        assert!(keys.listed.len() == 1 && keys.listed[0].contains("Example: key: X509") && keys.is_running);
    }

    #[test]
    fn certificates_count_beside_the_one_of_the_kernels_own_modules() {
        let kernel = [&[0; 100][..], CERTIFICATE, &[1; 100]].concat();
        assert_eq!(in_image(&kernel, SERIAL).unwrap().len(), 1);
        assert_eq!(in_image(&compress(&kernel, testkit::Compression::Gz), SERIAL).unwrap().len(), 1);
        assert!(in_image(&kernel, "01:02").is_none() && in_image(&[0; 9], SERIAL).is_none());
    }
}
