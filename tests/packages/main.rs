// SPDX-License-Identifier: LGPL-2.1-or-later
//! The packages of packaging/kmp.spec: built as they are shipped, put into fresh roots by the real rpm, upgraded, removed.
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

mod before;
mod beside;
mod completions;
mod contents;
mod lifetime;
mod lint;
mod plugin;
mod support;
mod updates;
