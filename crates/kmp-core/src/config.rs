// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp.conf`: what to do when a driver would be lost, whose conventions hold, and which drivers are linked into which kernels
//! (`config/wish.rs`).

mod download;
mod missing;
mod wish;

use std::path::{Path, PathBuf};

use crate::conf_d::DropIns;
use crate::dialect::{Dialect, UnknownDistribution, Which, os_release_value};
use crate::glob;
use crate::problem::Problem;
use crate::root::Root;

pub use download::Answer;
pub use missing::{Missing, Settings, VendorChange};
pub use wish::{KERNELS, KernelRange, NO_WEAK_UPDATES, NotARange, Wish};

/// Where configuration is, later files over earlier ones, and then drop-ins.
const FILES: &[&str] = &["/usr/lib/kmp/kmp.conf", "/etc/kmp.conf"];
const DROP_INS: DropIns = DropIns::of(&["/etc/kmp.conf.d"]);
const LIMIT: u64 = 1 << 20;

/// The names of all settings.
pub const KEYS: &[&str] = &[
    "dialect",
    "download",
    "hold-max-days",
    "index",
    "kernels",
    "missing",
    "no-weak-updates",
    "on-lost-driver",
    "protect",
    "reuse",
    "vendor-change",
];

/// What to do when a transaction would lose a driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Stop it.
    #[default]
    Abort,
    /// Say so and let it go on.
    Warn,
    /// Nothing.
    Off,
}

impl Policy {
    /// `abort`, `warn` or `off`, in either case.
    pub fn parse(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "abort" => Some(Self::Abort),
            "warn" => Some(Self::Warn),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    /// The word for it in `kmp.conf`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

/// How depmod's index is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexMode {
    /// Without depmod, where what it would write is known.
    #[default]
    Incremental,
    /// By depmod.
    Depmod,
}

impl IndexMode {
    /// `incremental` or `depmod`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "incremental" => Some(Self::Incremental),
            "depmod" => Some(Self::Depmod),
            _ => None,
        }
    }
}

/// Which drivers are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protect {
    /// All.
    #[default]
    All,
    /// Those with a module that is loaded now.
    Loaded,
    /// Those whose package or module is named here (globs).
    Named(Vec<String>),
}

/// The configuration as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `on-lost-driver` outside any section.
    pub policy: Policy,
    /// `protect`.
    pub protect: Protect,
    /// `on-lost-driver` of sections: a glob for packages' names, and the policy. The last match counts.
    pub sections: Vec<(String, Policy)>,
    /// `dialect = suse | redhat`: whose conventions hold, whatever `/etc/os-release` says.
    pub dialect: Option<Dialect>,
    /// `index = incremental | depmod`.
    pub index: IndexMode,
    /// `no-weak-updates`: a glob for packages' names, or `None` outside of sections, and whether they are linked nowhere.
    pub no_weak_updates: Vec<(Option<String>, bool)>,
    /// `kernels`: the same, and the range of kernels that they are linked into.
    pub kernels: Vec<(Option<String>, KernelRange)>,
    /// `missing`.
    pub missing: Settings<Missing>,
    /// `hold-max-days`.
    pub hold_max_days: Settings<u32>,
    /// `vendor-change`.
    pub vendor_change: Settings<VendorChange>,
    /// `download`: are newer builds of drivers fetched from their providers?
    pub download: Answer,
}

/// Where a distribution says what it is; the first that is there counts.
const OS_RELEASE: &[&str] = &["/etc/os-release", "/usr/lib/os-release"];

/// Which dialect is used below `root`: the one of the configuration, else that of the distribution, by `os-release`.
/// What cannot be understood is a problem.
///
/// # Errors
/// One of these files cannot be read: then it is not known, and no guess is made.
pub fn dialect(root: &Root, problems: &mut Vec<Problem>) -> Result<Which, Problem> {
    Config::known(root, problems)?.dialect(root)
}

impl Config {
    /// Which dialect is used below `root`, if this is its configuration.
    ///
    /// # Errors
    /// `os-release` cannot be read: then it is not known, and no guess is made.
    pub fn dialect(&self, root: &Root) -> Result<Which, Problem> {
        if let Some(dialect) = self.dialect {
            return Ok(Which::Known(dialect));
        }
        for file in OS_RELEASE {
            match root.read_if_there(Path::new(file), LIMIT) {
                Ok(None) => {}
                Ok(Some(text)) => {
                    let text = String::from_utf8_lossy(&text);
                    let unknown = || UnknownDistribution {
                        file: Some(root.display(Path::new(file))),
                        id: os_release_value(&text, "ID").unwrap_or_default(),
                    };
                    let known = Dialect::of_os_release(&text).map(Which::Known);
                    return Ok(known.unwrap_or_else(|| Which::Unknown(unknown())));
                }
                Err(e) => return Err(Problem::unreadable(root.display(Path::new(file)), &e)),
            }
        }
        Ok(Which::Unknown(UnknownDistribution { file: None, id: String::new() }))
    }

    /// As [`Config::load`].
    ///
    /// # Errors
    /// A file cannot be read: then what is configured is not known.
    pub fn known(root: &Root, problems: &mut Vec<Problem>) -> Result<Self, Problem> {
        let mut own = Vec::new();
        let config = Self::load(root, &mut own);
        if let Some(unread) = own.iter().position(|p| p.is_unread) {
            return Err(own.swap_remove(unread));
        }
        problems.append(&mut own);
        Ok(config)
    }

