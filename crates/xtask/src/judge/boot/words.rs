// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a kernel said to the modules, read from what its machine wrote.

use std::collections::{BTreeMap, HashMap, HashSet};

/// What the kernel said to one module.
#[derive(Clone, Debug, Default)]
pub struct Word {
    /// Did it get through the loader? Whether its initialisation found its device is another matter.
    pub loads: bool,
    /// errno of `finit_module`.
    pub errno: i32,
    /// The kernel's log.
    pub log: Vec<String>,
    /// In-tree users of a module that it replaces, and what the kernel said to them.
    pub users: BTreeMap<String, Word>,
    /// The kernel was not heard, and why.
    pub unheard: Option<String>,
}

impl Word {
    /// The module loads, and nothing of the kernel's own is lost by it.
    pub fn accepts(&self) -> bool {
        self.loads && self.users.values().all(|u| u.loads)
    }
}

/// What the kernel said to `jobs`: by set, then by module.
pub type Words = HashMap<String, BTreeMap<String, Word>>;

/// Did the kernel come up to our program? `results` is what that wrote.
pub fn came_up(results: &str) -> bool {
    results.lines().any(|line| line.trim_end() == "READY")
}

/// Reads what the machine wrote. `alone`: each set finds a kernel that has no other module, or it is not heard.
///
/// A set whose end is missing brought the machine down. What was being loaded then counts as taken only if the console shows, after
/// the line with which this very load began, that the loader was done with it: its tracepoint, or the module's own code among the
/// callers of what failed. In the loader itself a kernel can go down for a fault that it should have refused or could have survived:
/// then its answer is not known. Nor is it known of a module which loads and brings the kernel down later: what the loader put into
/// memory was not what the file says.
pub fn parse(results: &str, console: &str, alone: bool) -> Words {
    let mut reader = Reader { alone, ..Reader::default() };
    for line in results.lines() {
        reader.line(line.trim_end_matches('\r'));
    }
    if !results.lines().any(|line| line.trim_end() == "DONE") {
        reader.went_down(console);
    }
    reader.words
}

#[derive(Default)]
struct Reader {
    alone: bool,
    words: Words,
    /// The set that is being loaded, and what was heard of it.
    set: String,
    modules: BTreeMap<String, Word>,
    users: BTreeMap<String, Word>,
    /// What is not there for others in the set.
    failed: Vec<String>,
    /// Something of a set before is still loaded.
    stale: bool,
    stuck: HashSet<String>,
    current: Option<Load>,
}

