// SPDX-License-Identifier: LGPL-2.1-or-later
//! A root with its packages, to be asked all that kmp answers.

use std::path::Path;

use librpm_rt::Librpm;

use crate::check::{self, CheckError, Checked, Request};
use crate::guard::{self, PlanError, Planned, Question};
use crate::inventory::Loader;
use crate::root::{Root, RootError};
use crate::survey::{Selection, Survey};
use crate::sync::{self, Options, SyncError, SyncReport};
use crate::workers::Serial;

/// A root with its kernels, drivers and packages: what every question is about. Everything is done by the calling thread; with
/// more of them, call the functions of the modules, which take [`Workers`](crate::workers::Workers).
#[derive(Debug)]
pub struct System {
    /// The root directory, beneath which everything is read and written.
    pub root: Root,
    rpm: Result<Librpm, librpm_rt::Error>,
}

impl System {
    /// Opens a root, `/` for the running system, and loads librpm. Reads nothing yet; where there is no librpm, only what needs
    /// packages fails.
    ///
    /// # Errors
    /// The directory cannot be opened.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, RootError> {
        Ok(Self::new(Root::open(root.as_ref())?, Librpm::load()))
    }

    /// With what the caller has opened and loaded.
    pub fn new(root: Root, rpm: Result<Librpm, librpm_rt::Error>) -> Self {
        Self { root, rpm }
    }

    /// librpm, or why there is none.
    pub fn rpm(&self) -> Result<&Librpm, &librpm_rt::Error> {
        self.rpm.as_ref()
    }

    /// Reads modules and kernels on the calling thread, each once.
    pub fn loader(&self) -> Loader<'_> {
        Loader::new(&self.root, &Serial, None)
    }

    /// Takes stock, judges every third-party driver for the selected kernels, and plans their links. Reads only. What could not be
    /// read is in [`Survey::problems`].
    ///
    /// # Errors
    /// [`CheckError::NoKernel`]: a kernel that was selected is not there. [`CheckError::Unread`]: nothing can be said.
    pub fn survey(&self, selection: &Selection) -> Result<Survey, CheckError> {
        let survey = Survey::take(&self.root, self.rpm(), &mut self.loader(), selection)?;
        survey.has_kernels(&selection.kernels)?;
        Ok(survey)
    }

    /// Judges what somebody names: module files, package files, installed KMPs. Reads only.
    ///
    /// # Errors
    /// [`CheckError`]: what was named is not there.
    pub fn check(&self, request: &Request<'_>) -> Result<Checked, CheckError> {
        check::check(&self.root, self.rpm(), &mut self.loader(), request)
    }

    /// What a transaction, or another kernel that runs, would change. `running`: the running kernel's release, where the root is
    /// the running system's. Reads only.
    ///
    /// # Errors
    /// [`PlanError`]: what was named is not there, or what the answer rests on cannot be read.
    pub fn plan(&self, question: &Question, running: Option<&str>) -> Result<Planned, PlanError> {
        guard::plan(&self.root, self.rpm(), &mut self.loader(), question, running)
    }

    /// Makes the links of all kernels what they should be, or says what it would do. Waits for another run of kmp.
    ///
    /// # Errors
    /// [`SyncError`]: nothing was changed. What failed for single kernels is in the report.
    pub fn sync(&self, options: &Options) -> Result<SyncReport, SyncError> {
        sync::sync(&self.root, self.rpm(), &mut self.loader(), options, Some(&|| {}))
    }
}
