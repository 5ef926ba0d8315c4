// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel, as far as its loader's decisions depend on it.

use super::{Arch, KernelConfig, Module, SymbolTable};

/// What any module that was built with a kernel says about that kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Class, byte order and machine.
    pub arch: Option<Arch>,
    /// The kernel's whole vermagic.
    pub vermagic: Option<Box<str>>,
    /// `sizeof(struct module)`.
    pub struct_size: Option<u64>,
}

impl Traits {
    /// Takes them from a module that was built with the kernel.
    pub fn of(module: &Module) -> Self {
        Self {
            arch: Some(module.arch),
            vermagic: module.vermagic.clone(),
            struct_size: Some(module.struct_size),
        }
    }
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
}

impl Kernel {
    /// Were its modules built with `CONFIG_MODVERSIONS`? Without it the loader compares no CRC and the
    /// whole vermagic. Taken for granted where no vermagic is known.
    pub(super) fn has_modversions(&self) -> bool {
        self.traits.vermagic.as_deref().is_none_or(|v| v.split(' ').any(|flag| flag == "modversions"))
    }
}
