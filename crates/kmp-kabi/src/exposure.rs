// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a driver uses that nobody has promised.

use kmod_abi::{Export, Module, SymbolTable};

use crate::{Rules, Verdict};

/// What was promised of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A change of it may come at any time: it is tolerated.
    Tolerated,
    /// The kernel does not export it: what the rules mean for it is not known.
    Unknown,
    /// A change of it is a break, which the distributor avoids.
    Promised,
    /// Another module of the package exports it.
    Own,
}

impl Standing {
    /// A word for programs, which never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tolerated => "tolerated",
            Self::Unknown => "unknown",
            Self::Promised => "promised",
            Self::Own => "own",
        }
    }
}

/// A symbol that a module uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed<'m> {
    /// The symbol.
    pub symbol: &'m str,
    /// What was promised.
    pub standing: Standing,
    /// The place in [`Rules::all`] of the rule that says so; `None`: it follows from there being none.
    pub rule: Option<usize>,
}

/// The symbols that `module` uses, those first that may change. `kernel`: what the kernel exports that it is built for; without
/// it, rules for exporters and namespaces cannot be applied, and where only such a rule could say something, it is not known.
/// `own`: is it exported by another module of the package?
pub fn exposure<'m>(
    module: &'m Module,
    kernel: Option<&SymbolTable>,
    rules: &Rules,
    own: impl Fn(&str) -> bool,
) -> Vec<Exposed<'m>> {
    let by_exporter = rules.all().iter().any(|rule| rule.matches != crate::Matches::Symbol);
    let nothing = Export {
        crc: None,
        crc_known: false,
        exporter: "",
        licensing: kmod_abi::Licensing::Unknown,
        namespace: "",
    };
    let standing = |symbol: &'m str| {
        let export = kernel.and_then(|kernel| kernel.get(symbol));
        if export.is_none() && own(symbol) {
            return Exposed { symbol, standing: Standing::Own, rule: None };
        }
        let rule = rules.find(symbol, export.as_ref().unwrap_or(&nothing));
        let verdict = rule.and_then(|at| rules.all().get(at)).map_or(rules.otherwise(), |rule| rule.verdict);
        let is_unknown = match kernel {
            Some(_) => export.is_none(),
            // An earlier rule might have matched its exporter.
            None => by_exporter,
        };
        let standing = match verdict {
            _ if is_unknown => Standing::Unknown,
            Verdict::Pass => Standing::Tolerated,
            Verdict::Fail => Standing::Promised,
        };
        Exposed { symbol, standing, rule: rule.filter(|_| !is_unknown) }
    };
    let mut all: Vec<Exposed<'m>> = module.needs.iter().map(|need| standing(&need.symbol)).collect();
    all.sort_by_key(|exposed| (exposed.standing, exposed.symbol));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symbol_is_promised_or_not() {
        let needs = ["printk", "kvm_get", "gone", "hal_open"].map(|s| (s.into(), 1));
        let module = Module::declared(needs, []);
        let kernel =
            b"0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0x1\tkvm_get\tarch/x86/kvm/kvm\tEXPORT_SYMBOL\t\n";
        let kernel = SymbolTable::parse(kernel.to_vec()).unwrap();
        let mut rules = Rules::default();
        rules.add("arch/x86/kvm/* PASS\n").unwrap();
        let own = |symbol: &str| symbol == "hal_open";
        let of = |kernel, rules: &Rules| -> Vec<(String, &str, Option<usize>)> {
            let all = exposure(&module, kernel, rules, own);
            all.into_iter().map(|e| (e.symbol.into(), e.standing.word(), e.rule)).collect()
        };
        let expected = [
            ("kvm_get", "tolerated", Some(0)),
            ("gone", "unknown", None),
            ("printk", "promised", None),
            ("hal_open", "own", None),
        ];
        assert_eq!(of(Some(&kernel), &rules), expected.map(|(s, w, r)| (s.into(), w, r)));
        assert!(of(None, &rules).iter().take(3).all(|(_, word, _)| *word == "unknown"));
        let mut list = Rules::default();
        list.add("[list]\nprintk\n").unwrap();
        let words: Vec<&str> = of(None, &list).into_iter().map(|(_, word, _)| word).collect();
        assert_eq!(words, ["tolerated", "tolerated", "promised", "own"]);
    }
}
