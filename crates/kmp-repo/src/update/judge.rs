// SPDX-License-Identifier: LGPL-2.1-or-later
//! Asks the guard what would become of drivers in a kernel.

use std::collections::BTreeSet;

use kmp_core::guard::{Action, Asked, Elements, Fate, Judged, Orders, Outlook, Prospect, Running, Weight};
use kmp_core::survey::Survey;
use rpm_meta::Evr;

use super::installed::Installed;
use super::kernels::Kernels;
use super::offers::{Offer, Offers, Unit};
use super::package::{build, kernel_of, modules, only_for};
use super::vendor::AtHand;
use super::{DriverFate, DriverVerdict, KernelFate, KernelVerdict, Named, Update};
use crate::rpmmd::Role;

/// What is judged, and by what.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Judge<'j> {
    /// Asks the guard what would become of drivers.
    pub ask: &'j dyn Fn(Elements) -> Judged,
    /// Its kernels and drivers. KMPs have to be read even where no kernel is installed.
    pub survey: &'j Survey,
    /// What repositories have.
    pub offers: &'j Offers,
    /// The drivers in them, of which it chooses: all, or those that can matter to what is installed.
    pub drivers: &'j [&'j Offer],
    /// Those kernels, as the guard takes them.
    pub kernels: &'j Kernels,
    /// What is installed.
    pub installed: &'j Installed,
    /// The running kernel.
    pub running: &'j Running<'j>,
    /// By what it is decided which drivers have to be kept.
    pub orders: &'j Orders<'j>,
    /// How many kernels of a line dnf keeps; `None`: any number.
    pub limit: Option<u32>,
    /// Package files that are at hand, for what metadata does not say; `None`: only what that says counts.
    pub at_hand: Option<&'j AtHand<'j>>,
}

/// What is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// What repositories say of packages.
    Metadata,
    /// Package files, as far as they are at hand.
    Files,
}

