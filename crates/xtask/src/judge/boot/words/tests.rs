// SPDX-License-Identifier: LGPL-2.1-or-later

use super::*;

fn word(words: &Words, set: &str, name: &str) -> Word {
    words.get(set).and_then(|modules| modules.get(name)).cloned().unwrap()
}

/// Two sets with a module of the same name, the second of which was not answered, or not taken away.
fn results(end: &str) -> String {
    format!("READY\nB a@k/m\nL M m\nR M m 0\nK module_load: m O\nE a@k/m\nB b@k/m\nL M m\n{end}")
}

const FIRST: &str = "[ 1.0] judge: loads M m of a@k/m\r\n[ 1.1] module_load: m O\r\n";
const SECOND: &str = "[ 2.0] judge: loads M m of b@k/m\r\n";

#[test]
fn what_is_answered_to_its_end_is_heard() {
    let text = results("R M m 8\nK m: version magic 'x' should be 'y'\nE b@k/m\nDONE\n");
    let words = parse(&text, &[FIRST, SECOND].concat(), true);
    assert!(word(&words, "a@k/m", "m").loads);
    let second = word(&words, "b@k/m", "m");
    assert!(!second.loads && second.unheard.is_none());
    assert_eq!(second.log.len(), 1);
}

#[test]
fn down_in_the_loader_is_not_heard_whatever_others_of_its_name_did() {
    let crash = "[ 2.1] BUG: unable to handle page fault\r\n[ 2.2] RIP: 0010:simplify_symbols+0x1/0x2\r\n\
                 [ 2.3]  ? do_one_initcall+0x1/0x2\r\n";
    let words = parse(&results(""), &[FIRST, SECOND, crash].concat(), true);
    assert!(word(&words, "a@k/m", "m").unheard.is_none());
    let second = word(&words, "b@k/m", "m");
    assert!(!second.loads);
    let why = second.unheard.unwrap();
    assert!(why.starts_with(IN_LOADER) && why.contains("RIP: 0010:simplify_symbols"), "{why}");
}

#[test]
fn down_in_the_modules_own_code_is_taken() {
    let traced = "[ 2.1] module_load: m O\r\n[ 2.2] RIP: 0010:0x0\r\n";
    let called = "[ 2.1] RIP: 0010:m_init+0x1/0x2 [m]\r\n[ 2.2]  do_one_initcall+0x1/0x2\r\n";
    for crash in [traced, called] {
        let words = parse(&results(""), &[FIRST, SECOND, crash].concat(), true);
        let second = word(&words, "b@k/m", "m");
        assert!(second.loads && second.unheard.is_none(), "{crash}");
        assert_eq!(second.log[0], OWN_CODE);
    }
    // A trace of a module of another name is none of it.
    let other = "[ 2.1] module_load: mm O\r\n";
    let words = parse(&results(""), &[FIRST, SECOND, other].concat(), true);
    assert!(word(&words, "b@k/m", "m").unheard.is_some());
}

#[test]
fn down_after_it_was_taken_is_not_heard() {
    let crash = "[ 2.2] RIP: 0010:delete_module+0x1/0x2\r\n";
    let words = parse(&results("R M m 0\nK kj: loaded\n"), &[FIRST, SECOND, crash].concat(), true);
    let why = word(&words, "b@k/m", "m").unheard.unwrap();
    assert!(why.starts_with(AFTER) && why.contains("RIP: 0010:delete_module"), "{why}");
    // What was refused was refused.
    let words = parse(&results("R M m 8\n"), &[FIRST, SECOND, crash].concat(), true);
    let second = word(&words, "b@k/m", "m");
    assert!(second.unheard.is_none() && !second.loads && second.errno == 8);
}

#[test]
fn down_in_what_it_needs_says_nothing_of_it() {
    let text = "READY\nB b@k/m\nL D needed\n";
    let console = "judge: loads D needed of b@k/m\nmodule_load: needed\n";
    assert!(parse(text, console, true)["b@k/m"].is_empty());
}

#[test]
fn between_two_sets_nothing_is_lost() {
    let words = parse("READY\nB a@k/m\nL M m\nR M m 0\nE a@k/m\nB b@k/m\n", FIRST, true);
    assert_eq!(words.len(), 1);
    assert!(word(&words, "a@k/m", "m").loads);
}
