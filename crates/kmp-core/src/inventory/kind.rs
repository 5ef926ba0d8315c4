// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a module outside `kernel/` is: somebody's driver, shipped or made on this machine, a live patch, or the
//! kernel's own all the same. Decided once, when stock is taken; plan, guard and reports go by it. Pure.

use std::collections::HashSet;
use std::path::Path;

use rpm_meta::{Package, is_named_for_drivers, is_uname_r};

use crate::abi::Module;
use crate::dialect::KMP_IN_KERNEL;
use crate::tree;

/// What a module, or a package of such modules, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A driver that a package brings ready to load.
    Shipped,
    /// A driver that is made on this machine. It is linked like others; who made it makes it for a new kernel, too, so
    /// it is never lost.
    MadeHere(Maker),
    /// A live patch: for the one kernel that it was built for. Never judged, linked or missed.
    LivePatch,
    /// The kernel's own, though it is not below `kernel/`. Never judged, linked or missed; its exports are the kernel's.
    InTree,
}

/// Who makes a driver on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// A trigger of its package, which waits for kernels or their development files (SUSE's NVIDIA packages).
    Trigger,
    /// Its package's `%post` or `%posttrans`, which builds or links it (NVIDIA's precompiled packages).
    Scriptlet,
    /// dkms.
    Dkms,
    /// akmods, which builds packages.
    Akmods,
    /// Nobody knows: no package owns it.
    Somebody,
}

impl Kind {
    /// Is it a driver that is judged and linked?
    pub fn is_driver(self) -> bool {
        matches!(self, Self::Shipped | Self::MadeHere(_))
    }

    /// Does somebody make it for a new kernel, too?
    pub fn is_made_here(self) -> bool {
        matches!(self, Self::MadeHere(_))
    }

    /// Who makes it.
    pub fn maker(self) -> Option<Maker> {
        match self {
            Self::MadeHere(maker) => Some(maker),
            _ => None,
        }
    }

    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::MadeHere(_) => "made-here",
            Self::LivePatch => "live-patch",
            Self::InTree => "in-tree",
        }
    }
}

impl Maker {
    /// The word for it in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Scriptlet => "scriptlet",
            Self::Dkms => "dkms",
            Self::Akmods => "akmods",
            Self::Somebody => "unknown",
        }
    }

    /// Who that is, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "a trigger of its package",
            Self::Scriptlet => "its package's %post",
            Self::Dkms => "dkms",
            Self::Akmods => "akmods",
            Self::Somebody => "nobody known",
        }
    }
}

/// Where sources are that dkms builds from.
pub(crate) const SOURCES: &str = "/usr/src";

/// What tells dkms how to build, in a directory of sources.
pub(crate) const DKMS_CONF: &str = "dkms.conf";

/// Where source packages are that akmods builds from.
pub(crate) const AKMODS: &str = "/usr/src/akmods";

/// Is it worth asking whether a kernel was built from the same source package?
pub(crate) fn may_be_kernels_source(file: &str) -> bool {
    file.starts_with("kernel") || file.starts_with("linux")
}

/// What is known of the packages beside the one in question.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// File names of the source packages that kernels were built from.
    pub kernel_sources: HashSet<String>,
    /// Names of the source packages that akmods builds from.
    pub akmods_sources: HashSet<String>,
}

/// What a package's modules are, as far as the package says. `has_ghosts`: some of them are `%ghost`.
pub(crate) fn of_package(package: &Package, has_ghosts: bool, around: &Around) -> Kind {
    let is_of_kernel = package.provides.iter().any(|p| p.name == KMP_IN_KERNEL || is_uname_r(&p.name))
        || is_kernel_extra(&package.name)
        || around.kernel_sources.contains(&package.source);
    if is_of_kernel {
        return Kind::InTree;
    }
    if source_name(&package.source).is_some_and(|name| around.akmods_sources.contains(name)) {
        return Kind::MadeHere(Maker::Akmods);
    }
    if !has_ghosts {
        return Kind::Shipped;
    }
    if package.triggers.iter().any(|t| waits_for_kernels(t)) {
        Kind::MadeHere(Maker::Trigger)
    } else if package.files.iter().any(|f| is_dkms_conf(f)) {
        Kind::MadeHere(Maker::Dkms)
    } else if builds(&package.scriptlets) {
        Kind::MadeHere(Maker::Scriptlet)
    } else {
        // Made once, by whomever.
        Kind::Shipped
    }
}

/// Are these modules the kernel's own by what they say of themselves? `intree` is set by the kernel's build for nothing
/// but its own modules, but a distributor of drivers may build from a whole kernel's source: a package that calls itself
/// a KMP is taken at its word.
pub(crate) fn are_in_tree<'m>(
    package: Option<&str>,
    mut modules: impl Iterator<Item = Option<&'m Module>>,
) -> bool {
    package.is_none_or(|name| !is_named_for_drivers(name)) && modules.all(|m| m.is_some_and(|m| m.is_in_tree))
}

/// `kernel-default-extra`, `kernel-modules-extra`, `kernel-modules-extra-matched`.
fn is_kernel_extra(package: &str) -> bool {
    package.strip_prefix("kernel-").is_some_and(|rest| {
        rest == "extra" || rest.ends_with("-extra") || rest.split("-modules-extra").nth(1).is_some()
    }) || package.starts_with("kernel-modules-extra")
}

/// `foo` of `foo-1.0-1.src.rpm`.
pub(crate) fn source_name(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(".rpm")?;
    let nvr = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    nvr.rsplitn(3, '-').nth(2)
}

