// SPDX-License-Identifier: LGPL-2.1-or-later
//! What two kernels export, compared.

use std::collections::BTreeMap;

use kmod_abi::{Export, Licensing, SymbolTable};

use crate::{Rules, Verdict};

/// What of an export changed. The order is that of reports: the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// It is no longer exported.
    Lost,
    /// Its version (CRC) is another.
    Crc,
    /// It is now for GPL-compatible modules only.
    LicenceImposed,
    /// It is in a namespace that it was not in before.
    Namespace,
    /// Another module exports it, or the kernel's image does: modules load, but depmod and initrds have to know.
    Moved,
    /// It is no longer for GPL-compatible modules only.
    LicenceLifted,
    /// It is in no namespace any more.
    NamespaceLifted,
    /// It is new.
    Added,
}

impl What {
    /// All, in their order.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Crc,
        Self::LicenceImposed,
        Self::Namespace,
        Self::Moved,
        Self::LicenceLifted,
        Self::NamespaceLifted,
        Self::Added,
    ];

    /// A word for programs, which never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Crc => "crc",
            Self::LicenceImposed => "licence-imposed",
            Self::Namespace => "namespace",
            Self::Moved => "moved",
            Self::LicenceLifted => "licence-lifted",
            Self::NamespaceLifted => "namespace-lifted",
            Self::Added => "added",
        }
    }

    /// Does a module that was built before not load any more for it?
    pub fn breaks(self) -> bool {
        matches!(self, Self::Lost | Self::Crc | Self::LicenceImposed | Self::Namespace)
    }

    /// Does it take a change of a module's sources, so that building it anew is not enough?
    pub fn needs_source(self) -> bool {
        matches!(self, Self::Lost | Self::LicenceImposed | Self::Namespace)
    }
}

/// Why a change is no break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerated {
    /// By the rule at this place of [`Rules::all`].
    Rule(usize),
    /// Its symbol is on no list of what is promised.
    NotPromised,
    /// No module stops loading for it.
    Harmless,
}

/// An export that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'t> {
    /// The symbol.
    pub symbol: &'t str,
    /// As it was; `None`: it is new.
    pub old: Option<Export<'t>>,
    /// As it is; `None`: it is lost.
    pub new: Option<Export<'t>>,
    /// What changed, the worst first; never empty.
    pub what: Vec<What>,
    /// Why it is no break; `None`: it is one.
    pub tolerated: Option<Tolerated>,
}

impl Change<'_> {
    /// Is there something about it for which modules do not load, tolerated or not?
    pub fn breaks(&self) -> bool {
        self.what.iter().any(|what| what.breaks())
    }
}

/// All that changed.
#[derive(Clone, Debug, Default)]
pub struct Diff<'t> {
    /// How many symbols the old kernel exports, and the new one.
    pub exports: (usize, usize),
    /// In the order of names.
    pub changes: Vec<Change<'t>>,
    /// The places in [`Rules::all`] of those that decide on no symbol of either kernel.
    pub unused: Vec<usize>,
}

impl<'t> Diff<'t> {
    /// Compares. A rule is looked up by the exporter and namespace that a symbol had.
    pub fn of(old: &'t SymbolTable, new: &'t SymbolTable, rules: &Rules) -> Self {
        let mut used = vec![false; rules.all().len()];
        let mut find = |symbol: &str, export: &Export<'_>| {
            let found = rules.find(symbol, export)?;
            used[found] = true;
            Some(found)
        };
        let mut changes = Vec::new();
        for (symbol, before) in old.iter() {
            let after = new.get(symbol);
            let rule = find(symbol, &before);
            let what = compare(&before, after.as_ref());
            if !what.is_empty() {
                changes.push(change(symbol, Some(before), after, what, rule, rules));
            }
        }
        for (symbol, after) in new.iter() {
            let is_new = old.get(symbol).is_none();
            let rule = find(symbol, &after);
            if is_new {
                changes.push(change(symbol, None, Some(after), vec![What::Added], rule, rules));
            }
        }
        changes.sort_by_key(|change| change.symbol);
        let unused = (0..).zip(used).filter_map(|(at, used)| (!used).then_some(at)).collect();
        Self { exports: (old.len(), new.len()), changes, unused }
    }

    /// Those that are not tolerated.
    pub fn breaks(&self) -> impl Iterator<Item = &Change<'t>> {
        self.changes.iter().filter(|change| change.tolerated.is_none())
    }

    /// How many exports changed so, and in how many of these that is tolerated (or harmless).
    pub fn counts(&self) -> BTreeMap<What, (usize, usize)> {
        let mut counts = BTreeMap::new();
        for change in &self.changes {
            for what in &change.what {
                let (all, tolerated): &mut (usize, usize) = counts.entry(*what).or_default();
                *all += 1;
                *tolerated += usize::from(change.tolerated.is_some() || !what.breaks());
            }
        }
        counts
    }
}

fn change<'t>(
    symbol: &'t str,
    old: Option<Export<'t>>,
    new: Option<Export<'t>>,
    what: Vec<What>,
    rule: Option<usize>,
    rules: &Rules,
) -> Change<'t> {
    let by_rule = match rule.and_then(|at| Some((at, rules.all().get(at)?.verdict))) {
        Some((at, Verdict::Pass)) => Some(Tolerated::Rule(at)),
        Some((_, Verdict::Fail)) => None,
        None if rules.otherwise() == Verdict::Pass => Some(Tolerated::NotPromised),
        None => None,
    };
    let is_harmless = !what.iter().any(|what| what.breaks());
    let tolerated = by_rule.or(is_harmless.then_some(Tolerated::Harmless));
    Change { symbol, old, new, what, tolerated }
}

