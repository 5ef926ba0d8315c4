// SPDX-License-Identifier: LGPL-2.1-or-later
//! Repositories that createrepo_c makes, as zypper and dnf keep them; and hostile ones.
#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

mod caches;
mod hostile;
mod made;
mod packed;
