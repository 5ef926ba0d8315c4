// SPDX-License-Identifier: LGPL-2.1-or-later
//! The guard's words for people: one block of at most [`LINES`] lines, the same wherever it is shown. Pure.

use super::kernels::Role;
use super::lost::{Lost, Weight};
use super::policy::{Action, Finding};
use super::remedy::Remedy;

/// The most lines that are said of one transaction.
pub const LINES: usize = 8;

/// How many drivers have a line of their own.
const DRIVERS: usize = 4;

/// How many symbols or modules a line names.
const NAMED: usize = 3;

/// One line, and how loud it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub action: Action,
    /// The line.
    pub text: String,
}

/// The block: the drivers, those first that the transaction is stopped for; then what helps, and the ways out.
pub fn block(findings: &[Finding]) -> Vec<Line> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| std::cmp::Reverse(f.action));
    let mut lines: Vec<Line> = Vec::new();
    let shown = if sorted.len() <= DRIVERS + 1 { sorted.len() } else { DRIVERS };
    lines.extend(sorted[..shown].iter().map(|f| Line { action: f.action, text: f.lost.line() }));
    if let Some(next) = sorted.get(shown) {
        let rest = &sorted[shown..];
        let names = listed(rest.iter().map(|f| format!("{} in {}", f.lost.nvr, f.lost.kernel)));
        let text = format!("{} more drivers are concerned: {names}", rest.len());
        lines.push(Line { action: next.action, text });
    }
    let mut advice: Vec<Line> = Vec::new();
    for finding in sorted.iter().filter(|f| f.action != Action::Say) {
        let line = finding.lost.advice().map(|text| Line { action: finding.action, text });
        advice.extend(line.filter(|line| advice.iter().all(|said| said.text != line.text)));
    }
    advice.truncate(LINES - lines.len() - 1);
    lines.extend(advice);
    if let Some(first) = sorted.iter().find(|f| f.action == Action::Stop) {
        let lost = &first.lost;
        // A kernel that is not there yet is explained by its package.
        let more = match lost.role == Role::Comes {
            true => "kmp check has every reason, given the kernel's .rpm file".to_string(),
            false => format!("kmp explain {} --kernel {} has every symbol", lost.package, lost.kernel),
        };
        let text = format!("KMP_POLICY=warn continues without the driver; {more}");
        lines.push(Line { action: Action::Stop, text });
    }
    lines
}

/// What helps, each piece once: first against what a transaction is stopped for.
pub fn advice(findings: &[Finding]) -> Vec<String> {
    let mut sorted: Vec<&Finding> = findings.iter().filter(|f| f.action != Action::Say).collect();
    sorted.sort_by_key(|f| std::cmp::Reverse(f.action));
    let mut said: Vec<String> = Vec::new();
    for text in sorted.iter().filter_map(|f| f.lost.advice()) {
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said
}

/// The first few, and how many more there are.
pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let total = names.len();
    let first = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if total > NAMED { format!("{first} and {} more", total - NAMED) } else { first }
}

impl Lost {
    /// One line for people: which driver, which kernel, the first reasons and how many more, and what it matters for.
    pub fn line(&self) -> String {
        let modules = listed(self.modules.iter().cloned());
        let used = if self.needed_for.holds_root {
            ", needed for the root file system"
        } else if self.needed_for.holds_network {
            ", needed for the network"
        } else if self.needed_for.is_loaded {
            ", loaded now"
        } else {
            ""
        };
        let kernel = match self.role {
            Role::Comes => format!("the new kernel {}", self.kernel),
            Role::Asked | Role::Stays => format!("kernel {}", self.kernel),
        };
        if let Some(maker) = self.made_by {
            let maker = maker.as_str();
            return format!(
                "{} ({modules}) is built on this machine by {maker}: {kernel} has it once that is done",
                self.nvr
            );
        }
        let instead = listed(self.instead.iter().cloned());
        if self.weight == Weight::None {
            return format!(
                "{} ({modules}{used}) does not work with {kernel}, which has {instead} of its own",
                self.nvr
            );
        }
        let mut line = match &self.failing {
            None if self.is_erased => {
                format!("{} ({modules}{used}) would be erased, and works with {kernel}", self.nvr)
            }
            None => format!("{} ({modules}{used}): no version of it would be left for {kernel}", self.nvr),
            Some(failing) => {
                let reasons =
                    self.reasons.iter().take(NAMED).map(|r| r.detail.as_str()).collect::<Vec<_>>().join("; ");
                let more = match self.reasons.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                format!("{failing} ({modules}{used}) does not work with {kernel}: {reasons}{more}")
            }
        };
        if self.failing.as_ref().is_some_and(|failing| *failing != self.nvr) && self.role == Role::Stays {
            line = format!("{line}; {}, which does, would go", self.nvr);
        }
        if !self.instead.is_empty() {
            line = format!("{line}; {kernel} has {instead} of its own");
        }
        if let (Weight::Warning, Some(kept)) = (self.weight, &self.kept_in) {
            line = format!("{line}; kernel {kept} has the driver");
        }
        line
    }

    /// What helps, for people; `None` where nothing has to be done.
    pub fn advice(&self) -> Option<String> {
        let (package, kernel) = (&self.package, &self.kernel);
        let rebuild =
            format!("install a {package} built for it in the same transaction, or keep the old kernel");
        let advice = match &self.remedy {
            Remedy::Keep if self.weight == Weight::Warning => return None,
            Remedy::Keep => format!("keep {}", self.nvr),
            Remedy::EraseAlone => format!(
                "keep {}; if you want it gone, erase it by its name, in a transaction without kernels",
                self.nvr
            ),
            Remedy::Rebuild => rebuild,
            Remedy::KernelPackage { exporter, package: Some(owner) } => format!(
                "install {owner} of kernel {kernel}, too: it has {exporter}; another build of {package} does not help"
            ),
            Remedy::KernelPackage { exporter, package: None } => format!(
                "install the package of kernel {kernel} that has {exporter}, too; another build of {package} does not help"
            ),
            Remedy::NewerSource { symbol, exporter } => format!(
                "{symbol} was in {exporter} of the old kernel; keep the old kernel, or install the package of kernel {kernel} \
                 that has it, or a newer version of {package} that does without"
            ),
            Remedy::Licence { symbol } => format!(
                "no build of this {package} helps, since {symbol} is for GPL-compatible modules only; keep the old \
                 kernel, or install a version that does without"
            ),
            Remedy::Signature => {
                format!("install a {package} with a signature that the kernel takes, or keep the old kernel")
            }
            Remedy::OtherDriver { module } => format!(
                "install the package with {module} for kernel {kernel}, which {package} needs, in the same transaction, or \
                 keep the old kernel"
            ),
        };
        Some(advice)
    }
}
