// SPDX-License-Identifier: LGPL-2.1-or-later
//! What Linux kernel modules and kernels say about themselves, and whether a kernel loads a module.
//!
//! Pure: bytes and text in, values out. Nothing here opens a file, and no input makes it panic or take more memory or
//! time than its [`budget`].
//!
//! * [`Module::parse`] reads a module: the symbols that it imports and exports, their versions (CRCs), vermagic, licence,
//!   namespaces, signature.
//! * [`SymbolTable::parse`] reads a kernel's `Module.symvers`, [`KernelConfig::parse`] its configuration; [`Rebuild`]
//!   collects the exports of a kernel without symvers from its own modules. Together they are a [`Kernel`].
//! * [`World`] judges a set of modules against a kernel: a [`Verdict`] has every [`Reason`] for which the kernel's loader
//!   would refuse a module.
//!
//! ```
//! use kmod_abi::{Candidate, Kernel, Module, Role, Rule, SymbolTable, World};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bytes = testkit::ModuleBuilder::new("cam").need("usb_alert", 0x1f3a_0c11).module_layout(None).build();
//! // `bytes`: the contents of cam.ko, which was built with version 0x1f3a0c11 of usb_alert.
//! let cam = Module::parse(&bytes, "cam.ko")?;
//! let symvers = "0x5e9941d2\tusb_alert\tvmlinux\tEXPORT_SYMBOL\t\n";
//! // What the kernel's own modules have in common is not known here, so it is not compared.
//! let kernel = Kernel::of_symbols("6.4.0-25-default", SymbolTable::parse(symvers.into())?);
//! let set = vec![Candidate { name: "cam", module: &cam, role: Role::Judged }];
//! let verdict = World::new(&kernel, None, set).judge().remove(0);
//! assert!(!verdict.fits());
//! assert_eq!(verdict.reasons[0].rule, Rule::Crc);
//! println!("{}", verdict.reasons[0]);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod btf;
pub mod budget;
pub mod capability;
mod config;
mod elf;
mod facts;
mod fault;
mod feature;
pub mod glob;
pub mod image;
mod index_facts;
mod judge;
mod kernel;
mod loaded;
pub mod modalias;
mod modinfo;
mod module;
pub mod name;
mod rebuild;
pub mod signature;
mod symbols;
mod symvers;

pub use btf::{Btf, OwnBase};
pub use config::{Digests, KernelConfig};
pub use elf::Arch;
pub use elf::section as elf_section;
pub use facts::{Exported, Facts, image_exports};
pub use fault::ModuleFault;
pub use feature::{Feature, Release};
pub use index_facts::IndexFacts;
pub use judge::rule;
pub use judge::{Candidate, Reason, Role, Rule, SymbolLine, Verdict, Warning, World};
pub use kernel::{Enforced, Kernel, Signing, SupportedOnly, Traits, builtin_names};
pub use loaded::loaded_parts;
pub use module::{Crcs, Malformed, Module, Need, Offer, Sections, SignatureState, Supported};
pub use rebuild::Rebuild;
pub use symbols::{Export, Licensing, SymbolTable, SymbolTableBuilder};
pub use symvers::NotSymvers;

/// Reads a `.modinfo` section.
#[cfg(feature = "fuzz")]
pub fn fuzz_modinfo(section: &[u8]) {
    for (key, value) in modinfo::entries(section) {
        assert!(modinfo::text(key).len() + modinfo::text(value).len() < 3 * section.len());
    }
}

#[cfg(test)]
mod tests;
