// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel module, described.

use crate::noise::Noise;
use crate::{Arch, Compression, Symvers, compress};

/// The CRC of `module_layout` that kernels and modules of the testkit have unless told otherwise.
pub const MODULE_LAYOUT_CRC: u32 = 0xf794_0c2b;
/// The size of `struct module` unless told otherwise.
pub const STRUCT_MODULE_SIZE: usize = 1280;
/// What follows the release in vermagic unless told otherwise. The blank at the end is the kernel's.
pub const VERMAGIC_FLAGS: &str = "SMP preempt mod_unload modversions ";

/// Which tables hold the CRCs of the symbols a module needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// No section at all: built without CONFIG_MODVERSIONS.
    None,
    /// `__versions`, 64-byte records.
    #[default]
    Basic,
    /// `__version_ext_crcs` and `__version_ext_names` only.
    Extended,
    /// Both, as kernels since 6.14 write them: names too long for a record are in the extended one only.
    Both,
}

/// How an export's CRC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrcStyle {
    /// A u32 in `__kcrctab*` at the local symbol `__crc_NAME` (kernels since 4.10).
    #[default]
    Relative,
    /// `__crc_NAME` is an absolute symbol whose value is the CRC.
    Absolute,
}

/// Which local symbols are left in a module. Absolute CRCs are global symbols and always stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strip {
    /// All.
    #[default]
    Nothing,
    /// Those that relocations use, as after `strip --strip-unneeded`: `__kstrtab_*` and `__kstrtabns_*` stay,
    /// `__ksymtab_*` and `__crc_*` go.
    Unneeded,
    /// None: relocations in `__ksymtab` use section symbols and addends.
    Locals,
}

/// A symbol that a module needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub(crate) name: Vec<u8>,
    pub(crate) crc: Option<u32>,
    pub(crate) undefined: bool,
    pub(crate) weak: bool,
}

/// A symbol that a module exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub(crate) name: Vec<u8>,
    pub(crate) crc: Option<u32>,
    pub(crate) gpl: bool,
    pub(crate) namespace: Vec<u8>,
}

impl Export {
    /// An EXPORT_SYMBOL without a CRC.
    pub fn new(name: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), crc: None, gpl: false, namespace: Vec::new() }
    }

    /// With this CRC.
    pub fn crc(mut self, crc: u32) -> Self {
        self.crc = Some(crc);
        self
    }

    /// An EXPORT_SYMBOL_GPL.
    pub fn gpl(mut self) -> Self {
        self.gpl = true;
        self
    }

    /// In this namespace.
    pub fn namespace(mut self, namespace: impl Into<Vec<u8>>) -> Self {
        self.namespace = namespace.into();
        self
    }
}

/// Describes a kernel module and writes its bytes.
///
/// Unless told otherwise it is a GPL module for x86-64 that needs nothing but `module_layout`.
#[derive(Debug, Clone)]
pub struct ModuleBuilder {
    pub(crate) name: Vec<u8>,
    pub(crate) arch: Arch,
    pub(crate) modinfo: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) needs: Vec<Need>,
    pub(crate) exports: Vec<Export>,
    pub(crate) versions: Versions,
    pub(crate) crc_style: CrcStyle,
    pub(crate) export_flags: bool,
    pub(crate) unsorted: bool,
    pub(crate) strip: Strip,
    pub(crate) struct_module_size: Option<usize>,
    pub(crate) sections: Vec<(Vec<u8>, Vec<u8>, bool)>,
    pub(crate) commons: Vec<Vec<u8>>,
    pub(crate) text_size: usize,
    pub(crate) local_symbols: usize,
    pub(crate) seed: u64,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) trailer: Vec<u8>,
}

impl ModuleBuilder {
    /// A module of this name (as in `.modinfo`; the file's name is up to the caller).
    pub fn new(name: impl Into<Vec<u8>>) -> Self {
        let name = name.into();
        let seed = crate::noise::hash(&name);
        let module = Self {
            arch: Arch::default(),
            modinfo: Vec::new(),
            needs: Vec::new(),
            exports: Vec::new(),
            versions: Versions::default(),
            crc_style: CrcStyle::default(),
            export_flags: false,
            unsorted: false,
            strip: Strip::default(),
            struct_module_size: Some(STRUCT_MODULE_SIZE),
            sections: Vec::new(),
            commons: Vec::new(),
            text_size: 64,
            local_symbols: 0,
            seed,
            signature: None,
            trailer: Vec::new(),
            name: name.clone(),
        };
        module
            .info("license", "GPL")
            .info("srcversion", format!("{seed:016X}{:08X}", seed >> 32))
            .info("depends", "")
            .info("name", name)
            .vermagic(format!("6.4.0-1-default {VERMAGIC_FLAGS}"))
            .version_only("module_layout", MODULE_LAYOUT_CRC)
    }

