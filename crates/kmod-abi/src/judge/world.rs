// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel with a set of modules, and which of them exports which symbol.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::exports::sees;
use super::rule::{Kind, Rule};
use super::symbol::Licence;
use super::{Reason, Verdict, Warning};
use crate::{Crcs, Export, Feature, Kernel, Module, Offer, name};
use kmp_steps as steps;

/// The part of a module in a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is judged, and replaces an in-tree module of its name.
    Judged,
    /// It is judged, but the in-tree module of its name is the one that is loaded, so others cannot use its exports.
    Inert,
    /// An in-tree module that imports symbols of a replaced module. If it no longer loads, the replacement breaks it.
    InTreeUser,
    /// It stands for modules that could not be read: they may export what nothing else does.
    Unread,
}

/// A module in a [`World`].
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The module's name from the name of its file, with `_` for `-`, as for modprobe and depmod.
    pub name: &'a str,
    /// Its contents.
    pub module: &'a Module,
    /// Why it is in the set.
    pub role: Role,
}

/// A kernel with its in-tree modules, and a set of modules that are added to them or replace some of them.
///
/// If two modules of the set export the same symbol, the first one wins, as the one that is loaded first does in the
/// kernel.
#[derive(Debug)]
pub struct World<'a> {
    pub(super) kernel: &'a Kernel,
    /// Of the kernel: asked for each symbol, found once.
    pub(super) has_modversions: bool,
    pub(super) in_tree: Option<&'a HashSet<Box<str>>>,
    pub(super) set: Vec<Candidate<'a>>,
    pub(super) by_name: HashMap<&'a str, usize>,
    pub(super) offers: HashMap<&'a str, (usize, &'a Offer)>,
    /// Proprietary, or a user of a proprietary module's symbols.
    pub(super) tainted: Vec<bool>,
    /// How many modules of the set are known by their package's dependencies only.
    pub(super) declared: usize,
    /// Could some modules that may be there not be read?
    pub(super) has_unread: bool,
}

/// For each module of the set those that it uses symbols of.
pub(super) type Uses<'w> = Vec<BTreeMap<usize, Used<'w>>>;

/// How a module uses another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used<'w> {
    /// The first symbol, of those that must be there where there is one.
    pub symbol: &'w str,
    /// Can it do without?
    pub weak: bool,
}

