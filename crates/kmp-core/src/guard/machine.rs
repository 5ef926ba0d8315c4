// SPDX-License-Identifier: LGPL-2.1-or-later
//! The guard as a whole: reads what it has to be given about the machine, and lets it judge. The only file of the guard that
//! knows a root.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use librpm_rt::Librpm;
use rpm_meta::vercmp;

use super::elements::{Elements, in_tree};
use super::given::{Given, Use};
use super::incoming::{Asked, InTree, Transaction};
use super::kernels::line_of;
use super::lost::{Foreseen, foresee};
use super::outlook::{Fate, Outlook};
use super::policy::{Finding, Orders};
use crate::dialect::Kinship;
use crate::inventory::{Blacklist, KernelPackages};
use crate::root::Root;
use crate::survey::Survey;

/// The running system, as far as the root is that.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Running<'r> {
    /// The running kernel's release.
    pub release: Option<&'r str>,
    /// What a module (`_` for `-`) is needed for.
    pub use_of: &'r dyn Fn(&str) -> Use,
}

/// What was judged.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The drivers that kernels would be without, and what is to be done about each.
    pub findings: Vec<Finding>,
    /// Kernel by kernel, the newest first.
    pub kernels: Vec<Outlook>,
}

impl Judged {
    /// Is a driver lost, or does one that comes work with no kernel?
    pub fn has_loss(&self) -> bool {
        let mut drivers = self.kernels.iter().flat_map(|k| &k.drivers);
        let works = |nvr: &str| {
            let mut all = self.kernels.iter().flat_map(|k| &k.drivers);
            all.any(|d| d.nvr == nvr && matches!(d.fate, Fate::Comes(_)))
        };
        self.kernels.iter().any(|k| k.lost().next().is_some())
            || drivers.any(|d| matches!(d.fate, Fate::Fails(_)) && !works(&d.nvr))
    }
}

/// Judges a transaction: which kernels would be without which drivers, and what is to be done about it.
pub fn judge(
    root: &Root,
    rpm: &Librpm,
    survey: &Survey,
    mut elements: Elements,
    running: &Running<'_>,
    orders: &Orders<'_>,
) -> Judged {
    // Without a driver there is nothing to judge.
    if elements.has_kmps() || !survey.inventory.kmps.is_empty() {
        elements.read_kernels(root, false);
        let signatures: Vec<_> = survey.signatures().cloned().chain(elements.signatures()).collect();
        elements.read_keys(&signatures);
    }
    let packages = KernelPackages::of(root, rpm, &survey.inventory);
    let kernels = packages.kernels();
    let coming: BTreeSet<String> = elements.kernels().map(Into::into).collect();
    let comes = |release: &str| coming.contains(release);
    let files = RefCell::new(elements.take_kernel_files());
    let blacklist = OnceCell::new();
    let read: RefCell<HashMap<String, Rc<InTree>>> = RefCell::default();
    let read_in_tree = |release: &str| {
        if let Some(known) = read.borrow().get(release) {
            return Some(Rc::clone(known));
        }
        let mut files = files.borrow_mut();
        let of_release = files.iter_mut().filter(|(of, _)| of == release).map(|(_, file)| file);
        let blacklist = blacklist.get_or_init(|| Blacklist::load(root));
        let is_kept_out = |name: &str| blacklist.has(name);
        let installed = survey.inventory.kernels().find(|r| r.release == release);
        let found = match installed {
            Some(kernel) if !comes(release) => in_tree::installed(root, kernel, &is_kept_out),
            _ => in_tree::read(&survey.inventory.dirs, release, of_release, &is_kept_out),
        };
        Some(Rc::clone(read.borrow_mut().entry(release.into()).or_insert(Rc::new(found))))
    };
    let given = Given {
        running: running.release,
        kernels: &kernels,
        in_tree: &read_in_tree,
        package_of: &|exporter: &str| packages.of_module(exporter),
        use_of: running.use_of,
    };
    judge_given(survey, elements, &given, orders)
}

/// The same, of what was read already. Pure.
pub fn judge_given(survey: &Survey, elements: Elements, given: &Given<'_>, orders: &Orders<'_>) -> Judged {
    let asked = match elements.asked() {
        Asked::Nothing => BTreeSet::new(),
        Asked::These(releases) => releases.clone(),
        Asked::Newest => newest(survey, given).into_iter().collect(),
    };
    let transaction = Transaction { asked, ..elements.finish() };
    let Foreseen { lost, kernels } = foresee(survey, &transaction, given);
    Judged { findings: orders.decide(lost), kernels }
}

/// The newest kernel that can be booted, of the running one's line where that is known.
fn newest(survey: &Survey, given: &Given<'_>) -> Option<String> {
    let is_bootable = |release: &str| given.kernels.get(release).is_none_or(|k| k.is_bootable);
    let releases = survey.kernels.iter().map(|k| k.kernel.release.as_str()).filter(|r| is_bootable(r));
    let running = given.running.filter(|running| survey.kernels.iter().any(|k| k.kernel.release == *running));
    let line = |release: &str| line_of(survey, given, release);
    let of_line =
        releases.filter(|r| running.is_none_or(|running| line(r).kinship(&line(running)) != Kinship::Other));
    of_line.max_by(|a, b| vercmp(a, b)).map(Into::into)
}
