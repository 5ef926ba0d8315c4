// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which of many things belong together, given pair by pair.

use kmp_steps as steps;

/// Things by their number, in groups: each at first in one of its own.
#[derive(Debug, Default)]
pub struct Groups {
    /// For each thing another of its group; the one that stands for the group has itself.
    next: Vec<usize>,
}

impl Groups {
    /// One thing more; its number.
    pub fn add(&mut self) -> usize {
        self.next.push(self.next.len());
        self.next.len() - 1
    }

    /// Puts the groups of two things together.
    pub fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.group_of(one), self.group_of(other));
        // Numbers that were there first stand for more, as a rule.
        self.next[one.max(other)] = one.min(other);
    }

    /// The thing that stands for the group of `thing`.
    pub fn group_of(&mut self, mut thing: usize) -> usize {
        while self.next[thing] != thing {
            steps::count(1);
            // The way gets shorter, so that no chain is walked again and again.
            self.next[thing] = self.next[self.next[thing]];
            thing = self.next[thing];
        }
        thing
    }
}
