// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which source packages are to be built anew for a kernel, and in which order. Pure.
//!
//! Only what a rebuild mends is listed: where a symbol is gone, or may no longer be used, the source has to change, and whoever uses
//! what such a package exports has to wait for it. What exports symbols for others comes before these.

use std::collections::{BTreeMap, BTreeSet};

use kmod_abi::rule::Kind;

use crate::registry::{Finding, Item, Remedy};

/// A source package to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source<'i> {
    /// Its name.
    pub name: &'i str,
    /// Its file's name (NAME-VERSION-RELEASE.src.rpm); empty if that is not known.
    pub file: &'i str,
    /// The build service's project; empty if that is not known.
    pub project: &'i str,
    /// What the project calls it.
    pub in_project: &'i str,
    /// The packages that are built of it.
    pub packages: Vec<&'i str>,
    /// Those with the same number can be built side by side, after those with smaller ones. Counts from 0.
    pub group: usize,
    /// Uses it what another of its group exports, which uses what it exports? Then no order is right.
    pub is_in_circle: bool,
}

/// Why a package that stops is not listed, or one that does not should be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left<'i> {
    /// Its source has to change.
    Source {
        /// The package.
        package: &'i str,
        /// Why, in a line.
        why: String,
    },
    /// It uses what another exports, whose source has to change first.
    WaitsFor {
        /// The package.
        package: &'i str,
        /// The other.
        exporter: &'i str,
    },
    /// It fits, but uses what another exports that is built anew.
    LookAgain {
        /// The package.
        package: &'i str,
        /// The other.
        exporter: &'i str,
    },
}

impl std::fmt::Display for Left<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source { package, why } => write!(f, "{package}: the source must change: {why}"),
            Self::WaitsFor { package, exporter } => {
                write!(f, "{package}: it uses what {exporter} exports, whose source must change first")
            }
            Self::LookAgain { package, exporter } => write!(
                f,
                "{package}: it fits the kernel, but uses what {exporter} exports, which is built anew: judge it again then"
            ),
        }
    }
}

/// What is to be built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List<'i> {
    /// In the order in which they have to be built.
    pub sources: Vec<Source<'i>>,
    /// What is not listed, and why.
    pub left: Vec<Left<'i>>,
}

/// Lists what a rebuild mends of judged packages.
pub fn list<'i>(items: &'i [Item<'i>]) -> List<'i> {
    let mut all: BTreeMap<&str, Vec<&Item<'_>>> = BTreeMap::new();
    items.iter().for_each(|item| all.entry(key(item)).or_default().push(item));
    let exporters = exporters(&all);
    let uses_of = |source: &str| used(&all[source], source, &exporters);
    let mut left = Vec::new();
    let mut stuck: BTreeSet<&str> = BTreeSet::new();
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    // Those that do not load because others do not.
    let mut dependent: BTreeSet<&str> = BTreeSet::new();
    for (source, own) in &all {
        // A build makes all of its packages, or none.
        let faulty = own.iter().find(|item| item.remedy() == Some(Remedy::Source));
        if let Some(item) = faulty {
            stuck.insert(source);
            let finding = item.findings.iter().find(|finding| finding.needs_source());
            let why = finding.map(|f| format!("{}: {}", f.module, f.reason)).unwrap_or_default();
            left.push(Left::Source { package: name(item), why });
        } else if own.iter().any(|item| item.remedy() == Some(Remedy::Rebuild)) {
            let is_own = |finding: &Finding| finding.reason.rule.kind() != Kind::OtherModule;
            let is_own = own.iter().flat_map(|item| &item.findings).any(is_own);
            if is_own { &mut wanted } else { &mut dependent }.insert(source);
        }
    }
    loop {
        let waits = |source: &str| uses_of(source).into_iter().find(|exporter| stuck.contains(exporter));
        let waiting = wanted.iter().chain(&dependent).find_map(|source| Some((*source, waits(source)?)));
        let Some((source, exporter)) = waiting else { break };
        wanted.remove(source);
        dependent.remove(source);
        stuck.insert(source);
        left.push(Left::WaitsFor { package: name(all[source][0]), exporter: name(all[exporter][0]) });
    }
    for (source, own) in
        all.iter().filter(|(source, _)| !wanted.contains(*source) && !stuck.contains(*source))
    {
        if let Some(exporter) = uses_of(source).into_iter().find(|exporter| wanted.contains(exporter)) {
            left.push(Left::LookAgain { package: name(own[0]), exporter: name(all[exporter][0]) });
        }
    }
    let mut sources = Vec::new();
    let mut group = 0;
    while !wanted.is_empty() {
        let waits = |source: &&str| uses_of(source).iter().any(|exporter| wanted.contains(exporter));
        let mut ready: Vec<&str> = wanted.iter().copied().filter(|source| !waits(source)).collect();
        let is_in_circle = ready.is_empty();
        if is_in_circle {
            ready = wanted.iter().copied().filter(|source| reaches(source, source, &uses_of)).collect();
        }
        for source in &ready {
            wanted.remove(source);
            sources.push(step(&all[source], group, is_in_circle));
        }
        group += 1;
    }
    List { sources, left }
}

/// What is built together has one source package; without one, a package stands for itself.
fn key<'i>(item: &Item<'i>) -> &'i str {
    let package = &item.registration.package;
    if package.source.is_empty() { &package.name } else { &package.source }
}

fn name<'i>(item: &Item<'i>) -> &'i str {
    &item.registration.package.name
}

fn step<'i>(own: &[&Item<'i>], group: usize, is_in_circle: bool) -> Source<'i> {
    let package = &own[0].registration.package;
    let name_of = package.source_name();
    Source {
        name: name_of,
        file: &package.source,
        project: &package.project,
        in_project: if package.sources.is_empty() { name_of } else { &package.sources },
        packages: own.iter().map(|item| name(item)).collect(),
        group,
        is_in_circle,
    }
}