/// Who offers a symbol.
pub(super) enum Provider<'w> {
    Kernel(Export<'w>),
    Candidate(usize, &'w Offer),
    /// An in-tree exporter that is not there: replaced by a candidate, or not installed.
    Gone(Export<'w>, Option<usize>),
    Nobody,
}

impl<'a> World<'a> {
    /// Makes a world. `in_tree` has the names (with `_` for `-`) of the in-tree modules that are installed; `None`: every
    /// exporter in the kernel's table is.
    pub fn new(kernel: &'a Kernel, in_tree: Option<&'a HashSet<Box<str>>>, set: Vec<Candidate<'a>>) -> Self {
        let mut by_name = HashMap::new();
        let mut offers = HashMap::new();
        for (i, candidate) in set.iter().enumerate() {
            // Of two files with one name only the first is ever loaded.
            if candidate.role == Role::Inert || *by_name.entry(candidate.name).or_insert(i) != i {
                continue;
            }
            let seen = |offer: &&Offer| !offer.is_misplaced && sees(kernel, candidate.module, offer);
            for offer in candidate.module.offers.iter().filter(seen) {
                offers.entry(&*offer.symbol).or_insert((i, offer));
            }
        }
        let has_unread = set.iter().any(|c| c.role == Role::Unread);
        let declared = set.iter().filter(|c| c.module.is_declared && c.role != Role::Unread).count();
        let mut world = Self {
            kernel,
            has_modversions: kernel.has_modversions(),
            in_tree,
            set,
            by_name,
            offers,
            tainted: Vec::new(),
            declared,
            has_unread,
        };
        world.tainted = world.taints();
        world
    }

    /// The verdict on each module of the set, in its order.
    pub fn judge(&self) -> Vec<Verdict> {
        self.judge_those((0..self.set.len()).collect())
    }

    /// The verdicts on the modules of the set that are `wanted` and on those that they depend on; the other verdicts are
    /// empty.
    pub fn judge_only(&self, wanted: impl IntoIterator<Item = usize>) -> Vec<Verdict> {
        // Whom an in-tree user blames shows only when the user is judged.
        let users = (0..self.set.len()).filter(|i| self.set[*i].role == Role::InTreeUser);
        self.judge_those(wanted.into_iter().chain(users).collect())
    }

    fn judge_those(&self, mut pending: VecDeque<usize>) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::default(); self.set.len()];
        let mut providers: Uses<'_> = vec![BTreeMap::new(); self.set.len()];
        let mut broken: Vec<(usize, usize, Reason)> = Vec::new();
        let mut seen = vec![false; self.set.len()];
        while let Some(i) = pending.pop_front() {
            if std::mem::replace(&mut seen[i], true) {
                continue;
            }
            let candidate = &self.set[i];
            if candidate.role == Role::Unread {
                continue;
            }
            let mut reasons = self.whole_module(candidate.module);
            reasons.extend(self.built_in(candidate));
            let uses = &mut providers[i];
            let mut licence = Licence::default();
            for need in &candidate.module.needs {
                let provider = self.provider(&need.symbol);
                let reason = self.symbol(i, need, &provider, &mut licence);
                let culprit = match provider {
                    Provider::Candidate(p, _) => {
                        let used = Used { symbol: &need.symbol, weak: need.weak };
                        let known = uses.entry(p).or_insert(used);
                        if known.weak && !need.weak {
                            *known = used;
                        }
                        Some(p)
                    }
                    Provider::Gone(_, by) => by,
                    _ => None,
                };
                if let (Role::InTreeUser, Some(p), Some(reason)) = (candidate.role, culprit, &reason)
                    && self.set[p].role == Role::Judged
                    && reason.rule.kind() != Kind::Unknown
                {
                    broken.push((i, p, reason.clone()));
                }
                reasons.extend(reason);
            }
            // What shuts a GPL module out of GPL-only symbols is the taint that it inherits.
            if candidate.role == Role::InTreeUser
                && candidate.module.is_gpl()
                && let Some(reason) = reasons.iter().find(|r| r.rule == Rule::License)
            {
                let culprits =
                    uses.keys().filter(|p| self.tainted[**p] && self.set[**p].role == Role::Judged);
                broken.extend(culprits.map(|p| (i, *p, reason.clone())));
            }
            let key = self.key(candidate.module);
            let mut warnings: Vec<Warning> =
                self.key_warning(candidate.module, key.as_ref()).into_iter().collect();
            warnings.extend(self.btf_warning(candidate.module));
            warnings.extend(self.support_warning(candidate.module));
            self.exports(i, &mut reasons, &mut warnings);
            verdicts[i] = Verdict { reasons, warnings, key };
            pending.extend(uses.keys());
        }
        broken.sort_by_key(|(user, ..)| *user);
        for (user, p, reason) in broken {
            let user = self.set[user].name;
            let warnings = &mut verdicts[p].warnings;
            if !warnings.iter().any(|w| matches!(w, Warning::Breaks { user: known, .. } if **known == *user))
            {
                warnings.push(Warning::Breaks { user: user.into(), reason });
            }
        }
        let cycles = self.cycles(&mut verdicts, &providers);
        self.close(&mut verdicts, &providers, &cycles);
        self.warn_of_weak(&mut verdicts, &providers);
        verdicts
    }

    /// Which module of the set, or of the kernel, does the loader find `symbol` in?
    pub(super) fn provider(&self, symbol: &str) -> Provider<'_> {
        steps::count(1);
        let known = self.kernel.symbols.get(symbol);
        if let Some(export) = known
            && export.is_builtin()
        {
            return Provider::Kernel(export);
        }
        if let Some((index, offer)) = self.offers.get(symbol) {
            return Provider::Candidate(*index, offer);
        }
        match known {
            None => Provider::Nobody,
            Some(export) => match self.in_tree_exporter(&export) {
                None => Provider::Kernel(export),
                Some(replaced_by) => Provider::Gone(export, replaced_by),
            },
        }
    }

    /// `None`: the in-tree module that exports it is there. Else who replaces it, if anybody.
    pub(super) fn in_tree_exporter(&self, export: &Export<'_>) -> Option<Option<usize>> {
        let name = name::of_exporter(export.exporter);
        if let Some(index) = self.by_name.get(name.as_str()) {
            return Some(Some(*index));
        }
        match self.in_tree {
            Some(there) if !there.contains(name.as_str()) => Some(None),
            _ => None,
        }
    }

    /// Is the module's record of versions one that this kernel reads?
    pub(super) fn versions_count(&self, module: &Module) -> bool {
        module.has_versions || (module.has_extended_versions && self.kernel.has(Feature::ExtendedVersions))
    }

    /// Has the record of a version that this kernel reads too many bits to equal any?
    pub(super) fn is_overlong(&self, module: &Module, crcs: Crcs) -> bool {
        let reads_basic = !(module.has_extended_versions && self.kernel.has(Feature::ExtendedVersions));
        reads_basic && crcs.is_overlong
    }

    pub(super) fn wanted(&self, module: &Module, crcs: Crcs) -> Option<u32> {
        if module.has_extended_versions && self.kernel.has(Feature::ExtendedVersions) {
            crcs.extended
        } else {
            crcs.basic
        }
    }
}
