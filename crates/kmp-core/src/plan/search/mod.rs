// SPDX-License-Identifier: LGPL-2.1-or-later
//! The best choice among versions, where the greedy one may have lost a driver. Pure.
//!
//! Greedy gives way only where something fails: an exporter that fits never steps down, though a user may need its
//! older version. Here the packages are split into groups that can matter to each other, and in each group that is not
//! served by its newest versions a branch and bound search finds the choice that serves most packages, then the one
//! with the newest versions, then (of equals) the one that favours the packages whose names come first.
//!
//! The search is complete up to [`MAX_JUDGED`](run::MAX_JUDGED) and [`MAX_NODES`](run::MAX_NODES); beyond them the best choice found so far, or the
//! greedy one, stands.

mod run;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::all::All;
use super::beside::{Allowance, Groups};
use super::judge::modules;
use super::{Kmp, Site};
use crate::abi::{Feature, Module, Verdict, name};
use crate::ids::{KmpId, List};
use crate::union_find;

use run::{Run, Variable};

/// Packages in one group at most, for it to be searched. Groups that occur have some dozens.
const MAX_GROUP: usize = 256;

/// The kernel and its packages, for the search.
pub(super) struct Search<'s> {
    site: &'s Site<'s>,
    kmps: &'s List<KmpId, Kmp<'s>>,
    all: &'s All<'s>,
    /// Names and exports of the kernel's own third-party modules, and of in-tree users of what may be replaced.
    outside_names: HashSet<&'s str>,
    outside_offers: HashSet<&'s str>,
    /// Which of the kernel's own modules can matter to a KMP.
    near: &'s Groups,
    left: Allowance,
}

impl<'s> Search<'s> {
    pub(super) fn new(
        site: &'s Site<'s>,
        kmps: &'s List<KmpId, Kmp<'s>>,
        all: &'s All<'s>,
        near: &'s Groups,
    ) -> Self {
        let natives = site.natives.iter().filter_map(|n| Some((n.name, n.module.ok()?)));
        let outside: Vec<_> = natives.chain(site.users.values().flatten().copied()).collect();
        let offers = outside.iter().flat_map(|(_, module)| module.offers.iter().map(|o| &*o.symbol));
        Self {
            site,
            kmps,
            all,
            outside_names: outside.iter().map(|(name, _)| *name).collect(),
            outside_offers: offers.collect(),
            near,
            left: Allowance::of(site, kmps),
        }
    }

    /// Is the newest of `candidates` chosen of every package? Then no choice is better.
    pub(super) fn are_newest(kmps: &List<KmpId, Kmp<'_>>, candidates: &[KmpId], chosen: &[KmpId]) -> bool {
        let chosen: HashSet<KmpId> = chosen.iter().copied().collect();
        let mut seen: HashSet<&str> = HashSet::new();
        candidates.iter().all(|kmp| !seen.insert(kmps[*kmp].package) || chosen.contains(kmp))
    }

