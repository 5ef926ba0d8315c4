// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which changes are tolerated: SUSE's `severities`, and lists of what is promised.
//!
//! `severities` (rpm/kabi.pl of SUSE's kernel source; suse-kabi-tools(5)): a rule a line, `PATTERN PASS|FAIL` or
//! `MODULE|NAMESPACE|SYMBOL PATTERN PASS|FAIL`; `#` begins a comment. Without a type, a pattern with `/`, or `vmlinux`, is for
//! exporters, one without a small letter for namespaces, any other for symbols. The first rule that matches decides; without one, a
//! change is a break.
//!
//! A list of what is promised (Red Hat's `kabi_stablelist_ARCH`, Android's symbol lists): a line in brackets, then a symbol a line.
//! A change of any other symbol is tolerated.

use std::collections::HashMap;

use kmod_abi::{Export, glob};

/// What a rule is matched against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matches {
    /// The exporter: `vmlinux`, or a module's path.
    Exporter,
    /// The namespace.
    Namespace,
    /// The symbol's name.
    Symbol,
}

/// What a rule says of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is tolerated.
    Pass,
    /// It is a break.
    Fail,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is matched against.
    pub matches: Matches,
    /// With `*` and `?`.
    pub pattern: Box<str>,
    /// What it says.
    pub verdict: Verdict,
    /// The place of its file among those that were read.
    pub file: usize,
    /// Its line, counted from 1.
    pub line: usize,
}

/// A line that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadRule {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, as a clause.
    pub what: String,
}

/// All rules, in the order in which they count.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Names of symbols without wildcards, and the first rule for each.
    exact: HashMap<Box<str>, usize>,
    /// The others, in order: what stands before the first wildcard, and the rule.
    others: Vec<(usize, usize)>,
    files: usize,
    /// What is to be said where no rule matches.
    otherwise: Verdict,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            exact: HashMap::new(),
            others: Vec::new(),
            files: 0,
            otherwise: Verdict::Fail,
        }
    }
}

impl Rules {
    /// Adds the rules of a file, which count after those that are there. What kind of file it is is seen by its first line.
    ///
    /// # Errors
    /// The first line that is no rule.
    pub fn add(&mut self, text: &str) -> Result<(), BadRule> {
        let file = self.files;
        let lines = || {
            let uncommented = |line: &'_ str| line.split('#').next().unwrap_or_default().trim().to_owned();
            (1..).zip(text.lines().map(uncommented)).filter(|(_, line)| !line.is_empty())
        };
        if lines().next().is_some_and(|(_, first)| first.starts_with('[') && first.ends_with(']')) {
            for (line, symbol) in lines().filter(|(_, line)| !line.starts_with('[')) {
                if symbol.split_whitespace().count() > 1 {
                    return Err(BadRule { line, what: format!("more than one symbol: {symbol:?}") });
                }
                let (matches, verdict) = (Matches::Symbol, Verdict::Fail);
                self.push(Rule { matches, pattern: symbol.into(), verdict, file, line });
            }
            self.otherwise = Verdict::Pass;
        } else {
            for (line, rule) in lines() {
                let rule = severity(&rule, file, line).map_err(|what| BadRule { line, what })?;
                self.push(rule);
            }
        }
        self.files += 1;
        Ok(())
    }

    fn push(&mut self, rule: Rule) {
        let at = self.rules.len();
        match (rule.matches, rule.pattern.find(['*', '?'])) {
            (Matches::Symbol, None) => {
                self.exact.entry(rule.pattern.clone()).or_insert(at);
            }
            (_, wild) => self.others.push((wild.unwrap_or(rule.pattern.len()), at)),
        }
        self.rules.push(rule);
    }

    /// All of them.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// What is said of symbols that no rule matches.
    pub fn otherwise(&self) -> Verdict {
        self.otherwise
    }

    /// The place in [`Self::all`] of the rule that decides on a symbol, by what is known of its export.
    pub fn find(&self, symbol: &str, export: &Export<'_>) -> Option<usize> {
        let exact = self.exact.get(symbol).copied();
        let is_match = |(literal, at): &(usize, usize)| {
            let rule = self.rules.get(*at)?;
            let text = match rule.matches {
                Matches::Exporter => export.exporter,
                // What has no namespace is in none, whatever the pattern.
                Matches::Namespace if export.namespace.is_empty() => return None,
                Matches::Namespace => export.namespace,
                Matches::Symbol => symbol,
            };
            let begins = text.as_bytes().starts_with(rule.pattern.as_bytes().get(..*literal)?);
            (begins && glob::matches(&rule.pattern, text)).then_some(*at)
        };
        let mut before = self.others.iter().take_while(|(_, at)| exact.is_none_or(|exact| *at < exact));
        before.find_map(is_match).or(exact)
    }
}

