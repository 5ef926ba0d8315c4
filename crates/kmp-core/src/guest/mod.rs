// SPDX-License-Identifier: LGPL-2.1-or-later
//! What rpm's plugin decides, as a guest in the process of rpm, dnf or zypper: who has started the
//! transaction and why, what part of a commit of libzypp it is, and when the links are due in it.
//!
//! The hooks and rpm's own types are in `rpm-plugin/`, and what happens in each hook in libkmp (`kmp-capi`'s
//! `plugin.rs`). Here are the decisions, pure but for [`Caller::of_this_process`], [`CommandLine::read`] and
//! [`packages::find`].

mod again;
mod caller;
mod commit;
mod named;
pub mod packages;
mod scriptlet;
mod sources;

pub(crate) use again::called;
pub use caller::{Caller, CommandLine, variable};
pub use commit::{Part, more_comes, part};
pub use scriptlet::{environment, is_due_before};
pub use sources::builds_drivers;
