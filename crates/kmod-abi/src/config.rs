// SPDX-License-Identifier: LGPL-2.1-or-later
//! The CONFIG_ switches of a kernel that decide what its loader accepts.

/// From `/usr/lib/modules/KREL/config` or `/boot/config-KREL`. The default is assumed for a kernel whose configuration is
/// unknown: strict about forced loading and namespaces, signatures not enforced; what is `None` is not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelConfig {
    /// `CONFIG_MODVERSIONS`: versions are compared.
    pub modversions: Option<bool>,
    /// `CONFIG_MODULE_FORCE_LOAD`: modules without versions are accepted (`try_to_force_load`).
    pub force_load: bool,
    /// `CONFIG_MODULE_SIG`: signatures are checked.
    pub signatures: bool,
    /// `CONFIG_MODULE_SIG_FORCE`: only signed modules are accepted.
    pub signatures_enforced: bool,
    /// `CONFIG_SECURITY_LOCKDOWN_LSM`: the kernel can be locked down.
    pub lockdown: bool,
    /// `CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT`, a switch of distributors: the kernel is locked down under Secure Boot, and takes
    /// only signed modules then.
    pub locked_down_in_secure_boot: bool,
    /// `CONFIG_INTEGRITY_MACHINE_KEYRING` or `CONFIG_INTEGRITY_PLATFORM_KEYRING`: it reads the keys that are enrolled in the firmware, and
    /// takes modules by them (in the kernels of all distributors, by the second one as well).
    pub reads_enrolled_keys: bool,
    /// `CONFIG_SYSTEM_REVOCATION_LIST`: it refuses modules by keys that are revoked in `dbx` or `MokListXRT`.
    pub heeds_revoked_keys: bool,
    /// `CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS`: a namespace not imported is a warning only.
    pub missing_namespaces_allowed: bool,
    /// The kernel's sources know `CONFIG_EXTENDED_MODVERSIONS` (the switch is named, on or off): the
    /// loader reads `__version_ext_crcs`. `None`: the configuration is unknown.
    pub extended_versions: Option<bool>,
    /// `CONFIG_LIVEPATCH`: live patches are accepted.
    pub live_patches: Option<bool>,
    /// `CONFIG_STRICT_MODULE_RWX`: sections that are writable and executable are not accepted.
    pub strict_rwx: Option<bool>,
    /// How many bytes of per-cpu data there are for all modules together, on machines that have a reserve for them
    /// (`PERCPU_MODULE_RESERVE`; of `CONFIG_SMP`). To a kernel for one processor the section is one as others.
    pub percpu_reserve: Option<u64>,
    /// `CONFIG_DEBUG_INFO_BTF_MODULES` without `CONFIG_MODULE_ALLOW_BTF_MISMATCH`: `.BTF` has to go with the kernel's.
    pub strict_btf: bool,
    /// `CONFIG_KALLSYMS`: the sections of modules are in `/sys/module`.
    pub kallsyms: bool,
    /// `CONFIG_SUSE_KERNEL_SUPPORTED`: the kernel knows which modules its distributor supports.
    pub suse_support: bool,
    /// The digests that it has code for; `None`: the configuration is unknown.
    pub digests: Option<Digests>,
    /// The sources are Red Hat's (`CONFIG_RHEL_DIFFERENCES` is named, on or off).
    pub is_red_hats: bool,
}

/// Digests of signatures, of which kernels need not have all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests([bool; Self::OPTIONS.len()]);

