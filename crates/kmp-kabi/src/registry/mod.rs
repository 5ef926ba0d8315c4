// SPDX-License-Identifier: LGPL-2.1-or-later
//! The registry of third-party drivers: text files in git, written by a tool, reviewed by people, checked by a job.
//!
//! For each package of a provider there are two: `PROVIDER/PACKAGE.toml`, who it is and what its last build asks of a kernel, and
//! `PROVIDER/PACKAGE.symbols`, the symbols that it uses, in the form of Android's symbol lists and Red Hat's stablelists. Symbols are
//! what somebody relies on, and stay; versions (CRCs) are those of one build, and age with it.

mod date;
mod form;
mod judge;
mod message;
mod page;
mod users;

pub use date::{rfc3339, rfc5322};
pub use form::{Bad, Build, Module, Package, Provider, Registration};
pub use judge::{Finding, Item, Remedy, State, judge};
pub use message::{Mail, issue, mail};
pub use page::{Entry, feed, packages, page, verdict};
pub use users::{Concerned, Users};
