// SPDX-License-Identifier: LGPL-2.1-or-later
//! Bytes that are no module, or a damaged one: an error or a module, never a panic.

use testkit::{Arch, CrcStyle, Export, ModuleBuilder, Versions};

use crate::{KernelConfig, Module, Rebuild, SignatureState, SymbolTable};
use testkit::Noise;

fn samples() -> Vec<Vec<u8>> {
    let full = |arch| {
        ModuleBuilder::new("foo")
            .arch(arch)
            .versions(Versions::Both)
            .need("printk", 1)
            .need_weak("maybe", None)
            .export("a", 2)
            .export_with(Export::new("b").crc(3).gpl().namespace("NS"))
    };
    vec![
        full(Arch::X86_64).signature([0x30; 40]).build(),
        full(Arch::I386).strip(testkit::Strip::Locals).build(),
        full(Arch::Ppc64le).strip(testkit::Strip::Locals).build(),
        full(Arch::S390x).crc_style(CrcStyle::Absolute).build(),
    ]
}

/// The section table is at the end of the file, so that a cut module is not read at all; one that has
/// lost (part of) its signature is the same module, unsigned or with a broken signature.
#[test]
fn a_cut_module_is_an_error_or_has_lost_nothing_but_its_signature() {
    for sample in samples() {
        let whole = Module::parse(&sample, "x").unwrap();
        for end in 0..sample.len() {
            if let Ok(cut) = Module::parse(&sample[..end], "x") {
                assert_ne!(cut.signature, whole.signature, "cut at {end} of {}", sample.len());
                assert_eq!(Module { signature: whole.signature.clone(), ..cut }, whole);
            }
        }
    }
    let signed = &samples()[0];
    let cut = Module::parse(&signed[..signed.len() - 1], "x").unwrap();
    assert_eq!(cut.signature, SignatureState::Unsigned);
}

#[test]
fn mutations_never_panic() {
    let mut numbers = Noise::new(1);
    for sample in samples() {
        for _ in 0..500 {
            let mut bytes = sample.clone();
            for _ in 0..=numbers.below(8) {
                // Half of them hit the headers, where they hurt most.
                let table = u64::from(u32::from_le_bytes(sample[40..44].try_into().unwrap())) as usize;
                let at = match numbers.below(4) {
                    0 => numbers.below(64),
                    1 if table < bytes.len() => table + numbers.below(bytes.len() - table),
                    _ => numbers.below(bytes.len()),
                };
                bytes[at] = match numbers.below(4) {
                    0 => 0xff,
                    1 => 0,
                    2 => bytes[at] ^ (1 << numbers.below(8)),
                    _ => numbers.next() as u8,
                };
            }
            if let Ok(module) = Module::parse(&bytes, "x") {
                // What is read can be judged by: it goes into a table without trouble.
                let mut rebuild = Rebuild::default();
                rebuild.add("drivers/foo", &module);
                rebuild.finish();
            }
        }
    }
}

#[test]
fn random_bytes_are_no_module() {
    let mut numbers = Noise::new(2);
    for size in 0..600 {
        let mut bytes: Vec<u8> = (0..size).map(|_| numbers.next() as u8).collect();
        assert!(Module::parse(&bytes, "x").is_err());
        for (to, from) in bytes.iter_mut().zip(b"\x7fELF\x02\x01\x01") {
            *to = *from;
        }
        let _ = Module::parse(&bytes, "x");
        let _ = SymbolTable::parse(bytes.clone());
        KernelConfig::parse(&bytes);
    }
}

/// Numbers in a header are claims: none of them may make us allocate or loop by it.
#[test]
fn huge_counts_and_sizes_are_refused_quickly() {
    let module = ModuleBuilder::new("foo").need("printk", 1).build();
    let table = u64::from_le_bytes(module[40..48].try_into().unwrap()) as usize;
    let sections = (module.len() - table) / 64;
    for section in 1..sections {
        for field in [24, 32] {
            // sh_offset, sh_size
            let mut bytes = module.clone();
            let at = table + section * 64 + field;
            bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            assert!(Module::parse(&bytes, "x").is_err(), "section {section}, field {field}");
        }
    }
}