/// What a module that was built with `old` meets in `new`.
fn compare(old: &Export<'_>, new: Option<&Export<'_>>) -> Vec<What> {
    let Some(new) = new else { return vec![What::Lost] };
    let is_known = old.crc_known && new.crc_known;
    let mut what = Vec::new();
    if is_known && old.crc != new.crc {
        what.push(What::Crc);
    }
    match (old.licensing, new.licensing) {
        (Licensing::Any, Licensing::GplOnly) => what.push(What::LicenceImposed),
        (Licensing::GplOnly, Licensing::Any) => what.push(What::LicenceLifted),
        _ => {}
    }
    match (old.namespace, new.namespace) {
        (same, now) if same == now => {}
        (_, "") => what.push(What::NamespaceLifted),
        _ => what.push(What::Namespace),
    }
    if old.exporter != new.exporter && (is_module(old.exporter) || is_module(new.exporter)) {
        what.push(What::Moved);
    }
    what.sort_unstable();
    what
}

/// Is it a module? Some of SUSE's symvers name, for what the image exports, the directory that it was built in: that ends with
/// `/built-in`, or with `/vmlinux`.
fn is_module(exporter: &str) -> bool {
    let last = exporter.rsplit('/').next().unwrap_or(exporter);
    !matches!(last.trim_end_matches(".a").trim_end_matches(".o"), "vmlinux" | "built-in")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> SymbolTable {
        SymbolTable::parse(text.replace(' ', "\t").into_bytes()).unwrap()
    }

    const OLD: &str = "0x1 lost vmlinux EXPORT_SYMBOL \n0x2 crc m/x EXPORT_SYMBOL \n0x3 gpl vmlinux EXPORT_SYMBOL \n\
                       0x4 free vmlinux EXPORT_SYMBOL_GPL \n0x5 in vmlinux EXPORT_SYMBOL \n0x6 out m/x EXPORT_SYMBOL A\n\
                       0x7 other m/x EXPORT_SYMBOL A\n0x8 moved m/x EXPORT_SYMBOL \n0x9 same m/x EXPORT_SYMBOL \n\
                       0xa two m/x EXPORT_SYMBOL \n";
    const NEW: &str = "0x22 crc m/x EXPORT_SYMBOL \n0x3 gpl vmlinux EXPORT_SYMBOL_GPL \n0x4 free vmlinux EXPORT_SYMBOL \n\
                       0x5 in vmlinux EXPORT_SYMBOL A\n0x6 out m/x EXPORT_SYMBOL \n0x7 other m/x EXPORT_SYMBOL B\n\
                       0x8 moved vmlinux EXPORT_SYMBOL \n0x9 same m/x EXPORT_SYMBOL \n0xb new m/x EXPORT_SYMBOL \n\
                       0xaa two m/y EXPORT_SYMBOL_GPL \n";

    #[test]
    fn each_kind_of_change() {
        let (old, new) = (table(OLD), table(NEW));
        let diff = Diff::of(&old, &new, &Rules::default());
        let found: Vec<(&str, Vec<&str>, bool)> = diff
            .changes
            .iter()
            .map(|c| (c.symbol, c.what.iter().map(|w| w.word()).collect(), c.tolerated.is_some()))
            .collect();
        let expected: [(&str, &[&str], bool); 10] = [
            ("crc", &["crc"], false),
            ("free", &["licence-lifted"], true),
            ("gpl", &["licence-imposed"], false),
            ("in", &["namespace"], false),
            ("lost", &["lost"], false),
            ("moved", &["moved"], true),
            ("new", &["added"], true),
            ("other", &["namespace"], false),
            ("out", &["namespace-lifted"], true),
            ("two", &["crc", "licence-imposed", "moved"], false),
        ];
        assert_eq!(found, expected.map(|(s, w, t)| (s, w.to_vec(), t)));
        assert_eq!((diff.exports, diff.breaks().count()), ((10, 10), 6));
        assert_eq!(diff.counts()[&What::Crc], (2, 0));
    }

    #[test]
    fn rules_are_looked_up_by_what_a_symbol_was() {
        let (old, new) = (table(OLD), table(NEW));
        let mut rules = Rules::default();
        rules.add("m/x PASS\nm/y FAIL\nlost FAIL\nnone PASS\n").unwrap();
        let diff = Diff::of(&old, &new, &rules);
        let of = |symbol: &str| diff.changes.iter().find(|c| c.symbol == symbol).unwrap().tolerated;
        assert_eq!(of("crc"), Some(Tolerated::Rule(0)));
        assert_eq!(of("two"), Some(Tolerated::Rule(0)));
        assert_eq!(of("new"), Some(Tolerated::Rule(0)));
        assert_eq!((of("lost"), of("gpl")), (None, None));
        assert_eq!(of("free"), Some(Tolerated::Harmless));
        assert_eq!(diff.unused, [3]);
        let mut promised = Rules::default();
        promised.add("[list]\n crc\n").unwrap();
        let diff = Diff::of(&old, &new, &promised);
        assert_eq!(diff.breaks().map(|c| c.symbol).collect::<Vec<_>>(), ["crc"]);
    }

    #[test]
    fn the_directory_that_a_part_of_the_image_was_built_in_is_no_module() {
        let old = table("0x1 a kernel/built-in EXPORT_SYMBOL \n");
        let new = table("0x1 a vmlinux EXPORT_SYMBOL \n");
        assert_eq!(Diff::of(&old, &new, &Rules::default()).changes, []);
    }
}
