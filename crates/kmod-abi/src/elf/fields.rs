// SPDX-License-Identifier: LGPL-2.1-or-later
//! The fields that relocations are put into, and what kernels make sure of: of each type only what every kernel that knows the
//! type refuses. On x86-64 distances are not looked at: what does not fit is cut off.

use object::elf;

/// What a type of relocation is put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// The distance between the symbol and the place, and not the symbol's address?
    pub is_relative: bool,
    /// How many bits of it are there, with those at the end that are left out.
    pub bits: u32,
    is_signed: bool,
    /// How many bits at the end have to be zero.
    zeros: u32,
}

const fn unsigned(bits: u32) -> Field {
    Field { is_relative: false, bits, is_signed: false, zeros: 0 }
}

const fn signed(bits: u32) -> Field {
    Field { is_signed: true, ..unsigned(bits) }
}

const fn distance(bits: u32, zeros: u32) -> Field {
    Field { is_relative: true, zeros, ..signed(bits) }
}

impl Field {
    /// That of a type; `None`: kernels take whatever comes, or what comes is not known.
    pub(super) fn of(machine: elf::Machine, kind: u32) -> Option<Self> {
        Some(match (machine, kind) {
            (elf::EM_X86_64, 10) => unsigned(32),                  // 32
            (elf::EM_X86_64, 11) => signed(32),                    // 32S
            (elf::EM_AARCH64, 258 | 265) => unsigned(32),          // ABS32, MOVW_UABS_G1
            (elf::EM_AARCH64, 259 | 263) => unsigned(16),          // ABS16, MOVW_UABS_G0
            (elf::EM_AARCH64, 267) => unsigned(48),                // MOVW_UABS_G2
            (elf::EM_AARCH64, 261) => distance(32, 0),             // PREL32
            (elf::EM_AARCH64, 262 | 279) => distance(16, 0),       // PREL16, TSTBR14
            (elf::EM_AARCH64, 273 | 274 | 280) => distance(21, 0), // LD_PREL_LO19, ADR_PREL_LO21, CONDBR19
            (elf::EM_S390, 1) => unsigned(8),                      // 8
            (elf::EM_S390, 2) => unsigned(12),                     // 12
            (elf::EM_S390, 3) => unsigned(16),                     // 16
            (elf::EM_S390, 4) => unsigned(32),                     // 32
            (elf::EM_S390, 57) => signed(20),                      // 20
            (elf::EM_S390, 5) => distance(32, 0),                  // PC32
            (elf::EM_S390, 16) => distance(16, 0),                 // PC16
            (elf::EM_S390, 17) => distance(17, 1),                 // PC16DBL
            (elf::EM_S390, 19) => distance(33, 1),                 // PC32DBL
            (elf::EM_RISCV, 1) => unsigned(32),                    // 32
            _ => return None,
        })
    }

    /// Does no value from `low` to `high` fit?
    pub(super) fn takes_none_of(self, low: i128, high: i128) -> bool {
        let (least, most) = match self.is_signed {
            true => (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1),
            false => (0, (1 << self.bits) - 1),
        };
        let is_odd = low == high && low & ((1 << self.zeros) - 1) != 0;
        high < least || low > most || is_odd
    }
}

/// Where the addresses of modules are, as signed numbers; `None`: that depends on the machine's memory.
pub(super) fn of_modules(machine: u16) -> Option<(i128, i128)> {
    match elf::Machine(machine) {
        // In the last 2 GiB.
        elf::EM_X86_64 => Some((-(1 << 31), -1)),
        // In the upper half, and not at its end.
        elf::EM_AARCH64 => Some((-(1 << 56), -(1 << 33))),
        elf::EM_RISCV => Some((-(1 << 56), -1)),
        _ => None,
    }
}

/// Where what kernel and modules export is, or a weak symbol that nobody exports.
pub(super) fn of_exports(machine: u16) -> Option<(i128, i128)> {
    match elf::Machine(machine) {
        // Per-cpu data begins at 0.
        elf::EM_X86_64 => Some((-(1 << 31), (1 << 31) - 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_nowhere_is_told_from_what_might() {
        let field = Field::of(elf::EM_X86_64, 10).unwrap();
        let (low, high) = of_modules(62).unwrap();
        assert!(field.takes_none_of(low, high) && !field.takes_none_of(low + (1 << 31), high + (1 << 31)));
        assert!(!Field::of(elf::EM_X86_64, 11).unwrap().takes_none_of(low, high));
        assert!(field.takes_none_of(1 << 32, 1 << 32) && !field.takes_none_of((1 << 32) - 1, 1 << 40));
        assert_eq!((Field::of(elf::EM_X86_64, 2), Field::of(elf::EM_PPC64, 1)), (None, None));
        let branch = Field::of(elf::EM_S390, 17).unwrap();
        let fits = |value| !branch.takes_none_of(value, value);
        assert!(fits(0xfffe) && fits(-0x1_0000) && !fits(0x1_0000) && !fits(-0x1_0002) && !fits(3));
        let near = Field::of(elf::EM_AARCH64, 279).unwrap();
        assert!(!near.takes_none_of(3, 3) && near.takes_none_of(0x8000, 0x8000));
    }
}
