// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is a machine, and what is not.

use super::*;

const KERNEL: &str = "kernel-default-6.4.0-1.1.x86_64";

/// One machine on many lines.
fn serde_pretty(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn machines(text: &str) -> Machines {
    let mut machines = Machines::default();
    machines.add_lines("list", text.as_bytes()).unwrap();
    machines
}

#[test]
fn equal_machines_are_one_group_however_they_say_it() {
    let facts = r#"{"version":1,"machine":"c","kernels":[{"release":"6.4.0-1-default","packages":["kernel-default-6.4.0-1.1.x86_64"]}],"kmps":[{"package":"nic-kmp-default-1-1.x86_64","modules":[{"name":"nic","loaded":true,"holds_root":true,"holds_network":false}]}]}"#;
    let text = format!(
        "{{\"machine\":\"a\",\"kernels\":[\"{KERNEL}\"],\"kmps\":[\"nic-kmp-default-1-1.x86_64\"]}}\n\n\
         {{\"machine\":\"b\",\"kmps\":[\"nic-kmp-default-0:1-1.x86_64\"],\"kernels\":[\"{KERNEL}\"],\"more\":{{}}}}\n{facts}\n"
    );
    let mut found = machines(&text);
    assert_eq!((found.len(), found.groups().count()), (3, 2), "{found:?}");
    let with_facts = found.groups().find(|group| group.with_facts > 0).unwrap();
    assert_eq!(with_facts.uses["nic-kmp-default"], [1, 1, 0]);
    assert!(found.groups().all(|group| group.packages.dialect() == Dialect::Suse));
    // Once more, and now with other packages: the last counts.
    let again = r#"{"machine":"c","packages":["kernel-core-5.14.0-1.el9.x86_64","bash-5-1.x86_64","kmod-nic-1-1.x86_64"]}"#;
    found.add_lines("list", serde_pretty(again).as_bytes()).unwrap();
    assert_eq!((found.len(), found.groups().count(), found.problems.len()), (3, 2, 1));
    let last = found.groups().last().unwrap();
    assert_eq!((last.packages.kernels.len(), last.packages.drivers.len()), (1, 1));
    assert!(last.packages.dialect() == Dialect::RedHat && last.packages.is_complete);
}

#[test]
fn what_is_no_machine_is_a_problem_and_no_more() {
    let good = format!("{{\"machine\":\"a\",\"kernels\":[\"{KERNEL}\"]}}");
    let cut = &good[..good.len() - 3];
    let long = format!("{{\"machine\":\"{}\"}}", "x".repeat(LINE_LIMIT));
    let hostile = [
        cut,
        &long,
        "{\"machine\":\"\\u001b[2J\"}",
        "{\"machine\":\"\"}",
        "{\"machine\":\"b\",\"kernels\":[\"../../etc/passwd\"]}",
        "{\"machine\":\"b\",\"kernels\":[{\"release\":\"../x\",\"packages\":[]}]}",
        "{\"machine\":\"b\",\"kmps\":[17]}",
        "{\"machine\":\"b\",\"dialect\":\"plan9\"}",
        "[]",
        "\u{0}",
    ];
    let found = machines(&format!("{}\n{good}\n", hostile.join("\n")));
    assert_eq!((found.len(), found.problems.len()), (1, hostile.len()), "{:?}", found.problems);
    assert!(found.problems[0].starts_with("list, line 1: it is no machine: "), "{:?}", found.problems);
    assert!(found.problems.iter().all(|line| !line.chars().any(char::is_control) && line.len() < 400));
    // Deep nesting, and more problems than anybody reads.
    let many = format!("{}\n", "[".repeat(100_000)).repeat(3) + &"x\n".repeat(100);
    let found = machines(&many);
    assert_eq!((found.problems.len(), found.more_problems()), (MOST_PROBLEMS, 83));
}
