// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whom the command works for and with: rpm's scriptlets, libzypp, the distribution's own commands, the system's log, the
//! machine's cores.

pub mod cores;
pub mod deferred;
pub mod divert;
pub mod history;
pub mod zypp;
