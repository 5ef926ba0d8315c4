// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel, as far as its loader's decisions depend on it.

use std::collections::HashSet;
use std::fmt;

use super::signature::{KeyTrust, Keys, Signature};
use super::{Arch, KernelConfig, Module, SignatureState, SymbolTable, name};

/// What any module that was built with a kernel says about that kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Class, byte order and machine.
    pub arch: Option<Arch>,
    /// The kernel's whole vermagic.
    pub vermagic: Option<Box<str>>,
    /// `sizeof(struct module)` in bytes.
    pub struct_size: Option<u64>,
    /// Do its modules have their names where [`Sections::has_no_name`](crate::Sections::has_no_name) looks for them?
    pub has_names_in_place: bool,
    /// Do its exports have flags (`__kflagstab`)? `None`: the module that was read has no exports.
    pub has_export_flags: Option<bool>,
    /// How many bytes of names the kernel's BTF has, by [`Btf::base_names`](crate::Btf::base_names).
    pub btf_names: Option<u32>,
    /// The key that it was signed with, by [`Signature::key_id`](crate::signature::Signature::key_id).
    pub signed_by: Option<Box<str>>,
}

impl Traits {
    /// Takes them from a module that was built with the kernel.
    pub fn of(module: &Module) -> Self {
        Self {
            arch: Some(module.arch),
            vermagic: module.vermagic.clone(),
            struct_size: Some(module.struct_size),
            has_names_in_place: module.struct_name.as_deref() == Some(&*module.name),
            has_export_flags: (!module.offers.is_empty()).then_some(module.has_export_flags),
            btf_names: module
                .sections
                .btf
                .as_ref()
                .filter(|btf| btf.own_base.is_none())
                .and_then(|b| b.base_names),
            signed_by: match &module.signature {
                SignatureState::Signed(signature) => signature.key_id.as_deref().map(Box::from),
                _ => None,
            },
        }
    }
}

/// What of signatures depends on the machine that a kernel runs on, and not on the kernel alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// Why it takes signed modules only, where its configuration does not say so already.
    pub enforced: Option<Enforced>,
    /// The keys that it takes modules by, as far as they are known.
    pub keys: Keys,
}

/// Why a kernel takes signed modules only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforced {
    /// `module.sig_enforce=` on its command line.
    Parameter,
    /// `lockdown=` there.
    Lockdown,
    /// It is locked down where Secure Boot is on.
    SecureBoot,
    /// It is the running kernel, and says that it does.
    Running,
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Enforced::Parameter => "module.sig_enforce is on its command line",
            Enforced::Lockdown => "lockdown is on its command line",
            Enforced::SecureBoot => "Secure Boot is on",
            Enforced::Running => "it is locked down, or enforces signatures, as it runs now",
        })
    }
}

/// Why modules that their distributor does not support are kept out (SUSE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupportedOnly {
    /// `unsupported=0` on the kernel's command line: the kernel refuses them.
    Parameter,
    /// The running kernel says so (`/proc/sys/kernel/unsupported`).
    Running,
    /// `allow_unsupported_modules 0` in modprobe.d: SUSE's modprobe does not load them.
    Modprobe,
}

/// A kernel to judge modules against.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its release, `uname -r`.
    pub release: String,
    /// What its own modules say about it; what is `None` is not checked.
    pub traits: Traits,
    /// What it exports.
    pub symbols: SymbolTable,
    /// Its configuration.
    pub config: KernelConfig,
    /// Modules that are built into its image, by name with `_` for `-` (see [`builtin_names`]).
    pub builtin: HashSet<Box<str>>,
    /// What the machine adds about signatures.
    pub signing: Signing,
    /// What of the machine keeps modules without support out ([`Supported::No`](crate::Supported::No)).
    pub supported_only: Option<SupportedOnly>,
}

/// Reads `modules.builtin`: the names (with `_` for `-`) of what is built into a kernel's image. A line is the path below the
/// kernel's directory that the module would have.
pub fn builtin_names(text: &[u8]) -> HashSet<Box<str>> {
    let lines = String::from_utf8_lossy(text);
    let names =
        lines.lines().filter_map(|line| name::module_name(line.rsplit('/').next()?.trim_end().as_ref()));
    names.map(String::into_boxed_str).collect()
}

impl Kernel {
    /// A kernel of which no more is known than what it exports.
    pub fn of_symbols(release: impl Into<String>, symbols: SymbolTable) -> Self {
        Self {
            release: release.into(),
            traits: Traits::default(),
            symbols,
            config: KernelConfig::default(),
            builtin: HashSet::new(),
            signing: Signing::default(),
            supported_only: None,
        }
    }

    /// Does it take signed modules only, as far as is known?
    pub fn enforces_signatures(&self) -> bool {
        self.config.signatures_enforced || self.signing.enforced.is_some()
    }

    /// Does it know the key of a signature?
    pub fn trust(&self, signature: &Signature) -> KeyTrust {
        self.signing.keys.trust(signature, self.traits.signed_by.as_deref())
    }

    /// Was it built with `CONFIG_MODVERSIONS`? Without it the loader compares no CRC and the whole vermagic. Taken for granted
    /// where neither vermagic nor configuration is known.
    pub(super) fn has_modversions(&self) -> bool {
        match self.traits.vermagic.as_deref() {
            Some(vermagic) => vermagic.split(' ').any(|flag| flag == "modversions"),
            None => self.config.modversions.unwrap_or(true),
        }
    }
}
