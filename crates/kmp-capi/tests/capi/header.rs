//! The header says what the code does: every prototype, every number, the layout of every struct.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::mem::{offset_of, size_of};
use std::process::Command;

use kmp_capi::{Dependency, Finding, Package, Reason, code, flag, kind, policy, state, verdict};
use testkit::run;

use crate::library::SOURCE;

fn header() -> String {
    fs::read_to_string(format!("{SOURCE}/include/kmp.h")).unwrap()
}

fn sources() -> String {
    let files = fs::read_dir(format!("{SOURCE}/src")).unwrap().flatten();
    files.map(|f| fs::read_to_string(f.path()).unwrap()).collect()
}

/// On one line, with one blank between words.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// By name: the prototype in the header.
fn declared() -> BTreeMap<String, String> {
    let header = header();
    let mut code = String::new();
    let mut rest = header.as_str();
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").unwrap().1;
    }
    code.push_str(rest);
    let code: String = code.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
    let prototypes = code.split(';').map(words).filter(|s| s.ends_with(')'));
    prototypes
        .map(|p| p.rsplit_once("{ ").map_or(p.clone(), |(_, p)| p.to_string()))
        .map(|p| (p.split('(').next().unwrap().rsplit([' ', '*']).next().unwrap().to_string(), p))
        .collect()
}

/// By name: the prototype that a Rust signature has in C.
fn defined() -> BTreeMap<String, String> {
    let sources = sources();
    // What only builds for tests have (faults on purpose) is not in the header.
    let functions = sources.split("pub extern \"C\" fn ").skip(1).filter(|f| !f.starts_with("kmp_test_"));
    functions
        .map(|text| {
            let signature = words(text.split_once(" {\n").unwrap().0);
            let (name, rest) = signature.split_once('(').unwrap();
            let (parameters, returns) = rest.rsplit_once(')').unwrap();
            let parameters = parameters.trim_end_matches([',', ' ']);
            let parameters: Vec<String> = parameters
                .split(", ")
                .filter(|p| !p.is_empty())
                .map(|p| p.trim().split_once(": ").map(|(name, of)| c(of, name)).unwrap())
                .collect();
            let parameters = if parameters.is_empty() { "void".into() } else { parameters.join(", ") };
            let returns = returns.trim().strip_prefix("-> ").unwrap_or("()");
            (name.to_string(), c(returns, &format!("{name}({parameters})")))
        })
        .collect()
}

/// A declaration of `name` as the C type that `of` is.
fn c(of: &str, name: &str) -> String {
    if let Some(to) = of.strip_prefix("*const *const ") {
        return c(&format!("*const {to}"), &format!("const *{name}"));
    }
    if let Some(to) = of.strip_prefix("*const ") {
        return c(&format!("const {to}"), &format!("*{name}"));
    }
    if let Some(to) = of.strip_prefix("*mut ") {
        return c(to, &format!("*{name}"));
    }
    let (is_const, of) = of.strip_prefix("const ").map_or(("", of), |of| ("const ", of));
    let base = match of {
        "c_char" => "char",
        "c_void" | "()" => "void",
        "c_int" => "int",
        "u32" => "uint32_t",
        "usize" => "size_t",
        "Kmp" => "kmp_t",
        "Report" => "kmp_report_t",
        "Transaction" => "kmp_transaction_t",
        "Package" => "struct kmp_package",
        "Finding" => "struct kmp_finding",
        "Reason" => "struct kmp_reason",
        _ => panic!("what is {of} in C?"),
    };
    format!("{is_const}{base} {name}").replace("*const *", "*const *")
}

