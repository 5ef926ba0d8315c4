// SPDX-License-Identifier: LGPL-2.1-or-later
//! What lies in a kernel's directory, `/usr/lib/modules/KREL`, and in `/boot`: the only list of depmod's files and of the
//! kernel's own, and the only place that takes a path there apart. Pure: it looks at names, not at the disk.
//!
//! | name | what | whose |
//! | --- | --- | --- |
//! | [`IN_TREE`] | in-tree modules | the kernel's |
//! | [`WEAK_UPDATES`] | links to modules that were built for another kernel | kmp's |
//! | `updates`, [`EXTRA`], any other directory | third-party modules built for this kernel | their packages' |
//! | `build`, `source` | links to what modules are built with | the kernel's |
//! | [`MODULES_FILES`] | depmod's index, and what depmod reads for it | depmod's, the kernel's |
//! | [`KERNEL_FILES`] | image, symbols, configuration; with `-KREL` in [`BOOT`], too | the kernel's |
//! | [`OWN_PREFIX`]`*` | what a run of kmp has not finished | kmp's |

mod paths;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::unpack::SUFFIXES;

pub(crate) use paths::Anywhere;
pub use paths::{DIRECTORIES, Parts, parts, parts_in_initrd, spellings};

/// The directory of links, below a kernel's own.
pub const WEAK_UPDATES: &str = "weak-updates";

/// The directory of in-tree modules, below a kernel's own.
pub const IN_TREE: &str = "kernel";

/// The directory whose modules are linked in Red Hat's dialect, below a kernel's own.
pub const EXTRA: &str = "extra";

/// Directories of live patches, below a kernel's own.
pub const LIVE_PATCHES: &[&str] = &["livepatch", "kgraft"];

/// What is not searched for third-party modules; depmod passes the last two over, too.
pub const NOT_THIRD_PARTY: &[&str] = &[IN_TREE, WEAK_UPDATES, "build", "source"];

/// Names that only kmp makes, beside a kernel's directory or in it, begin so.
pub const OWN_PREFIX: &str = ".kmp-";

/// Where kernels are booted from.
pub const BOOT: &str = "/boot";

/// What depmod writes first, and what lists every module.
pub const MODULES_DEP: &str = "modules.dep";

/// depmod's list of the devices that modules are for, as text.
pub const MODULES_ALIAS: &str = "modules.alias";

/// What built-in modules are listed in, by their paths. A kernel's own.
pub const MODULES_BUILTIN: &str = "modules.builtin";

/// What built-in modules say of themselves: `NAME.KEY=VALUE`, each with a NUL after it. A kernel's own.
pub const MODULES_BUILTIN_MODINFO: &str = "modules.builtin.modinfo";

/// Who writes a file, and what its time says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Every depmod writes it at each run, and its time is that of the index.
    Depmod,
    /// depmod writes it, and where it is there its time is that of the index.
    DepmodIfThere,
    /// Some depmods write it. One that an earlier depmod has left may stay old for ever.
    SomeDepmods,
    /// The kernel's build; depmod reads it.
    KernelForDepmod,
    /// The kernel's build; depmod does not look at it.
    Kernel,
}

/// All files called `modules.*`, of kmod 25 to 34 and Linux 5.3 to 6.12.
pub const MODULES_FILES: &[(&str, Writer)] = &[
    (MODULES_DEP, Writer::Depmod),
    ("modules.dep.bin", Writer::Depmod),
    ("modules.alias.bin", Writer::Depmod),
    ("modules.symbols.bin", Writer::Depmod),
    ("modules.devname", Writer::Depmod),
    ("modules.softdep", Writer::DepmodIfThere),
    (MODULES_ALIAS, Writer::SomeDepmods),
    ("modules.symbols", Writer::SomeDepmods),
    ("modules.builtin.bin", Writer::SomeDepmods),
    ("modules.builtin.alias.bin", Writer::SomeDepmods),
    ("modules.weakdep", Writer::SomeDepmods),
    ("modules.order", Writer::KernelForDepmod),
    (MODULES_BUILTIN, Writer::KernelForDepmod),
    (MODULES_BUILTIN_MODINFO, Writer::KernelForDepmod),
    ("modules.builtin.ranges", Writer::Kernel),
];

/// The files of [`MODULES_FILES`] with one of these writers.
pub fn written_by(writers: &[Writer]) -> impl Iterator<Item = &'static str> {
    MODULES_FILES.iter().filter(|(_, writer)| writers.contains(writer)).map(|(name, _)| *name)
}

fn writer(name: &str) -> Option<Writer> {
    MODULES_FILES.iter().find(|(file, _)| *file == name).map(|(_, writer)| *writer)
}

