// SPDX-License-Identifier: LGPL-2.1-or-later
//! What kmp and depmod say, and the table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::boot::{Deps, Machine, Word, read_deps};
use super::build::Set;
use super::cases;
use super::fetch::{Fetched, PATH};
use super::own::Known;
use super::run::{self, Result};

/// What `kmp check` says of a module.
#[derive(Clone, Debug, Default)]
pub struct Opinion {
    /// It fits.
    pub fits: bool,
    /// Rule, symbol, detail.
    pub reasons: Vec<(String, String, String)>,
    /// In-tree modules that it breaks.
    pub breaks: BTreeSet<String>,
    /// Modules that export what it exports, and are not needed with it.
    pub may_clash: BTreeSet<String>,
}

impl Opinion {
    /// It loads, and nothing of the kernel's own is lost by it.
    pub fn accepts(&self) -> bool {
        self.fits && self.breaks.is_empty()
    }
}

/// By kernel release and module path.
pub type Opinions = HashMap<(String, PathBuf), Opinion>;

/// Runs `kmp check` on files or directories that are judged together.
///
/// # Errors
/// kmp fails, or its answer is not what it is documented to be.
pub fn kmp(program: &Path, root: &Path, releases: &[&str], what: &[&Path]) -> Result<Opinions> {
    kmp_by(Command::new(program), root, releases, what)
}

/// The same; `command` is `kmp`, or what runs it.
///
/// # Errors
/// See [`kmp`].
pub fn kmp_by(mut command: Command, root: &Path, releases: &[&str], what: &[&Path]) -> Result<Opinions> {
    command.arg("--root").arg(root).arg("check").arg("--json");
    for release in releases {
        command.args(["--kernel", release]);
    }
    let done = command.args(what).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !matches!(done.status.code(), Some(0 | 1)) {
        return Err(format!("{command:?}: {}\n{said}", done.status).into());
    }
    let answer: Value =
        serde_json::from_slice(&done.stdout).map_err(|e| format!("kmp's JSON: {e}\n{said}"))?;
    let mut opinions = Opinions::new();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    for kernel in answer["kernels"].as_array().ok_or("kmp's JSON has no kernels")? {
        for module in kernel["modules"].as_array().ok_or("kmp's JSON has no modules")? {
            let reasons: Vec<_> = module["reasons"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|r| (text(&r["rule"]), text(&r["symbol"]), text(&r["detail"])))
                .collect();
            let fits = module["fits"].as_bool().ok_or("kmp's JSON has no fits")?;
            let key = (text(&kernel["release"]), PathBuf::from(text(&module["path"])));
            let warnings = module["warnings"].as_array().map_or(&[][..], Vec::as_slice);
            let of_kind = |kind: &str| {
                warnings.iter().filter(|w| w["kind"] == kind).map(|w| text(&w["module"])).collect()
            };
            let (breaks, may_clash) = (of_kind("breaks"), of_kind("may-clash"));
            opinions.insert(key, Opinion { fits, reasons, breaks, may_clash });
        }
    }
    Ok(opinions)
}

/// depmod's complaints by module (its path below the release directory): kind and symbol.
pub type Complaints = BTreeMap<String, BTreeSet<(bool, String)>>;

/// Puts `sets` beside `kernel`'s modules in a tree of their own and asks depmod.
///
/// # Errors
/// depmod fails.
pub fn depmod(kernel: &Fetched, tree: &Path, sets: &[&Set]) -> Result<(Complaints, Deps)> {
    let dir = tree.join("lib/modules").join(&kernel.release);
    run::fresh(&tree.join("lib/modules"))?;
    run::link_tree(&kernel.plain.join("lib/modules").join(&kernel.release), &dir)?;
    for set in sets {
        let to = dir.join("updates").join(&set.name);
        fs::create_dir_all(&to)?;
        for file in &set.files {
            if let Some(name) = file.file_name() {
                fs::copy(file, to.join(name))?;
            }
        }
    }
    // Debian's depmod reads no .gz: it gets those inflated, and so is not blamed for that.
    run::output(
        Command::new("sh")
            .args(["-c", "find \"$1\" -name '*.ko.gz' -exec gzip -df {} +", "sh"])
            .arg(dir.join("updates")),
    )?;
    let complaints = ask(tree, &kernel.release, &kernel.modules.join("symvers"))?;
    Ok((complaints, read_deps(&dir)?))
}

