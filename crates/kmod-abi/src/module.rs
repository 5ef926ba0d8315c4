// SPDX-License-Identifier: LGPL-2.1-or-later
//! A module: what it imports, what it exports, and what it says about itself.

mod exports;
mod info;
mod malformed;
mod needs;
mod versions;

pub use exports::Offer;
pub(crate) use exports::{Crc, KSYMTABS, read as read_exports};
pub use info::Supported;
pub use malformed::Malformed;
pub use needs::Need;
pub use versions::Crcs;
pub(crate) use versions::{basic_versions, extended_versions};

use crate::btf::Btf;
use crate::budget::{self, Budget, Exceeded};
use crate::elf::{Arch, Object, Relocated};
use crate::feature::Release;
use crate::modinfo;
use crate::signature::{self, Signature, SignatureError};

/// What the end of the file says of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureState {
    /// No trailer.
    Unsigned,
    /// A trailer that the kernel can read. Whether it trusts the key is known to the kernel only.
    Signed(Signature),
    /// A trailer that the kernel refuses to read (EBADMSG), even where signatures are not enforced.
    Broken(SignatureError),
}

impl SignatureState {
    /// The signature, if there is one that can be read.
    pub fn signed(&self) -> Option<&Signature> {
        match self {
            Self::Signed(signature) => Some(signature),
            Self::Unsigned | Self::Broken(_) => None,
        }
    }
}

/// What a module's sections are like where it depends on the kernel what follows from that. The default is a sound module's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// Is its only `.modinfo` not loaded?
    pub modinfo_not_loaded: bool,
    /// Which section, or kind of sections, there is more than one of that should be one.
    pub repeated: Option<&'static str>,
    /// The name of two sections that are loaded and not empty.
    pub doubled: Option<Box<str>>,
    /// Is there nothing where its `struct module` should have the name? It may be elsewhere where the kernel's build has put the
    /// fields into a random order.
    pub has_no_name: bool,
    /// The first section that is both writable and executable.
    pub writable_code: Option<Box<str>>,
    /// The size of its per-cpu data in bytes.
    pub percpu: u64,
    /// Its BTF, if it has any.
    pub btf: Option<Btf>,
    /// Why one of its relocations cannot be applied by any kernel until [`KNOWN`](Self::KNOWN), as a clause.
    pub bad_relocation: Option<Box<str>>,
    /// The name of a section of a live patch's relocations that does not say what they patch.
    pub nameless_patch: Option<Box<str>>,
}

impl Sections {
    /// The last release of Linux whose relocations are known.
    pub const KNOWN: Release = Release::new(7, 3);

    fn of(object: &Object<'_>) -> Result<Self, Exceeded> {
        let layout = &object.layout;
        object.budget.read(layout.btf.len() + layout.btf_base.map_or(0, <[u8]>::len))?;
        let repeated = [
            (layout.modinfos, ".modinfo"),
            (layout.this_modules, ".gnu.linkonce.this_module"),
            (layout.symbol_tables, "symbol table"),
        ];
        Ok(Self {
            modinfo_not_loaded: layout.modinfos > 0 && object.section(b".modinfo").is_none(),
            repeated: repeated.into_iter().find(|(count, _)| *count > 1).map(|(_, what)| what),
            doubled: layout.doubled.map(|name| modinfo::text(&name[..name.len().min(64)]).into()),
            has_no_name: false,
            writable_code: layout.writable_code.map(|name| modinfo::text(name).into()),
            percpu: layout.percpu,
            btf: Btf::parse(layout.btf, layout.btf_base, object.arch.big_endian),
            bad_relocation: layout.bad_relocation.as_deref().map(Box::from),
            nameless_patch: layout
                .nameless_patch
                .map(|name| modinfo::text(&name[..name.len().min(64)]).into()),
        })
    }
}

