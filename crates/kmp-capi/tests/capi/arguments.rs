// SPDX-License-Identifier: LGPL-2.1-or-later
//! Null and bad arguments give a code and words, and nothing else happens.

use std::ffi::{CStr, c_char, c_int};
use std::mem::{size_of, zeroed};
use std::ptr::{null, null_mut};

use kmp_capi::*;
use testkit::TestRoot;

fn last_error() -> String {
    // SAFETY: never null, and valid until the next failure in this thread.
    unsafe { CStr::from_ptr(kmp_last_error()) }.to_str().unwrap().to_string()
}

#[track_caller]
fn assert_fails(got: c_int, expected: c_int, words: &str) {
    assert_eq!(got, expected, "{}", last_error());
    assert!(last_error().contains(words), "{}", last_error());
}

fn open(root: &TestRoot) -> *mut Kmp {
    let path = std::ffi::CString::new(root.path().to_str().unwrap()).unwrap();
    let mut kmp = null_mut();
    assert_eq!(kmp_open(path.as_ptr(), 0, &raw mut kmp), code::OK, "{}", last_error());
    kmp
}

#[test]
fn null_is_never_followed() {
    assert_fails(kmp_open(null(), 0, null_mut()), code::E_ARGUMENT, "out is NULL");
    let mut report = null_mut();
    let out = &raw mut report;
    assert_fails(kmp_check(null_mut(), null(), 0, null(), out), code::E_ARGUMENT, "kmp is NULL");
    assert_fails(kmp_sync(null_mut(), 0, out), code::E_ARGUMENT, "kmp is NULL");
    assert_fails(kmp_transaction_new(null_mut(), null_mut()), code::E_ARGUMENT, "out is NULL");
    assert_fails(kmp_transaction_add(null_mut(), null()), code::E_ARGUMENT, "transaction is NULL");
    assert_fails(kmp_transaction_add_file(null_mut(), null()), code::E_ARGUMENT, "transaction is NULL");
    assert_fails(kmp_transaction_update_file(null_mut(), null()), code::E_ARGUMENT, "transaction is NULL");
    assert_fails(kmp_transaction_add_fd(null_mut(), 0), code::E_ARGUMENT, "transaction is NULL");
    assert_fails(kmp_transaction_remove(null_mut(), 1, 0), code::E_ARGUMENT, "transaction is NULL");
    let symvers = kmp_transaction_symvers(null_mut(), null(), null(), 0);
    assert_fails(symvers, code::E_ARGUMENT, "transaction is NULL");
    assert_fails(kmp_transaction_judge(null_mut(), null(), out), code::E_ARGUMENT, "transaction is NULL");
    assert_fails(kmp_report_get(null(), 0, null_mut()), code::E_ARGUMENT, "report is NULL");
    assert_fails(kmp_report_reason(null(), 0, 0, null_mut()), code::E_ARGUMENT, "report is NULL");
    assert_eq!((kmp_report_count(null()), kmp_report_verdict(null()), kmp_concerns(null())), (0, 0, 0));
    kmp_close(null_mut());
    kmp_report_free(null_mut());
    kmp_transaction_free(null_mut());
}

#[test]
fn what_is_wrong_is_named() {
    let mut kmp = null_mut();
    let out = &raw mut kmp;
    assert_fails(kmp_open(null(), 0x80, out), code::E_ARGUMENT, "0x80");
    assert_fails(kmp_open(c"/no/such/root".as_ptr(), 0, out), code::E_ROOT, "/no/such/root");
    assert!(kmp.is_null());

    let root = TestRoot::new();
    let kmp = open(&root);
    let mut report = null_mut();
    let out = &raw mut report;
    assert_fails(kmp_sync(kmp, 8, out), code::E_ARGUMENT, "0x8");
    assert_fails(kmp_check(kmp, null(), 1, null(), out), code::E_ARGUMENT, "names is NULL");
    let names: [*const c_char; 2] = [c"a".as_ptr(), null()];
    assert_fails(kmp_check(kmp, names.as_ptr(), 2, null(), out), code::E_ARGUMENT, "a name is NULL");
    assert_fails(kmp_check(kmp, names.as_ptr(), usize::MAX, null(), out), code::E_ARGUMENT, "members");
    assert_fails(kmp_check(kmp, null(), 0, c"\xff".as_ptr(), out), code::E_ARGUMENT, "UTF-8");
    assert_fails(kmp_check(kmp, null(), 0, null(), out), code::E_NO_KERNEL, "there is no kernel in");
    let file = [c"./nothing.rpm".as_ptr()];
    assert_fails(kmp_check(kmp, file.as_ptr(), 1, null(), out), code::E_FILE, "nothing.rpm");

    let mut transaction = null_mut();
    assert_eq!(kmp_transaction_new(kmp, &raw mut transaction), code::OK);
    // The order of freeing is the caller's.
    kmp_close(kmp);
    assert_fails(kmp_transaction_remove(transaction, 0, 0), code::E_ARGUMENT, "no instance");
    let not_there = kmp_transaction_add_file(transaction, c"/no/file.rpm".as_ptr());
    assert_fails(not_there, code::E_PACKAGE, "/no/file.rpm");
    assert_fails(kmp_transaction_add_fd(transaction, -1), code::E_ARGUMENT, "no open file");
    assert_fails(kmp_transaction_add_fd(transaction, c_int::MAX), code::E_PACKAGE, "descriptor");
    let text = b"not symvers\n";
    let symvers = kmp_transaction_symvers(transaction, c"1".as_ptr(), text.as_ptr().cast(), text.len());
    assert_fails(symvers, code::E_SYMVERS, "symbol versions");
    assert_fails(kmp_transaction_judge(transaction, c"perhaps".as_ptr(), out), code::E_ARGUMENT, "perhaps");
    assert_fails(kmp_transaction_judge(transaction, null(), out), code::E_SPENT, "already");
    assert_fails(kmp_transaction_add(transaction, null()), code::E_SPENT, "already");
    kmp_transaction_free(transaction);
    assert!(report.is_null());
}