/// `depmod -e -E`.
///
/// # Errors
/// It cannot be run.
pub fn ask(tree: &Path, release: &str, symvers: &Path) -> Result<Complaints> {
    let dir = tree.join("lib/modules").join(release);
    for name in [
        "modules.dep",
        "modules.dep.bin",
        "modules.symbols",
        "modules.symbols.bin",
        "modules.alias",
        "modules.alias.bin",
    ] {
        // The tree shares files with others.
        let _ = fs::remove_file(dir.join(name));
    }
    let mut command = Command::new("depmod");
    command.env("PATH", PATH).arg("-b").arg(tree).arg("-e").arg("-E").arg(symvers).arg(release);
    let done = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    let mut complaints = Complaints::new();
    let prefix = format!("{}/", dir.display());
    for line in said.lines() {
        let Some(rest) = line.split_once(&prefix).map(|(_, r)| r) else { continue };
        for (crc, words) in [(false, " needs unknown symbol "), (true, " disagrees about version of symbol ")]
        {
            if let Some((module, symbol)) = rest.split_once(words) {
                complaints.entry(module.to_string()).or_default().insert((crc, symbol.to_string()));
            }
        }
    }
    Ok(complaints)
}

/// One module on one machine.
#[derive(Debug)]
pub struct Cell {
    /// What kmp says.
    pub opinion: Opinion,
    /// What the kernel says.
    pub word: Word,
    /// Does depmod complain of it? `None` where depmod does not see it.
    pub depmod: bool,
    /// That kmp does not agree with the kernel is known.
    pub known: Option<&'static Known>,
}

impl Cell {
    /// Do kmp and the kernel agree? `Err` tells how they differ.
    pub fn agreed(&self) -> std::result::Result<(), String> {
        let kernel = self.word.accepts();
        if self.debians_own() {
            return Ok(());
        }
        if !self.word.loads && self.opinion.fits && self.clashed() {
            return Ok(());
        }
        if self.opinion.accepts() != kernel {
            let said = |fits| if fits { "compatible" } else { "incompatible" };
            return Err(format!(
                "kmp says it {}, the kernel it {}",
                said(self.opinion.accepts()),
                said(kernel)
            ));
        }
        if kernel || !self.word.loads && self.explained() {
            return Ok(());
        }
        // It loads, and every in-tree user that then does not is named.
        let mut broken = self.word.users.iter().filter(|(_, word)| !word.loads);
        if self.word.loads
            && self.opinion.fits
            && broken.all(|(user, _)| self.opinion.breaks.contains(&user.replace('-', "_")))
        {
            return Ok(());
        }
        Err("both refuse it, but for other reasons".into())
    }

    /// Refused for an export of a module that happens to be loaded here, and of which kmp warns: whether it is loaded a verdict
    /// cannot know.
    pub fn clashed(&self) -> bool {
        self.word.log.iter().any(|line| {
            let owner = line
                .split_once("exports duplicate symbol ")
                .and_then(|(_, rest)| rest.split_once("(owned by "));
            owner.is_some_and(|(_, owner)| {
                self.opinion.may_clash.contains(owner.trim_end().trim_end_matches(')'))
            })
        })
    }

    /// Refused for an entry of `__versions` that is missing. Debian's kernels do that by a patch of their
    /// own ("module: Disable matching missing version CRC", 2016); all others warn and go on. There
    /// the kernel of a Debian archive is no judge of the rule.
    pub fn debians_own(&self) -> bool {
        !self.word.loads && self.word.log.iter().any(|l| l.contains("no symbol version for "))
    }

    /// Is what the kernel gave as its reason (it stops at the first) among kmp's reasons?
    fn explained(&self) -> bool {
        let has = |rules: &[&str], symbol: Option<&str>| {
            self.opinion
                .reasons
                .iter()
                .any(|(rule, on, _)| rules.contains(&rule.as_str()) && symbol.is_none_or(|s| s == on))
        };
        let mut told = false;
        for line in &self.word.log {
            let after =
                |words: &str| line.split_once(words).map(|(_, r)| r.split([' ', ')']).next().unwrap_or(""));
            let holds = if let Some(symbol) = after("disagrees about version of symbol ") {
                // The kernel looks for module_layout before all others.
                has(&["crc", "module-layout"], Some(symbol))
                    || symbol == "module_layout" && has(&["crc"], None)
            } else if let Some(symbol) = after("uses symbol (").filter(|_| line.contains("does not import")) {
                has(&["namespace"], Some(symbol))
            } else if let Some(symbol) = after("exports duplicate symbol ") {
                has(&["duplicate-export"], Some(symbol))
            } else if line.contains("version magic") {
                has(&["vermagic"], None)
            } else if line.contains("section size must match") {
                has(&["struct-size"], None)
            } else if let Some(symbol) = after("Unknown symbol ") {
                // The error that follows repeats what was said before: -22 wrong version or namespace.
                has(&["unknown-symbol", "license", "depends", "crc", "namespace"], Some(symbol))
                    || has(&["cycle"], None)
            } else {
                continue;
            };
            told = true;
            if !holds {
                return false;
            }
        }
        // Without a line, there is the error's number.
        told || match self.word.errno {
            8 => has(
                &[
                    "malformed",
                    "architecture",
                    "vermagic",
                    "no-version",
                    "struct-size",
                    "signature",
                    "export-form",
                    "support",
                ],
                None,
            ),
            74 | 129 | 126 | 1 => has(&["signature", "malformed", "namespace"], None),
            _ => !self.opinion.reasons.is_empty(),
        }
    }
}

