// SPDX-License-Identifier: LGPL-2.1-or-later
//! The lines that a person can type in the package manager at hand. Pure.

use super::driver_line::NAMED;
use crate::dialect::Dialect;
use crate::last_update::FoundBuild;

/// A line with several names that is longer names none.
const LONG: usize = 110;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// zypper.
    Zypper,
    /// dnf, and what takes its words.
    Dnf,
}

/// What there is to type with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// The package manager.
    pub manager: Manager,
    /// The command line that is being judged, as a shell takes it; `None`: it is not known, or too long to repeat.
    pub again: Option<String>,
}

impl Tools {
    /// By the command line that is being judged, else by the dialect.
    pub fn of(dialect: Dialect, again: Option<String>) -> Self {
        let program = again.as_deref().and_then(|line| line.split(' ').next()).unwrap_or_default();
        let manager = match program {
            "zypper" => Manager::Zypper,
            "dnf" | "dnf5" | "dnf-3" | "yum" | "microdnf" => Manager::Dnf,
            _ if dialect == Dialect::RedHat => Manager::Dnf,
            _ => Manager::Zypper,
        };
        Self { manager, again }
    }
}

impl Manager {
    /// Installs packages together; where there are many, updates all.
    pub(super) fn install(self, kernel: Option<&str>, names: &[&str]) -> String {
        let command = match self {
            Self::Zypper => "zypper install",
            Self::Dnf => "dnf install",
        };
        let line = words(command, kernel.into_iter().chain(names.iter().copied()));
        if names.len() > NAMED || names.len() > 1 && line.len() > LONG { self.update() } else { line }
    }

    /// Installs builds that were found together with a kernel.
    pub(super) fn install_found(self, kernel: Option<&str>, builds: &[&FoundBuild]) -> String {
        let word = |build: &&FoundBuild| match self {
            Self::Zypper => format!("{}={}", build.name, build.evr),
            Self::Dnf => build.package.clone(),
        };
        let words: Vec<String> = builds.iter().map(word).collect();
        self.install(kernel, &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(super) fn update(self) -> String {
        match self {
            Self::Zypper => "zypper update".into(),
            Self::Dnf => "dnf upgrade".into(),
        }
    }

    pub(super) fn remove(self, names: &[&str]) -> String {
        match self {
            Self::Zypper => words("zypper remove", names.iter().copied()),
            Self::Dnf => words("dnf remove", names.iter().copied()),
        }
    }

    /// Does the same as `again`, or updates all, and keeps that many kernels.
    pub(super) fn keep_kernels(again: Option<&str>, kernels: usize) -> String {
        let (program, rest) = again.and_then(|line| line.split_once(' ')).unwrap_or(("dnf", "upgrade"));
        format!("{program} --setopt=installonly_limit={kernels} {rest}")
    }

    /// Keeps packages as they are.
    pub(super) fn keep(self, names: &[&str]) -> String {
        match self {
            Self::Zypper => words("zypper addlock", names.iter().copied()),
            Self::Dnf => format!("dnf upgrade --exclude={}", names.join(",")),
        }
    }

    /// Keeps the kernels that are there: no newer one comes.
    pub(super) fn keep_kernel(self, package: Option<&str>) -> String {
        match self {
            Self::Zypper => format!("zypper addlock {}", package.unwrap_or("'kernel-*'")),
            Self::Dnf => "dnf upgrade --exclude='kernel*'".into(),
        }
    }

    /// Finds the package with a module.
    pub(super) fn find(self, module: &str) -> String {
        let module = module.rsplit('/').next().unwrap_or(module);
        let module = module.split_once(".ko").map_or(module, |(name, _)| name);
        match self {
            Self::Zypper => format!("zypper search --provides 'kmod({module}.ko)'"),
            Self::Dnf => format!("dnf provides '*/{module}.ko*'"),
        }
    }
}

fn words<'w>(command: &str, names: impl Iterator<Item = &'w str>) -> String {
    names.fold(command.to_string(), |line, name| format!("{line} {name}"))
}
