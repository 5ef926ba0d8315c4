// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the testkit writes, read by the real tools.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::{
    Arch, Compression, CrcStyle, Export, KernelBuilder, ModuleBuilder, ModulesDir, Strip, Symvers, Versions,
    depmod, modinfo, run,
};

const KREL: &str = "6.4.0-1-default";

/// A module with something in every section.
fn full(arch: Arch) -> ModuleBuilder {
    ModuleBuilder::new("full")
        .arch(arch)
        .need("printk", 0x1234_5678)
        .need_weak("maybe", None)
        .need_without_crc("_GLOBAL_OFFSET_TABLE_")
        .export("full_open", 0xaaaa_0001)
        .export_gpl("full_gpl", 0xaaaa_0002)
        .export_with(Export::new("full_ns").crc(0xaaaa_0003).gpl().namespace("FULL"))
        .export_with(Export::new("full_nocrc"))
        .import_ns("USB_STORAGE")
        .import_ns("DMA_BUF")
        .alias("pci:v00001234d*")
        .supported("external")
        .text_size(4096)
        .signature(b"not really PKCS#7".to_vec())
}

#[test]
fn readelf_has_no_complaint_on_any_machine() {
    let dir = tempfile::tempdir().unwrap();
    for arch in Arch::ALL {
        for style in [CrcStyle::Relative, CrcStyle::Absolute] {
            for strip in [Strip::Nothing, Strip::Unneeded, Strip::Locals] {
                for versions in [Versions::None, Versions::Basic, Versions::Extended, Versions::Both] {
                    let module = full(arch).crc_style(style).versions(versions).strip(strip);
                    let file = dir.path().join("full.ko");
                    fs::write(&file, module.build()).unwrap();
                    let output = run(Command::new("readelf").args(["-a", "-W"]).arg(&file)).expect_success();
                    assert_eq!(output.stderr, "", "{arch:?} {style:?} {strip:?} {versions:?}");
                    let said = |text: &str| output.stdout.contains(text);
                    assert_eq!(said("__ksymtab_full_gpl"), strip == Strip::Nothing, "{output}");
                    assert_eq!(said("__kstrtab_full_gpl"), strip != Strip::Locals, "{output}");
                }
            }
        }
    }
}

/// Symbols and relocations, without their numbers.
fn symbols_and_exports(file: &Path) -> Vec<String> {
    let output = run(Command::new("readelf").args(["-s", "-r", "-W"]).arg(file)).expect_success();
    let field = |line: &str| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> =
        output.lines().into_iter().map(field).filter(|l| l.contains("full")).collect();
    lines.sort();
    lines
}

#[test]
fn stripping_leaves_what_the_real_strip_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (real, ours) = (dir.path().join("real.ko"), dir.path().join("ours.ko"));
    let module = ModuleBuilder::new("full").export_gpl("full_gpl", 2).export("full_open", 1).local_symbols(3);
    fs::write(&real, module.build()).unwrap();
    fs::write(&ours, module.strip(Strip::Unneeded).build()).unwrap();
    assert_ne!(symbols_and_exports(&real), symbols_and_exports(&ours));
    run(Command::new("strip").arg("--strip-unneeded").arg(&real)).expect_success();
    assert_eq!(symbols_and_exports(&real), symbols_and_exports(&ours));
}

#[test]
fn classes_and_byte_orders_are_those_of_the_machine() {
    for arch in Arch::ALL {
        let bytes = full(arch).build();
        assert_eq!(bytes[4], if arch.is_64() { 2 } else { 1 }, "{arch:?}");
        assert_eq!(bytes[5], if arch.is_big_endian() { 2 } else { 1 }, "{arch:?}");
        let machine = [bytes[18], bytes[19]];
        let machine =
            if arch.is_big_endian() { u16::from_be_bytes(machine) } else { u16::from_le_bytes(machine) };
        let expected = match arch {
            Arch::X86_64 => 62,
            Arch::Aarch64 => 183,
            Arch::Ppc64le => 21,
            Arch::S390x => 22,
            Arch::I386 => 3,
            Arch::Ppc32 => 20,
        };
        assert_eq!(machine, expected, "{arch:?}");
    }
}

