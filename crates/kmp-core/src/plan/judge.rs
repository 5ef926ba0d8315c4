// SPDX-License-Identifier: LGPL-2.1-or-later
//! Judges sets of modules in a kernel. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::{Kmp, Site};
use crate::abi::{Candidate, Module, ModuleFault, Reason, Role, Rule, Verdict, World};
use crate::ids::{KmpId, List};
use kmp_steps as steps;

pub(super) struct Judged {
    pub natives: Vec<Verdict>,
    pub kmps: HashMap<KmpId, Vec<Verdict>>,
}

impl Site<'_> {
    /// Judges the modules of KMPs with all of the kernel's own.
    pub(super) fn judge(&self, kmps: &List<KmpId, Kmp<'_>>, chosen: &[KmpId]) -> Judged {
        self.judge_with(kmps, &(0..self.natives.len()).collect::<Vec<_>>(), chosen)
    }

    /// Judges the modules of KMPs with some of the kernel's own.
    pub(super) fn judge_with(
        &self,
        kmps: &List<KmpId, Kmp<'_>>,
        natives: &[usize],
        chosen: &[KmpId],
    ) -> Judged {
        let own = natives.iter().map(|n| &self.natives[*n]).map(|n| (n.name, n.module));
        let linked = chosen.iter().flat_map(|k| kmps[*k].modules.iter().map(|m| (m.name, m.module)));
        let mut verdicts = self.judge_modules(own.chain(linked)).into_iter();
        let natives = verdicts.by_ref().take(natives.len()).collect();
        let of_kmp = |k: &KmpId| {
            let mut own = verdicts.by_ref().take(kmps[*k].modules.len()).collect::<Vec<_>>();
            self.weigh_breaks(&mut own);
            kmps[*k].add_unread(&mut own);
            (*k, own)
        };
        Judged { natives, kmps: chosen.iter().map(of_kmp).collect() }
    }

    /// Whether what KMPs break is a reason against linking them.
    pub(super) fn weigh_breaks(&self, verdicts: &mut [Verdict]) {
        if self.spares_in_tree {
            verdicts.iter_mut().for_each(Verdict::refuse_breaks);
        }
    }

    /// How many of the natives are not held links.
    pub(super) fn own_natives(&self) -> usize {
        self.natives.len() - self.held.beside
    }

    /// Judges modules together in this kernel, in-tree users of what they replace included.
    pub fn judge_modules<'m>(
        &self,
        modules: impl Iterator<Item = (&'m str, Result<&'m Module, &'m ModuleFault>)>,
    ) -> Vec<Verdict> {
        self.judge_from(&modules.collect::<Vec<_>>(), 0)
    }

    /// The verdicts on `modules` but the first `skip`, which are only beside them.
    pub(super) fn judge_from<'m>(
        &self,
        modules: &[(&'m str, Result<&'m Module, &'m ModuleFault>)],
        skip: usize,
    ) -> Vec<Verdict> {
        if let Some(why) = &self.held.kernel {
            return modules.iter().skip(skip).map(|_| Verdict::unknown(why)).collect();
        }
        let (world, places) = self.world(modules);
        let mut verdicts = world.judge_only(places[skip..].iter().copied().flatten());
        let wanted = places.iter().zip(modules).skip(skip);
        wanted
            .map(|(place, (_, module))| match (place, module) {
                (Some(at), _) => std::mem::take(&mut verdicts[*at]),
                (None, Err(why)) => Verdict::of_fault(why),
                (None, Ok(_)) => Verdict::default(),
            })
            .collect()
    }

    /// The world in which `modules` are judged, and where each of them is in its set; unreadable modules
    /// are in none.
    pub fn world<'m>(
        &'m self,
        modules: &[(&'m str, Result<&'m Module, &'m ModuleFault>)],
    ) -> (World<'m>, Vec<Option<usize>>) {
        steps::count(modules.len());
        let natives: HashSet<&str> = self.natives[..self.own_natives()].iter().map(|n| n.name).collect();
        let mut set = Vec::with_capacity(modules.len());
        let mut places = Vec::with_capacity(modules.len());
        for (name, module) in modules {
            places.push(module.is_ok().then_some(set.len()));
            if let Ok(module) = module {
                let is_inert = self.inert.contains(name) && !natives.contains(name);
                let role = if is_inert { Role::Inert } else { Role::Judged };
                set.push(Candidate { name, module, role });
            }
        }
        let mut names: HashSet<&str> = set.iter().map(|c| c.name).collect();
        let replacing: Vec<&str> = set.iter().filter(|c| c.role == Role::Judged).map(|c| c.name).collect();
        for name in replacing {
            for (user, module) in self.users.get(name).into_iter().flatten() {
                if names.insert(user) {
                    set.push(Candidate { name: user, module, role: Role::InTreeUser });
                }
            }
        }
        if self.held.incomplete {
            set.push(Candidate { name: "", module: unread(), role: Role::Unread });
        }
        (World::new(self.kernel, self.in_tree, set), places)
    }

    /// `of_natives`: by package and name, so that many packages do not each go through all of the kernel's own modules.
    pub(super) fn native_verdicts(
        &self,
        kmp: &Kmp<'_>,
        index: KmpId,
        of_natives: &HashMap<(KmpId, &str), &Verdict>,
    ) -> Vec<Verdict> {
        let unseen = || self.held.kernel.as_ref().map_or_else(Verdict::default, Verdict::unknown);
        let mut verdicts: Vec<Verdict> = kmp
            .modules
            .iter()
            .map(|m| of_natives.get(&(index, m.name)).map_or_else(unseen, |v| (*v).clone()))
            .collect();
        kmp.add_unread(&mut verdicts);
        verdicts
    }
}

impl Kmp<'_> {
    /// Where not all of it was found, nothing is known of what was, unless that is refused.
    pub(super) fn add_unread(&self, verdicts: &mut [Verdict]) {
        if let Some(why) = self.unread {
            verdicts.iter_mut().for_each(|v| v.reasons.push(Reason::new(Rule::Unread, why)));
        }
    }
}

/// A module about which nothing is known.
fn unread() -> &'static Module {
    static UNREAD: OnceLock<Module> = OnceLock::new();
    UNREAD.get_or_init(|| Module::declared([], []))
}

/// How many modules some KMPs have.
pub(super) fn modules<'k>(kmps: &List<KmpId, Kmp<'_>>, of: impl IntoIterator<Item = &'k KmpId>) -> usize {
    of.into_iter().map(|k| kmps[*k].modules.len()).sum()
}
