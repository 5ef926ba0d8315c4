// SPDX-License-Identifier: LGPL-2.1-or-later
//! The machines a module can be written for.

use object::elf;
use object::{Architecture, Endianness};

/// A machine: decides class, byte order, `e_machine` and relocation types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Arch {
    /// 64-bit, little endian.
    #[default]
    X86_64,
    /// 64-bit, little endian.
    Aarch64,
    /// 64-bit, little endian, ELFv2.
    Ppc64le,
    /// 64-bit, big endian.
    S390x,
    /// 32-bit, little endian.
    I386,
    /// 32-bit, big endian.
    Ppc32,
}

impl Arch {
    /// All of them, for tests that loop.
    pub const ALL: [Self; 6] =
        [Self::X86_64, Self::Aarch64, Self::Ppc64le, Self::S390x, Self::I386, Self::Ppc32];

    /// The name rpm has for it.
    pub fn rpm_name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::Ppc64le => "ppc64le",
            Self::S390x => "s390x",
            Self::I386 => "i586",
            Self::Ppc32 => "ppc",
        }
    }

    /// Whether `unsigned long` has eight bytes.
    pub fn is_64(self) -> bool {
        !matches!(self, Self::I386 | Self::Ppc32)
    }

    /// Whether the most significant byte comes first.
    pub fn is_big_endian(self) -> bool {
        matches!(self, Self::S390x | Self::Ppc32)
    }

    /// The size of `unsigned long`.
    pub fn long_size(self) -> usize {
        if self.is_64() { 8 } else { 4 }
    }

    /// `value` as a u32 in this machine's byte order.
    pub(crate) fn u32(self, value: u32) -> [u8; 4] {
        if self.is_big_endian() { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// `value` as an unsigned long in this machine's width and byte order.
    pub(crate) fn long(self, value: u32) -> Vec<u8> {
        match (self.is_64(), self.is_big_endian()) {
            (false, _) => self.u32(value).to_vec(),
            (true, true) => u64::from(value).to_be_bytes().to_vec(),
            (true, false) => u64::from(value).to_le_bytes().to_vec(),
        }
    }

    pub(crate) fn object(self) -> (Architecture, Endianness) {
        let architecture = match self {
            Self::X86_64 => Architecture::X86_64,
            Self::Aarch64 => Architecture::Aarch64,
            Self::Ppc64le => Architecture::PowerPc64,
            Self::S390x => Architecture::S390x,
            Self::I386 => Architecture::I386,
            Self::Ppc32 => Architecture::PowerPc,
        };
        (architecture, if self.is_big_endian() { Endianness::Big } else { Endianness::Little })
    }

    /// `e_flags`: the ABI version on ppc64le.
    pub(crate) fn elf_flags(self) -> elf::FileFlags {
        elf::FileFlags(if self == Self::Ppc64le { 2 } else { 0 })
    }

    /// The relocation of a `__ksymtab` field: place-relative on 64-bit, absolute on 32-bit machines.
    pub(crate) fn ksymtab_relocation(self) -> elf::RelocationType {
        match self {
            Self::X86_64 => elf::R_X86_64_PC32,
            Self::Aarch64 => elf::R_AARCH64_PREL32,
            Self::Ppc64le => elf::R_PPC64_REL32,
            Self::S390x => elf::R_390_PC32,
            Self::I386 => elf::R_386_32,
            Self::Ppc32 => elf::R_PPC_ADDR32,
        }
    }
}
