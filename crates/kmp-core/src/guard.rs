//! Which drivers an rpm transaction would lose. Pure.
//!
//! A driver is lost
//! * when a KMP works with a kernel now (the running one, or the newest of its flavour) and no version of
//!   it, installed or coming, would work with a kernel that comes;
//! * when the transaction takes away or replaces the only version that works with a kernel that stays.
//!
//! Removing every version of a package, with nothing coming in its place, is what somebody wants, and no
//! loss; so is a module that no package owns: who built it builds it anew. Only what is found counts: what cannot be judged (a version that is not known, a module that
//! cannot be read) is no loss, either.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

use crate::abi::{Kernel, Malformed, Module, Reason, Rule, Verdict};
use crate::inventory::{Conventions, Package};
use crate::plan::{Decision, KernelPlan, Kmp, Native, PlannedModule, Site};
use crate::root::Root;
use crate::survey::{Survey, SurveyedKernel};

/// A kernel that a transaction brings.
#[derive(Debug)]
pub struct IncomingKernel {
    /// What is known of it.
    pub kernel: Kernel,
    /// Names of its in-tree modules (`_` for `-`), by the packages' file lists.
    pub in_tree: HashSet<Box<str>>,
}

/// A module that a package brings.
#[derive(Debug)]
pub struct IncomingModule {
    /// By its file, `_` for `-`.
    pub name: Box<str>,
    /// Where it is going to be.
    pub path: PathBuf,
    /// Its contents, or why there are none.
    pub module: Result<Module, Malformed>,
}

/// The modules that a package which comes has for one release.
#[derive(Debug)]
pub struct IncomingKmp {
    /// The package.
    pub package: Package,
    /// The package's file, where that is known.
    pub file: Option<PathBuf>,
    /// The release.
    pub origin: String,
    /// Its modules.
    pub modules: Vec<IncomingModule>,
}

/// A transaction, as far as it concerns kernels and drivers.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Kernels that come, once each.
    pub kernels: Vec<IncomingKernel>,
    /// KMPs that come.
    pub kmps: Vec<IncomingKmp>,
    /// Packages that go, by their instance in the database.
    pub removed: BTreeSet<u32>,
    /// Those of them that something takes the place of (an upgrade, an obsoletes).
    pub replaced: BTreeSet<u32>,
    /// Releases whose kernels go.
    pub removed_kernels: BTreeSet<String>,
}

/// A driver that would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The package's name.
    pub package: String,
    /// NAME-VERSION-RELEASE of the version that works now.
    pub nvr: String,
    /// Its modules that the kernel would be without.
    pub modules: Vec<String>,
    /// The kernel.
    pub kernel: String,
    /// Does the kernel come with this transaction?
    pub kernel_is_new: bool,
    /// Why the newest version that there would be does not work; empty where none would be left.
    pub reasons: Vec<Reason>,
}

/// How many symbols a message names.
const NAMED: usize = 3;

impl Lost {
    /// One line for people: which driver, which kernel, the first reasons, and how many more. `loaded`: one
    /// of its modules is in use now.
    pub fn line(&self, loaded: bool) -> String {
        let mut modules = self.modules.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if self.modules.len() > NAMED {
            modules = format!("{modules} and {} more", self.modules.len() - NAMED);
        }
        let used = if loaded { ", loaded now" } else { "" };
        let new = if self.kernel_is_new { "the new kernel" } else { "kernel" };
        let head = format!("{} ({modules}{used})", self.nvr);
        if self.reasons.is_empty() {
            return format!("{head}: nothing would be left of it for {new} {}", self.kernel);
        }
        let first: Vec<&str> = self.reasons.iter().take(NAMED).map(|r| r.detail.as_str()).collect();
        let more = match self.reasons.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        format!("{head} does not work with {new} {}: {}{more}", self.kernel, first.join("; "))
    }

    /// The way out, for people.
    pub fn advice(&self) -> String {
        let what = match self.kernel_is_new {
            true => format!(
                "install a {} built for it in the same transaction, or keep the old kernel",
                self.package
            ),
            false => format!("keep {}", self.nvr),
        };
        format!("{what}; KMP_POLICY=warn goes on without the driver")
    }
}

