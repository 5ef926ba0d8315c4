// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the loader wants of an ELF file and its sections. The modules are changed byte by byte, as no tool makes them so.

use testkit::{Arch, Export, KernelBuilder, ModuleBuilder};

use super::{KREL, judge, kernel};
use crate::{Candidate, Kernel, KernelConfig, Module, Role, Rule, World};

const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const RELA: u32 = 4;
const WRITE: u64 = 1;
const ALLOC: u64 = 2;
const EXEC: u64 = 4;

/// A module of x86-64 that can be changed.
struct Elf(Vec<u8>);

impl Elf {
    fn of(module: &ModuleBuilder) -> Self {
        Self(module.build())
    }

    fn sound() -> Self {
        Self::of(&builder().driver("foo").need("printk", 1).export("f", 2))
    }

    fn u64_at(&self, at: usize) -> usize {
        usize::try_from(u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())).unwrap()
    }

    fn u16_at(&self, at: usize) -> usize {
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap()).into()
    }

    /// Where the header of section `index` is.
    fn header(&self, index: usize) -> usize {
        self.u64_at(40) + index * 64
    }

    /// The first section for which this is so.
    fn find(&self, is: impl Fn(&[u8], u32) -> bool) -> usize {
        let names = self.u64_at(self.header(self.u16_at(62)) + 24);
        let name = |header: usize| {
            let at = names + u32::from_le_bytes(self.0[header..header + 4].try_into().unwrap()) as usize;
            self.0[at..].split(|b| *b == 0).next().unwrap()
        };
        let kind = |header: usize| u32::from_le_bytes(self.0[header + 4..header + 8].try_into().unwrap());
        let found = (1..self.u16_at(60)).find(|i| is(name(self.header(*i)), kind(self.header(*i))));
        self.header(found.unwrap())
    }

    fn named(&self, wanted: &str) -> usize {
        self.find(|name, _| name == wanted.as_bytes())
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn flags(self, of: &str, flags: u64) -> Self {
        let at = self.named(of) + 8;
        self.put(at, &flags.to_le_bytes())
    }

    /// The rules that it breaks.
    fn broken(&self, kernel: &Kernel) -> Vec<Rule> {
        let Ok(module) = Module::parse(&self.0, "foo") else { return vec![Rule::Malformed] };
        let set = vec![Candidate { name: "foo", module: &module, role: Role::Judged }];
        World::new(kernel, None, set).judge().remove(0).reasons.into_iter().map(|r| r.rule).collect()
    }
}

fn builder() -> KernelBuilder {
    KernelBuilder::new(KREL).export("printk", 1)
}

fn configured(config: &str) -> Kernel {
    let config = format!("CONFIG_MODVERSIONS=y\n{config}");
    Kernel { config: KernelConfig::parse(config.as_bytes()), ..kernel(&builder()) }
}

/// `elf_validity_ehdr`: of `e_ident` only the magic number is looked at.
#[test]
fn class_and_order_of_e_ident_are_not_looked_at() {
    let kernel = kernel(&builder());
    assert_eq!(Elf::sound().broken(&kernel), []);
    for (at, byte) in [(4, 1), (4, 0), (5, 2), (5, 9), (6, 7), (7, 255), (15, 1)] {
        assert_eq!(Elf::sound().put(at, &[byte]).broken(&kernel), [], "{at}: {byte}");
    }
    assert_eq!(Elf::sound().put(18, &[183]).broken(&kernel)[0], Rule::Architecture);
    assert_eq!(Elf::sound().put(16, &[3]).broken(&kernel), [Rule::Malformed]);
}

/// `module_elf_check_arch`.
#[test]
fn the_abi_of_ppc64_is_told_by_flags() {
    let builder = KernelBuilder::new(KREL)
        .arch(Arch::ALL.into_iter().find(|a| format!("{a:?}").contains("Ppc64")).unwrap());
    let (kernel, module) = (kernel(&builder), Elf::of(&builder.driver("foo")));
    assert_eq!(module.broken(&kernel), []);
    assert_eq!(module.put(48, &[1]).broken(&kernel), [Rule::Architecture]);
}

