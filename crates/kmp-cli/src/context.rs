// SPDX-License-Identifier: LGPL-2.1-or-later
//! What every verb needs: the root, librpm, and workers.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use kmp_core::dialect::Dialect;
use kmp_core::history::Entry;
use kmp_core::initrd::Settings;
use kmp_core::inventory::{self, Loader, ModulesDirs, Release};
use kmp_core::printable;
use kmp_core::root::Root;
use kmp_core::survey::{Selection, Survey};
use librpm_rt::{Database, Librpm, TrustedKeys};

use crate::host::cores::Cores;
use crate::host::history::Recorder;
use crate::output::progress::Progress;

pub struct Context {
    pub root: Root,
    /// May programs of a root that is not the system's be run, in it?
    run_in_root: bool,
    rpm: Result<Librpm, librpm_rt::Error>,
    progress: Progress,
    show_progress: Box<dyn Fn(&str) + Sync>,
    history: Recorder,
}

impl Drop for Context {
    fn drop(&mut self) {
        self.history.write(&self.root);
    }
}

impl Context {
    pub fn open(root: &Path) -> Result<Self, String> {
        let root = Root::open(root).map_err(|e| e.to_string())?;
        let progress = Progress::new();
        progress.show_programs();
        let shown = progress.clone();
        let show_progress = Box::new(move |what: &str| shown.show(what));
        let history = Recorder::default();
        Ok(Self { root, run_in_root: false, rpm: Librpm::load(), progress, show_progress, history })
    }

    /// With leave to run programs of a root that is not the system's, or without.
    pub fn with_programs(mut self, run_in_root: bool) -> Self {
        self.run_in_root = run_in_root;
        self
    }

    /// Reports what was done.
    pub fn record(&self, part: Entry) {
        self.history.add(&self.root, part);
    }

    /// A run is over, and the process goes on.
    pub fn end_run(&self) {
        self.history.write(&self.root);
    }

    /// What the environment and the command line say about initrds.
    pub fn settings(&self) -> Settings {
        Settings { run_in_root: self.run_in_root, ..Settings::from_environment() }
    }

    pub fn rpm(&self) -> Result<&Librpm, &librpm_rt::Error> {
        self.rpm.as_ref()
    }

    /// The rpm database of the root; `None`: there is none.
    pub fn database(&self) -> Result<Option<Database>, String> {
        let rpm = self.rpm().map_err(ToString::to_string)?;
        match rpm.open(self.root.path()) {
            Ok(database) => Ok(Some(database)),
            Err(librpm_rt::Error::NoDatabase { .. }) => Ok(None),
            Err(why) => Err(why.to_string()),
        }
    }

    /// The keys that rpm trusts in the root; none where it has no database.
    pub fn trusted_keys(&self) -> Result<TrustedKeys, String> {
        let rpm = self.rpm().map_err(ToString::to_string)?;
        let keys = match self.database()? {
            Some(database) => database.trusted_keys(),
            None => rpm.no_keys(),
        };
        keys.map_err(|why| why.to_string())
    }

    /// The dialect, where it is known.
    pub fn dialect(&self) -> Option<Dialect> {
        kmp_core::config::dialect(&self.root, &mut Vec::new()).ok()?.known().ok()
    }

    pub fn loader(&self) -> Loader<'_> {
        Loader::new(&self.root, &Cores, self.progress.is_shown().then_some(&*self.show_progress))
    }

    /// All release directories. What could not be read of one is in it.
    pub fn releases(&self) -> Result<(ModulesDirs, Vec<Release>), String> {
        let dirs = ModulesDirs::find(&self.root).map_err(|problem| problem.to_string())?;
        let mut problems = Vec::new();
        let releases = inventory::releases(&self.root, &dirs, &Cores, &mut problems);
        problems.iter().for_each(|problem| log::warn!("{problem}"));
        Ok((dirs, releases.map_err(|problem| problem.to_string())?))
    }

    /// Takes stock, and warns of what was left out.
    pub fn survey(&self, loader: &mut Loader<'_>, kernels: &[String]) -> Result<Survey, String> {
        let selection = Selection { kernels: kernels.to_vec(), ..Selection::default() };
        let survey = Survey::take(&self.root, self.rpm(), loader, &selection);
        self.done();
        let survey = survey.map_err(|problem| format!("nothing can be judged: {problem}"))?;
        for problem in &survey.problems {
            log::warn!("{problem}");
        }
        self.known(&survey, kernels)?;
        Ok(survey)
    }

    /// The work is done; the line about it goes.
    pub fn done(&self) {
        self.progress.clear();
    }

    /// Is every kernel that was named there?
    pub fn known(&self, survey: &Survey, kernels: &[String]) -> Result<(), String> {
        survey.has_kernels(kernels).map_err(|e| e.to_string())
    }
}

/// The release of the running kernel, for a root that is the running system's. A chroot (such as a snapshot that
/// transactional-update is making) shares its release with the host by chance only.
pub fn running_kernel(root: &Root) -> Result<String, String> {
    let here = || std::fs::metadata("/").ok().map(|m| (m.dev(), m.ino()));
    // Only root may look; who may not is taken for being on the system itself.
    let first = std::fs::metadata("/proc/1/root/.").ok().map(|m| (m.dev(), m.ino()));
    let is_elsewhere = !root.is_system() || first.is_some_and(|first| here() != Some(first));
    if is_elsewhere || Settings::from_environment().transactional {
        return Err(format!(
            "the running kernel is not the one of {}; name a kernel",
            printable(root.path().as_os_str())
        ));
    }
    let path = "/proc/sys/kernel/osrelease";
    match std::fs::read_to_string(path) {
        Ok(release) => Ok(release.trim().into()),
        Err(e) => Err(format!("the running kernel's release cannot be read from {path}: {e}; name a kernel")),
    }
}
