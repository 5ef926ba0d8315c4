// SPDX-License-Identifier: LGPL-2.1-or-later
//! Stock taken, modules judged, links planned: all that can be said before anything is changed. Pure, but for `take.rs`, which
//! takes the stock.

mod explain;
mod standing;
mod take;

pub use explain::Explained;
pub use standing::{Place, Standing};

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::abi::signature::Signature;
use crate::abi::{Kernel, Module, ModuleFault, SymbolTable};
use crate::dialect::serves;
use crate::ids::{KmpId, List, ReleaseId};
use crate::inventory::{self, FoundModule, Inventory, LoadedModule, LoadedUsers, NoKernel, Release};
use crate::plan::{Decision, Held, KernelPlan, Kmp, Native, PlannedModule, Site};
use crate::problem::Problem;
use crate::workers::{self, Workers};

/// Which kernels are looked at.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these; empty: all.
    pub kernels: Vec<String>,
    /// This one is going: it counts as removed, though its files may still be there.
    pub going: Option<String>,
    /// Modules that are linked though by the dialect they would not be (in Red Hat's: outside `extra/`), by their
    /// paths below a release directory. For this run only: links to them are then left alone as somebody
    /// else's until their modules are gone.
    pub asked: Vec<PathBuf>,
    /// A kernel that comes is to be judged, too: KMPs are read even where none of the selected kernels is installed.
    pub kernel_comes: bool,
    /// What modules that come are signed with: they are to be judged, too.
    pub signatures: Vec<Signature>,
}

/// A kernel with what is known of it.
#[derive(Debug)]
pub struct SurveyedKernel {
    /// Index into [`Inventory::releases`].
    pub release: ReleaseId,
    /// The kernel.
    pub kernel: Arc<Kernel>,
    /// What it should have.
    pub plan: KernelPlan,
    /// What of it could not be read, if something: then nothing is judged, and all stays as it is.
    pub unread: Option<Problem>,
    own: Own,
}

impl SurveyedKernel {
    /// A kernel of which all was read, and nothing else is in its directory.
    pub fn of(release: ReleaseId, kernel: Arc<Kernel>) -> Self {
        Self { release, kernel, plan: KernelPlan::default(), unread: None, own: Own::default() }
    }
}

/// What else was read of a kernel's directory.
#[derive(Debug, Default)]
struct Own {
    /// By the name of a module that would be replaced: its in-tree users.
    users: LoadedUsers,
    /// Names that are taken, and by what: see [`Site::foreign`].
    foreign: Vec<(Box<str>, String)>,
    /// The links of KMPs: path below `weak-updates/`, target, and the KMP.
    links: Vec<(PathBuf, PathBuf, KmpId)>,
}

/// A root's inventory, with the plan for each selected kernel.
#[derive(Debug)]
pub struct Survey {
    /// What there is.
    pub inventory: Inventory,
    /// The selected kernels, in the order of versions.
    pub kernels: Vec<SurveyedKernel>,
    /// What was not taken into account, and why.
    pub problems: Vec<Problem>,
    modules: HashMap<PathBuf, LoadedModule>,
}

impl Survey {
    /// Judges and plans. `modules` has the contents of all that are to be judged.
    pub fn judged(
        inventory: Inventory,
        kernels: Vec<SurveyedKernel>,
        modules: HashMap<PathBuf, LoadedModule>,
        workers: &dyn Workers,
    ) -> Self {
        let mut survey = Self { inventory, kernels: Vec::new(), problems: Vec::new(), modules };
        let kmps = survey.kmps();
        let plans = workers::map(workers, &kernels, |kernel| survey.site_of(kernel).plan(&kmps));
        drop(kmps);
        let planned = kernels.into_iter().zip(plans).map(|(kernel, plan)| SurveyedKernel { plan, ..kernel });
        survey.kernels = planned.collect();
        survey
    }

    /// What the third-party modules that were read are signed with.
    pub fn signatures(&self) -> impl Iterator<Item = &Signature> {
        self.modules.values().filter_map(inventory::signature_of)
    }

    /// Could something not be read, so that not all is known?
    pub fn is_unread(&self) -> bool {
        self.problems.iter().any(|p| p.is_unread)
    }

