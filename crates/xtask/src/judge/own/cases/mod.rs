// SPDX-License-Identifier: LGPL-2.1-or-later
//! The modules that are judged on small kernels: built from C, or changed by hand afterwards.

mod elf;
mod modinfo;
mod relocations;
mod sections;
mod signatures;
mod sources;
mod versions;

use super::kernel::Small;
use crate::judge::cases::{self as common, Replaced, Spec};
use crate::judge::edit::Edit;
use crate::judge::elf::File;
use crate::judge::run::Result;

/// The module that most of the changed ones are made from: see `KJ_BASE` in `tests/judge/module.c`.
const BASE: &str = "kj_base";

/// The modules for a kernel.
pub fn all(small: &Small) -> Vec<Spec> {
    let mut specs = common::all(&small.kernel, std::slice::from_ref(&small.kernel), &Replaced::default());
    specs.push(common::spec("base", BASE, &[("KJ_BASE", "1")], vec![]));
    specs.extend(sources::all(small));
    specs.extend(elf::all());
    specs.extend(sections::all());
    specs.extend(relocations::all());
    specs.extend(modinfo::all(small));
    specs.extend(versions::all(small));
    specs.extend(signatures::all(small));
    if !versions::has_basic(small) {
        let needs = |edit: &Edit| matches!(edit, Edit::BadCrc(_) | Edit::LoseEntry(_) | Edit::LoseAllEntries);
        let basic =
            |edit: &Edit| matches!(edit, Edit::Objcopy(words) if words.iter().any(|w| w == "__versions"));
        specs.retain(|spec| !spec.edits.iter().any(|edit| needs(edit) || basic(edit)));
    }
    specs
}

/// The base module, changed; a set of its own.
fn changed(set: &str, change: impl Fn(&mut File) -> Result<()> + Send + Sync + 'static) -> Spec {
    copy(set, vec![Edit::elf(change)])
}

/// The base module with these changes; a set of its own.
fn copy(set: &str, edits: Vec<Edit>) -> Spec {
    Spec { copy_of: Some(BASE), ..common::spec(set, BASE, &[], edits) }
}
