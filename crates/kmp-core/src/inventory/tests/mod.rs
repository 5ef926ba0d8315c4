// SPDX-License-Identifier: LGPL-2.1-or-later
//! Stock taken of throwaway roots, without packages.

mod depmod_d;
mod loading;
mod releases;

use testkit::TestRoot;

use super::Inventory;
use crate::root::Root;
use crate::workers::Serial;

fn open(files: &TestRoot) -> Root {
    Root::open(&files.path()).unwrap()
}

fn take(root: &Root) -> Inventory {
    Inventory::take(root, Err(&librpm_rt::Error::NoLibrary { tried: vec![] }), &[], &Serial).unwrap()
}
