// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is said, from made-up findings.

use super::*;
use crate::abi::{Reason, Rule};

pub(super) fn lost(package: &str, reason: &str, weight: Weight) -> Lost {
    Lost {
        package: package.into(),
        nvr: format!("{package}-1-1"),
        modules: vec!["foo".into()],
        kernel: NEW.into(),
        role: Role::Comes,
        failing: Some(format!("{package}-1-1")),
        reasons: vec![Reason::new(Rule::Crc, reason)],
        weight,
        kept_in: None,
        instead: Vec::new(),
        needed_for: Use::default(),
        made_by: None,
        is_erased: false,
        remedy: Remedy::Rebuild,
    }
}

fn said(findings: Vec<(Lost, Action)>) -> Vec<String> {
    let findings: Vec<_> = findings.into_iter().map(|(lost, action)| Finding { lost, action }).collect();
    block(&findings).into_iter().map(|line| line.text).collect()
}

#[test]
fn a_line_names_driver_kernel_reasons_and_what_it_matters_for() {
    let mut one = lost("foo", "a", Weight::Loss);
    one.reasons.extend(["b", "c", "d"].map(|detail| Reason::new(Rule::Crc, detail)));
    one.needed_for = Use { is_loaded: true, ..Use::default() };
    assert_eq!(
        said(vec![(one.clone(), Action::Stop)]),
        [
            "foo-1-1 (foo, loaded now) does not work with the new kernel 6.4.0-2-default: a; b; c; and 1 more",
            "install a foo built for it in the same transaction, or keep the old kernel",
            "KMP_POLICY=warn continues without the driver; kmp check has every reason, given the kernel's .rpm file",
        ]
    );
    one.needed_for.holds_root = true;
    one.modules = ["a", "b", "c", "d"].map(String::from).to_vec();
    assert!(
        one.line().starts_with("foo-1-1 (a, b, c and 1 more, needed for the root file system) "),
        "{}",
        one.line()
    );
}

#[test]
fn a_warning_names_the_version_and_the_kernel_that_has_the_driver() {
    let old = Lost {
        kernel: OLD.into(),
        role: Role::Stays,
        failing: Some("foo-2-1".into()),
        kept_in: Some(NEW.into()),
        remedy: Remedy::Keep,
        ..lost("foo", "a", Weight::Warning)
    };
    assert_eq!(
        said(vec![(old, Action::Warn)]),
        [format!(
            "foo-2-1 (foo) does not work with kernel {OLD}: a; foo-1-1, which does, would go; kernel {NEW} has the driver"
        )]
    );
    let own = Lost { instead: vec!["bar".into()], ..lost("foo", "a", Weight::None) };
    assert_eq!(
        said(vec![(own, Action::Say)]),
        [format!("foo-1-1 (foo) does not work with the new kernel {NEW}, which has bar of its own")]
    );
}

#[test]
fn however_much_is_lost_it_is_one_block_of_eight_lines_at_most() {
    for count in 1..30 {
        let each = (0..count).map(|n| (lost(&format!("p{n}"), "a", Weight::Loss), Action::Stop));
        let mixed =
            each.chain((0..count).map(|n| (lost(&format!("w{n}"), "a", Weight::Warning), Action::Warn)));
        let lines = said(mixed.collect());
        assert!(lines.len() <= LINES, "{lines:#?}");
        assert!(lines[0].starts_with("p0-1-1"), "what it is stopped for comes first: {lines:#?}");
        assert!(lines.last().unwrap().starts_with("KMP_POLICY=warn"), "{lines:#?}");
        // The first advice is there, too.
        assert!(lines.iter().any(|line| line.starts_with("install a p0")), "{lines:#?}");
    }
}
