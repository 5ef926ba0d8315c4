// SPDX-License-Identifier: LGPL-2.1-or-later
//! Releases of kernels by the names of their packages. Pure.

use super::nevra::Nevra;

/// Flavours of SUSE's kernels.
const FLAVOURS: &[&str] = &[
    "default", "azure", "rt", "rt_debug", "64kb", "preempt", "longterm", "vanilla", "debug", "kvmsmall",
    "lpae", "pae", "zfcpdump", "trace", "xen", "desktop",
];

/// The flavour of the kernel that SUSE calls so; `None`: it is none of SUSE's kernels.
pub(super) fn suse_flavour(package: &str) -> Option<&str> {
    let flavour = package.strip_prefix("kernel-")?;
    FLAVOURS.contains(&flavour).then_some(flavour)
}

/// The release of a kernel by the name of its package alone; `None`: that is not what a kernel's image is in.
pub(super) fn likely_release(nevra: &Nevra) -> Option<String> {
    let Nevra { name, version, release, arch, .. } = nevra;
    if let Some(flavour) = suse_flavour(name) {
        let build = release.rsplit_once('.').map_or(&**release, |(before, _)| before);
        return Some(format!("{version}-{build}-{flavour}"));
    }
    let variant = match name.strip_prefix("kernel")?.strip_suffix("-core") {
        None if name == "kernel" => "",
        None => return None,
        Some(variant) => variant.strip_prefix('-').unwrap_or(variant),
    };
    let plus = match variant {
        "" | "uek" | "ml" | "lt" => String::new(),
        other => format!("+{other}"),
    };
    Some(format!("{version}-{release}.{arch}{plus}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_by_the_names_of_packages() {
        let release = |text: &str| likely_release(&Nevra::parse(text).unwrap());
        for (package, expected) in [
            ("kernel-default-6.4.0-150600.21.1.x86_64", Some("6.4.0-150600.21-default")),
            ("kernel-core-5.14.0-427.el9.x86_64", Some("5.14.0-427.el9.x86_64")),
            ("kernel-debug-core-5.14.0-427.el9.x86_64", Some("5.14.0-427.el9.x86_64+debug")),
            ("kernel-3.10.0-1160.el7.x86_64", Some("3.10.0-1160.el7.x86_64")),
            ("kernel-modules-5.14.0-427.el9.x86_64", None),
            ("kernel-default-devel-6.4.0-150600.21.1.x86_64", None),
            ("kernel-tools-5.14.0-427.el9.x86_64", None),
        ] {
            assert_eq!(release(package).as_deref(), expected, "{package}");
        }
    }
}
