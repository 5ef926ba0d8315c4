// SPDX-License-Identifier: LGPL-2.1-or-later
//! What there will be after a transaction. Pure.

use std::collections::{HashMap, HashSet};

use super::incoming::{IncomingKernel, IncomingModule, Removal, Transaction};
use crate::abi::{ModuleFault, Verdict};
use crate::ids::{AfterId, Id, IncomingId, KmpId, List};
use crate::inventory::driver::{self, Member};
use crate::inventory::{Conventions, InstalledKmp, Package};
use crate::plan::{Beside, Decision, Held, KernelPlan, Kmp, Native, PlannedModule, Site};
use crate::survey::Survey;

/// A KMP: one that is installed, or one that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is there.
    Installed(KmpId),
    /// It comes.
    Incoming(IncomingId),
}

/// Of a package that comes; such a one works with the kernel that it was built for only.
const NOT_ELIGIBLE: &str = "none of its modules is in a directory whose modules are linked";

/// What there will be.
pub(super) struct After<'a> {
    /// As the plan wants them: its ids are the places of [`AfterId`]s.
    kmps: List<KmpId, Kmp<'a>>,
    sources: List<AfterId, Source>,
    packages: List<AfterId, &'a Package>,
    /// The KMPs of each driver.
    versions: HashMap<&'a str, Vec<AfterId>>,
    /// The driver that a package of this name has a version of.
    drivers: HashMap<&'a str, &'a str>,
    /// Those that stay.
    stays: HashMap<KmpId, AfterId>,
    wanted_gone: HashSet<&'a str>,
    erased: HashSet<&'a str>,
    conventions: &'a Conventions,
    /// Something could not be read that may have what others need.
    incomplete: bool,
}

impl<'a> After<'a> {
    pub(super) fn new(survey: &'a Survey, transaction: &'a Transaction) -> Self {
        let installed = &survey.inventory.kmps;
        let (dirs, dialect) = (&survey.inventory.dirs, survey.inventory.conventions.dialect);
        let is_eligible = |module: &IncomingModule| {
            let below = dirs.canonical(&module.path).and_then(|path| dirs.split(&path));
            below.is_none_or(|(_, below)| dialect.is_eligible(&below))
        };
        let mut all: Vec<(&'a Package, Source, Kmp<'a>)> = survey
            .kmps()
            .into_iter()
            .zip(installed.ids())
            .filter(|(_, i)| transaction.removal(&installed[*i].package).is_none())
            .map(|(kmp, i)| (&installed[i].package, Source::Installed(i), kmp))
            .collect();
        all.extend(transaction.kmps.each().map(|(i, kmp)| {
            let modules = kmp.modules.iter().map(|m| {
                let path = dirs.canonical(&m.path).unwrap_or_else(|| m.path.clone());
                let target = dirs.target(dialect, &path);
                let below = dirs.split(&path).map_or_else(|| (&*m.name).into(), |(_, below)| below);
                let vermagic = (*m.module).as_ref().ok().and_then(|m| m.vermagic.as_deref());
                let link = dialect.link(&kmp.origin, &below, &target, vermagic);
                PlannedModule { name: &m.name, module: (*m.module).as_ref(), link, target }
            });
            let planned = Kmp {
                package: &kmp.package.name,
                flavour: dialect.flavour(&kmp.package.name, &kmp.origin),
                origin: &kmp.origin,
                modules: modules.collect(),
                broken: (!kmp.modules.iter().any(is_eligible)).then_some(NOT_ELIGIBLE),
                unread: None,
                wish: survey.inventory.conventions.wish(&kmp.package),
            };
            (&kmp.package, Source::Incoming(i), planned)
        }));
        sort(&mut all);

        let left: HashSet<&str> = all.iter().map(|(p, ..)| p.name.as_str()).collect();
        let removal = |kmp: &InstalledKmp| transaction.removal(&kmp.package);
        let unwanted: HashSet<&str> = installed
            .iter()
            .filter(|kmp| removal(kmp).is_some_and(|r| !transaction.is_wish(r)))
            .map(|kmp| kmp.package.name.as_str())
            .collect();
        let gone = installed.iter().filter(|kmp| removal(kmp).is_some()).map(|kmp| kmp.package.name.as_str());
        let wanted_gone = gone.filter(|name| !left.contains(name) && !unwanted.contains(name)).collect();
        let is_erased = |kmp: &&InstalledKmp| removal(kmp) == Some(Removal::Erased);
        let erased = installed.iter().filter(is_erased).map(|kmp| kmp.package.name.as_str()).collect();
        let packages = all.iter().map(|(package, ..)| *package).collect();
        let drivers = all.iter().map(|(package, _, kmp)| (package.name.as_str(), kmp.package)).collect();
        let (sources, kmps): (Vec<Source>, Vec<Kmp<'a>>) =
            all.into_iter().map(|(_, source, kmp)| (source, kmp)).unzip();
        let (sources, kmps): (List<AfterId, Source>, List<KmpId, Kmp<'a>>) = (sources.into(), kmps.into());
        let stays = sources.each().filter_map(|(new, source)| match source {
            Source::Installed(old) => Some((*old, new)),
            Source::Incoming(_) => None,
        });
        let stays = stays.collect();
        let mut versions: HashMap<&str, Vec<AfterId>> = HashMap::new();
        for (id, kmp) in sources.ids().zip(&kmps) {
            versions.entry(kmp.package).or_default().push(id);
        }
        let is_unread = |kmp: &Kmp<'_>| {
            kmp.unread.is_some() || kmp.modules.iter().any(|m| m.module.is_err_and(ModuleFault::is_unread))
        };
        let incomplete =
            survey.inventory.releases.iter().any(|r| r.unread.is_some()) || kmps.iter().any(is_unread);
        let conventions = &survey.inventory.conventions;
        Self {
            kmps,
            sources,
            packages,
            versions,
            drivers,
            stays,
            wanted_gone,
            erased,
            conventions,
            incomplete,
        }
    }

    /// The driver that an installed KMP is a version of, as it will be called.
    pub(super) fn driver<'k>(&self, installed: &'k InstalledKmp) -> &'k str
    where
        'a: 'k,
    {
        let named = |name: &str| self.drivers.get(name).copied();
        named(&installed.package.name)
            .or_else(|| named(&installed.driver.name))
            .unwrap_or(&installed.driver.name)
    }

