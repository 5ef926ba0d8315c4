// SPDX-License-Identifier: LGPL-2.1-or-later
//! Has a generator made what it says it has? A generator's exit status says nothing about the file: some end with 0 and have
//! written nothing, or what no kernel can unpack, or to where the boot loader does not look.
//!
//! What counts is the initrd that the kernel boots with, wherever the generator put it: it has to be another file than before,
//! readable, and to hold what [`compare`] wants of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dialect::Dialect;
use crate::initrd::boot::{Boots, Told, usual_places};
use crate::initrd::decide::{Present, shortfall};
use crate::initrd::{Drivers, Snapshot, Tool, compare, places};
use crate::inventory::Release;
use crate::problem::Problem;
use crate::root::{Root, Stat};

/// The kernel whose initrd is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel<'a> {
    pub(super) root: &'a Root,
    pub(super) dialect: Dialect,
    pub(super) release: &'a str,
    pub(super) dir: &'a Path,
}

/// The files that may be its initrd.
pub(super) struct Files(BTreeMap<PathBuf, Stat>);

impl Kernel<'_> {
    /// What boots it; `told`: what the boot loader's own program says.
    pub(super) fn boots(self, told: Option<Told>) -> Result<Boots, Problem> {
        match told {
            Some(told) => told.find(self.root),
            None => places::find(self.root, self.release, self.dir),
        }
    }

    /// The files that may be its initrd, as they are now.
    pub(super) fn files(self, boots: &Boots) -> Result<Files, Problem> {
        let usual = usual_places(self.root, self.release, self.dir)?;
        let mut files = BTreeMap::new();
        for path in boots.files().iter().cloned().chain(usual) {
            if let Ok(stat) = self.root.metadata(&path) {
                files.insert(path, stat);
            }
        }
        Ok(Files(files))
    }

    /// Is there a new initrd, after a run of `tool`? `before`: what there was.
    ///
    /// # Errors
    /// What is wrong with the initrd, in words.
    pub(super) fn check(
        self,
        tool: Tool,
        snapshot: Snapshot,
        boots: Boots,
        before: &Files,
    ) -> Result<(), String> {
        let now = self.files(&boots).map_err(|problem| problem.to_string())?;
        let is_new = |path: &PathBuf| now.0.get(path) != before.0.get(path);
        // Of several, and where no entry has been made yet, the one that was written is the one that is meant.
        let (boots, has_new) = match boots {
            Boots::Initrds(_) | Boots::Unified(_) => {
                let has_new = boots.files().iter().any(is_new);
                (boots, has_new)
            }
            Boots::NoEntry if tool.makes_boot_entries() => return Err("the kernel has no boot entry".into()),
            Boots::Missing if tool.makes_boot_entries() => return Err("there is none".into()),
            Boots::Missing | Boots::NoEntry | Boots::Unclear(_) => {
                let new: Vec<PathBuf> = now.0.keys().filter(|path| is_new(path)).cloned().collect();
                match new.is_empty() {
                    true if now.0.is_empty() => return Err("there is none".into()),
                    true => (Boots::Initrds(now.0.into_keys().collect()), false),
                    false => (Boots::Initrds(new), true),
                }
            }
        };
        let shown: Vec<String> =
            boots.files().iter().map(|f| self.root.display(f).display().to_string()).collect();
        let shown = shown.join(", ");
        if !has_new && !tool.keeps_equal_initrds() {
            return Err(format!("{shown} is the one that was there before"));
        }
        let is_elsewhere = tool.makes_boot_entries() && snapshot == Snapshot::Default;
        self.contents(tool, &boots, has_new && is_elsewhere).map_err(|why| format!("{shown}: {why}"))
    }

    /// Does an initrd hold what it should? `of_another`: it may be one of a snapshot whose modules are not seen from here; then
    /// it only has to be readable.
    pub(super) fn contents(self, tool: Tool, boots: &Boots, of_another: bool) -> Result<(), String> {
        let (release, _) = Release::scan(self.root, self.release, self.dir);
        let modules = compare::on_disk(self.dialect, &release);
        match compare::with_initrd(self.root, self.dialect, &release, &modules, boots) {
            Present::Missing | Present::NoEntry => Err("it is not there".into()),
            Present::Unreadable(why) => Err(format!("it cannot be read: {why}")),
            Present::Unknown(why) => Err(format!("what it holds is not known: {why}")),
            Present::Closed(_) => Ok(()),
            Present::Read(_) if of_another => Ok(()),
            Present::Read(compared) => {
                let drivers = match tool.reads_dracut_conf() {
                    true => Drivers::load(self.root, &mut Vec::new()),
                    false => Drivers::default(),
                };
                let short = shortfall(compared, &drivers);
                let words: Vec<String> =
                    short.iter().map(|(name, change)| format!("{name}: {change}")).collect();
                if short.is_empty() { Ok(()) } else { Err(words.join("; ")) }
            }
        }
    }
}
