// SPDX-License-Identifier: LGPL-2.1-or-later
//! The table of rules and the page about it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::Rule;
use crate::rule::{Kind, Settled};

const PAGE: &str = include_str!("../../../../docs/loader-rules.md");

/// The page's table of rules, as the rows give it.
fn table() -> String {
    let mut out = String::from(
        "| rule | what it asks for | checked by | releases | switched by | settled by other modules |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for rule in Rule::ALL {
        let row = rule.row();
        let by = match row.kind {
            Kind::Loader | Kind::OtherModule => format!("`{}`, `{}`", row.function, row.file),
            Kind::Unknown => "kmp: what is not known is neither right nor wrong".into(),
            Kind::Policy => "kmp: the module would load".into(),
        };
        let releases = match (row.first, row.last) {
            (None, None) => "all".to_string(),
            (Some(first), None) => format!("since {first}"),
            (None, Some(last)) => format!("until {last}"),
            (Some(first), Some(last)) => format!("{first} to {last}"),
        };
        let settled = match row.settled {
            Settled::Never => "no",
            Settled::ByOthers => "yes",
            Settled::BySymbol => "where one exports the symbol or takes the exporter's place",
            Settled::ByExporter => "the same, unless the kernel image is the exporter",
            Settled::ByLicence => "the same; with a free licence always",
        };
        let (anchor, name, words, switch) = (rule.anchor(), row.name, row.words, row.switch);
        writeln!(
            out,
            "| <a id=\"{anchor}\"></a>{name} | {words} | {by} | {releases} | {switch} | {settled} |"
        )
        .unwrap();
    }
    out
}

#[test]
fn the_page_has_every_rule() {
    assert!(PAGE.contains(&table()), "docs/loader-rules.md should have this table:\n{}", table());
}

#[test]
fn the_pages_links_lead_to_rules_and_every_check_has_an_answer() {
    let anchors: BTreeSet<String> = Rule::ALL.iter().map(|r| r.anchor()).collect();
    assert_eq!(anchors.len(), Rule::ALL.len());
    let (_, checks) = PAGE.split_once("## The checks").unwrap();
    let mut linked = BTreeSet::new();
    let rows: Vec<&str> = checks.lines().filter(|l| l.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 50, "{}", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, _, answer, why] = cells[..] else { panic!("not four cells: {row}") };
        if matches!(answer, "not checked" | "a warning") || answer.starts_with("in part: ") {
            assert!(!why.is_empty(), "no reason: {row}");
        } else {
            assert!(answer.starts_with("checked: "), "{row}");
        }
        for link in answer.split("](#").skip(1) {
            let anchor = link.split(')').next().unwrap();
            assert!(anchors.contains(anchor), "no rule {anchor}");
            linked.insert(anchor.to_string());
        }
    }
    let checked = Rule::ALL.iter().filter(|r| matches!(r.kind(), Kind::Loader | Kind::OtherModule));
    assert_eq!(linked, checked.map(|r| r.anchor()).collect());
}

/// JSON documents and the C library give them to others.
#[test]
fn names_never_change() {
    let names: Vec<&str> = Rule::ALL.iter().map(|r| r.as_str()).collect();
    let expected = [
        "unread",
        "malformed",
        "architecture",
        "vermagic",
        "struct-size",
        "signature",
        "no-version",
        "module-layout",
        "export-form",
        "built-in",
        "unknown-symbol",
        "unknown-crc",
        "crc",
        "license",
        "namespace",
        "duplicate-export",
        "btf",
        "support",
        "cycle",
        "depends",
        "breaks",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_row_of_the_loader_names_its_function_and_all_have_words() {
    for rule in Rule::ALL {
        let row = rule.row();
        let by_loader = matches!(row.kind, Kind::Loader | Kind::OtherModule);
        assert_eq!(by_loader, !row.function.is_empty() && !row.file.is_empty(), "{rule}");
        assert!(row.words.starts_with(|c: char| c.is_lowercase() || c == 'G'), "{rule}");
        assert!(!row.words.ends_with('.'), "{rule}");
        assert!(row.first.zip(row.last).is_none_or(|(first, last)| first <= last), "{rule}");
    }
}
