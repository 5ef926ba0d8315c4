// SPDX-License-Identifier: LGPL-2.1-or-later
//! Initrds that are needed: asked for by markers, and made by generators.

mod boot_loader;
mod made;
mod markers;
mod run_generator;

use std::cell::Cell;
use std::path::Path;

pub use boot_loader::refresh;
pub use markers::{ALL, MARKERS, mark, markers, unmark};
pub use run_generator::{CheckError, Generator, GeneratorError, check_with};

use crate::dialect::Dialect;
use crate::initrd::boot::Told;
use crate::initrd::{NoGenerator, Reason, Settings, Snapshot};
use crate::inventory::Release;
use crate::root::Root;
use crate::run_dir::Note;

/// What was done about a kernel's initrd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing: none is needed.
    Nothing,
    /// Nothing: a dry run.
    Due,
    /// A marker asks `regenerate-initrd-posttrans` for it.
    Marked,
    /// The generator made it, and it was looked at; what the generator said.
    Built(String),
    /// It failed, and a marker is left where that was possible.
    Failed(String),
}

/// The answer for one kernel, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Needed or not, and why.
    pub reason: Reason,
    /// What was done.
    pub done: Done,
}

/// What [`initrd`](crate::initrd) has decided, and the marker that was left for it, if a new initrd is needed.
#[derive(Debug)]
pub struct Asked {
    reason: Reason,
    marker: Option<Result<Note, String>>,
}

impl Asked {
    /// Is nothing needed, or is there a marker? Then what led to the decision can be forgotten.
    pub fn is_settled(&self) -> bool {
        !self.reason.needed() || matches!(self.marker, Some(Ok(_)))
    }

    /// Nothing is made now: the marker stays, if there is one.
    pub fn leave(self) -> Fate {
        let done = match self.marker {
            None if self.reason.needed() => Done::Due,
            None => Done::Nothing,
            Some(marker) => marker.map_or_else(Done::Failed, |_| Done::Marked),
        };
        Fate { reason: self.reason, done }
    }
}

/// Asks for initrds, and makes them where they are made at once.
#[derive(Debug)]
pub struct InitrdMaker<'a> {
    root: &'a Root,
    settings: &'a Settings,
    dialect: Dialect,
    generator: Option<Result<Generator, NoGenerator>>,
    has_made: Cell<bool>,
}

impl<'a> InitrdMaker<'a> {
    /// Where initrds may be made at once the generator is looked for, and, unless it is a dry run, asked whether it is in use.
    pub fn find(root: &'a Root, settings: &'a Settings, dialect: Dialect, dry_run: bool) -> Self {
        let may_make = !settings.markers_only && settings.may_run_in(root);
        let generator = may_make.then(|| Generator::find(root, settings, dry_run));
        Self { root, settings, dialect, generator, has_made: Cell::new(false) }
    }

    /// Why there is no generator, where there should be one.
    pub fn missing(&self) -> Option<&NoGenerator> {
        self.generator.as_ref().and_then(|found| found.as_ref().err())
    }

    /// Leaves the marker that `reason` asks for. It comes before the generator, so that what is cut short is made up for.
    pub fn ask(&self, release: &Release, reason: Reason, dry_run: bool) -> Asked {
        let marker = (reason.needed() && !dry_run).then(|| {
            mark(self.root, &release.release).map_err(|e| {
                let markers = self.root.display(Path::new(MARKERS));
                format!("cannot leave a marker in {}: {e}", markers.display())
            })
        });
        Asked { reason, marker }
    }

    /// Makes the initrd that was asked for, where initrds are made at once.
    pub fn serve(&self, release: &Release, asked: Asked, snapshot: Snapshot) -> Fate {
        match asked.marker {
            None => asked.leave(),
            Some(marker) => Fate { reason: asked.reason, done: self.make(release, marker, snapshot) },
        }
    }

    /// What the generator knows of a kernel's boot entry, if it is one that makes entries: see [`Generator::entry`]. In a snapshot
    /// that is being changed the entry does not exist yet.
    pub fn entry(&self, release: &str) -> Option<Told> {
        let generator = self.generator.as_ref()?.as_ref().ok()?;
        generator.entry(self.root, release, Snapshot::Running).filter(|_| !self.settings.transactional)
    }

    /// After the last initrd: the boot loader is given what it has copies of. Returns why that failed.
    pub fn finish(&self) -> Option<String> {
        self.has_made.get().then(|| refresh(self.root).err()).flatten()
    }

    fn make(&self, release: &Release, marker: Result<Note, String>, snapshot: Snapshot) -> Done {
        let generator = match &self.generator {
            Some(Ok(generator)) if !self.settings.in_posttrans => generator,
            Some(Err(missing)) if !self.settings.in_posttrans => return Done::Failed(missing.to_string()),
            _ => return marker.map_or_else(Done::Failed, |_| Done::Marked),
        };
        if self.settings.transactional && generator.makes_boot_entries() {
            return marker.map_or_else(Done::Failed, |_| Done::Marked);
        }
        match generator.make(self.root, self.dialect, (&release.release, &release.dir), snapshot) {
            Ok(said) => {
                self.has_made.set(true);
                if let Ok(marker) = marker {
                    unmark(self.root, &marker);
                }
                Done::Built(said)
            }
            Err(e) => Done::Failed(e.to_string()),
        }
    }
}
