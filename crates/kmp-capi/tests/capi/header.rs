// SPDX-License-Identifier: LGPL-2.1-or-later
//! The header in C and C++: it compiles, and its structs are laid out as those of the code. That it declares what the
//! code has is seen to where it is made, in xtask.

use std::ffi::{CStr, c_char};
use std::fmt::Write as _;
use std::fs;
use std::mem::{offset_of, size_of};
use std::process::Command;

use kmp_capi::{Dependency, Finding, Package, Reason, kmp_kind_name, kmp_state_name};
use testkit::run;

use crate::library::SOURCE;

fn size_of_member<T, M>(_: impl Fn(&T) -> &M) -> usize {
    size_of::<M>()
}

#[test]
fn every_layout_is_that_of_the_code() {
    // As C++ too, in the oldest dialect that has stdint.h.
    let mut program = String::from(
        "#include <kmp.h>\n\
         #ifdef __cplusplus\n\
         #define same(claim) static_assert(claim, #claim)\n\
         #else\n\
         #define same(claim) _Static_assert(claim, #claim)\n\
         #endif\n",
    );
    macro_rules! layout {
        ($c:literal, $rust:ident: $($member:ident)+) => {
            let _ = writeln!(program, "same(sizeof(struct {}) == {});", $c, size_of::<$rust>());
            $(
                let (c, member, offset) = ($c, stringify!($member), offset_of!($rust, $member));
                let _ = writeln!(program, "same(offsetof(struct {c}, {member}) == {offset});");
                let size = size_of_member(|of: &$rust| &of.$member);
                let _ = writeln!(program, "same(sizeof(((struct {c} *)0)->{member}) == {size});");
            )+
        };
    }
    layout!("kmp_dependency", Dependency: name evr);
    layout!("kmp_package", Package: size name epoch version release arch provides provides_count requires_
        requires_count files files_count);
    layout!("kmp_finding", Finding: size kind state release package module path text advice reasons policy loaded);
    layout!("kmp_reason", Reason: size rule symbol has_wanted wanted has_offered offered exporter detail);

    let dir = tempfile::tempdir().unwrap();
    for (compiler, dialect, name) in [("cc", "-std=c11", "layout.c"), ("c++", "-std=c++11", "layout.cc")] {
        let file = dir.path().join(name);
        fs::write(&file, &program).unwrap();
        let mut compile = Command::new(compiler);
        compile.args([dialect, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]);
        run(compile.arg(format!("-I{SOURCE}/include")).arg(file)).expect_success();
    }
}

/// The constants of a block of the header that begins with this comment.
fn block(comment: &str) -> Vec<(String, u32)> {
    let header = fs::read_to_string(format!("{SOURCE}/include/kmp.h")).unwrap();
    let (_, block) = header.split_once(comment).unwrap();
    let lines = block.lines().skip(1).map_while(|line| line.strip_prefix("#define KMP_"));
    let constants = lines.map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap().to_lowercase().replace('_', "-");
        (name, words.next().unwrap().trim_end_matches('u').parse().unwrap())
    });
    constants.collect()
}

#[test]
fn kinds_and_states_have_the_names_of_their_constants() {
    let of = |name: extern "C" fn(u32) -> *const c_char, number| {
        // SAFETY: the library's own static text.
        unsafe { CStr::from_ptr(name(number)) }.to_str().unwrap()
    };
    let (kinds, states) = (block("/* Kinds of findings"), block("/* States of findings"));
    assert!(kinds.len() >= 9 && states.len() >= 16, "{kinds:?} {states:?}");
    for (name, number) in &kinds {
        assert_eq!(of(kmp_kind_name, *number), name);
    }
    for (name, number) in &states {
        assert_eq!(of(kmp_state_name, *number), name);
    }
    assert_eq!((of(kmp_kind_name, 999), of(kmp_state_name, 999)), ("", ""));
}
