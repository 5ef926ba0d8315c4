// SPDX-License-Identifier: LGPL-2.1-or-later
//! May the transaction go on? Together with what is pending in the same commit of libzypp.

use std::collections::BTreeSet;
use std::sync::Arc;

use kmp_core::config::Policy;
use kmp_core::guard::Removal;
use kmp_core::guest::{self, Caller, Part, more_comes, packages, part};
use kmp_core::history::{Entry, Outcome};
use kmp_core::root::Root;
use kmp_core::run_dir::commit::{self, Step, StepKind};

use super::Plugin;
use super::voice::Level;
use crate::error::{Error, code};
use crate::handle::Shared;
use crate::report::{Report, kind, policy, verdict};
use crate::ret;
use crate::transaction::Transaction;

const POLICY_VARIABLE: &str = "KMP_POLICY";

impl Plugin {
    /// What has to be judged, if something has. `policy`: rpm's macro.
    pub(super) fn describe(&mut self, policy: Option<&str>) -> Option<Transaction> {
        self.find_part();
        let run = &self.run;
        if run.part == Part::Judged || !run.concerns_us && run.part != Part::First {
            return None;
        }
        self.run.policy = self.read_policy(policy);
        if self.run.policy == Some(Policy::Off) {
            return None;
        }
        let opened = Shared::open(&self.run.root, true);
        let transaction = opened.and_then(|shared| Transaction::new(Arc::new(shared)));
        transaction.map_err(|error| self.is_not_judged(&error)).ok()
    }

    /// What is this call of rpm to libzypp?
    fn find_part(&mut self) {
        if !Caller::of_this_process().is_in_classic_commit() {
            return;
        }
        let remark = |text: &str| self.voice.remark(text);
        let root = Root::open(&self.run.root).ok();
        let steps = root.as_ref().and_then(|root| commit::steps(root, &remark));
        let judged = root.as_ref().and_then(|root| commit::judged(root, &remark));
        self.run.part = part(true, steps.as_deref(), judged);
        self.run.more_comes = more_comes(steps.as_deref(), |nevra| self.run.elements.contains(nevra));
        self.run.steps = steps.unwrap_or_default();
    }

    /// The policy that goes over kmp.conf: the environment's, else the macro's.
    fn read_policy(&self, macro_says: Option<&str>) -> Option<Policy> {
        let variable = guest::variable(POLICY_VARIABLE);
        let variable = variable.as_ref().map(|value| value.to_string_lossy());
        let read = |name: &str, value: Option<&str>| {
            let value = value.filter(|value| !value.is_empty())?;
            let policy = Policy::parse(value);
            if policy.is_none() {
                self.voice.fault(&format!("{name} is abort, warn or off, not"), value);
            }
            policy
        };
        let first = read(POLICY_VARIABLE, variable.as_deref());
        let second = read("%_kmp_policy", macro_says);
        first.or(second)
    }

    pub(super) fn is_named(&mut self, nevra: &str) -> bool {
        let line = self.run.command_line.get_or_insert_with(|| Caller::of_this_process().command_line());
        // What cannot be read names nothing.
        let _ = line.read();
        line.names(nevra)
    }

    /// May it go on?
    pub(super) fn allows(&mut self, transaction: Option<&mut Transaction>) -> bool {
        let judged = ret::guarded(|| transaction.is_none_or(|transaction| self.judge(transaction)));
        let allowed = judged.unwrap_or_else(|error| {
            self.is_not_judged(&error);
            true
        });
        let run = &mut self.run;
        if run.is_test {
            run.concerns_us = false;
            run.part = Part::Alone;
        } else if allowed {
            if run.part == Part::First
                && let Ok(root) = Root::open(&run.root)
            {
                commit::let_go_on(&root, run.is_known, &|text| self.voice.remark(text));
            }
            self.look_at_requests();
        }
        allowed
    }

