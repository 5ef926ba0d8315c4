// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which links a kernel should have, and why. Pure.
//!
//! For each kernel and package name the candidates are all installed versions, newest first. The newest
//! of every name are judged together, as one set beside the kernel's own modules; what fails gives way to
//! its next older version, until nothing changes. What failed only for the sake of others that have given
//! way since is tried again. Where that leaves a package without its newest version, the search looks for a
//! better choice: as many packages served as possible, then the newest versions. A package is linked whole or
//! not at all. What could not be read stays as it is: see `plan/held.rs`.

mod beside;
mod held;
mod search;

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::abi::rule::Settled;
use crate::abi::{Candidate, Kernel, Module, ModuleFault, Reason, Role, Rule, Verdict, World, name};
use crate::config::Wish;
use crate::dialect::serves;
use crate::ids::{Id, KmpId, List};
use kmp_steps as steps;

use beside::{Allowance, Groups};
pub use held::Held;
use held::is_unknown;
use search::Search;

pub use beside::Beside;

/// A module as the plan sees it.
#[derive(Clone, Debug)]
pub struct PlannedModule<'a> {
    /// By its file, `_` for `-`.
    pub name: &'a str,
    /// Its contents, or why there are none.
    pub module: Result<&'a Module, &'a ModuleFault>,
    /// Where its link would go, below `weak-updates/`.
    pub link: PathBuf,
    /// Where its link would point.
    pub target: PathBuf,
}

/// The modules that one package has for one kernel release.
#[derive(Clone, Debug)]
pub struct Kmp<'a> {
    /// Its driver's name, which all versions have in common: the package's, where that is not named for a kernel.
    pub package: &'a str,
    /// The flavour that it serves.
    pub flavour: Option<&'a str>,
    /// The kernel release that its modules are installed for.
    pub origin: &'a str,
    /// Its modules.
    pub modules: Vec<PlannedModule<'a>>,
    /// Why it cannot be linked at all, if so: a module that is not on disk, for example.
    pub broken: Option<&'a str>,
    /// Why it is not known whether it can be linked, if so: not all of it could be found.
    pub unread: Option<&'a str>,
    /// Into which kernels it is to be linked, if that is not left to what it fits.
    pub wish: Wish,
}

/// A module that a kernel has in its own directory and that is not in-tree.
#[derive(Clone, Debug)]
pub struct Native<'a> {
    /// By its file, `_` for `-`.
    pub name: &'a str,
    /// Its contents, or why there are none.
    pub module: Result<&'a Module, &'a ModuleFault>,
    /// The package (an index into the list of KMPs) that owns it.
    pub kmp: Option<KmpId>,
}

/// A kernel and what is there besides the packages to be linked.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Names of its in-tree modules; `None`: not known.
    pub in_tree: Option<&'a HashSet<Box<str>>>,
    /// Its own third-party modules, in depmod's order: of two with one name the first is the one loaded.
    pub natives: Vec<Native<'a>>,
    /// Names (`_` for `-`) that are taken by what is there and neither a KMP's nor a native driver, and what it is.
    pub foreign: Vec<(Box<str>, String)>,
    /// Names of modules that are loaded from the kernel's own tree even where they are linked.
    pub inert: HashSet<&'a str>,
    /// Is a KMP not linked where an in-tree module would then no longer load? By the dialect.
    pub spares_in_tree: bool,
    /// For the name of an in-tree module that exports symbols: the in-tree modules that use them.
    pub users: HashMap<&'a str, Vec<(&'a str, &'a Module)>>,
    /// What could not be read, and the links that there are.
    pub held: Held<'a>,
}

/// What becomes of one KMP in one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The kernel has it in its own directory.
    Native,
    /// It is to be linked.
    Link,
    /// It serves kernels of another flavour.
    OtherFlavour,
    /// Another version of the same package (an index into the list of KMPs) serves this kernel.
    Superseded(KmpId),
    /// A module of that name is there already: the kernel's own, another package's, or somebody's link.
    Clash {
        /// The module's name.
        module: Box<str>,
        /// Whose it is.
        with: String,
    },
    /// It would not load.
    DoesNotFit,
    /// Something could not be read: it is not known whether it would load. The links of its package stay as they are.
    Unknown,
    /// It cannot be linked anywhere.
    Broken,
    /// It is not to be linked into this kernel, and who says so.
    Declined(String),
}

