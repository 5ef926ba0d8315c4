// SPDX-License-Identifier: LGPL-2.1-or-later
//! The rules of the loader.

use std::fmt;

/// What a module is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Not known: the module, or what it depends on, could not be read.
    Unread,
    /// Not a module at all.
    Malformed,
    /// Other class, byte order or machine.
    Architecture,
    /// The flags of vermagic differ, or, without versions, any of it.
    Vermagic,
    /// Other size of `struct module`.
    StructSize,
    /// The kernel takes signed modules only, or cannot read the signature.
    Signature,
    /// The module has no versions at all.
    NoVersion,
    /// Other version of `module_layout`.
    ModuleLayout,
    /// Nobody exports a symbol.
    UnknownSymbol,
    /// It is not known whether or with which version the kernel exports a symbol.
    UnknownCrc,
    /// A symbol has another version.
    Crc,
    /// A symbol is for GPL-compatible modules only.
    License,
    /// A symbol's namespace is not imported.
    Namespace,
    /// Another module, or the kernel, exports the same symbol.
    DuplicateExport,
    /// It needs a module that does not fit.
    Depends,
    /// It loads, but is not linked, because an in-tree module would then no longer load.
    Breaks,
}

impl Rule {
    /// The name in `--json` and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Unread => "unread",
            Rule::Malformed => "malformed",
            Rule::Architecture => "architecture",
            Rule::Vermagic => "vermagic",
            Rule::StructSize => "struct-size",
            Rule::Signature => "signature",
            Rule::NoVersion => "no-version",
            Rule::ModuleLayout => "module-layout",
            Rule::UnknownSymbol => "unknown-symbol",
            Rule::UnknownCrc => "unknown-crc",
            Rule::Crc => "crc",
            Rule::License => "license",
            Rule::Namespace => "namespace",
            Rule::DuplicateExport => "duplicate-export",
            Rule::Depends => "depends",
            Rule::Breaks => "breaks",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
