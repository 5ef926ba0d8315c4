// SPDX-License-Identifier: LGPL-2.1-or-later
//! The CONFIG_ switches of a kernel that decide what its loader accepts.

/// From `/usr/lib/modules/KREL/config` or `/boot/config-KREL`. The default is assumed for a kernel whose configuration is
/// unknown: strict about forced loading and namespaces, signatures not enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelConfig {
    /// `CONFIG_MODULE_FORCE_LOAD`: modules without versions are accepted (`try_to_force_load`).
    pub force_load: bool,
    /// `CONFIG_MODULE_SIG`: signatures are checked.
    pub signatures: bool,
    /// `CONFIG_MODULE_SIG_FORCE`: only signed modules are accepted.
    pub signatures_enforced: bool,
    /// `CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS`: a namespace not imported is a warning only.
    pub missing_namespaces_allowed: bool,
    /// The kernel's sources know `CONFIG_EXTENDED_MODVERSIONS` (the switch is named, on or off): the
    /// loader reads `__version_ext_crcs`. `None`: the configuration is unknown.
    pub extended_versions: Option<bool>,
}

impl KernelConfig {
    /// Reads a `.config`. Unknown lines are ignored.
    pub fn parse(text: &[u8]) -> Self {
        let mut config = Self { extended_versions: Some(false), ..Self::default() };
        for line in text.split(|b| *b == b'\n') {
            let line = line.trim_ascii();
            if line.strip_prefix(b"# ").unwrap_or(line).starts_with(b"CONFIG_EXTENDED_MODVERSIONS") {
                config.extended_versions = Some(true);
            }
            match line {
                b"CONFIG_MODULE_FORCE_LOAD=y" => config.force_load = true,
                b"CONFIG_MODULE_SIG=y" => config.signatures = true,
                b"CONFIG_MODULE_SIG_FORCE=y" => config.signatures_enforced = true,
                b"CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y" => {
                    config.missing_namespaces_allowed = true
                }
                _ => {}
            }
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_and_comments_are_not() {
        let config = KernelConfig::parse(
            b"# CONFIG_MODULE_SIG_FORCE is not set\nCONFIG_MODULE_SIG=y\r\nCONFIG_MODULE_FORCE_LOAD=y\n\
              # CONFIG_EXTENDED_MODVERSIONS is not set\n",
        );
        assert!(config.signatures && config.force_load && !config.signatures_enforced);
        assert_eq!(config.extended_versions, Some(true));
        assert_eq!(KernelConfig::parse(b"").extended_versions, Some(false));
    }
}
