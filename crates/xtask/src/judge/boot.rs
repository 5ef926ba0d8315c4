// SPDX-License-Identifier: LGPL-2.1-or-later
//! Boots a kernel in qemu and hears what it says to every module.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::build::Set;
use super::cases;
use super::fetch::{Fetched, Places};
use super::run::{self, Result};

/// A kernel as it is booted.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What the table calls it.
    pub label: String,
    /// The kernel.
    pub kernel: Fetched,
    /// The root that `kmp` is asked about.
    pub root: PathBuf,
    /// More for the kernel's command line.
    pub arguments: String,
    /// How often it may be booted: a module can bring it down.
    pub most_boots: usize,
}

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

/// The dependencies that depmod found: file below the release directory -> files it needs.
pub type Deps = HashMap<String, Vec<String>>;

/// Reads modules.dep.
pub fn read_deps(dir: &Path) -> Result<Deps> {
    let text = fs::read_to_string(dir.join("modules.dep")).map_err(|e| format!("{}: {e}", dir.display()))?;
    let line = |l: &str| {
        let (module, needs) = l.split_once(':')?;
        // modprobe loads from the right.
        Some((module.to_string(), needs.split_whitespace().rev().map(str::to_string).collect()))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// A set as the virtual machine loads it.
#[derive(Debug)]
pub struct Job<'a> {
    /// The set.
    pub set: &'a Set,
    /// What depmod says that the modules need.
    pub deps: &'a Deps,
    /// Only this one of the modules, and what it needs, as modprobe would load it; otherwise all.
    pub only: Option<&'a Path>,
}

impl Job<'_> {
    /// Of the set; with the module's name where it is loaded without the others.
    pub fn id(&self) -> String {
        let of_set = format!("{}@{}", self.set.name, self.set.built_for);
        self.only
            .map_or(of_set.clone(), |file| format!("{of_set}/{}", cases::name_of(&file.to_string_lossy())))
    }
}

/// What the kernel said to `jobs`: by set, then by module.
pub type Words = HashMap<String, BTreeMap<String, Word>>;

/// The machine's files.
struct Archive {
    bytes: Vec<u8>,
    seen: HashSet<String>,
    inode: u32,
}

