// SPDX-License-Identifier: LGPL-2.1-or-later
//! One run of a transaction: what is known of it, and the links in it. One transaction set can be run more
//! than once.

use std::collections::HashSet;
use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use kmp_core::apply::{Done, markers};
use kmp_core::config::Policy;
use kmp_core::guest::{self, Caller, CommandLine, Part};
use kmp_core::history::{self, Call, Entry, Outcome};
use kmp_core::initrd::Settings;
use kmp_core::inventory::{AllItems, all_items};
use kmp_core::root::Root;
use kmp_core::run_dir::Note;
use kmp_core::run_dir::commit::{self, Step};
use kmp_core::run_dir::transaction::{Mark, Requests};
use kmp_core::sync::make_requested;

use super::Plugin;
use super::voice::{Level, Voice};
use crate::error::{Error, code};
use crate::handle::Shared;
use crate::report::{Report, state, verdict};
use crate::sync::{reconcile, sync_flag};

/// How long to wait for another run of kmp in one transaction, in tenths of a second.
const PATIENCE: u32 = 600;

/// How many packages of a transaction the history names.
const NAMED: usize = 32;

/// What is known of one run.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// As rpm calls it, which is not chrooted then.
    pub root: PathBuf,
    /// Nothing will be changed.
    pub is_test: bool,
    /// No scripts are run, so nothing of the root is.
    is_without_scripts: bool,
    /// NAME-VERSION-RELEASE.ARCH of all its packages.
    pub elements: HashSet<String>,
    /// Of those of them with kernels or drivers, as many as the history names.
    concerning: Vec<String>,
    /// What was done, for the history.
    history: Entry,
    /// It has packages with kernels or drivers, and really changes the disk.
    pub concerns_us: bool,
    /// What it is to libzypp.
    pub part: Part,
    /// What is pending in the commit of libzypp that it is a part of.
    pub steps: Vec<Step>,
    /// Other calls of rpm will come in the same commit.
    pub more_comes: bool,
    /// All that the commit brings could be looked at.
    pub is_known: bool,
    /// What people have named, once that was asked for.
    pub command_line: Option<CommandLine>,
    /// Over kmp.conf.
    pub policy: Option<Policy>,
    /// The code for which it was not judged.
    pub not_judged: Option<c_int>,
    /// Packages were installed or erased.
    has_changed: bool,
    /// The links are right since.
    is_synced: bool,
    /// What there was then; scripts that run later may change it, such as the distribution's own weak-modules.
    links: Option<AllItems>,
    /// What scriptlets have asked for until now.
    requests: Requests,
    /// The requests for initrds that were there before, if they could be listed.
    markers_before: Option<Vec<Note>>,
    /// For another run of kmp, in tenths of a second.
    waited: u32,
    mark: Mark,
}

impl Run {
    fn in_commit(&self) -> bool {
        self.part != Part::Alone
    }
}

impl Plugin {
    pub(super) fn new(voice: Voice) -> Self {
        Self { voice, run: Run::default() }
    }

    pub(super) fn begin(&mut self, root: &Path, is_test: bool, is_without_scripts: bool) {
        self.voice.begin(Some(root));
        self.run = Run { root: root.into(), is_test, is_without_scripts, ..Run::default() };
    }

    pub(super) fn element(&mut self, nevra: &str, concerns_us: bool) {
        self.run.elements.insert(nevra.into());
        if concerns_us && self.run.concerning.len() < NAMED {
            self.run.concerning.push(nevra.into());
        }
        self.run.concerns_us |= concerns_us;
    }

    /// Also where it failed: it may have left files.
    pub(super) fn changed(&mut self) {
        self.run.has_changed |= self.run.concerns_us;
    }

    pub(super) fn scriptlet(&mut self, scriptlet: &str) {
        let run = &mut self.run;
        if !run.concerns_us {
            return;
        }
        if !run.mark.is_announced()
            && let Ok(root) = Root::open(Path::new("/"))
        {
            run.mark.announce(&root, &|text| self.voice.remark(text));
        }
        let is_due = guest::is_due_before(scriptlet, run.in_commit() && run.more_comes);
        // Should it fail, it is tried again from outside, where more may be there: at the end.
        if is_due && run.has_changed && !run.is_synced {
            self.synchronise(Path::new("/"), Level::Info);
            self.run.links = Root::open(Path::new("/")).ok().and_then(|root| all_items(&root));
        }
    }

