// SPDX-License-Identifier: LGPL-2.1-or-later
//! An rpm transaction, described and judged.

use std::cell::OnceCell;
use std::ffi::{OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kmp_core::config::{Config, Policy};
use kmp_core::guard::{self, Action, Elements, Finding, Lost, Orders, Removal, Running, Tools, Weight};
use kmp_core::inventory::ModulesDirs;
use kmp_core::last_update::LastUpdate;
use kmp_core::problem::Problem;
use kmp_core::survey::{Selection, Survey};
use rpm_meta::Evr;

use crate::arg::{self, growing};
use crate::error::{Error, code};
use crate::handle::{Kmp, Shared};
use crate::report::{Entry, Report, kind, policy, state, verdict};
use crate::ret;

/// rpm's flag of a dependency with "=".
const EQUAL: u32 = 8;

/// A capability. This struct does not grow.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Dependency {
    /// such as "ksym(default:printk)"; must not be NULL
    pub name: *const c_char,
    /// `[epoch:]version[-release]`; NULL or "" if none
    pub evr: *const c_char,
}

/// A package that is being installed. Set size, and set unused members to zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// set by the caller
    pub size: usize,
    /// must not be NULL
    pub name: *const c_char,
    /// -1: none
    pub epoch: i64,
    /// must not be NULL
    pub version: *const c_char,
    /// must not be NULL
    pub release: *const c_char,
    /// may be NULL
    pub arch: *const c_char,
    /// its Provides
    pub provides: *const Dependency,
    /// how many
    pub provides_count: usize,
    /// its Requires (`requires` is a keyword of C++)
    pub requires_: *const Dependency,
    /// how many
    pub requires_count: usize,
    /// absolute paths; those for which kmp_concerns() returns 0 may be left out
    pub files: *const *const c_char,
    /// how many
    pub files_count: usize,
}
growing!(Package, last: files_count: usize);

/// An rpm transaction, described element by element.
#[derive(Debug)]
pub struct Transaction {
    shared: Arc<Shared>,
    /// What comes; none after judging.
    elements: Option<Elements>,
    /// What goes: instance, and how.
    removed: Vec<(u32, Removal)>,
}

impl Transaction {
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Self, Error> {
        let dirs = ModulesDirs::find(&shared.root).map_err(|problem| Error::new(code::E_UNREAD, problem))?;
        let elements = Some(Elements::new(dirs));
        Ok(Self { shared, elements, removed: Vec::new() })
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A package file that comes; `updates`: in the place of what is installed by its name.
    pub(crate) fn add_file(&mut self, path: &Path, updates: bool) -> Result<(), Error> {
        let rpm = *self.shared.needed_rpm()?;
        let elements = self.elements()?;
        let added = if updates { elements.update_file(&rpm, path) } else { elements.add_file(&rpm, path) };
        added.map_err(|e| Error::new(code::E_PACKAGE, e))
    }

    /// An installed package that goes.
    pub(crate) fn remove(&mut self, instance: u32, removal: Removal) {
        self.removed.push((instance, removal));
    }

    fn elements(&mut self) -> Result<&mut Elements, Error> {
        self.elements.as_mut().ok_or_else(spent)
    }
}

fn spent() -> Error {
    Error::new(code::E_SPENT, "the transaction was judged already; describe it anew")
}

/// Begins the description of a transaction. Reads nothing. *out is freed with kmp_transaction_free(). KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_new(kmp: *mut Kmp, out: *mut *mut Transaction) -> c_int {
    ret::make(out, || Transaction::new(Arc::clone(&arg::shared(kmp, "kmp")?.0)))
}

/// Frees a transaction.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_free(transaction: *mut Transaction) {
    ret::value((), || arg::free(transaction));
}

/// Can a package that owns this path be relevant to kernels or their drivers? Returns 1 or 0; for NULL, 0. It is a
/// cheap filter for file lists (some nanoseconds): a package without any such file need not be described.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_concerns(path: *const c_char) -> c_int {
    ret::value(0, || c_int::from(arg::optional(path).is_some_and(|p| concerns(p.to_bytes()))))
}

/// As [`Elements::concerns`], for the many that do not.
fn concerns(path: &[u8]) -> bool {
    let near = path.starts_with(b"/usr/lib/m") || path.starts_with(b"/lib/m");
    near && Elements::concerns(Path::new(OsStr::from_bytes(path)))
}

