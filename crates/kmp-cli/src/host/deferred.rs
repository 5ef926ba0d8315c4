// SPDX-License-Identifier: LGPL-2.1-or-later
//! Inside of an rpm transaction that rpm's plugin looks after, a scriptlet's request is left to it.

use std::path::Path;

use kmp_core::root::Root;
use kmp_core::run_dir::transaction;

/// Is this a scriptlet of such a transaction, by its environment?
pub fn is_asked_for() -> bool {
    std::env::var_os(transaction::VARIABLE).is_some()
}

/// Leaves a request to the plugin, if it is there to serve it ([`transaction::request`]). If not, it is for the caller to do the
/// work at once; that is right in every doubtful case, too.
pub fn note(root: &Path, request: &[&str], asking: Option<&str>, touched: &[String]) -> bool {
    if !is_asked_for() {
        return false;
    }
    let opened = Root::open(root).map_err(std::io::Error::other);
    opened.and_then(|root| transaction::request(&root, request, asking, touched)).unwrap_or_else(|e| {
        log::warn!("the request cannot be left to the transaction, and is carried out at once: {e}");
        false
    })
}
