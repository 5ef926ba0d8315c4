// SPDX-License-Identifier: LGPL-2.1-or-later
//! The scriptlets of kernels and KMPs, run by real rpm in throwaway roots, with each shell that is /bin/sh somewhere.
//! Programs that would touch a machine are stand-ins that note how they were called.
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

mod boot;
mod boot_faults;
mod calls;
mod certificates;
mod in_kernel_modules;
mod initrd_functions;
mod kernels;
mod kmps;
mod packages;
mod site;
mod triggers;
mod with_plugin;

#[path = "../plugin/support.rs"]
#[allow(dead_code, clippy::type_complexity, reason = "shared with the plugin's tests, which use the rest")]
mod support;