/// Is it a file that a depmod is known to write? Such files may be removed with a kernel's directory.
pub fn is_known_index(name: &str) -> bool {
    match writer(name) {
        Some(Writer::Depmod | Writer::DepmodIfThere | Writer::SomeDepmods) => true,
        Some(Writer::KernelForDepmod | Writer::Kernel) | None => false,
    }
}

/// Is it a file that depmod may write: any `modules.*` that is not the kernel's own? A newer depmod may write more than
/// [`MODULES_FILES`] has.
pub fn may_be_index(name: &str) -> bool {
    name.starts_with("modules.") && (is_known_index(name) || writer(name).is_none())
}

/// Names of a kernel's image that an initrd goes with. A build for one architecture has one of them.
pub const IMAGES: &[&str] = &["vmlinuz", "image", "vmlinux", "linux", "bzImage", "uImage", "Image", "zImage"];

/// Red Hat's image that has its own initrd in it.
pub const UNIFIED_IMAGE: &str = "vmlinuz-virt.efi";

/// Files of a kernel beside its image and its symvers, each called `NAME-KREL` in [`BOOT`].
pub const KERNEL_FILES: &[&str] = &["System.map", "config", "sysctl.conf"];

/// A kernel's symbols, by their addresses.
pub const SYSTEM_MAP: &str = "System.map";

/// A kernel's configuration.
pub const CONFIG: &str = "config";

/// What a kernel exports, packed or not: see [`symvers_names`].
pub const SYMVERS: &str = "symvers";

/// What a kernel exports, where its headers are, below its directory.
pub const BUILD_SYMVERS: &str = "build/Module.symvers";

/// What of a kernel's directory makes a package a kernel's, beside [`IN_TREE`].
pub const MAKES_A_KERNEL: &[&str] = &[SYSTEM_MAP, MODULES_BUILTIN, "modules.order", "vmlinuz"];

/// Is the owner of a file, by its path below a release directory, the kernel or a part of it?
pub fn makes_a_kernel(below: &Path) -> bool {
    below.starts_with(IN_TREE) || MAKES_A_KERNEL.iter().any(|name| below == Path::new(name))
}

/// Is it a live patch, by its path below its release directory?
pub fn is_live_patch(below: &Path) -> bool {
    LIVE_PATCHES.iter().any(|dir| below.starts_with(dir))
}

/// The names of symvers: packed in each way, and plain.
pub fn symvers_names() -> impl Iterator<Item = String> {
    SUFFIXES.iter().rev().chain(&[""]).map(|suffix| format!("{SYMVERS}{suffix}"))
}

/// Is that the name of symvers, in whatever way it may be packed?
pub fn is_symvers(name: &str) -> bool {
    name.strip_prefix(SYMVERS).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Where the kernel `release` with the directory `dir` may have its file `name`: there, or in [`BOOT`].
pub fn places(dir: &Path, release: &str, name: &str) -> [PathBuf; 2] {
    // `symvers-KREL.gz`
    let (stem, suffix) = match SUFFIXES.iter().find_map(|suffix| Some((name.strip_suffix(suffix)?, *suffix)))
    {
        Some(split) => split,
        None => (name, ""),
    };
    [dir.join(name), Path::new(BOOT).join(format!("{stem}-{release}{suffix}"))]
}

/// Where a kernel's symvers may be, those in its directory first.
pub fn symvers_places(dir: &Path, release: &str) -> Vec<PathBuf> {
    let (own, boot): (Vec<_>, Vec<_>) =
        symvers_names().map(|name| places(dir, release, &name)).map(|[own, boot]| (own, boot)).unzip();
    own.into_iter().chain(boot).collect()
}

/// Where a kernel's initrd may be, by the names that dracut gives it: SUSE's, Red Hat's, Debian's.
pub fn initrd_places(dir: &Path, release: &str) -> [PathBuf; 5] {
    let boot = Path::new(BOOT);
    [
        boot.join(format!("initrd-{release}")),
        boot.join(format!("initramfs-{release}.img")),
        boot.join(format!("initrd.img-{release}")),
        dir.join("initrd"),
        dir.join(OF_IMAGE),
    ]
}

/// The initramfs that comes with a kernel in an image of ostree's, in the kernel's directory.
const OF_IMAGE: &str = "initramfs.img";

/// Is it the initramfs of an image of ostree's or bootc's? It is installed with the image, and copied to `/boot` by ostree.
pub fn is_initrd_of_image(path: &Path) -> bool {
    parts(path).is_some_and(|parts| parts.below == Path::new(OF_IMAGE))
}
