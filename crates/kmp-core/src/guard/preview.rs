// SPDX-License-Identifier: LGPL-2.1-or-later
//! Verdicts on what would be installed, before it is. Pure.

use super::after::{After, AfterPlan, Source};
use super::incoming::Transaction;
use crate::abi::{Module, ModuleFault, Verdict};
use crate::plan::Site;
use crate::survey::Survey;

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
pub type Present<'m> = (&'m str, Result<&'m Module, &'m ModuleFault>);

/// Judges what comes as if it were installed: the KMPs that come against every surveyed kernel, and the
/// kernels that come (but those that `chosen` declines) against every KMP. A KMP is judged for kernels of
/// its flavour only, unless `any_flavour`. `kernel` is called for each such kernel that comes, with the
/// third-party modules that it would have.
pub fn preview(
    survey: &Survey,
    transaction: &Transaction,
    chosen: &dyn Fn(&str) -> bool,
    any_flavour: bool,
    kernel: &mut dyn FnMut(&Site<'_>, &[Present<'_>]),
) -> Vec<PackageVerdicts> {
    let after = After::new(survey, transaction);
    let mut result = Vec::new();
    let mut judge = |site: &Site<'_>, plan: &AfterPlan, is_asked: &dyn Fn(Source) -> bool| {
        let beside = after.beside(site, plan);
        for (id, kmp) in after.each().filter(|(_, source)| is_asked(*source)) {
            let mut verdicts = plan.verdicts(id).to_vec();
            if verdicts.is_empty() && any_flavour {
                verdicts = beside.instead(id);
            }
            if !verdicts.is_empty() {
                result.push(PackageVerdicts { release: site.kernel.release.clone(), kmp, verdicts });
            }
        }
    };
    let comes = |release: &str| transaction.kernels.iter().any(|k| k.kernel.release == release);
    for surveyed in survey.kernels.iter().filter(|k| !comes(&k.kernel.release)) {
        let site = after.staying_site(survey.site_of(surveyed));
        judge(&site, &after.plan(&site), &|source| matches!(source, Source::Incoming(_)));
    }
    for incoming in transaction.kernels.iter().filter(|k| chosen(&k.kernel.release)) {
        let site = after.incoming_site(incoming);
        let plan = after.plan(&site);
        judge(&site, &plan, &|_| true);
        let linked = plan.chosen().flat_map(|id| &after.kmp(id).modules);
        let natives = site.natives.iter().map(|n| (n.name, n.module));
        kernel(&site, &natives.chain(linked.map(|m| (m.name, m.module))).collect::<Vec<_>>());
    }
    result
}
