// SPDX-License-Identifier: LGPL-2.1-or-later
//! Each version of a driver is used in a kernel.

use kmp_core::state::State;

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "idle",
    severity: Severity::Note,
    what: "Each installed version of a driver is used in a kernel that is installed.",
    why: "Old versions stay beside new ones, as kernels do, and take room.",
    remedy: "Remove the version, unless a kernel that needs it is to come back.",
    is_mended: false,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    let survey = &system.report.survey;
    if survey.kernels.is_empty() || survey.is_unread() {
        return Vec::new();
    }
    let standings: Vec<_> = survey.kernels.iter().map(|kernel| survey.standings(kernel)).collect();
    let mut found = Vec::new();
    for (id, kmp) in survey.inventory.kmps.each().filter(|(_, kmp)| kmp.is_packaged()) {
        let states: Vec<State> = standings.iter().filter_map(|of| Some(of[id].as_ref()?.state)).collect();
        // One that is refused has a rule of its own, unless another version is there instead.
        let is_idle = |state: &State| matches!(state, State::Unused | State::Declined);
        if !states.is_empty() && states.iter().all(is_idle) {
            found.push(Found::new(
                kmp.package.nvr(),
                format!("its modules for {} are used in no kernel", kmp.origin),
            ));
        }
    }
    found
}
