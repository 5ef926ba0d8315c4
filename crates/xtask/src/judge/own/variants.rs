// SPDX-License-Identifier: LGPL-2.1-or-later
//! The small kernels that are built, each for what its loader does differently.

/// A kernel: a Debian suite's newest source, and a configuration.
#[derive(Debug)]
pub struct Variant {
    /// Part of its release.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The suite that the source is from.
    pub suite: &'static str,
    /// Is the suite another one each day, so that it may fail for no fault of ours?
    pub moves: bool,
    /// What is set besides [`BASE`].
    pub options: &'static [&'static str],
    /// Command lines with which it is booted besides the plain one, a parameter each.
    pub boots: &'static [&'static str],
    /// Is it one of those that each run of the tests takes?
    pub in_tests: bool,
}

/// All of them.
pub const VARIANTS: &[Variant] = &[
    Variant {
        in_tests: true,
        ..stable(
            "strict",
            "bookworm",
            "versions of symbols, and nothing that lifts a check",
            &["MODVERSIONS=y"],
        )
    },
    Variant {
        name: "enforced",
        about: "the newest series: signatures enforced, versions in both forms",
        suite: "testing",
        moves: true,
        options: &[
            "SMP=y",
            "MODVERSIONS=y",
            "EXTENDED_MODVERSIONS=y",
            "BASIC_MODVERSIONS=y",
            "MODULE_SIG=y",
            "MODULE_SIG_FORCE=y",
            "MODULE_SIG_ALL=y",
            "MODULE_SIG_SHA256=y",
        ],
        boots: &[],
        in_tests: true,
    },
    stable("old", "bullseye", "an old series, with versions of symbols", &["MODVERSIONS=y"]),
    stable(
        "unversioned",
        "trixie",
        "no versions of symbols, and live patches",
        &["SMP=y", "FTRACE=y", "FUNCTION_TRACER=y", "DYNAMIC_FTRACE=y", "KALLSYMS_ALL=y", "LIVEPATCH=y"],
    ),
    Variant {
        boots: &["module.sig_enforce=1", "lockdown=integrity"],
        ..stable(
            "lenient",
            "trixie",
            "signatures are read and not wanted, versions may be missing, and namespaces need no import",
            &[
                "MODVERSIONS=y",
                "MODULE_FORCE_LOAD=y",
                "MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y",
                "MODULE_SIG=y",
                "MODULE_SIG_ALL=y",
                "MODULE_SIG_SHA256=y",
                "SECURITY=y",
                "SECURITY_LOCKDOWN_LSM=y",
            ],
        )
    },
    stable(
        "types",
        "trixie",
        "BTF has to match",
        &["BPF_SYSCALL=y", "DEBUG_INFO_DWARF4=y", "DEBUG_INFO_BTF=y", "DEBUG_INFO_BTF_MODULES=y"],
    ),
    stable(
        "mismatch",
        "trixie",
        "BTF that does not match is taken",
        &[
            "BPF_SYSCALL=y",
            "DEBUG_INFO_DWARF4=y",
            "DEBUG_INFO_BTF=y",
            "DEBUG_INFO_BTF_MODULES=y",
            "MODULE_ALLOW_BTF_MISMATCH=y",
        ],
    ),
    stable(
        "trimmed",
        "trixie",
        "what no module of its own uses is not exported, but for a list",
        &["MODVERSIONS=y", "TRIM_UNUSED_KSYMS=y", "UNUSED_KSYMS_WHITELIST=\"kept-symbols\""],
    ),
    Variant {
        moves: true,
        ..stable(
            "next",
            "trixie-backports",
            "the newest series that was released: versions in the extended form only",
            &["MODVERSIONS=y", "EXTENDED_MODVERSIONS=y"],
        )
    },
];

const fn stable(
    name: &'static str,
    suite: &'static str,
    about: &'static str,
    options: &'static [&'static str],
) -> Variant {
    Variant { name, about, suite, moves: false, options, boots: &[], in_tests: false }
}

/// What each of them has: the least with which it boots to a program of ours, with modules and a serial console. What a
/// series does not know is passed over.
pub const BASE: &[&str] = &[
    "64BIT=y",
    "EXPERT=y",
    "CC_OPTIMIZE_FOR_SIZE=y",
    "KERNEL_GZIP=y",
    "BLK_DEV_INITRD=y",
    "BINFMT_ELF=y",
    "PRINTK=y",
    "MULTIUSER=y",
    "TTY=y",
    "SERIAL_8250=y",
    "SERIAL_8250_CONSOLE=y",
    "PROC_FS=y",
    "SYSFS=y",
    "DEVTMPFS=y",
    "KALLSYMS=y",
    "PANIC_ON_OOPS=y",
    "MODULES=y",
    "MODULE_UNLOAD=y",
    // An exporter in the kernel's own tree, and two users of it.
    "NLS=m",
    "NLS_ASCII=m",
    "NLS_UTF8=m",
    // Less to compile.
    "UNWINDER_FRAME_POINTER=y",
    "PROCESSOR_SELECT=y",
    "INIT_STACK_NONE=y",
    "LEGACY_VSYSCALL_NONE=y",
    "SLUB_TINY=y",
    "IO_DELAY_NONE=y",
];

impl Variant {
    /// What it exports besides what its own modules use, if it exports no more: what nearly all of our modules use.
    pub fn kept_symbols(&self) -> Option<&'static str> {
        self.options.contains(&"TRIM_UNUSED_KSYMS=y").then_some(
            "_printk\nkfree\nkmalloc_caches\n__kmalloc_cache_noprof\n__kmalloc_noprof\nparam_ops_int\n",
        )
    }

    /// What is given to the kernel's configuration.
    pub fn fragment(&self) -> String {
        let extended = self.options.contains(&"EXTENDED_MODVERSIONS=y");
        let basic = self.options.contains(&"BASIC_MODVERSIONS=y");
        // It is on unless it is said to be off.
        let no_basic = (extended && !basic).then_some(&"BASIC_MODVERSIONS=n");
        let options =
            BASE.iter().chain(no_basic).chain(self.options).map(|option| format!("CONFIG_{option}\n"));
        options.chain([format!("CONFIG_LOCALVERSION=\"-{}\"\n", self.name)]).collect()
    }
}