    /// Is every version erased, with nothing in its place?
    pub(super) fn is_wanted_gone(&self, package: &str) -> bool {
        self.wanted_gone.contains(package)
    }

    /// Is a version of it erased, with nothing in its place?
    pub(super) fn is_erased(&self, package: &str) -> bool {
        self.erased.contains(package)
    }

    /// All KMPs that there will be, with their sources.
    pub(super) fn each(&self) -> impl Iterator<Item = (AfterId, Source)> {
        self.sources.each().map(|(id, source)| (id, *source))
    }

    /// A KMP as the plan sees it.
    pub(super) fn kmp(&self, id: AfterId) -> &Kmp<'a> {
        &self.kmps[in_plan(id)]
    }

    /// Its package.
    pub(super) fn package(&self, id: AfterId) -> &'a Package {
        self.packages[id]
    }

    /// The versions that there will be of the driver that an installed KMP is a version of.
    pub(super) fn versions(&self, installed: &InstalledKmp) -> impl Iterator<Item = AfterId> {
        self.versions.get(self.driver(installed)).into_iter().flatten().copied()
    }

    /// Decides for a kernel.
    pub(super) fn plan(&self, site: &Site<'_>) -> AfterPlan {
        AfterPlan(site.plan(&self.kmps))
    }

    /// To judge KMPs beside what is to be linked by a plan.
    pub(super) fn beside<'s>(&'s self, site: &'s Site<'s>, plan: &AfterPlan) -> AfterBeside<'s> {
        AfterBeside(site.beside(&self.kmps, &plan.0.chosen()))
    }

    /// The modules that KMPs have for a release of their own.
    fn natives(&self, release: &str, from: impl Fn(KmpId) -> bool) -> Vec<Native<'a>> {
        let of_release = self.kmps.each().filter(|(i, k)| k.origin == release && from(*i));
        of_release
            .flat_map(|(i, k)| {
                k.modules.iter().map(move |m| Native { name: m.name, module: m.module, kmp: Some(i) })
            })
            .collect()
    }

    pub(super) fn incoming_site<'s>(&self, incoming: &'s IncomingKernel) -> Site<'s>
    where
        'a: 's,
    {
        Site {
            kernel: &incoming.kernel,
            in_tree: (!incoming.in_tree.is_empty()).then_some(&incoming.in_tree),
            natives: self.natives(&incoming.kernel.release, |_| true),
            foreign: Vec::new(),
            inert: self.inert(Some(&incoming.in_tree), &incoming.kernel.release),
            spares_in_tree: self.conventions.dialect.spares_in_tree(),
            users: HashMap::new(),
            held: Held::new(None, self.incomplete, Vec::new()),
        }
    }

    /// The site without what goes, and with the native modules that come.
    pub(super) fn staying_site<'s>(&self, site: Site<'s>) -> Site<'s>
    where
        'a: 's,
    {
        let old = site.natives.iter().filter_map(|native| match native.kmp {
            None => Some(native.clone()),
            Some(kmp) => {
                let kmp = *self.stays.get(&kmp)?;
                Some(Native { kmp: Some(in_plan(kmp)), ..native.clone() })
            }
        });
        let mut natives: Vec<Native<'s>> = old.collect();
        let known: HashSet<KmpId> = self.stays.values().copied().map(in_plan).collect();
        natives.extend(self.natives(&site.kernel.release, |i| !known.contains(&i)));
        // Links do not matter here: what is unknown is no loss.
        let held = Held::new(site.held.kernel, site.held.incomplete || self.incomplete, Vec::new());
        Site { natives, inert: self.inert(site.in_tree, &site.kernel.release), held, ..site }
    }

    /// Names of linked modules that are loaded from the kernel's own tree all the same.
    fn inert(&self, in_tree: Option<&HashSet<Box<str>>>, release: &str) -> HashSet<&'a str> {
        let modules = self.kmps.iter().flat_map(|k| &k.modules);
        let replacing = modules.filter(|m| in_tree.is_some_and(|names| names.contains(m.name)));
        replacing.filter(|m| self.conventions.is_inert(release, &m.link, None)).map(|m| m.name).collect()
    }
}