    /// For this machine.
    pub fn arch(mut self, arch: Arch) -> Self {
        self.arch = arch;
        self
    }

    /// Sets a `.modinfo` field, in place of any of that name.
    pub fn info(self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        let at = self.modinfo.iter().position(|(k, _)| k == key.as_bytes());
        let mut module = self.without(key);
        let at = at.unwrap_or(module.modinfo.len());
        module.modinfo.insert(at, (key.into(), value.into()));
        module
    }

    /// Adds a `.modinfo` field, beside any of that name (`alias`, `import_ns`, `firmware`, `parm`).
    pub fn add_info(mut self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.modinfo.push((key.into(), value.into()));
        self
    }

    /// Leaves out every `.modinfo` field of that name.
    pub fn without(mut self, key: &str) -> Self {
        self.modinfo.retain(|(k, _)| k != key.as_bytes());
        self
    }

    /// The licence; `GPL` by default.
    pub fn license(self, license: &str) -> Self {
        self.info("license", license)
    }

    /// The whole vermagic string.
    pub fn vermagic(self, vermagic: impl Into<Vec<u8>>) -> Self {
        self.info("vermagic", vermagic)
    }

    /// Vermagic of this kernel release with [`VERMAGIC_FLAGS`].
    pub fn built_for(self, krel: &str) -> Self {
        self.vermagic(format!("{krel} {VERMAGIC_FLAGS}"))
    }

    /// The modules it says it depends on, comma-separated.
    pub fn depends(self, depends: &str) -> Self {
        self.info("depends", depends)
    }

    /// Imports a symbol namespace. May be called several times.
    pub fn import_ns(self, namespace: &str) -> Self {
        self.add_info("import_ns", namespace)
    }

    /// Adds an alias. May be called several times.
    pub fn alias(self, alias: &str) -> Self {
        self.add_info("alias", alias)
    }

    /// SUSE's support status: `yes`, `external`. There is none by default.
    pub fn supported(self, supported: &str) -> Self {
        self.info("supported", supported)
    }

    /// Needs a symbol with this CRC: undefined, and with a version entry.
    pub fn need(self, name: impl Into<Vec<u8>>, crc: u32) -> Self {
        self.push_need(name, Some(crc), true, false)
    }

    /// Needs a symbol, without a version entry. Also for `_GLOBAL_OFFSET_TABLE_` and `.TOC.`.
    pub fn need_without_crc(self, name: impl Into<Vec<u8>>) -> Self {
        self.push_need(name, None, true, false)
    }

    /// Needs `count` symbols of vmlinux from a kernel's table, chosen by the seed, and imports their namespaces.
    pub fn need_some_of(mut self, symvers: &Symvers, count: usize, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let mut left: Vec<_> = symvers
            .entries
            .iter()
            .filter(|entry| entry.exporter == "vmlinux" && entry.name != "module_layout")
            .collect();
        for _ in 0..count.min(left.len()) {
            let entry = left.swap_remove(noise.below(left.len()));
            self = self.need(&*entry.name, entry.crc);
            let import = (b"import_ns".to_vec(), entry.namespace.clone().into_bytes());
            if !entry.namespace.is_empty() && !self.modinfo.contains(&import) {
                self.modinfo.push(import);
            }
        }
        self
    }

    /// Can do without this symbol (STB_WEAK).
    pub fn need_weak(self, name: impl Into<Vec<u8>>, crc: Option<u32>) -> Self {
        self.push_need(name, crc, true, true)
    }

    /// Has a version entry for a symbol that is not undefined.
    pub fn version_only(self, name: impl Into<Vec<u8>>, crc: u32) -> Self {
        self.push_need(name, Some(crc), false, false)
    }

    /// Sets the CRC of `module_layout`, or leaves it out.
    pub fn module_layout(mut self, crc: Option<u32>) -> Self {
        self.needs.retain(|need| need.name != b"module_layout");
        if let Some(crc) = crc {
            let first =
                Need { name: b"module_layout".to_vec(), crc: Some(crc), undefined: false, weak: false };
            self.needs.insert(0, first);
        }
        self
    }

