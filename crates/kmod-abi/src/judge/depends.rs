// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a module needs must load, too.

use std::collections::BTreeSet;

use super::world::Uses;
use super::{Reason, Rule, Verdict, Warning, World};
use kmp_steps as steps;

impl World<'_> {
    /// Adds `Depends` to the users of what does not fit, until nothing changes: user after user, again and again, but only to those
    /// of what has been found not to fit meanwhile.
    /// `cycles` says of modules which cycle they are in: those of one are refused for that already.
    pub(super) fn close(&self, verdicts: &mut [Verdict], providers: &Uses<'_>, cycles: &[Option<usize>]) {
        let is_apart = |user: usize, p: usize| cycles[user].is_none() || cycles[user] != cycles[p];
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); providers.len()];
        for (user, uses) in providers.iter().enumerate() {
            let needed = uses.iter().filter(|(p, used)| **p != user && !used.weak && is_apart(user, **p));
            needed.for_each(|(p, _)| users[*p].push(user));
        }
        // In the order in which they are to be added: the turn, the user, the module that it uses.
        let mut pending: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
        for p in (0..verdicts.len()).filter(|p| !verdicts[*p].fits()) {
            pending.extend(users[p].iter().map(|user| (0, *user, p)));
        }
        while let Some((turn, user, p)) = pending.pop_first() {
            steps::count(1);
            let (rule, why) = match verdicts[p].is_unknown() {
                true => (Rule::Unread, "about which nothing is known"),
                false => (Rule::Depends, "which is incompatible"),
            };
            // What was only unknown, and is refused now, is said once more.
            if verdicts[user].fits() || (verdicts[user].is_unknown() && rule != Rule::Unread) {
                let next = |of: &usize| (turn + usize::from((*of, user) <= (user, p)), *of, user);
                pending.extend(users[user].iter().map(next));
            }
            let (exporter, symbol) = (self.set[p].name, providers[user][&p].symbol);
            let detail = format!("needs {exporter} (for {symbol}), {why}");
            verdicts[user].reasons.push(Reason::on(rule, symbol, detail).by(exporter));
        }
    }

    /// Warns of modules that are used where they are there, and are refused: the kernel does without them, modprobe does not.
    pub(super) fn warn_of_weak(&self, verdicts: &mut [Verdict], providers: &Uses<'_>) {
        for (user, uses) in providers.iter().enumerate() {
            for (p, used) in uses.iter().filter(|(p, used)| used.weak && **p != user) {
                if !verdicts[*p].fits() && !verdicts[*p].is_unknown() {
                    let (module, symbol) = (self.set[*p].name.into(), used.symbol.into());
                    verdicts[user].warnings.push(Warning::WeakNeed { module, symbol });
                }
            }
        }
    }

    /// Adds `Cycle` to modules that need each other, and gives for each module the number of the cycle that it is in.
    pub(super) fn cycles(&self, verdicts: &mut [Verdict], providers: &Uses<'_>) -> Vec<Option<usize>> {
        let cycles = components(providers);
        for (user, uses) in providers.iter().enumerate() {
            let within = |p: usize| cycles[user].is_some() && cycles[user] == cycles[p];
            if let Some((p, used)) = uses.iter().find(|(p, _)| within(**p)) {
                let symbol = used.symbol;
                let exporter = self.set[*p].name;
                let detail = format!("needs {exporter} (for {symbol}), which needs it in turn");
                verdicts[user].reasons.push(Reason::on(Rule::Cycle, symbol, detail).by(exporter));
            }
        }
        cycles
    }
}

/// For each module the number of the cycle that it is in, if it is in one: strongly connected components of more than one module,
/// by Tarjan's algorithm, without recursion.
fn components(providers: &Uses<'_>) -> Vec<Option<usize>> {
    const NEW: usize = usize::MAX;
    let count = providers.len();
    let (mut order, mut lowest, mut is_open) = (vec![NEW; count], vec![NEW; count], vec![false; count]);
    let mut found = vec![None; count];
    let (mut open, mut next) = (Vec::new(), 0);
    for start in 0..count {
        if order[start] != NEW || providers[start].is_empty() {
            continue;
        }
        let mut path = vec![(start, providers[start].keys())];
        while let Some((at, uses)) = path.last_mut() {
            steps::count(1);
            let at = *at;
            if order[at] == NEW {
                (order[at], lowest[at], is_open[at]) = (next, next, true);
                next += 1;
                open.push(at);
            }
            match uses.next() {
                Some(&p) if order[p] == NEW => path.push((p, providers[p].keys())),
                Some(&p) if is_open[p] => lowest[at] = lowest[at].min(order[p]),
                Some(_) => {}
                None => {
                    path.pop();
                    if let Some((user, _)) = path.last() {
                        lowest[*user] = lowest[*user].min(lowest[at]);
                    }
                    if lowest[at] == order[at] {
                        let from = open.iter().rposition(|m| *m == at).unwrap_or(0);
                        let members = open.split_off(from);
                        let is_cycle = members.len() > 1;
                        for member in members {
                            is_open[member] = false;
                            found[member] = is_cycle.then_some(at);
                        }
                    }
                }
            }
        }
    }
    found
}
