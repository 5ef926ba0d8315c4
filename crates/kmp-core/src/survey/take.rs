// SPDX-License-Identifier: LGPL-2.1-or-later
//! Takes the stock of a survey: all of it that reads.

use std::collections::HashSet;
use std::path::Path;

use librpm_rt::Librpm;

use super::{Own, Selection, Survey, SurveyedKernel};
use crate::ids::ReleaseId;
use crate::inventory::{Inventory, ItemKind, Loader, Ownership, Release};
use crate::problem::Problem;
use crate::root::Root;

impl Survey {
    /// Takes stock, judges and plans. Reads only.
    ///
    /// # Errors
    /// As [`Inventory::take`].
    pub fn take(
        root: &Root,
        rpm: Result<&Librpm, &librpm_rt::Error>,
        loader: &mut Loader<'_>,
        selection: &Selection,
    ) -> Result<Self, Problem> {
        let mut inventory = Inventory::take(root, rpm, &selection.asked, loader.workers())?;
        if let Some(going) = &selection.going {
            inventory.releases.iter_mut().filter(|r| r.release == *going).for_each(|r| r.is_kernel = false);
        }
        let selected: Vec<ReleaseId> = inventory
            .releases
            .ids()
            .filter(|i| {
                let release = &inventory.releases[*i];
                release.is_kernel
                    && (selection.kernels.is_empty() || selection.kernels.contains(&release.release))
            })
            .collect();
        let mut modules = inventory.unpackaged();
        // Without a kernel to judge them for, packages' modules need not be read.
        if !selected.is_empty() || selection.kernel_comes {
            modules.extend(inventory.kmps.iter().flat_map(|k| &k.modules));
            modules.extend(selected.iter().flat_map(|i| &inventory.releases[*i].third_party));
        }
        let owner = |path: &Path| inventory.kmps[inventory.owner(path)?].package.instance;
        loader.load_modules(modules.into_iter().map(|m| m.path.clone()).collect::<Vec<_>>(), &owner);
        inventory.look_into(root, &|path| loader.module(path).map(|m| &**m));
        let releases: Vec<&Release> = selected.iter().map(|i| &inventory.releases[*i]).collect();
        let mut kernels = loader.load_kernels(&releases);
        loader.load_keys(&releases, &mut kernels, &selection.signatures);
        let names: HashSet<&str> = inventory.kmps.iter().flat_map(|k| &k.modules).map(|m| &*m.name).collect();
        let (mut surveyed, mut more) = (Vec::with_capacity(releases.len()), Vec::new());
        for ((release, loaded), index) in releases.iter().zip(kernels).zip(&selected) {
            let own = release.third_party.iter().map(|m| &*m.name);
            let (users, problem) = loader.load_users(release, &names.iter().copied().chain(own).collect());
            let mut own = Own { users, ..Own::default() };
            for item in release.weak_updates.iter().flatten() {
                match (item.ownership, &item.kind) {
                    (Ownership::Foreign, _) => {
                        let what = "a file in weak-updates that is not kmp's";
                        own.foreign.extend(item.name.clone().map(|name| (name, what.into())));
                    }
                    (Ownership::Ours(kmp), ItemKind::Link(target)) => {
                        own.links.push((item.below.clone(), target.clone(), kmp));
                    }
                    _ => {}
                }
            }
            // depmod prefers what is there to links.
            let apart = inventory.apart.iter().filter(|apart| apart.release == release.release);
            own.foreign.extend(apart.map(|a| (a.module.name.clone(), "the kernel's own module".into())));
            let mut unread = release.unread.clone().or(loaded.unread).or(problem);
            match inventory.conventions.external(root, &release.release) {
                Ok(external) => own.foreign.extend(external.into_iter().map(|(module, path)| {
                    (module, format!("{path}, in a directory that depmod.d(5) calls external"))
                })),
                Err(problem) => {
                    more.push(problem.clone());
                    unread = unread.or(Some(problem));
                }
            }
            own.foreign.extend(inventory.leftovers(release));
            surveyed.push(SurveyedKernel { unread, own, ..SurveyedKernel::of(*index, loaded.kernel) });
        }
        let modules = inventory
            .kmps
            .iter()
            .flat_map(|k| &k.modules)
            .chain(releases.iter().flat_map(|r| &r.third_party))
            .filter_map(|m| Some((m.path.clone(), loader.module(&m.path)?.clone())))
            .collect();

        let mut survey = Self::judged(inventory, surveyed, modules, loader.workers());
        survey.problems.append(&mut survey.inventory.problems);
        survey.problems.extend(loader.take_problems());
        survey.problems.append(&mut more);
        Ok(survey)
    }

    /// Takes account of the in-tree users of modules named `names`, which are to be judged though they are
    /// not installed: replaced by these, an in-tree module may be lost to its users.
    pub fn consider_replacing(&mut self, loader: &mut Loader<'_>, names: &HashSet<&str>) {
        for kernel in &mut self.kernels {
            let (found, problem) = loader.load_users(&self.inventory.releases[kernel.release], names);
            kernel.own.users.extend(found);
            kernel.unread = kernel.unread.take().or(problem);
        }
        self.problems.extend(loader.take_problems());
    }
}
