// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where kmp and a kernel do not agree, on purpose.

use crate::judge::boot::Machine;
use crate::judge::compare::Table;

/// A disagreement that is on purpose.
#[derive(Debug)]
pub struct Known {
    /// The set; `*` stands for any text.
    pub set: &'static str,
    /// The module in it; empty: any.
    pub module: &'static str,
    /// The machines: kernels, however they are booted, or with what is added to the command line; empty: all.
    pub on: &'static [&'static str],
    pub why: &'static str,
    /// The row of docs/loader-rules.md: how its first cell begins.
    pub row: &'static str,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    deliberate("elf-name-just-past", OLDEST, STRICTER, "the table of section names"),
    deliberate("elf-names-no-strings", OLDEST, STRICTER, "the table of section names"),
    deliberate("elf-strtab-*", OLDER, STRICTER, "its strings begin and end with NUL"),
    deliberate("elf-symtab-link-text", OLDEST, STRICTER, "its strings begin and end with NUL"),
    deliberate("versions-extended-*-only", OLDER, STRICTER, "extended versions"),
    deliberate("elf-symbol-section-just-past", &["old"], STRICTER, "a symbol's section exists"),
    deliberate("elf-symtab-odd-size", &[], "no linker writes a part of a symbol", "exactly one symbol table"),
    deliberate(
        "relocation-unsigned-32-of-an-export",
        &[],
        "an export might be per-cpu data, whose addresses are small",
        "relocations: type, overflow",
    ),
    deliberate(
        "needs-itself",
        &[],
        "a linker resolves what is used beside its definition",
        "a module does not need one that needs it",
    ),
    deliberate(
        "cycle-weak",
        &[],
        "insmod would load it, but depmod writes no index for modules that need each other",
        "a module does not need one that needs it",
    ),
    deliberate("signature-message-last-byte", SIGNED, VERIFIES, "the signature verifies"),
    deliberate("signature-middle-of-the-message", SIGNED, VERIFIES, "the signature verifies"),
    deliberate("signature-module-*", SIGNED, VERIFIES, "the signature verifies"),
    deliberate("signature-sound-twice", SIGNED, VERIFIES, "the signature verifies"),
    deliberate(
        "signature-other-key*",
        &["enforced"],
        "of a root that is not the running system's it is not known which keys its machine has: a warning says so",
        "the key is known where signatures are enforced",
    ),
];

/// The kernels before 6.14, which check less of a file.
const OLDER: &[&str] = &["strict", "old", "unversioned", "lenient", "types", "mismatch", "trimmed"];

/// The kernels before 6.12.
const OLDEST: &[&str] = &["strict", "old"];

/// Those that check signatures.
const SIGNED: &[&str] = &["enforced", "lenient"];

const VERIFIES: &str = "a signature is not verified: that needs the kernel's keys";

const STRICTER: &str = "the rule of newer kernels is applied to all: no linker makes such a file";

const fn deliberate(
    set: &'static str,
    on: &'static [&'static str],
    why: &'static str,
    row: &'static str,
) -> Known {
    Known { set, module: "", on, why, row }
}

impl Known {
    fn is_of(&self, set: &str, module: &str) -> bool {
        let of_set = match self.set.split_once('*') {
            Some((start, end)) => set.starts_with(start) && set.ends_with(end),
            None => set == self.set,
        };
        of_set && (self.module.is_empty() || self.module == module)
    }

    fn is_on(&self, machine: &str) -> bool {
        self.on.is_empty() || self.on.iter().any(|on| means(on, machine))
    }

    /// That of a module on a machine, by its label.
    pub fn find(set: &str, module: &str, machine: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.is_of(set, module) && known.is_on(machine))
    }
}

/// Is the machine with this label `on`: that machine, or any with that kernel?
fn means(on: &str, machine: &str) -> bool {
    machine == on || machine.split(' ').next() == Some(on)
}

/// Those that no pair needs which they are about, and where: they have been mended, or the case is gone. Of a kernel that was
/// not heard nothing is known.
pub fn stale(table: &Table, machines: &[Machine]) -> Vec<(&'static Known, &'static str)> {
    let is_stale = |(known, on): &(&'static Known, &'static str)| {
        let is_meant = |machine: usize| on.is_empty() || means(on, &machines[machine].label);
        let of_rows = table.rows.iter().filter(|((set, module, _), _)| known.is_of(set, module));
        let cells = of_rows.flat_map(|(_, cells)| cells).filter(|(machine, _)| is_meant(**machine));
        let mut heard = cells.map(|(_, cell)| cell).filter(|cell| cell.word.unheard.is_none()).peekable();
        heard.peek().is_some() && !heard.any(|cell| cell.known.is_some_and(|k| std::ptr::eq(k, *known)))
    };
    let each = |known: &'static Known| {
        let on = if known.on.is_empty() { &[""] } else { known.on };
        on.iter().map(move |on| (known, *on))
    };
    KNOWN.iter().flat_map(each).filter(is_stale).collect()
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
