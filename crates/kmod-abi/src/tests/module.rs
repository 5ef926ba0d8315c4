// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is read from a module, on every machine.

use testkit::{Arch, CrcStyle, Export, ModuleBuilder, STRUCT_MODULE_SIZE, Versions};

use super::parse;
use crate::{Crcs, Malformed, Module, Need, Offer, SignatureState, Supported};

fn need(symbol: &str, weak: bool, crc: Option<u32>) -> Need {
    Need { symbol: symbol.into(), weak, crcs: Crcs { basic: crc, ..Crcs::default() } }
}

fn error(module: &ModuleBuilder) -> String {
    Module::parse(&module.build(), "x").unwrap_err().to_string()
}

/// A module that exports in every way.
fn exporter(arch: Arch, style: CrcStyle) -> ModuleBuilder {
    ModuleBuilder::new("foo")
        .arch(arch)
        .crc_style(style)
        .export("b_plain", 0xdead_beef)
        .export_gpl("a_gpl", 0x0102_0304)
        .export_with(Export::new("c_ns").crc(7).namespace("FOO_NS"))
        .export_with(Export::new("d_gpl_ns").crc(8).gpl().namespace("BAR_NS"))
}

fn offers() -> Vec<Offer> {
    let offer = |symbol: &str, crc, gpl, namespace: Option<&str>| Offer {
        symbol: symbol.into(),
        crc: Some(crc),
        gpl,
        is_misplaced: false,
        namespace: namespace.map(Into::into),
    };
    vec![
        offer("a_gpl", 0x0102_0304, true, None),
        offer("b_plain", 0xdead_beef, false, None),
        offer("c_ns", 7, false, Some("FOO_NS")),
        offer("d_gpl_ns", 8, true, Some("BAR_NS")),
    ]
}

#[test]
fn what_a_module_says_of_itself() {
    for arch in Arch::ALL {
        let module = parse(
            &ModuleBuilder::new("snd-foo")
                .arch(arch)
                .vermagic("6.4.0-9-rt SMP preempt_rt mod_unload modversions ")
                .license("Dual BSD/GPL")
                .depends("snd-pcm,soundcore")
                .alias("pci:v00008086d*")
                .alias("snd-card-*")
                .import_ns("USB_STORAGE")
                .import_ns("DMA_BUF")
                .supported("external"),
        );
        assert_eq!(&*module.name, "snd_foo", "{arch:?}");
        assert_eq!((module.arch.is_64, module.arch.big_endian), (arch.is_64(), arch.is_big_endian()));
        assert_eq!(module.vermagic.as_deref(), Some("6.4.0-9-rt SMP preempt_rt mod_unload modversions "));
        assert_eq!(module.license.as_deref(), Some("Dual BSD/GPL"));
        assert_eq!(module.depends, ["snd_pcm".into(), "soundcore".into()] as [Box<str>; 2]);
        assert_eq!(module.aliases, ["pci:v00008086d*".into(), "snd-card-*".into()] as [Box<str>; 2]);
        assert_eq!(module.import_ns, ["DMA_BUF".into(), "USB_STORAGE".into()] as [Box<str>; 2]);
        assert_eq!(module.supported, Supported::External);
        assert_eq!(module.struct_size, STRUCT_MODULE_SIZE as u64);
        assert_eq!(module.signature, SignatureState::Unsigned);
    }
}

#[test]
fn needs_have_the_versions_recorded_for_them() {
    for arch in Arch::ALL {
        let module = parse(
            &ModuleBuilder::new("foo")
                .arch(arch)
                .need("printk", 0xfeed_f00d)
                .need_weak("may_be", Some(2))
                .need_weak("may_be_unversioned", None)
                .need_without_crc("unversioned")
                .version_only("not_used", 9)
                .export("mine", 3),
        );
        assert_eq!(
            module.needs,
            [
                need("printk", false, Some(0xfeed_f00d)),
                need("may_be", true, Some(2)),
                need("may_be_unversioned", true, None),
                need("unversioned", false, None),
            ],
            "{arch:?}"
        );
        assert_eq!(module.layout.basic, Some(testkit::MODULE_LAYOUT_CRC));
        assert!(module.has_versions && !module.has_extended_versions);
    }
}

#[test]
fn without_a_section_of_versions_there_are_none() {
    let module = parse(&ModuleBuilder::new("foo").need("printk", 1).versions(Versions::None));
    assert_eq!(module.needs, [need("printk", false, None)]);
    assert_eq!((module.has_versions, module.layout), (false, Crcs::default()));
    // An empty one is one.
    let module = parse(&ModuleBuilder::new("foo").no_needs());
    assert!(module.has_versions && module.needs.is_empty());
}

