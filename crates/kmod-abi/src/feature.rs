// SPDX-License-Identifier: LGPL-2.1-or-later
//! What loaders of newer kernels do and those of older ones do not.

use std::fmt;

use crate::Kernel;

/// A release of Linux, such as `6.4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
}

impl Release {
    /// `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// The release of Linux that `krel` (`uname -r`, as `6.4.0-150600.21-default`) begins with; `None` where it does not begin
    /// with two numbers.
    pub fn of(krel: &str) -> Option<Self> {
        let mut parts = krel.split(|c: char| !c.is_ascii_digit());
        let mut number = || parts.next().and_then(|p| p.parse().ok());
        Some(Self { major: number()?, minor: number()? })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Something that loaders do since some release. Distributions add such things to older releases, so a kernel's own files are asked
/// first ([`Kernel::has`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Relocations of live patches are applied as the module is loaded, not as the patch is enabled (`apply_relocations`): since
    /// 5.8, "livepatch: Apply vmlinux-specific KLP relocations early".
    PatchRelocations,
    /// Users of a proprietary module's symbols count as proprietary (`inherit_taint`).
    InheritsTaint,
    /// The size of `struct module` is compared, and it, `.modinfo` and the symbol table may be there once only
    /// (`elf_validity_check`). Came with 6.4-rc1: "module: add sanity check for ELF module section", and "move more elf validity
    /// checks to `elf_validity_check()`" (tag modules-6.4-rc1). Linux 6.3 and before take the first of several.
    StructSize,
    /// Sections of one name are refused, as their files in `/sys/module` cannot be made (`mod_sysfs_setup`): since 6.12.0. "module:
    /// abort module loading when sysfs setup suffer errors" is in tag modules-6.12-rc1; before, `add_sect_attrs` returned nothing.
    SectionFiles,
    /// `.BTF` may bring a base of its own (`.BTF.base`), of which the kernel looks for its own types by name.
    BtfBase,
    /// `.modinfo` is read even if it is not loaded (`elf_validity_cache_index_info`): since 6.14, and in the stable releases of 6.12.
    AnyModinfo,
    /// `__version_ext_crcs` and `__version_ext_names` are read (`CONFIG_EXTENDED_MODVERSIONS`).
    ExtendedVersions,
    /// `module:` namespaces name the modules that may use a symbol (`EXPORT_SYMBOL_FOR_MODULES`). An older kernel that exports
    /// something so need not have it: such exports come with fixes, and to stable releases alone.
    ModuleNamespaces,
    /// Exports have flags (`__kflagstab`), and `__ksymtab_gpl` is not looked at.
    ExportFlags,
}

impl Feature {
    /// The first release of Linux that has it.
    pub const fn first_release(self) -> Release {
        match self {
            Feature::PatchRelocations => Release::new(5, 8),
            Feature::InheritsTaint => Release::new(5, 9),
            Feature::StructSize => Release::new(6, 4),
            Feature::BtfBase => Release::new(6, 11),
            Feature::AnyModinfo | Feature::SectionFiles => Release::new(6, 12),
            Feature::ExtendedVersions => Release::new(6, 14),
            Feature::ModuleNamespaces => Release::new(6, 16),
            Feature::ExportFlags => Release::new(7, 1),
        }
    }
}

impl Kernel {
    /// Whether its loader does this: by what the kernel's own files show, else by its release. A release without numbers counts
    /// as a current one.
    pub fn has(&self, feature: Feature) -> bool {
        let shown = match feature {
            Feature::PatchRelocations
            | Feature::InheritsTaint
            | Feature::AnyModinfo
            | Feature::SectionFiles
            | Feature::BtfBase
            | Feature::ModuleNamespaces => false,
            // Its own exports show which form they have.
            Feature::ExportFlags => match self.traits.has_export_flags {
                Some(has_flags) => return has_flags,
                None => false,
            },
            // Red Hat's since el9's 5.14 (a driver was refused there for nothing else: openzfs#17165): by its configuration, and
            // the one series of el9. What others build for el9, such as Oracle's UEK 7 (5.15), is Linux as it came.
            Feature::StructSize => {
                let red_hats = Release::new(5, 14);
                let is_el9s = Release::of(&self.release) == Some(red_hats) && self.release.contains(".el9");
                is_el9s || self.config.is_red_hats && self.is_at_least(red_hats)
            }
            // The switch is named in its configuration, on or off.
            Feature::ExtendedVersions => self.config.extended_versions.unwrap_or(false),
        };
        shown || self.is_at_least(feature.first_release())
    }

