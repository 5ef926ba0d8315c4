// SPDX-License-Identifier: LGPL-2.1-or-later
//! All modules of a kernel's own.

use std::sync::Mutex;

use super::module::read_module;
use crate::abi::Module;
use crate::inventory::kernels::{FoundModule, Release};
use crate::problem::Problem;
use crate::root::Root;
use crate::tree::IN_TREE;
use crate::workers::Workers;

/// Reads every in-tree module; what is broken is passed over. Returns one that could not be read, if there is one.
pub(super) fn each(
    root: &Root,
    workers: &dyn Workers,
    release: &Release,
    job: impl Fn(&FoundModule, &Module) + Sync,
) -> Option<Problem> {
    let unread = Mutex::new(None);
    workers.run(release.in_tree.len(), &|i| {
        let found = &release.in_tree[i];
        match read_module(root, &found.path) {
            Ok(module) => job(found, &module),
            Err(fault) if fault.is_unread() => {
                let problem = Problem::new(root.display(&found.path), fault.to_string());
                if let Ok(mut unread) = unread.lock() {
                    *unread = Some(Problem { is_unread: true, ..problem });
                }
            }
            Err(_) => {}
        }
    });
    unread.into_inner().unwrap_or_default()
}

/// An in-tree module's name in symvers: its path below `kernel/`, without `.ko` and what follows.
pub(super) fn exporter(found: &FoundModule) -> String {
    let below = found.below.strip_prefix(IN_TREE).unwrap_or(&found.below);
    let text = below.to_string_lossy();
    text.rfind(".ko").map_or(&*text, |end| &text[..end]).to_string()
}