/// A load that began.
struct Load {
    /// `M`, `U` or `D`, as in `init.c`.
    kind: char,
    name: String,
    answered: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: Vec<&str> = rest.split(' ').collect();
        match (kind, fields.as_slice()) {
            ("B", [id]) => {
                self.set = (*id).to_string();
                (self.stale, self.current) = (self.alone && !self.stuck.is_empty(), None);
                self.modules.clear();
                self.users.clear();
                self.failed.clear();
            }
            ("L", [kind, name]) => {
                let kind = kind.chars().next().unwrap_or('?');
                self.current = Some(Load { kind, name: (*name).to_string(), answered: false });
            }
            ("R", [_, name, errno]) => self.answer(name, errno.parse().unwrap_or(-1)),
            ("K", _) => {
                if let Some(load) = &self.current
                    && let name = load.name.clone()
                    && let Some(word) = self.current_word()
                {
                    word.loads |= traced(rest, &name) || rest.starts_with(INIT_RAN);
                    word.log.push(rest.to_string());
                }
            }
            ("X", [name]) => drop(self.stuck.insert((*name).to_string())),
            ("E", [id]) if !self.stale => self.end(id),
            _ => {}
        }
    }

    fn answer(&mut self, name: &str, errno: i32) {
        let Some(load) = &mut self.current else { return };
        load.answered = true;
        let word = Word { loads: errno == 0, errno, ..Word::default() };
        match load.kind {
            'M' => drop(self.modules.insert(name.to_string(), word)),
            'U' => drop(self.users.insert(name.to_string(), word)),
            _ if errno != 0 && errno != EEXIST => self.failed.push(name.to_string()),
            _ => {}
        }
        self.stale |= errno == EEXIST && self.stuck.contains(name);
    }

    /// That of what is being loaded; of what it needs nothing is kept.
    fn current_word(&mut self) -> Option<&mut Word> {
        let load = self.current.as_ref()?;
        match load.kind {
            'M' => self.modules.get_mut(&load.name),
            'U' => self.users.get_mut(&load.name),
            _ => None,
        }
    }

    fn end(&mut self, id: &str) {
        // Got through the loader, found no device and went again, and its exports with it.
        let gone = self.modules.iter().filter(|(_, w)| w.loads && w.errno != 0).map(|(name, _)| name.clone());
        self.failed.extend(gone);
        for word in self.modules.values_mut().filter(|w| !w.loads) {
            if let Some(name) = self.failed.first()
                && word.log.iter().any(|l| l.contains("Unknown symbol"))
            {
                word.unheard = Some(format!("{name}, which it needs, does not initialise here"));
            }
        }
        self.close(id.to_string());
    }

    fn close(&mut self, id: String) {
        let users = std::mem::take(&mut self.users);
        for word in self.modules.values_mut() {
            word.users.clone_from(&users);
        }
        self.words.insert(id, std::mem::take(&mut self.modules));
        self.current = None;
    }

    /// The results end in the midst of a set.
    fn went_down(&mut self, console: &str) {
        let Some(load) = self.current.take() else { return };
        let set = std::mem::take(&mut self.set);
        let said = since(console, &format!("{LOADS}{} {} of {set}", load.kind, load.name));
        let mut last: Vec<String> =
            said.iter().filter(|l| is_of_crash(l)).map(|l| (*l).to_string()).collect();
        last.truncate(2);
        let known = match load.kind {
            'M' => &mut self.modules,
            _ => &mut self.users,
        };
        if load.answered {
            if let Some(word) = known.get_mut(&load.name).filter(|word| word.loads) {
                word.unheard = Some(format!("{AFTER}: {}", last.join("; ")));
            }
        } else if said.iter().any(|line| traced(line, &load.name) || calls_init(line)) {
            let log = [vec![format!("{OWN_CODE}")], last].concat();
            known.insert(load.name, Word { loads: true, errno: -1, log, ..Word::default() });
        } else if load.kind == 'M' {
            let unheard = Some(format!("{IN_LOADER}: {}", last.join("; ")));
            known.insert(load.name, Word { errno: -1, unheard, ..Word::default() });
        }
        self.close(set);
    }
}

const OWN_CODE: &str = "the machine went down in the module's own code";
const IN_LOADER: &str = "the machine went down in the loader";
const AFTER: &str = "the machine took it, and went down before it was unloaded";

/// How `init.c` begins each load in the kernel's log.
const LOADS: &str = "judge: loads ";

/// What each of our own modules logs when its own code runs, for kernels without tracepoints.
const INIT_RAN: &str = "kj: ";

const EEXIST: i32 = 17;

/// The lines after the last that has `mark` in it; none if there is no such line.
fn since<'t>(console: &'t str, mark: &str) -> Vec<&'t str> {
    let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
    let start = lines.iter().rposition(|line| line.ends_with(mark));
    start.map_or_else(Vec::new, |at| lines[at + 1..].to_vec())
}

/// A line of a call trace with what the kernel calls a module's own code from. `?` stands before what is on the stack from earlier.
fn calls_init(line: &str) -> bool {
    line.contains(" do_one_initcall+") && !line.contains("? do_one_initcall+")
}

/// Does it say what failed, or where? The first two do.
fn is_of_crash(line: &str) -> bool {
    // 0010 is the kernel's own code segment.
    ["BUG:", "RIP: 0010:", "Kernel panic"].iter().any(|word| line.contains(word))
}

/// The loader's tracepoint at its very end, before the module's own code runs: `module_load: NAME taints`.
fn traced(line: &str, name: &str) -> bool {
    line.split_once("module_load: ")
        .is_some_and(|(_, rest)| rest.split_whitespace().next().is_some_and(|n| n.replace('-', "_") == name))
}

#[cfg(test)]
mod tests;