/// `elf_validity_cache_sechdrs`, `elf_validity_cache_secstrings`, `elf_validity_cache_strtab`.
#[test]
fn section_zero_and_tables_of_names_have_to_be_sound() {
    let kernel = kernel(&builder());
    let elf = Elf::sound;
    let (names, symbols) =
        (elf().header(elf().u16_at(62)), elf().find(|name, kind| kind == STRTAB && name == b".strtab"));
    let contents = |header: usize| (elf().u64_at(header + 24), elf().u64_at(header + 32));
    let last = |header: usize| contents(header).0 + contents(header).1 - 1;
    for (what, changed) in [
        ("section 0 has a size", elf().put(elf().header(0) + 32, &[1])),
        ("section 0 has a type", elf().put(elf().header(0) + 4, &[1])),
        ("no names", elf().put(62, &[0, 0])),
        ("names are no table", elf().put(names + 4, &[1])),
        ("names without an end", elf().put(last(names), b"x")),
        ("a name outside", elf().put(elf().named(".text"), &[0xff, 0xff, 0xff])),
        ("a name of what is not loaded outside", elf().put(symbols, &[0xff, 0xff, 0xff])),
        ("symbol names without an end", elf().put(last(symbols), b"x")),
        ("symbol names without a beginning", elf().put(contents(symbols).0, b"x")),
    ] {
        assert_eq!(changed.broken(&kernel), [Rule::Malformed], "{what}");
    }
}

/// `rewrite_section_headers`: the type of what is read in the file itself is not looked at.
#[test]
fn what_is_said_to_have_no_contents_has_what_the_file_has_there() {
    let nobits = |elf: Elf, name: &str| {
        let at = elf.named(name) + 4;
        elf.put(at, &[8])
    };
    let kernel = configured("CONFIG_MODULE_FORCE_LOAD=n\n");
    assert_eq!(Elf::sound().broken(&kernel), []);
    assert_eq!(nobits(nobits(Elf::sound(), ".modinfo"), "__versions").broken(&kernel), []);
    let other = Elf::of(&builder().driver("foo").need("printk", 2));
    assert_eq!(nobits(other, "__versions").broken(&kernel), [Rule::Crc]);
    let at = Elf::sound().named(".modinfo") + 24;
    let outside = nobits(Elf::sound(), ".modinfo").put(at, &[0xff, 0xff, 0xff]);
    assert_eq!(outside.broken(&kernel), [Rule::Vermagic]);
}

/// `elf_validity_cache_index`: since Linux 6.4 these may be there once only.
#[test]
fn some_sections_may_be_there_once_only() {
    let strict = kernel(&builder());
    let lenient = kernel(&KernelBuilder::new("6.3.0-1-default").export("printk", 1));
    for name in [".modinfo", ".gnu.linkonce.this_module"] {
        let twice = Elf::of(&builder().driver("foo").section_not_loaded(name, vec![0; 8]));
        assert_eq!(twice.broken(&strict), [Rule::Malformed], "{name}");
        assert_eq!(twice.broken(&lenient), [], "{name}");
    }
    let elf = Elf::sound();
    let table = elf.find(|_, kind| kind == SYMTAB);
    let header = elf.0[table..table + 64].to_vec();
    let spare = Elf::of(&builder().driver("foo").section_not_loaded(".spare", vec![0; 8]));
    let (at, own) = (spare.named(".spare"), spare.find(|_, kind| kind == SYMTAB));
    let name = spare.0[at..at + 4].to_vec();
    let copy = spare.0[own..own + 64].to_vec();
    assert_eq!(header.len(), copy.len());
    assert_eq!(spare.put(at, &copy).put(at, &name).broken(&strict), [Rule::Malformed]);
}

/// `find_any_unique_sec`: `.modinfo` need not be loaded in newer kernels; in others it is not found then.
#[test]
fn modinfo_need_not_be_loaded() {
    for (release, expected) in [("6.14.0-1-default", vec![]), ("6.11.0-1-default", vec![Rule::Vermagic])] {
        let builder = KernelBuilder::new(release).export("printk", 1);
        let elf = Elf::of(&builder.driver("foo")).flags(".modinfo", 0);
        assert_eq!(elf.broken(&kernel(&builder)), expected, "{release}");
    }
}

