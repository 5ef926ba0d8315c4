// SPDX-License-Identifier: LGPL-2.1-or-later
//! The programs that make initrds: which one it is here, and its runs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::program::{self, Failure, With, find_in, last_lines};
use super::made::{Files, Kernel};
use crate::dialect::Dialect;
use crate::initrd::boot::{self, Boots, Told};
use crate::initrd::{DEFAULT_SNAPSHOT, Machines, NoGenerator, Settings, Snapshot, Tool, Wanted, configured};
use crate::printable;
use crate::problem::Problem;
use crate::root::{Root, is_fault};

/// The longest time for a generator.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// The longest time for a question.
const LIMIT_TO_ASK: Duration = Duration::from_secs(60);

/// systemd's program that knows the boot partitions.
const BOOTCTL: &str = "bootctl";

/// How a run ended that made nothing all the same.
const NO_FAULT: &str = "it ended without an error";

/// A generator failed, or made nothing.
#[derive(Debug, thiserror::Error)]
#[error("{program} could not make {what}: {why}")]
pub struct GeneratorError {
    program: String,
    what: String,
    why: String,
    /// Its exit status, if it was run: 0 where it said that all was well, and there is no new initrd all the same.
    pub status: Option<i32>,
}

/// A program of the caller's that looks after initrds could not be run, or failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CheckError(String);

/// The program that makes initrds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    tool: Tool,
    program: PathBuf,
}

impl Generator {
    /// Looks which it is: the one that is configured, which has to be there; sdbootutil, which calls that one, where it is in
    /// use. Only sdbootutil itself can say whether it is; `dry_run`: it is not asked.
    ///
    /// # Errors
    /// [`NoGenerator`].
    pub fn find(root: &Root, settings: &Settings, dry_run: bool) -> Result<Self, NoGenerator> {
        if !settings.may_run_in(root) {
            return Err(NoGenerator::OfOtherRoot(root.path().into()));
        }
        let program = |tool: Tool| settings.program(tool);
        let find = |named: &OsStr| {
            find_in(root, named).map_err(|e| match is_fault(&e) {
                true => NoGenerator::Unread(format!("{}: {e}", printable(named))),
                false => NoGenerator::Refused(printable(named), e.to_string()),
            })
        };
        let tool = configured(root, settings)?;
        let named = program(tool);
        let found = find(&named)?.ok_or_else(|| NoGenerator::NotInstalled(printable(&named)))?;
        if !dry_run
            && let Some(program) = find(&program(Tool::Sdbootutil))?
            && run(root, &program, &["is-installed".into()]).is_ok()
        {
            return Ok(Self { tool: Tool::Sdbootutil, program });
        }
        Ok(Self { tool, program: found })
    }

    /// Does it make boot entries, too?
    pub fn makes_boot_entries(&self) -> bool {
        self.tool.makes_boot_entries()
    }

    /// Asks sdbootutil for the initrds of a kernel's entry in a snapshot, and bootctl for the partition that they are
    /// in. `None`: it is another generator, or it does not answer; then the entries have to be read.
    pub fn entry(&self, root: &Root, release: &str, snapshot: Snapshot) -> Option<Told> {
        if !self.makes_boot_entries() {
            return None;
        }
        let which = match snapshot {
            Snapshot::Running => None,
            Snapshot::Default => Some(DEFAULT_SNAPSHOT),
        };
        let arguments: Vec<&str> =
            which.into_iter().chain(["--entry-keys=initrd", "show-entry", release]).collect();
        let printed = match print(root, &self.program, &arguments) {
            Ok(printed) => printed,
            Err(failure) => {
                let why = failure.message(self.program.as_os_str(), last_lines);
                log::info!("the entry of kernel {release} is not known to {}: {why}", self.program.display());
                return None;
            }
        };
        let initrds: Vec<&str> = printed
            .lines()
            .filter_map(|line| Some(line.strip_prefix("initrd")?.trim()))
            .filter(|i| !i.is_empty())
            .collect();
        let partition = (!initrds.is_empty())
            .then(|| find_in(root, BOOTCTL.as_ref()).ok().flatten())
            .flatten()
            .and_then(|bootctl| print(root, &bootctl, &["--print-boot-path"]).ok())
            .map(|printed| PathBuf::from(printed.trim()))
            .filter(|partition| partition.is_absolute());
        let places = initrds.iter().map(|initrd| boot::in_partitions(partition.as_deref(), initrd));
        Some(Told { initrds: places.collect() })
    }

    /// Makes the initrd of the kernel `release` with the directory `dir`, where it belongs, and looks at it. Returns what the
    /// generator said.
    ///
    /// # Errors
    /// [`GeneratorError`]: it failed, or there is no new initrd afterwards.
    pub fn make(
        &self,
        root: &Root,
        dialect: Dialect,
        (release, dir): (&str, &Path),
        snapshot: Snapshot,
    ) -> Result<String, GeneratorError> {
        let what = format!("the initrd of kernel {release}");
        let failed = |why: String| self.failed(what.clone(), why);
        let kernel = Kernel { root, dialect, release, dir };
        let unclear = |problem: Problem| failed(format!("where it is to be is not known: {problem}"));
        let before = kernel.boots(self.entry(root, release, snapshot)).map_err(unclear)?;
        let path = before.replaceable().filter(|_| dialect.replaces_initrds_in_place());
        let machines = Machines::of(root, path)
            .map_err(|problem| failed(format!("for what it is to be made is not known: {problem}")))?;
        let files = kernel.files(&before).map_err(unclear)?;
        let wanted = Wanted { release, path, snapshot, machines };
        let said = self.run(root, &self.tool.arguments(wanted), what.clone())?;
        self.check(kernel, snapshot, &files).map_err(|why| self.made_nothing(what, &why))?;
        Ok(said)
    }

