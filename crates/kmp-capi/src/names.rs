// SPDX-License-Identifier: LGPL-2.1-or-later
//! Words for numbers, and the names of rules.

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

use kmp_core::abi::Rule;

use crate::error::c_text;
use crate::report::{kind, policy, state, verdict};
use crate::{arg, ret};

/// Each is the constant's name in lower case, with `-` for `_`: a test compares them with the header.
const KINDS: &[(u32, &CStr)] = &[
    (kind::MODULE, c"module"),
    (kind::CHANGE, c"change"),
    (kind::DEPMOD, c"depmod"),
    (kind::NOT_LINKED, c"not-linked"),
    (kind::LOST, c"lost"),
    (kind::PROBLEM, c"problem"),
    (kind::INITRD, c"initrd"),
    (kind::MESSAGE, c"message"),
    (kind::KERNEL, c"kernel"),
    (kind::DRIVER, c"driver"),
    (kind::SYMBOL, c"symbol"),
    (kind::PROSPECT, c"prospect"),
];

/// As [`KINDS`]. Those that the engine has as well have its words.
const STATES: &[(u32, &CStr)] = &[
    (state::NONE, c"none"),
    (state::COMPATIBLE, c"compatible"),
    (state::REFUSED, c"refused"),
    (state::UNREAD, c"unread"),
    (state::BREAKS, c"breaks"),
    (state::ADDED, c"added"),
    (state::REPLACED, c"replaced"),
    (state::REMOVED, c"removed"),
    (state::REPAIRED, c"repaired"),
    (state::DANGLING, c"dangling"),
    (state::DONE, c"done"),
    (state::DUE, c"due"),
    (state::FAILED, c"failed"),
    (state::NEW_KERNEL, c"new-kernel"),
    (state::OLD_KERNEL, c"old-kernel"),
    (state::HAS_ITSELF, c"has-itself"),
    (state::NATIVE, c"native"),
    (state::LINKED, c"linked"),
    (state::UNLINKED, c"unlinked"),
    (state::UNUSED, c"unused"),
    (state::DECLINED, c"declined"),
    (state::CLASH, c"clash"),
    (state::BROKEN, c"broken"),
    (state::RUNNING, c"running"),
    (state::STAYS, c"stays"),
    (state::COMES, c"comes"),
    (state::GOES, c"goes"),
];

fn word(of: &'static [(u32, &'static CStr)], number: u32) -> &'static CStr {
    of.iter().find(|(known, _)| *known == number).map_or(c"", |(_, word)| word)
}

fn text(of: &'static CStr) -> &'static str {
    of.to_str().unwrap_or_default()
}

pub(crate) fn of_kind(number: u32) -> &'static str {
    text(word(KINDS, number))
}

pub(crate) fn of_state(number: u32) -> &'static str {
    text(word(STATES, number))
}

pub(crate) fn of_policy(number: u32) -> &'static str {
    match number {
        policy::ABORT => "abort",
        policy::WARN => "warn",
        _ => "none",
    }
}

pub(crate) fn of_verdict(number: std::ffi::c_int) -> &'static str {
    match number {
        verdict::GOOD => "good",
        verdict::WARN => "warn",
        _ => "abort",
    }
}

/// The word for a kind of findings: "module" for KMP_MODULE, "not-linked" for KMP_NOT_LINKED; "" for an unknown number.
/// Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_kind_name(kind: u32) -> *const c_char {
    word(KINDS, kind).as_ptr()
}

/// The word for a state: "compatible" for KMP_COMPATIBLE, "none" for KMP_NONE; "" for an unknown number.
/// Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_state_name(state: u32) -> *const c_char {
    word(STATES, state).as_ptr()
}

/// A rule's name, and what it asks for.
type Rules = Vec<(CString, CString)>;

fn rules() -> &'static Rules {
    static RULES: OnceLock<Rules> = OnceLock::new();
    RULES.get_or_init(|| {
        Rule::ALL.iter().map(|rule| (c_text(rule.as_str()), c_text(rule.row().words))).collect()
    })
}

/// The name of a rule, as kmp_reason has it. Rules are counted from 0, in the order in which a kernel's loader checks
/// them; "" after the last. A later version may have other numbers, names stay. Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_rule_name(number: usize) -> *const c_char {
    ret::value(c"".as_ptr(), || rules().get(number).map_or(c"".as_ptr(), |(name, _)| name.as_ptr()))
}

/// What the rule of this name asks for, in words: a clause without a full stop; "" for an unknown name and for NULL.
/// Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_rule_words(name: *const c_char) -> *const c_char {
    ret::value(c"".as_ptr(), || {
        let name = arg::optional(name);
        let rule = rules().iter().find(|(known, _)| name == Some(known.as_c_str()));
        rule.map_or(c"".as_ptr(), |(_, words)| words.as_ptr())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmp_core::state::State;

    #[test]
    fn states_of_the_engine_have_its_words() {
        for state in State::ALL {
            assert_eq!(of_state(crate::report::of_state(*state)), state.word());
        }
    }
}
