// SPDX-License-Identifier: LGPL-2.1-or-later
//! What becomes of registered packages in a kernel that comes.

use kmod_abi::rule::Kind;
use kmod_abi::{Candidate, Kernel, Module, Reason, Role, Rule, Traits, Verdict, World};

use super::Registration;

/// How a package stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its last build loads in the new kernel.
    Fits,
    /// It loads in the old kernel, and not in the new one.
    Stops,
    /// It loads in neither: what is registered is older than the old kernel's interface.
    StoppedBefore,
    /// It is not known.
    Unknown,
}

impl State {
    /// A word for programs, which never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Stops => "stops",
            Self::StoppedBefore => "stopped-before",
            Self::Unknown => "unknown",
        }
    }
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Building the same sources for the new kernel.
    Rebuild,
    /// Only a change of the sources.
    Source,
}

impl Remedy {
    /// A word for programs, which never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Source => "source",
        }
    }
}

/// Why a module does not load in the new kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The module.
    pub module: String,
    /// Why.
    pub reason: kmod_abi::Reason,
}

impl Finding {
    /// Does it take a change of sources?
    pub fn needs_source(&self) -> bool {
        self.reason.rule.needs_source()
    }
}

/// What becomes of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'r> {
    /// Its provider: the name of the directory.
    pub provider: &'r str,
    /// What is registered of it.
    pub registration: &'r Registration,
    /// How it stands.
    pub state: State,
    /// Every reason why it does not load in the new kernel.
    pub findings: Vec<Finding>,
}

impl Item<'_> {
    /// What helps, where it stops.
    pub fn remedy(&self) -> Option<Remedy> {
        if !matches!(self.state, State::Stops | State::StoppedBefore) {
            return None;
        }
        let needs_source = self.findings.iter().any(Finding::needs_source);
        Some(if needs_source { Remedy::Source } else { Remedy::Rebuild })
    }
}

/// Judges each package beside those others that export what it uses. `old`: the kernel before, if there is one.
pub fn judge<'r>(all: &'r [(String, Registration)], old: Option<&Kernel>, new: &Kernel) -> Vec<Item<'r>> {
    let modules: Vec<Vec<(&str, Module)>> = all
        .iter()
        .map(|(_, package)| package.modules.iter().map(|m| (m.name.as_str(), m.to_judge())).collect())
        .collect();
    // The rest of its traits is that of files, which are not registered.
    let known = |kernel: &Kernel| {
        let vermagic = kernel.traits.vermagic.clone();
        Kernel { traits: Traits { vermagic, ..Traits::default() }, ..kernel.clone() }
    };
    let (known_old, known_new) = (old.map(known), known(new));
    let verdicts = |at: usize, known: &Kernel, kernel: &Kernel| -> Vec<(&'r str, Verdict)> {
        let mut found = verdicts(&modules, at, known);
        for ((_, verdict), module) in found.iter_mut().zip(&all[at].1.modules) {
            if module.vermagic.is_empty() {
                verdict.reasons.retain(|reason| reason.rule != Rule::Vermagic);
            }
            verdict.reasons.extend(other_machine(module, kernel));
        }
        found
    };
    let stopped_before = |at| {
        known_old.iter().zip(old).any(|(known, old)| verdicts(at, known, old).iter().any(|(_, v)| !v.fits()))
    };
    let item = |(at, (provider, registration)): (usize, &'r (String, Registration))| {
        let findings: Vec<Finding> = verdicts(at, &known_new, new)
            .into_iter()
            .flat_map(|(name, verdict)| {
                verdict.reasons.into_iter().map(move |reason| Finding { module: name.into(), reason })
            })
            .collect();
        let is_unknown = |finding: &Finding| finding.reason.rule.kind() == Kind::Unknown;
        let state = if findings.iter().any(is_unknown) {
            State::Unknown
        } else if findings.is_empty() {
            State::Fits
        } else if stopped_before(at) {
            State::StoppedBefore
        } else {
            State::Stops
        };
        Item { provider, registration, state, findings }
    };
    all.iter().enumerate().map(item).collect()
}

/// Was it built for another machine than the kernel's?
fn other_machine(module: &super::Module, kernel: &Kernel) -> Option<Reason> {
    let arch = kernel.traits.arch?.to_string();
    let detail = format!("built for {}, the kernel is for {arch}", module.arch);
    (!module.arch.is_empty() && module.arch != arch).then(|| Reason::new(Rule::Architecture, detail))
}

