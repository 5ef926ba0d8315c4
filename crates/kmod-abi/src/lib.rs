// SPDX-License-Identifier: LGPL-2.1-or-later
//! What modules and kernels say of themselves, and whether they go together.
//!
//! Pure: bytes and text in, values out. Nothing here opens a file.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod budget;
pub mod capability;
mod config;
mod elf;
mod facts;
mod fault;
mod feature;
mod judge;
mod kernel;
mod loaded;
mod modinfo;
mod module;
pub mod name;
mod rebuild;
pub mod signature;
mod symvers;

pub use config::KernelConfig;
pub use elf::Arch;
pub use facts::{Exported, Facts, image_exports};
pub use fault::ModuleFault;
pub use feature::{Feature, Release};
pub use judge::rule;
pub use judge::{Candidate, Reason, Role, Rule, SymbolLine, Verdict, Warning, World};
pub use kernel::{Kernel, Traits};
pub use loaded::loaded_parts;
pub use module::{Crcs, Malformed, Module, Need, Offer, SignatureState, Supported};
pub use rebuild::Rebuild;
pub use symvers::{Export, Licensing, NotSymvers, SymbolTable};

/// Reads a `.modinfo` section.
#[cfg(feature = "fuzz")]
pub fn fuzz_modinfo(section: &[u8]) {
    for (key, value) in modinfo::entries(section) {
        assert!(modinfo::text(key).len() + modinfo::text(value).len() < 3 * section.len());
    }
}

#[cfg(test)]
mod tests;
