// SPDX-License-Identifier: LGPL-2.1-or-later
//! A file a verb.

pub mod check;
pub mod deps;
pub mod explain;
pub mod initrd;
pub mod status;
pub mod sync;
