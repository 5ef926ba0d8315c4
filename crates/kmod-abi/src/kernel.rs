// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel, as far as its loader's decisions depend on it.

use super::{Arch, KernelConfig, Module, SymbolTable};

/// What any one module of a kernel tells of the kernel itself.
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
    /// Reads them off a module that was built with the kernel.
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
    /// What its own modules tell of it; what is `None` is not checked.
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

    /// Does its loader read extended versions? Since 6.14; older kernels that have them show it in their
    /// configuration.
    pub(super) fn reads_extended_versions(&self) -> bool {
        self.config.extended_versions.unwrap_or(false) || self.at_least(6, 14)
    }

    /// Does its loader compare the size of `struct module`? Since 6.4, and Red Hat's since
    /// el9's 5.14 (a driver was refused there for nothing else: openzfs#17165).
    pub(super) fn checks_struct_size(&self) -> bool {
        self.at_least(6, 4) || (self.at_least(5, 14) && self.release.contains(".el"))
    }

    /// Does its loader hand the proprietary taint on to users of a proprietary module's symbols, and keep
    /// GPL-only symbols from them (`inherit_taint`)? Since 5.9.
    pub fn inherits_taint(&self) -> bool {
        self.at_least(5, 9)
    }

    /// Does its loader know `module:` namespaces (`EXPORT_SYMBOL_FOR_MODULES`)? Since 6.16.
    pub(super) fn knows_module_namespaces(&self) -> bool {
        self.at_least(6, 16)
    }

    fn at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.release.split(|c: char| !c.is_ascii_digit());
        let mut number = || parts.next().and_then(|p| p.parse::<u32>().ok());
        // What has no number is taken for a kernel of today.
        match (number(), number()) {
            (Some(a), Some(b)) => (a, b) >= (major, minor),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(release: &str) -> Kernel {
        Kernel {
            release: release.into(),
            traits: Traits::default(),
            symbols: SymbolTable::unknown(),
            config: KernelConfig::default(),
        }
    }

    #[test]
    fn loader_features_go_by_release() {
        assert!(kernel("6.4.0-150600.21-default").checks_struct_size());
        assert!(!kernel("6.3.9-1-default").checks_struct_size());
        assert!(!kernel("5.14.21-150500.55-default").checks_struct_size());
        assert!(kernel("5.14.0-570.el9.x86_64").checks_struct_size());
        assert!(!kernel("4.18.0-477.el8.x86_64").checks_struct_size());
        assert!(kernel("6.14.0-1-default").reads_extended_versions());
        assert!(!kernel("6.12.0-160000.5-default").reads_extended_versions());
        assert!(kernel("mine").inherits_taint());
        assert!(kernel("10.0.0").checks_struct_size());
    }
}
