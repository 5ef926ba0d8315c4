// SPDX-License-Identifier: LGPL-2.1-or-later
//! The table of all that was found, and its figures.

use std::collections::{BTreeMap, BTreeSet};

use super::Cell;
use crate::judge::boot::Machine;

/// All that was found: rows by module, columns by machine.
#[derive(Debug, Default)]
pub struct Table {
    /// (set, module, built for) -> machine -> cell
    pub rows: BTreeMap<(String, String, String), BTreeMap<usize, Cell>>,
}

/// The figures of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Pairs of a module and a kernel.
    pub pairs: usize,
    /// That the kernel takes.
    pub loads: usize,
    /// kmp and the kernel do not agree.
    pub disagreed: usize,
    /// depmod sees nothing wrong, the kernel refuses.
    pub depmod_lets_pass: usize,
    /// depmod complains, the kernel takes it.
    pub depmod_wrongly_refuses: usize,
    /// The kernel could not be heard.
    pub unheard: usize,
    /// Refused by a rule that Debian's kernels have for themselves.
    pub debians_own: usize,
    /// kmp does not agree, on purpose.
    pub deliberate: usize,
}

impl Table {
    /// Prints it, and returns its figures.
    pub fn print(&self, machines: &[Machine]) -> Figures {
        let mut figures = Figures::default();
        println!(
            "Each cell: kmp, kernel, depmod; + takes it, - refuses it, ! disagreement with the kernel, ? not heard,\n\
         d refused by Debian's own patch against missing versions, which other kernels only warn of: not counted"
        );
        for (i, machine) in machines.iter().enumerate() {
            println!("  [{i}] {}", machine.label);
        }
        let heads: String = (0..machines.len()).map(|i| format!("  [{i}]   ")).collect();
        println!("{:<26} {:<24} {:<22}{heads}", "set", "module", "built for");
        let mut quarrels = Vec::new();
        let mut depmod: BTreeMap<(String, bool), BTreeSet<String>> = BTreeMap::new();
        for ((set, module, built), cells) in &self.rows {
            let mut line = String::new();
            for (i, machine) in machines.iter().enumerate() {
                let Some(cell) = cells.get(&i) else {
                    line.push_str("   .    ");
                    continue;
                };
                let sign = |yes| if yes { '+' } else { '-' };
                let (mine, theirs, peers) = (cell.opinion.accepts(), cell.word.accepts(), cell.depmod);
                let mut mark = ' ';
                if cell.word.unheard.is_some() {
                    figures.unheard += 1;
                    mark = '?';
                } else if cell.debians_own() {
                    figures.debians_own += 1;
                    mark = 'd';
                } else {
                    figures.pairs += 1;
                    figures.loads += usize::from(theirs);
                    if cell.known.is_some() {
                        figures.deliberate += 1;
                        mark = '=';
                    } else if let Err(how) = cell.agreed() {
                        figures.disagreed += 1;
                        mark = '!';
                        quarrels
                            .push((format!("{set}/{module} for {built} on {}: {how}", machine.label), cell));
                    }
                    if peers != theirs {
                        *(if peers {
                            &mut figures.depmod_lets_pass
                        } else {
                            &mut figures.depmod_wrongly_refuses
                        }) += 1;
                        let why = cell.opinion.reasons.first().map_or("", |r| &r.0).to_string();
                        depmod.entry((why, peers)).or_default().insert(module.clone());
                    }
                }
                line.push_str(&format!("  {} {} {}{mark}", sign(mine), sign(theirs), sign(peers)));
            }
            let short: String = module.chars().take(24).collect();
            println!("{set:<26} {short:<24} {built:<22}{line}");
        }
        println!("\nWhere depmod, and with it weak-modules, would have been wrong:");
        for ((why, passes), modules) in &depmod {
            let list: Vec<&str> = modules.iter().map(String::as_str).take(6).collect();
            let how =
                if *passes { "lets pass what the kernel refuses" } else { "refuses what the kernel takes" };
            println!(
                "  {how} ({}): {} modules: {}",
                if why.is_empty() { "-" } else { why },
                modules.len(),
                list.join(", ")
            );
        }
        for (set, module, built, machine, why) in self.unheard(machines) {
            println!("not heard: {set}/{module} for {built} on {machine}: {why}");
        }
        for (how, cell) in &quarrels {
            println!(
                "\nDISAGREEMENT {how}\n  kmp: {:?}\n  kernel: error {}, {:#?}",
                cell.opinion.reasons, cell.word.errno, cell.word.log
            );
            for (user, word) in cell.word.users.iter().filter(|(_, w)| !w.loads) {
                println!("  its user {user}: error {}, {:#?}", word.errno, word.log);
            }
        }
        figures
    }

    fn unheard<'t>(
        &'t self,
        machines: &'t [Machine],
    ) -> impl Iterator<Item = (&'t str, &'t str, &'t str, &'t str, &'t str)> {
        self.rows.iter().flat_map(move |((set, module, built), cells)| {
            cells.iter().filter_map(move |(i, cell)| {
                let why = cell.word.unheard.as_deref()?;
                Some((set.as_str(), module.as_str(), built.as_str(), machines[*i].label.as_str(), why))
            })
        })
    }
}
