// SPDX-License-Identifier: LGPL-2.1-or-later
//! What helps against the loss of drivers, for people: each piece once for all drivers that share it, and each with the line to
//! type. Pure.

use std::collections::BTreeSet;
use std::fmt;

use super::driver_line::{NAMED, listed};
use super::kernels::Role;
use super::lost::{Lost, Weight};
use super::manager::{Manager, Tools};
use super::policy::{Action, Finding};
use super::remedy::Remedy;
use crate::last_update::{FoundBuild, ago};

/// A piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it is about: the most that is done about one of these drivers.
    pub action: Action,
    /// What to do.
    pub text: String,
    /// The line to type for it.
    pub command: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.command)
    }
}

/// What helps: first against what a transaction is stopped for.
pub fn advice(findings: &[Finding], tools: &Tools) -> Vec<Advice> {
    let mut sorted: Vec<&Finding> = findings.iter().filter(|f| f.action != Action::Say).collect();
    sorted.sort_by_key(|f| std::cmp::Reverse(f.action));
    let mut groups: Vec<(Action, Vec<&Lost>)> = Vec::new();
    for finding in sorted {
        let lost = &finding.lost;
        match groups.iter_mut().find(|(_, group)| group.iter().any(|other| other.shares_with(lost))) {
            Some((_, group)) => group.push(lost),
            None => groups.push((finding.action, vec![lost])),
        }
    }
    let mut all: Vec<Advice> = Vec::new();
    let pieces =
        groups.iter().filter_map(|(action, group)| of_group(group, tools).map(|piece| (action, piece)));
    for (action, (text, command)) in pieces {
        all.push(Advice { action: *action, text, command });
    }
    // That is the last thing to do, and once for a kernel.
    for (action, group) in &groups {
        for (text, command) in otherwise(group, tools) {
            if all.iter().all(|known| known.text != text) {
                all.push(Advice { action: *action, text, command });
            }
        }
    }
    all
}

impl Lost {
    /// Does the same help against both?
    fn shares_with(&self, other: &Lost) -> bool {
        let is_silent = |lost: &Lost| lost.remedy == Remedy::Keep && lost.weight == Weight::Warning;
        self.remedy == other.remedy && self.kernel == other.kernel && is_silent(self) == is_silent(other)
    }
}