#[test]
fn extended_versions_alone_and_beside_basic_ones() {
    let long = "a_name_that_is_longer_than_the_fifty_five_bytes_of_a_record_of_versions";
    for arch in Arch::ALL {
        let builder = ModuleBuilder::new("foo").arch(arch).need("printk", 0x1234_5678).need(long, 2);
        let alone = parse(&builder.clone().versions(Versions::Extended));
        assert!(!alone.has_versions && alone.has_extended_versions);
        let crcs: Vec<Crcs> = alone.needs.iter().map(|n| n.crcs).collect();
        let extended = |crc| Crcs { extended: Some(crc), ..Crcs::default() };
        assert_eq!(crcs, [extended(0x1234_5678), extended(2)], "{arch:?}");
        assert_eq!(alone.layout, extended(testkit::MODULE_LAYOUT_CRC));

        let both = parse(&builder.versions(Versions::Both));
        assert!(both.has_versions && both.has_extended_versions);
        let crcs: Vec<Crcs> = both.needs.iter().map(|n| n.crcs).collect();
        let first = Crcs { basic: Some(0x1234_5678), extended: Some(0x1234_5678), is_overlong: false };
        assert_eq!(crcs, [first, extended(2)], "{arch:?}");
    }
}

/// `elf_validity_cache_index_versions`: one without the other, or fewer names than CRCs, is refused.
#[test]
fn extended_versions_must_go_in_pairs() {
    let plain = ModuleBuilder::new("foo");
    assert!(error(&plain.clone().section("__version_ext_crcs", [0; 4])).contains("only one of"));
    assert!(error(&plain.clone().section("__version_ext_names", *b"a\0")).contains("only one of"));
    let pair = |crcs: &[u8], names: &[u8]| {
        plain.clone().section("__version_ext_crcs", crcs).section("__version_ext_names", names)
    };
    assert!(error(&pair(&[0; 8], b"a\0")).contains("more extended"));
    assert!(error(&pair(&[0; 4], b"a")).contains("more extended"));
    // More names than CRCs are passed over.
    assert!(parse(&pair(&[0; 4], b"a\0b\0")).has_extended_versions);
    assert!(parse(&pair(&[], b"")).has_extended_versions);
}

#[test]
fn exports_are_found_by_their_symbols() {
    for arch in Arch::ALL {
        for style in [CrcStyle::Relative, CrcStyle::Absolute] {
            assert_eq!(parse(&exporter(arch, style)).offers, offers(), "{arch:?} {style:?}");
        }
    }
}

#[test]
fn exports_are_found_by_relocations_where_local_symbols_are_stripped() {
    for arch in Arch::ALL {
        for style in [CrcStyle::Relative, CrcStyle::Absolute] {
            let stripped = exporter(arch, style).strip(testkit::Strip::Locals);
            assert_eq!(parse(&stripped).offers, offers(), "{arch:?} {style:?}");
        }
    }
}

/// `symversion`: without a table of CRCs there are none; where there is one, each entry counts, and the
/// linker leaves 0 for an export that has none.
#[test]
fn an_export_without_crc_in_a_table_of_crcs_has_crc_0() {
    let none = ModuleBuilder::new("foo").export_with(Export::new("a")).export_gpl("g", 1);
    let zero = none.clone().export("b", 2);
    for (builder, expected) in [(none, None), (zero, Some(0))] {
        for builder in [builder.clone(), builder.strip(testkit::Strip::Locals)] {
            assert_eq!(parse(&builder).offers[0].crc, expected);
        }
    }
}

/// `dedotify` and `dedotify_versions` (`arch/powerpc/kernel/module_64.c`).
#[test]
fn ppc64_names_lose_their_dot() {
    for versions in [Versions::Basic, Versions::Extended] {
        let dotted =
            |arch| parse(&ModuleBuilder::new("foo").arch(arch).versions(versions).need(".printk", 5));
        let crc = |module: &Module| module.needs[0].crcs.basic.or(module.needs[0].crcs.extended);
        let ppc = dotted(Arch::Ppc64le);
        assert_eq!((&*ppc.needs[0].symbol, crc(&ppc)), ("printk", Some(5)));
        let x86 = dotted(Arch::X86_64);
        assert_eq!((&*x86.needs[0].symbol, crc(&x86)), (".printk", Some(5)));
    }
}

/// `ignore_undef_symbol`, s390's `module_frob_arch_sections`, ppc64's `dedotify`.
#[test]
fn symbols_that_the_loader_makes_up_are_not_needed() {
    for arch in Arch::ALL {
        let builder = ModuleBuilder::new("foo").arch(arch);
        let got = parse(&builder.clone().need_without_crc("_GLOBAL_OFFSET_TABLE_"));
        let toc = parse(&builder.need_without_crc(".TOC."));
        let made_up = |m: &Module| m.needs.is_empty();
        assert_eq!(made_up(&got), matches!(arch, Arch::X86_64 | Arch::I386 | Arch::S390x), "{arch:?}");
        assert_eq!(made_up(&toc), arch == Arch::Ppc64le, "{arch:?}");
    }
}

