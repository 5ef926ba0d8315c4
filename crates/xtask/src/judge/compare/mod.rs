// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether kmp and a kernel agree on a module.

mod depmod;
mod in_tree;
mod opinion;
mod table;

use super::boot::Word;
use super::own::Known;

pub use depmod::{Complaints, ask, depmod};
pub use in_tree::in_tree;
pub use opinion::{Opinion, Opinions, kmp, kmp_by, opinions};
pub use table::Table;

/// One module on one machine.
#[derive(Debug)]
pub struct Cell {
    /// What kmp says.
    pub opinion: Opinion,
    /// What the kernel says.
    pub word: Word,
    /// Does depmod complain of it? `None` where depmod does not see it.
    pub depmod: bool,
    /// That kmp does not agree with the kernel is known.
    pub known: Option<&'static Known>,
}

impl Cell {
    /// Do kmp and the kernel agree? `Err` tells how they differ.
    pub fn agreed(&self) -> std::result::Result<(), String> {
        let kernel = self.word.accepts();
        if self.debians_own() {
            return Ok(());
        }
        if !self.word.loads && self.opinion.fits && self.clashed() {
            return Ok(());
        }
        if self.opinion.accepts() != kernel {
            let said = |fits| if fits { "compatible" } else { "incompatible" };
            return Err(format!(
                "kmp says it {}, the kernel it {}",
                said(self.opinion.accepts()),
                said(kernel)
            ));
        }
        if kernel || !self.word.loads && self.explained() {
            return Ok(());
        }
        // It loads, and every in-tree user that then does not is named.
        let mut broken = self.word.users.iter().filter(|(_, word)| !word.loads);
        if self.word.loads
            && self.opinion.fits
            && broken.all(|(user, _)| self.opinion.breaks.contains(&user.replace('-', "_")))
        {
            return Ok(());
        }
        Err("both refuse it, but for other reasons".into())
    }

    /// Refused for an export of a module that happens to be loaded here, and of which kmp warns: whether it is loaded a verdict
    /// cannot know.
    pub fn clashed(&self) -> bool {
        self.word.log.iter().any(|line| {
            let owner = line
                .split_once("exports duplicate symbol ")
                .and_then(|(_, rest)| rest.split_once("(owned by "));
            owner.is_some_and(|(_, owner)| {
                self.opinion.may_clash.contains(owner.trim_end().trim_end_matches(')'))
            })
        })
    }

    /// Refused for an entry of `__versions` that is missing. Debian's kernels do that by a patch of their
    /// own ("module: Disable matching missing version CRC", 2016); all others warn and go on. There
    /// the kernel of a Debian archive is no judge of the rule.
    pub fn debians_own(&self) -> bool {
        !self.word.loads && self.word.log.iter().any(|l| l.contains("no symbol version for "))
    }

    /// Is what the kernel gave as its reason (it stops at the first) among kmp's reasons?
    fn explained(&self) -> bool {
        let has = |rules: &[&str], symbol: Option<&str>| {
            self.opinion
                .reasons
                .iter()
                .any(|(rule, on, _)| rules.contains(&rule.as_str()) && symbol.is_none_or(|s| s == on))
        };
        let mut told = false;
        for line in &self.word.log {
            let after =
                |words: &str| line.split_once(words).map(|(_, r)| r.split([' ', ')']).next().unwrap_or(""));
            let holds = if let Some(symbol) = after("disagrees about version of symbol ") {
                // The kernel looks for module_layout before all others.
                has(&["crc", "module-layout"], Some(symbol))
                    || symbol == "module_layout" && has(&["crc"], None)
            } else if let Some(symbol) = after("uses symbol (").filter(|_| line.contains("does not import")) {
                has(&["namespace"], Some(symbol))
            } else if let Some(symbol) = after("exports duplicate symbol ") {
                has(&["duplicate-export"], Some(symbol))
            } else if line.contains("version magic") {
                has(&["vermagic"], None)
            } else if line.contains("section size must match") {
                has(&["struct-size"], None)
            } else if let Some(symbol) = after("Unknown symbol ") {
                // The error that follows repeats what was said before: -22 wrong version or namespace.
                has(&["unknown-symbol", "license", "depends", "crc", "namespace"], Some(symbol))
                    || has(&["cycle"], None)
            } else {
                continue;
            };
            told = true;
            if !holds {
                return false;
            }
        }
        // Without a line, there is the error's number.
        told || match self.word.errno {
            8 => has(
                &[
                    "malformed",
                    "architecture",
                    "vermagic",
                    "no-version",
                    "struct-size",
                    "signature",
                    "export-form",
                    "support",
                ],
                None,
            ),
            74 | 129 | 126 | 1 => has(&["signature", "malformed", "namespace"], None),
            _ => !self.opinion.reasons.is_empty(),
        }
    }
}