/// The plan for a kernel with the KMPs that there will be.
pub(super) struct AfterPlan(KernelPlan);

impl AfterPlan {
    pub(super) fn decision(&self, id: AfterId) -> &Decision {
        &self.0.decisions[in_plan(id)]
    }

    pub(super) fn verdicts(&self, id: AfterId) -> &[Verdict] {
        &self.0.verdicts[in_plan(id)]
    }

    /// The KMPs that are to be linked.
    pub(super) fn chosen(&self) -> impl Iterator<Item = AfterId> {
        self.0.chosen().into_iter().map(|id| AfterId::at(id.place()))
    }

    /// The verdicts on the kernel's own third-party modules.
    pub(super) fn natives(&self) -> &[Verdict] {
        &self.0.natives
    }
}

/// As [`Beside`], for the KMPs that there will be.
pub(super) struct AfterBeside<'s>(Beside<'s>);

impl AfterBeside<'_> {
    pub(super) fn instead(&self, id: AfterId) -> Vec<Verdict> {
        self.0.instead(in_plan(id))
    }
}

/// Plans name the KMPs that they are made of by their places.
fn in_plan(id: AfterId) -> KmpId {
    KmpId::at(id.place())
}

/// Finds out which are versions of one driver, and sorts as the plan wants it.
fn sort<'a>(all: &mut Vec<(&'a Package, Source, Kmp<'a>)>) {
    let member = |(package, _, kmp): &'_ (&'a Package, Source, Kmp<'a>)| Member {
        package: &package.name,
        origin: kmp.origin,
        modules: kmp.modules.iter().map(|m| m.name).collect(),
    };
    let drivers = driver::drivers(&all.iter().map(member).collect::<Vec<_>>());
    let names: HashMap<&str, &'a str> =
        all.iter().map(|(p, ..)| (p.name.as_str(), p.name.as_str())).collect();
    let mut keyed: Vec<_> = std::mem::take(all).into_iter().zip(drivers).collect();
    keyed.sort_by(|((a, _, one), driver), ((b, _, two), other)| {
        driver::order((driver, &a.evr, one.origin), (other, &b.evr, two.origin))
            .then_with(|| a.name.cmp(&b.name))
    });
    all.extend(keyed.into_iter().map(|((package, source, kmp), driver)| {
        let package_name = names.get(driver.name.as_str()).copied().unwrap_or(kmp.package);
        (package, source, Kmp { package: package_name, ..kmp })
    }));
}