/// Adds a package file that is being installed. Its payload is read if necessary, so this gives the best verdicts.
/// Its own signature is not checked. KMP_E_PACKAGE: it was not added; it can be described with kmp_transaction_add().
/// KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_add_file(transaction: *mut Transaction, path: *const c_char) -> c_int {
    ret::answer(|| {
        let transaction = arg::exclusive(transaction, "transaction")?;
        transaction.add_file(arg::path(path, "path")?, false)
    })
}

/// The same for an open package file, from its current position, such as the one that rpm's callback provides.
/// It is not closed, and its position is restored. KMP_E_PACKAGE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_add_fd(transaction: *mut Transaction, fd: c_int) -> c_int {
    ret::answer(|| {
        let transaction = arg::exclusive(transaction, "transaction")?;
        let fd = arg::descriptor(fd, "fd")?;
        let rpm = *transaction.shared.needed_rpm()?;
        let elements = transaction.elements()?;
        let added = rpm.package_from_fd(fd).and_then(|file| elements.add_opened(file));
        added.map_err(|e| Error::new(code::E_PACKAGE, e))
    })
}

/// The same for an update, as with rpm -U: installed packages of its name, and those that it obsoletes, are removed.
/// They are looked up by kmp_transaction_judge(). KMP_E_PACKAGE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_update_file(transaction: *mut Transaction, path: *const c_char) -> c_int {
    ret::answer(|| {
        let transaction = arg::exclusive(transaction, "transaction")?;
        transaction.add_file(arg::path(path, "path")?, true)
    })
}

/// Adds a package that is being installed, by its description. The imports of a KMP are its Requires ksym(...) = CRC;
/// the exports of a kernel are its Provides, or come from kmp_transaction_symvers(). What is missing in the
/// description is unknown, and does not make a driver lost. KMP_E_SIZE, KMP_E_SPENT, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_add(transaction: *mut Transaction, package: *const Package) -> c_int {
    ret::answer(|| {
        let elements = arg::exclusive(transaction, "transaction")?.elements()?;
        let described = arg::read_growing(package, "package")?;
        let requires = dependencies(described.requires_, described.requires_count, "requires_")?;
        let package = read_package(&described)?;
        let added = elements.add_package(package, &requires, None);
        added.map(drop).map_err(|e| Error::new(code::E_PACKAGE, e))
    })
}

fn read_package(described: &Package) -> Result<rpm_meta::Package, Error> {
    let text = |text, what| -> Result<String, Error> {
        let text =
            arg::optional(text).ok_or_else(|| Error::argument(format!("the package's {what} is NULL")))?;
        Ok(text.to_string_lossy().into_owned())
    };
    let epoch = match described.epoch {
        -1 => None,
        epoch => Some(u32::try_from(epoch).map_err(|_| Error::argument(format!("{epoch} is no epoch")))?),
    };
    let mut files = Vec::new();
    for file in arg::array(described.files, described.files_count, "files")? {
        let file = arg::optional(*file).ok_or_else(|| Error::argument("a file's path is NULL"))?.to_bytes();
        if concerns(file) {
            files.push(PathBuf::from(OsStr::from_bytes(file)));
        }
    }
    Ok(rpm_meta::Package {
        instance: None,
        name: text(described.name, "name")?,
        evr: Evr {
            epoch,
            version: text(described.version, "version")?,
            release: text(described.release, "release")?,
        },
        arch: arg::optional(described.arch).map(|a| a.to_string_lossy().into_owned()).unwrap_or_default(),
        provides: dependencies(described.provides, described.provides_count, "provides")?,
        files,
        ..rpm_meta::Package::default()
    })
}

fn dependencies(
    first: *const Dependency,
    count: usize,
    what: &str,
) -> Result<Vec<rpm_meta::Dependency>, Error> {
    let read = |dependency: &Dependency| {
        let name = arg::optional(dependency.name);
        let name = name.ok_or_else(|| Error::argument(format!("a name in {what} is NULL")))?;
        let evr = arg::optional(dependency.evr).map(|e| e.to_string_lossy().into_owned());
        let evr = evr.unwrap_or_default();
        let flags = if evr.is_empty() { 0 } else { EQUAL };
        Ok(rpm_meta::Dependency { name: name.to_string_lossy().into_owned(), flags, evr })
    };
    arg::array(first, count, what)?.iter().map(read).collect()
}