/// A kernel module, read from the bytes of an inflated `.ko` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The name that the kernel knows it by, with `_` for `-`.
    pub name: Box<str>,
    /// Is that the name of its file, for want of one in `.modinfo` (Linux before 4.14)?
    pub is_named_by_file: bool,
    /// The name in its `struct module`, if one is found there: it counts once the module is loaded.
    pub struct_name: Option<Box<str>>,
    /// Class, byte order and machine.
    pub arch: Arch,
    /// The whole `vermagic`, release first.
    pub vermagic: Option<Box<str>>,
    /// The first `license` entry.
    pub license: Option<Box<str>>,
    /// Undefined symbols, in the order of the symbol table.
    pub needs: Vec<Need>,
    /// The versions recorded for `module_layout`, which stands for the layout of `struct module`.
    pub layout: Crcs,
    /// Is there a `__versions` section (even an empty one)?
    pub has_versions: bool,
    /// Are there `__version_ext_crcs` and `__version_ext_names`?
    pub has_extended_versions: bool,
    /// Exports, by name.
    pub offers: Vec<Offer>,
    /// Do its exports have flags (`__kflagstab`), as Linux 7.1 and later want them?
    pub has_export_flags: bool,
    /// Is there a table of exports without a table of versions (`__kcrctab`)?
    pub lacks_export_crcs: bool,
    /// Namespaces that it imports, sorted.
    pub import_ns: Vec<Box<str>>,
    /// Modules that it says it depends on, with `_` for `-`.
    pub depends: Vec<Box<str>>,
    /// Modules that modprobe loads before it (`softdep=pre: ...`), with `_` for `-`.
    pub softdeps: Vec<Box<str>>,
    /// Device aliases.
    pub aliases: Vec<Box<str>>,
    /// Support status (SUSE).
    pub supported: Supported,
    /// Size of `.gnu.linkonce.this_module` in bytes.
    pub struct_size: u64,
    /// What its sections are like where it depends on the kernel what follows from that.
    pub sections: Sections,
    /// Built with the kernel (`intree=Y`).
    pub is_in_tree: bool,
    /// A live patch (`livepatch=Y`).
    pub is_live_patch: bool,
    /// The signature.
    pub signature: SignatureState,
    /// Only its symbols are known, from its package's dependencies: rules about anything else are not applied, and it may
    /// export more symbols than are known.
    pub is_declared: bool,
}

impl Module {
    /// Reads a module. `file` is the name of its file; it gives the module's name where `.modinfo` does not.
    ///
    /// # Errors
    /// [`Malformed`], for what the loader refuses before it looks at symbols (ENOEXEC): no ELF object,
    /// a section past the end of the file, no symbols, no `struct module`, extended versions without
    /// names or the other way round, a common symbol. Also what takes more than a module's [budget].
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, Malformed> {
        let signature = match signature::split(bytes) {
            Ok((_, None)) => SignatureState::Unsigned,
            Ok((_, Some(signature))) => SignatureState::Signed(signature),
            Err(e) => SignatureState::Broken(e),
        };
        let object = Object::parse(signature::body(bytes), Relocated::Named(KSYMTABS))?;
        let this_module = object.section(b".gnu.linkonce.this_module").ok_or_else(|| {
            Malformed::Refused("no struct module in it (section .gnu.linkonce.this_module)".into())
        })?;

        let sections = Sections::of(&object)?;
        let mut module =
            Self { struct_size: this_module.size, sections, signature, ..Self::empty(object.arch) };
        let name = name_field(this_module.data, object.arch);
        module.sections.has_no_name = name.is_some_and(|name| name.first() == Some(&0));
        module.struct_name = name.and_then(struct_name).map(Box::from);
        module.read_modinfo(&object, file)?;
        let versions = module.read_versions(&object)?;
        module.read_needs(&object, &versions)?;
        let exports = read_exports(&object)?;
        module.offers = exports.offers;
        module.has_export_flags = exports.has_flags;
        module.lacks_export_crcs = exports.lacks_crcs;
        Ok(module)
    }

