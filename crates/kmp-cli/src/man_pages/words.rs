// SPDX-License-Identifier: LGPL-2.1-or-later
//! The sections STATES, RULES and SOUNDNESS of kmp(8) are made of the engine's own lists, and of kmp-drivers'.
//!
//! After a change, `KMP_TEST_WRITE_MAN=1 cargo test -p kmp-cli man_pages::words` writes them.

use std::fs;

use kmp_core::abi::Rule;
use kmp_core::abi::rule::Kind;
use kmp_core::state::State;
use kmp_drivers::soundness;

use super::project;

fn items<'w>(items: impl Iterator<Item = (&'w str, String)>) -> String {
    let escaped = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    items.map(|(word, text)| format!(".TP\n.B {}\n{}\n", escaped(word), escaped(&text))).collect()
}

fn states() -> String {
    format!(
        ".SH STATES\n\
         How a driver stands in a kernel.\n\
         The same words are in tables, messages and\n\
         .BR \\-\\-json ,\n\
         and, in capitals, in libkmp's constants.\n\
         They do not change.\n{}",
        items(State::ALL.iter().map(|state| (state.word(), state.meaning().to_string())))
    )
}

fn rules() -> String {
    let meaning = |rule: &Rule| {
        let row = rule.row();
        let who = match row.kind {
            Kind::Loader => "",
            Kind::OtherModule => " (another module is refused)",
            Kind::Unknown => " (else the module is unread)",
            Kind::Policy => " (the kernel would load the module; kmp does not link it)",
        };
        format!("Complied with if {}{who}.", row.words)
    };
    format!(
        ".SH RULES\n\
         What a module is judged by, in the order of the kernel's loader.\n\
         A reason in a table or in\n\
         .B \\-\\-json\n\
         names the rule that is broken.\n\
         The names do not change; more rules may come.\n{}",
        items(Rule::ALL.iter().map(|rule| (rule.as_str(), meaning(rule))))
    )
}

fn soundness() -> String {
    let text = |rule: &soundness::Rule| {
        let mended = if rule.is_mended { "\nMended by\n.BR \"kmp doctor --fix\" ." } else { "" };
        format!("({}) {}\n{}\n{}{mended}", rule.severity.word(), rule.what, rule.why, rule.remedy)
    };
    format!(
        ".SH SOUNDNESS\n\
         The rules of\n\
         .BR \"kmp doctor\" :\n\
         how bad it is where one does not hold, what holds, why, and what to do.\n\
         The names do not change; more rules may come.\n{}",
        items(soundness::RULES.iter().map(|rule| (rule.name, text(rule))))
    )
}

#[test]
fn states_and_rules_are_those_of_the_engine() {
    let path = project().join("packaging/man/kmp.8");
    let page = fs::read_to_string(&path).unwrap();
    let start = page.find(".SH STATES\n").expect("there is no section STATES");
    let end = page.find(".SH EXIT STATUS\n").expect("there is no section EXIT STATUS");
    let made = format!("{}{}{}", states(), rules(), soundness());
    if std::env::var_os("KMP_TEST_WRITE_MAN").is_some() {
        fs::write(&path, format!("{}{made}{}", &page[..start], &page[end..])).unwrap();
        return;
    }
    assert!(
        page[start..end] == made,
        "kmp(8) is old: KMP_TEST_WRITE_MAN=1 cargo test -p kmp-cli man_pages::words"
    );
}
