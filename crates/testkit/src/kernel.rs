// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel's files below `/usr/lib/modules/KREL`, described and written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::module::{MODULE_LAYOUT_CRC, ModuleBuilder, STRUCT_MODULE_SIZE, VERMAGIC_FLAGS};
use crate::{Arch, Compression, Symvers};

/// Where a kernel's modules are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModulesDir {
    /// `/usr/lib/modules`: usr-merged.
    #[default]
    UsrLib,
    /// `/lib/modules`.
    Lib,
}

impl ModulesDir {
    /// The directory, relative to the root.
    pub fn path(self) -> &'static str {
        match self {
            Self::UsrLib => "usr/lib/modules",
            Self::Lib => "lib/modules",
        }
    }
}

/// Where a kernel's symvers, config and System.map are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SymversPlace {
    /// Beside the modules: `symvers.gz`.
    #[default]
    Modules,
    /// `/boot/symvers-KREL.gz`.
    Boot,
    /// There is no symvers file (config and System.map are beside the modules).
    Nowhere,
}

/// Describes a kernel and writes its files.
///
/// It exports `module_layout`, what [`export`](Self::export) and its kin add, and what its in-tree modules export.
#[derive(Debug, Clone)]
pub struct KernelBuilder {
    krel: String,
    arch: Arch,
    flags: String,
    struct_module_size: usize,
    symvers: Symvers,
    compression: Compression,
    module_compression: Compression,
    place: SymversPlace,
    dir: ModulesDir,
    config: Option<String>,
    modules: Vec<(PathBuf, ModuleBuilder)>,
    builtin: Vec<String>,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl KernelBuilder {
    /// A kernel of this release that exports `module_layout` only and has no modules.
    pub fn new(krel: &str) -> Self {
        Self {
            krel: krel.into(),
            arch: Arch::default(),
            flags: VERMAGIC_FLAGS.into(),
            struct_module_size: STRUCT_MODULE_SIZE,
            symvers: Symvers::new().vmlinux("module_layout", MODULE_LAYOUT_CRC),
            compression: Compression::Gz,
            module_compression: Compression::Plain,
            place: SymversPlace::default(),
            dir: ModulesDir::default(),
            config: Some(
                "CONFIG_BLK_DEV_INITRD=y\nCONFIG_MODULES=y\nCONFIG_MODVERSIONS=y\nCONFIG_MODULE_UNLOAD=y\nCONFIG_SMP=y\n\
                 # CONFIG_MODULE_SIG_FORCE is not set\n\
                 # CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS is not set\n"
                    .into(),
            ),
            modules: Vec::new(),
            builtin: Vec::new(),
            files: Vec::new(),
        }
    }

    /// The kernel's release.
    pub fn krel(&self) -> &str {
        &self.krel
    }

    /// The machine it runs on.
    pub fn arch(mut self, arch: Arch) -> Self {
        self.arch = arch;
        self
    }

    /// What follows the release in vermagic, the blank at the end included.
    pub fn vermagic_flags(mut self, flags: &str) -> Self {
        self.flags = flags.into();
        self
    }

    /// The size of its `struct module`.
    pub fn struct_module_size(mut self, size: usize) -> Self {
        self.struct_module_size = size;
        self
    }

    /// The CRC of `module_layout`.
    pub fn module_layout(self, crc: u32) -> Self {
        self.export("module_layout", crc)
    }

    /// Adds an EXPORT_SYMBOL of vmlinux, or changes its CRC.
    pub fn export(self, name: &str, crc: u32) -> Self {
        self.export_with(name, crc, false, "")
    }

    /// Adds an EXPORT_SYMBOL_GPL of vmlinux, or changes its CRC.
    pub fn export_gpl(self, name: &str, crc: u32) -> Self {
        self.export_with(name, crc, true, "")
    }

    /// Adds an EXPORT_SYMBOL_GPL of vmlinux in a namespace, or changes its CRC.
    pub fn export_ns(self, name: &str, crc: u32, namespace: &str) -> Self {
        self.export_with(name, crc, true, namespace)
    }

    fn export_with(mut self, name: &str, crc: u32, gpl: bool, namespace: &str) -> Self {
        self.symvers.entries.retain(|entry| entry.name != name);
        self.symvers = self.symvers.add(crc, name, "vmlinux", gpl, namespace);
        self
    }

    /// Takes this whole table in place of what was exported so far.
    pub fn symvers(mut self, symvers: Symvers) -> Self {
        self.symvers = symvers;
        self
    }

    /// Compression of the symvers file; gz by default.
    pub fn symvers_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Where symvers, config and System.map are.
    pub fn symvers_place(mut self, place: SymversPlace) -> Self {
        self.place = place;
        self
    }

    /// Where the modules are.
    pub fn modules_dir(mut self, dir: ModulesDir) -> Self {
        self.dir = dir;
        self
    }

    /// Compression of the in-tree modules; none by default.
    pub fn module_compression(mut self, compression: Compression) -> Self {
        self.module_compression = compression;
        self
    }

    /// The text of `config`; `None` leaves the file out.
    pub fn config(mut self, config: Option<&str>) -> Self {
        self.config = config.map(Into::into);
        self
    }

    /// Adds an in-tree module in this directory below `kernel/`, as `NAME.ko`. Its machine, vermagic, `module_layout`
    /// CRC and struct size become the kernel's.
    pub fn module(mut self, directory: &str, module: ModuleBuilder) -> Self {
        self.modules.push((PathBuf::from("kernel").join(directory), module));
        self
    }

    /// Adds a line of `modules.builtin`, such as `kernel/fs/ext4/ext4.ko`.
    pub fn builtin(mut self, path: &str) -> Self {
        self.builtin.push(path.into());
        self
    }

    /// Adds any file below the kernel's directory.
    pub fn file(mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), bytes.into()));
        self
    }

    /// A third-party module as built for this kernel: its machine, vermagic, `module_layout` CRC and struct size.
    pub fn driver(&self, name: &str) -> ModuleBuilder {
        self.adopt(ModuleBuilder::new(name))
    }

    fn adopt(&self, module: ModuleBuilder) -> ModuleBuilder {
        module
            .arch(self.arch)
            .vermagic(format!("{} {}", self.krel, self.flags))
            .module_layout(self.symvers.crc("module_layout"))
            .struct_module_size(Some(self.struct_module_size))
    }

    /// All it exports: vmlinux's symbols and those of its in-tree modules.
    pub fn full_symvers(&self) -> Symvers {
        let mut table = self.symvers.clone();
        for (directory, module) in &self.modules {
            let exporter = directory.join(OsStr::from_bytes(&module.name));
            let exporter = exporter.strip_prefix("kernel").expect("in-tree").to_string_lossy().into_owned();
            for export in &module.exports {
                table = table.add(
                    export.crc.unwrap_or(0),
                    &String::from_utf8_lossy(&export.name),
                    &exporter,
                    export.gpl,
                    &String::from_utf8_lossy(&export.namespace),
                );
            }
        }
        table
    }

    /// The kernel's directory, relative to the root.
    pub fn dir(&self) -> PathBuf {
        Path::new(self.dir.path()).join(&self.krel)
    }

    /// Every file with its path relative to the root.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let dir = self.dir();
        let extra = |name: &str, suffix: &str| match self.place {
            SymversPlace::Boot => PathBuf::from(format!("boot/{name}-{}{suffix}", self.krel)),
            _ => dir.join(format!("{name}{suffix}")),
        };
        let symvers = self.full_symvers();
        let mut files = Vec::new();
        if self.place != SymversPlace::Nowhere {
            files.push((extra("symvers", self.compression.suffix()), symvers.to_bytes(self.compression)));
        }
        if let Some(config) = &self.config {
            files.push((extra("config", ""), config.clone().into()));
        }
        files.push((extra("System.map", ""), system_map(&symvers).into()));
        let mut order = String::new();
        for (directory, module) in &self.modules {
            let path = directory.join(OsStr::from_bytes(&[&module.name[..], b".ko"].concat()));
            order.push_str(&format!("{}\n", path.display()));
            let mut file = dir.join(path).into_os_string();
            file.push(self.module_compression.suffix());
            let bytes = self.adopt(module.clone()).build_compressed(self.module_compression);
            files.push((file.into(), bytes));
        }
        files.push((dir.join("modules.order"), order.into()));
        let builtin: String = self.builtin.iter().map(|path| format!("{path}\n")).collect();
        files.push((dir.join("modules.builtin"), builtin.into()));
        files.push((dir.join("modules.builtin.modinfo"), Vec::new()));
        files.extend(self.files.iter().map(|(path, bytes)| (dir.join(path), bytes.clone())));
        files
    }

    /// Writes every file below `root` and returns the kernel's directory. Runs no depmod.
    pub fn write(&self, root: &Path) -> PathBuf {
        for (path, bytes) in self.files() {
            crate::write_file(&root.join(path), &bytes);
        }
        root.join(self.dir())
    }
}

/// Addresses for the symbols of vmlinux, with the `__ksymtab_` entries that depmod's -F looks for.
fn system_map(symvers: &Symvers) -> String {
    let mut text = String::from("ffffffff81000000 T _text\n");
    for (i, entry) in symvers.entries.iter().filter(|entry| entry.exporter == "vmlinux").enumerate() {
        let address = 0xffff_ffff_8100_0000_u64 + 16 * i as u64;
        text.push_str(&format!("{address:016x} T {}\n", entry.name));
        text.push_str(&format!("{:016x} r __ksymtab_{}\n", address + 0x0100_0000, entry.name));
    }
    text
}
