// SPDX-License-Identifier: LGPL-2.1-or-later
//! One search: branch and bound over the packages of a group. Pure.

use std::collections::{HashMap, HashSet};

use super::Search;
use crate::abi::Reason;
use crate::abi::rule::Kind;
use crate::ids::KmpId;

/// Sets that are judged for one group at most. Groups that occur need some dozens; a set of real drivers takes well
/// below a millisecond.
pub(super) const MAX_JUDGED: usize = 4_000;

/// Partial choices that are looked at for one group at most.
pub(super) const MAX_NODES: usize = 200_000;

/// What a choice is worth: less is better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    /// Packages that are not served.
    unserved: usize,
    /// How many versions the chosen ones are behind the newest, in all.
    behind: usize,
    /// By package name: how far behind; `usize::MAX`: not served.
    each: Vec<usize>,
}

/// One package of a group.
pub(super) struct Variable {
    /// Its versions that may fit in some set, newest first: indices into the list of KMPs, and how many versions each is
    /// behind the newest.
    pub domain: Vec<(KmpId, usize)>,
    /// The packages of the group that can matter to whether a version of this one fits, itself included.
    pub beside: Vec<usize>,
}

/// One search: the choice so far, and the best one.
pub(super) struct Run<'r> {
    search: &'r Search<'r>,
    variables: &'r [Variable],
    /// In which order packages are chosen for: each next to those before it.
    order: Vec<usize>,
    /// At each depth, the packages of which all that matters is chosen then.
    settled: Vec<Vec<usize>>,
    choice: Vec<Option<(KmpId, usize)>>,
    pub best: (Cost, Vec<Option<KmpId>>),
    /// By package, and the choice of all that matters to it: does it fit there?
    known: HashMap<(usize, Vec<Option<KmpId>>), bool>,
    judged: usize,
    nodes: usize,
}

impl<'r> Run<'r> {
    pub(super) fn new(
        search: &'r Search<'r>,
        variables: &'r [Variable],
        greedy: &HashSet<KmpId>,
        judged: usize,
    ) -> Self {
        let order = order(variables);
        let mut depth_of = vec![0; variables.len()];
        order.iter().enumerate().for_each(|(depth, v)| depth_of[*v] = depth);
        let mut settled = vec![Vec::new(); variables.len()];
        for (at, variable) in variables.iter().enumerate() {
            let last = variable.beside.iter().map(|v| depth_of[*v]).max().unwrap_or(depth_of[at]);
            settled[last].push(at);
        }
        let start: Vec<Option<(KmpId, usize)>> = variables
            .iter()
            .map(|v| v.domain.iter().copied().find(|(kmp, _)| greedy.contains(kmp)))
            .collect();
        let best = (cost(&start), start.iter().map(|c| c.map(|(kmp, _)| kmp)).collect());
        let choice = vec![None; variables.len()];
        Self { search, variables, order, settled, choice, best, known: HashMap::new(), judged, nodes: 0 }
    }

    pub(super) fn is_cut_short(&self) -> bool {
        self.judged >= MAX_JUDGED || self.nodes >= MAX_NODES
    }

    pub(super) fn descend(&mut self, depth: usize) {
        self.nodes += 1;
        let Some(&at) = self.order.get(depth) else {
            let cost = cost(&self.choice);
            if cost < self.best.0 {
                self.best = (cost, self.choice.iter().map(|c| c.map(|(kmp, _)| kmp)).collect());
            }
            return;
        };
        let variables = self.variables;
        for choice in variables[at].domain.iter().copied().map(Some).chain([None]) {
            if self.is_cut_short() {
                return;
            }
            self.choice[at] = choice;
            if self.may_be_better(depth) && !self.clashes(depth) && self.settles(depth) {
                self.descend(depth + 1);
            }
        }
        self.choice[at] = None;
    }

    /// Could the rest make it better than the best one, or as good?
    fn may_be_better(&self, depth: usize) -> bool {
        let made = self.order[..=depth].iter().map(|v| self.choice[*v]);
        let (mut unserved, mut behind) = (0, 0);
        for choice in made {
            match choice {
                Some((_, steps)) => behind += steps,
                None => unserved += 1,
            }
        }
        (unserved, behind) <= (self.best.0.unserved, self.best.0.behind)
    }

    /// Has the package that was chosen for last a module of a name that another one has?
    fn clashes(&self, depth: usize) -> bool {
        let kmps = self.search.kmps;
        let Some((last, _)) = self.choice[self.order[depth]] else { return false };
        let before = self.order[..depth].iter().filter_map(|v| self.choice[*v]);
        let mut others = before.flat_map(|(kmp, _)| &kmps[kmp].modules);
        others.any(|other| kmps[last].modules.iter().any(|m| m.name == other.name))
    }

    /// Do those fit of which all that matters is chosen?
    fn settles(&mut self, depth: usize) -> bool {
        let settled = std::mem::take(&mut self.settled[depth]);
        let fit = settled.iter().all(|at| self.fits(*at));
        self.settled[depth] = settled;
        fit
    }

    fn fits(&mut self, at: usize) -> bool {
        let Some((kmp, _)) = self.choice[at] else { return true };
        let chosen: Vec<Option<KmpId>> =
            self.variables[at].beside.iter().map(|v| self.choice[*v].map(|(kmp, _)| kmp)).collect();
        let key = (at, chosen);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.judged += 1;
        let kmps = self.search.kmps;
        let mut set: Vec<KmpId> = key.1.iter().copied().flatten().collect();
        set.sort_unstable();
        let Some(verdicts) = self.search.judge(&set, kmp) else {
            self.judged = MAX_JUDGED;
            return false;
        };
        let chosen: HashSet<&str> = set.iter().flat_map(|k| &kmps[*k].modules).map(|m| m.name).collect();
        // What it needs of another package is judged with that package.
        let counts = |reason: &Reason| {
            reason.rule.kind() != Kind::OtherModule
                || !chosen.contains(reason.exporter.as_deref().unwrap_or_default())
        };
        let fits = !verdicts.iter().flat_map(|v| &v.reasons).any(counts);
        self.known.insert(key, fits);
        fits
    }
}

fn cost(choice: &[Option<(KmpId, usize)>]) -> Cost {
    Cost {
        unserved: choice.iter().filter(|c| c.is_none()).count(),
        behind: choice.iter().flatten().map(|(_, steps)| steps).sum(),
        each: choice.iter().map(|c| c.map_or(usize::MAX, |(_, steps)| steps)).collect(),
    }
}

/// Each package next to as many as possible of those that matter to it, so that what does not fit shows early.
fn order(variables: &[Variable]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(variables.len());
    let mut placed = vec![0_usize; variables.len()];
    let mut left: Vec<usize> = (0..variables.len()).collect();
    while !left.is_empty() {
        let best = (0..left.len()).max_by_key(|i| (placed[left[*i]], usize::MAX - left[*i])).unwrap_or(0);
        let next = left.swap_remove(best);
        variables[next].beside.iter().for_each(|v| placed[*v] += 1);
        order.push(next);
    }
    order
}
