// SPDX-License-Identifier: LGPL-2.1-or-later
//! What verbs come to: the exit status.

use std::process::ExitCode;

use kmp_core::abi::Verdict;

/// How a verb ended; as an exit status 0, 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or consistent.
    Good,
    /// Incompatible, or drift was found.
    Found,
    /// Wrong usage, or something failed.
    Failed,
}

impl Outcome {
    /// What the exit status means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Good => "exit status 0: done, or everything is consistent",
            Self::Found => "exit status 1: something is refused, or is not as it should be",
            Self::Failed => "exit status 2: wrong usage, or something failed or could not be read",
        }
    }

    /// By verdicts, and whether something could not be read: what is unknown neither fits nor does not.
    pub fn of<'v>(mut verdicts: impl Iterator<Item = &'v Verdict> + Clone, is_unread: bool) -> Self {
        match () {
            () if is_unread || verdicts.clone().any(Verdict::is_unknown) => Self::Failed,
            () if verdicts.all(|verdict| verdict.fits() && verdict.untrusted().is_none()) => Self::Good,
            () => Self::Found,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(match outcome {
            Outcome::Good => 0,
            Outcome::Found => 1,
            Outcome::Failed => 2,
        })
    }
}
