// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is to be done about drivers that kernels would be without. Pure.
//!
//! The environment (`KMP_POLICY`) goes over the macro (`%_kmp_policy`), and that over kmp.conf: `read_policy` in kmp-capi's `plugin/judge.rs`
//! reads the first two, and gives what holds to [`Config`].

use super::kernels::Role;
use super::lost::{Lost, Weight};
use crate::config::{Config, Policy};
use crate::last_update::LastUpdate;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// To say so: nothing is lost.
    Say,
    /// To warn, and go on.
    Warn,
    /// To stop the transaction.
    Stop,
}

/// A driver that a kernel would be without, and what is to be done about it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The driver.
    pub lost: Lost,
    /// What to do.
    pub action: Action,
}

/// By what it is decided.
#[derive(Clone, Copy, Debug)]
pub struct Orders<'o> {
    /// The configuration.
    pub config: &'o Config,
    /// A policy that goes over the configuration's: the macro `%_kmp_policy`, or `KMP_POLICY`.
    pub policy: Option<Policy>,
    /// An image is built, or it is a container: no kernel of this root runs, or is booted next.
    pub nothing_boots: bool,
    /// What the last `kmp update` found: kernels that are let come though they lose a driver are warned of only.
    pub last: Option<&'o LastUpdate>,
}

impl Orders<'_> {
    /// Comes the kernel that loses it because somebody has said so?
    fn lets_come(&self, lost: &Lost) -> bool {
        lost.role == Role::Comes && self.last.is_some_and(|last| last.lets_come(&lost.kernel))
    }

    /// Decides; what is off or not protected is left out.
    pub fn decide(&self, lost: Vec<Lost>) -> Vec<Finding> {
        let decide = |mut lost: Lost| {
            lost.found =
                self.last.filter(|_| lost.role == Role::Comes).and_then(|last| last.build_for(&lost));
            let policy = self.policy.unwrap_or(self.config.policy_for(&lost.package));
            let protected = self.config.protects(&lost.package, &lost.modules, lost.needed_for.is_loaded);
            let action = match (lost.weight, policy) {
                (Weight::None, _) => Action::Say,
                (Weight::Loss, Policy::Abort) if !self.nothing_boots && !self.lets_come(&lost) => {
                    Action::Stop
                }
                _ => Action::Warn,
            };
            (policy != Policy::Off && protected).then_some(Finding { lost, action })
        };
        lost.into_iter().filter_map(decide).collect()
    }
}
