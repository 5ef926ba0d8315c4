// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who of the registry uses a symbol.

use std::collections::{BTreeSet, HashMap};

use super::Registration;

/// The registered modules, by the symbols that they use.
#[derive(Clone, Debug, Default)]
pub struct Users<'r> {
    modules: Vec<(&'r str, &'r str)>,
    by_symbol: HashMap<&'r str, Vec<usize>>,
}

/// Those that use some of several symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerned<'r> {
    /// How many modules.
    pub modules: usize,
    /// Who makes them.
    pub providers: BTreeSet<&'r str>,
}

impl<'r> Users<'r> {
    /// Of these registrations, each with its provider.
    pub fn of(all: &'r [(String, Registration)]) -> Self {
        let mut users = Self::default();
        for (provider, registration) in all {
            for module in &registration.modules {
                let at = users.modules.len();
                users.modules.push((provider, &module.name));
                let symbols = module.uses.keys().map(String::as_str);
                symbols.for_each(|symbol| users.by_symbol.entry(symbol).or_default().push(at));
            }
        }
        users
    }

    /// Those that use some of these symbols.
    pub fn concerned<'s>(&self, symbols: impl IntoIterator<Item = &'s str>) -> Concerned<'r> {
        let found: BTreeSet<usize> =
            symbols.into_iter().filter_map(|symbol| self.by_symbol.get(symbol)).flatten().copied().collect();
        let providers = found.iter().filter_map(|at| Some(self.modules.get(*at)?.0)).collect();
        Concerned { modules: found.len(), providers }
    }
}

impl std::fmt::Display for Concerned<'_> {
    /// `2 registered drivers of acme and other`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let most = 3;
        let mut names: Vec<&str> = self.providers.iter().take(most).copied().collect();
        let more = format!("{} more", self.providers.len().saturating_sub(most));
        if self.providers.len() > most {
            names.push(&more);
        }
        let names = match names.split_last() {
            Some((last, [])) => format!(" of {last}"),
            Some((last, before)) => format!(" of {} and {last}", before.join(", ")),
            None => String::new(),
        };
        let drivers = if self.modules == 1 { "driver" } else { "drivers" };
        write!(f, "{} registered {drivers}{names}", self.modules)
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::tests::registration;
    use super::*;

    #[test]
    fn each_module_counts_once() {
        let of = |provider: &str, uses: &[(&str, u32)]| (provider.to_string(), registration("cam", uses));
        let all = [
            of("acme", &[("a", 1), ("b", 2)]),
            of("acme", &[("b", 2)]),
            of("beta", &[("b", 2)]),
            of("c", &[("b", 1)]),
            of("d", &[("b", 1)]),
        ];
        let users = Users::of(&all);
        let words = |symbols: &[&str]| users.concerned(symbols.iter().copied()).to_string();
        assert_eq!(words(&["a", "z"]), "1 registered driver of acme");
        assert_eq!(words(&["a", "b"]), "5 registered drivers of acme, beta, c and 1 more");
        assert_eq!(words(&["z"]), "0 registered drivers");
    }
}
