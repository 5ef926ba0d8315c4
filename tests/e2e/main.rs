// SPDX-License-Identifier: LGPL-2.1-or-later
//! End to end: real rpm packages in throwaway roots, the command run on them, the disk read back.
#![allow(clippy::disallowed_names, reason = "a driver that only has to be there is called foo")]
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

mod boot_entries;
mod bugs_redhat;
mod bugs_suse;
mod check;
mod command_line;
mod defects;
mod depmod_runs;
mod devices;
mod divert;
mod doctor;
mod explain;
mod hostile;
mod hostile_budgets;
mod hostile_disk;
mod hostile_fuzz;
mod hostile_modules;
mod hostile_paths;
mod hostile_rpmdb;
mod index;
mod index_trust;
mod initrd;
mod initrd_requests;
mod kabi;
mod kabi_peer;
mod keys;
mod killed;
mod kinds;
mod links;
mod order;
mod package_files;
mod places;
mod plan;
mod programs;
mod races;
mod read_faults;
mod redhat;
mod replaced;
mod schemas;
mod screens;
mod scriptlets;
mod search_order;
mod status;
mod support;
mod sync;
mod system_log;
mod threads;
mod unknown_distribution;
mod update;
mod versions;
mod weak_modules;
mod weak_modules2;
mod weak_modules_initramfs;
mod wishes;
