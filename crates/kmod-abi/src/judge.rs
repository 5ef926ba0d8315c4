// SPDX-License-Identifier: LGPL-2.1-or-later
//! Does this module load in this kernel, and if not, every reason.
//!
//! The rules are the kernel's: `load_module` and what it calls in `kernel/module/main.c` and
//! `kernel/module/version.c` of Linux 5.x to 7.x. [`rule`] has one row for each.

mod depends;
mod explain;
mod exports;
pub mod rule;
mod symbol;
mod verdict;
mod whole_module;
mod world;

pub use explain::SymbolLine;
pub use rule::Rule;
pub use verdict::{Reason, Verdict, Warning};
pub use world::{Candidate, Role, World};
