// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which kernels need a new initrd, and why.
//!
//! [`boot`] knows which initrd a kernel is booted with, [`archive`] lists its modules, [`compare`] puts them beside those on disk, [`decide`] answers by the rules of
//! `weak-modules2`. [`Request`] is how [`sync`](crate::sync) and the command ask; [`crate::apply`] makes what is needed.

pub mod archive;
pub mod boot;
pub mod compare;
mod cpio;
pub mod decide;
mod digest;
pub mod dracut_conf;
mod generators;
pub mod places;
mod settings;
mod squashfs;

use std::cell::OnceCell;
use std::fmt;
use std::path::Path;

use boot::{Boots, Entries, Told};
pub use decide::{Change, Reason};
pub use digest::Digest;
pub use dracut_conf::Drivers;
pub(crate) use generators::DEFAULT_SNAPSHOT;
pub use generators::{Machines, NoGenerator, Snapshot, Tool, Wanted, configured};
pub use settings::Settings;

use crate::dialect::{Dialect, UnknownDistribution};
use crate::inventory::Release;
use crate::problem::Problem;
use crate::root::Root;
use compare::Modules;

/// Who asks where `KMP_NEEDS_MKINITRD` is set.
pub const PACKAGE: &str = "a package (KMP_NEEDS_MKINITRD)";

/// For whom initrds are asked for, beside the kernels of which modules changed.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What the environment says.
    pub settings: Settings,
    /// A kernel that was installed, or of which its own modules came or went.
    pub kernel: Option<String>,
    /// A KMP that was installed, by NAME-VERSION-RELEASE: every kernel that has it is looked at.
    pub package: Option<String>,
    /// Kernels of which third-party modules of their own came or went.
    pub touched: Vec<String>,
    /// Whoever asks looks after the initrds, by what the report says ([`crate::sync::KernelReport::to_check`]).
    pub by_caller: bool,
}

/// Asks the boot loader's own program about a kernel; `None`: there is none that can be asked.
pub type Ask<'a> = &'a dyn Fn(&str) -> Option<Told>;

/// What all kernels of a root have in common.
pub struct System<'a> {
    root: &'a Root,
    incomplete: Option<String>,
    unknown: Option<String>,
    drivers: Drivers,
    dialect: Dialect,
    entries: OnceCell<Result<Entries, Problem>>,
    ask: Option<Ask<'a>>,
    /// What of dracut's configuration was left out.
    pub problems: Vec<Problem>,
}

impl fmt::Debug for System<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("root", &self.root).finish_non_exhaustive()
    }
}

impl<'a> System<'a> {
    /// Looks at the root. `distribution`: why its dialect is not known, if so. `missing`: why there is no generator, where initrds are to be made at once and there is none.
    pub fn look(
        root: &'a Root,
        dialect: Dialect,
        distribution: Option<&UnknownDistribution>,
        missing: Option<&NoGenerator>,
    ) -> Self {
        let mut problems = Vec::new();
        let mut unknown = missing.filter(|fault| fault.is_unread()).map(ToString::to_string);
        let missing = missing.filter(|fault| !fault.is_unread()).map(|fault| hint(&fault.to_string()));
        let incomplete = Self::fault(root, dialect).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        let incomplete = incomplete.or(missing);
        // Which initrds are made is not known then, unless none is.
        unknown = unknown.or(distribution.filter(|_| incomplete.is_none()).map(ToString::to_string));
        let drivers = Drivers::load(root, &mut problems);
        unknown = unknown.or(problems.iter().find(|p| p.is_unread).map(Problem::to_string));
        Self { root, incomplete, unknown, drivers, dialect, entries: OnceCell::new(), ask: None, problems }
    }

    /// Has the boot loader's own program asked which initrd a kernel is booted with, before its entries are read.
    #[must_use]
    pub fn asking(self, ask: Ask<'a>) -> Self {
        Self { ask: Some(ask), ..self }
    }

    /// Somebody asks who knows the system: whether it is complete, and has a generator, is not asked any more.
    #[must_use]
    pub fn taken_for_complete(self) -> Self {
        Self { incomplete: None, ..self }
    }

    /// What a kernel is booted with.
    fn boots(&self, release: &Release) -> Result<Boots, Problem> {
        if let Some(told) = self.ask.and_then(|ask| ask(&release.release)) {
            return told.find(self.root);
        }
        let entries = self.entries.get_or_init(|| Entries::read(self.root)).as_ref().map_err(Clone::clone)?;
        entries.find(self.root, &release.release, &release.dir)
    }

    /// Why this is no complete system, if so, and what to do then: it is a build root, or not installed yet. Red Hat's
    /// dialect knows no such thing.
    ///
    /// # Errors
    /// The system could not look.
    pub fn fault(root: &Root, dialect: Dialect) -> Result<Option<String>, Problem> {
        if !dialect.wants_fstab() {
            return Ok(None);
        }
        let has = |path| {
            let path = Path::new(path);
            root.try_exists(path).map_err(|e| Problem::unreadable(root.display(path), &e))
        };
        Ok(match (has("/.buildenv")?, has("/etc/fstab")?) {
            (true, _) => Some(hint("there is a /.buildenv")),
            (_, false) => Some(hint("there is no /etc/fstab")),
            _ => None,
        })
    }

    /// Does this kernel, which has or will have `modules`, need a new initrd? `forced`: who asks for it in any case.
    /// `links_changed`: links, or third-party modules, of this kernel did.
    pub fn assess(
        &self,
        release: &Release,
        modules: &Modules,
        whole_kernel: bool,
        links_changed: bool,
        forced: Option<&str>,
    ) -> Reason {
        let (has_image, unseen) = match places::has_image(self.root, &release.release, &release.dir) {
            Ok(has_image) => (has_image, None),
            Err(problem) => (true, Some(problem)),
        };
        let unseen = unseen.as_ref().or(release.unread.as_ref()).map(Problem::to_string);
        let facts = decide::Facts {
            release: &release.release,
            incomplete: self.incomplete.as_deref(),
            unknown: self.unknown.as_deref().or(unseen.as_deref()),
            has_image,
            forced,
            whole_kernel,
            dialect: self.dialect,
            links_changed,
            drivers: &self.drivers,
        };
        decide::decide(&facts, || match self.boots(release) {
            Ok(boots) => compare::with_initrd(self.root, self.dialect, release, modules, &boots),
            Err(problem) => decide::Present::Unknown(problem.to_string()),
        })
    }
}

fn hint(fault: &str) -> String {
    format!("no initrd is made: {fault}. Please run \"kmp initrd\" as soon as the system is complete")
}

#[cfg(test)]
mod tests;