/// `module_enforce_rwx_sections`, `percpu_modalloc`, `check_modinfo_livepatch`.
#[test]
fn what_the_configuration_decides_about_sections() {
    let writable_code = Elf::sound().flags(".text", ALLOC | WRITE | EXEC);
    let large = Elf::of(&builder().driver("foo").section(".data..percpu", vec![0; 9000]));
    let small = Elf::of(&builder().driver("foo").section(".data..percpu", vec![0; 8192]));
    let patch = Elf::of(&builder().driver("foo").info("livepatch", "Y"));
    for (elf, config) in [
        (&writable_code, "CONFIG_STRICT_MODULE_RWX=y\n"),
        (&large, "CONFIG_SMP=y\n"),
        (&patch, "# CONFIG_LIVEPATCH is not set\n"),
    ] {
        assert_eq!(elf.broken(&configured(config)), [Rule::Malformed], "{config}");
        // A configuration that is not known forbids nothing.
        assert_eq!(elf.broken(&kernel(&builder())), [], "{config}");
    }
    assert_eq!(writable_code.broken(&configured("CONFIG_LIVEPATCH=y\n")), []);
    assert_eq!(small.broken(&configured("CONFIG_SMP=y\n")), []);
    // find_pcpusec finds none there.
    assert_eq!(large.broken(&configured("# CONFIG_SMP is not set\n")), []);
    assert_eq!(patch.broken(&configured("CONFIG_LIVEPATCH=y\n")), []);
    // klp_apply_section_relocs
    let vmlinux = Elf::of(&builder().driver("vmlinux"));
    assert_eq!(vmlinux.broken(&configured("CONFIG_LIVEPATCH=y\n")), [Rule::Malformed]);
    assert_eq!(vmlinux.broken(&configured("# CONFIG_LIVEPATCH is not set\n")), []);
    let nameless = Elf::sound().flags(".rela__ksymtab", 0x0010_0000);
    assert_eq!(nameless.broken(&configured("CONFIG_LIVEPATCH=y\n")), [Rule::Malformed]);
    assert_eq!(nameless.broken(&configured("# CONFIG_LIVEPATCH is not set\n")), []);
    let old = Kernel { release: "5.7.0-1-default".into(), ..configured("CONFIG_LIVEPATCH=y\n") };
    assert!(!nameless.broken(&old).contains(&Rule::Malformed));
}

/// Flags of a section of type NULL count as well.
#[test]
fn what_is_writable_code_says_no_type() {
    let spare = Elf::of(&builder().driver("foo").section_not_loaded(".spare", vec![0; 8]));
    let at = spare.named(".spare");
    let elf = spare.flags(".spare", WRITE | EXEC).put(at + 4, &[0; 4]);
    assert_eq!(elf.broken(&configured("CONFIG_STRICT_MODULE_RWX=y\n")), [Rule::Malformed]);
    assert_eq!(elf.broken(&kernel(&builder())), []);
}

/// `add_sect_attrs`: there are files named for sections.
#[test]
fn loaded_sections_have_names_of_their_own() {
    let of = |release: &str, config: &str, elf: &Elf| {
        let builder = KernelBuilder::new(release).export("printk", 1);
        let config = KernelConfig::parse(format!("CONFIG_MODVERSIONS=y\n{config}").as_bytes());
        elf.broken(&Kernel { config, ..kernel(&builder) })
    };
    let (new, on) = ("6.12.0-1-default", "CONFIG_KALLSYMS=y\n");
    let twice = |bytes: usize| {
        Elf::of(&builder().driver("foo").section("twice", [1]).section("twice", vec![1; bytes]))
    };
    assert_eq!(of(new, on, &twice(4)), [Rule::Malformed]);
    assert_eq!(of("6.1.0-1-default", on, &twice(4)), []);
    assert_eq!(of(new, "", &twice(4)), []);
    // There are none for what is empty, or is not loaded.
    assert_eq!(of(new, on, &twice(0)), []);
    let other = Elf::of(&builder().driver("foo").section("twice", [1]).section_not_loaded("twice", [1]));
    assert_eq!(of(new, on, &other), []);
}

/// `kobject_init_and_add` takes no empty name. Where the kernel's own modules have no name there either it is elsewhere.
#[test]
fn struct_module_has_a_name() {
    let elf = Elf::of(&builder().driver("foo"));
    let at = elf.u64_at(elf.named(".gnu.linkonce.this_module") + 24) + 24;
    let nameless = elf.put(at, &[0; 8]);
    let mut kernel = kernel(&builder());
    assert_eq!(nameless.broken(&kernel), [Rule::Malformed]);
    kernel.traits.has_names_in_place = false;
    assert_eq!(nameless.broken(&kernel), []);
}

/// `simplify_symbols`.
#[test]
fn a_symbol_is_in_a_section_that_there_is() {
    let kernel = kernel(&builder());
    let elf = Elf::sound();
    let table = elf.u64_at(elf.find(|_, kind| kind == SYMTAB) + 24);
    let place = |index: u16| Elf::sound().put(table + 24 + 6, &index.to_le_bytes()).broken(&kernel);
    // SHN_ABS, SHN_LIVEPATCH
    assert_eq!((place(0xfff1), place(0xff20)), (vec![], vec![]));
    for index in [200, 0xff00, 0xffff] {
        assert_eq!(place(index), [Rule::Malformed], "{index:#x}");
    }
}

