// SPDX-License-Identifier: LGPL-2.1-or-later
//! A report as JSON. The schema in `doc/report.schema.json` is made of these types and their comments: after a change,
//! `KMP_TEST_WRITE_SCHEMAS=1 cargo test -p kmp-capi --lib` writes it.

use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use crate::report::{Entry, Report, Why};
use crate::{arg, names, ret};

/// It changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// A report of libkmp's, as `kmp_report_json()` returns it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'r> {
    /// Of this form. It changes when a field changes its meaning or goes; new ones may come.
    version: u32,
    /// Of the report as a whole: `good`, `warn` or `abort`.
    verdict: &'static str,
    /// In the order of the report.
    findings: Vec<Finding<'r>>,
}

/// A finding. What does not apply is left out.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Finding<'r> {
    /// The word for its kind, as `kmp_kind_name()` has it.
    kind: &'static str,
    /// The word for its state, as `kmp_state_name()` has it.
    state: &'static str,
    /// The kernel's release.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'r str>,
    /// `NAME-VERSION-RELEASE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'r str>,
    /// The module's name; for a lost driver all names, separated by blanks.
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'r str>,
    /// A file or directory. What is not UTF-8 is shown as `\xNN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// In words, on one line.
    text: &'r str,
    /// What to do about it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'r str>,
    /// What is done about a lost driver, and how urgent a message is: `none`, `warn` or `abort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'static str>,
    /// Of a lost driver: is a module of it loaded now?
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<bool>,
    /// Every reason for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason<'r>>,
}

/// Why a module is refused, or by the rule `breaks` what it breaks.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Reason<'r> {
    /// The rule that is broken, as `kmp_rule_name()` has it.
    rule: &'r str,
    /// The symbol concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<&'r str>,
    /// The symbol's version (CRC) that the module was built with, as `0x` and eight digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<String>,
    /// The version that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    offered: Option<String>,
    /// Who exports the symbol: `vmlinux` or a module.
    #[serde(skip_serializing_if = "Option::is_none")]
    exporter: Option<&'r str>,
    /// In words.
    detail: &'r str,
}

/// Made of text by [`c_text`](crate::error::c_text), but for paths.
fn text(of: &CStr) -> &str {
    of.to_str().unwrap_or_default()
}

impl<'r> From<&'r Entry> for Finding<'r> {
    fn from(entry: &'r Entry) -> Self {
        let of_lost = entry.kind == crate::kind::LOST;
        let has_policy = of_lost || entry.kind == crate::kind::MESSAGE;
        Self {
            kind: names::of_kind(entry.kind),
            state: names::of_state(entry.state),
            release: entry.release.as_deref().map(text),
            package: entry.package.as_deref().map(text),
            module: entry.module.as_deref().map(text),
            path: entry.path.as_deref().map(|path| kmp_core::printable(OsStr::from_bytes(path.to_bytes()))),
            text: text(&entry.text),
            advice: entry.advice.as_deref().map(text),
            policy: has_policy.then(|| names::of_policy(entry.policy)),
            loaded: of_lost.then_some(entry.loaded),
            reasons: entry.reasons.iter().map(Reason::from).collect(),
        }
    }
}

impl<'r> From<&'r Why> for Reason<'r> {
    fn from(why: &'r Why) -> Self {
        let crc = |crc: u32| format!("{crc:#010x}");
        Self {
            rule: text(&why.rule),
            symbol: why.symbol.as_deref().map(text),
            wanted: why.wanted.map(crc),
            offered: why.offered.map(crc),
            exporter: why.exporter.as_deref().map(text),
            detail: text(&why.detail),
        }
    }
}

fn document(report: &Report) -> CString {
    let document = Document {
        version: VERSION,
        verdict: names::of_verdict(report.verdict),
        findings: report.entries.iter().map(Finding::from).collect(),
    };
    // JSON has no NUL, and nothing in it can fail to become text.
    serde_json::to_string(&document).ok().and_then(|text| CString::new(text).ok()).unwrap_or_default()
}

/// The report as a JSON document in one line, with words in place of numbers. Its schema is
/// crates/kmp-capi/doc/report.schema.json in the sources. Never NULL; "" for NULL. The text belongs to the report.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_json(report: *const Report) -> *const c_char {
    ret::value(c"".as_ptr(), || {
        let Ok(report) = arg::shared(report, "report") else { return c"".as_ptr() };
        report.json.get_or_init(|| document(report)).as_ptr()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{kind, state};

    #[test]
    fn the_schema_is_that_of_what_is_exported() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/doc/report.schema.json");
        let mut schema = schemars::schema_for!(Document<'static>);
        schema.insert("title".into(), "kmp_report_json()".into());
        let schema = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("KMP_TEST_WRITE_SCHEMAS").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == schema,
            "crates/kmp-capi/doc/report.schema.json is old: KMP_TEST_WRITE_SCHEMAS=1 cargo test -p kmp-capi --lib"
        );
    }

    #[test]
    fn what_does_not_apply_is_left_out() {
        let mut report = Report::default();
        assert_eq!(document(&report).to_str(), Ok(r#"{"version":1,"verdict":"good","findings":[]}"#));
        let path = std::path::Path::new(OsStr::from_bytes(b"/a\xff\"b"));
        report.entries.push(Entry::new(kind::PROBLEM, state::FAILED, "it \"is\"\nso").path(path));
        let mut lost = Entry::new(kind::LOST, state::NEW_KERNEL, "x").release("6.4").module("a b");
        lost.policy = crate::policy::WARN;
        report.entries.push(lost);
        assert_eq!(
            document(&report).to_str(),
            Ok(
                r#"{"version":1,"verdict":"good","findings":[{"kind":"problem","state":"failed","path":"/a\\xff\"b","text":"it \"is\"; so"},{"kind":"lost","state":"new-kernel","release":"6.4","module":"a b","text":"x","policy":"warn","loaded":false}]}"#
            )
        );
    }
}
