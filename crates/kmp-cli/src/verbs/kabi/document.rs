// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `kmp kabi ... --json` prints.

use std::collections::{BTreeMap, HashMap};

use kmp_core::abi::{Export, Licensing};
use kmp_core::printable;
use kmp_kabi::{Change, Rules, Tolerated, Verdict};
use serde::Serialize;

use super::diff::Shown;
use crate::output::json::{VERSION, crc};
use crate::verbs::registry::document::Package;

/// What changed from one kernel to the next.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diff {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The old kernel, as it was named.
    old: String,
    /// The new kernel, as it was named.
    new: String,
    /// How many symbols the old kernel exports.
    old_exports: usize,
    /// How many symbols the new kernel exports.
    new_exports: usize,
    /// How many exports have changes that are not tolerated.
    breaks: usize,
    /// How many exports changed, by what changed of them: the words of `what` below.
    counts: BTreeMap<&'static str, Count>,
    /// All exports that changed, by their names.
    changes: Vec<Changed>,
    /// Reasons for which CRCs changed, those with the most symbols first. Null: they were not looked for, or the kernels' types
    /// are not known.
    reasons: Option<Vec<Reason>>,
    /// Symbols whose CRC changed and of which the kernels' types say nothing.
    not_in_types: Vec<String>,
    /// Symbols whose CRC changed, and all of whose types are the same.
    types_do_not_differ: Vec<String>,
    /// Rules that decide on no symbol of either kernel.
    unused_rules: Vec<Rule>,
    /// Registered packages, and what becomes of each. Null: no registry was named.
    registered: Option<Vec<Package>>,
}

/// How many.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Count {
    /// In all.
    all: usize,
    /// Of these, those that are tolerated, or for which no module stops loading.
    tolerated: usize,
}

/// An export that changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Changed {
    /// The symbol.
    symbol: String,
    /// What changed: `lost`, `crc`, `licence-imposed`, `namespace` (modules that use it stop loading); `moved` to another
    /// exporter, `licence-lifted`, `namespace-lifted`, `added` (none does).
    #[cfg_attr(test, schemars(extend("items" = serde_json::json!({"enum": what()}))))]
    what: Vec<&'static str>,
    /// Is it a break: does it stop modules, and is not tolerated?
    breaks: bool,
    /// The rule that tolerates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    /// As it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Exported>,
    /// As it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Exported>,
}

#[cfg(test)]
fn what() -> Vec<&'static str> {
    kmp_kabi::What::ALL.iter().map(|what| what.word()).collect()
}

/// How a kernel exports a symbol.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Exported {
    /// Its version (CRC).
    #[serde(skip_serializing_if = "Option::is_none")]
    crc: Option<String>,
    /// `vmlinux`, or a module's path.
    exporter: String,
    /// Is it for GPL-compatible modules only? Null: not known.
    gpl_only: Option<bool>,
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
}

impl Exported {
    fn of(export: &Export<'_>, has_crcs: bool) -> Option<Self> {
        has_crcs.then(|| Self {
            crc: export.crc.map(crc),
            exporter: export.exporter.into(),
            gpl_only: match export.licensing {
                Licensing::Any => Some(false),
                Licensing::GplOnly => Some(true),
                Licensing::Unknown => None,
            },
            namespace: (!export.namespace.is_empty()).then(|| export.namespace.into()),
        })
    }
}

/// A rule.
#[derive(Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rule {
    /// Its file.
    file: String,
    /// Its line, counted from 1.
    line: usize,
    /// What it is for: names of symbols, or of exporters, or of namespaces, with `*` and `?`.
    pattern: String,
    /// `PASS`: a change is tolerated; `FAIL`: it is not.
    verdict: &'static str,
}

impl Rule {
    pub fn of(rules: &Rules, files: &[std::path::PathBuf], at: usize) -> Option<Self> {
        let rule = rules.all().get(at)?;
        Some(Self {
            file: files.get(rule.file).map(|file| printable(file.as_os_str())).unwrap_or_default(),
            line: rule.line,
            pattern: rule.pattern.to_string(),
            verdict: if rule.verdict == Verdict::Pass { "PASS" } else { "FAIL" },
        })
    }
}

impl Rule {
    /// As its file has it, and where.
    pub fn line(&self) -> String {
        format!("{} {} ({}:{})", self.pattern, self.verdict, self.file, self.line)
    }
}