/// Text and command for what shares both; `None` where nothing has to be done.
fn of_group(group: &[&Lost], tools: &Tools) -> Option<(String, String)> {
    let first = group.first()?;
    let mut packages: Vec<&str> = group.iter().map(|lost| lost.package.as_str()).collect();
    packages.sort_unstable();
    packages.dedup();
    // Who they are was said before.
    let named = match packages.len() {
        0..=NAMED => listed(packages.iter().map(ToString::to_string)),
        many => format!("all {many}"),
    };
    let nvrs = listed(group.iter().map(|lost| lost.nvr.clone()));
    let (manager, kernel, is_one) = (tools.manager, &first.kernel, packages.len() == 1);
    // kmp does not know whether there is one.
    let (there_is_one, it) = match is_one {
        true => (format!("if there is a {named}"), "it"),
        false => (format!("if there are builds of {named}"), "them"),
    };
    let coming = first.kernel_package.as_deref().filter(|_| first.role == Role::Comes);
    let install = || manager.install(coming, &packages);
    // That there is one says more than that one is needed.
    let mut found: Vec<&FoundBuild> = group.iter().filter_map(|lost| lost.found.as_ref()).collect();
    found.dedup_by_key(|build| &build.package);
    if first.remedy == Remedy::Rebuild
        && let Some(build) = found.first()
        && group.iter().all(|lost| lost.found.is_some())
    {
        let builds = listed(found.iter().map(|build| format!("{}-{}", build.name, build.evr)));
        let (fit, it) = if found.len() == 1 { ("fits", "it") } else { ("fit", "them") };
        let repositories: BTreeSet<&str> = found.iter().map(|build| build.repository.as_str()).collect();
        let repositories = listed(repositories.iter().map(ToString::to_string));
        let text = format!(
            "{builds} in repository {repositories} {fit}, as kmp update found {}; install {it} in the same transaction",
            ago(build.age)
        );
        return Some((text, manager.install_found(coming, &found)));
    }
    Some(match &first.remedy {
        Remedy::Keep if first.weight == Weight::Warning => return None,
        Remedy::Keep => (format!("keep {nvrs}"), manager.keep(&packages)),
        // Of others than dnf it is not known why they do so.
        Remedy::KeepKernel { kernel, kernels } if manager == Manager::Dnf => (
            format!(
                "dnf's installonly_limit pushes kernel {kernel} out; keep it, too (for good with \
                 installonly_limit={kernels} in /etc/dnf/dnf.conf)"
            ),
            Manager::keep_kernels(tools.again.as_deref(), *kernels),
        ),
        Remedy::EraseAlone | Remedy::KeepKernel { .. } => (
            format!(
                "keep {nvrs}; if you want {}, in a transaction without kernels",
                if is_one { "it gone, erase it by its name" } else { "them gone, erase them by their names" }
            ),
            manager.remove(&packages),
        ),
        Remedy::Rebuild if first.role == Role::Comes => {
            (format!("{there_is_one} for it, install {it} in the same transaction"), install())
        }
        Remedy::Rebuild => (format!("{there_is_one} for kernel {kernel}, install {it}"), install()),
        Remedy::KernelPackage { exporter, package: Some(owner) } => (
            format!(
                "install {owner} of kernel {kernel}, too: it has {exporter}, and another build of {named} does not help"
            ),
            manager.install(coming, &[owner]),
        ),
        Remedy::KernelPackage { exporter, package: None } => (
            format!(
                "install the package of kernel {kernel} that has {exporter}, too, as another build of {named} does not \
                 help; to look for it"
            ),
            manager.find(exporter),
        ),
        Remedy::NewerSource { symbol, exporter } => (
            format!(
                "{symbol} was in {exporter} of the old kernel; what helps is the package of kernel {kernel} that has it, \
                 or a newer version of {named} that does without; to look for it"
            ),
            manager.find(exporter),
        ),
        Remedy::Licence { symbol } => (
            format!(
                "no build of this {named} helps, since {symbol} is for GPL-compatible modules only; if there is a version \
                 that does without, install it"
            ),
            install(),
        ),
        Remedy::Signature => {
            (format!("{there_is_one} with a signature that the kernel takes, install {it}"), install())
        }
        Remedy::OtherDriver { module } => (
            format!(
                "install the package with {module} for kernel {kernel}, which {named} needs, in the same transaction; \
                 to look for it"
            ),
            manager.find(module),
        ),
    })
}

/// What else helps: against a kernel that comes to keep the old one.
fn otherwise(group: &[&Lost], tools: &Tools) -> Vec<(String, String)> {
    let (first, manager) = (group[0], tools.manager);
    match first.remedy {
        Remedy::KeepKernel { .. } if manager == Manager::Dnf => {
            let mut packages: Vec<&str> = group.iter().map(|lost| lost.package.as_str()).collect();
            packages.dedup();
            let (builds, them) = match packages[..] {
                [name] => (format!("a build of {name}"), "it"),
                _ => ("builds".to_string(), "them"),
            };
            vec![
                (
                    format!("or install {builds} for the kernel that is booted next"),
                    manager.install(None, &packages),
                ),
                (format!("or, if you want {them} gone"), manager.remove(&packages)),
            ]
        }
        Remedy::EraseAlone | Remedy::KeepKernel { .. } | Remedy::Keep => Vec::new(),
        _ if first.role == Role::Comes => {
            vec![("or keep the old kernel".to_string(), manager.keep_kernel(first.kernel_package.as_deref()))]
        }
        _ => Vec::new(),
    }
}
