# SPDX-License-Identifier: LGPL-2.1-or-later
# Made of the library's sources by `cargo xtask header`: change it there.
"""libkmp's numbers, structs and functions, for ctypes. kmp.h says more about each."""

from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from enum import IntEnum, IntFlag


class Number(IntEnum):
    """A number of the library's. Later versions may return some that have no name here."""

    @classmethod
    def _missing_(cls, value):
        if not isinstance(value, int):
            return None
        number = int.__new__(cls, value)
        number._name_ = "UNKNOWN_{}".format(value)
        number._value_ = value
        return number


class Code(Number):
    """Error codes, in blocks: 1..99 the call itself, 100..199 files, 200..299 rpm, 300..399 kernels and drivers,
    400..499 changing links, 900..999 internal faults of libkmp. A number is never reused for something else."""

    OK = 0  # success
    E_ARGUMENT = 1  # a null pointer, unknown flag or word, text that is not UTF-8
    E_SIZE = 2  # a struct's size is too small, or it uses members that this version does not know
    E_INDEX = 3  # there is no finding or reason with that number
    E_SPENT = 4  # the transaction was judged already
    E_ROOT = 100  # the root cannot be opened
    E_FILE = 101  # a named file is not there or cannot be read
    E_UNREAD = 102  # something below the root that is needed for a verdict could not be read
    E_DIALECT = 103  # the distribution is neither of SUSE's nor of Red Hat's family, and kmp.conf does not set a dialect
    E_RPM = 200  # no librpm can be used in this process
    E_DATABASE = 201  # the rpm database could not be read
    E_PACKAGE = 202  # a package file cannot be read, or is damaged
    E_NO_KERNEL = 300  # no kernel, or none of that release
    E_NO_KMP = 301  # no package of that name owns third-party modules
    E_SYMVERS = 302  # the bytes are not a symvers file
    E_LOCK = 400  # the lock file cannot be created
    E_BUSY = 401  # another run holds the lock, and KMP_NO_WAIT was set
    E_INTERNAL = 900  # an internal fault of libkmp; the handle can only be freed from now on


class OpenFlag(IntFlag):
    """Flags of kmp_open()."""

    GUEST = 1  # for a plugin of a program that has librpm: use that one, load none, do not change its settings


class SyncFlag(IntFlag):
    """Flags of kmp_sync()."""

    DRY_RUN = 1  # change nothing, write nothing, only report
    NO_DEPMOD = 2  # change links; the caller runs depmod
    NO_WAIT = 4  # do not wait for another run of kmp


class Dependency(Structure):
    """A capability. This struct does not grow."""

    _fields_ = [
        ("name", c_char_p),  # such as "ksym(default:printk)"; must not be NULL
        ("evr", c_char_p),  # `[epoch:]version[-release]`; NULL or "" if none
    ]


class Package(Structure):
    """A package that is being installed. Set size, and set unused members to zero."""

    _fields_ = [
        ("size", c_size_t),  # set by the caller
        ("name", c_char_p),  # must not be NULL
        ("epoch", c_int64),  # -1: none
        ("version", c_char_p),  # must not be NULL
        ("release", c_char_p),  # must not be NULL
        ("arch", c_char_p),  # may be NULL
        ("provides", POINTER(Dependency)),  # its Provides
        ("provides_count", c_size_t),  # how many
        ("requires_", POINTER(Dependency)),  # its Requires (`requires` is a keyword of C++)
        ("requires_count", c_size_t),  # how many
        ("files", POINTER(c_char_p)),  # absolute paths; those for which kmp_concerns() returns 0 may be left out
        ("files_count", c_size_t),  # how many
    ]


class Removal(Number):
    """How a package is removed."""

    ERASED = 0  # it is erased, by request or by decision of the package manager
    REPLACED = 1  # another package replaces it (an update, a downgrade, an obsoletes)
    NAMED = 2  # it is erased, and the user has named it