    /// Makes the initrds of all kernels, if it can do so by itself: `None` otherwise, then each has to be asked for. Those of
    /// `kernels` are looked at, each with its directory. Returns what the generator said.
    pub fn make_all(
        &self,
        root: &Root,
        dialect: Dialect,
        kernels: &[(&str, &Path)],
    ) -> Option<Result<String, GeneratorError>> {
        let arguments = self.tool.arguments_for_all()?;
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Some(self.run_for_all(root, dialect, kernels, &arguments))
    }

    fn run_for_all(
        &self,
        root: &Root,
        dialect: Dialect,
        kernels: &[(&str, &Path)],
        arguments: &[String],
    ) -> Result<String, GeneratorError> {
        let what = "the initrds of all kernels";
        let (snapshot, mut before) = (Snapshot::Default, Vec::new());
        for (release, dir) in kernels.iter().copied() {
            let kernel = Kernel { root, dialect, release, dir };
            let boots = kernel.boots(self.entry(root, release, snapshot));
            let files = boots.and_then(|boots| kernel.files(&boots));
            before.push((kernel, files.map_err(|problem| self.failed(what.into(), problem.to_string()))?));
        }
        let said = self.run(root, arguments, what.into())?;
        let short = before.iter().filter_map(|(kernel, files)| {
            let why = self.check(*kernel, snapshot, files).err()?;
            Some(format!("kernel {}: {why}", kernel.release))
        });
        let short: Vec<String> = short.collect();
        if short.is_empty() {
            return Ok(said);
        }
        Err(self.made_nothing(what.into(), &short.join("; ")))
    }

    /// Is there a new initrd, now that it has run? A boot loader's program that does not say what a snapshot is booted with leaves
    /// nothing to look at.
    fn check(&self, kernel: Kernel<'_>, snapshot: Snapshot, before: &Files) -> Result<(), String> {
        let told = self.entry(kernel.root, kernel.release, snapshot);
        if told.is_none() && snapshot == Snapshot::Default && self.makes_boot_entries() {
            log::info!("whether kernel {} has a new initrd is not known", kernel.release);
            return Ok(());
        }
        let boots = kernel.boots(told).map_err(|problem| problem.to_string())?;
        kernel.check(self.tool, snapshot, boots, before)
    }

    /// Does the initrd that a kernel boots with hold what it should?
    pub(crate) fn is_content(
        &self,
        root: &Root,
        dialect: Dialect,
        (release, dir): (&str, &Path),
        boots: &Boots,
    ) -> bool {
        Kernel { root, dialect, release, dir }.contents(self.tool, boots, false).is_ok()
    }

    fn made_nothing(&self, what: String, why: &str) -> GeneratorError {
        let why = format!("{NO_FAULT}, but {why}");
        GeneratorError { status: Some(0), ..self.failed(what, why) }
    }

    fn failed(&self, what: String, why: String) -> GeneratorError {
        GeneratorError { program: self.program.display().to_string(), what, why, status: None }
    }

    fn run(&self, root: &Root, arguments: &[String], what: String) -> Result<String, GeneratorError> {
        run(root, &self.program, arguments).map_err(|failure| GeneratorError {
            program: self.program.display().to_string(),
            what,
            why: failure.message(self.program.as_os_str(), last_lines),
            status: match failure {
                Failure::Ended(status, ..) => status,
                Failure::NotRun(_) => None,
            },
        })
    }
}

/// Runs a program of `root`, in `root`.
fn run(root: &Root, program: &Path, arguments: &[String]) -> Result<String, Failure> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    program::run(program.as_os_str(), &arguments, With { root: Some(root), limit: LIMIT, ..With::default() })
}

/// What a program of `root` prints, run in `root`.
fn print(root: &Root, program: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let with = With { root: Some(root), limit: LIMIT_TO_ASK, ..With::default() };
    let output = program::output(program.as_os_str(), &arguments, with)?;
    Ok(String::from_utf8_lossy(&output.printed).into_owned())
}

/// Runs a program of the caller's that looks after the initrd of `release` in place of ours. Returns what it said.
///
/// # Errors
/// [`CheckError`].
pub fn check_with(program: &Path, release: &str) -> Result<String, CheckError> {
    // Who names it on a command line means a path there as it is there.
    let named = match program.components().count() {
        1 => Ok(program.to_path_buf()),
        _ => std::path::absolute(program),
    };
    let named = named.map_err(|e| CheckError(e.to_string()))?;
    program::run(named.as_os_str(), &[release.into()], With { limit: LIMIT, ..With::default() })
        .map_err(|failure| CheckError(failure.message(program.as_os_str(), last_lines)))
}