/// By symbol, the sources whose packages export it.
fn exporters<'i>(all: &BTreeMap<&'i str, Vec<&Item<'i>>>) -> BTreeMap<&'i str, BTreeSet<&'i str>> {
    let mut exporters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (source, own) in all {
        let modules = own.iter().flat_map(|item| &item.registration.modules);
        for symbol in modules.flat_map(|module| module.exports.keys()) {
            exporters.entry(symbol).or_default().insert(source);
        }
    }
    exporters
}

/// The sources whose packages export what these use.
fn used<'i>(
    own: &[&Item<'i>],
    source: &str,
    exporters: &BTreeMap<&'i str, BTreeSet<&'i str>>,
) -> BTreeSet<&'i str> {
    let modules = own.iter().flat_map(|item| &item.registration.modules);
    let symbols = modules.flat_map(|module| module.uses.keys());
    let of = symbols.filter_map(|symbol| exporters.get(symbol.as_str()));
    of.filter(|of| !of.contains(source)).flatten().copied().collect()
}

/// Does one, by what it uses, use `end`?
fn reaches<'i>(start: &str, end: &str, uses_of: &dyn Fn(&str) -> BTreeSet<&'i str>) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut pending: Vec<&str> = uses_of(start).into_iter().collect();
    while let Some(next) = pending.pop() {
        if next == end {
            return true;
        }
        if seen.insert(next) {
            pending.extend(uses_of(next));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Build, Module, Package, Provider, Registration, judge};
    use kmod_abi::{Kernel, SymbolTable};

    fn package(name: &str, source: &str, uses: &[(&str, u32)], exports: &[(&str, u32)]) -> Registration {
        let module = Module::declared(name, uses.iter().copied(), exports.iter().copied());
        Registration {
            version: 1,
            provider: Provider { contact: String::new(), rebuild_without_asking: false },
            package: Package::of(name, source, ""),
            build: Build { nevra: format!("{name}-1-1.x86_64"), kernel: String::new() },
            modules: vec![module],
        }
    }

    fn order(packages: Vec<Registration>) -> (Vec<(String, usize, bool)>, Vec<String>) {
        let all: Vec<_> = packages.into_iter().map(|r| ("p".to_string(), r)).collect();
        let symvers = b"0x00000002\tchanged\tvmlinux\tEXPORT_SYMBOL\t\n".to_vec();
        let kernel = Kernel::of_symbols("2", SymbolTable::parse(symvers).unwrap());
        let items = judge(&all, None, &kernel);
        let list = list(&items);
        let sources = list.sources.iter().map(|s| (s.name.to_string(), s.group, s.is_in_circle)).collect();
        (sources, list.left.iter().map(ToString::to_string).collect())
    }

    const OLD: (&str, u32) = ("changed", 1);

    #[test]
    fn exporters_come_first_and_what_a_rebuild_does_not_mend_is_left_out() {
        let (sources, left) = order(vec![
            package("a-user", "", &[OLD, ("b_open", 1)], &[]),
            package("b", "b-1-1.src.rpm", &[OLD], &[("b_open", 1)]),
            package("b-other-flavour", "b-1-1.src.rpm", &[OLD], &[("b_open", 1)]),
            package("c-fits", "", &[("b_open", 1)], &[]),
            package("d-alone", "", &[OLD], &[]),
            package("e", "", &[OLD, ("gone", 1)], &[("e_open", 1)]),
            package("f-user", "", &[OLD, ("e_open", 1)], &[("f_open", 1)]),
            package("g-user", "", &[("f_open", 1)], &[]),
        ]);
        let expected = [("b", 0, false), ("d-alone", 0, false), ("a-user", 1, false)];
        assert_eq!(sources, expected.map(|(n, g, c)| (n.to_string(), g, c)));
        let starts = |start: &str| left.iter().any(|line| line.starts_with(start));
        assert!(starts("e: the source must change: e: nothing exports gone"), "{left:?}");
        assert!(starts("f-user: it uses what e exports"), "{left:?}");
        assert!(starts("g-user: it uses what f-user exports"), "{left:?}");
        assert!(starts("c-fits: it fits the kernel, but uses what b exports"), "{left:?}");
    }

    #[test]
    fn a_circle_has_no_order_and_does_not_keep_others_from_theirs() {
        let (sources, _) = order(vec![
            package("a", "", &[OLD, ("b1", 1)], &[("a1", 1)]),
            package("b", "", &[OLD, ("a1", 1)], &[("b1", 1)]),
            package("c", "", &[OLD, ("b1", 1)], &[]),
            package("d", "", &[OLD], &[]),
        ]);
        let expected = [("d", 0, false), ("a", 1, true), ("b", 1, true), ("c", 2, false)];
        assert_eq!(sources, expected.map(|(n, g, c)| (n.to_string(), g, c)));
    }

    #[test]
    fn where_a_build_service_has_it() {
        let package = |disturl| Package::of("nic-kmp-default", "nic-1-2.src.rpm", disturl);
        let of = package("obs://build.example.org/Kernel:nic/SLE_15/0a1b-nic");
        assert_eq!((of.project.as_str(), of.sources.as_str(), of.source_name()), ("Kernel:nic", "", "nic"));
        let other = package("obs://build.example.org/home:x/SLE_15/0a1b-nic-drivers:one");
        assert_eq!(other.sources, "nic-drivers:one");
        for odd in ["", "obs://", "obs://a/b", "https://a/b/c/d-e", "obs://a/b/c/d"] {
            assert_eq!(package(odd).project, "", "{odd}");
        }
    }
}