/// Finds the drivers that `transaction` would lose. `running` is the running kernel's release; `compare`
/// is rpm's order of versions.
pub fn lost(
    root: &Root,
    survey: &Survey,
    transaction: &Transaction,
    running: Option<&str>,
    compare: &dyn Fn(&Package, &Package) -> Ordering,
    compare_releases: &dyn Fn(&str, &str) -> Ordering,
) -> Vec<Lost> {
    let after = After::new(survey, transaction, compare);
    let before = survey.kmps();
    let dialect = survey.inventory.conventions.dialect;
    let mut result = Vec::new();

    // What works with the running kernel, or with the newest one of its flavour.
    let mut working: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, kmp) in before.iter().enumerate() {
        // Who built a module that no package has builds it for a new kernel, too.
        if !survey.inventory.kmps[index].is_packaged() {
            continue;
        }
        let serves = |k: &&SurveyedKernel| dialect.is_missed(kmp.flavour, kmp.origin, &k.kernel.release);
        let by_release =
            |a: &&SurveyedKernel, b: &&SurveyedKernel| compare_releases(&a.kernel.release, &b.kernel.release);
        let newest = survey.kernels.iter().filter(serves).max_by(by_release);
        let running = survey.kernels.iter().find(|k| Some(k.kernel.release.as_str()) == running);
        if newest.into_iter().chain(running).any(|k| works(&k.plan, index)) {
            working.entry(kmp.package).or_insert(index);
        }
    }
    for incoming in &transaction.kernels {
        let site = after.incoming_site(incoming);
        let plan = site.plan(&after.kmps);
        let there = after.there(&site, &plan);
        for (&package, &index) in &working {
            let kmp = &before[index];
            let is_missed = dialect.is_missed(kmp.flavour, kmp.origin, &incoming.kernel.release);
            if is_missed && !after.is_wanted_gone(package) {
                result.extend(after.missing(survey, index, &there, &plan, true));
            }
        }
    }
    for surveyed in &survey.kernels {
        let release = surveyed.kernel.release.as_str();
        let comes_anew = transaction.kernels.iter().any(|k| k.kernel.release == release);
        if transaction.removed_kernels.contains(release) && !comes_anew {
            continue;
        }
        let new = transaction.kernels.iter().find(|k| k.kernel.release == release);
        let site = match new {
            Some(incoming) => after.incoming_site(incoming),
            None => after.staying_site(survey.site_of(root, surveyed)),
        };
        let plan = site.plan(&after.kmps);
        let there = after.there(&site, &plan);
        for index in (0..before.len()).filter(|i| works(&surveyed.plan, *i)) {
            let is_packaged = survey.inventory.kmps[index].is_packaged();
            if is_packaged && !after.is_wanted_gone(before[index].package) {
                result.extend(after.missing(survey, index, &there, &plan, new.is_some()));
            }
        }
    }
    result.sort_by(|a, b| (&a.package, &a.kernel).cmp(&(&b.package, &b.kernel)));
    result.dedup_by(|a, b| (&a.package, &a.kernel) == (&b.package, &b.kernel));
    result
}

/// A KMP: an installed one (an index into the inventory's), or one that comes (an index into the
/// transaction's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is there.
    Installed(usize),
    /// It comes.
    Incoming(usize),
}

/// What the judge says of one KMP's modules in one kernel.
#[derive(Clone, Debug)]
pub struct PackageVerdicts {
    /// The kernel's release.
    pub release: String,
    /// The KMP.
    pub kmp: Source,
    /// Module by module.
    pub verdicts: Vec<Verdict>,
}

/// A module that a kernel has or is to have, by its name.
pub type Present<'m> = (&'m str, Result<&'m Module, &'m Malformed>);

/// Judges what comes as if it were installed: the KMPs that come against every surveyed kernel, and the
/// kernels that come (but those that `chosen` declines) against every KMP. A KMP is judged for kernels of
/// its flavour only, unless `any_flavour`. `kernel` is called for each such kernel that comes, with the
/// third-party modules that it would have.
pub fn preview(
    root: &Root,
    survey: &Survey,
    transaction: &Transaction,
    compare: &dyn Fn(&Package, &Package) -> Ordering,
    chosen: &dyn Fn(&str) -> bool,
    any_flavour: bool,
    kernel: &mut dyn FnMut(&Site<'_>, &[Present<'_>]),
) -> Vec<PackageVerdicts> {
    let after = After::new(survey, transaction, compare);
    let mut result = Vec::new();
    let mut judge = |site: &Site<'_>, plan: &KernelPlan, is_asked: &dyn Fn(Source) -> bool| {
        let beside = site.beside(&after.kmps, &plan.chosen());
        for (index, source) in after.sources.iter().enumerate().filter(|(_, s)| is_asked(**s)) {
            let mut verdicts = plan.verdicts[index].clone();
            if verdicts.is_empty() && any_flavour {
                verdicts = beside.instead(index);
            }
            if !verdicts.is_empty() {
                let release = site.kernel.release.clone();
                result.push(PackageVerdicts { release, kmp: *source, verdicts });
            }
        }
    };
    let comes = |release: &str| transaction.kernels.iter().any(|k| k.kernel.release == release);
    for surveyed in survey.kernels.iter().filter(|k| !comes(&k.kernel.release)) {
        let site = after.staying_site(survey.site_of(root, surveyed));
        judge(&site, &site.plan(&after.kmps), &|source| matches!(source, Source::Incoming(_)));
    }
    for incoming in transaction.kernels.iter().filter(|k| chosen(&k.kernel.release)) {
        let site = after.incoming_site(incoming);
        let plan = site.plan(&after.kmps);
        judge(&site, &plan, &|_| true);
        let linked = plan.chosen().into_iter().flat_map(|k| &after.kmps[k].modules);
        let natives = site.natives.iter().map(|n| (n.name, n.module));
        kernel(&site, &natives.chain(linked.map(|m| (m.name, m.module))).collect::<Vec<_>>());
    }
    result
}