/// The plan for one kernel.
#[derive(Clone, Debug, Default)]
pub struct KernelPlan {
    /// The links below `weak-updates/`: path, target, and the KMP they belong to.
    pub links: BTreeMap<PathBuf, (PathBuf, KmpId)>,
    /// For each KMP, in the order of the list.
    pub decisions: List<KmpId, Decision>,
    /// For each KMP, the verdicts on its modules, in their order: of those that are native or linked as
    /// they are there, of others as they would be in place of what is. Empty for other flavours.
    pub verdicts: List<KmpId, Vec<Verdict>>,
    /// The verdicts on the kernel's own third-party modules.
    pub natives: Vec<Verdict>,
}

impl KernelPlan {
    /// The KMPs that are to be linked.
    pub fn chosen(&self) -> Vec<KmpId> {
        self.decisions.ids().filter(|k| self.decisions[*k] == Decision::Link).collect()
    }
}

/// Module names that are taken: by whom, in words, and by which package.
struct Taken<'t>(HashMap<&'t str, (String, Option<&'t str>)>);

impl<'t> Taken<'t> {
    fn take(&mut self, kmp: &Kmp<'t>) {
        let owner = || (format!("package {}", kmp.package), Some(kmp.package));
        self.0.extend(kmp.modules.iter().map(|m| (m.name, owner())));
    }

    /// A module of `kmp` of which somebody else, or the KMP itself, has the name: the name, and who has it.
    fn clash(&self, kmp: &Kmp<'_>) -> Option<(Box<str>, String)> {
        let mut own = HashSet::new();
        kmp.modules.iter().find_map(|m| {
            let other = self.0.get(m.name).filter(|(_, package)| *package != Some(kmp.package));
            let with = other.map(|(with, _)| with.clone());
            let with =
                with.or_else(|| (!own.insert(m.name)).then(|| "another of the same package".into()))?;
            Some((m.name.into(), with))
        })
    }
}

impl Site<'_> {
    /// Decides for this kernel. `kmps` is sorted by driver, the version first that is tried first.
    pub fn plan(&self, kmps: &List<KmpId, Kmp<'_>>) -> KernelPlan {
        let mut held = held::Packages::new();
        let mut plan = self.plan_all(kmps);
        loop {
            let more = plan.unknown(kmps, &held);
            if more.is_empty() {
                return plan;
            }
            held.extend(more);
            plan = self.without(kmps, &held).plan_all(kmps);
            plan.keep(self, kmps, &held);
        }
    }

    /// Decides for all packages but those that are held.
    fn plan_all(&self, kmps: &List<KmpId, Kmp<'_>>) -> KernelPlan {
        let native_package: HashMap<&str, KmpId> =
            self.natives.iter().filter_map(|n| n.kmp).map(|k| (kmps[k].package, k)).collect();
        let mut failed: HashMap<KmpId, Vec<Verdict>> = HashMap::new();
        let all = All::of(kmps);
        let (mut chosen, mut verdicts) = loop {
            let chosen = self.choose(kmps, &native_package, &failed);
            let mut verdicts = self.judge(kmps, &chosen);
            let failing = |k: &KmpId| verdicts.kmps[k].iter().any(|v| !v.fits());
            let losers: Vec<KmpId> = chosen.iter().copied().filter(failing).collect();
            if losers.is_empty() {
                break (chosen, verdicts);
            }
            for kmp in losers {
                failed.insert(kmp, verdicts.kmps.remove(&kmp).unwrap_or_default());
            }
        };
        // Where nothing has failed or clashed, they are not needed.
        let groups = LazyCell::new(|| Groups::of(self, kmps));
        let again = Self::failed_for_others(kmps, &all, &native_package, &failed);
        if !again.is_empty() {
            self.take_back(kmps, &groups, again, &mut chosen, &mut verdicts, &mut failed);
        }
        let mut taken = self.taken();
        let candidates: Vec<KmpId> = kmps
            .ids()
            .filter(|k| !native_package.contains_key(kmps[*k].package) && self.may_be_linked(&kmps[*k]))
            .filter(|k| taken.clash(&kmps[*k]).is_none())
            .collect();
        let better = (!Search::are_newest(kmps, &candidates, &chosen))
            .then(|| Search::new(self, kmps, &all, &groups).better(&candidates, &chosen, &failed))
            .flatten();
        if let Some(better) = better {
            verdicts = self.judge(kmps, &better);
            chosen = better;
            // What failed beside others may fit beside these, or fail for other reasons.
            let beside = self.beside(kmps, &chosen);
            failed = failed
                .into_keys()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(|k| (k, beside.instead(k)))
                .collect();
            failed.retain(|_, verdicts| !verdicts.iter().all(Verdict::fits));
        }
        chosen.iter().for_each(|k| taken.take(&kmps[*k]));

        let mut plan = KernelPlan {
            links: BTreeMap::new(),
            decisions: List::new(),
            verdicts: List::new(),
            natives: Vec::new(),
        };
        let of_natives: HashMap<(KmpId, &str), &Verdict> = self
            .natives
            .iter()
            .zip(&verdicts.natives)
            .filter_map(|(native, verdict)| Some(((native.kmp?, native.name), verdict)))
            .collect();
        let holder: HashMap<&str, KmpId> = native_package
            .iter()
            .map(|(p, k)| (*p, *k))
            .chain(chosen.iter().map(|k| (kmps[*k].package, *k)))
            .collect();
        let beside = self.beside(kmps, &chosen);
        let chosen: HashSet<KmpId> = chosen.into_iter().collect();
        // An older version that is linked in its place is not why a newer one is not.
        let is_left_out = |index: KmpId| {
            holder.get(kmps[index].package).is_none_or(|by| *by > index && chosen.contains(by))
        };
        for (index, kmp) in kmps.each() {
            let decision = if self.is_native(kmp) {
                Decision::Native
            } else if !serves(kmp.flavour, &self.kernel.release) {
                Decision::OtherFlavour
            } else if kmp.broken.is_some() {
                Decision::Broken
            } else if let Some(why) = self.declined(kmp) {
                Decision::Declined(why)
            } else if chosen.contains(&index) {
                Decision::Link
            } else if failed.contains_key(&index) {
                Decision::DoesNotFit
            } else if let Some((module, with)) = is_left_out(index).then(|| taken.clash(kmp)).flatten() {
                Decision::Clash { module, with }
            } else if let Some(by) = holder.get(kmp.package) {
                Decision::Superseded(*by)
            } else {
                Decision::DoesNotFit
            };
            let verdict = match &decision {
                Decision::OtherFlavour => Vec::new(),
                Decision::Native => self.native_verdicts(kmp, index, &of_natives),
                Decision::Link => verdicts.kmps.remove(&index).unwrap_or_default(),
                Decision::DoesNotFit => {
                    let known = failed.remove(&index);
                    known.unwrap_or_else(|| beside.why_left_out(index))
                }
                _ => beside.instead(index),
            };
            let decision = match decision {
                Decision::DoesNotFit if is_unknown(&verdict) => Decision::Unknown,
                decision => decision,
            };
            if decision == Decision::Link {
                for module in &kmp.modules {
                    plan.links.insert(module.link.clone(), (module.target.clone(), index));
                }
            }
            plan.decisions.push(decision);
            plan.verdicts.push(verdict);
        }
        plan.natives = verdicts.natives;
        plan
    }

    fn is_native(&self, kmp: &Kmp<'_>) -> bool {
        kmp.origin == self.kernel.release
    }

    /// What failed for the sake of others that may have given way themselves since.
    fn failed_for_others(
        kmps: &List<KmpId, Kmp<'_>>,
        all: &All<'_>,
        native_package: &HashMap<&str, KmpId>,
        failed: &HashMap<KmpId, Vec<Verdict>>,
    ) -> Vec<KmpId> {
        let mut again: Vec<KmpId> = failed
            .iter()
            .filter(|(k, _)| !native_package.contains_key(kmps[**k].package))
            .filter(|(k, verdicts)| {
                let mut each = kmps[**k].modules.iter().zip(*verdicts);
                each.all(|(m, v)| v.reasons.iter().all(|r| all.may_settle(m, r)))
            })
            .map(|(k, _)| *k)
            .collect();
        again.sort_unstable();
        again
    }

    /// Tries again what failed for the sake of others: it is taken where it fits beside all that is chosen, or in place of an
    /// older version.
    fn take_back(
        &self,
        kmps: &List<KmpId, Kmp<'_>>,
        groups: &Groups,
        again: Vec<KmpId>,
        chosen: &mut Vec<KmpId>,
        verdicts: &mut Judged,
        failed: &mut HashMap<KmpId, Vec<Verdict>>,
    ) {
        let left = Allowance::of(self, kmps);
        let mut all = groups.sorted(chosen.iter().copied());
        for (group, again) in groups.sorted(again) {
            let natives = groups.natives(group);
            let chosen = all.entry(group).or_default();
            let mut at = 0;
            while let Some(index) = again.get(at).copied() {
                at += 1;
                if !left.take(natives.len() + modules(kmps, chosen.iter().chain([&index]))) {
                    break;
                }
                let Some(set) = with(kmps, chosen, index) else { continue };
                let judged = self.judge_with(kmps, natives, &set);
                if judged.kmps.values().flatten().all(Verdict::fits) {
                    chosen.iter().for_each(|k| drop(verdicts.kmps.remove(k)));
                    verdicts.kmps.extend(judged.kmps);
                    natives
                        .iter()
                        .zip(judged.natives)
                        .for_each(|(n, verdict)| verdicts.natives[*n] = verdict);
                    let package = kmps[index].package;
                    let versions = kmps.ids().skip(index.place()).take_while(|k| kmps[*k].package == package);
                    versions.for_each(|k| drop(failed.remove(&k)));
                    *chosen = set;
                    // Others may need it.
                    at = 0;
                }
            }
        }
        *chosen = all.into_values().flatten().collect();
        chosen.sort_unstable();
    }

    fn declined(&self, kmp: &Kmp<'_>) -> Option<String> {
        kmp.wish.against(&self.kernel.release)
    }

    fn may_be_linked(&self, kmp: &Kmp<'_>) -> bool {
        kmp.broken.is_none()
            && self.declined(kmp).is_none()
            && !self.held.packages.contains(kmp.package)
            && !kmp.modules.is_empty()
            && !self.is_native(kmp)
            && serves(kmp.flavour, &self.kernel.release)
    }

    /// Names that no package can have: those of the kernel's own modules, and of somebody's files.
    fn taken(&self) -> Taken<'_> {
        let foreign = self.foreign.iter().map(|(name, what)| (&**name, what.as_str()));
        let own = self.own_natives();
        let natives = self.natives.iter().enumerate().map(|(at, native)| {
            (native.name, if at < own { "the kernel's own module" } else { "a link that stays as it is" })
        });
        // What is foreign is said in more words.
        Taken(natives.chain(foreign).map(|(name, with)| (name, (with.into(), None))).collect())
    }

    /// The newest version of each package that has not failed and takes no other's module names.
    fn choose<'k>(
        &'k self,
        kmps: &'k List<KmpId, Kmp<'_>>,
        native_package: &HashMap<&str, KmpId>,
        failed: &HashMap<KmpId, Vec<Verdict>>,
    ) -> Vec<KmpId> {
        let mut taken = self.taken();
        let mut chosen = Vec::new();
        let mut served: HashSet<&str> = native_package.keys().copied().collect();
        for (index, kmp) in kmps.each() {
            if served.contains(kmp.package) || failed.contains_key(&index) || !self.may_be_linked(kmp) {
                continue;
            }
            if taken.clash(kmp).is_none() {
                taken.take(kmp);
                served.insert(kmp.package);
                chosen.push(index);
            }
        }
        chosen
    }

    /// Judges the modules of KMPs with all of the kernel's own.
    fn judge(&self, kmps: &List<KmpId, Kmp<'_>>, chosen: &[KmpId]) -> Judged {
        self.judge_with(kmps, &(0..self.natives.len()).collect::<Vec<_>>(), chosen)
    }

    /// Judges the modules of KMPs with some of the kernel's own.
    fn judge_with(&self, kmps: &List<KmpId, Kmp<'_>>, natives: &[usize], chosen: &[KmpId]) -> Judged {
        let own = natives.iter().map(|n| &self.natives[*n]).map(|n| (n.name, n.module));
        let linked = chosen.iter().flat_map(|k| kmps[*k].modules.iter().map(|m| (m.name, m.module)));
        let mut verdicts = self.judge_modules(own.chain(linked)).into_iter();
        let natives = verdicts.by_ref().take(natives.len()).collect();
        let of_kmp = |k: &KmpId| {
            let mut own = verdicts.by_ref().take(kmps[*k].modules.len()).collect::<Vec<_>>();
            self.weigh_breaks(&mut own);
            kmps[*k].add_unread(&mut own);
            (*k, own)
        };
        Judged { natives, kmps: chosen.iter().map(of_kmp).collect() }
    }

    /// Whether what KMPs break is a reason against linking them.
    fn weigh_breaks(&self, verdicts: &mut [Verdict]) {
        if self.spares_in_tree {
            verdicts.iter_mut().for_each(Verdict::refuse_breaks);
        }
    }

    /// How many of the natives are not held links.
    fn own_natives(&self) -> usize {
        self.natives.len() - self.held.beside
    }

    /// Judges modules together in this kernel, in-tree users of what they replace included.
    pub fn judge_modules<'m>(
        &self,
        modules: impl Iterator<Item = (&'m str, Result<&'m Module, &'m ModuleFault>)>,
    ) -> Vec<Verdict> {
        self.judge_from(&modules.collect::<Vec<_>>(), 0)
    }

    /// The verdicts on `modules` but the first `skip`, which are only beside them.
    fn judge_from<'m>(
        &self,
        modules: &[(&'m str, Result<&'m Module, &'m ModuleFault>)],
        skip: usize,
    ) -> Vec<Verdict> {
        if let Some(why) = &self.held.kernel {
            return modules.iter().skip(skip).map(|_| Verdict::unknown(why)).collect();
        }
        let (world, places) = self.world(modules);
        let mut verdicts = world.judge_only(places[skip..].iter().copied().flatten());
        let wanted = places.iter().zip(modules).skip(skip);
        wanted
            .map(|(place, (_, module))| match (place, module) {
                (Some(at), _) => std::mem::take(&mut verdicts[*at]),
                (None, Err(why)) => Verdict::of_fault(why),
                (None, Ok(_)) => Verdict::default(),
            })
            .collect()
    }

    /// The world in which `modules` are judged, and where each of them is in its set; unreadable modules
    /// are in none.
    pub fn world<'m>(
        &'m self,
        modules: &[(&'m str, Result<&'m Module, &'m ModuleFault>)],
    ) -> (World<'m>, Vec<Option<usize>>) {
        steps::count(modules.len());
        let natives: HashSet<&str> = self.natives[..self.own_natives()].iter().map(|n| n.name).collect();
        let mut set = Vec::with_capacity(modules.len());
        let mut places = Vec::with_capacity(modules.len());
        for (name, module) in modules {
            places.push(module.is_ok().then_some(set.len()));
            if let Ok(module) = module {
                let is_inert = self.inert.contains(name) && !natives.contains(name);
                let role = if is_inert { Role::Inert } else { Role::Judged };
                set.push(Candidate { name, module, role });
            }
        }
        let mut names: HashSet<&str> = set.iter().map(|c| c.name).collect();
        let replacing: Vec<&str> = set.iter().filter(|c| c.role == Role::Judged).map(|c| c.name).collect();
        for name in replacing {
            for (user, module) in self.users.get(name).into_iter().flatten() {
                if names.insert(user) {
                    set.push(Candidate { name: user, module, role: Role::InTreeUser });
                }
            }
        }
        if self.held.incomplete {
            set.push(Candidate { name: "", module: unread(), role: Role::Unread });
        }
        (World::new(self.kernel, self.in_tree, set), places)
    }

    /// `of_natives`: by package and name, so that many packages do not each go through all of the kernel's own modules.
    fn native_verdicts(
        &self,
        kmp: &Kmp<'_>,
        index: KmpId,
        of_natives: &HashMap<(KmpId, &str), &Verdict>,
    ) -> Vec<Verdict> {
        let unseen = || self.held.kernel.as_ref().map_or_else(Verdict::default, Verdict::unknown);
        let mut verdicts: Vec<Verdict> = kmp
            .modules
            .iter()
            .map(|m| of_natives.get(&(index, m.name)).map_or_else(unseen, |v| (*v).clone()))
            .collect();
        kmp.add_unread(&mut verdicts);
        verdicts
    }
}

impl Kmp<'_> {
    /// Where not all of it was found, nothing is known of what was, unless that is refused.
    fn add_unread(&self, verdicts: &mut [Verdict]) {
        if let Some(why) = self.unread {
            verdicts.iter_mut().for_each(|v| v.reasons.push(Reason::new(Rule::Unread, why)));
        }
    }
}

