// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where kmp and a kernel do not agree, and that is known.

use crate::judge::boot::Machine;
use crate::judge::compare::Table;

/// Why kmp judges otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// kmp does so on purpose.
    Deliberate,
    /// It should not, and does so still.
    Gap,
}

/// A disagreement that is known.
#[derive(Debug)]
pub struct Known {
    pub kind: Kind,
    /// The set; what ends with `*` stands for all that begin so.
    pub set: &'static str,
    /// The module in it; empty: any.
    pub module: &'static str,
    /// The kernels; empty: all.
    pub on: &'static [&'static str],
    pub why: &'static str,
    /// The row of docs/loader-rules.md: how its first cell begins.
    pub row: &'static str,
}

/// All of them.
pub const KNOWN: &[Known] = &[];

impl Known {
    fn is_of(&self, set: &str, module: &str, variant: &str) -> bool {
        let of_set = match self.set.strip_suffix('*') {
            Some(start) => set.starts_with(start),
            None => set == self.set,
        };
        of_set && (self.module.is_empty() || self.module == module) && (self.on.is_empty() || self.on.contains(&variant))
    }

    /// That of a module on a kernel.
    pub fn find(set: &str, module: &str, variant: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.is_of(set, module, variant))
    }
}

/// Those that no pair needs which they are about: they have been mended, or the case is gone.
pub fn stale(table: &Table, machines: &[Machine]) -> Vec<&'static Known> {
    let is_stale = |known: &&Known| {
        let mut about = table.rows.iter().flat_map(|((set, module, _), cells)| {
            cells.iter().filter(|(i, _)| known.is_of(set, module, &machines[**i].label)).map(|(_, cell)| cell)
        }).peekable();
        about.peek().is_some() && !about.any(|cell| cell.known.is_some_and(|k| std::ptr::eq(k, *known)))
    };
    KNOWN.iter().filter(is_stale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_row_of_the_documented_checks() {
        let text = include_str!("../../../../../docs/loader-rules.md");
        for known in KNOWN {
            let row = format!("\n| {}", known.row);
            assert!(text.contains(&row), "{} is about a row that is not there: {}", known.set, known.row);
            assert!(!known.why.is_empty());
        }
    }
}