/// `apply_relocate_add`.
#[test]
fn relocations_are_of_a_known_type_and_go_where_nothing_is() {
    let of = |release: &str| {
        let builder = KernelBuilder::new(release).export("printk", 1);
        (kernel(&builder), Elf::of(&builder.driver("foo").export("f", 2)))
    };
    let with = |release: &str, change: &dyn Fn(Elf, usize, usize) -> Elf| {
        let (kernel, elf) = of(release);
        let table = elf.find(|name, kind| kind == RELA && name == b".rela__ksymtab");
        let (target, list) = (elf.u64_at(elf.named("__ksymtab") + 24), elf.u64_at(table + 24));
        change(elf, list, target).broken(&kernel)
    };
    assert_eq!(with(KREL, &|elf, _, _| elf), []);
    let unknown = |elf: Elf, list: usize, _: usize| elf.put(list + 8, &77_u32.to_le_bytes());
    assert_eq!(with(KREL, &unknown), [Rule::Malformed]);
    // What kernels to come know is not known.
    assert!(!with("9.0.0-1-default", &unknown).contains(&Rule::Malformed));
    let occupied = |elf: Elf, list: usize, target: usize| {
        let at = target + elf.u64_at(list);
        elf.put(at, &[1])
    };
    assert_eq!(with(KREL, &occupied), [Rule::Malformed]);
    let narrow = |elf: Elf, list: usize, _: usize| elf.put(list + 8, &10_u32.to_le_bytes());
    assert_eq!(with(KREL, &narrow), [Rule::Malformed]);
    // Sums that no address brings into range, and one that some address does.
    let signed = |addend: i64| {
        move |elf: Elf, list: usize, _: usize| {
            elf.put(list + 8, &11_u32.to_le_bytes()).put(list + 16, &addend.to_le_bytes())
        }
    };
    assert_eq!(with(KREL, &signed(1 << 40)), [Rule::Malformed]);
    assert_eq!(with(KREL, &signed(-(1 << 40))), [Rule::Malformed]);
    assert_eq!(with(KREL, &signed(1 << 31)), []);
    let rel = |elf: Elf, _: usize, _: usize| {
        let at = elf.find(|name, kind| kind == RELA && name == b".rela__ksymtab") + 4;
        elf.put(at, &9_u32.to_le_bytes())
    };
    assert_eq!(with(KREL, &rel), [Rule::Malformed]);
}

/// `find_exported_symbol_in_section` looks by halves.
#[test]
fn what_is_not_in_its_place_is_not_found() {
    let kernel = kernel(&builder());
    let exports = ["b", "c", "a"].map(|name| Export::new(name).crc(1));
    let exporter = |unsorted| {
        let driver = builder().driver("p").unsorted_exports(unsorted);
        exports.iter().cloned().fold(driver, ModuleBuilder::export_with)
    };
    let users = ["a", "b", "c"].map(|name| builder().driver("u").need(name, 1));
    let fits =
        |unsorted: bool| users.clone().map(|user| judge(&kernel, &[exporter(unsorted), user])[1].fits());
    assert_eq!(fits(false), [true; 3]);
    assert_eq!(fits(true), [false, true, true]);
}

/// `check_version` compares all of an unsigned long.
#[test]
fn a_version_has_32_bits() {
    let elf = Elf::of(&builder().driver("foo").need("printk", 1));
    let records = elf.u64_at(elf.named("__versions") + 24);
    let of_printk =
        (0..2).map(|i| records + i * 64).find(|at| elf.0[at + 8..].starts_with(b"printk\0")).unwrap();
    assert_eq!(elf.broken(&kernel(&builder())), []);
    assert_eq!(elf.put(of_printk + 4, &[1]).broken(&kernel(&builder())), [Rule::Crc]);
}

/// The name that counts is the one in struct module.
#[test]
fn the_name_is_that_of_struct_module() {
    let elf = Elf::of(&builder().driver("foo").info("name", "other"));
    let module = Module::parse(&elf.0, "file").unwrap();
    assert_eq!((&*module.name, module.own_name()), ("other", "foo"));
    let at = elf.u64_at(elf.named(".gnu.linkonce.this_module") + 24) + 24;
    let random = Module::parse(&elf.put(at, &[0xff]).0, "file").unwrap();
    assert_eq!(random.own_name(), "other");
}
