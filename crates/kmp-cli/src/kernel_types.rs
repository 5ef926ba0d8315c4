// SPDX-License-Identifier: LGPL-2.1-or-later
//! The types (BTF) of a kernel: of its image, and of its modules, each read when it is asked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use kmp_core::abi::{elf_section, image};
use kmp_core::inventory::{Release, unpacked};
use kmp_core::root::Root;
use kmp_core::tree::{self, IMAGES};
use kmp_core::unpack::{MODULE_LIMIT, inflate};
use kmp_kabi::why::{self, Section};

/// A kernel's types.
pub struct KernelTypes<'r> {
    image: Section,
    modules: Modules<'r>,
}

/// Where modules are.
pub enum Modules<'r> {
    /// On disk, by their names.
    Files(&'r Root, HashMap<Box<str>, PathBuf>),
    /// They were read already.
    Read(HashMap<String, Section>),
}

impl<'r> KernelTypes<'r> {
    /// Of a kernel whose image has these bytes. `None`: it has no types.
    pub fn new(image: &[u8], modules: Modules<'r>) -> Option<Self> {
        Some(Self { image: of_image(image)?, modules })
    }

    /// Of an installed kernel. `None`: its image is not there, or has none.
    pub fn installed(root: &'r Root, release: &Release) -> Option<Self> {
        let names = IMAGES.iter().map(ToString::to_string);
        // SUSE's, beside the one that is booted.
        let packed = kmp_core::unpack::SUFFIXES.iter().map(|suffix| format!("vmlinux{suffix}"));
        let places = names.chain(packed).flat_map(|name| tree::places(&release.dir, &release.release, &name));
        let mut images = places.filter_map(|place| root.read_if_there(&place, MODULE_LIMIT).ok().flatten());
        let image = images.find_map(|bytes| of_image(&bytes))?;
        let files = release.in_tree.iter().map(|module| (module.name.clone(), module.path.clone()));
        Some(Self { image, modules: Modules::Files(root, files.collect()) })
    }
}

impl why::Kernel for KernelTypes<'_> {
    fn image(&self) -> &Section {
        &self.image
    }

    fn module(&self, name: &str) -> Option<Section> {
        match &self.modules {
            Modules::Read(known) => known.get(name).cloned(),
            Modules::Files(root, files) => {
                let bytes = root.read(files.get(name)?, MODULE_LIMIT).ok()?;
                of_module(&bytes)
            }
        }
    }
}

/// Of a module's file, packed or not.
pub fn of_module(bytes: &[u8]) -> Option<Section> {
    let module = inflate(bytes, MODULE_LIMIT).ok()?;
    let (section, big_endian) = elf_section(&module, ".BTF")?;
    // What is built outside of the kernel's tree may bring the types that it refers to: their numbers are not the image's.
    let is_split = elf_section(&module, ".BTF.base").is_none();
    is_split.then(|| Section { bytes: section.into(), big_endian })
}

/// Of a kernel's image, however it is packed.
fn of_image(bytes: &[u8]) -> Option<Section> {
    let section = |kernel: &[u8]| {
        let (section, big_endian) = image::btf(kernel)?;
        Some(Section { bytes: section.into(), big_endian })
    };
    let mut found = None;
    unpacked(bytes, &mut |kernel| {
        found = section(kernel);
        found.is_some()
    });
    found
}

/// Is it a kernel's image, by its path in a package?
pub fn is_image(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    IMAGES.iter().any(|image| name.strip_prefix(image).is_some_and(|r| r.is_empty() || r.starts_with('-')))
}