/// Of the modules of one package.
fn verdicts<'m>(all: &[Vec<(&'m str, Module)>], at: usize, kernel: &Kernel) -> Vec<(&'m str, Verdict)> {
    let own = &all[at];
    let offers = |module: &Module, symbol: &str| module.offers.iter().any(|offer| &*offer.symbol == symbol);
    let is_missing = |symbol: &str| {
        kernel.symbols.get(symbol).is_none() && !own.iter().any(|(_, module)| offers(module, symbol))
    };
    let missing: Vec<&str> = own
        .iter()
        .flat_map(|(_, module)| &module.needs)
        .map(|need| &*need.symbol)
        .filter(|symbol| is_missing(symbol))
        .collect();
    let mut set: Vec<(&str, &Module)> = own.iter().map(|(name, module)| (*name, module)).collect();
    for (name, module) in all.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(_, list)| list)
    {
        let is_wanted = missing.iter().any(|symbol| offers(module, symbol));
        if is_wanted && set.iter().all(|(known, _)| known != name) {
            set.push((name, module));
        }
    }
    let candidates = set.iter().map(|(name, module)| Candidate { name, module, role: Role::Judged });
    let verdicts = World::new(kernel, None, candidates.collect()).judge();
    own.iter().map(|(name, _)| *name).zip(verdicts).collect()
}

#[cfg(test)]
mod tests {
    use super::super::form::tests::registration;
    use super::*;
    use kmod_abi::SymbolTable;

    fn kernel(release: &str, lines: &[(&str, u32, &str)]) -> Kernel {
        let text: String =
            lines.iter().map(|(s, crc, rest)| format!("0x{crc:08x}\t{s}\tvmlinux\t{rest}\n")).collect();
        Kernel::of_symbols(release, SymbolTable::parse(text.into_bytes()).unwrap())
    }

    #[test]
    fn what_stops_and_what_helps() {
        const ANY: &str = "EXPORT_SYMBOL\t";
        let old = kernel("1", &[("a", 1, ANY), ("b", 2, ANY), ("c", 3, ANY), ("d", 4, "EXPORT_SYMBOL\tNS")]);
        let new = kernel(
            "2",
            &[
                ("a", 1, ANY),
                ("b", 22, ANY),
                ("c", 3, "EXPORT_SYMBOL_GPL\t"),
                ("d", 4, "EXPORT_SYMBOL\tOTHER"),
            ],
        );
        let mut closed = registration("closed", &[("c", 3)]);
        closed.modules[0].license = "Proprietary".into();
        let mut exporter = registration("exporter", &[("a", 1)]);
        exporter.modules[0].name = "hal".into();
        exporter.modules[0].exports.insert("hal_open".into(), "0x00000009".into());
        let all = [
            registration("fine", &[("a", 1)]),
            registration("rebuild", &[("a", 1), ("b", 2)]),
            registration("gone", &[("a", 1), ("e", 5)]),
            closed,
            registration("namespace", &[("d", 4)]),
            exporter,
            registration("user", &[("hal_open", 9)]),
            registration("stale", &[("b", 3)]),
        ];
        let all: Vec<_> = all.into_iter().map(|r| ("acme".to_string(), r)).collect();
        let items = judge(&all, Some(&old), &new);
        let found: Vec<_> = items
            .iter()
            .map(|i| (i.registration.package.name.as_str(), i.state.word(), i.remedy().map(Remedy::word)))
            .collect();
        assert_eq!(
            found,
            [
                ("fine", "fits", None),
                ("rebuild", "stops", Some("rebuild")),
                ("gone", "stopped-before", Some("source")),
                ("closed", "stops", Some("source")),
                ("namespace", "stops", Some("source")),
                ("exporter", "fits", None),
                ("user", "fits", None),
                ("stale", "stopped-before", Some("rebuild")),
            ]
        );
        assert_eq!(judge(&all, None, &new)[7].state, State::Stops);
    }

    #[test]
    fn what_its_modules_say_of_a_kernel_counts_where_both_say_it() {
        let symbols = [("a", 1, "EXPORT_SYMBOL\t")];
        let mut new = kernel("2", &symbols);
        new.traits.vermagic = Some("2 SMP modversions ".into());
        new.traits.arch = Some(kmod_abi::Arch { is_64: true, big_endian: false, machine: 62, abi: 0 });
        let with = |change: &dyn Fn(&mut super::super::Module)| {
            let mut one = registration("cam", &[("a", 1)]);
            change(&mut one.modules[0]);
            one
        };
        let all = [
            with(&|_| {}),
            with(&|module| (module.arch, module.vermagic) = ("x86_64".into(), "1 SMP modversions ".into())),
            with(&|module| module.arch = "aarch64".into()),
            with(&|module| module.vermagic = "1 SMP preempt modversions ".into()),
            with(&|module| {
                module.unversioned = true;
                module.uses.insert("a".into(), String::new());
            }),
            with(&|module| drop(module.uses.insert("gone".into(), String::new()))),
        ];
        let all: Vec<_> = all.into_iter().map(|r| ("acme".to_string(), r)).collect();
        let found: Vec<Vec<Rule>> = judge(&all, None, &new)
            .iter()
            .map(|item| item.findings.iter().map(|finding| finding.reason.rule).collect())
            .collect();
        let (none, gone) = (vec![], vec![Rule::UnknownSymbol]);
        let expected =
            [none.clone(), none, vec![Rule::Architecture], vec![Rule::Vermagic], vec![Rule::NoVersion], gone];
        assert_eq!(found, expected);
        let text = all[4].1.to_toml().unwrap();
        assert_eq!(Registration::parse(&text).unwrap(), all[4].1);
    }
}