    fn judge(&mut self, transaction: &mut Transaction) -> bool {
        let mut may_stop = self.run.part == Part::Alone;
        if self.run.part == Part::First {
            self.run.is_known = self.add_pending(transaction);
            may_stop = self.run.is_known;
        }
        let again = Caller::of_this_process().again();
        match transaction.judge(Ok(self.run.policy), again, may_stop) {
            Ok(report) => {
                self.report_losses(&report, may_stop);
                !may_stop || report.verdict != verdict::ABORT
            }
            Err(error) => {
                self.is_not_judged(&error);
                true
            }
        }
    }

    fn is_not_judged(&mut self, error: &Error) {
        self.voice.fault("the transaction is not judged", &error.text);
        self.run.not_judged = Some(error.code);
    }

    /// Adds what is pending beside the transaction's own packages. False where not all of it could be looked
    /// at: libzypp can be configured to download packages only as it needs them.
    fn add_pending(&mut self, transaction: &mut Transaction) -> bool {
        let Ok(root) = Root::open(&self.run.root) else { return false };
        let mut steps = std::mem::take(&mut self.run.steps);
        steps.retain(|step| !self.run.elements.contains(&step.nevra));
        let (going, coming): (Vec<Step>, Vec<Step>) =
            steps.into_iter().partition(|step| step.kind == StepKind::Erase);
        if let Err(error) = self.add_going(transaction, &going) {
            self.voice.fault("what else goes in the same commit", &error.text);
        }
        let wanted: BTreeSet<&str> = coming.iter().map(|step| &*step.nevra).collect();
        let found = packages::find(&root, &wanted);
        for step in &coming {
            let Some(path) = found.get(&*step.nevra) else { continue };
            if let Err(error) = transaction.add_file(path, step.kind == StepKind::Update) {
                self.voice.fault(&format!("{}.rpm", step.nevra), &error.text);
            }
        }
        found.len() == wanted.len()
    }

    fn add_going(&mut self, transaction: &mut Transaction, going: &[Step]) -> Result<(), Error> {
        if going.is_empty() {
            return Ok(());
        }
        let shared = transaction.shared();
        let unknown = |e: librpm_rt::Error| Error::new(code::E_DATABASE, e);
        let database = shared.needed_rpm()?.open(shared.root.path()).map_err(unknown)?;
        let mut instances = Vec::new();
        for Step { nevra, .. } in going {
            let name = nevra.rsplitn(3, '-').nth(2).unwrap_or_default();
            let removal = if self.is_named(nevra) { Removal::Named } else { Removal::Erased };
            for instance in database.by_name(name).map_err(unknown)? {
                // One that cannot be read is none that we know to go.
                if database.package(instance, &|_| false).is_ok_and(|package| package.nvra() == *nevra) {
                    instances.push((instance, removal));
                }
            }
        }
        instances.into_iter().for_each(|(instance, removal)| transaction.remove(instance, removal));
        Ok(())
    }

    fn report_losses(&mut self, report: &Report, may_stop: bool) {
        let is_unsure = !may_stop && report.verdict == verdict::ABORT;
        let mut lost = Vec::new();
        for entry in &report.entries {
            match entry.kind {
                kind::MESSAGE => {
                    let level = match entry.policy {
                        policy::ABORT => Level::Error,
                        policy::WARN => Level::Warning,
                        _ => Level::Notice,
                    };
                    let command = entry.advised();
                    let text = entry.text();
                    self.voice.message(level, &text, command.as_deref());
                    lost.push(text.to_string());
                }
                kind::PROBLEM => self.voice.fault("not taken into account", &entry.text()),
                _ => {}
            }
        }
        if is_unsure {
            let text = "unless another package of this update brings it; see kmp status afterwards";
            self.voice.line(Level::Warning, text);
            lost.push(text.into());
        }
        let is_stopped = may_stop && report.verdict == verdict::ABORT;
        let outcome = if is_stopped { Outcome::Stopped } else { Outcome::Done };
        self.record(Entry { lost, outcome, ..Entry::default() });
        if is_stopped {
            // Nothing comes any more.
            self.write_history();
        }
    }
}