    /// Reads the configuration below `root`. What cannot be understood is a problem, and left out.
    pub fn load(root: &Root, problems: &mut Vec<Problem>) -> Self {
        let drop_ins = DROP_INS.find(root);
        let unread = drop_ins.unread.iter();
        problems.extend(unread.map(|(path, e)| Problem::unreadable(root.display(path), e)));
        let files = FILES.iter().map(PathBuf::from).chain(drop_ins.files);
        let mut config = Self::default();
        for file in files {
            match root.read(&file, LIMIT) {
                Ok(text) => {
                    let faults = config.read(&String::from_utf8_lossy(&text)).into_iter();
                    problems.extend(faults.map(|what| Problem::new(root.display(&file), what)));
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => problems.push(Problem::unreadable(root.display(&file), &e)),
            }
        }
        config.read_old(root, problems);
        config
    }

    /// Takes in the text of one file; what it says goes over what was said before. Returns what could not
    /// be understood.
    pub fn read(&mut self, text: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let mut section: Option<String> = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let mut fault = |what: &str| faults.push(format!("line {}: {what}; ignored", number + 1));
            if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                match name.strip_suffix(']').map(str::trim).filter(|n| !n.is_empty()) {
                    Some(name) => section = Some(name.into()),
                    None => fault("a section is [PACKAGE]"),
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=').map(|(k, v)| (k.trim(), v.trim())) else {
                fault("neither a section nor KEY = VALUE");
                continue;
            };
            match (key, &section) {
                ("on-lost-driver", section) => match (Policy::parse(value), section) {
                    (Some(policy), None) => self.policy = policy,
                    (Some(policy), Some(section)) => self.sections.push((section.clone(), policy)),
                    (None, _) => fault("on-lost-driver is abort, warn or off"),
                },
                ("no-weak-updates", section) => match value {
                    "yes" | "no" => self.no_weak_updates.push((section.clone(), value == "yes")),
                    _ => fault("no-weak-updates is yes or no"),
                },
                ("kernels", section) => match KernelRange::parse(value) {
                    Ok(range) => self.kernels.push((section.clone(), range)),
                    Err(why) => fault(&format!("kernels: {why}")),
                },
                ("missing", section) => match Missing::parse(value) {
                    Some(missing) => self.missing.push(section.clone(), missing),
                    None => fault("missing is hold, abort or warn"),
                },
                ("hold-max-days", section) => match value.parse() {
                    Ok(days) => self.hold_max_days.push(section.clone(), days),
                    Err(_) => fault("hold-max-days is a number of days, or 0 for no limit"),
                },
                ("vendor-change", section) => match VendorChange::parse(value) {
                    Some(change) => self.vendor_change.push(section.clone(), change),
                    None => fault("vendor-change is yes, no or same-key"),
                },
                ("reuse", section) => match Answer::parse(value) {
                    Some(answer) => self.no_weak_updates.push((section.clone(), answer == Answer::No)),
                    None => fault("reuse is yes, ask or no"),
                },
                ("download", None) => match Answer::parse(value) {
                    Some(answer) => self.download = answer,
                    None => fault("download is yes, ask or no"),
                },
                ("download", Some(_)) => fault("download belongs outside of sections"),
                ("protect", None) => {
                    let names = || value.split([' ', ',']).filter(|n| !n.is_empty()).map(String::from);
                    self.protect = match value {
                        "all" => Protect::All,
                        "loaded" => Protect::Loaded,
                        _ => Protect::Named(names().collect()),
                    };
                }
                ("dialect", None) => match Dialect::parse(value) {
                    Some(dialect) => self.dialect = Some(dialect),
                    None => fault("dialect is suse or redhat"),
                },
                ("index", None) => match IndexMode::parse(value) {
                    Some(mode) => self.index = mode,
                    None => fault("index is incremental or depmod"),
                },
                ("index", Some(_)) => fault("index belongs outside of sections"),
                ("dialect", Some(_)) => fault("dialect belongs outside of sections"),
                ("protect", Some(_)) => fault("protect belongs outside of sections"),
                _ => fault(&format!("there is no setting {key}; there are: {}", KEYS.join(", "))),
            }
        }
        faults
    }

    /// The policy for a package, where nothing else (the macro, the environment) says otherwise.
    pub fn policy_for(&self, package: &str) -> Policy {
        let section = self.sections.iter().rev().find(|(glob, _)| glob::matches(glob, package));
        section.map_or(self.policy, |(_, policy)| *policy)
    }

    /// What is to be done with a driver of that package, where it is not left to the package.
    pub fn wish(&self, package: &str, of_package: Wish) -> Wish {
        fn last<'c, T>(settings: &'c [(Option<String>, T)], package: &str) -> Option<&'c T> {
            let of_section =
                |glob: &Option<String>| glob.as_ref().is_some_and(|glob| glob::matches(glob, package));
            let found = settings.iter().rev().find(|(glob, _)| of_section(glob));
            found.or_else(|| settings.iter().rev().find(|(glob, _)| glob.is_none())).map(|(_, value)| value)
        }
        let says = || "kmp.conf says so".to_string();
        let never = match last(&self.no_weak_updates, package) {
            Some(never) => never.then(says),
            None => of_package.never,
        };
        let range = last(&self.kernels, package).map(|range| (range.clone(), says()));
        Wish { never, kernels: range.or(of_package.kernels) }
    }

    /// Is a driver protected, by its package's name, its modules, and whether one of them is loaded?
    pub fn protects(&self, package: &str, modules: &[String], loaded: bool) -> bool {
        match &self.protect {
            Protect::All => true,
            Protect::Loaded => loaded,
            Protect::Named(names) => names.iter().any(|glob| {
                glob::matches(glob, package)
                    || modules.iter().any(|m| glob::matches(&glob.replace('-', "_"), m))
            }),
        }
    }
}

#[cfg(test)]
mod tests;
