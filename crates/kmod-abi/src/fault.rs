// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why a module's contents are missing.

use super::Malformed;

/// Why a module cannot be judged: it is malformed, or it could not be read, and then nothing is known about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleFault {
    /// It was read, and the kernel would refuse it before it looks at symbols.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It could not be read, with the reason. Its contents are unknown.
    #[error("{0}")]
    Unread(String),
}

impl ModuleFault {
    /// Whether the contents of the module are unknown.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unread(_))
    }
}
