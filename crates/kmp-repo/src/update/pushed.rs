// SPDX-License-Identifier: LGPL-2.1-or-later
//! Drivers that dnf would erase because a kernel that comes pushes out the only one that they work with.

use std::collections::BTreeSet;

use kmp_core::guard::{self, Action, Removal, Role};
use kmp_core::ids::KmpId;
use rpm_meta::vercmp;

use super::judge::{By, Judge};
use super::offers::Unit;
use super::{DriverFate, DriverVerdict};

impl Judge<'_> {
    /// The installed kernels that dnf erases when this one comes: the oldest of its line, but not the running one.
    fn pushed_out(&self, unit: &Unit<'_>) -> BTreeSet<String> {
        let line = self.installed.line(unit.main.package.name());
        let (Some(line), Some(limit)) = (line, self.limit) else { return BTreeSet::new() };
        let mut releases: Vec<&String> = line.releases.iter().collect();
        releases.sort_by(|a, b| vercmp(a, b));
        let too_many = (releases.len() + 1).saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        let goes = releases.into_iter().filter(|release| self.running.release != Some(release));
        goes.take(too_many).cloned().collect()
    }

    /// Adds to `drivers` those that would go so, or the builds that come along in their place. The kernel that is pushed out, if a
    /// driver that has to be kept goes with it.
    pub(super) fn add_pushed_out(&self, unit: &Unit<'_>, drivers: &mut Vec<DriverFate>) -> Option<String> {
        let going = self.pushed_out(unit);
        let inventory = &self.survey.inventory;
        let name = |id: &KmpId| &inventory.kmps[*id].package.name;
        let mut bound = guard::bound_to(self.survey, &going);
        let is_there = |drivers: &[DriverFate], id: &KmpId| {
            drivers.iter().any(|d| d.driver == *name(id) && d.verdict != DriverVerdict::Missing)
        };
        bound.retain(|id| !is_there(drivers, id));
        if bound.is_empty() {
            return None;
        }
        let names: Vec<String> = bound.iter().map(|id| name(id).clone()).collect();
        let builds = self.with(unit, &self.builds(unit, &names), By::Metadata);
        let instead =
            builds.into_iter().filter(|d| d.verdict != DriverVerdict::Missing && names.contains(&d.driver));
        drivers.extend(instead);
        bound.retain(|id| !is_there(drivers, id));

        let mut elements = self.elements();
        self.kernels.of(unit).into_iter().for_each(|kernel| elements.add_kernel(kernel));
        going.iter().for_each(|release| elements.removed_kernel(release, Removal::Erased));
        for instance in bound.iter().filter_map(|id| inventory.kmps[*id].package.instance) {
            elements.remove_unread(instance, Removal::Erased);
        }
        let judged = self.judge(elements);
        let mut kernel = None;
        for finding in judged.findings.iter().filter(|f| f.lost.role == Role::Goes) {
            let (driver, stops) = (finding.lost.package.clone(), finding.action == Action::Stop);
            drivers.retain(|d| d.driver != driver);
            let why = finding.lost.line();
            drivers.push(DriverFate {
                driver,
                verdict: DriverVerdict::Missing,
                build: None,
                why,
                stops,
                is_update: false,
                needs_source: false,
            });
            if stops {
                kernel.get_or_insert_with(|| finding.lost.kernel.clone());
            }
        }
        kernel
    }
}
