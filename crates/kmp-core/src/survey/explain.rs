// SPDX-License-Identifier: LGPL-2.1-or-later
//! Symbol by symbol: what a module needs, and what it gets in a kernel. Pure.

use std::path::Path;

use super::{Survey, SurveyedKernel};
use crate::abi::name::normalized;
use crate::abi::{Module, ModuleFault, SymbolLine, Verdict};
use crate::check::CheckError;
use crate::ids::{KmpId, ReleaseId};
use crate::inventory::FoundModule;
use crate::plan::Decision;
use crate::printable;
use crate::targets::File;

/// A module, and what becomes of each symbol that it needs.
#[derive(Debug)]
pub struct Explained<'s> {
    /// The module's name.
    pub name: &'s str,
    /// Its file: inside the root, or as it was named.
    pub path: &'s Path,
    /// Who owns it, as NAME-VERSION-RELEASE.
    pub package: Option<String>,
    /// The verdict on all of it.
    pub verdict: Verdict,
    /// Its symbols; none where it could not be read.
    pub symbols: Vec<SymbolLine>,
}

/// A module to be explained.
struct Subject<'s> {
    name: &'s str,
    path: &'s Path,
    package: Option<String>,
    module: Result<&'s Module, &'s ModuleFault>,
}

impl Survey {
    /// Explains module files; where there are none, what is installed: the modules of the KMP `name`, or the module of that name.
    /// They are judged beside what else the kernel has or is to have.
    ///
    /// # Errors
    /// [`CheckError::NoKmp`] and [`CheckError::Packages`]: nothing of that name is installed, or it is not known.
    /// [`CheckError::Unread`]: the kernel could not be read.
    pub fn explain<'s>(
        &'s self,
        kernel: &'s SurveyedKernel,
        files: &'s [File],
        name: &str,
    ) -> Result<Vec<Explained<'s>>, CheckError> {
        let subjects = match files {
            [] => self.subjects(kernel.release, name)?,
            files => files.iter().map(of_file).collect(),
        };
        if let Some(problem) = &kernel.unread {
            return Err(problem.clone().into());
        }
        // The subjects come last, beside what is installed under other names.
        let site = self.site_of(kernel);
        let mut modules: Vec<_> = self
            .present_in(kernel)
            .filter(|m| subjects.iter().all(|s| s.name != &*m.name))
            .map(|m| (&*m.name, self.module(&m.path)))
            .collect();
        let first = modules.len();
        modules.extend(subjects.iter().map(|s| (s.name, s.module)));
        let (world, places) = site.world(&modules);
        let verdicts = world.judge();
        let explain = |(Subject { name, path, package, module }, place): (Subject<'s>, &Option<usize>)| {
            let (verdict, symbols) = match place {
                Some(at) => (verdicts[*at].clone(), world.explain(*at)),
                None => (module.err().map_or_else(Verdict::default, Verdict::of_fault), Vec::new()),
            };
            Explained { name, path, package, verdict, symbols }
        };
        Ok(subjects.into_iter().zip(&places[first..]).map(explain).collect())
    }

    /// The same for the kernel where there is something to explain: of those whose flavour the KMP `name` serves, the newest that
    /// refuses it, else the newest; `None`: there is no kernel.
    ///
    /// # Errors
    /// As [`Self::explain`].
    pub fn explain_where_refused<'s>(
        &'s self,
        files: &'s [File],
        name: &str,
    ) -> Result<Option<(&'s SurveyedKernel, Vec<Explained<'s>>)>, CheckError> {
        // Of a package file, the flavour is that of what is installed of its name.
        let package = files.iter().find_map(|file| file.package.as_deref());
        let package = package.and_then(|nvr| nvr.rsplitn(3, '-').last());
        let named = self.inventory.kmps_named(package.unwrap_or(name));
        let serves = |kernel: &SurveyedKernel| {
            let mut decisions = named.iter().map(|kmp| &kernel.plan.decisions[*kmp]);
            named.is_empty() || decisions.any(|decision| *decision != Decision::OtherFlavour)
        };
        let mut newest = None;
        for kernel in self.kernels.iter().rev().filter(|kernel| serves(kernel)) {
            if kernel.unread.is_some() {
                newest = newest.or(Some((kernel, None)));
                continue;
            }
            let explained = self.explain(kernel, files, name)?;
            if explained.iter().any(|e| !e.verdict.fits()) {
                return Ok(Some((kernel, explained)));
            }
            newest = newest.or(Some((kernel, Some(explained))));
        }
        match newest.or(self.kernels.last().map(|kernel| (kernel, None))) {
            None => Ok(None),
            Some((kernel, Some(explained))) => Ok(Some((kernel, explained))),
            Some((kernel, None)) => Ok(Some((kernel, self.explain(kernel, files, name)?))),
        }
    }

    /// The modules of the KMP, or the module, of that name: the kernel's own third-party modules first.
    fn subjects(&self, release: ReleaseId, name: &str) -> Result<Vec<Subject<'_>>, CheckError> {
        let wanted = normalized(name);
        let kmps = &self.inventory.kmps;
        let nvr = |kmp: KmpId| kmps[kmp].package.nvr();
        let of_kmp = |kmp: KmpId| kmps[kmp].modules.iter().map(move |m| (m, Some(kmp)));
        let found: Vec<(&FoundModule, Option<KmpId>)> = match self.inventory.kmps_named(name).first() {
            Some(newest) => of_kmp(*newest).collect(),
            None => {
                let own = self.inventory.releases[release].third_party.iter();
                let own = own.map(|m| (m, self.inventory.owner(&m.path)));
                let packaged = kmps.ids().flat_map(of_kmp);
                own.chain(packaged).find(|(m, _)| *m.name == *wanted).into_iter().collect()
            }
        };
        if found.is_empty() {
            let name = printable(name.as_ref());
            return Err(match &self.inventory.packages_unknown {
                Some(unknown) => CheckError::Packages(format!(
                    "no module {name} was found, and the packages cannot be read: {unknown}"
                )),
                None => CheckError::NoKmp(format!(
                    "there is no KMP and no third-party module {name}{}",
                    self.inventory.did_you_mean(&name)
                )),
            });
        }
        let subjects = found.into_iter().map(|(module, package)| Subject {
            name: &module.name,
            path: &module.path,
            package: package.map(nvr),
            module: self.module(&module.path),
        });
        Ok(subjects.collect())
    }
}

fn of_file(file: &File) -> Subject<'_> {
    let package = file.package.clone();
    Subject { name: &file.name, path: &file.path, package, module: file.module.as_ref() }
}