/// A module about which nothing is known.
fn unread() -> &'static Module {
    static UNREAD: OnceLock<Module> = OnceLock::new();
    UNREAD.get_or_init(|| Module::declared([], []))
}

/// How many modules some KMPs have.
fn modules<'k>(kmps: &List<KmpId, Kmp<'_>>, of: impl IntoIterator<Item = &'k KmpId>) -> usize {
    of.into_iter().map(|k| kmps[*k].modules.len()).sum()
}

/// `chosen` with the KMP `index`, which may take an older version's place; `None` where a newer one is chosen or names clash.
fn with(kmps: &List<KmpId, Kmp<'_>>, chosen: &[KmpId], index: KmpId) -> Option<Vec<KmpId>> {
    let kmp = &kmps[index];
    if chosen.iter().any(|c| kmps[*c].package == kmp.package && *c <= index) {
        return None;
    }
    let own: HashSet<&str> = kmp.modules.iter().map(|m| m.name).collect();
    let mut set: Vec<KmpId> = chosen.iter().copied().filter(|c| kmps[*c].package != kmp.package).collect();
    if set.iter().flat_map(|c| &kmps[*c].modules).any(|m| own.contains(m.name)) {
        return None;
    }
    set.push(index);
    set.sort_unstable();
    Some(set)
}

