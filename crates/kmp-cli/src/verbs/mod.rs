// SPDX-License-Identifier: LGPL-2.1-or-later
//! A file a verb. Its arguments are in `args.rs`, and `main.rs` calls it; the verbs of scriptlets are in `sync.rs`.

pub mod catalogue;
pub mod check;
pub mod deps;
pub mod devices;
pub mod divert;
pub mod doctor;
pub mod explain;
pub mod facts;
pub mod fleet;
pub mod history;
pub mod hold;
pub mod initrd;
pub mod kabi;
pub mod key;
pub mod medium;
pub mod new;
pub mod plan;
pub mod rebuild_list;
pub mod registry;
pub mod sources;
pub mod status;
pub mod sync;
pub mod update;