class Kind(Number):
    """Kinds of findings, and the states that each may have."""

    MODULE = 1  # a module's verdict for a kernel: KMP_COMPATIBLE, KMP_REFUSED, KMP_UNREAD
    CHANGE = 2  # what became of a package's links in a kernel: KMP_ADDED ... KMP_DANGLING, KMP_FAILED
    DEPMOD = 3  # depmod: KMP_DONE, KMP_DUE, KMP_FAILED
    NOT_LINKED = 4  # a KMP that is not linked into a kernel of its flavour: KMP_REFUSED, KMP_BREAKS, KMP_CLASH, KMP_BROKEN
    LOST = 5  # a driver that a kernel would be without: KMP_NEW_KERNEL, KMP_OLD_KERNEL, KMP_HAS_ITSELF
    PROBLEM = 6  # something was ignored: KMP_NONE; or could not be read and is unknown: KMP_FAILED
    INITRD = 7  # a new initrd is needed: KMP_DONE requested, KMP_DUE, KMP_FAILED
    MESSAGE = 8  # a line of the message to the user about a transaction: KMP_NONE
    KERNEL = 9  # an installed kernel: KMP_RUNNING, KMP_NONE; of kmp_plan() one that is concerned: KMP_NEW_KERNEL, KMP_OLD_KERNEL
    DRIVER = 10  # how an installed KMP stands in a kernel of its flavour: KMP_NATIVE ... KMP_BROKEN, KMP_REFUSED, KMP_BREAKS, KMP_UNREAD
    SYMBOL = 11  # a symbol that a module needs, with one reason: KMP_COMPATIBLE, KMP_REFUSED, KMP_UNREAD
    PROSPECT = 12  # what becomes of a driver in a kernel: KMP_STAYS ... KMP_GOES, KMP_REFUSED, KMP_BREAKS, KMP_UNREAD


class State(Number):
    """States of findings."""

    NONE = 0  # the kind has no state
    COMPATIBLE = 1  # the kernel would load it
    REFUSED = 2  # the kernel would refuse it
    UNREAD = 3  # something could not be read, so it is not known whether it is compatible
    BREAKS = 4  # the kernel would load it, but in-tree modules no longer: it is not linked for that
    ADDED = 10  # its links were made
    REPLACED = 11  # the links now lead to another version
    REMOVED = 12  # its links were removed
    REPAIRED = 13  # missing or wrong links were corrected
    DANGLING = 14  # a dangling link was removed
    DONE = 20  # depmod ran, an initrd was requested
    DUE = 21  # depmod has to run (a dry run, KMP_NO_DEPMOD), an initrd has to be requested
    FAILED = 22  # it could not be done; the finding's text says why
    NEW_KERNEL = 30  # the kernel comes with the transaction
    OLD_KERNEL = 31  # the kernel stays
    HAS_ITSELF = 32  # the kernel comes with the transaction, and has modules of its own for the same devices
    NATIVE = 40  # built for this kernel, in its own directory, and loads
    LINKED = 41  # built for another kernel, loads in this one, and is linked
    UNLINKED = 42  # would load, but not all of its links are there
    UNUSED = 43  # another build of the same driver is used in this kernel
    DECLINED = 44  # not to be linked into this kernel, as kmp.conf or its package says
    CLASH = 45  # not linked: a module of that name is there already
    BROKEN = 46  # a module of its package is missing or is no valid module
    RUNNING = 50  # the kernel runs now
    STAYS = 60  # it is installed, stays so, and works
    COMES = 61  # it comes with the transaction, and works
    GOES = 62  # it is erased, as asked for


class Policy(Number):
    """Policies."""

    NONE = 0  # nothing is lost
    ABORT = 1  # stop the transaction
    WARN = 2  # print a warning and continue


class Verdict(Number):
    """Verdicts of a report as a whole."""

    GOOD = 0  # all is well
    WARN = 1  # something to report
    ABORT = 2  # something failed, or the transaction is to be stopped


class Finding(Structure):
    """A finding. Strings that do not apply are NULL. Strings belong to the report: do not free them."""

    _fields_ = [
        ("size", c_size_t),  # set by the caller
        ("kind", c_uint32),  # a kind: KMP_MODULE ... KMP_PROSPECT
        ("state", c_uint32),  # a state: KMP_NONE ... KMP_GOES
        ("release", c_char_p),  # the kernel's release
        ("package", c_char_p),  # NAME-VERSION-RELEASE
        ("module", c_char_p),  # the name; for a lost driver all names, separated by blanks
        ("path", c_char_p),  # of the module or package file, or of the file with the problem; not necessarily UTF-8
        ("text", c_char_p),  # one line for people; never NULL; safe to print
        ("advice", c_char_p),  # what to do about it, for people; of a KMP_MESSAGE the line to type at its end
        ("reasons", c_size_t),  # how many reasons kmp_report_reason() has for it
        ("policy", c_uint32),  # KMP_LOST, KMP_MESSAGE: KMP_POLICY_ABORT, KMP_POLICY_WARN, KMP_POLICY_NONE; else 0
        ("loaded", c_uint32),  # KMP_LOST: 1 if a module of it is loaded now; else 0
    ]