#[test]
fn modinfo_reads_every_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("full.ko");
    fs::write(&file, full(Arch::X86_64).build()).unwrap();
    for (field, value) in [
        ("name", "full"),
        ("license", "GPL"),
        ("vermagic", "6.4.0-1-default SMP preempt mod_unload modversions "),
        ("import_ns", "USB_STORAGE\nDMA_BUF"),
        ("alias", "pci:v00001234d*"),
        ("supported", "external"),
        ("depends", ""),
    ] {
        assert_eq!(modinfo(&file, field), value, "{field}");
    }
}

/// The lines of `modprobe --dump-modversions` or `--show-exports`: CRC and symbol.
fn modprobe(option: &str, file: &Path) -> Vec<String> {
    let output = run(Command::new("/usr/sbin/modprobe").arg(option).arg(file)).expect_success();
    output.lines().iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn kmod_reads_needs_and_exports() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("full.ko");
    for arch in Arch::ALL {
        for style in [CrcStyle::Relative, CrcStyle::Absolute] {
            fs::write(&file, full(arch).crc_style(style).build()).unwrap();
            assert_eq!(
                modprobe("--dump-modversions", &file),
                ["0xf7940c2b module_layout", "0x12345678 printk"],
                "{arch:?} {style:?}"
            );
            let mut exports = modprobe("--show-exports", &file);
            exports.sort();
            assert_eq!(
                exports,
                ["0xaaaa0001 full_open", "0xaaaa0002 full_gpl", "0xaaaa0003 full_ns"],
                "{arch:?} {style:?}"
            );
        }
    }
}

#[test]
fn a_big_driver_fits_the_table_it_was_made_from() {
    let root = tempfile::tempdir().unwrap();
    let symvers = Symvers::generate(5_000, 1);
    let kernel = KernelBuilder::new(KREL).symvers(symvers.clone()).symvers_compression(Compression::Plain);
    let tree = kernel.write(root.path());
    let driver = kernel.driver("big").need_some_of(&symvers, 300, 2).text_size(300_000).local_symbols(1_000);
    fs::create_dir(tree.join("updates")).unwrap();
    fs::write(tree.join("updates/big.ko"), driver.build()).unwrap();
    let later = tree.join("later");
    fs::write(&later, symvers.changed(0.5, 3).to_text()).unwrap();
    let check = |symvers: &Path| {
        depmod(root.path(), KREL, &[OsStr::new("-n"), "-e".as_ref(), "-E".as_ref(), symvers.as_os_str()])
            .expect_success()
            .stderr
    };
    assert_eq!(check(&tree.join("symvers")), "");
    let disagree = check(&later).matches("disagrees about version of symbol").count();
    assert!((110..190).contains(&disagree), "{disagree} of 300");
}

#[test]
fn depmod_agrees_with_a_kernel_and_a_driver() {
    for (dir, compression) in [(ModulesDir::UsrLib, Compression::Zst), (ModulesDir::Lib, Compression::Xz)] {
        let root = tempfile::tempdir().unwrap();
        let kernel = KernelBuilder::new(KREL)
            .export("printk", 1)
            .module("drivers/net", ModuleBuilder::new("mii").need("printk", 1).export_gpl("mii_link_ok", 2))
            .module_compression(compression)
            .symvers_compression(Compression::Plain)
            .modules_dir(dir);
        let tree = kernel.write(root.path());
        fs::create_dir(tree.join("updates")).unwrap();
        let write = |name: &str, module: ModuleBuilder| {
            fs::write(tree.join("updates").join(name), module.build_compressed(compression)).unwrap();
        };
        let suffix = compression.suffix();
        write(&format!("good.ko{suffix}"), kernel.driver("good").need("printk", 1).need("mii_link_ok", 2));
        let symvers = tree.join("symvers");
        let check = [OsStr::new("-e"), OsStr::new("-E"), symvers.as_os_str()];
        assert_eq!(depmod(root.path(), KREL, &check).expect_success().stderr, "", "{dir:?}");
        let dep = fs::read_to_string(tree.join("modules.dep")).unwrap();
        assert!(
            dep.contains(&format!("updates/good.ko{suffix}: kernel/drivers/net/mii.ko{suffix}\n")),
            "{dep}"
        );

        write(&format!("bad.ko{suffix}"), kernel.driver("bad").need("printk", 9).need("mii_link_ok", 9));
        write(&format!("lost.ko{suffix}"), kernel.driver("lost").need("nowhere", 9));
        let stderr = depmod(root.path(), KREL, &check).expect_success().stderr;
        for complaint in ["disagrees about version of symbol printk", "needs unknown symbol nowhere"] {
            assert!(stderr.contains(complaint), "{stderr}");
        }
    }
}