/// Sets what a kernel that is being installed exports: the contents of its Module.symvers, plain, .gz, .xz or .zst.
/// KMP_E_SYMVERS, KMP_E_SPENT, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_symvers(
    transaction: *mut Transaction,
    release: *const c_char,
    bytes: *const c_void,
    length: usize,
) -> c_int {
    ret::answer(|| {
        let elements = arg::exclusive(transaction, "transaction")?.elements()?;
        let release = arg::text(release, "release")?;
        let bytes = arg::array(bytes.cast::<u8>(), length, "bytes")?;
        elements.set_symvers(release, bytes).map_err(|why| Error::new(code::E_SYMVERS, why))
    })
}

/// How a package is removed.
pub mod removal {
    use std::ffi::c_int;

    /// it is erased, by request or by decision of the package manager
    pub const ERASED: c_int = 0;
    /// another package replaces it (an update, a downgrade, an obsoletes)
    pub const REPLACED: c_int = 1;
    /// it is erased, and the user has named it
    pub const NAMED: c_int = 2;
}

/// Adds an installed package that is being removed, by its instance in the rpm database. removal: KMP_REMOVAL_ERASED,
/// KMP_REMOVAL_REPLACED, KMP_REMOVAL_NAMED. What the user asked for is not a loss: KMP_REMOVAL_NAMED always, and
/// KMP_REMOVAL_ERASED if no kernel comes or goes in the transaction.
/// The package is looked up by kmp_transaction_judge(). KMP_E_SPENT, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_remove(
    transaction: *mut Transaction,
    instance: u32,
    removal: c_int,
) -> c_int {
    ret::answer(|| {
        let transaction = arg::exclusive(transaction, "transaction")?;
        transaction.elements()?;
        if instance == 0 {
            return Err(Error::argument("0 is no instance of the database"));
        }
        let removal = match removal {
            removal::ERASED => Removal::Erased,
            removal::REPLACED => Removal::Replaced,
            removal::NAMED => Removal::Named,
            other => return Err(Error::argument(format!("{other} is no way for a package to go"))),
        };
        transaction.remove(instance, removal);
        Ok(())
    })
}

/// Finds the drivers that the transaction would lose. Findings: KMP_LOST for each driver and kernel; KMP_MESSAGE for
/// each line of the message about all of them, in order; KMP_PROBLEM for what could not be judged.
/// policy: "abort", "warn" or "off" for all packages; NULL: as kmp.conf says for each.
/// *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD continue, KMP_VERDICT_WARN print the message and
/// continue, KMP_VERDICT_ABORT print it and stop. After this call, successful or not, the transaction can only be freed.
/// KMP_E_DATABASE, KMP_E_RPM, KMP_E_SPENT, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_transaction_judge(
    transaction: *mut Transaction,
    policy: *const c_char,
    out: *mut *mut Report,
) -> c_int {
    ret::make(out, || {
        let transaction = arg::exclusive(transaction, "transaction")?;
        let policy = if policy.is_null() { Ok(None) } else { read_policy(policy).map(Some) };
        transaction.judge(policy, None, true)
    })
}

fn read_policy(policy: *const c_char) -> Result<Policy, Error> {
    let word = arg::text(policy, "policy")?;
    let unknown = || Error::argument(format!("the policy {word} is none of abort, warn, off"));
    Policy::parse(word).ok_or_else(unknown)
}