/// `simplify_symbols`: SHN_COMMON is ENOEXEC, unless of `__gnu_lto*`.
#[test]
fn common_symbols_are_refused() {
    assert!(error(&ModuleBuilder::new("foo").common("oops")).contains("common symbol oops"));
    parse(&ModuleBuilder::new("foo").common("__gnu_lto_v1"));
}

/// `find_sec` sees SHF_ALLOC sections only, and of several the first.
#[test]
fn sections_that_are_not_loaded_are_not_there() {
    let plain = ModuleBuilder::new("foo").versions(Versions::None);
    let record = parse(&plain.clone().section("__versions", [0; 64]));
    assert!(record.has_versions);
    let hidden = parse(
        &plain
            .section_not_loaded("__versions", [0; 64])
            .section_not_loaded("__version_ext_crcs", [0; 4])
            .section_not_loaded(".modinfo", *b"supported=yes\0"),
    );
    assert!(!hidden.has_versions && !hidden.has_extended_versions);
    assert_eq!(hidden.supported, Supported::No);
    let bare = ModuleBuilder::new("foo").struct_module_size(None);
    assert!(error(&bare.section_not_loaded(".gnu.linkonce.this_module", [0; 64])).contains("struct module"));
}

/// `get_modinfo` takes the first entry of a key.
#[test]
fn the_first_entry_of_a_key_counts() {
    let module = parse(
        &ModuleBuilder::new("foo")
            .add_info("license", "Proprietary")
            .add_info("vermagic", "other")
            .add_info("depends", "none"),
    );
    assert_eq!(module.license.as_deref(), Some("GPL"));
    assert!(module.vermagic.unwrap().starts_with("6.4.0"));
}

/// `simplify_symbols` gives the first record of a name to every symbol of it.
#[test]
fn the_first_record_of_a_name_counts() {
    let module = parse(&ModuleBuilder::new("foo").need("printk", 1).version_only("printk", 2));
    assert_eq!(module.needs[0].crcs.basic, Some(1));
}

#[test]
fn a_name_that_modinfo_lacks_comes_from_the_file() {
    let module = Module::parse(&ModuleBuilder::new("foo").without("name").build(), "bar-baz").unwrap();
    assert_eq!(&*module.name, "bar_baz");
}

#[test]
fn support_status() {
    let status = |value: &str| parse(&ModuleBuilder::new("foo").supported(value)).supported;
    assert_eq!(status("yes"), Supported::Distributor);
    assert_eq!(status("external"), Supported::External);
    assert_eq!(status("no"), Supported::No);
    assert_eq!(parse(&ModuleBuilder::new("foo")).supported, Supported::No);
}

/// `license_is_gpl_compatible`.
#[test]
fn gpl_compatible_licences() {
    for (license, gpl) in [
        ("GPL", true),
        ("GPL v2", true),
        ("GPL and additional rights", true),
        ("Dual BSD/GPL", true),
        ("Dual MIT/GPL", true),
        ("Dual MPL/GPL", true),
        ("Proprietary", false),
        ("GPLv2", false),
        ("gpl", false),
        ("GPL ", false),
        ("BSD", false),
        ("MIT", false),
        ("Dual LGPL/GPL", false),
        ("", false),
    ] {
        assert_eq!(parse(&ModuleBuilder::new("foo").license(license)).is_gpl(), gpl, "{license:?}");
    }
    assert!(!parse(&ModuleBuilder::new("foo").without("license")).is_gpl());
}

#[test]
fn a_trailer_that_cannot_be_read_is_told_and_the_module_is_read_all_the_same() {
    let damaged = [&[0xff; 12][..], b"~Module signature appended~\n"].concat();
    let module = parse(&ModuleBuilder::new("foo").need("printk", 1).trailer(damaged));
    assert!(matches!(module.signature, SignatureState::Broken(_)));
    assert_eq!(module.needs.len(), 1);
    let signed = parse(&ModuleBuilder::new("foo").signature(*include_bytes!("../testdata/issuer.p7")));
    assert!(matches!(signed.signature, SignatureState::Signed(_)));
}

#[test]
fn what_is_no_module_is_told() {
    let malformed = |bytes: &[u8]| Module::parse(bytes, "x").unwrap_err();
    assert_eq!(malformed(b""), Malformed::Empty);
    assert_eq!(malformed(b"#!/bin/sh"), Malformed::NotElf);
    assert!(malformed(b"\x7fELF").to_string().contains("neither"));
    assert!(error(&ModuleBuilder::new("foo").struct_module_size(None)).contains("struct module"));
    let mut program = ModuleBuilder::new("foo").build();
    program[16] = 2; // e_type: ET_EXEC
    assert!(malformed(&program).to_string().contains("not a relocatable object"));
}
