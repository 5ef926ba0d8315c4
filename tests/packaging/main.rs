// SPDX-License-Identifier: LGPL-2.1-or-later
//! What packagers use: `kmp deps`, the dependency generators and macros around it, and the examples, by
//! the real rpmbuild and rpm.
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

mod build;
mod corpus;
mod deps;
mod distributor;
mod examples;
mod initrds;
mod macros;
mod new;
mod peers;
mod rebuild;
mod shapes;
mod spec;