    /// The KMPs of which it is not known whether a kernel should have them, and that it keeps as they are, each with a
    /// reason.
    pub fn unknown<'s>(&'s self, kernel: &'s SurveyedKernel) -> impl Iterator<Item = (KmpId, &'s str)> {
        let decisions = kernel.plan.decisions.each();
        decisions.filter(|(_, decision)| **decision == Decision::Unknown).map(|(k, _)| {
            let mut reasons = kernel.plan.verdicts[k].iter().flat_map(|v| &v.reasons);
            (k, reasons.next().map_or("not read", |r| r.detail.as_str()))
        })
    }

    /// The release directory of a surveyed kernel.
    pub fn release(&self, kernel: &SurveyedKernel) -> &Release {
        &self.inventory.releases[kernel.release]
    }

    /// Is there a kernel of each of these releases?
    ///
    /// # Errors
    /// The first one that is missing.
    pub fn has_kernels<'k>(&self, releases: impl IntoIterator<Item = &'k String>) -> Result<(), NoKernel> {
        inventory::has_kernels(&self.inventory.dirs, &self.inventory.releases, releases)
    }

    /// The KMPs as the plan sees them.
    pub fn kmps(&self) -> List<KmpId, Kmp<'_>> {
        self.inventory
            .kmps
            .iter()
            .map(|kmp| Kmp {
                package: &kmp.driver.name,
                flavour: kmp.flavour.as_deref(),
                origin: &kmp.origin,
                modules: kmp.modules.iter().map(|m| self.planned(&kmp.origin, m)).collect(),
                broken: kmp.broken.as_deref(),
                unread: kmp.unread.as_deref(),
                wish: kmp.wish.clone(),
            })
            .collect()
    }

    /// A surveyed kernel as the plan sees it.
    pub fn site_of<'s>(&'s self, kernel: &'s SurveyedKernel) -> Site<'s> {
        let SurveyedKernel { release, kernel, unread, own, .. } = kernel;
        let release = &self.inventory.releases[*release];
        let natives = release.third_party.iter().map(|m| Native {
            name: &m.name,
            module: self.module(&m.path),
            kmp: self.inventory.owner(&m.path),
        });
        let users = own.users.iter().map(|(replaced, users)| {
            let readable = users.iter().filter_map(|(user, m)| Some((&**user, (**m).as_ref().ok()?)));
            (&**replaced, readable.collect())
        });
        let linked = self.inventory.kmps.iter().flat_map(|k| k.modules.iter().map(move |m| (&*k.origin, m)));
        let inert = linked.filter(|(_, m)| release.in_tree_names.contains(&m.name)).filter(|(origin, m)| {
            let in_tree =
                release.in_tree.iter().find(|own| own.name == m.name).map(|own| own.below.as_path());
            let link = self.planned(origin, m).link;
            self.inventory.conventions.is_inert(&release.release, &link, in_tree)
        });
        let is_unread = |found: &FoundModule| self.module(&found.path).is_err_and(ModuleFault::is_unread);
        let mut kmps = self.inventory.kmps.iter().filter(|k| serves(k.flavour.as_deref(), &kernel.release));
        let incomplete = self.inventory.releases.iter().any(|r| r.unread.is_some())
            || release.third_party.iter().any(is_unread)
            || kmps.any(|k| k.unread.is_some() || k.modules.iter().any(is_unread));
        let links = own.links.iter().map(|(link, target, kmp)| (&**link, &**target, *kmp));
        Site {
            kernel,
            inert: inert.map(|(_, m)| &*m.name).collect(),
            in_tree: (!release.in_tree.is_empty()).then_some(&release.in_tree_names),
            natives: natives.collect(),
            foreign: own.foreign.clone(),
            spares_in_tree: self.inventory.conventions.dialect.spares_in_tree(),
            users: users.collect(),
            held: Held::new(unread.as_ref().map(Problem::to_string), incomplete, links.collect()),
        }
    }

    /// The third-party modules that a kernel has, or is to have: its own, then those to be linked.
    pub fn present_in<'s>(&'s self, kernel: &'s SurveyedKernel) -> impl Iterator<Item = &'s FoundModule> {
        let linked = kernel.plan.chosen().into_iter().flat_map(|k| &self.inventory.kmps[k].modules);
        self.release(kernel).third_party.iter().chain(linked)
    }

    /// Judges and plans anew, with `symbols` as what every surveyed kernel exports.
    pub fn replace_symbols(&mut self, symbols: &SymbolTable) {
        for index in 0..self.kernels.len() {
            let kernel = Kernel { symbols: symbols.clone(), ..(*self.kernels[index].kernel).clone() };
            self.kernels[index].kernel = Arc::new(kernel);
            self.kernels[index].plan = self.site_of(&self.kernels[index]).plan(&self.kmps());
        }
    }

    /// The module at `path`.
    pub fn module(&self, path: &Path) -> Result<&Module, &ModuleFault> {
        match self.modules.get(path).map(|m| &**m) {
            Some(loaded) => loaded.as_ref(),
            None => Err(not_read()),
        }
    }

    fn planned<'s>(&'s self, origin: &str, found: &'s FoundModule) -> PlannedModule<'s> {
        let (module, dialect) = (self.module(&found.path), self.inventory.conventions.dialect);
        let target = self.inventory.dirs.target(dialect, &found.path);
        let vermagic = module.ok().and_then(|m| m.vermagic.as_deref());
        PlannedModule {
            name: &found.name,
            module,
            link: dialect.link(origin, &found.below, &target, vermagic),
            target,
        }
    }
}

fn not_read() -> &'static ModuleFault {
    static NOT_READ: std::sync::OnceLock<ModuleFault> = std::sync::OnceLock::new();
    NOT_READ.get_or_init(|| ModuleFault::Unread("was not read".into()))
}
