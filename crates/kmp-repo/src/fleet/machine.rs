// SPDX-License-Identifier: LGPL-2.1-or-later
//! Machines, as lines of JSON, and those of them that are equal. Pure.
//!
//! A line is a machine: `kmp facts --json` prints one, and any program that knows the packages of its machines can. What machines have
//! to say of themselves is bounded, and nothing in it is believed to be more than text.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::io::{self, BufRead, BufReader, Read};

use kmp_core::dialect::Dialect;

use super::line::{LINE_LIMIT, parse};
use super::nevra::Nevra;

/// The most machines.
const MOST_MACHINES: usize = 1_000_000;

/// The most groups of machines that differ.
const MOST_GROUPS: usize = 20_000;

/// The most problems that are kept; of more, their number is.
const MOST_PROBLEMS: usize = 20;

/// The most characters of a problem.
const MOST_SAID: usize = 300;

/// What a machine says of a driver that it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DriverFacts {
    /// A module of it is loaded.
    pub is_loaded: bool,
    /// `/` is on a device of it.
    pub holds_root: bool,
    /// There is no way to the network without it.
    pub holds_network: bool,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What it is called.
    pub name: String,
    /// Its packages.
    pub packages: Packages,
    /// By the name of a package, what it says of its use; empty where it says nothing.
    pub facts: BTreeMap<String, DriverFacts>,
}

/// What machines of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Packages {
    /// Whether its conventions are SUSE's; else Red Hat's.
    pub(super) is_suse: bool,
    /// The packages of its kernels, with the release where the machine says it.
    pub kernels: BTreeSet<(Nevra, Option<String>)>,
    /// Its drivers.
    pub drivers: BTreeSet<Nevra>,
    /// Are all packages of its kernels listed, or only some?
    pub is_complete: bool,
}

impl Packages {
    /// What of it decides which kernels there are, and how they are looked at.
    pub(super) fn ground(&self) -> impl Eq + Hash {
        (self.is_suse, self.is_complete, &self.kernels)
    }

    /// Its conventions.
    pub fn dialect(&self) -> Dialect {
        if self.is_suse { Dialect::Suse } else { Dialect::RedHat }
    }
}

/// Machines with the same packages.
#[derive(Debug)]
pub struct Group {
    /// The packages.
    pub packages: Packages,
    /// The machines' names, in their order.
    pub names: BTreeSet<String>,
    /// How many of them say what their drivers are used for.
    pub with_facts: usize,
    /// By the name of a package, on how many machines it is loaded, holds `/`, and holds the network.
    pub uses: BTreeMap<String, [usize; 3]>,
}

impl Group {
    /// How many machines it has.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Has it none? It always has one.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Machines, in groups of equal ones.
#[derive(Debug, Default)]
pub struct Machines {
    groups: Vec<Group>,
    by_packages: HashMap<Packages, usize>,
    by_name: HashMap<String, (usize, BTreeMap<String, DriverFacts>)>,
    /// What is wrong with some of them, each in a line.
    pub problems: Vec<String>,
    more_problems: usize,
}

impl Machines {
    /// Adds those of a text, a line each; or the only one of a text that has more lines. `from`: what the text is called. Lines that
    /// are no machine are problems, and no more; of one that is too long nothing is kept.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn add_lines(&mut self, from: &str, text: impl Read) -> io::Result<()> {
        let mut text = BufReader::with_capacity(LINE_LIMIT + 1, text);
        let start = text.fill_buf()?;
        if let Ok(machine) = parse(start) {
            let len = start.len();
            text.consume(len);
            self.add(machine);
        }
        let mut line = Vec::new();
        for number in 1_usize.. {
            line.clear();
            let len = text.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut line)?;
            if len == 0 {
                break;
            }
            if len > LINE_LIMIT && line.last() != Some(&b'\n') {
                text.skip_until(b'\n')?;
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match parse(&line) {
                Ok(machine) => self.add(machine),
                Err(why) => self.problem(format!("{from}, line {number}: {why}")),
            }
        }
        Ok(())
    }

    /// Adds a machine. One that is there already, by its name, is what was said of it last.
    pub fn add(&mut self, machine: Machine) {
        let Machine { name, packages, facts } = machine;
        if let Some((group, facts)) = self.by_name.remove(&name) {
            self.groups[group].names.remove(&name);
            self.groups[group].count(&facts, false);
            self.problem(format!("{name} is there more than once: the last counts"));
        }
        let is_known = self.by_packages.contains_key(&packages);
        if self.by_name.len() >= MOST_MACHINES || (!is_known && self.groups.len() >= MOST_GROUPS) {
            self.problem(format!(
                "{name} is one too many: {MOST_MACHINES} machines in {MOST_GROUPS} groups at most"
            ));
            return;
        }
        let groups = &mut self.groups;
        let group = *self.by_packages.entry(packages).or_insert_with_key(|packages| {
            let packages = packages.clone();
            groups.push(Group { packages, names: BTreeSet::new(), with_facts: 0, uses: BTreeMap::new() });
            groups.len() - 1
        });
        self.groups[group].names.insert(name.clone());
        self.groups[group].count(&facts, true);
        self.by_name.insert(name, (group, facts));
    }

    /// What is wrong, in a line.
    pub fn problem(&mut self, mut line: String) {
        // It may repeat what was read.
        if let Some((at, _)) = line.char_indices().nth(MOST_SAID) {
            line.truncate(at);
            line.push_str(" ...");
        }
        let line: String = line.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        if self.problems.len() < MOST_PROBLEMS { self.problems.push(line) } else { self.more_problems += 1 }
    }

    /// How many problems there are beside those that were kept.
    pub fn more_problems(&self) -> usize {
        self.more_problems
    }

    /// The groups that have machines, in the order in which they came.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| !group.is_empty())
    }

    /// How many machines there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

impl Group {
    fn count(&mut self, facts: &BTreeMap<String, DriverFacts>, is_more: bool) {
        let change = |number: &mut usize, of: bool| {
            let by = usize::from(of);
            *number = if is_more { *number + by } else { number.saturating_sub(by) };
        };
        change(&mut self.with_facts, !facts.is_empty());
        for (driver, facts) in facts {
            let uses = self.uses.entry(driver.clone()).or_default();
            for (number, is) in uses.iter_mut().zip([facts.is_loaded, facts.holds_root, facts.holds_network])
            {
                change(number, is);
            }
        }
    }
}

#[cfg(test)]
mod tests;
