// SPDX-License-Identifier: LGPL-2.1-or-later
//! The Python module, on the library that was built.

use std::mem::{offset_of, size_of};

use kmp_capi::{Finding, Package, Reason};
use testkit::{Output, TestRoot, run};

use crate::library::{SOURCE, built, c_program};

/// A program in Python that has the module, run on a root.
fn python(root: &TestRoot, args: &[&str]) -> Output {
    let mut python = root.command("python3");
    python.env("LD_LIBRARY_PATH", built()).env("PYTHONPATH", format!("{SOURCE}/python"));
    // What a warning is about is wrong.
    python.env("PYTHONDONTWRITEBYTECODE", "1").args(["-W", "error"]).args(args).arg(root.path());
    run(&mut python)
}

#[test]
fn the_program_of_the_manual_prints_the_verdicts() {
    let (root, ..) = crate::both::root_with_two_kernels();
    let said = python(&root, &[&format!("{SOURCE}/doc/check.py")]);
    assert!(said.success(), "{said}");
    let lines = said.lines();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].ends_with(" is compatible with 6.4.0-1-default"), "{said}");
    assert!(lines[1].contains(" 6.4.0-2-default: changing was "), "{said}");
}

#[test]
fn structs_are_laid_out_as_those_of_the_code() {
    let program = "
import ctypes, kmp._abi as abi
for of in (abi.Finding, abi.Reason, abi.Package):
    print(ctypes.sizeof(of), getattr(of, of._fields_[-1][0]).offset, len(of._fields_))
";
    let said = python(&TestRoot::new(), &["-c", program]).expect_success();
    let expected = format!(
        "{} {} 12\n{} {} 9\n{} {} 12\n",
        size_of::<Finding>(),
        offset_of!(Finding, loaded),
        size_of::<Reason>(),
        offset_of!(Reason, detail),
        size_of::<Package>(),
        offset_of!(Package, files_count)
    );
    assert_eq!(said.stdout, expected);
}

/// The same lines as those of the C program.
const PRINT: &str = r#"
import json, sys
import kmp

def dash(text):
    return "-" if text is None else text

def show(report):
    print("verdict", report.verdict.value)
    for f in report:
        print(f"{f.kind.value} {f.state.value} {dash(f.release)} {dash(f.package)} {dash(f.module)}"
              f" policy {f.policy.value} loaded {int(f.loaded)}: {f.text}")
        for r in f.reasons:
            print(f"  {r.rule} {dash(r.symbol)} {r.wanted or 0:08x} {r.offered or 0:08x} {dash(r.exporter)}: {r.detail}")
    document = json.loads(report.json())
    assert [x["text"] for x in document["findings"]] == [f.text for f in report], document
    assert document["verdict"] == report.verdict.name.lower(), document
    named = [(x["kind"], x["state"]) for x in document["findings"]]
    words = lambda number: number.name.lower().replace("_", "-")
    assert named == [(words(f.kind), words(f.state)) for f in report], document
"#;

fn same(root: &TestRoot, c: &[&str], body: &str) {
    let by_c = run(&mut c_program(root, c));
    let body = body.replace('\n', "\n    ");
    let program = format!("{PRINT}\nwith kmp.System(sys.argv[-1]) as system:\n    {body}\n");
    let said = python(root, &["-c", &program]);
    assert!(said.success(), "{said}");
    assert_eq!(said.stdout, by_c.stdout, "{said}\n{by_c}");
}

#[test]
fn it_reports_what_c_reports() {
    let (root, new, _) = crate::both::root_with_two_kernels();
    same(&root, &["check"], "show(system.check())");
    same(
        &root,
        &["check", "-k", "6.4.0-2-default", "foo-kmp-default"],
        "show(system.check(['foo-kmp-default'], '6.4.0-2-default'))",
    );
    let package = new.path().display().to_string();
    let judge = format!("t = system.transaction()\nt.add_file({package:?})\nshow(t.judge())");
    same(&root, &["judge", "-", &format!("+{package}")], &judge);
    same(&root, &["plan", &package], &format!("show(system.plan([{package:?}]))"));
    same(&root, &["plan"], "show(system.plan())");
    same(&root, &["sync", "dry"], "show(system.sync(dry_run=True))");
    same(&root, &["kernels"], "show(system.kernels())");
    same(&root, &["status"], "show(system.status())");
    same(&root, &["explain", "foo", "6.4.0-2-default"], "show(system.explain('foo', '6.4.0-2-default'))");
    let kernels = "for k in system.kernels(): print(k.kind.name, k.state.name, k.release, k.path)";
    let said = python(&root, &["-c", &format!("{PRINT}\nsystem = kmp.System(sys.argv[-1])\n{kernels}")]);
    let line = |krel: &str| format!("KERNEL NONE {krel} /usr/lib/modules/{krel}\n");
    assert_eq!(said.stdout, line("6.4.0-1-default") + &line("6.4.0-2-default"), "{said}");
}

#[test]
fn what_fails_raises() {
    let program = "
import sys, kmp
system = kmp.System(sys.argv[-1])
for call in (lambda: system.check(['nobody']), lambda: kmp.System('/nowhere'), lambda: system.transaction().add_file('/nowhere.rpm')):
    try:
        call()
        print('nothing')
    except kmp.Error as error:
        print(error.code.name, str(error) != '')
transaction = system.transaction()
system.close()
print(len(transaction.judge()))
try:
    system.check()
except kmp.Error as error:
    print(error.code.name)
print(kmp.Kind(12345).name, kmp.concerns('/usr/lib/modules/1/x.ko'), kmp.concerns('/etc/passwd'), kmp.version())
rules = kmp.rules()
print(len(rules), rules['crc'])
";
    let (root, ..) = crate::both::root_with_two_kernels();
    let said = python(&root, &["-c", program]).expect_success();
    let expected = format!(
        "E_NO_KMP True\nE_ROOT True\nE_PACKAGE True\n0\nE_ARGUMENT\nUNKNOWN_12345 True False {}\n{} {}\n",
        env!("CARGO_PKG_VERSION"),
        kmp_core::abi::Rule::ALL.len(),
        kmp_core::abi::Rule::Crc.row().words
    );
    assert_eq!(said.stdout, expected, "{said}");
}
