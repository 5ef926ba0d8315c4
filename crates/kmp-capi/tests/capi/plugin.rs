// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a plugin of rpm calls, hook by hook, in a process without rpm. In rpm itself: tests/plugin/.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};

use kmp_capi::*;
use testkit::TestRoot;

type Said = Vec<(c_int, String)>;

extern "C" fn hear(context: *mut c_void, level: c_int, text: *const c_char) {
    // SAFETY: the list that the plugin was made with.
    let said = unsafe { &mut *context.cast::<Said>() };
    // SAFETY: a string, by what the header says.
    let text = unsafe { CStr::from_ptr(text) };
    said.push((level, text.to_str().unwrap().into()));
}

/// What is said in a life of a plugin.
fn life(during: impl FnOnce(*mut Plugin)) -> Said {
    let mut said = Said::new();
    let mut plugin = null_mut();
    assert_eq!(kmp_plugin_new(Some(hear), (&raw mut said).cast(), &raw mut plugin), code::OK);
    during(plugin);
    kmp_plugin_free(plugin);
    said
}

fn environment(plugin: *const Plugin) -> String {
    // SAFETY: never null, and static.
    unsafe { CStr::from_ptr(kmp_plugin_environment(plugin)) }.to_str().unwrap().into()
}

/// A transaction of one package, up to the veto. Was there something to be described?
fn transaction(plugin: *mut Plugin, root: &Path, policy: Option<&CStr>, concerns: c_int) -> bool {
    let root = CString::new(root.to_str().unwrap()).unwrap();
    kmp_plugin_begin(plugin, root.as_ptr(), 0);
    kmp_plugin_element(plugin, c"foo-1-1.noarch".as_ptr(), concerns);
    let mut described = null_mut();
    let policy = policy.map_or(null(), CStr::as_ptr);
    assert_eq!(kmp_plugin_describe(plugin, policy, &raw mut described), code::OK);
    assert_eq!(kmp_plugin_judge(plugin, described), verdict::GOOD);
    let is_described = !described.is_null();
    kmp_transaction_free(described);
    is_described
}

#[test]
fn a_transaction_that_does_not_concern_us_leaves_no_trace() {
    let root = TestRoot::new();
    let before = root.tree();
    let said = life(|plugin| {
        assert!(!transaction(plugin, &root.path(), None, 0));
        kmp_plugin_changed(plugin);
        kmp_plugin_scriptlet(plugin, c"%posttrans(foo-1-1.noarch)".as_ptr());
        assert_eq!(environment(plugin), "");
        kmp_plugin_end(plugin, null());
    });
    assert_eq!(said, []);
    assert_eq!(root.tree(), before);
}

#[test]
fn a_fault_of_ours_is_one_warning_in_each_transaction() {
    let root = Path::new("/no/such/root");
    let said = life(|plugin| {
        for _ in 0..2 {
            assert!(!transaction(plugin, root, Some(c"perhaps"), 1));
        }
        kmp_plugin_fault(plugin, c"what".as_ptr(), c"why\n".as_ptr());
        kmp_plugin_fault(plugin, null(), null());
    });
    let levels: Vec<c_int> = said.iter().map(|(level, _)| *level).collect();
    let (warning, info) = (level::WARNING, level::INFO);
    assert_eq!(levels, [warning, info, warning, info, info, info], "{said:?}");
    assert_eq!(said[0].1, "%_kmp_policy is abort, warn or off, not: perhaps");
    assert!(said[1].1.starts_with("the transaction is not judged: "), "{said:?}");
    assert_eq!(said[4].1, "what: why");
}

#[test]
fn the_policy_off_asks_for_nothing() {
    let root = TestRoot::new();
    assert_eq!(life(|plugin| assert!(!transaction(plugin, &root.path(), Some(c"off"), 1))), []);
}

#[test]
fn without_a_plugin_nothing_happens() {
    let mut described = null_mut();
    kmp_plugin_begin(null_mut(), null(), 0);
    kmp_plugin_element(null_mut(), null(), 1);
    assert_eq!(kmp_plugin_describe(null_mut(), null(), &raw mut described), code::E_ARGUMENT);
    assert_eq!(kmp_plugin_describe(null_mut(), null(), null_mut()), code::E_ARGUMENT);
    assert_eq!(kmp_plugin_is_named(null_mut(), null()), 0);
    assert_eq!(kmp_plugin_judge(null_mut(), null_mut()), verdict::GOOD);
    kmp_plugin_changed(null_mut());
    kmp_plugin_scriptlet(null_mut(), null());
    assert_eq!(environment(null()), "");
    kmp_plugin_end(null_mut(), null());
    kmp_plugin_fault(null_mut(), null(), null());
    kmp_plugin_free(null_mut());
    assert_eq!(kmp_plugin_new(None, null_mut(), null_mut()), code::E_ARGUMENT);
    assert_eq!((kmp_builds_drivers(null()), kmp_builds_drivers(c"/usr/src/x/dkms.conf".as_ptr())), (0, 1));
    // One that nobody listens to.
    let mut plugin = null_mut();
    assert_eq!(kmp_plugin_new(None, null_mut(), &raw mut plugin), code::OK);
    kmp_plugin_fault(plugin, c"what".as_ptr(), c"why".as_ptr());
    kmp_plugin_free(plugin);
}
