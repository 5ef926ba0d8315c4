// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which drivers an rpm transaction would lose. Pure, but for `elements/`, which reads packages that come, and `machine.rs`,
//! which reads what the rest is given.
//!
//! A driver is expected in a kernel that comes when it works with the newest kernel of the same line, or with the running
//! one if that is of the line; and in a kernel that stays when it works there. Where it is not there after the
//! transaction, under no name, it matters
//! * not at all where the kernel that comes has it itself: a module of that name, or some that claim its devices;
//! * as a loss in a kernel that comes, in the newest kernel of a line, where no other kernel of the line that can be booted
//!   has the driver, and in the running kernel where the machine needs it to go on;
//! * as a warning elsewhere, and wherever it is not sure.
//!
//! Removing every version of a package, with nothing coming in its place, is what somebody wants, and no loss, unless it is
//! done while kernels come or go and nobody has named it: then it is one also where the only kernel that it works with goes (`gone.rs`). A module that no package owns is no loss: who built it builds
//! it anew. Only what is found counts: what cannot be judged (a version that is not known, a module that cannot be read)
//! is no loss, either.

mod advice;
mod after;
mod driver_line;
mod elements;
mod given;
mod gone;
mod incoming;
mod itself;
mod kernels;
mod lost;
mod machine;
mod manager;
mod outlook;
mod plan;
mod policy;
mod preview;
mod question;
mod remedy;
mod summary;
mod words;

pub use advice::{Advice, advice};
pub use after::Source;
pub use driver_line::{Form, would_load};
pub use elements::Elements;
pub use given::{Given, Use};
pub use gone::bound_to;
pub use incoming::{Asked, InTree, IncomingKernel, IncomingKmp, IncomingModule, Removal, Transaction};
pub use kernels::Role;
pub use lost::{Foreseen, Lost, Weight, foresee};
pub use machine::{Judged, Running, judge, judge_given};
pub use manager::{Manager, Tools};
pub use outlook::{Fate, Outlook, Prospect};
pub use plan::{PlanError, Planned, plan, plan_read, read_files};
pub use policy::{Action, Finding, Orders};
pub use preview::{PackageVerdicts, Present, preview};
pub use question::{NoQuestion, Question};
pub use remedy::Remedy;
pub use words::{COLUMNS, LINES, Line, block, wrapped};

#[cfg(test)]
mod tests;