impl Transaction {
    /// Judges it, and spends it whatever comes of that. For the message: the command line that is being judged, where it is known,
    /// and whether it may be stopped.
    pub(crate) fn judge(
        &mut self,
        policy: Result<Option<Policy>, Error>,
        again: Option<String>,
        may_stop: bool,
    ) -> Result<Report, Error> {
        let mut elements = self.elements.take().ok_or_else(spent)?;
        let policy = policy?;
        if policy == Some(Policy::Off) {
            return Ok(Report::default());
        }
        let shared = &*self.shared;
        let rpm = shared.needed_rpm()?;
        let mut report = Report::default();
        remove(shared, &mut elements, &self.removed, &mut report)?;
        if elements.is_empty() {
            return Ok(report);
        }
        let selection = Selection { signatures: elements.signatures(), ..Selection::default() };
        let survey = Survey::take(&shared.root, Ok(rpm), &mut shared.loader(), &selection);
        let survey = survey.map_err(|problem| Error::new(code::E_UNREAD, problem))?;
        if let Some(unknown) = &survey.inventory.packages_unknown {
            return Err(Error::new(code::E_DATABASE, unknown));
        }
        // Which drivers a kernel would lose depends on the dialect.
        if let Some(unknown) = &survey.inventory.conventions.distribution_unknown {
            return Err(Error::new(code::E_DIALECT, unknown));
        }
        let mut problems: Vec<Problem> = Vec::new();
        let config = Config::load(&shared.root, &mut problems);
        // What to do is not known where a file that may say so could not be read: nothing is stopped then.
        let policy = if problems.iter().any(|p| p.is_unread) { Some(Policy::Warn) } else { policy };
        // Nor where it is not known whether this kernel runs, or any.
        let known = problems.len();
        let running = shared.running(&mut problems);
        let nothing_boots = shared.nothing_boots(&mut problems) || problems.len() > known;
        // Only where something is lost does anybody ask.
        let in_use = OnceCell::new();
        let use_of = |module: &str| in_use.get_or_init(|| shared.in_use()).of(module);
        let running = Running { release: running.as_deref(), use_of: &use_of };
        let last = LastUpdate::load(&shared.root);
        let orders = Orders { config: &config, policy, nothing_boots, last: last.as_ref() };
        let judged = guard::judge(&shared.root, rpm, &survey, elements, &running, &orders);
        let tools = Tools::of(survey.inventory.conventions.dialect, again);
        problems.extend(in_use.into_inner().map(|in_use| in_use.unread).unwrap_or_default());
        for finding in &judged.findings {
            report.entries.push(lost(&finding.lost, Some(finding), &tools));
            report.verdict = report.verdict.max(match finding.action {
                Action::Stop => verdict::ABORT,
                Action::Warn => verdict::WARN,
                Action::Say => verdict::GOOD,
            });
        }
        report.entries.extend(guard::block(&judged, &tools, may_stop).iter().map(message));
        report.entries.extend(problems.iter().chain(&survey.problems).map(Entry::problem));
        Ok(report)
    }
}

/// A driver that is lost, with what is done about it, if anything.
pub(crate) fn lost(lost: &Lost, finding: Option<&Finding>, tools: &Tools) -> Entry {
    let state = match (lost.weight, lost.role.runs_next()) {
        (Weight::None, _) => state::HAS_ITSELF,
        (_, true) => state::NEW_KERNEL,
        (_, false) => state::OLD_KERNEL,
    };
    let entry = Entry::new(kind::LOST, state, &lost.line());
    let entry = entry.release(&lost.kernel).package(&lost.nvr).module(&lost.modules.join(" "));
    let mut entry = entry.reasons(&lost.reasons);
    entry.loaded = lost.needed_for.is_loaded;
    let Some(finding) = finding else { return entry };
    entry.policy = policy_of(finding.action);
    match guard::advice(std::slice::from_ref(finding), tools).first() {
        Some(advice) => entry.advice(&advice.to_string()),
        None => entry,
    }
}

/// A line of the message about all of them.
pub(crate) fn message(line: &guard::Line) -> Entry {
    let mut entry = Entry::new(kind::MESSAGE, state::NONE, &line.text);
    entry.policy = policy_of(line.action);
    match &line.command {
        Some(command) => entry.advice(command),
        None => entry,
    }
}

fn policy_of(action: Action) -> u32 {
    match action {
        Action::Stop => policy::ABORT,
        Action::Warn => policy::WARN,
        Action::Say => policy::NONE,
    }
}

/// Looks up what goes. A package that cannot be read is a problem, and its kernel counts as staying.
fn remove(
    shared: &Shared,
    elements: &mut Elements,
    removed: &[(u32, Removal)],
    report: &mut Report,
) -> Result<(), Error> {
    if removed.is_empty() && !elements.has_updates() {
        return Ok(());
    }
    let rpm = shared.needed_rpm()?;
    let database = rpm.open(shared.root.path()).map_err(|e| Error::new(code::E_DATABASE, e))?;
    if let Err(e) = elements.take_updated(&database) {
        report.entries.push(Entry::new(kind::PROBLEM, state::NONE, &e.to_string()));
    }
    for &(instance, removal) in removed {
        match database.package(instance, &concerns) {
            Ok(package) if package.files.is_empty() => {}
            Ok(package) => elements.remove(&package, removal),
            Err(e) => {
                elements.remove_unread(instance, removal);
                report.entries.push(Entry::new(kind::PROBLEM, state::NONE, &e.to_string()));
            }
        }
    }
    Ok(())
}