    pub(super) fn environment(&self) -> Option<&'static CStr> {
        let run = &self.run;
        let relies = run.concerns_us && run.mark.is_announced();
        relies.then(|| guest::environment(run.in_commit() && run.more_comes))
    }

    pub(super) fn end(&mut self, root: &Path) {
        if self.run.concerns_us || self.run.in_commit() {
            self.end_with_links(root);
        }
        if self.run.has_changed && !self.run.in_commit() && !self.run.is_without_scripts {
            self.make_initrds(root);
        }
        self.write_history();
        self.voice.begin(None);
        self.run = Run::default();
    }

    /// Reports what was done to the system's log, and keeps it for the history.
    pub(super) fn record(&mut self, part: Entry) {
        self.voice.system(&part.messages());
        self.run.history.add(part);
    }

    /// Writes what was done to the history, if it was something. Not chrooted.
    pub(super) fn write_history(&mut self) {
        let run = &mut self.run;
        let mut entry = std::mem::take(&mut run.history);
        // A test changes nothing; but whose transaction goes on after its test alone was stopped by that.
        let is_dry =
            run.is_test && (entry.outcome != Outcome::Stopped || Caller::of_this_process().program == "rpm");
        if is_dry || entry.is_empty() {
            return;
        }
        entry.packages = std::mem::take(&mut run.concerning);
        let root = Root::open(&run.root).map_err(std::io::Error::other);
        if let Err(e) = root.and_then(|root| history::write(&root, entry, Call::Plugin)) {
            let level = if history::is_expected(&e) { Level::Info } else { Level::Warning };
            self.voice.line(level, &format!("this transaction is not in the history (kmp history): {e}"));
        }
    }

    /// Before anything is changed: what is requested then is not for us.
    pub(super) fn look_at_requests(&mut self) {
        if self.run.concerns_us && !self.run.is_without_scripts {
            let root = Root::open(&self.run.root).ok();
            self.run.markers_before = root.and_then(|root| markers(&root).ok());
        }
    }

    /// Makes the initrds that were requested in the transaction, where nobody else does.
    fn make_initrds(&mut self, root: &Path) {
        let Some(before) = self.run.markers_before.take() else { return };
        let Ok(root) = Root::open(root) else { return };
        // Its scriptlets were run as well.
        let settings = Settings { run_in_root: true, ..Settings::from_environment() };
        match make_requested(&root, &settings, &before) {
            Ok(made) => {
                for (release, done) in made {
                    let failed = match done {
                        Done::Failed(why) => {
                            let text = format!("kernel {release} needs a new initrd, but {why}");
                            self.voice.line(Level::Warning, &text);
                            Some(why)
                        }
                        _ => {
                            self.voice.line(Level::Info, &format!("{release}: a new initrd was made"));
                            None
                        }
                    };
                    self.record(history::of_request(&release, failed.as_deref()));
                }
            }
            Err(problem) => self.voice.fault("initrds are not made", &problem.to_string()),
        }
    }

    /// Takes what scriptlets have asked for. Have they?
    fn take_requests(&mut self) -> bool {
        let taken = self.run.mark.take_requests();
        self.run.requests = self.run.requests.and(taken);
        taken != Requests::None
    }

    fn end_with_links(&mut self, root: &Path) {
        let requested = self.take_requests();
        let run = &self.run;
        let opened = Root::open(root).ok();
        // What others have put back since is taken out again.
        let is_right = |run: &Run| run.links.is_some() && run.links == opened.as_ref().and_then(all_items);
        let mut is_due = run.has_changed && (!run.is_synced || requested || !is_right(run));
        if run.in_commit() {
            let remark = |text: &str| self.voice.remark(text);
            if run.more_comes {
                let leave = |root: &Root| commit::leave_links(root, &remark);
                is_due = is_due && !opened.as_ref().is_some_and(leave);
            } else {
                is_due |= opened.is_some_and(|root| commit::take_left_links(&root, &remark));
            }
        }
        if is_due {
            self.synchronise(root, Level::Warning);
        }
    }

    /// Makes the links right, once in a transaction. `level`: how a failure is reported.
    fn synchronise(&mut self, root: &Path, level: Level) {
        self.take_requests();
        match Shared::open(root, true).and_then(|shared| self.reconcile_patiently(&shared)) {
            Ok((report, done)) => {
                self.report_changes(&report, level);
                // What fails before scripts that may make an initrd is tried again at the end.
                self.record(if level == Level::Info { done.without_failures() } else { done });
                self.run.is_synced = report.verdict != verdict::ABORT;
            }
            Err(error) => {
                // For the same reason for which it was not judged: once is enough.
                let level = if self.run.not_judged == Some(error.code) { Level::Info } else { level };
                let text = "the drivers' links were not updated, until `kmp sync` does so";
                let text = format!("{text}: {}", error.text);
                self.voice.line(level, &text);
                if level != Level::Info {
                    self.record(history::of_failure(&text));
                }
            }
        }
    }

    /// Another run may have looked before this transaction's packages were there; so it is waited for, but
    /// not for ever.
    fn reconcile_patiently(&mut self, shared: &Shared) -> Result<(Report, Entry), Error> {
        let limit = patience();
        // Who reports modules with --no-initramfs wants none, or makes it.
        let initrds = self.run.requests != Requests::WithoutInitrds;
        loop {
            match reconcile(shared, sync_flag::NO_WAIT, initrds) {
                Err(error) if error.code == code::E_BUSY && self.run.waited < limit => {}
                result => return result,
            }
            self.run.waited += 1;
            if self.run.waited == 10 {
                let text = "another run of kmp is in progress; waiting for it, at most";
                self.voice.line(Level::Warning, &format!("{text} {} seconds", limit / 10));
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn report_changes(&self, report: &Report, level: Level) {
        for entry in &report.entries {
            let level = if entry.state == state::FAILED { level } else { Level::Info };
            self.voice.line(level, &entry.text());
        }
    }
}

#[cfg(not(feature = "panic"))]
fn patience() -> u32 {
    PATIENCE
}

/// In builds for tests, as long as they want.
#[cfg(feature = "panic")]
fn patience() -> u32 {
    let wanted = std::env::var("KMP_TEST_PATIENCE").ok();
    wanted.and_then(|tenths| tenths.parse().ok()).unwrap_or(PATIENCE)
}
