// SPDX-License-Identifier: LGPL-2.1-or-later
//! The rules: one row each. `docs/loader-rules.md` has the same rows, and the checks of the loader that are none of these.
//! The check itself goes into the file of its family beside this one.

use std::fmt;

use crate::feature::{Feature, Release};

/// The facts about a rule, see [`Rule::row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name in JSON documents and tables. It never changes.
    pub name: &'static str,
    /// Who finds that the rule is broken.
    pub kind: Kind,
    /// The function of the kernel that checks it; empty where no one function does.
    pub function: &'static str,
    /// The file that the function is in, as Linux has it since 5.19; before, most were in `kernel/module.c`.
    pub file: &'static str,
    /// The first release of Linux with this check. `None`: every release that module packages are built for.
    pub first: Option<Release>,
    /// The last release with this check. `None`: those of today have it.
    pub last: Option<Release>,
    /// The configuration that switches it, and how; empty where none does.
    pub switch: &'static str,
    /// Whether the module may comply with it beside another set of modules.
    pub settled: Settled,
    /// What the rule asks for, in words for people: a clause that begins with a small letter and has no full stop.
    pub words: &'static str,
}

/// Who finds that a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The kernel's loader, which refuses the module.
    Loader,
    /// The loader, because another module is refused that this one needs.
    OtherModule,
    /// Nobody: what would have to be known is not known.
    Unknown,
    /// Not the loader, which takes the module: it is not to be linked for what it does to others.
    Policy,
}

/// When a module that breaks a rule beside some modules may keep it beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Never: it lies in the module and the kernel alone.
    Never,
    /// Always possible: it is the other modules that break it.
    ByOthers,
    /// Where another module exports the symbol, or takes the exporter's place.
    BySymbol,
    /// The same, but for what the kernel image exports: that is there in any case.
    ByExporter,
    /// The same; and of a module with a free licence always, as it is shut out for what it inherits from others.
    ByLicence,
}

/// Makes the enum, the list of all and the rows of one table, so that there is no rule without a row.
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident => $row:expr;)+) => {
        /// What a module is refused for.
        ///
        /// In the order of the loader: what comes first hides what comes later there, though not in a [`Verdict`](super::Verdict).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Rule] = &[$(Rule::$rule,)+];

            /// What is known of it.
            pub const fn row(self) -> Row {
                match self {
                    $(Rule::$rule => $row,)+
                }
            }
        }
    };
}

/// A row of a check that every kernel makes, and that no configuration switches.
const fn row(name: &'static str, kind: Kind, settled: Settled, words: &'static str) -> Row {
    Row { name, kind, function: "", file: "", first: None, last: None, switch: "", settled, words }
}

const MAIN: &str = "kernel/module/main.c";
const VERSION: &str = "kernel/module/version.c";
const SIGNING: &str = "kernel/module/signing.c";