    /// A module of which nothing but the architecture is known.
    fn empty(arch: Arch) -> Self {
        Self {
            name: "".into(),
            is_named_by_file: false,
            struct_name: None,
            arch,
            vermagic: None,
            license: None,
            needs: Vec::new(),
            layout: Crcs::default(),
            has_versions: false,
            has_extended_versions: false,
            offers: Vec::new(),
            has_export_flags: false,
            lacks_export_crcs: false,
            import_ns: Vec::new(),
            depends: Vec::new(),
            softdeps: Vec::new(),
            aliases: Vec::new(),
            supported: Supported::No,
            is_in_tree: false,
            is_live_patch: false,
            struct_size: 0,
            sections: Sections::default(),
            signature: SignatureState::Unsigned,
            is_declared: false,
        }
    }

    /// A module of which only the imported and exported symbols and their versions are known.
    pub fn declared(
        needs: impl IntoIterator<Item = (Box<str>, u32)>,
        offers: impl IntoIterator<Item = (Box<str>, u32)>,
    ) -> Self {
        let crcs = |crc| Crcs { basic: Some(crc), extended: Some(crc), is_overlong: false };
        let mut module = Self {
            // Whatever it is: that it does not load for its licence is not known.
            license: Some("GPL".into()),
            has_versions: true,
            has_extended_versions: true,
            is_declared: true,
            ..Self::empty(Arch { is_64: true, big_endian: false, machine: 0, abi: 0 })
        };
        for (symbol, crc) in needs {
            if &*symbol == "module_layout" {
                module.layout = crcs(crc);
            } else {
                module.needs.push(Need { symbol, weak: false, crcs: crcs(crc) });
            }
        }
        module.offers = offers
            .into_iter()
            .map(|(symbol, crc)| Offer {
                symbol,
                crc: Some(crc),
                gpl: false,
                namespace: None,
                is_misplaced: false,
            })
            .collect();
        module
    }

    /// May it use GPL-only symbols (`license_is_gpl_compatible`, `include/linux/license.h`)?
    ///
    /// Not driverloader and lve: whatever they say, the kernel counts them as proprietary (`module_augment_kernel_taints`).
    pub fn is_gpl(&self) -> bool {
        if matches!(self.own_name(), "driverloader" | "lve") {
            return false;
        }
        matches!(
            self.license.as_deref(),
            Some(
                "GPL"
                    | "GPL v2"
                    | "GPL and additional rights"
                    | "Dual BSD/GPL"
                    | "Dual MIT/GPL"
                    | "Dual MPL/GPL"
            )
        )
    }

    /// The name that it has once it is loaded.
    pub fn own_name(&self) -> &str {
        self.struct_name.as_deref().unwrap_or(&self.name)
    }

    /// How much memory it takes, in bytes.
    pub fn memory(&self) -> u64 {
        let text = |text: &str| text.len() + 16;
        let offer = |o: &Offer| size_of::<Offer>() + text(&o.symbol) + o.namespace.as_deref().map_or(0, text);
        let needs = self.needs.iter().map(|n| size_of::<Need>() + text(&n.symbol));
        let texts = self.import_ns.iter().chain(&self.depends).chain(&self.aliases);
        let texts = texts.map(|t| size_of::<Box<str>>() + text(t));
        let types = self.sections.btf.as_ref().map_or(0, Btf::memory);
        (size_of::<Self>() + types + needs.chain(self.offers.iter().map(offer)).chain(texts).sum::<usize>())
            as u64
    }
}

/// `struct module` begins with a state, a list and the name.
fn name_field(data: &[u8], arch: Arch) -> Option<&[u8]> {
    let long = if arch.is_64 { 8 } else { 4 };
    data.get(3 * long..3 * long + 64 - long)
}

/// The name, if it is one. Where the kernel's build has put the fields of `struct module` into a random order something else is
/// there: what does not look like a name is none.
fn struct_name(field: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(until_nul(field)).ok().filter(|name| name.len() < field.len())?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// Pays for keeping a `T` with a symbol's name.
fn keep_symbol<T>(budget: &Budget, name: &[u8]) -> Result<(), Malformed> {
    if name.len() > budget::NAME {
        let (start, limit) = (modinfo::text(&name[..40]), budget::NAME);
        let len = name.len();
        return Err(Malformed::Refused(format!(
            "the name of the symbol {start}... has {len} bytes, the limit is {limit}"
        )));
    }
    Ok(budget.keep_with::<T>(name.len())?)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len())]
}
