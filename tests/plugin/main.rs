// SPDX-License-Identifier: LGPL-2.1-or-later
//! rpm's plugin in the real rpm: what it stops, what it lets through, and what it does once.
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

mod bindings;
mod budgets;
mod built;
mod command;
mod demo;
mod dnf;
mod faults;
mod history;
mod initramfs;
mod inside;
mod killed;
mod once;
mod others;
mod policy;
mod put_back;
mod read_faults;
mod redhat;
mod sanitized;
mod support;
mod trace;
mod unknown_distribution;
mod veto;
mod zypp;
