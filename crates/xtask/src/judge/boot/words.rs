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

/// Reads what the machine wrote. A set whose end is missing brought the machine down: what was being
/// loaded then counts as heard if the loader's own trace of it is on the console. `alone`: each set finds a kernel that has
/// no other module, or it is not heard.
pub fn parse(results: &str, console: &str, alone: bool) -> Words {
    let mut words = Words::new();
    let mut set = String::new();
    let mut modules: BTreeMap<String, Word> = BTreeMap::new();
    let mut users: BTreeMap<String, Word> = BTreeMap::new();
    let mut failed: Vec<String> = Vec::new();
    let mut stale = false;
    let mut current: Option<(char, String)> = None;
    let mut stuck: HashSet<String> = HashSet::new();
    let finish = |modules: &mut BTreeMap<String, Word>, users: &mut BTreeMap<String, Word>| {
        let users = std::mem::take(users);
        for word in modules.values_mut() {
            word.users.clone_from(&users);
        }
        std::mem::take(modules)
    };
    for line in results.lines() {
        let line = line.trim_end_matches('\r');
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: Vec<&str> = rest.split(' ').collect();
        match (kind, fields.as_slice()) {
            ("B", [id]) => {
                set = (*id).to_string();
                (stale, current) = (alone && !stuck.is_empty(), None);
                modules.clear();
                users.clear();
                failed.clear();
            }
            ("L", [kind, name]) => current = Some((kind.chars().next().unwrap_or('?'), (*name).to_string())),
            ("R", [kind, name, errno]) => {
                let errno = errno.parse().unwrap_or(-1);
                let word = Word { loads: errno == 0, errno, ..Word::default() };
                match *kind {
                    "M" => drop(modules.insert((*name).to_string(), word)),
                    "U" => drop(users.insert((*name).to_string(), word)),
                    _ if errno != 0 && errno != EEXIST => failed.push((*name).to_string()),
                    _ => {}
                }
                // Something of a set before is still there.
                stale |= errno == EEXIST && stuck.contains(*name);
            }
            ("K", _) => {
                let Some((kind, name)) = &current else { continue };
                let word = match kind {
                    'M' => modules.get_mut(name),
                    'U' => users.get_mut(name),
                    _ => continue,
                };
                let Some(word) = word else { continue };
                word.loads |= traced(rest, name) || rest.starts_with(INIT_RAN);
                word.log.push(rest.to_string());
            }
            ("X", [name]) => drop(stuck.insert((*name).to_string())),
            ("E", [id]) => {
                if stale {
                    continue;
                }
                // Got through the loader, found no device and went again, and its exports with it.
                let gone =
                    modules.iter().filter(|(_, w)| w.loads && w.errno != 0).map(|(name, _)| name.clone());
                failed.extend(gone);
                for word in modules.values_mut().filter(|w| !w.loads) {
                    if let Some(name) = failed.first()
                        && word.log.iter().any(|l| l.contains("Unknown symbol"))
                    {
                        word.unheard = Some(format!("{name}, which it needs, does not initialise here"));
                    }
                }
                words.insert((*id).to_string(), finish(&mut modules, &mut users));
                current = None;
            }
            _ => {}
        }
    }
    // The machine went down.
    if let Some(("M" | "U" | "D", name)) = current.as_ref().map(|(k, n)| (kind_text(*k), n))
        && !results.contains("DONE")
    {
        let loads = console.lines().any(|l| traced(l, name));
        let mut word = Word { loads, errno: -1, ..Word::default() };
        word.log.push("the machine went down while it was loaded".into());
        if !loads {
            word.unheard = Some("the machine went down while it was loaded".into());
        }
        modules.entry(name.clone()).or_insert(word);
        words.insert(set, finish(&mut modules, &mut users));
    }
    words
}

/// What each of our own modules logs when its own code runs, for kernels without tracepoints.
const INIT_RAN: &str = "kj: ";

const EEXIST: i32 = 17;

fn kind_text(kind: char) -> &'static str {
    match kind {
        'M' => "M",
        'U' => "U",
        'D' => "D",
        _ => "",
    }
}

/// The loader's tracepoint at its very end, before the module's own code runs: `module_load: NAME taints`.
fn traced(line: &str, name: &str) -> bool {
    line.split_once("module_load: ")
        .is_some_and(|(_, rest)| rest.split_whitespace().next().is_some_and(|n| n.replace('-', "_") == name))
}