rules! {
    /// Not known: the module, or what it depends on, could not be read.
    Unread => row("unread", Kind::Unknown, Settled::Never, "the module, and what it needs, can be read");
    /// Not a module at all.
    Malformed => Row {
        function: "elf_validity_cache_copy",
        file: MAIN,
        switch: "CONFIG_STRICT_MODULE_RWX=y takes no writable code, CONFIG_LIVEPATCH=n no live patch",
        ..row("malformed", Kind::Loader, Settled::Never, "the file is a module of sound sections, tables, relocations and symbols")
    };
    /// Other class, byte order or machine.
    Architecture => Row {
        function: "elf_check_arch",
        file: MAIN,
        ..row("architecture", Kind::Loader, Settled::Never, "the module is built for the kernel's machine")
    };
    /// The flags of vermagic differ, or, without versions, any of it.
    Vermagic => Row {
        function: "check_modinfo",
        file: MAIN,
        switch: "CONFIG_MODULE_FORCE_LOAD=y takes a module without vermagic, \
                 CONFIG_MODVERSIONS=n compares the release, too",
        ..row(
            "vermagic",
            Kind::Loader,
            Settled::Never,
            "vermagic is the kernel's; of a module with versions, all that follows the release",
        )
    };
    /// Other size of `struct module`.
    StructSize => Row {
        function: "elf_validity_cache_index_mod",
        file: MAIN,
        first: Some(Feature::StructSize.first_release()),
        ..row("struct-size", Kind::Loader, Settled::Never, "struct module has the kernel's size")
    };
    /// The kernel takes signed modules only, or cannot read the signature.
    Signature => Row {
        function: "module_sig_check",
        file: SIGNING,
        switch: "CONFIG_MODULE_SIG=y reads signatures, CONFIG_MODULE_SIG_FORCE=y wants one, as lockdown does",
        ..row("signature", Kind::Loader, Settled::Never, "the signature can be read, and is there where the kernel wants one")
    };
    /// The module has no versions at all.
    NoVersion => Row {
        function: "check_version",
        file: VERSION,
        switch: "CONFIG_MODVERSIONS=y checks it, CONFIG_MODULE_FORCE_LOAD=y lifts it",
        ..row("no-version", Kind::Loader, Settled::Never, "the module has versions of the symbols that it uses")
    };
    /// Other version of `module_layout`.
    ModuleLayout => Row {
        function: "check_modstruct_version",
        file: VERSION,
        switch: "CONFIG_MODVERSIONS=y checks it",
        ..row("module-layout", Kind::Loader, Settled::Never, "struct module is laid out as in the kernel")
    };
    /// Exports lack the flags or the versions that the kernel wants with them.
    ExportForm => Row {
        function: "check_export_symbol_sections",
        file: MAIN,
        switch: "CONFIG_MODVERSIONS=y wants versions, CONFIG_MODULE_FORCE_LOAD=y does without; flags are wanted since 7.1",
        ..row("export-form", Kind::Loader, Settled::Never, "exports come with the tables of flags and versions that the kernel reads")
    };
    /// A module of the same name is built into the kernel.
    BuiltIn => Row {
        function: "mod_sysfs_init",
        file: "kernel/module/sysfs.c",
        ..row("built-in", Kind::Loader, Settled::Never, "no module of the same name is built into the kernel: modprobe loads nothing then")
    };
    /// Nobody exports a symbol.
    UnknownSymbol => Row {
        function: "simplify_symbols",
        file: MAIN,
        ..row("unknown-symbol", Kind::Loader, Settled::BySymbol, "the kernel or another module exports each symbol that is used")
    };
    /// It is not known whether or with which version the kernel exports a symbol.
    UnknownCrc => row("unknown-crc", Kind::Unknown, Settled::BySymbol, "it is known with which version each symbol is exported");
    /// A symbol has another version.
    Crc => Row {
        function: "check_version",
        file: VERSION,
        switch: "CONFIG_MODVERSIONS=y checks it",
        ..row("crc", Kind::Loader, Settled::ByExporter, "each symbol has the version (CRC) that the module was built with")
    };
    /// A symbol is for GPL-compatible modules only.
    License => Row {
        function: "find_symbol, inherit_taint",
        file: MAIN,
        ..row(
            "license",
            Kind::Loader,
            Settled::ByLicence,
            "GPL-only symbols are used by modules with a GPL-compatible licence, which use no proprietary module's symbols",
        )
    };
    /// A symbol's namespace is not imported.
    Namespace => Row {
        function: "verify_namespace_is_imported",
        file: MAIN,
        first: Some(Release::new(5, 4)),
        switch: "CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y makes it a warning",
        ..row("namespace", Kind::Loader, Settled::ByExporter, "the namespace of each symbol is imported")
    };
    /// Another module, or the kernel, exports the same symbol.
    DuplicateExport => Row {
        function: "verify_exported_symbols",
        file: MAIN,
        ..row("duplicate-export", Kind::Loader, Settled::ByExporter, "nobody who is loaded exports a symbol that the module exports")
    };
    /// Its BTF is for another kernel's.
    Btf => Row {
        function: "btf_module_notify",
        file: "kernel/bpf/btf.c",
        first: Some(Release::new(5, 11)),
        switch: "CONFIG_DEBUG_INFO_BTF_MODULES=y checks it, CONFIG_MODULE_ALLOW_BTF_MISMATCH=y lifts it",
        ..row("btf", Kind::Loader, Settled::Never, "types for BPF programs (.BTF) go on where the kernel's end, or are not there")
    };
    /// Its distributor does not support it, and the kernel takes no such modules.
    Support => Row {
        function: "mod_sysfs_setup",
        file: "kernel/module/sysfs.c",
        switch: "CONFIG_SUSE_KERNEL_SUPPORTED=y (SUSE) with unsupported=0 on the command line checks it",
        ..row("support", Kind::Loader, Settled::Never, "the distributor supports the module, where the kernel takes no other (unsupported=0)")
    };
    /// It needs a module that needs it.
    Cycle => Row {
        function: "resolve_symbol",
        file: MAIN,
        ..row("cycle", Kind::Loader, Settled::ByOthers, "no module that it needs, by way of others or not, needs it in turn; depmod writes no index then")
    };
    /// It needs a module that does not fit.
    Depends => Row {
        function: "resolve_symbol",
        file: MAIN,
        ..row("depends", Kind::OtherModule, Settled::ByOthers, "each module that it needs loads")
    };
    /// It loads, but is not linked, because an in-tree module would then no longer load.
    Breaks => row("breaks", Kind::Policy, Settled::ByOthers, "every in-tree module that could be loaded without it still can be");
}

impl Rule {
    /// The name in `--json` and in tables.
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// Who finds that it is broken.
    pub const fn kind(self) -> Kind {
        self.row().kind
    }

    /// Does it take a change of the module's source to comply, and not only a build for the kernel?
    pub const fn needs_source(self) -> bool {
        matches!(self, Self::UnknownSymbol | Self::License | Self::Namespace | Self::DuplicateExport)
    }

    /// Where its row in `docs/loader-rules.md` is: the part of a link after `#`.
    pub fn anchor(self) -> String {
        format!("rule-{}", self.as_str())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
