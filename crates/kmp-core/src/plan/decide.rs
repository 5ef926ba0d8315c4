// SPDX-License-Identifier: LGPL-2.1-or-later
//! Decides which KMPs a kernel is to have: the newest first, what fails gives way. Pure.
//!
//! Which of two is newer was decided when stock was taken: `sort` in `inventory/packages.rs`, by `inventory/driver.rs`.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::all::All;
use super::beside::{Allowance, Groups};
use super::held::{self, is_unknown};
use super::judge::{Judged, modules};
use super::search::Search;
use super::{Decision, KernelPlan, Kmp, Site};
use crate::abi::Verdict;
use crate::dialect::serves;
use crate::ids::{Id, KmpId, List};

/// Module names that are taken: by whom, in words, and by which package.
struct Taken<'t>(HashMap<&'t str, (String, Option<&'t str>)>);

impl<'t> Taken<'t> {
    fn take(&mut self, kmp: &Kmp<'t>) {
        let owner = || (format!("package {}", kmp.package), Some(kmp.package));
        self.0.extend(kmp.modules.iter().map(|m| (m.name, owner())));
    }

    /// A module of `kmp` of which somebody else, or the KMP itself, has the name: the name, and who has it.
    fn clash(&self, kmp: &Kmp<'_>) -> Option<(Box<str>, String)> {
        let mut own = HashSet::new();
        kmp.modules.iter().find_map(|m| {
            let other = self.0.get(m.name).filter(|(_, package)| *package != Some(kmp.package));
            let with = other.map(|(with, _)| with.clone());
            let with =
                with.or_else(|| (!own.insert(m.name)).then(|| "another of the same package".into()))?;
            Some((m.name.into(), with))
        })
    }
}

impl Site<'_> {
    /// Decides for this kernel. `kmps` is sorted by driver, the version first that is tried first.
    pub fn plan(&self, kmps: &List<KmpId, Kmp<'_>>) -> KernelPlan {
        let mut held = held::Packages::new();
        let mut plan = self.plan_all(kmps);
        loop {
            let more = plan.unknown(kmps, &held);
            if more.is_empty() {
                return plan;
            }
            held.extend(more);
            plan = self.without(kmps, &held).plan_all(kmps);
            plan.keep(self, kmps, &held);
        }
    }

    /// Decides for all packages but those that are held.
    fn plan_all(&self, kmps: &List<KmpId, Kmp<'_>>) -> KernelPlan {
        let native_package: HashMap<&str, KmpId> =
            self.natives.iter().filter_map(|n| n.kmp).map(|k| (kmps[k].package, k)).collect();
        let mut failed: HashMap<KmpId, Vec<Verdict>> = HashMap::new();
        let all = All::of(kmps);
        let (mut chosen, mut verdicts) = loop {
            let chosen = self.choose(kmps, &native_package, &failed);
            let mut verdicts = self.judge(kmps, &chosen);
            let failing = |k: &KmpId| verdicts.kmps[k].iter().any(|v| !v.fits());
            let losers: Vec<KmpId> = chosen.iter().copied().filter(failing).collect();
            if losers.is_empty() {
                break (chosen, verdicts);
            }
            for kmp in losers {
                failed.insert(kmp, verdicts.kmps.remove(&kmp).unwrap_or_default());
            }
        };
        // Where nothing has failed or clashed, they are not needed.
        let groups = Rc::<OnceCell<Groups>>::default();
        let of_all = || groups.get_or_init(|| Groups::of(self, kmps));
        let again = Self::failed_for_others(kmps, &all, &native_package, &failed);
        if !again.is_empty() {
            self.take_back(kmps, of_all(), again, &mut chosen, &mut verdicts, &mut failed);
        }
        let mut taken = self.taken();
        let candidates: Vec<KmpId> = kmps
            .ids()
            .filter(|k| !native_package.contains_key(kmps[*k].package) && self.may_be_linked(&kmps[*k]))
            .filter(|k| taken.clash(&kmps[*k]).is_none())
            .collect();
        let better = (!Search::are_newest(kmps, &candidates, &chosen))
            .then(|| Search::new(self, kmps, &all, of_all()).better(&candidates, &chosen, &failed))
            .flatten();
        if let Some(better) = better {
            verdicts = self.judge(kmps, &better);
            chosen = better;
            // What failed beside others may fit beside these, or fail for other reasons.
            let beside = self.beside_in(kmps, &chosen, Rc::clone(&groups));
            failed = failed
                .into_keys()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(|k| (k, beside.instead(k)))
                .collect();
            failed.retain(|_, verdicts| !verdicts.iter().all(Verdict::fits));
        }
        chosen.iter().for_each(|k| taken.take(&kmps[*k]));

        let mut plan = KernelPlan::default();
        let of_natives: HashMap<(KmpId, &str), &Verdict> = self
            .natives
            .iter()
            .zip(&verdicts.natives)
            .filter_map(|(native, verdict)| Some(((native.kmp?, native.name), verdict)))
            .collect();
        let holder: HashMap<&str, KmpId> = native_package
            .iter()
            .map(|(p, k)| (*p, *k))
            .chain(chosen.iter().map(|k| (kmps[*k].package, *k)))
            .collect();
        let beside = self.beside_in(kmps, &chosen, Rc::clone(&groups));
        let chosen: HashSet<KmpId> = chosen.into_iter().collect();
        // An older version that is linked in its place is not why a newer one is not.
        let is_left_out = |index: KmpId| {
            holder.get(kmps[index].package).is_none_or(|by| *by > index && chosen.contains(by))
        };
        for (index, kmp) in kmps.each() {
            let decision = if self.is_native(kmp) {
                Decision::Native
            } else if !serves(kmp.flavour, &self.kernel.release) {
                Decision::OtherFlavour
            } else if kmp.broken.is_some() {
                Decision::Broken
            } else if let Some(why) = self.declined(kmp) {
                Decision::Declined(why)
            } else if chosen.contains(&index) {
                Decision::Link
            } else if failed.contains_key(&index) {
                Decision::DoesNotFit
            } else if let Some((module, with)) = is_left_out(index).then(|| taken.clash(kmp)).flatten() {
                Decision::Clash { module, with }
            } else if let Some(by) = holder.get(kmp.package) {
                Decision::Superseded(*by)
            } else {
                Decision::DoesNotFit
            };
            let verdict = match &decision {
                Decision::OtherFlavour => Vec::new(),
                Decision::Native => self.native_verdicts(kmp, index, &of_natives),
                Decision::Link => verdicts.kmps.remove(&index).unwrap_or_default(),
                Decision::DoesNotFit => {
                    let known = failed.remove(&index);
                    known.unwrap_or_else(|| beside.why_left_out(index))
                }
                _ => beside.instead(index),
            };
            let decision = match decision {
                Decision::DoesNotFit if is_unknown(&verdict) => Decision::Unknown,
                decision => decision,
            };
            if decision == Decision::Link {
                for module in &kmp.modules {
                    plan.links.insert(module.link.clone(), (module.target.clone(), index));
                }
            }
            plan.decisions.push(decision);
            plan.verdicts.push(verdict);
        }
        plan.natives = verdicts.natives;
        plan
    }

    fn is_native(&self, kmp: &Kmp<'_>) -> bool {
        kmp.origin == self.kernel.release
    }

    /// What failed for the sake of others that may have given way themselves since.
    fn failed_for_others(
        kmps: &List<KmpId, Kmp<'_>>,
        all: &All<'_>,
        native_package: &HashMap<&str, KmpId>,
        failed: &HashMap<KmpId, Vec<Verdict>>,
    ) -> Vec<KmpId> {
        let mut again: Vec<KmpId> = failed
            .iter()
            .filter(|(k, _)| !native_package.contains_key(kmps[**k].package))
            .filter(|(k, verdicts)| {
                let mut each = kmps[**k].modules.iter().zip(*verdicts);
                each.all(|(m, v)| v.reasons.iter().all(|r| all.may_settle(m, r)))
            })
            .map(|(k, _)| *k)
            .collect();
        again.sort_unstable();
        again
    }

    /// Tries again what failed for the sake of others: it is taken where it fits beside all that is chosen, or in place of an
    /// older version.
    fn take_back(
        &self,
        kmps: &List<KmpId, Kmp<'_>>,
        groups: &Groups,
        again: Vec<KmpId>,
        chosen: &mut Vec<KmpId>,
        verdicts: &mut Judged,
        failed: &mut HashMap<KmpId, Vec<Verdict>>,
    ) {
        let left = Allowance::of(self, kmps);
        let mut all = groups.sorted(chosen.iter().copied());
        for (group, again) in groups.sorted(again) {
            let natives = groups.natives(group);
            let chosen = all.entry(group).or_default();
            let mut at = 0;
            while let Some(index) = again.get(at).copied() {
                at += 1;
                if !left.take(natives.len() + modules(kmps, chosen.iter().chain([&index]))) {
                    break;
                }
                let Some(set) = with(kmps, chosen, index) else { continue };
                let judged = self.judge_with(kmps, natives, &set);
                if judged.kmps.values().flatten().all(Verdict::fits) {
                    chosen.iter().for_each(|k| drop(verdicts.kmps.remove(k)));
                    verdicts.kmps.extend(judged.kmps);
                    natives
                        .iter()
                        .zip(judged.natives)
                        .for_each(|(n, verdict)| verdicts.natives[*n] = verdict);
                    let package = kmps[index].package;
                    let versions = kmps.ids().skip(index.place()).take_while(|k| kmps[*k].package == package);
                    versions.for_each(|k| drop(failed.remove(&k)));
                    *chosen = set;
                    // Others may need it.
                    at = 0;
                }
            }
        }
        *chosen = all.into_values().flatten().collect();
        chosen.sort_unstable();
    }

    fn declined(&self, kmp: &Kmp<'_>) -> Option<String> {
        kmp.wish.against(&self.kernel.release)
    }

    fn may_be_linked(&self, kmp: &Kmp<'_>) -> bool {
        kmp.broken.is_none()
            && self.declined(kmp).is_none()
            && !self.held.packages.contains(kmp.package)
            && !kmp.modules.is_empty()
            && !self.is_native(kmp)
            && serves(kmp.flavour, &self.kernel.release)
    }

    /// Names that no package can have: those of the kernel's own modules, and of somebody's files.
    fn taken(&self) -> Taken<'_> {
        let foreign = self.foreign.iter().map(|(name, what)| (&**name, what.as_str()));
        let own = self.own_natives();
        let natives = self.natives.iter().enumerate().map(|(at, native)| {
            (native.name, if at < own { "the kernel's own module" } else { "a link that stays as it is" })
        });
        // What is foreign is said in more words.
        Taken(natives.chain(foreign).map(|(name, with)| (name, (with.into(), None))).collect())
    }

    /// The newest version of each package that has not failed and takes no other's module names.
    fn choose<'k>(
        &'k self,
        kmps: &'k List<KmpId, Kmp<'_>>,
        native_package: &HashMap<&str, KmpId>,
        failed: &HashMap<KmpId, Vec<Verdict>>,
    ) -> Vec<KmpId> {
        let mut taken = self.taken();
        let mut chosen = Vec::new();
        let mut served: HashSet<&str> = native_package.keys().copied().collect();
        for (index, kmp) in kmps.each() {
            if served.contains(kmp.package) || failed.contains_key(&index) || !self.may_be_linked(kmp) {
                continue;
            }
            if taken.clash(kmp).is_none() {
                taken.take(kmp);
                served.insert(kmp.package);
                chosen.push(index);
            }
        }
        chosen
    }
}

/// `chosen` with the KMP `index`, which may take an older version's place; `None` where a newer one is chosen or names clash.
fn with(kmps: &List<KmpId, Kmp<'_>>, chosen: &[KmpId], index: KmpId) -> Option<Vec<KmpId>> {
    let kmp = &kmps[index];
    if chosen.iter().any(|c| kmps[*c].package == kmp.package && *c <= index) {
        return None;
    }
    let own: HashSet<&str> = kmp.modules.iter().map(|m| m.name).collect();
    let mut set: Vec<KmpId> = chosen.iter().copied().filter(|c| kmps[*c].package != kmp.package).collect();
    if set.iter().flat_map(|c| &kmps[*c].modules).any(|m| own.contains(m.name)) {
        return None;
    }
    set.push(index);
    set.sort_unstable();
    Some(set)
}
