# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps third-party kernel drivers working across kernel updates on RPM Linux: libkmp for Python.

Which modules would the installed kernels refuse, and why?

    import kmp

    for finding in kmp.System().check():
        if finding.state == kmp.State.REFUSED:
            print(finding.text)
            for reason in finding.reasons:
                print("   ", reason.rule, reason.symbol, reason.detail)

Would this kernel cost a driver?

    for finding in kmp.System().plan(["kernel-default-6.4.0-2.x86_64.rpm"]):
        if finding.kind == kmp.Kind.LOST:
            print(finding.text, finding.advice)

Reports are sequences of findings, which belong to Python and outlive everything else. What fails raises kmp.Error. An object
is used in the thread that it was made in. libkmp(3) and kmp.h say what each function does; nothing here needs a compiler.
"""

import os
from collections.abc import Sequence
from ctypes import CDLL, byref, c_char_p, c_void_p, sizeof
from typing import NamedTuple, Optional, Tuple
from weakref import finalize

from . import _abi
from ._abi import Code, Kind, Policy, Removal, State, Verdict

__all__ = [
    "Code",
    "Error",
    "Finding",
    "Kind",
    "Policy",
    "Reason",
    "Removal",
    "Report",
    "State",
    "System",
    "Transaction",
    "Verdict",
    "concerns",
    "rules",
    "version",
]


def _load():
    library = CDLL("libkmp.so.1")
    for name, (returned, parameters) in _abi.FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = returned, parameters
    return library


_lib = _load()


def _text(value):
    return None if value is None else value.decode("utf-8", "replace")


def _bytes(value):
    return None if value is None else os.fsencode(value)


class Error(Exception):
    """A call failed. `code` is a Code; the exception's text says what failed and why."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = Code(code)


def _call(function, *arguments):
    """Calls a function that returns a code."""
    code = function(*arguments)
    if code != Code.OK:
        raise Error(code, _text(_lib.kmp_last_error()) or _text(_lib.kmp_strerror(code)))


def _make(function, *arguments):
    """Calls a function that gives a handle through its last parameter."""
    out = c_void_p()
    _call(function, *arguments, byref(out))
    return out


def _names(names):
    encoded = [_bytes(name) for name in names]
    return (c_char_p * len(encoded))(*encoded), len(encoded)


class Reason(NamedTuple):
    """Why a module is not compatible. `rule` is one of rules(); what does not apply is None."""

    rule: str
    symbol: Optional[str]
    wanted: Optional[int]
    offered: Optional[int]
    exporter: Optional[str]
    detail: str


class Finding(NamedTuple):
    """A finding: see kmp_finding in kmp.h. What does not apply is None."""

    kind: Kind
    state: State
    release: Optional[str]
    package: Optional[str]
    module: Optional[str]
    path: Optional[str]
    text: str
    advice: Optional[str]
    policy: Policy
    loaded: bool
    reasons: Tuple[Reason, ...]


class Report(Sequence):
    """Findings, in order. `verdict` is that of the report as a whole."""

    def __init__(self, handle):
        try:
            self.verdict = Verdict(_lib.kmp_report_verdict(handle))
            self._json = _text(_lib.kmp_report_json(handle))
            self._findings = [_finding(handle, number) for number in range(_lib.kmp_report_count(handle))]
        finally:
            _lib.kmp_report_free(handle)

    def __len__(self):
        return len(self._findings)

    def __getitem__(self, index):
        return self._findings[index]

    def __repr__(self):
        return "<kmp.Report: {}, {} findings>".format(self.verdict.name.lower(), len(self))

    def json(self):
        """The report as a JSON document, as kmp_report_json() gives it."""
        return self._json


def _finding(handle, number):
    found = _abi.Finding(size=sizeof(_abi.Finding))
    _call(_lib.kmp_report_get, handle, number, byref(found))
    return Finding(
        Kind(found.kind),
        State(found.state),
        _text(found.release),
        _text(found.package),
        _text(found.module),
        None if found.path is None else os.fsdecode(found.path),
        _text(found.text),
        _text(found.advice),
        Policy(found.policy),
        bool(found.loaded),
        tuple(_reason(handle, number, reason) for reason in range(found.reasons)),
    )