impl Digests {
    /// What the option begins with that brings them, behind `CONFIG_CRYPTO_`; some machines have options of their own
    /// (`SHA512_S390`). And how their names begin.
    const OPTIONS: [(&'static str, &'static [&'static str]); 4] = [
        ("SHA1", &["sha1"]),
        ("SHA256", &["sha224", "sha256"]),
        ("SHA512", &["sha384", "sha512"]),
        ("SHA3", &["sha3-256", "sha3-384", "sha3-512"]),
    ];

    fn add(&mut self, option: &[u8]) {
        for (has, (start, _)) in self.0.iter_mut().zip(Self::OPTIONS) {
            let rest = option.strip_prefix(start.as_bytes());
            *has |= rest.is_some_and(|rest| {
                let name = rest.strip_suffix(b"=y").or(rest.strip_suffix(b"=m"));
                name.is_some_and(|more| matches!(more.first(), None | Some(b'_')))
            });
        }
    }

    /// Is there code for the digest of that name? For those that are not looked for here it is taken for granted.
    pub fn has(self, name: &str) -> bool {
        let of = Self::OPTIONS.iter().position(|(_, names)| names.contains(&name));
        of.is_none_or(|of| self.0[of])
    }
}

impl KernelConfig {
    /// Reads a `.config`. Unknown lines are ignored.
    pub fn parse(text: &[u8]) -> Self {
        let mut config = Self {
            modversions: Some(false),
            extended_versions: Some(false),
            live_patches: Some(false),
            strict_rwx: Some(false),
            digests: Some(Digests::default()),
            ..Self::default()
        };
        let (mut btf_modules, mut btf_mismatch_allowed) = (false, false);
        let (mut smp, mut profiling) = (false, false);
        for line in text.split(|b| *b == b'\n') {
            let line = line.trim_ascii();
            let named = line.strip_prefix(b"# ").unwrap_or(line);
            if named.starts_with(b"CONFIG_EXTENDED_MODVERSIONS") {
                config.extended_versions = Some(true);
            } else if named.starts_with(b"CONFIG_RHEL_DIFFERENCES") {
                config.is_red_hats = true;
            } else if let (Some(option), Some(digests)) =
                (line.strip_prefix(b"CONFIG_CRYPTO_"), config.digests.as_mut())
            {
                digests.add(option);
            }
            match line {
                b"CONFIG_MODVERSIONS=y" => config.modversions = Some(true),
                b"CONFIG_MODULE_FORCE_LOAD=y" => config.force_load = true,
                b"CONFIG_MODULE_SIG=y" => config.signatures = true,
                b"CONFIG_MODULE_SIG_FORCE=y" => config.signatures_enforced = true,
                b"CONFIG_INTEGRITY_MACHINE_KEYRING=y" | b"CONFIG_INTEGRITY_PLATFORM_KEYRING=y" => {
                    config.reads_enrolled_keys = true;
                }
                b"CONFIG_SYSTEM_REVOCATION_LIST=y" => config.heeds_revoked_keys = true,
                b"CONFIG_SECURITY_LOCKDOWN_LSM=y" => config.lockdown = true,
                b"CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT=y" => config.locked_down_in_secure_boot = true,
                b"CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y" => {
                    config.missing_namespaces_allowed = true
                }
                b"CONFIG_LIVEPATCH=y" => config.live_patches = Some(true),
                b"CONFIG_KALLSYMS=y" => config.kallsyms = true,
                b"CONFIG_SUSE_KERNEL_SUPPORTED=y" => config.suse_support = true,
                b"CONFIG_STRICT_MODULE_RWX=y" => config.strict_rwx = Some(true),
                b"CONFIG_SMP=y" => smp = true,
                b"CONFIG_MEM_ALLOC_PROFILING=y" => profiling = true,
                b"CONFIG_DEBUG_INFO_BTF_MODULES=y" => btf_modules = true,
                b"CONFIG_MODULE_ALLOW_BTF_MISMATCH=y" => btf_mismatch_allowed = true,
                _ => {}
            }
        }
        // With profiling the counters of modules are there, too, and the reserve was larger in some releases.
        config.percpu_reserve = smp.then_some(if profiling { 64 << 10 } else { 8 << 10 });
        config.strict_btf = btf_modules && !btf_mismatch_allowed;
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
              # CONFIG_EXTENDED_MODVERSIONS is not set\nCONFIG_LIVEPATCH=y\n",
        );
        assert!(config.signatures && config.force_load && !config.signatures_enforced);
        assert_eq!(config.extended_versions, Some(true));
        assert_eq!((config.live_patches, config.strict_rwx), (Some(true), Some(false)));
        assert_eq!(KernelConfig::parse(b"").extended_versions, Some(false));
        assert_eq!(KernelConfig::default().live_patches, None);
    }

    #[test]
    fn digests_come_with_options_of_any_machine() {
        let config = KernelConfig::parse(
            b"CONFIG_CRYPTO_SHA256=y\n# CONFIG_CRYPTO_SHA1 is not set\nCONFIG_CRYPTO_SHA3_256_S390=m\nCONFIG_CRYPTO_LIB_SHA512=y\n",
        );
        let has = |name| config.digests.unwrap().has(name);
        assert!(has("sha224") && has("sha256") && has("sha3-512") && has("sm3"));
        assert!(!has("sha1") && !has("sha384") && !has("sha512"));
        assert_eq!(KernelConfig::default().digests, None);
    }

    #[test]
    fn btf_is_strict_where_a_mismatch_is_not_allowed() {
        let on = "CONFIG_DEBUG_INFO_BTF_MODULES=y\n";
        let strict = |text: &str| KernelConfig::parse(text.as_bytes()).strict_btf;
        assert!(strict(on) && strict(&format!("{on}# CONFIG_MODULE_ALLOW_BTF_MISMATCH is not set\n")));
        assert!(!strict("") && !strict(&format!("{on}CONFIG_MODULE_ALLOW_BTF_MISMATCH=y\n")));
    }
}