#[test]
fn every_prototype_is_that_of_the_code() {
    let unspaced = |all: BTreeMap<String, String>| -> BTreeMap<String, String> {
        all.into_iter()
            .map(|(name, p)| (name, p.replace(" *", "*").replace("* ", "*").replace("const*", "const *")))
            .collect()
    };
    let (declared, defined) = (unspaced(declared()), unspaced(defined()));
    assert_eq!(declared, defined);
    let exports = fs::read_to_string(format!("{SOURCE}/exports.txt")).unwrap();
    let exports: Vec<&str> = exports.lines().filter_map(|l| l.split('@').next()).collect();
    assert_eq!(declared.keys().map(String::as_str).collect::<Vec<_>>(), exports);
    // The comment above a function in Rust shows the prototype, too.
    let comments = sources();
    for name in declared.keys() {
        let shown = comments
            .lines()
            .filter_map(|l| l.strip_prefix("/// `"))
            .find(|l| l.contains(&format!("{name}(")));
        let shown = shown.unwrap_or_else(|| panic!("no prototype above {name}")).trim_end_matches(";`");
        let shown = unspaced(BTreeMap::from([(name.clone(), shown.to_string())]));
        assert_eq!(shown[name], declared[name]);
    }
}

#[test]
fn every_number_and_layout_is_that_of_the_code() {
    let mut program = String::from("#include <kmp.h>\n");
    let mut assert = |claim: String| {
        let _ = writeln!(program, "_Static_assert({claim}, \"{}\");", claim.replace('"', ""));
    };
    // Numbers: every constant of the modules is in the header under its name, and the other way round.
    let text = sources();
    let mut named = Vec::new();
    for (module, prefix) in [
        ("code", "KMP_"),
        ("flag", "KMP_"),
        ("kind", "KMP_"),
        ("state", "KMP_"),
        ("policy", "KMP_POLICY_"),
        ("verdict", "KMP_VERDICT_"),
    ] {
        let body = text.split_once(&format!("pub mod {module} {{\n")).unwrap().1.split_once("\n}").unwrap().0;
        for line in body.lines().filter_map(|l| l.trim().strip_prefix("pub const ")) {
            let (name, rest) = line.split_once(": ").unwrap();
            let value = rest.split_once("= ").unwrap().1.trim_end_matches(';');
            assert(format!("{prefix}{name} == {value}"));
            named.push(format!("{prefix}{name}"));
        }
    }
    let (header, mut defined) = (header(), Vec::new());
    for line in header.lines().filter_map(|l| l.strip_prefix("#define ")) {
        defined.push(line.split_whitespace().next().unwrap());
    }
    defined.retain(|n| *n != "KMP_H");
    named.sort();
    defined.sort_unstable();
    assert_eq!(named, defined);
    // That the numbers above were read from the right modules.
    assert_eq!((code::E_INTERNAL, flag::GUEST, kind::LOST), (900, 1, 5));
    assert_eq!((state::OLD_KERNEL, policy::WARN, verdict::ABORT), (31, 2, 2));

    macro_rules! layout {
        ($c:literal, $rust:ident: $($member:ident)+) => {
            assert(format!("sizeof(struct {}) == {}", $c, size_of::<$rust>()));
            $(assert(format!("offsetof(struct {}, {}) == {}", $c, stringify!($member), offset_of!($rust, $member)));)+
        };
    }
    layout!("kmp_dependency", Dependency: name evr);
    layout!("kmp_package", Package: size name epoch version release arch provides provides_count requires_
        requires_count files files_count);
    layout!("kmp_finding", Finding: size kind state release package module path text advice reasons policy loaded);
    layout!("kmp_reason", Reason: size rule symbol has_wanted wanted has_offered offered exporter detail);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("layout.c");
    fs::write(&file, program).unwrap();
    let include = format!("-I{SOURCE}/include");
    run(Command::new("cc").args(["-std=c11", "-Wall", "-Werror", "-fsyntax-only", &include]).arg(&file))
        .expect_success();
    // As C++ too, in the oldest dialect that has stdint.h.
    fs::write(dir.path().join("a.cc"), "#include <kmp.h>\n").unwrap();
    let cc = dir.path().join("a.cc");
    run(Command::new("c++").args(["-std=c++11", "-Wall", "-Werror", "-fsyntax-only", &include]).arg(cc))
        .expect_success();
}
