// SPDX-License-Identifier: LGPL-2.1-or-later
//! Does a package in a repository fit the kernels that are installed? By its Requires, as its modules are not here.

use kmp_core::dialect::Dialect;
use kmp_core::guard::{Elements, Source as From, preview};
use kmp_core::survey::Survey;

use super::Driver;
use crate::update::{build, only_for};

/// Whether it fits a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It does, by what metadata says.
    Fits,
    /// It does not, and why.
    Refused(String),
    /// Metadata does not say, and why.
    Unknown(String),
}

impl Driver {
    /// Whether it fits each surveyed kernel; a kernel of another flavour is left out.
    pub fn fits(&self, survey: &Survey) -> Vec<(String, Fit)> {
        let inventory = &survey.inventory;
        let dialect = inventory.conventions.dialect;
        let package = &self.offer.package;
        let mut found = Vec::new();
        for kernel in &survey.kernels {
            let release = kernel.kernel.release.as_str();
            if dialect == Dialect::Suse && !self.is_for(release) {
                continue;
            }
            if let Some(only) = only_for(package).filter(|only| *only != release) {
                found.push((release.to_owned(), Fit::Refused(format!("it is for kernel {only} alone"))));
                continue;
            }
            let base = package.name().split("-kmp-").next().unwrap_or_default();
            let named = [base.trim_start_matches("kmod-").to_owned()];
            let (made, requires) = build(&self.offer, &named, dialect, inventory.dirs.path(), release);
            let mut elements = Elements::new(inventory.dirs.clone());
            // Only a payload can be wrong.
            let _ = elements.add_package(made, &requires, None);
            let transaction = elements.finish();
            let judged = preview(survey, &transaction, &|_| true, false, &mut |_, _| {});
            let its =
                judged.into_iter().find(|of| of.release == release && matches!(of.kmp, From::Incoming(_)));
            let verdicts = its.map(|of| of.verdicts).unwrap_or_default();
            let reason = verdicts
                .iter()
                .flat_map(|verdict| &verdict.reasons)
                .next()
                .map(|reason| reason.detail.clone());
            let fit = match reason {
                _ if verdicts.is_empty() => Fit::Unknown("metadata does not say what it needs".into()),
                None => Fit::Fits,
                Some(why) if verdicts.iter().any(|v| !v.fits() && !v.is_unknown()) => Fit::Refused(why),
                Some(why) => Fit::Unknown(why),
            };
            found.push((release.to_owned(), fit));
        }
        found
    }

    /// By the kernel's package that its patterns name, or by its own name.
    fn is_for(&self, release: &str) -> bool {
        let flavour = release.rsplit('-').next().unwrap_or_default();
        let mut named = self.patterns.iter().filter_map(|pattern| pattern.kernel.as_deref()).peekable();
        match named.peek() {
            Some(_) => {
                named.any(|kernel| kernel == "kernel" || kernel.strip_prefix("kernel-") == Some(flavour))
            }
            None => {
                let own = self.offer.package.name().rsplit_once("-kmp-").map(|(_, of)| of);
                own.is_none_or(|own| own == flavour)
            }
        }
    }
}
