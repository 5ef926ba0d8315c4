// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why a module's contents are not there.

use super::Malformed;

/// Why a module cannot be judged. The two are never the same: only what was read can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleFault {
    /// It was read, and the kernel would refuse it before it looks at symbols.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It could not be read; why, in words. What it holds is unknown.
    #[error("{0}")]
    Unread(String),
}

impl ModuleFault {
    /// Is it unknown what the module holds?
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unread(_))
    }
}
