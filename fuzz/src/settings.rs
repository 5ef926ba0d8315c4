// SPDX-License-Identifier: LGPL-2.1-or-later
//! Configuration: ours, dracut's, depmod's, the kernel's.

use std::cmp::Ordering;

use kmp_core::abi::KernelConfig;
use kmp_core::assignments::{Assignments, LeftOut};
use kmp_core::config::Config;
use kmp_core::dialect::Dialect;
use kmp_core::fuzz;
use kmp_core::glob;
use kmp_core::initrd::Drivers;

/// Both halves of the input as texts; a NUL parts them.
fn two(data: &[u8]) -> (String, String) {
    let mut parts = data.splitn(2, |b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

pub fn assignments(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut read = Assignments::default();
    let left_out = read.read(&text);
    let lines = text.split('\n').count();
    assert!(left_out.iter().all(|(LeftOut::NotRun(line) | LeftOut::Rest(line))| (1..=lines).contains(line)));
    read.get("v");
}

/// What the last `kmp update` found.
pub fn last_update(data: &[u8]) {
    fuzz::last_update(&String::from_utf8_lossy(data));
}

/// The values that matter, and the order of files.
pub fn dracut_conf(data: &[u8]) {
    let (text, rest) = two(data);
    let mut read = Assignments::default();
    read.read(&text);
    let drivers = Drivers::of(&read);
    assert!(drivers.wanted.is_disjoint(&drivers.omitted));
    let (a, b) = two(rest.as_bytes());
    let order = fuzz::by_version(a.as_bytes(), b.as_bytes());
    assert_eq!(order, fuzz::by_version(b.as_bytes(), a.as_bytes()).reverse(), "{a:?} {b:?}");
    assert_eq!(fuzz::by_version(a.as_bytes(), a.as_bytes()), Ordering::Equal);
}

pub fn kmp_conf(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut config = Config::default();
    let faults = config.read(&text);
    assert!(faults.len() <= text.lines().count());
    config.policy_for("foo-kmp-default");
    config.protects("foo-kmp-default", &["foo".into()], true);
}

pub fn os_release(data: &[u8]) {
    Dialect::of_os_release(&String::from_utf8_lossy(data));
}

pub fn glob(data: &[u8]) {
    let (glob, text) = two(data);
    let found = glob::matches(&glob, &text);
    assert!(glob::matches("*", &text) && glob::matches(&format!("{glob}*"), &glob.replace('*', "")));
    assert!(!found || glob::matches(&format!("*{glob}*"), &text));
}

pub fn depmod_d(data: &[u8]) {
    let (release, text) = two(data);
    fuzz::depmod_d(&text, "foo", &release);
}

pub fn kernel_config(data: &[u8]) {
    assert!(KernelConfig::parse(data).extended_versions.is_some());
}
