// SPDX-License-Identifier: LGPL-2.1-or-later
//! The machine that a module or a kernel is for.

use std::fmt;

use object::elf;

/// What a module must share with a kernel before anything else is looked at: class, byte order and
/// machine of the ELF header (`elf_check_arch` and the header checks of `kernel/module/main.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arch {
    /// 64-bit class.
    pub is_64: bool,
    /// Most significant byte first.
    pub big_endian: bool,
    /// `e_machine`, for example 62 for x86-64.
    pub machine: u16,
    /// The version of the ABI where a machine has several that loaders tell apart: of ppc64 1 or 2 (`module_elf_check_arch`);
    /// 0 for others.
    pub abi: u8,
}

impl Arch {
    /// Does this architecture's loader strip a leading `.` of symbol names (`dedotify` in
    /// `arch/powerpc/kernel/module_64.c`)?
    pub(crate) fn dots_names(self) -> bool {
        self.machine == elf::EM_PPC64.0
    }

    /// Undefined symbols that this architecture's loader makes up itself.
    ///
    /// x86: `ignore_undef_symbol` (`kernel/module/main.c`); s390: `module_frob_arch_sections`;
    /// ppc64: `.TOC.` in `dedotify`.
    pub(crate) fn is_made_up(self, symbol: &[u8]) -> bool {
        match elf::Machine(self.machine) {
            elf::EM_386 | elf::EM_X86_64 | elf::EM_S390 => symbol == b"_GLOBAL_OFFSET_TABLE_",
            elf::EM_PPC64 => symbol == b"TOC." || symbol == b".TOC.",
            _ => false,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match (elf::Machine(self.machine), self.big_endian) {
            (elf::EM_X86_64, _) => "x86_64",
            (elf::EM_386, _) => "i386",
            (elf::EM_AARCH64, false) => "aarch64",
            (elf::EM_ARM, false) => "arm",
            (elf::EM_PPC64, false) if self.abi == 2 => "ppc64le",
            (elf::EM_PPC64, true) if self.abi == 1 => "ppc64",
            (elf::EM_PPC64, false) => return write!(f, "ppc64le (ABI version {})", self.abi),
            (elf::EM_PPC64, true) => return write!(f, "ppc64 (ABI version {})", self.abi),
            (elf::EM_PPC, true) => "ppc",
            (elf::EM_S390, _) => "s390x",
            (elf::EM_RISCV, false) => "riscv",
            (elf::EM_LOONGARCH, false) => "loongarch",
            _ => {
                let bits = if self.is_64 { 64 } else { 32 };
                return write!(f, "ELF machine {} ({bits}-bit)", self.machine);
            }
        };
        f.write_str(name)
    }
}
