// SPDX-License-Identifier: LGPL-2.1-or-later
//! Asks the guard what would become of drivers in a kernel.

use std::collections::BTreeSet;

use kmp_core::guard::{Action, Asked, Elements, Fate, Judged, Orders, Outlook, Prospect, Running, Weight};
use kmp_core::last_update::Advisory;
use kmp_core::survey::Survey;
use rpm_meta::Evr;

use super::installed::Installed;
use super::kernels::Kernels;
use super::offers::{Offer, Offers, Unit};
use super::package::{build, modules, only_for};
use super::{DriverFate, DriverVerdict, KernelFate, KernelVerdict, Named, Update};
use crate::rpmmd::{self, Role};

/// What is judged, and by what.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Judge<'j> {
    /// Asks the guard what would become of drivers.
    pub ask: &'j dyn Fn(Elements) -> Judged,
    /// Its kernels and drivers. KMPs have to be read even where no kernel is installed.
    pub survey: &'j Survey,
    /// What repositories have.
    pub offers: &'j Offers,
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
    pub fn coming(&self, kernel: Option<&str>) -> Vec<KernelFate> {
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

    /// A kernel that may come: with what is installed; then, for what is missing, with builds of it; and if that is not
    /// enough, as drivers may need each other, with builds of all.
    fn comes(&self, unit: &Unit<'_>) -> KernelFate {
        let alone = self.with(unit, &[]);
        let mut missing = names(&alone, |v| matches!(v, DriverVerdict::Missing | DriverVerdict::Unknown));
        let mut drivers = alone;
        let mut before = 0;
        while !missing.is_empty() {
            let builds = self.builds(unit, &missing);
            if builds.len() == before {
                break;
            }
            before = builds.len();
            drivers = self.with(unit, &builds);
            if names(&drivers, |v| v == DriverVerdict::Missing).is_empty() {
                break;
            }
            missing = names(&drivers, |_| true);
        }
        let is_held = drivers.iter().any(|d| d.stops);
        let pushed_out = self.add_pushed_out(unit, &mut drivers).filter(|_| !is_held);
        let stops: Vec<&str> = drivers.iter().filter(|d| d.stops).map(|d| d.driver.as_str()).collect();
        let of = |verdict| names(&drivers, |v| v == verdict).join(", ");
        let (unknown, lost) = (of(DriverVerdict::Unknown), of(DriverVerdict::Missing));
        let along: Vec<&str> = drivers.iter().filter_map(|d| Some(&*d.build.as_ref()?.name)).collect();
        let (verdict, reason) = if let Some(kernel) = pushed_out {
            let with = stops.join(", ");
            let why = format!("dnf's installonly_limit would push kernel {kernel} out, and with it {with}");
            (KernelVerdict::Held, why)
        } else if !stops.is_empty() {
            (KernelVerdict::Held, format!("no build for it in any repository: {}", stops.join(", ")))
        } else if !lost.is_empty() {
            (KernelVerdict::Comes, format!("without {lost}, which need not be kept"))
        } else if !unknown.is_empty() {
            (
                KernelVerdict::Unknown,
                format!("the repositories do not say whether it has what is needed: {unknown}"),
            )
        } else if !along.is_empty() {
            (KernelVerdict::Comes, format!("with a build for it: {}", along.join(", ")))
        } else if drivers.is_empty() {
            (KernelVerdict::Comes, "no third-party driver is in use".into())
        } else {
            (KernelVerdict::Comes, "every driver that is installed works with it".into())
        };
        let package = named(unit.main);
        KernelFate {
            line: package.name.clone(),
            package,
            krel: unit.is_known.then(|| unit.release.clone()),
            release: unit.release.clone(),
            verdict,
            held_since: None,
            is_let: false,
            reason,
            packages: unit.packages.clone(),
            drivers,
            advisories: self.advisories(unit),
        }
    }

    /// The security advisories that bring this kernel, or an older one that is newer than what is installed.
    fn advisories(&self, unit: &Unit<'_>) -> Vec<Advisory> {
        let package = &unit.main.package;
        let Some(line) = self.installed.line(package.name()) else { return Vec::new() };
        let (arch, evr) = (package.arch(), package.evr());
        let all = self.offers.advisories.iter();
        let brought = all.filter(|advisory| advisory.is_between(&line.name, arch, &line.newest, &evr));
        let own = |advisory: &rpmmd::Advisory| {
            let rpmmd::Advisory { id, severity, cves, .. } = advisory.clone();
            Advisory { id, severity, cves }
        };
        brought.map(own).collect()
    }

    /// Builds that supply one of these installed drivers, or what such a build needs.
    pub(super) fn builds(&self, unit: &Unit<'_>, drivers: &[String]) -> Vec<&Offer> {
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
        let may_come = |offer: &&Offer| self.may_change_vendor(offer);
        // What few are is looked at first.
        let drivers = self.offers.drivers.iter().filter(supplies).filter(fits_arch);
        drivers.filter(is_for_it).filter(may_come).collect()
    }

    /// Is a build by the vendor of what is installed of its name, or may another's come?
    fn may_change_vendor(&self, offer: &Offer) -> bool {
        let (package, config) = (&offer.package, self.orders.config);
        let mut installed =
            self.survey.inventory.kmps.iter().filter(|kmp| kmp.package.name == package.name()).peekable();
        config.vendor_change(package.name())
            || installed.peek().is_none()
            || installed.any(|kmp| kmp.package.vendor == package.vendor())
    }

    pub(super) fn elements(&self) -> Elements {
        Elements::new(self.survey.inventory.dirs.clone())
    }

    pub(super) fn judge(&self, elements: Elements) -> Judged {
        (self.ask)(elements)
    }

    /// The drivers in use in a kernel that comes together with some builds.
    pub(super) fn with(&self, unit: &Unit<'_>, builds: &[&Offer]) -> Vec<DriverFate> {
        let inventory = &self.survey.inventory;
        let dir = inventory.dirs.path();
        let mut elements = self.elements();
        self.kernels.of(unit).into_iter().for_each(|kernel| elements.add_kernel(kernel));
        for offer in builds {
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
        let mut build = None;
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
        Some(DriverFate { driver, verdict, build, why: line, stops, needs_source })
    }
}

fn names(drivers: &[DriverFate], is: impl Fn(DriverVerdict) -> bool) -> Vec<String> {
    drivers.iter().filter(|d| is(d.verdict)).map(|d| d.driver.clone()).collect()
}

fn named(offer: &Offer) -> Named {
    let package = &offer.package;
    let evr: Evr = package.evr();
    Named {
        nevra: package.nevra(),
        name: package.name().to_owned(),
        evr: evr.to_string(),
        repository: offer.repository.clone(),
        vendor: (!package.vendor().is_empty()).then(|| package.vendor().to_owned()),
    }
}
