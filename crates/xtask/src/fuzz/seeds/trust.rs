// SPDX-License-Identifier: LGPL-2.1-or-later
//! Keys, certificates and signatures; aliases and names of devices.

use std::fs;

use testkit::{PackageBuilder, SigningKey};

/// A pattern and an alias, with a NUL between.
const ALIASES: &[&str] = &[
    "pci:v00008086d000010D3sv*sd*bc*sc*i*\0pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
    "acpi*:PNP-0C0A:*\0acpi:PNP0C0A:",
    "usb:v0B95p178[AB]d*\0usb:v0B95p178Bd0100",
];
const HWDATA: &[&str] = &[
    "# c\n8086  Intel Corporation\n\t10d3  82574L Gigabit\n\t\t1043 8369  Board\n1d6b  Linux Foundation\n\t0002  2.0 root hub\nC 01  Storage\n",
];

pub fn of(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "certificates" => certificates(),
        "hwdata" => texts(HWDATA),
        "modalias" => texts(ALIASES),
        "openpgp" => vec![fs::read(key().file()).expect("a key file")],
        _ => vec![signed_package()],
    }
}

/// Of a key that signs packages.
fn key() -> SigningKey {
    SigningKey::new("A Provider <keys@provider.example>")
}

fn signed_package() -> Vec<u8> {
    // The package goes with its key.
    let key = key();
    let package = key.sign(&PackageBuilder::new("cam-kmp-default", "1", "1").build());
    fs::read(package.path()).expect("a package file")
}

/// A certificate, and lists of UEFI's: with it, and with a digest that is revoked.
fn certificates() -> Vec<Vec<u8>> {
    const CERTIFICATE: &[u8] = include_bytes!("../../../../kmod-abi/src/testdata/key.der");
    let kind =
        [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
    let number = |n: usize| u32::try_from(n).expect("a small number").to_le_bytes();
    let each = CERTIFICATE.len() + 16;
    let list = [&kind[..], &number(28 + each), &number(0), &number(each), &[7; 16], CERTIFICATE].concat();
    let sha256 =
        [0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28];
    let revoked = [&sha256[..], &number(28 + 48), &number(0), &number(48), &[7; 48]].concat();
    vec![CERTIFICATE.to_vec(), [&list[..], &revoked].concat(), list]
}
