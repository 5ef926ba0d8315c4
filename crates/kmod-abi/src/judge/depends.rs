// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a module needs must load, too.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reason, Rule, Verdict, World};
use kmp_steps as steps;

impl World<'_> {
    /// Adds `Depends` to the users of what does not fit, until nothing changes: user after user, again and again, but only to those
    /// of what has been found not to fit meanwhile.
    pub(super) fn close(&self, verdicts: &mut [Verdict], providers: &[BTreeMap<usize, &str>]) {
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); providers.len()];
        for (user, uses) in providers.iter().enumerate() {
            uses.keys().filter(|p| **p != user).for_each(|p| users[*p].push(user));
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
            // What was only unknown, and is refused now, is told once more.
            if verdicts[user].fits() || (verdicts[user].is_unknown() && rule != Rule::Unread) {
                let next = |of: &usize| (turn + usize::from((*of, user) <= (user, p)), *of, user);
                pending.extend(users[user].iter().map(next));
            }
            let (exporter, symbol) = (self.set[p].name, providers[user][&p]);
            let detail = format!("needs {exporter} (for {symbol}), {why}");
            verdicts[user].reasons.push(Reason::on(rule, symbol, detail).by(exporter));
        }
    }
}