/// Why CRCs changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Reason {
    /// The type that changed, as C has its name. Null: the declarations of the symbols themselves.
    #[serde(rename = "type")]
    of: Option<String>,
    /// `certain`, by the types that the CRCs were made of; or `likely`, by those in the kernels' images and modules, of which the
    /// nearest one that differs is named.
    #[cfg_attr(test, schemars(extend("enum" = ["certain", "likely"])))]
    how_sure: &'static str,
    /// `nothing-moves`: every member is where it was, and the size is the same; `grows-at-end`; `only-added` (values of an
    /// enumeration); `moves`: offsets, sizes or values changed; `hidden`: only one of the kernels defines it; `renamed`: a typedef
    /// stands for another type. Null: not known.
    #[cfg_attr(test, schemars(extend("enum" = effects())))]
    effect: Option<&'static str>,
    /// What changed, in words.
    changes: Vec<String>,
    /// How many more changes there are.
    more_changes: usize,
    /// The symbols, and over which types each leads to the one that changed.
    symbols: BTreeMap<String, Vec<String>>,
    /// Who of the registry uses some of them. Null: no registry was named.
    registered: Option<Users>,
}

/// Registered drivers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Users {
    /// How many modules.
    drivers: usize,
    /// Who makes them.
    providers: Vec<String>,
}

#[cfg(test)]
fn effects() -> Vec<Option<&'static str>> {
    kmp_kabi::why::Effect::WORDS.into_iter().map(Some).chain([None]).collect()
}

impl From<&Shown<'_>> for Diff {
    fn from(shown: &Shown<'_>) -> Self {
        let files = &shown.args.rules.files;
        let rule = |at| Rule::of(shown.rules, files, at);
        let changed = |change: &Change<'_>| Changed {
            symbol: change.symbol.into(),
            what: change.what.iter().map(|what| what.word()).collect(),
            breaks: change.tolerated.is_none(),
            rule: match change.tolerated {
                Some(Tolerated::Rule(at)) => rule(at),
                _ => None,
            },
            old: change.old.as_ref().and_then(|export| Exported::of(export, shown.has_crcs)),
            new: change.new.as_ref().and_then(|export| Exported::of(export, shown.has_crcs)),
        };
        let counts = shown.diff.counts().into_iter();
        let reasons = shown.reasons.as_ref().map(|reasons| {
            let groups = reasons.groups.iter();
            groups
                .map(|group| Reason {
                    of: group.of.clone(),
                    how_sure: if group.is_certain { "certain" } else { "likely" },
                    effect: group.effect.map(|effect| effect.word()),
                    changes: group.lines.clone(),
                    more_changes: group.more,
                    symbols: group.symbols.iter().cloned().collect(),
                    registered: shown.registered.as_ref().map(|registered| {
                        let symbols = group.symbols.iter().map(|(symbol, _)| symbol.as_str());
                        let found = registered.users.concerned(symbols);
                        let providers = found.providers.into_iter().map(Into::into).collect();
                        Users { drivers: found.modules, providers }
                    }),
                })
                .collect()
        });
        let lists = shown.reasons.clone().unwrap_or_default();
        Self {
            version: VERSION,
            old: shown.old.into(),
            new: shown.new.into(),
            old_exports: shown.diff.exports.0,
            new_exports: shown.diff.exports.1,
            breaks: shown.diff.breaks().count(),
            counts: counts.map(|(what, (all, tolerated))| (what.word(), Count { all, tolerated })).collect(),
            changes: shown.diff.changes.iter().map(changed).collect(),
            reasons,
            not_in_types: lists.not_there,
            types_do_not_differ: lists.nothing_differs,
            unused_rules: shown.diff.unused.iter().filter_map(|at| rule(*at)).collect(),
            registered: shown.registered.as_ref().map(|of| of.items.iter().map(Package::of).collect()),
        }
    }
}

/// What modules use, and what was promised of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exposure {
    /// Of this form. It changes when a field changes its meaning or goes.
    pub version: u32,
    /// How many symbols have each standing, each symbol counted once.
    pub counts: BTreeMap<&'static str, usize>,
    /// The modules.
    pub modules: Vec<ExposedModule>,
}

/// A module and the symbols that it uses.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExposedModule {
    /// Its name, as the kernel has it.
    pub name: String,
    /// Its file, as it was named or is named in its package.
    pub path: String,
    /// Each symbol that it uses.
    pub symbols: Vec<ExposedSymbol>,
}

/// A symbol that a module uses.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExposedSymbol {
    /// Its name.
    pub symbol: String,
    /// `promised`: a change of it is a break, which the distributor avoids; `tolerated`: it may change at any time; `own`: another of
    /// the modules exports it; `unknown`: the kernel does not export it, or it is not known where from.
    #[cfg_attr(test, schemars(extend("enum" = ["promised", "tolerated", "own", "unknown"])))]
    pub standing: &'static str,
    /// The rule that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
}

/// For each rule that was used, how often.
pub fn rules_used(changes: &[Change<'_>]) -> HashMap<usize, usize> {
    let mut used = HashMap::new();
    for change in changes {
        if let Some(Tolerated::Rule(at)) = change.tolerated {
            *used.entry(at).or_default() += 1;
        }
    }
    used
}
