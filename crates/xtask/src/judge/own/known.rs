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
    deliberate("elf-symtab-odd-size", &[], "no linker writes a part of a symbol", "exactly one symbol table"),
    deliberate(
        "relocation-unsigned-32-overflows",
        OLDEST,
        "whether it overflows depends on where the module is put",
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
        ENFORCING,
        "whether a kernel knows a key is said in a warning",
        "the key is known where signatures are enforced",
    ),
];

/// The kernels before 6.14, which check less of a file.
const OLDER: &[&str] = &["strict", "old", "unversioned", "lenient", "types", "mismatch"];

/// The kernels before 6.12.
const OLDEST: &[&str] = &["strict", "old"];

/// Those that check signatures.
const SIGNED: &[&str] = &["enforced", "lenient"];

/// Those that take signed modules only.
const ENFORCING: &[&str] = &["enforced", "lenient module.sig_enforce=1", "lenient lockdown=integrity"];

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
    fn is_of(&self, set: &str, module: &str, machine: &str) -> bool {
        let variant = machine.split(' ').next().unwrap_or_default();
        let of_set = match self.set.split_once('*') {
            Some((start, end)) => set.starts_with(start) && set.ends_with(end),
            None => set == self.set,
        };
        of_set
            && (self.module.is_empty() || self.module == module)
            && (self.on.is_empty() || self.on.contains(&machine) || self.on.contains(&variant))
    }

    /// That of a module on a machine, by its label.
    pub fn find(set: &str, module: &str, machine: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|known| known.is_of(set, module, machine))
    }
}

/// Those that no pair needs which they are about: they have been mended, or the case is gone.
pub fn stale(table: &Table, machines: &[Machine]) -> Vec<&'static Known> {
    let is_stale = |known: &&Known| {
        let mut about = table
            .rows
            .iter()
            .flat_map(|((set, module, _), cells)| {
                cells
                    .iter()
                    .filter(|(i, _)| known.is_of(set, module, &machines[**i].label))
                    .map(|(_, cell)| cell)
            })
            .peekable();
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