/// Is it there, and does it load?
fn works(plan: &KernelPlan, kmp: usize) -> bool {
    matches!(plan.decisions[kmp], Decision::Native | Decision::Link)
        && plan.verdicts[kmp].iter().all(|v| v.fits())
}

/// Of a package that comes; such a one works with the kernel that it was built for only.
const NOT_ELIGIBLE: &str = "none of its modules is in a directory whose modules are linked";

/// What there will be.
struct After<'a> {
    kmps: Vec<Kmp<'a>>,
    sources: Vec<Source>,
    /// The KMPs of each package.
    versions: HashMap<&'a str, Vec<usize>>,
    /// From the index in the survey's list, for those that stay.
    stays: HashMap<usize, usize>,
    wanted_gone: HashSet<&'a str>,
    conventions: &'a Conventions,
}

/// What one kernel is left with.
struct There<'s> {
    kernel: String,
    /// Names of modules that work.
    modules: HashSet<&'s str>,
    /// Packages of which a version works.
    packages: HashSet<&'s str>,
}

impl<'a> After<'a> {
    fn new(
        survey: &'a Survey,
        transaction: &'a Transaction,
        compare: &dyn Fn(&Package, &Package) -> Ordering,
    ) -> Self {
        let installed = &survey.inventory.kmps;
        let (dirs, dialect) = (&survey.inventory.dirs, survey.inventory.conventions.dialect);
        let is_eligible = |module: &IncomingModule| {
            let below = dirs.canonical(&module.path).and_then(|path| dirs.split(&path));
            below.is_none_or(|(_, below)| dialect.is_eligible(&below))
        };
        let mut all: Vec<(&Package, Source, Kmp<'a>)> = survey
            .kmps()
            .into_iter()
            .enumerate()
            .filter(|(i, _)| !transaction.removed.contains(&installed[*i].package.instance))
            .map(|(i, kmp)| (&installed[i].package, Source::Installed(i), kmp))
            .collect();
        all.extend(transaction.kmps.iter().enumerate().map(|(i, kmp)| {
            let modules = kmp.modules.iter().map(|m| PlannedModule {
                name: &m.name,
                module: m.module.as_ref(),
                link: (&*m.name).into(),
                target: m.path.clone(),
            });
            let planned = Kmp {
                package: &kmp.package.name,
                flavour: dialect.flavour(&kmp.package.name, &kmp.origin),
                origin: &kmp.origin,
                modules: modules.collect(),
                broken: (!kmp.modules.iter().any(is_eligible)).then_some(NOT_ELIGIBLE),
            };
            (&kmp.package, Source::Incoming(i), planned)
        }));
        all.sort_by(|a, b| a.0.name.cmp(&b.0.name).then_with(|| compare(b.0, a.0)));

        let left: HashSet<&str> = all.iter().map(|(p, ..)| p.name.as_str()).collect();
        let gone = installed.iter().filter(|k| transaction.removed.contains(&k.package.instance));
        let (replaced, erased): (Vec<_>, Vec<_>) =
            gone.partition(|k| transaction.replaced.contains(&k.package.instance));
        let replaced: HashSet<&str> = replaced.iter().map(|k| k.package.name.as_str()).collect();
        let wanted_gone = erased
            .iter()
            .map(|k| k.package.name.as_str())
            .filter(|name| !left.contains(name) && !replaced.contains(name))
            .collect();
        let stays = all.iter().enumerate().filter_map(|(new, (_, source, _))| match source {
            Source::Installed(old) => Some((*old, new)),
            Source::Incoming(_) => None,
        });
        let stays = stays.collect();
        let (sources, kmps): (_, Vec<Kmp<'a>>) =
            all.into_iter().map(|(_, source, kmp)| (source, kmp)).unzip();
        let mut versions: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, kmp) in kmps.iter().enumerate() {
            versions.entry(kmp.package).or_default().push(index);
        }
        Self { kmps, sources, versions, stays, wanted_gone, conventions: &survey.inventory.conventions }
    }

    /// Is every version erased, with nothing in its place?
    fn is_wanted_gone(&self, package: &str) -> bool {
        self.wanted_gone.contains(package)
    }

    /// The modules that KMPs have for a release of their own.
    fn natives(&self, release: &str, from: impl Fn(usize) -> bool) -> Vec<Native<'a>> {
        let of_release = self.kmps.iter().enumerate().filter(|(i, k)| k.origin == release && from(*i));
        of_release
            .flat_map(|(i, k)| {
                k.modules.iter().map(move |m| Native { name: m.name, module: m.module, kmp: Some(i) })
            })
            .collect()
    }

