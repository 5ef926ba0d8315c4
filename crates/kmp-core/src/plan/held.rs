// SPDX-License-Identifier: LGPL-2.1-or-later
//! What stays as it is because something could not be read: a link goes only where it is known that it should. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::{Decision, KernelPlan, Kmp, Native, Site};
use crate::abi::Verdict;
use crate::ids::{KmpId, List};

/// What of a kernel, or beside it, could not be read, and the links that there are.
#[derive(Clone, Debug, Default)]
pub struct Held<'a> {
    /// Why nothing can be said of this kernel, if so: nothing is judged then.
    pub kernel: Option<String>,
    /// Modules that may be present could not be read, or not be found: they may export what others need.
    pub incomplete: bool,
    /// The links of KMPs that there are: path below `weak-updates/`, target, and the KMP.
    pub links: Vec<(&'a Path, &'a Path, KmpId)>,
    /// Packages that are not planned for, as their links stay.
    pub(super) packages: HashSet<&'a str>,
    /// How many of the site's natives, the last ones, are linked modules of these packages.
    pub(super) beside: usize,
}

impl<'a> Held<'a> {
    /// Of a kernel where modules may be missing from what is known (`incomplete`), or are all known.
    pub fn new(kernel: Option<String>, incomplete: bool, links: Vec<(&'a Path, &'a Path, KmpId)>) -> Self {
        Self { kernel, incomplete, links, packages: HashSet::new(), beside: 0 }
    }
}

/// The packages whose links stay, with the verdicts on those of their KMPs that were judged.
pub(super) type Packages<'k> = BTreeMap<&'k str, HashMap<KmpId, Vec<Verdict>>>;

/// Is nothing found against these modules, but something unknown?
pub(super) fn is_unknown(verdicts: &[Verdict]) -> bool {
    verdicts.iter().any(|v| !v.fits()) && verdicts.iter().all(|v| v.fits() || v.is_unknown())
}

impl Site<'_> {
    /// The site for all packages but those `held`, whose linked modules are there whatever is chosen.
    pub(super) fn without<'k>(&'k self, kmps: &'k List<KmpId, Kmp<'k>>, held: &Packages<'k>) -> Site<'k> {
        let mut site: Site<'k> = self.clone();
        let there: HashSet<(&Path, KmpId)> =
            self.held.links.iter().map(|(link, _, kmp)| (*link, *kmp)).collect();
        for (k, kmp) in kmps.each().filter(|(_, kmp)| held.contains_key(kmp.package)) {
            let linked = kmp.modules.iter().filter(|m| there.contains(&(m.link.as_path(), k)));
            site.natives.extend(linked.map(|m| Native { name: m.name, module: m.module, kmp: None }));
        }
        site.held.packages = held.keys().copied().collect();
        site.held.beside = site.natives.len() - self.natives.len();
        site
    }
}

impl KernelPlan {
    /// Packages, not `held` yet, of which a version is unknown and no newer one serves the kernel.
    pub(super) fn unknown<'k>(&self, kmps: &List<KmpId, Kmp<'k>>, held: &Packages<'_>) -> Packages<'k> {
        let mut more = Packages::new();
        let mut served: HashSet<&str> = HashSet::new();
        for (decision, kmp) in self.decisions.iter().zip(kmps) {
            match decision {
                Decision::Link | Decision::Native => {
                    served.insert(kmp.package);
                }
                Decision::Unknown if !served.contains(kmp.package) && !held.contains_key(kmp.package) => {
                    more.entry(kmp.package).or_default();
                }
                _ => {}
            }
        }
        for (k, kmp) in kmps.each() {
            let was_judged = matches!(self.decisions[k], Decision::Unknown | Decision::DoesNotFit);
            if let Some(judged) = more.get_mut(kmp.package).filter(|_| was_judged) {
                judged.insert(k, self.verdicts[k].clone());
            }
        }
        more
    }

    /// Of held packages: the links that there are stay, and the verdicts are those from before they were held.
    pub(super) fn keep(&mut self, site: &Site<'_>, kmps: &List<KmpId, Kmp<'_>>, held: &Packages<'_>) {
        self.natives.truncate(site.natives.len());
        for (k, kmp) in kmps.each() {
            let Some(judged) = held.get(kmp.package) else { continue };
            if matches!(self.decisions[k], Decision::Native | Decision::OtherFlavour | Decision::Broken) {
                continue;
            }
            self.verdicts[k] = judged.get(&k).cloned().unwrap_or_else(|| {
                let why = "another version of the package could not be judged";
                kmp.modules.iter().map(|_| Verdict::unknown(why)).collect()
            });
            let is_unknown = is_unknown(&self.verdicts[k]);
            self.decisions[k] = if is_unknown { Decision::Unknown } else { Decision::DoesNotFit };
        }
        for (link, target, kmp) in &site.held.links {
            if held.contains_key(kmps[*kmp].package) {
                self.links.insert(link.to_path_buf(), (target.to_path_buf(), *kmp));
            }
        }
    }
}