/// One line of `severities`.
fn severity(text: &str, file: usize, line: usize) -> Result<Rule, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (matches, pattern, verdict) = match words[..] {
        [pattern, verdict] => {
            let matches = if pattern.contains('/') || pattern == "vmlinux" {
                Matches::Exporter
            } else if !pattern.chars().any(char::is_lowercase) {
                Matches::Namespace
            } else {
                Matches::Symbol
            };
            (matches, pattern, verdict)
        }
        ["MODULE", pattern, verdict] => (Matches::Exporter, pattern, verdict),
        ["NAMESPACE", pattern, verdict] => (Matches::Namespace, pattern, verdict),
        ["SYMBOL", pattern, verdict] => (Matches::Symbol, pattern, verdict),
        [kind, _, _] => return Err(format!("{kind:?} is none of MODULE, NAMESPACE and SYMBOL")),
        _ => return Err(format!("not a pattern and PASS or FAIL: {text:?}")),
    };
    let verdict = match verdict {
        "PASS" => Verdict::Pass,
        "FAIL" => Verdict::Fail,
        other => return Err(format!("{other:?} is neither PASS nor FAIL")),
    };
    Ok(Rule { matches, pattern: pattern.into(), verdict, file, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmod_abi::Licensing;

    fn export<'t>(exporter: &'t str, namespace: &'t str) -> Export<'t> {
        Export { crc: Some(1), crc_known: true, exporter, licensing: Licensing::Any, namespace }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let text = "# SUSE's\ndrivers/net/* PASS\nSYMBOL VMX_* FAIL # not a namespace\nCXL PASS\nvmlinux FAIL\n\
                    cam_open PASS\nMODULE sound PASS\ncam_* FAIL\nNAMESPACE mine PASS\n";
        let mut rules = Rules::default();
        rules.add(text).unwrap();
        for (symbol, exporter, namespace, line) in [
            ("x", "drivers/net/e/f", "", Some(2)),
            ("VMX_a", "m/x", "", Some(3)),
            ("x", "m/x", "CXL", Some(4)),
            ("x", "vmlinux", "CXL", Some(4)),
            ("cam_open", "vmlinux", "", Some(5)),
            ("cam_open", "m/x", "", Some(6)),
            ("cam_close", "m/x", "", Some(8)),
            ("cam_close", "sound", "", Some(7)),
            ("x", "m/x", "mine", Some(9)),
            ("x", "m/x", "", None),
        ] {
            let found = rules.find(symbol, &export(exporter, namespace)).map(|at| rules.all()[at].line);
            assert_eq!(found, line, "{symbol} {exporter} {namespace}");
        }
        assert_eq!(rules.otherwise(), Verdict::Fail);
    }

    #[test]
    fn without_a_type_capitals_are_a_namespace_and_what_has_none_is_in_none() {
        let mut rules = Rules::default();
        rules.add("* PASS\n").unwrap();
        assert_eq!(rules.all()[0].matches, Matches::Namespace);
        assert_eq!(rules.find("x", &export("vmlinux", "")), None);
        assert_eq!(rules.find("x", &export("vmlinux", "A")), Some(0));
    }

    #[test]
    fn what_is_not_promised_is_tolerated() {
        let mut rules = Rules::default();
        rules.add("[rhel9_x86_64_stablelist]\n\tprintk\n\tkmalloc # required by cam.ko\n").unwrap();
        assert_eq!(rules.all().len(), 2);
        assert_eq!(rules.all()[1].verdict, Verdict::Fail);
        assert_eq!(rules.find("kmalloc", &export("vmlinux", "")), Some(1));
        assert_eq!((rules.find("x", &export("vmlinux", "")), rules.otherwise()), (None, Verdict::Pass));
    }

    #[test]
    fn what_is_no_rule_is_named_with_its_line() {
        for (text, line) in [
            ("a PASS\nb\n", 2),
            ("a NONE\n", 1),
            ("KERNEL a PASS\n", 1),
            ("[list]\na b\n", 2),
            ("a b c d\n", 1),
        ] {
            assert_eq!(Rules::default().add(text).unwrap_err().line, line, "{text}");
        }
    }
}
