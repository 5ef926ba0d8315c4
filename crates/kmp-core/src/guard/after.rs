// SPDX-License-Identifier: LGPL-2.1-or-later
//! What there will be after a transaction. Pure.

use std::collections::{HashMap, HashSet};

use super::incoming::{IncomingKernel, IncomingModule, Removal, Transaction};
use crate::abi::ModuleFault;
use crate::inventory::driver::{self, Member};
use crate::inventory::{Conventions, InstalledKmp, Package};
use crate::plan::{Decision, Held, KernelPlan, Kmp, Native, PlannedModule, Site};
use crate::survey::Survey;

/// A KMP: an installed one (an index into the inventory's), or one that comes (an index into the
/// transaction's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is there.
    Installed(usize),
    /// It comes.
    Incoming(usize),
}

/// Is it there, and does it load?
pub(super) fn works(plan: &KernelPlan, kmp: usize) -> bool {
    matches!(plan.decisions[kmp], Decision::Native | Decision::Link)
        && plan.verdicts[kmp].iter().all(|v| v.fits())
}

/// Of a package that comes; such a one works with the kernel that it was built for only.
const NOT_ELIGIBLE: &str = "none of its modules is in a directory whose modules are linked";

/// What there will be.
pub(super) struct After<'a> {
    pub kmps: Vec<Kmp<'a>>,
    pub sources: Vec<Source>,
    pub packages: Vec<&'a Package>,
    /// The KMPs of each driver.
    pub versions: HashMap<&'a str, Vec<usize>>,
    /// The driver that a package of this name has a version of.
    drivers: HashMap<&'a str, &'a str>,
    /// From the index in the survey's list, for those that stay.
    stays: HashMap<usize, usize>,
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
            .enumerate()
            .filter(|(i, _)| transaction.removal(&installed[*i].package).is_none())
            .map(|(i, kmp)| (&installed[i].package, Source::Installed(i), kmp))
            .collect();
        all.extend(transaction.kmps.iter().enumerate().map(|(i, kmp)| {
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
        let stays = all.iter().enumerate().filter_map(|(new, (_, source, _))| match source {
            Source::Installed(old) => Some((*old, new)),
            Source::Incoming(_) => None,
        });
        let stays = stays.collect();
        let packages = all.iter().map(|(package, ..)| *package).collect();
        let drivers = all.iter().map(|(package, _, kmp)| (package.name.as_str(), kmp.package)).collect();
        let (sources, kmps): (_, Vec<Kmp<'a>>) =
            all.into_iter().map(|(_, source, kmp)| (source, kmp)).unzip();
        let mut versions: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, kmp) in kmps.iter().enumerate() {
            versions.entry(kmp.package).or_default().push(index);
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

    /// The modules that KMPs have for a release of their own.
    fn natives(&self, release: &str, from: impl Fn(usize) -> bool) -> Vec<Native<'a>> {
        let of_release = self.kmps.iter().enumerate().filter(|(i, k)| k.origin == release && from(*i));
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
                Some(Native { kmp: Some(kmp), ..native.clone() })
            }
        });
        let mut natives: Vec<Native<'s>> = old.collect();
        let known: HashSet<usize> = self.stays.values().copied().collect();
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
