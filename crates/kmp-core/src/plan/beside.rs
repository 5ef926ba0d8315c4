// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages in groups that have nothing to do with each other, so that what is judged again and again, one package after the other,
//! is judged beside its own group only.
//!
//! There may be thousands of packages to be judged so, superseded versions above all. Where they are all of one group the judging is
//! bounded.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::judge::modules;
use super::{Kmp, Site};
use crate::abi::{Module, ModuleFault, Reason, Verdict, name};
use crate::ids::{KmpId, List};
use crate::union_find;
use kmp_steps as steps;

/// How many modules are judged again at least, however few there are in all.
const LEAST: usize = 200_000;

/// How many modules are judged again for each module that there is.
const EACH: usize = 64;

/// How many modules may still be judged again.
#[derive(Debug)]
pub(super) struct Allowance(Cell<usize>);

impl Allowance {
    pub(super) fn of(site: &Site<'_>, kmps: &List<KmpId, Kmp<'_>>) -> Self {
        let all = site.natives.len() + kmps.iter().map(|k| k.modules.len()).sum::<usize>();
        Self(Cell::new(LEAST.max(all * EACH)))
    }

    /// May so many be judged?
    pub(super) fn take(&self, modules: usize) -> bool {
        let left = self.0.get().checked_sub(modules);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Groups of KMPs and of a kernel's own modules: no verdict in one depends on what is there of another.
#[derive(Debug)]
pub(super) struct Groups {
    /// By their number.
    kmps: List<KmpId, usize>,
    /// The kernel's own modules of each group.
    natives: HashMap<usize, Vec<usize>>,
}

impl Groups {
    /// What ties packages together: a package's or a module's name, a symbol that one of them exports, an in-tree module that one
    /// of them replaces and whose exports another needs.
    pub(super) fn of(site: &Site<'_>, kmps: &List<KmpId, Kmp<'_>>) -> Self {
        let mut groups = union_find::Groups::default();
        let mut modules: Vec<(usize, &str, Option<&Module>)> = Vec::new();
        let mut packages: HashMap<&str, usize> = HashMap::new();
        for kmp in kmps {
            let number = groups.add();
            groups.join(number, *packages.entry(kmp.package).or_insert(number));
            modules.extend(kmp.modules.iter().map(|m| (number, m.name, m.module.ok())));
        }
        let natives: Vec<usize> = site.natives.iter().map(|_| groups.add()).collect();
        modules.extend(
            natives.iter().zip(&site.natives).map(|(n, native)| (*n, native.name, native.module.ok())),
        );
        for (replaced, users) in &site.users {
            let number = groups.add();
            modules.push((number, replaced, None));
            modules.extend(users.iter().map(|(user, module)| (number, *user, Some(*module))));
        }
        let (mut names, mut offers): (HashMap<&str, usize>, HashMap<&str, usize>) = Default::default();
        for (number, name, module) in &modules {
            groups.join(*number, *names.entry(name).or_insert(*number));
            for offer in module.iter().flat_map(|m| &m.offers) {
                groups.join(*number, *offers.entry(&offer.symbol).or_insert(*number));
            }
        }
        for (number, _, module) in &modules {
            let Some(module) = module else { continue };
            let needs = module.needs.iter().map(|n| &*n.symbol);
            for symbol in needs.chain(module.offers.iter().map(|o| &*o.symbol)) {
                steps::count(1);
                if let Some(by) = offers.get(symbol) {
                    groups.join(*number, *by);
                }
                if let Some(export) = site.kernel.symbols.get(symbol).filter(|e| !e.is_builtin())
                    && let Some(by) = names.get(name::of_exporter(export.exporter).as_str())
                {
                    groups.join(*number, *by);
                }
            }
        }
        // What a module of which only symbols are known exports is not known: any other may need it.
        if modules.iter().any(|(.., module)| module.is_some_and(|m| m.is_declared)) {
            modules.iter().for_each(|(number, ..)| groups.join(*number, modules[0].0));
        }
        let mut by_group: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, number) in natives.into_iter().enumerate() {
            by_group.entry(groups.group_of(number)).or_default().push(place);
        }
        Self { kmps: (0..kmps.len()).map(|k| groups.group_of(k)).collect(), natives: by_group }
    }

    /// The group of a KMP.
    pub(super) fn of_kmp(&self, kmp: KmpId) -> usize {
        self.kmps[kmp]
    }

    /// The kernel's own modules in a group.
    pub(super) fn natives(&self, group: usize) -> &[usize] {
        self.natives.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Some KMPs, group by group, in their order.
    pub(super) fn sorted(&self, kmps: impl IntoIterator<Item = KmpId>) -> BTreeMap<usize, Vec<KmpId>> {
        let mut groups: BTreeMap<usize, Vec<KmpId>> = BTreeMap::new();
        for kmp in kmps {
            groups.entry(self.kmps[kmp]).or_default().push(kmp);
        }
        groups
    }
}

/// The modules that a kernel has or is to have, to judge others beside them.
#[expect(missing_debug_implementations, reason = "an index of what others show")]
pub struct Beside<'s> {
    site: &'s Site<'s>,
    kmps: &'s List<KmpId, Kmp<'s>>,
    chosen: Vec<KmpId>,
    /// The groups, once they are needed by whoever it is.
    groups: Rc<OnceCell<Groups>>,
    /// What is chosen of each.
    sorted: OnceCell<BTreeMap<usize, Vec<KmpId>>>,
    left: Allowance,
}

impl<'s> Site<'s> {
    /// To judge KMPs beside this kernel's own modules and those of the KMPs `chosen`.
    pub fn beside(&'s self, kmps: &'s List<KmpId, Kmp<'s>>, chosen: &[KmpId]) -> Beside<'s> {
        self.beside_in(kmps, chosen, Rc::default())
    }

    /// The same, where the groups of all these KMPs may be known.
    pub(super) fn beside_in(
        &'s self,
        kmps: &'s List<KmpId, Kmp<'s>>,
        chosen: &[KmpId],
        groups: Rc<OnceCell<Groups>>,
    ) -> Beside<'s> {
        let (left, sorted) = (Allowance::of(self, kmps), OnceCell::new());
        Beside { site: self, kmps, chosen: chosen.to_vec(), groups, sorted, left }
    }
}

impl Beside<'_> {
    /// The verdicts on the modules of `kmp` as if it took its package's place, or were added. For kernels that it is not planned
    /// for (another flavour), too. Empty, which stands for not judged, where thousands of packages are so entangled that judging
    /// each of them would take time without bound.
    pub fn instead(&self, kmp: KmpId) -> Vec<Verdict> {
        let own = &self.kmps[kmp];
        let names: HashSet<&str> = own.modules.iter().map(|m| m.name).collect();
        let (natives, chosen) = self.group(kmp);
        let natives = natives.iter().map(|n| &self.site.natives[*n]);
        let mut modules: Vec<(&str, Result<&Module, &ModuleFault>)> =
            natives.map(|n| (n.name, n.module)).collect();
        for other in chosen.iter().map(|k| &self.kmps[*k]) {
            if other.package != own.package && !other.modules.iter().any(|m| names.contains(m.name)) {
                modules.extend(other.modules.iter().map(|m| (m.name, m.module)));
            }
        }
        let first = modules.len();
        modules.extend(own.modules.iter().map(|m| (m.name, m.module)));
        if !self.left.take(modules.len()) {
            return Vec::new();
        }
        let mut verdicts = self.site.judge_from(&modules, first);
        self.site.weigh_breaks(&mut verdicts);
        own.add_unread(&mut verdicts);
        verdicts
    }