#[test]
fn structs_of_other_versions_are_read_and_written_within_their_size() {
    let root = TestRoot::new();
    let kmp = open(&root);
    let mut transaction = null_mut();
    assert_eq!(kmp_transaction_new(kmp, &raw mut transaction), code::OK);

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Newer {
        known: Package,
        more: usize,
    }
    // SAFETY: integers and raw pointers.
    let mut newer: Newer = unsafe { zeroed() };
    newer.known.size = size_of::<Newer>();
    newer.known.epoch = -1;
    newer.known.name = c"foo".as_ptr();
    newer.known.version = c"1".as_ptr();
    let add = |package: &Newer| kmp_transaction_add(transaction, (&raw const *package).cast());
    assert_fails(add(&newer), code::E_ARGUMENT, "release is NULL");
    newer.known.release = c"1".as_ptr();
    assert_eq!(add(&newer), code::OK, "{}", last_error());
    newer.more = 1;
    assert_fails(add(&newer), code::E_SIZE, "does not know");
    newer.known.size = 8;
    assert_fails(add(&newer), code::E_SIZE, "the size of package is 8");
    newer.known.size = size_of::<Package>();
    assert_eq!(add(&newer), code::OK);
    newer.known.epoch = -2;
    assert_fails(add(&newer), code::E_ARGUMENT, "-2");
    newer.known.epoch = 0;
    newer.known.files_count = 1;
    assert_fails(add(&newer), code::E_ARGUMENT, "files is NULL");
    kmp_transaction_free(transaction);
    kmp_close(kmp);

    // What is written: a report with one finding, read into a larger and a smaller struct.
    let (root, ..) = crate::both::root_with_two_kernels();
    let kmp = open(&root);
    let mut report = null_mut();
    assert_eq!(kmp_check(kmp, null(), 0, null(), &raw mut report), code::OK, "{}", last_error());
    kmp_close(kmp);
    let mut place = [0xaa_u8; size_of::<Finding>() + 16];
    let finding: *mut Finding = place.as_mut_ptr().cast();
    let mut get = |size: usize| {
        place.fill(0xaa);
        place[..8].copy_from_slice(&size.to_ne_bytes());
        (kmp_report_get(report, 0, finding), place)
    };
    let (done, place) = get(size_of::<Finding>() + 8);
    assert_eq!(done, code::OK);
    assert!(place[size_of::<Finding>()..][..8].iter().all(|b| *b == 0), "what is not known is zero");
    assert!(
        place[size_of::<Finding>() + 8..].iter().all(|b| *b == 0xaa),
        "beyond the size nothing is touched"
    );
    let (failed, place) = get(size_of::<Finding>() - 8);
    assert_fails(failed, code::E_SIZE, "the size of finding_out");
    assert!(place[8..].iter().all(|b| *b == 0xaa));
    // SAFETY: integers and raw pointers.
    let mut reason: Reason = unsafe { zeroed() };
    reason.size = size_of::<Reason>();
    assert_fails(kmp_report_get(report, 9, finding), code::E_INDEX, "no finding 9");
    assert_fails(kmp_report_reason(report, 0, 0, &raw mut reason), code::E_INDEX, "no reason 0");
    assert_eq!(kmp_report_reason(report, 1, 0, &raw mut reason), code::OK, "{}", last_error());
    assert_eq!((reason.has_wanted, reason.wanted, reason.offered), (1, 7, 8));
    kmp_report_free(report);
}

#[test]
fn only_what_is_below_the_modules_concerns() {
    for (path, expected) in [
        (c"/lib/modules/6.4.0/updates/a.ko", 1),
        (c"/usr/lib/modules", 1),
        (c"/usr/lib/modules/", 1),
        (c"/usr/lib/modules-load.d/a.conf", 0),
        (c"/usr/lib/modprobe.d/a.conf", 0),
        (c"lib/modules/x", 0),
        (c"", 0),
    ] {
        assert_eq!(kmp_concerns(path.as_ptr()), expected, "{path:?}");
    }
}
