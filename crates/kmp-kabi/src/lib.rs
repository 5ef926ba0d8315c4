// SPDX-License-Identifier: LGPL-2.1-or-later
//! What of a kernel's interface for modules (kABI) changed from one build to the next, whether that was allowed, and why.
//!
//! Pure: what was read of kernels in, values out.
//!
//! * [`Diff::of`] compares what two kernels export; [`Rules`] say which changes are tolerated (SUSE's `severities`) or what is
//!   promised at all (Red Hat's stablelists).
//! * [`why::explain`] finds, in the types of both kernels' images and modules, the one that most likely changed a symbol's CRC;
//!   [`symtypes::Symtypes`] has the exact reason, where the build has kept it.
//! * [`registry`] has the drivers of others, judges them for a kernel that comes, and words what their makers are sent.
//! * [`rebuild`] lists the source packages that a rebuild mends, in the order in which they have to be built.
//! * [`exposure()`] sorts the symbols that a driver uses by what was promised of each.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod diff;
mod exposure;
pub mod rebuild;
pub mod registry;
mod rules;
pub mod symtypes;
pub mod why;

pub use diff::{Change, Diff, Tolerated, What};
pub use exposure::{Exposed, Standing, exposure};
pub use rules::{BadRule, Matches, Rule, Rules, Verdict};