class Reason(Structure):
    """Why a module is refused, what it breaks (the rule is "breaks", the state KMP_COMPATIBLE or KMP_BREAKS), or what is known of
    a symbol. Strings as in kmp_finding."""

    _fields_ = [
        ("size", c_size_t),  # set by the caller
        ("rule", c_char_p),  # "crc", "unknown-symbol", ...: see kmp_rule_name(); of KMP_SYMBOL "" if no rule is broken; never NULL
        ("symbol", c_char_p),  # the symbol concerned
        ("has_wanted", c_uint32),  # 1 if `wanted` is set, else 0
        ("wanted", c_uint32),  # the version (CRC) of the symbol that the module was built with
        ("has_offered", c_uint32),  # 1 if `offered` is set, else 0
        ("offered", c_uint32),  # the version that is exported
        ("exporter", c_char_p),  # who exports the symbol: "vmlinux", a module
        ("detail", c_char_p),  # the reason as a sentence; never NULL; safe to print
    ]


# What each function returns, and its parameters.
FUNCTIONS = {
    "kmp_last_error": (c_char_p, []),
    "kmp_strerror": (c_char_p, [c_int]),
    "kmp_version": (c_char_p, []),
    "kmp_open": (c_int, [c_char_p, c_uint32, POINTER(c_void_p)]),
    "kmp_close": (None, [c_void_p]),
    "kmp_kernels": (c_int, [c_void_p, POINTER(c_void_p)]),
    "kmp_status": (c_int, [c_void_p, c_char_p, POINTER(c_void_p)]),
    "kmp_explain": (c_int, [c_void_p, c_char_p, c_char_p, POINTER(c_void_p)]),
    "kmp_check": (c_int, [c_void_p, POINTER(c_char_p), c_size_t, c_char_p, POINTER(c_void_p)]),
    "kmp_plan": (c_int, [c_void_p, POINTER(c_char_p), c_size_t, POINTER(c_void_p)]),
    "kmp_sync": (c_int, [c_void_p, c_uint32, POINTER(c_void_p)]),
    "kmp_transaction_new": (c_int, [c_void_p, POINTER(c_void_p)]),
    "kmp_transaction_free": (None, [c_void_p]),
    "kmp_concerns": (c_int, [c_char_p]),
    "kmp_transaction_add_file": (c_int, [c_void_p, c_char_p]),
    "kmp_transaction_add_fd": (c_int, [c_void_p, c_int]),
    "kmp_transaction_update_file": (c_int, [c_void_p, c_char_p]),
    "kmp_transaction_add": (c_int, [c_void_p, POINTER(Package)]),
    "kmp_transaction_symvers": (c_int, [c_void_p, c_char_p, c_void_p, c_size_t]),
    "kmp_transaction_remove": (c_int, [c_void_p, c_uint32, c_int]),
    "kmp_transaction_judge": (c_int, [c_void_p, c_char_p, POINTER(c_void_p)]),
    "kmp_report_verdict": (c_int, [c_void_p]),
    "kmp_report_count": (c_size_t, [c_void_p]),
    "kmp_report_get": (c_int, [c_void_p, c_size_t, POINTER(Finding)]),
    "kmp_report_reason": (c_int, [c_void_p, c_size_t, c_size_t, POINTER(Reason)]),
    "kmp_report_free": (None, [c_void_p]),
    "kmp_report_json": (c_char_p, [c_void_p]),
    "kmp_kind_name": (c_char_p, [c_uint32]),
    "kmp_state_name": (c_char_p, [c_uint32]),
    "kmp_rule_name": (c_char_p, [c_size_t]),
    "kmp_rule_words": (c_char_p, [c_char_p]),
}