    /// The best choice, where it is better than the `greedy` one. `candidates` are the KMPs that may be linked, in the
    /// order of the list; `failed` are those that the greedy choice has refused, with the reasons.
    pub(super) fn better(
        &self,
        candidates: &[KmpId],
        greedy: &[KmpId],
        failed: &HashMap<KmpId, Vec<Verdict>>,
    ) -> Option<Vec<KmpId>> {
        let mut versions: BTreeMap<&str, Vec<KmpId>> = BTreeMap::new();
        for &kmp in candidates {
            versions.entry(self.kmps[kmp].package).or_default().push(kmp);
        }
        let is_greedy: HashSet<KmpId> = greedy.iter().copied().collect();
        let may_fit = |kmp: &KmpId| failed.get(kmp).is_none_or(|verdicts| self.may_fit(*kmp, verdicts));
        let live = versions.values().map(|list| list.iter().copied().filter(may_fit).collect::<Vec<_>>());
        let packages: Vec<(&str, Vec<KmpId>)> = versions.keys().copied().zip(live).collect();
        let mut searched: HashSet<&str> = HashSet::new();
        let mut better: Vec<KmpId> = Vec::new();
        let outside = self.outside().into_iter().flatten().collect();
        for group in self.groups(&packages) {
            let is_best = |p: &usize| packages[*p].1.first().is_none_or(|newest| is_greedy.contains(newest));
            if group.len() < 2 || group.len() > MAX_GROUP || group.iter().all(is_best) {
                continue;
            }
            let members: Vec<(&str, &[KmpId])> =
                group.iter().map(|p| (packages[*p].0, versions[packages[*p].0].as_slice())).collect();
            better.extend(self.search(&members, &is_greedy, &outside, failed));
            searched.extend(members.iter().map(|(package, _)| *package));
        }
        let others = greedy.iter().filter(|k| !searched.contains(self.kmps[**k].package));
        let mut chosen: Vec<KmpId> = others.copied().chain(better).collect();
        chosen.sort_unstable();
        if chosen == greedy {
            return None;
        }
        // Whatever the groups may have missed: what is linked fits as a whole, or it is not linked.
        let fits = self.site.judge(self.kmps, &chosen).kmps.values().flatten().all(Verdict::fits);
        if !fits {
            log::debug!("the better choice for kernel {} does not fit as a whole", self.site.kernel.release);
        }
        fits.then_some(chosen)
    }

    /// Can every reason against it be gone in another set?
    fn may_fit(&self, kmp: KmpId, verdicts: &[Verdict]) -> bool {
        let mut each = self.kmps[kmp].modules.iter().zip(verdicts);
        each.all(|(module, verdict)| verdict.reasons.iter().all(|r| self.all.may_settle(module, r)))
    }