    fn is_at_least(&self, release: Release) -> bool {
        Release::of(&self.release).is_none_or(|own| own >= release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SymbolTable;

    fn kernel(release: &str) -> Kernel {
        Kernel::of_symbols(release, SymbolTable::unknown())
    }

    #[test]
    fn features_go_by_release() {
        for (release, feature, expected) in [
            ("6.4.0-150600.21-default", Feature::StructSize, true),
            ("6.3.9-1-default", Feature::StructSize, false),
            ("5.14.21-150500.55-default", Feature::StructSize, false),
            ("5.14.0-570.el9.x86_64", Feature::StructSize, true),
            ("4.18.0-477.el8.x86_64", Feature::StructSize, false),
            ("5.15.0-210.163.7.el9uek.x86_64", Feature::StructSize, false),
            ("6.12.0-1.23.3.2.el9uek.x86_64", Feature::StructSize, true),
            ("10.0.0", Feature::StructSize, true),
            ("6.14.0-1-default", Feature::ExtendedVersions, true),
            ("6.12.0-160000.5-default", Feature::ExtendedVersions, false),
            ("mine", Feature::InheritsTaint, true),
            ("5.8.18-1-default", Feature::InheritsTaint, false),
            ("6.16.0-1-default", Feature::ModuleNamespaces, true),
            ("7.0.9-1-default", Feature::ExportFlags, false),
            ("7.1.0-1-default", Feature::ExportFlags, true),
        ] {
            assert_eq!(kernel(release).has(feature), expected, "{release} {feature:?}");
        }
    }

    /// Red Hat's kernels compare the size of struct module since el9; what others build for el9 goes by its release.
    #[test]
    fn whose_kernel_it_is_says_its_configuration() {
        for (release, config, expected) in [
            ("5.14.0-570.el9.x86_64", "CONFIG_RHEL_DIFFERENCES=y\n", true),
            ("5.14.0-1.mine", "CONFIG_RHEL_DIFFERENCES=y\n", true),
            ("5.15.0-210.el9", "CONFIG_SMP=y\n", false),
            ("4.18.0-477.el8.x86_64", "CONFIG_RHEL_DIFFERENCES=y\n", false),
            ("6.12.0-1.el9uek.x86_64", "CONFIG_SMP=y\n", true),
        ] {
            let config = crate::KernelConfig::parse(config.as_bytes());
            let kernel = Kernel { config, ..kernel(release) };
            assert_eq!(kernel.has(Feature::StructSize), expected, "{release}");
        }
    }

    /// Enterprise kernels have things of newer releases.
    #[test]
    fn what_a_kernels_files_show_comes_before_its_release() {
        let mut old = kernel("6.12.0-160000.5-default");
        assert!(!old.has(Feature::ExportFlags));
        old.traits.has_export_flags = Some(true);
        assert!(old.has(Feature::ExportFlags));
        let mut new = kernel("7.1.0");
        new.traits.has_export_flags = Some(false);
        assert!(!new.has(Feature::ExportFlags));
    }

    #[test]
    fn a_release_is_its_first_two_numbers() {
        assert_eq!(Release::of("6.4.0-150600.21-default"), Some(Release::new(6, 4)));
        assert_eq!(Release::of("7.1"), Some(Release::new(7, 1)));
        assert_eq!((Release::of("6"), Release::of("mine"), Release::of("")), (None, None, None));
        assert!(Release::new(6, 14) > Release::new(6, 4) && Release::new(10, 0) > Release::new(7, 3));
        assert_eq!(Release::new(6, 14).to_string(), "6.14");
    }
}
