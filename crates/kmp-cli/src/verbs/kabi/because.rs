// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why a module is refused for the versions of symbols, in a sentence: which types changed since the kernel that it was built for. Only
//! where that kernel, or one with the same versions, is installed as well, and the images of both have their types.

use std::collections::HashSet;

use kmp_core::abi::{Rule, SymbolTable, Verdict};
use kmp_core::inventory::{self, Loader, ModulesDirs};
use kmp_kabi::why::{self, Cause, Wanted};
use serde::Serialize;

use crate::context::Context;
use crate::host::cores::Cores;
use crate::kernel_types::KernelTypes;
use crate::output::count::counted;

/// For how many verdicts it is said in one run: two images are read for each, which takes about a second.
pub const MOST: usize = 2;

/// Why versions of symbols changed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Because {
    /// An installed kernel that has the versions which the module was built with.
    pub since: String,
    /// Types that most likely are the reason, those with the most symbols first.
    pub types: Vec<ChangedType>,
}

/// A type that changed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangedType {
    /// As C has its name.
    pub name: String,
    /// How many of the symbols that the module was refused for lead to it.
    pub symbols: usize,
    /// What that means for code, as in `kmp kabi diff`.
    #[cfg_attr(test, schemars(extend("enum" = why::Effect::WORDS)))]
    pub effect: &'static str,
    /// What changed, in words.
    pub changes: Vec<String>,
    /// The effect in words.
    #[serde(skip)]
    meaning: String,
}

impl Because {
    /// In a sentence, which says that it is likely and no more.
    pub fn sentence(&self) -> String {
        let one = |of: &ChangedType| {
            let first = of.changes.first().map(|change| format!("; {change}")).unwrap_or_default();
            let symbols = counted(of.symbols, "symbol");
            format!("{} ({symbols}, {}{first})", of.name, of.meaning)
        };
        let most = 3;
        let mut names: Vec<String> = self.types.iter().take(most).map(one).collect();
        if self.types.len() > most {
            names.push(counted(self.types.len() - most, "other type"));
        }
        format!("most likely because of what changed since {}: {}", self.since, names.join(", "))
    }
}

/// Finds it for a module with this verdict in the installed kernel `release`. `None`: it is not refused for versions, or nothing is
/// known. What cannot be read is no fault: nothing depends on the answer.
pub fn because(
    context: &Context,
    loader: &mut Loader<'_>,
    release: &str,
    verdict: &Verdict,
) -> Option<Because> {
    let refused: Vec<(&str, u32, &str)> = verdict
        .reasons
        .iter()
        .filter(|reason| reason.rule == Rule::Crc)
        .filter_map(|r| Some((r.symbol.as_deref()?, r.wanted?, r.exporter.as_deref()?)))
        .collect();
    if refused.is_empty() {
        return None;
    }
    // What cannot be read of them was reported when they were judged.
    let dirs = ModulesDirs::find(&context.root).ok()?;
    let releases = inventory::releases(&context.root, &dirs, &Cores, &mut Vec::new()).ok()?;
    let new = releases.iter().find(|one| one.release == release)?;
    let has_all = |table: &SymbolTable| {
        refused.iter().all(|(symbol, wanted, _)| table.get(symbol).is_some_and(|e| e.crc == Some(*wanted)))
    };
    // Of several the newest: they are in the order of versions.
    let others = releases.iter().rev().filter(|one| one.is_kernel && one.release != release);
    let (old, table) = others.into_iter().find_map(|one| {
        let symbols = loader.load_kernels(&[one]).pop()?.kernel.symbols.clone();
        has_all(&symbols).then_some((one, symbols))
    })?;
    let (before, after) =
        (KernelTypes::installed(&context.root, old)?, KernelTypes::installed(&context.root, new)?);
    let wanted = refused.iter().filter_map(|(symbol, _, exporter)| {
        Some(Wanted { symbol, old: table.get(symbol)?.exporter, new: exporter })
    });
    let explained = why::explain(&before, &after, wanted).ok()?;
    let known: HashSet<usize> = explained
        .causes
        .values()
        .filter_map(|cause| match cause {
            Cause::Type { at, .. } => Some(*at),
            _ => None,
        })
        .collect();
    let types: Vec<ChangedType> = explained
        .types
        .into_iter()
        .enumerate()
        .filter(|(at, _)| known.contains(at))
        .map(|(_, of)| ChangedType {
            name: of.name,
            symbols: of.symbols,
            effect: of.effect.word(),
            changes: of.lines,
            meaning: of.effect.to_string(),
        })
        .collect();
    (!types.is_empty()).then(|| Because { since: old.release.clone(), types })
}