    /// Packages (indices into `packages`) that can matter to each other: by a module's name, by a symbol that one exports
    /// and the other needs or exports, directly or by way of the kernel's own third-party modules and of in-tree modules
    /// that are replaced or use what is.
    fn groups(&self, packages: &[(&str, Vec<KmpId>)]) -> Vec<Vec<usize>> {
        let mut links = union_find::Groups::default();
        for _ in packages {
            links.add();
        }
        let mut tokens: HashMap<Token<'_>, usize> = HashMap::new();
        let outside = self.outside();
        for (package, (_, versions)) in packages.iter().enumerate() {
            for token in versions.iter().flat_map(|k| self.tokens(*k)) {
                let first = *tokens.entry(token).or_insert(package);
                links.join(first, package);
            }
        }
        // A module that stays whatever is chosen joins what it touches.
        for node in outside {
            let mut touched = node.iter().filter_map(|token| tokens.get(token).copied());
            if let Some(first) = touched.next() {
                touched.for_each(|other| links.join(first, other));
                node.iter().for_each(|token| {
                    tokens.entry(*token).or_insert(first);
                });
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for package in 0..packages.len() {
            groups.entry(links.group_of(package)).or_default().push(package);
        }
        groups.into_values().collect()
    }

    /// What a KMP has in common with others where they matter to each other.
    fn tokens(&self, kmp: KmpId) -> Vec<Token<'s>> {
        let modules = self.kmps[kmp].modules.iter();
        modules.flat_map(|m| self.tokens_of(m.name, m.module.ok())).collect()
    }

    fn tokens_of(&self, name: &'s str, module: Option<&'s Module>) -> Vec<Token<'s>> {
        let mut tokens = vec![Token::Name(name)];
        let Some(module) = module else { return tokens };
        let mut symbol = |symbol: &'s str| {
            let exporter = self.site.kernel.symbols.get(symbol).map(|e| e.exporter);
            if exporter == Some("vmlinux") {
                return;
            }
            if self.all.offered_by.contains_key(symbol) || self.outside_offers.contains(symbol) {
                tokens.push(Token::Symbol(symbol));
            }
            // Whoever replaces the in-tree exporter decides about the symbol.
            let exporter = exporter.map(name::of_exporter).unwrap_or_default();
            let names = [&self.all.names, &self.outside_names];
            tokens.extend(names.into_iter().find_map(|n| n.get(&*exporter)).map(|name| Token::Name(name)));
        };
        module.needs.iter().for_each(|need| symbol(&need.symbol));
        module.offers.iter().for_each(|offer| symbol(&offer.symbol));
        tokens
    }

    /// Of each module that is there besides the packages (the kernel's own third-party modules, in-tree users of what may
    /// be replaced): what it touches.
    fn outside(&self) -> Vec<Vec<Token<'s>>> {
        let natives = self.site.natives.iter().map(|n| self.tokens_of(n.name, n.module.ok()));
        let users = self.site.users.iter().flat_map(|(replaced, users)| {
            users.iter().map(|(user, module)| {
                let mut tokens = self.tokens_of(user, Some(module));
                tokens.push(Token::Name(replaced));
                tokens
            })
        });
        natives.chain(users).collect()
    }

    /// The best choice for the packages of one group, each with all of its versions.
    fn search(
        &self,
        members: &[(&str, &[KmpId])],
        greedy: &HashSet<KmpId>,
        outside: &HashSet<Token<'_>>,
        failed: &HashMap<KmpId, Vec<Verdict>>,
    ) -> Vec<KmpId> {
        let mut judged = 0;
        let mut may_fit = |kmp: KmpId| {
            failed.get(&kmp).is_none_or(|verdicts| self.may_fit(kmp, verdicts)) && {
                judged += 1;
                self.judge(&[kmp], kmp).is_some_and(|alone| self.may_fit(kmp, &alone))
            }
        };
        let domains: Vec<Vec<(KmpId, usize)>> = members
            .iter()
            .map(|(_, versions)| {
                let each = versions.iter().copied().enumerate().map(|(behind, kmp)| (kmp, behind));
                each.filter(|(kmp, _)| greedy.contains(kmp) || may_fit(*kmp)).collect()
            })
            .collect();
        let variables = self.variables(domains, outside);
        let mut run = Run::new(self, &variables, greedy, judged);
        run.descend(0);
        if run.is_cut_short() {
            log::debug!(
                "{} packages that may need each other are too many to try every choice for kernel {}",
                members.len(),
                self.site.kernel.release
            );
        }
        run.best.1.into_iter().flatten().collect()
    }

    /// The verdicts on `kmp`, which is one of `set`; `None` where too much has been judged already.
    fn judge(&self, set: &[KmpId], kmp: KmpId) -> Option<Vec<Verdict>> {
        let natives = self.near.natives(self.near.of_kmp(kmp));
        let may = self.left.take(natives.len() + modules(self.kmps, set));
        may.then(|| self.site.judge_with(self.kmps, natives, set).kmps.remove(&kmp).unwrap_or_default())
    }

    fn variables(&self, domains: Vec<Vec<(KmpId, usize)>>, outside: &HashSet<Token<'_>>) -> Vec<Variable> {
        let tokens: Vec<HashSet<Token<'_>>> = domains
            .iter()
            .map(|domain| domain.iter().flat_map(|(kmp, _)| self.tokens(*kmp)).collect())
            .collect();
        // What is passed on from module to module, or by a module that is no choice, makes everybody matter.
        let is_tainting = || {
            let mut modules = domains.iter().flatten().flat_map(|(kmp, _)| &self.kmps[*kmp].modules);
            self.site.kernel.has(Feature::InheritsTaint)
                && modules.any(|m| m.module.is_ok_and(|m| !m.is_gpl()))
        };
        let is_touched = || tokens.iter().flatten().any(|token| outside.contains(token));
        let everybody = is_touched() || is_tainting();
        let beside = |at: usize| {
            let matters = |other: &usize| everybody || !tokens[at].is_disjoint(&tokens[*other]);
            (0..tokens.len()).filter(matters).collect()
        };
        let beside: Vec<Vec<usize>> = (0..tokens.len()).map(beside).collect();
        domains.into_iter().zip(beside).map(|(domain, beside)| Variable { domain, beside }).collect()
    }
}

/// What two packages may have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Token<'t> {
    /// A module's name.
    Name(&'t str),
    /// A symbol that a package exports.
    Symbol(&'t str),
}