impl Archive {
    fn put(&mut self, name: &str, mode: u32, contents: &[u8]) {
        if !self.seen.insert(name.to_string()) {
            return;
        }
        self.inode += 1;
        let (size, length) = (contents.len(), name.len() + 1);
        let mut header = String::from("070701");
        for field in [self.inode, mode, 0, 0, 1, 0, size as u32, 0, 0, 0, 0, length as u32, 0] {
            let _ = write!(header, "{field:08X}");
        }
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes.extend_from_slice(contents);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Reads a module, inflated as modprobe would.
fn inflated(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => "gzip",
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(path).map_err(|e| format!("{}: {e}", path.display()).into()),
    };
    let done = Command::new(program).args(["-dcq"]).arg(path).output()?;
    Ok(done.stdout)
}

/// The script for one set, its files being added to the archive.
fn script(job: &Job<'_>, machine: &Machine, own: &Deps, archive: &mut Archive) -> Result<String> {
    let mut text = format!("S {}\n", job.id());
    let plain = machine.kernel.plain.join("lib/modules").join(&machine.kernel.release);
    let mut done: HashSet<String> = HashSet::new();
    let names: HashMap<String, &PathBuf> =
        job.set.files.iter().map(|f| (cases::name_of(&f.to_string_lossy()), f)).collect();
    let by_name: HashMap<String, (&String, &Vec<String>)> =
        job.deps.iter().map(|(k, v)| (cases::name_of(k), (k, v))).collect();
    let mut add =
        |text: &mut String, kind: char, name: &str, file: &Path, archive: &mut Archive| -> Result<()> {
            if done.insert(name.to_string()) {
                let path = match kind {
                    'M' => format!("m/{}/{}/{name}.ko", job.set.name, job.set.built_for),
                    _ => format!("d/{name}.ko"),
                };
                archive.put(&path, 0o100_644, &inflated(file)?);
                writeln!(text, "{kind} {name} /{path}")?;
            }
            Ok(())
        };
    for file in job.set.files.iter().filter(|file| job.only.is_none_or(|only| only == *file)) {
        let name = cases::name_of(&file.to_string_lossy());
        for need in by_name.get(&name).map_or(&[][..], |(_, needs)| needs) {
            let needed = cases::name_of(need);
            match names.get(&needed) {
                Some(file) => add(&mut text, 'M', &needed, file, archive)?,
                None => add(&mut text, 'D', &needed, &plain.join(need), archive)?,
            }
        }
        add(&mut text, 'M', &name, file, archive)?;
    }
    // Whoever uses an in-tree module that is replaced must still load.
    let loaded = |name: &&String| job.only.is_none_or(|o| cases::name_of(&o.to_string_lossy()) == **name);
    let replaced: HashSet<&String> = names.keys().filter(loaded).collect();
    let mut users: Vec<&String> = own
        .iter()
        .filter(|(user, needs)| {
            needs.iter().any(|n| replaced.contains(&cases::name_of(n)))
                && !names.contains_key(&cases::name_of(user))
        })
        .map(|(user, _)| user)
        .collect();
    users.sort();
    for user in users {
        for need in &own[user] {
            add(&mut text, 'D', &cases::name_of(need), &plain.join(need), archive)?;
        }
        add(&mut text, 'U', &cases::name_of(user), &plain.join(user), archive)?;
    }
    text.push_str("E\n");
    Ok(text)
}

/// Builds the program that each machine runs.
///
/// # Errors
/// There is no C compiler.
pub fn build_init(places: &Places) -> Result<()> {
    let mut compiler = Command::new("gcc");
    compiler.args(["-static", "-O2", "-o"]).arg(places.work().join("init"));
    run::output(compiler.arg(places.sources.join("init.c"))).map(drop)
}

/// Boots `machine` as often as it takes to hear what it says to every set.
///
/// # Errors
/// It does not boot.
pub fn hear(places: &Places, machine: &Machine, jobs: &[Job<'_>]) -> Result<(Words, usize)> {
    let plain = machine.kernel.plain.join("lib/modules").join(&machine.kernel.release);
    let own = read_deps(&plain)?;
    let mut words = Words::new();
    let mut open: Vec<&Job<'_>> = jobs.iter().collect();
    let mut boots = 0;
    while !open.is_empty() {
        boots += 1;
        if boots > machine.most_boots {
            return Err(format!(
                "{}: booted {} times, and {} sets are still not heard",
                machine.label,
                machine.most_boots,
                open.len()
            )
            .into());
        }
        let heard = boot(places, machine, &open, &own, boots)?;
        let before = open.len();
        words.extend(heard.words);
        open.retain(|job| !words.contains_key(&job.id()));
        if open.len() == before {
            return Err(format!(
                "{}: the machine said nothing of any set; see {}",
                machine.label,
                heard.console.display()
            )
            .into());
        }
    }
    Ok((words, boots))
}

struct Heard {
    words: Words,
    console: PathBuf,
}

fn boot(places: &Places, machine: &Machine, jobs: &[&Job<'_>], own: &Deps, number: usize) -> Result<Heard> {
    let dir = places.work().join("boot").join(format!("{}-{number}", machine.label.replace(' ', "-")));
    run::fresh(&dir)?;
    let mut archive = Archive { bytes: Vec::new(), seen: HashSet::new(), inode: 0 };
    for name in ["dev", "proc", "sys"] {
        archive.put(name, 0o040_755, b"");
    }
    let mut text = String::new();
    let mut parents = HashSet::new();
    let mut files = Archive { bytes: Vec::new(), seen: HashSet::new(), inode: 1000 };
    for job in jobs {
        text.push_str(&script(job, machine, own, &mut files)?);
    }
    // Directories go before what is in them.
    for name in &files.seen {
        let mut parent = Path::new(name);
        while let Some(up) = parent.parent().filter(|p| !p.as_os_str().is_empty()) {
            parents.insert(up.to_path_buf());
            parent = up;
        }
    }
    let mut parents: Vec<PathBuf> = parents.into_iter().collect();
    parents.sort();
    for parent in parents {
        archive.put(&parent.to_string_lossy(), 0o040_755, b"");
    }
    archive.put("init", 0o100_755, &fs::read(places.work().join("init"))?);
    archive.put("cases", 0o100_644, text.as_bytes());
    archive.bytes.extend(files.bytes);
    archive.put("TRAILER!!!", 0, b"");
    let initrd = dir.join("initrd");
    fs::write(&initrd, &archive.bytes)?;

    let console = dir.join("console");
    let results = dir.join("results");
    let limit = Duration::from_secs(420);
    let append = format!(
        "console=ttyS0 panic=-1 oops=panic loglevel=5 trace_event=module:module_load tp_printk {}",
        machine.arguments
    );
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-accel", "tcg", "-smp", "2", "-m", "2G", "-cpu", "max", "-nographic", "-no-reboot"]);
    qemu.args(["-nic", "none", "-monitor", "none"]).arg("-kernel").arg(&machine.kernel.image);
    qemu.arg("-initrd").arg(&initrd).args(["-append", &append]);
    qemu.arg("-serial").arg(format!("file:{}", console.display()));
    qemu.arg("-serial").arg(format!("file:{}", results.display()));
    let ended = run::within(limit, &mut qemu, &dir.join("qemu"))?;
    let heard = String::from_utf8_lossy(&fs::read(&results).unwrap_or_default()).into_owned();
    if !heard.contains("READY") {
        let said = fs::read_to_string(&console).unwrap_or_default();
        let tail: Vec<&str> = said.lines().rev().take(8).collect();
        let how = if ended.is_none() { "did not boot in time" } else { "did not come up" };
        let told = fs::read_to_string(dir.join("qemu")).unwrap_or_default();
        return Err(format!("{} {how}; see {}\n{tail:#?}\n{told}", machine.label, console.display()).into());
    }
    let alone = jobs.iter().any(|job| job.only.is_some());
    Ok(Heard {
        words: parse(&heard, &String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()), alone),
        console,
    })
}

/// Reads what the machine wrote. A set whose end is missing brought the machine down: what was being
/// loaded then counts as heard if the loader's own trace of it is on the console. `alone`: each set finds a kernel that has
/// no other module, or it is not heard.
fn parse(results: &str, console: &str, alone: bool) -> Words {
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