impl Judge<'_> {
    /// Judges. Reads only. `kernel`: of those that may come only this one, by its release, its version, or its package.
    pub fn update(&self, kernel: Option<&str>) -> Update {
        let mut kernels = self.installed(kernel);
        kernels.extend(self.coming(kernel));
        // Line by line, and what is installed before what comes.
        kernels.sort_by_key(|k| {
            let line = self.installed.lines.iter().position(|line| line.name == k.line);
            (line, k.verdict != KernelVerdict::Installed)
        });
        Update { kernels, problems: self.offers.problems.clone() }
    }

    /// Those that may come, the newest of each line first.
    fn coming(&self, kernel: Option<&str>) -> Vec<KernelFate> {
        let units = self.offers.units(self.installed, self.kernels);
        let asked = units.iter().filter(|unit| kernel.is_none_or(|name| unit.is_called(name)));
        asked.map(|unit| self.comes(unit)).collect()
    }

    /// The newest installed kernel of each line, and one that somebody asks for.
    fn installed(&self, kernel: Option<&str>) -> Vec<KernelFate> {
        let newest = self.installed.lines.iter().map(|line| (line, line.release.as_str()));
        let asked = self.installed.lines.iter().filter_map(|line| {
            let asked = line.releases.iter().find(|release| Some(release.as_str()) == kernel)?;
            (*asked != line.release).then_some((line, asked.as_str()))
        });
        let wanted: Vec<_> = newest.chain(asked).collect();
        let releases: BTreeSet<String> = wanted.iter().map(|(_, release)| (*release).to_owned()).collect();
        let mut elements = self.elements();
        elements.ask(Asked::These(releases));
        let judged = self.judge(elements);
        let lines = wanted.into_iter().filter_map(|(line, release)| {
            let outlook = judged.kernels.iter().find(|k| k.release == release)?;
            let is_newest = release == line.release;
            // Of others the version is not looked up: the release says which it is.
            let evr = if is_newest { line.newest.to_string() } else { release.to_owned() };
            let nevra = format!("{}-{evr}.{}", line.name, line.arch);
            Some(KernelFate {
                line: line.name.clone(),
                package: Named {
                    nevra,
                    name: line.name.clone(),
                    evr,
                    repository: String::new(),
                    vendor: None,
                    packager: None,
                    signing: None,
                },
                krel: Some(release.to_owned()),
                release: release.to_owned(),
                verdict: KernelVerdict::Installed,
                held_since: None,
                is_let: false,
                reason: "it is installed".into(),
                packages: Vec::new(),
                drivers: outlook
                    .drivers
                    .iter()
                    .filter_map(|d| self.driver(&judged, outlook, d, &[]))
                    .collect(),
                advisories: Vec::new(),
            })
        });
        lines.collect()
    }

    /// Builds that supply one of these installed drivers, or what such a build needs, and count.
    pub(super) fn builds(&self, unit: &Unit<'_>, drivers: &[String]) -> Vec<&Offer> {
        self.all_builds(unit, drivers).into_iter().filter(|offer| self.refuses(offer).is_none()).collect()
    }

    /// The same, also where they do not count.
    pub(super) fn all_builds(&self, unit: &Unit<'_>, drivers: &[String]) -> Vec<&Offer> {
        let modules_of = |driver: &str| -> Vec<&str> {
            let all = self.installed.modules.iter();
            all.filter(|(_, package)| *package == driver).map(|(module, _)| module.as_str()).collect()
        };
        let wanted: Vec<(&str, Vec<&str>)> = drivers.iter().map(|d| (d.as_str(), modules_of(d))).collect();
        let is_for_it = |offer: &&Offer| match only_for(&offer.package) {
            Some(release) => release == unit.release,
            None => true,
        };
        let supplies = |offer: &&Offer| {
            let package = &offer.package;
            wanted.iter().any(|(name, of_driver)| {
                package.name() == *name
                    || package.capabilities(Role::Obsoletes).any(|o| o.name == *name)
                    || modules(package).any(|module| of_driver.contains(&module.as_str()))
            })
        };
        let arch = unit.main.package.arch();
        let fits_arch = |offer: &&Offer| offer.package.arch() == arch || offer.package.arch() == "noarch";
        // What few are is looked at first.
        let drivers = self.drivers.iter().copied().filter(supplies).filter(fits_arch);
        drivers.filter(is_for_it).collect()
    }

    /// Is a build of the same name and vendor as what is installed, and of a higher version?
    fn is_update(&self, offer: &Offer) -> bool {
        let (package, evr) = (&offer.package, offer.package.evr());
        let mut installed = self
            .survey
            .inventory
            .kmps
            .iter()
            .map(|kmp| &kmp.package)
            .filter(|p| p.name == package.name())
            .peekable();
        let is_newer = |p: &rpm_meta::Package| p.vendor == package.vendor() && evr.compare(&p.evr).is_gt();
        installed.peek().is_some() && installed.all(is_newer)
    }

    pub(super) fn elements(&self) -> Elements {
        Elements::new(self.survey.inventory.dirs.clone())
    }

    pub(super) fn judge(&self, elements: Elements) -> Judged {
        (self.ask)(elements)
    }

    /// The drivers in use in a kernel that comes together with some builds.
    pub(super) fn with(&self, unit: &Unit<'_>, builds: &[&Offer], by: By) -> Vec<DriverFate> {
        let inventory = &self.survey.inventory;
        let dir = inventory.dirs.path();
        let mut elements = self.elements();
        let add_file =
            |elements: &mut Elements, offer: &Offer| by == By::Files && self.add_file(elements, offer);
        if by == By::Metadata {
            self.kernels.of(unit).into_iter().for_each(|kernel| elements.add_kernel(kernel));
        } else {
            // Those that are added as the files that they are; then the others.
            let parts: Vec<&Offer> = unit.packages().filter(|part| !add_file(&mut elements, part)).collect();
            if !parts.is_empty() {
                // Only a payload can be wrong.
                let kernel = kernel_of(unit, &unit.release, parts.into_iter(), dir);
                let _ = elements.add_package(kernel, &[], None);
            }
        }
        for offer in builds {
            if add_file(&mut elements, offer) {
                continue;
            }
            let name = offer.package.name();
            let installed = inventory.kmps.iter().find(|kmp| kmp.package.name == name);
            let modules: Vec<String> =
                installed.iter().flat_map(|kmp| &kmp.modules).map(|m| m.name.to_string()).collect();
            let (package, requires) =
                build(offer, &modules, inventory.conventions.dialect, dir, &unit.release);
            // Only a payload can be wrong.
            let _ = elements.add_package(package, &requires, None);
        }
        let judged = self.judge(elements);
        let outlook = judged.kernels.iter().find(|k| k.release == unit.release);
        let Some(outlook) = outlook else { return Vec::new() };
        let mut drivers: Vec<DriverFate> =
            outlook.drivers.iter().filter_map(|d| self.driver(&judged, outlook, d, builds)).collect();
        for fate in &mut drivers {
            // A kernel that lists no symbols: then who says which kernel it is for is believed.
            let its = builds.iter().find(|b| {
                b.package.name() == fate.driver && only_for(&b.package) == Some(unit.release.as_str())
            });
            if let (DriverVerdict::Unknown, Some(offer)) = (fate.verdict, its) {
                fate.verdict = DriverVerdict::ComesAlong;
                fate.why = format!("{} says that it is for this kernel", offer.package.nvr());
                fate.build = Some(named(offer));
                fate.is_update = self.is_update(offer);
            }
        }
        drivers
    }

    /// What becomes of a driver; `None` of what is none that is in use.
    fn driver(
        &self,
        judged: &Judged,
        outlook: &Outlook,
        prospect: &Prospect,
        builds: &[&Offer],
    ) -> Option<DriverFate> {
        let line = prospect.line(&outlook.release);
        let finding = judged
            .findings
            .iter()
            .find(|f| f.lost.kernel == outlook.release && f.lost.package == prospect.package);
        let mut driver = prospect.package.clone();
        let (mut build, mut is_update) = (None, false);
        let verdict = match &prospect.fate {
            Fate::Stays => DriverVerdict::Stays,
            Fate::Comes(_) => {
                let offer = builds.iter().find(|offer| offer.package.nvr() == prospect.nvr)?;
                // Under another name it takes the place of what has its modules.
                if !self.installed.drivers.contains(&driver) {
                    let replaced = prospect.modules.iter().find_map(|m| self.installed.modules.get(m));
                    driver = replaced.cloned()?;
                }
                build = Some(named(offer));
                is_update = self.is_update(offer);
                DriverVerdict::ComesAlong
            }
            Fate::Unknown(_) => DriverVerdict::Unknown,
            Fate::Lost(lost) if lost.weight > Weight::None => DriverVerdict::Missing,
            Fate::Lost(_) => DriverVerdict::Stays,
            Fate::Goes | Fate::Fails(_) => return None,
        };
        let stops = finding.is_some_and(|f| f.action == Action::Stop);
        let needs_source = match &prospect.fate {
            Fate::Lost(lost) => lost.reasons.iter().any(|reason| reason.rule.needs_source()),
            _ => false,
        };
        Some(DriverFate { driver, verdict, build, why: line, stops, is_update, needs_source })
    }
}

pub(super) fn names(drivers: &[DriverFate], is: impl Fn(DriverVerdict) -> bool) -> Vec<String> {
    drivers.iter().filter(|d| is(d.verdict)).map(|d| d.driver.clone()).collect()
}

pub(super) fn named(offer: &Offer) -> Named {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let package = &offer.package;
    let evr: Evr = package.evr();
    Named {
        nevra: package.nevra(),
        name: package.name().to_owned(),
        evr: evr.to_string(),
        repository: offer.repository.clone(),
        vendor: said(package.vendor()),
        packager: said(package.packager()),
        signing: None,
    }
}