def _reason(handle, number, reason):
    why = _abi.Reason(size=sizeof(_abi.Reason))
    _call(_lib.kmp_report_reason, handle, number, reason, byref(why))
    return Reason(
        _text(why.rule),
        _text(why.symbol),
        why.wanted if why.has_wanted else None,
        why.offered if why.has_offered else None,
        _text(why.exporter),
        _text(why.detail),
    )


class System:
    """An opened root: its kernels, modules and rpm database.

    guest: in a process that has librpm already, such as a plugin of dnf, use that one.
    """

    def __init__(self, root="/", guest=False):
        flags = _abi.OpenFlag.GUEST if guest else 0
        self._handle = _make(_lib.kmp_open, _bytes(root), flags)
        self._close = finalize(self, _lib.kmp_close, self._handle)

    def close(self):
        """Frees it. Transactions that were begun can still be judged."""
        self._close()
        self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def kernels(self):
        """The installed kernels: kmp_kernels()."""
        return Report(_make(_lib.kmp_kernels, self._handle))

    def check(self, names=(), kernel=None):
        """Judges modules, package files or installed packages; none named: all installed KMPs. kmp_check()."""
        return Report(_make(_lib.kmp_check, self._handle, *_names(names), _bytes(kernel)))

    def status(self, kernel=None):
        """How each installed KMP stands in each kernel, or in one: kmp_status()."""
        return Report(_make(_lib.kmp_status, self._handle, _bytes(kernel)))

    def explain(self, name, kernel):
        """What each symbol of a module, or of a KMP's modules, gets in a kernel: kmp_explain()."""
        return Report(_make(_lib.kmp_explain, self._handle, _bytes(name), _bytes(kernel)))

    def plan(self, names=()):
        """What package files that come, kernels that are to run and "@KMP"s that are erased would change: kmp_plan()."""
        return Report(_make(_lib.kmp_plan, self._handle, *_names(names)))

    def sync(self, dry_run=False, depmod=True, wait=True):
        """Corrects the links of all kernels: kmp_sync()."""
        flags = _abi.SyncFlag(0)
        if dry_run:
            flags |= _abi.SyncFlag.DRY_RUN
        if not depmod:
            flags |= _abi.SyncFlag.NO_DEPMOD
        if not wait:
            flags |= _abi.SyncFlag.NO_WAIT
        return Report(_make(_lib.kmp_sync, self._handle, flags))

    def transaction(self):
        """Begins the description of an rpm transaction."""
        return Transaction(_make(_lib.kmp_transaction_new, self._handle))


class Transaction:
    """An rpm transaction, described package by package, and judged once."""

    def __init__(self, handle):
        self._handle = handle
        self._free = finalize(self, _lib.kmp_transaction_free, handle)

    def add_file(self, path):
        """A package file that is being installed beside what there is, as by rpm -i."""
        _call(_lib.kmp_transaction_add_file, self._handle, _bytes(path))

    def update_file(self, path):
        """A package file that replaces what there is of its name, as by rpm -U."""
        _call(_lib.kmp_transaction_update_file, self._handle, _bytes(path))

    def remove(self, instance, removal=Removal.ERASED):
        """An installed package that goes, by its instance in the rpm database."""
        _call(_lib.kmp_transaction_remove, self._handle, instance, removal)

    def symvers(self, release, contents):
        """What a kernel that is being installed exports: the bytes of its Module.symvers."""
        _call(_lib.kmp_transaction_symvers, self._handle, _bytes(release), contents, len(contents))

    def judge(self, policy=None):
        """Which drivers it would lose: kmp_transaction_judge(). policy: "abort", "warn", "off"; None: kmp.conf's."""
        return Report(_make(_lib.kmp_transaction_judge, self._handle, _bytes(policy)))


def concerns(path):
    """Can a package that owns this path be relevant to kernels or their drivers? kmp_concerns()."""
    return bool(_lib.kmp_concerns(_bytes(path)))


def rules():
    """The rules of a kernel's loader: what each asks for, by its name, in the order in which they are checked."""
    found, number = {}, 0
    while True:
        name = _lib.kmp_rule_name(number)
        if not name:
            return found
        found[_text(name)] = _text(_lib.kmp_rule_words(name))
        number += 1


def version():
    """The library's version."""
    return _text(_lib.kmp_version())