    /// The verdicts on `kmp`, which would load beside what is chosen: it is left out because another one would then not.
    pub(super) fn why_left_out(&self, kmp: KmpId) -> Vec<Verdict> {
        let mut verdicts = self.instead(kmp);
        let (natives, chosen) = self.group(kmp);
        let set: BTreeSet<KmpId> = chosen.iter().copied().chain([kmp]).collect();
        if verdicts.iter().all(Verdict::fits) && self.left.take(natives.len() + modules(self.kmps, &set)) {
            let set: Vec<KmpId> = set.into_iter().collect();
            let mut judged = self.site.judge_with(self.kmps, natives, &set);
            let others = chosen
                .iter()
                .flat_map(|c| self.kmps[*c].modules.iter().zip(judged.kmps.remove(c).unwrap_or_default()));
            let mut reasons = others.flat_map(|(m, v)| v.reasons.into_iter().map(|r| (m.name, r)));
            if let (Some((name, reason)), Some(first)) = (reasons.next(), verdicts.first_mut()) {
                let detail = format!("beside it {name} would not load: {}", reason.detail);
                first.reasons.push(Reason { detail, ..reason });
            }
        }
        verdicts
    }

    /// The kernel's own modules and the chosen KMPs of the group of `kmp`.
    fn group(&self, kmp: KmpId) -> (&[usize], &[KmpId]) {
        let groups = self.groups.get_or_init(|| Groups::of(self.site, self.kmps));
        let chosen = self.sorted.get_or_init(|| groups.sorted(self.chosen.iter().copied()));
        let group = groups.of_kmp(kmp);
        (groups.natives(group), chosen.get(&group).map_or(&[], Vec::as_slice))
    }
}
