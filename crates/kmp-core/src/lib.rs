// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp's engine: which third-party kernel modules work with which kernels, and the weak-updates links
//! that follow from it.
//!
//! The way of the data: [`inventory`] reads what there is, [`abi`] judges, [`plan`] decides which links
//! each kernel should have, [`apply`] makes them; [`survey`] and [`sync`](mod@sync) put these together.
//! Only [`apply`], [`run_dir`] and [`history`] write.
//!
//! # For most programs
//!
//! A dozen items at the root of the crate are enough; the modules have the rest. All begins with a [`System`].
//!
//! How does each driver stand in each kernel? Where it is [`State::Refused`], why?
//!
//! ```
//! use kmp_core::{Selection, System};
//!
//! # let made = testkit::TestRoot::new();
//! # let path = made.path();
//! let system = System::open(path)?;
//! let survey = system.survey(&Selection::default())?;
//! for kernel in &survey.kernels {
//!     for (kmp, standing) in survey.standings(kernel).each() {
//!         // A driver for kernels of another flavour stands nowhere.
//!         let Some(standing) = standing else { continue };
//!         println!("{}: {} {}", kernel.kernel.release, survey.inventory.kmps[kmp].package.nvr(), standing.state);
//!     }
//! }
//! # assert!(survey.kernels.is_empty() && survey.problems.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Does this module load in the kernels that are installed? Each [`Reason`] names the [`Rule`] that is broken.
//!
//! ```
//! use kmp_core::{Request, System};
//!
//! # let made = testkit::TestRoot::new();
//! # let kernel = testkit::KernelBuilder::new("6.4.0-1-default").export("printk", 7);
//! # kernel.write(&made.path());
//! # made.write("cam.ko", kernel.driver("cam").need("printk", 8).build());
//! # let (path, module) = (made.path(), made.join("cam.ko"));
//! let system = System::open(path)?;
//! let checked = system.check(&Request { names: &[module.into()], ..Request::default() })?;
//! for line in &checked.lines {
//!     for reason in &line.verdict.reasons {
//!         println!("{}: {}: {}", checked.releases[line.kernel], reason.rule.as_str(), reason.detail);
//!     }
//! }
//! # assert_eq!(checked.lines[0].verdict.reasons[0].rule, kmp_core::Rule::Crc);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What does each symbol of a driver get in a kernel?
//!
//! ```
//! use kmp_core::{Selection, System};
//!
//! # let made = testkit::TestRoot::new();
//! # let kernel = testkit::KernelBuilder::new("6.4.0-1-default").export("printk", 7);
//! # kernel.write(&made.path());
//! # made.write("usr/lib/modules/6.4.0-1-default/updates/cam.ko", kernel.driver("cam").need("printk", 7).build());
//! # let path = made.path();
//! let survey = System::open(path)?.survey(&Selection::default())?;
//! for explained in survey.explain(&survey.kernels[0], &[], "cam")? {
//!     for line in &explained.symbols {
//!         println!("{} is exported by {:?}", line.symbol, line.exporter);
//!     }
//! #   assert!(explained.symbols.iter().any(|line| &*line.symbol == "printk" && line.reason.is_none()));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Would this kernel cost a driver? A [`Question`] is made of what somebody types, as for `kmp plan`.
//!
//! ```
//! use kmp_core::{Question, System};
//!
//! # let made = testkit::TestRoot::new();
//! # let kernel = |krel: &str, crc| testkit::KernelBuilder::new(krel).export("printk", crc);
//! # let (old, new) = (kernel("6.4.0-1-default", 7), kernel("6.4.0-2-default", 8));
//! # old.write(&made.path());
//! # let cam = old.driver("cam").need("printk", 7).build();
//! # made.install(&[&testkit::PackageBuilder::kmp("cam", "default", "1", old.krel(), [("cam.ko", cam)]).build()]);
//! # let package = testkit::PackageBuilder::kernel(&new).build();
//! # let (path, file) = (made.path(), package.path());
//! let question = Question::of_names(&[file.as_os_str().to_owned()])?;
//! let planned = System::open(path)?.plan(&question, None)?;
//! for kernel in &planned.judged.kernels {
//!     println!("{}", kernel.summary());
//! }
//! # assert!(planned.judged.kernels[0].summary().ends_with(", 1 lost: cam-kmp-default"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What would a run of kmp change? Without `dry_run`, it is done.
//!
//! ```
//! use kmp_core::{Options, System};
//!
//! # let made = testkit::TestRoot::new();
//! # let path = made.path();
//! let report = System::open(path)?.sync(&Options { dry_run: true, ..Options::default() })?;
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
pub mod clock;
pub mod config;
pub mod deps;
pub mod dialect;
mod environment;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod guard;
pub mod guest;
pub mod history;
pub mod ids;
pub mod in_use;
pub mod initrd;
pub mod inventory;
pub mod last_update;
#[cfg(test)]
mod made;
pub mod plan;
pub mod problem;
pub mod run_dir;
pub mod state;
pub mod suggest;
pub mod survey;
pub mod sync;
mod system;
pub mod system_log;
pub mod targets;
pub mod tree;
pub mod union_find;

// The floors below, under the names that this crate uses for them.
pub use kmod_abi::{self as abi, budget, glob};
pub use kmod_index as index;
pub use kmp_fs::{conf_d, pack, printable, root, unpack, workers};

// The facade: see above.
pub use abi::{Reason, Rule, Verdict};
pub use check::{Checked, Request};
pub use guard::{Planned, Question};
pub use problem::Problem;
pub use state::State;
pub use survey::{Selection, Standing, Survey};
pub use sync::{Options, SyncReport};
pub use system::System;