struct Judged {
    natives: Vec<Verdict>,
    kmps: HashMap<KmpId, Vec<Verdict>>,
}

/// What all packages have, chosen or not.
struct All<'a> {
    /// Names of their modules.
    names: HashSet<&'a str>,
    /// For a symbol: the KMPs that export it.
    offered_by: HashMap<&'a str, Vec<KmpId>>,
}

impl<'a> All<'a> {
    fn of(kmps: &'a List<KmpId, Kmp<'a>>) -> Self {
        let mut all = Self { names: HashSet::new(), offered_by: HashMap::new() };
        for (index, kmp) in kmps.each() {
            for module in &kmp.modules {
                all.names.insert(module.name);
                for offer in module.module.iter().flat_map(|m| &m.offers) {
                    all.offered_by.entry(&offer.symbol).or_default().push(index);
                }
            }
        }
        all
    }

    /// May a reason against `module` be gone in another set of packages?
    fn may_settle(&self, module: &PlannedModule<'_>, reason: &Reason) -> bool {
        let exporter = reason.exporter.as_deref().unwrap_or("");
        let by_symbol = || {
            reason.symbol.as_deref().is_some_and(|s| self.offered_by.contains_key(s))
                || self.names.contains(name::of_exporter(exporter).as_str())
        };
        // What the kernel image exports is there in any set.
        let by_exporter = || exporter != "vmlinux" && by_symbol();
        match reason.rule.row().settled {
            Settled::Never => false,
            Settled::ByOthers => true,
            Settled::BySymbol => by_symbol(),
            Settled::ByExporter => by_exporter(),
            Settled::ByLicence => module.module.is_ok_and(Module::is_gpl) || by_exporter(),
        }
    }
}

#[cfg(test)]
mod tests;
