// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp's engine: which third-party kernel modules work with which kernels, and the weak-updates links
//! that follow from it.
//!
//! The way of the data: [`inventory`] reads what there is, [`abi`] judges, [`plan`] decides which links
//! each kernel should have, [`apply`] makes them; [`survey`] and [`sync`](mod@sync) put these together.
//! Only [`apply`] and [`run_dir`] write.
//!
//! What a run would do, without doing it:
//!
//! ```
//! use kmp_core::inventory::Loader;
//! use kmp_core::root::Root;
//! use kmp_core::sync::{Options, sync};
//! use kmp_core::workers::Serial;
//!
//! # let system = testkit::TestRoot::new();
//! # let place = system.path();
//! let root = Root::open(&place)?;
//! let rpm = librpm_rt::Librpm::load()?;
//! let mut loader = Loader::new(&root, &Serial, None);
//! let options = Options { dry_run: true, ..Options::default() };
//! let report = sync(&root, Ok(&rpm), &mut loader, &options, None)?;
//! for kernel in &report.kernels {
//!     for change in &kernel.changes {
//!         println!("{}: {change}", kernel.release);
//!     }
//! }
//! # assert!(report.kernels.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod apply;
pub mod assignments;
pub mod check;
pub mod config;
pub mod deps;
pub mod dialect;
mod environment;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod glob;
pub mod guard;
pub mod guest;
pub mod ids;
pub mod in_use;
pub mod initrd;
pub mod inventory;
#[cfg(test)]
mod made;
pub mod plan;
pub mod problem;
pub mod run_dir;
pub mod state;
pub mod survey;
pub mod sync;
pub mod system_log;
pub mod targets;
pub mod tree;
mod union_find;

// The floors below, under the names that this crate uses for them.
pub use kmod_abi::{self as abi, budget};
pub use kmod_index as index;
pub use kmp_fs::{conf_d, pack, printable, root, unpack, workers};
