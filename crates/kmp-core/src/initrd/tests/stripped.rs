// SPDX-License-Identifier: LGPL-2.1-or-later
//! A module that was stripped, or packed, is the same module.

use std::process::Command;

use testkit::{Compression, ModuleBuilder, compress};

use crate::initrd::Digest;
use crate::unpack::Inflater;

fn module(crc: u32) -> Vec<u8> {
    ModuleBuilder::new("foo").need("printk", crc).export("foo_open", 3).build()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(bytes, &mut Inflater::new()).unwrap()
}

fn stripped(program: &str, bytes: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("foo.ko");
    std::fs::write(&file, bytes).unwrap();
    let status = Command::new(program).args(["-g", "-p"]).arg(&file).status().unwrap();
    assert!(status.success());
    std::fs::read(file).unwrap()
}

#[test]
fn stripped_as_dracut_does_it() {
    let original = module(1);
    let stripped = stripped("strip", &original);
    assert_ne!(stripped, original);
    assert!(digest(&stripped).is_same(&digest(&original)));
    assert!(!digest(&stripped).is_same(&digest(&module(2))));
}

#[test]
fn packed_in_another_way() {
    let original = digest(&module(1));
    for compression in Compression::ALL {
        assert!(digest(&compress(&module(1), compression)).is_same(&original));
        assert!(!digest(&compress(&module(2), compression)).is_same(&original));
    }
}

#[test]
fn of_a_signed_module_every_byte_counts() {
    let signed = |signature: &[u8]| [&module(1)[..], signature, b"~Module signature appended~\n"].concat();
    assert!(digest(&signed(b"a")).is_same(&digest(&signed(b"a"))));
    assert!(!digest(&signed(b"a")).is_same(&digest(&signed(b"b"))));
    assert!(!digest(&signed(b"a")).is_same(&digest(&module(1))));
}