/// Does a trigger of that name, a package's or a directory's, wait for kernels or their development files?
fn waits_for_kernels(trigger: &str) -> bool {
    if trigger.starts_with('/') {
        let mut directories = tree::DIRECTORIES.into_iter().chain([SOURCES, tree::BOOT]);
        return directories.any(|dir| Path::new(trigger).starts_with(dir));
    }
    let other = ["firmware", "headers", "doc", "docs", "docs-html", "macros", "tools", "abi"];
    match trigger.strip_prefix("kernel") {
        Some("") => true,
        Some(rest) => rest.strip_prefix('-').is_some_and(|rest| {
            !other.contains(&rest) && !rest.starts_with("firmware-") && !rest.starts_with("tools-")
        }),
        None => false,
    }
}

/// Is it `/usr/src/NAME-VERSION/dkms.conf`, which tells dkms what to build?
pub(crate) fn is_dkms_conf(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == DKMS_CONF)
        && path.parent().and_then(Path::parent) == Some(Path::new(SOURCES))
}

/// What builds or links modules.
const TOOLS: &[&str] = &[
    "make",
    "gmake",
    "gcc",
    "cc",
    "clang",
    "ld",
    "ld.bfd",
    "ld.gold",
    "ld.lld",
    "dkms",
    "akmods",
    "akmodsbuild",
    "kbuild",
    "nvidia-installer",
];

/// Does a script call something that builds or links modules? Comments do not count.
fn builds(script: &str) -> bool {
    let lines = script.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    lines
        .flat_map(|line| line.split(|c: char| c.is_whitespace() || ";&|()`'\"{}".contains(c)))
        .filter_map(|word| word.rsplit('/').next())
        .any(|word| TOOLS.contains(&word))
}

#[cfg(test)]
mod tests {
    use rpm_meta::Dependency;

    use super::*;

    fn named(name: &str) -> Package {
        Package { name: name.into(), ..Package::default() }
    }

    fn providing(name: &str) -> Package {
        let provides = vec![Dependency::on(name)];
        Package { provides, ..named("x") }
    }

    #[test]
    fn a_kernels_own_packages_are_known_by_name_provides_or_source() {
        let around = Around {
            kernel_sources: ["kernel-6.1-1.src.rpm".into()].into(),
            akmods_sources: ["nvidia-kmod".into()].into(),
        };
        let kind = |package: &Package| of_package(package, false, &around);
        for name in [
            "kernel-default-extra",
            "kernel-modules-extra",
            "kernel-uek-modules-extra",
            "kernel-modules-extra-matched",
        ] {
            assert_eq!(kind(&named(name)), Kind::InTree, "{name}");
        }
        for name in ["kmp_in_kernel", "kernel-uname-r", "kernel-modules-extra-uname-r"] {
            assert_eq!(kind(&providing(name)), Kind::InTree, "{name}");
        }
        let of_source = |source: &str| Package { source: source.into(), ..named("drivers") };
        assert_eq!(kind(&of_source("kernel-6.1-1.src.rpm")), Kind::InTree);
        for package in [
            named("kmod-extra"),
            named("kernel-extras-kmp-default"),
            providing("foo-uname-r"),
            of_source("kernel-6.1-2.src.rpm"),
        ] {
            assert_eq!(kind(&package), Kind::Shipped, "{package:?}");
        }
        assert_eq!(kind(&of_source("nvidia-kmod-580.1-2.fc42.src.rpm")), Kind::MadeHere(Maker::Akmods));
    }

    #[test]
    fn who_makes_a_ghost() {
        let kind = |package: &Package| of_package(package, true, &Around::default());
        let trigger = |name: &str| Package { triggers: vec![name.into()], ..named("x") };
        for name in [
            "kernel-default-devel",
            "kernel-devel",
            "kernel",
            "kernel-core",
            "/lib/modules",
            "/usr/src/linux-",
        ] {
            assert_eq!(kind(&trigger(name)), Kind::MadeHere(Maker::Trigger), "{name}");
        }
        for name in ["kernel-firmware", "kernel-firmware-nvidia", "Mesa", "/usr/bin", "/usr/srcs"] {
            assert_eq!(kind(&trigger(name)), Kind::Shipped, "{name}");
        }
        let script = |text: &str| Package { scriptlets: text.into(), ..named("x") };
        for text in [
            "cd /x && /usr/bin/ld -r -o nvidia.ko nvidia.o",
            "if true; then\n  make -C /usr/src/linux modules; fi",
            "$(gcc --version)",
        ] {
            assert_eq!(kind(&script(text)), Kind::MadeHere(Maker::Scriptlet), "{text}");
        }
        for text in ["/sbin/depmod -a", "# make it known\nweak-modules2 --add-kmp x", "ldconfig", ""] {
            assert_eq!(kind(&script(text)), Kind::Shipped, "{text}");
        }
        let dkms = Package { files: vec!["/usr/src/x-1/dkms.conf".into()], ..named("x") };
        assert_eq!(kind(&dkms), Kind::MadeHere(Maker::Dkms));
        // Nothing of a package that brings its modules is made here.
        assert_eq!(of_package(&trigger("kernel-devel"), false, &Around::default()), Kind::Shipped);
    }

    #[test]
    fn a_source_packages_name_is_what_comes_before_version_and_release() {
        assert_eq!(source_name("nvidia-kmod-580.1-2.fc42.src.rpm"), Some("nvidia-kmod"));
        assert_eq!(source_name("kernel-default-6.4.0-1.nosrc.rpm"), Some("kernel-default"));
        assert_eq!((source_name("x"), source_name("x-1.src.rpm")), (None, None));
    }
}
