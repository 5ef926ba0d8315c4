// SPDX-License-Identifier: LGPL-2.1-or-later
//! Writes kernel modules, kernels, packages and roots for tests, the benchmark and the demo.
//!
//! Everything is made up from values, so that a test says what it needs and nothing else:
//!
//! ```
//! use testkit::{KernelBuilder, TestRoot};
//!
//! let root = TestRoot::new();
//! let kernel = KernelBuilder::new("6.4.0-1-default").export("printk", 0x1234);
//! kernel.write(&root.path());
//! let driver = kernel.driver("foo").need("printk", 0x1234).build();
//! root.write("usr/lib/modules/6.4.0-1-default/updates/foo.ko", &driver);
//! ```
//!
//! It is for tests: a misuse or a failing tool panics with a message, it is not returned.

#![forbid(unsafe_code)]

mod arch;
mod btf;
pub mod campaign;
mod compress;
pub mod demo;
pub mod disturb;
mod elf;
pub mod fleet;
mod hostile;
mod initrd;
mod kernel;
mod module;
mod noise;
mod package;
pub mod packages;
mod raw_elf;
mod root;
mod rpmbuild;
mod server;
mod signing;
mod skip;
mod symvers;
mod tools;
mod uki;

pub use arch::Arch;
pub use btf::BtfBuilder;
pub use compress::{Compression, compress};
pub use hostile::{HostileModule, hostile_modules};
pub use initrd::makes_empty_initrds;
pub use kernel::{KernelBuilder, ModulesDir, SymversPlace};
pub use module::{
    CrcStyle, Export, MODULE_LAYOUT_CRC, ModuleBuilder, Need, STRUCT_MODULE_SIZE, Strip, VERMAGIC_FLAGS,
    Versions,
};
pub use noise::Noise;
pub use package::{Package, PackageBuilder};
pub use raw_elf::{RawElf, SectionNumber};
pub use root::{LEAST_MACROS, TestRoot, run_rpm, same_tree};
pub use server::{Scripted, Server};
pub use signing::{SigningKey, corrupted, import_key};
pub use skip::{has_other_users, has_the_machines_root, skip};
pub use symvers::{Columns, Symvers, SymversEntry};
pub use tools::{Output, copy_program, depmod, modinfo, run, xtask};
pub use uki::unified_image;

/// Writes a file, and the directories above it.
pub(crate) fn write_file(path: &std::path::Path, bytes: &[u8]) {
    let parent = path.parent().unwrap_or_else(|| panic!("{}: not a file's path", path.display()));
    std::fs::create_dir_all(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
    std::fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