    /// Forgets every need, `module_layout` included.
    pub fn no_needs(mut self) -> Self {
        self.needs.clear();
        self
    }

    fn push_need(mut self, name: impl Into<Vec<u8>>, crc: Option<u32>, undefined: bool, weak: bool) -> Self {
        self.needs.push(Need { name: name.into(), crc, undefined, weak });
        self
    }

    /// Which version tables there are.
    pub fn versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// Exports a symbol with this CRC to everyone.
    pub fn export(self, name: impl Into<Vec<u8>>, crc: u32) -> Self {
        self.export_with(Export::new(name).crc(crc))
    }

    /// Exports a symbol with this CRC to GPL modules.
    pub fn export_gpl(self, name: impl Into<Vec<u8>>, crc: u32) -> Self {
        self.export_with(Export::new(name).crc(crc).gpl())
    }

    /// Exports a symbol.
    pub fn export_with(mut self, export: Export) -> Self {
        self.exports.push(export);
        self
    }

    /// How the CRCs of exports are written.
    pub fn crc_style(mut self, style: CrcStyle) -> Self {
        self.crc_style = style;
        self
    }

    /// Whether exports have the form of Linux 7.1 and later: all in `__ksymtab`, with a byte of flags each in `__kflagstab`.
    pub fn export_flags(mut self, flags: bool) -> Self {
        self.export_flags = flags;
        self
    }

    /// Whether tables of exports are left in the order of the calls; the kernel's linker script sorts them by name.
    pub fn unsorted_exports(mut self, unsorted: bool) -> Self {
        self.unsorted = unsorted;
        self
    }

    /// Which local symbols are left.
    pub fn strip(mut self, strip: Strip) -> Self {
        self.strip = strip;
        self
    }

    /// The size of `.gnu.linkonce.this_module`; `None` leaves the section out.
    pub fn struct_module_size(mut self, size: Option<usize>) -> Self {
        self.struct_module_size = size;
        self
    }

    /// Adds a section with these bytes, or a second one of a name that is there already.
    pub fn section(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.sections.push((name.into(), bytes.into(), true));
        self
    }

    /// Adds a section that is not loaded (without SHF_ALLOC): for the kernel it is not there.
    pub fn section_not_loaded(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.sections.push((name.into(), bytes.into(), false));
        self
    }

    /// Adds a common symbol, as `gcc -fcommon` makes of `int name;`.
    pub fn common(mut self, name: impl Into<Vec<u8>>) -> Self {
        self.commons.push(name.into());
        self
    }

    /// The size of `.text`, filled with bytes that compress like machine code.
    pub fn text_size(mut self, size: usize) -> Self {
        self.text_size = size;
        self
    }

    /// How many local functions the symbol table names beside all else.
    pub fn local_symbols(mut self, count: usize) -> Self {
        self.local_symbols = count;
        self
    }

    /// The seed of `.text`'s bytes; made from the name by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Appends a signature trailer around this PKCS#7 blob.
    pub fn signature(mut self, pkcs7: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(pkcs7.into());
        self
    }

    /// Appends these bytes after everything else, for damaged trailers.
    pub fn trailer(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.trailer = bytes.into();
        self
    }

    /// The module's bytes.
    ///
    /// # Panics
    /// When a name is too long for a record of `__versions`.
    pub fn build(&self) -> Vec<u8> {
        let mut module = self.clone();
        if !module.unsorted {
            module.exports.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let mut bytes = crate::elf::write(&module);
        if let Some(pkcs7) = &self.signature {
            bytes.extend(signature_trailer(pkcs7));
        }
        bytes.extend_from_slice(&self.trailer);
        bytes
    }

    /// The module's bytes, compressed.
    pub fn build_compressed(&self, compression: Compression) -> Vec<u8> {
        compress(&self.build(), compression)
    }
}

/// What a signed module ends with: the blob, its description and the magic string.
fn signature_trailer(pkcs7: &[u8]) -> Vec<u8> {
    const PKEY_ID_PKCS7: u8 = 2;
    let length = u32::try_from(pkcs7.len()).expect("a signature below 4 GiB");
    let mut bytes = pkcs7.to_vec();
    // algo, hash, id_type, signer_len, key_id_len, 3 bytes of padding
    bytes.extend([0, 0, PKEY_ID_PKCS7, 0, 0, 0, 0, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"~Module signature appended~\n");
    bytes
}