/// kmp's opinion of every set on a machine's kernel. Our own sets of one build share no name and no
/// symbol, and are named together; what comes from the archive is named package by package.
///
/// # Errors
/// kmp fails.
pub fn opinions(program: &Path, root: &Path, release: &str, sets: &[&Set]) -> Result<Opinions> {
    let mut calls: BTreeMap<(&str, &str), Vec<&Path>> = BTreeMap::new();
    for set in sets {
        let package = if set.dkms { set.name.as_str() } else { "" };
        calls.entry((&set.built_for, package)).or_default().push(&set.dir);
    }
    let calls: Vec<Vec<&Path>> = calls.into_values().collect();
    let mut all = Opinions::new();
    for answer in run::each(&calls, |dirs| kmp(program, root, &[release], dirs)) {
        all.extend(answer?);
    }
    Ok(all)
}

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

/// Every in-tree module against its own kernel and its neighbour. Returns how many were compared, and
/// the disagreements.
///
/// # Errors
/// kmp or depmod cannot be run.
pub fn in_tree(
    program: &Path,
    root: &Path,
    work: &Path,
    from: &Fetched,
    on: &Fetched,
) -> Result<(usize, Vec<String>)> {
    let dir = from.modules.join("kernel");
    let opinions = kmp(program, root, &[&on.release], &[&dir])?;
    let mut wrong = Vec::new();
    if from.release == on.release {
        for ((_, path), opinion) in &opinions {
            if !opinion.fits {
                wrong.push(format!(
                    "{} is incompatible with its own kernel: {:?}",
                    path.display(),
                    opinion.reasons
                ));
            }
        }
        return Ok((opinions.len(), wrong));
    }
    // depmod gets `from`'s modules in place of `on`'s.
    let tree = work.join(format!("in-tree-{}-{}", from.release, on.release));
    let to = tree.join("lib/modules").join(&on.release);
    run::fresh(&tree.join("lib/modules"))?;
    run::link_tree(&on.plain.join("lib/modules").join(&on.release), &to)?;
    run::link_tree(&from.plain.join("lib/modules").join(&from.release).join("kernel"), &to.join("updates"))?;
    let complaints = ask(&tree, &on.release, &on.modules.join("symvers"))?;
    let complaints: HashMap<String, &BTreeSet<(bool, String)>> = complaints
        .iter()
        .filter(|(p, _)| p.starts_with("updates/"))
        .map(|(p, c)| (cases::name_of(p), c))
        .collect();
    // Of a symbol that the kernel image and a module export, depmod takes the module's version, the
    // loader the image's (and refuses the module): there depmod cannot tell.
    let told = |symbol: &str| {
        on.symvers.get(symbol).is_none_or(|e| e.1 != "vmlinux")
            || from.symvers.get(symbol).is_none_or(|e| e.1 == "vmlinux")
    };
    let none = BTreeSet::new();
    for ((_, path), opinion) in &opinions {
        let name = cases::name_of(&path.to_string_lossy());
        let depmod: BTreeSet<&str> = complaints
            .get(&name)
            .copied()
            .unwrap_or(&none)
            .iter()
            .map(|(_, s)| s.as_str())
            .filter(|s| told(s))
            .collect();
        let mine: BTreeSet<&str> = opinion
            .reasons
            .iter()
            .filter(|(rule, ..)| ["crc", "unknown-symbol", "module-layout"].contains(&rule.as_str()))
            .map(|(_, symbol, _)| symbol.as_str())
            .filter(|s| told(s))
            .collect();
        if mine != depmod {
            let only = |a: &BTreeSet<&str>, b: &BTreeSet<&str>| {
                a.difference(b).map(|s| (*s).to_string()).collect::<Vec<_>>()
            };
            wrong.push(format!(
                "{name} of {} on {}: only kmp: {:?}, only depmod: {:?}",
                from.release,
                on.release,
                only(&mine, &depmod),
                only(&depmod, &mine)
            ));
        }
    }
    wrong.sort();
    let _ = fs::remove_dir_all(&tree);
    Ok((opinions.len(), wrong))
}