    fn incoming_site<'s>(&self, incoming: &'s IncomingKernel) -> Site<'s>
    where
        'a: 's,
    {
        Site {
            kernel: &incoming.kernel,
            in_tree: (!incoming.in_tree.is_empty()).then_some(&incoming.in_tree),
            natives: self.natives(&incoming.kernel.release, |_| true),
            foreign: Vec::new(),
            inert: self.inert(Some(&incoming.in_tree), &incoming.kernel.release),
            users: HashMap::new(),
        }
    }

    /// The site without what goes, and with the native modules that come.
    fn staying_site<'s>(&self, site: Site<'s>) -> Site<'s>
    where
        'a: 's,
    {
        let old = site.natives.iter().filter_map(|native| match native.kmp {
            None => Some(native.clone()),
            Some(kmp) => {
                let kmp = *self.stays.get(&kmp)?;
                Some(Native { kmp: Some(kmp), ..native.clone() })
            }
        });
        let mut natives: Vec<Native<'s>> = old.collect();
        let known: HashSet<usize> = self.stays.values().copied().collect();
        natives.extend(self.natives(&site.kernel.release, |i| !known.contains(&i)));
        Site { natives, inert: self.inert(site.in_tree, &site.kernel.release), ..site }
    }

    /// Names of linked modules that are loaded from the kernel's own tree all the same.
    fn inert(&self, in_tree: Option<&HashSet<Box<str>>>, release: &str) -> HashSet<&'a str> {
        let names = self.kmps.iter().flat_map(|k| &k.modules).map(|m| m.name);
        names.filter(|n| in_tree.is_some_and(|t| self.conventions.is_inert(n, t, release))).collect()
    }

    /// What a plan leaves a kernel with.
    fn there<'s>(&'s self, site: &Site<'s>, plan: &KernelPlan) -> There<'s> {
        let working: Vec<&Kmp<'a>> =
            (0..self.kmps.len()).filter(|k| works(plan, *k)).map(|k| &self.kmps[k]).collect();
        let natives = site.natives.iter().zip(&plan.natives).filter(|(_, v)| v.fits()).map(|(n, _)| n.name);
        There {
            kernel: site.kernel.release.clone(),
            modules: working.iter().flat_map(|k| &k.modules).map(|m| m.name).chain(natives).collect(),
            packages: working.iter().map(|k| k.package).collect(),
        }
    }

    /// Is the driver of KMP `index` (of the survey's list) missing in a kernel's plan?
    fn missing(
        &self,
        survey: &Survey,
        index: usize,
        there: &There<'_>,
        plan: &KernelPlan,
        kernel_is_new: bool,
    ) -> Option<Lost> {
        let installed = &survey.inventory.kmps[index];
        let package = installed.package.name.as_str();
        // Whoever brings the module under its name brings the driver.
        let modules: Vec<String> = installed
            .modules
            .iter()
            .filter(|m| !there.modules.contains(&*m.name))
            .map(|m| m.name.to_string())
            .collect();
        if modules.is_empty() || there.packages.contains(package) {
            return None;
        }
        let versions = || self.versions.get(package).into_iter().flatten().copied();
        let reasons = |k: usize| plan.verdicts[k].iter().flat_map(|v| &v.reasons);
        // A version that may work, for all that is known, is not lost.
        let may_work = |k: usize| {
            let found = |r: &Reason| !matches!(r.rule, Rule::UnknownCrc | Rule::Malformed);
            !matches!(plan.decisions[k], Decision::OtherFlavour) && !reasons(k).any(found)
        };
        if versions().any(may_work) {
            return None;
        }
        let newest = versions().find(|k| reasons(*k).next().is_some());
        Some(Lost {
            package: package.into(),
            nvr: installed.package.nvr(),
            modules,
            kernel: there.kernel.clone(),
            kernel_is_new,
            reasons: newest.map(|k| reasons(k).cloned().collect()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests;
