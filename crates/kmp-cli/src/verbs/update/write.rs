// SPDX-License-Identifier: LGPL-2.1-or-later
//! Writes what `kmp update` has found: for the next time, and the rules for libzypp.

use std::io;
use std::path::Path;

use kmp_core::apply;
use kmp_core::dialect::Dialect;
use kmp_core::history;
use kmp_core::last_update;
use kmp_core::root::Root;
use kmp_repo::kept::Cache;
use kmp_repo::update::{Update, locks, without_installed};
use rpm_meta::{Evr, vercmp};

use super::look::Found;
use crate::context::Context;

/// The rules, which every program of libzypp's reads.
const RULES: &str = "/etc/zypp/systemCheck.d/kmp.check";

/// The first version of libzypp that knows conditions in them.
const KNOWS_RULES: &str = "17.31.9";

/// What earlier ones are given instead.
const LOCKS: &str = "/etc/zypp/locks";

/// The largest file of them, in bytes.
const LIMIT: u64 = 16 << 20;

/// Is libzypp too old for rules with conditions?
pub fn uses_locks(found: &Found) -> bool {
    let is_old = |evr: &Evr| vercmp(&evr.version, KNOWS_RULES).is_lt();
    found.dialect == Dialect::Suse && found.libzypp.as_ref().is_some_and(is_old)
}

/// Writes it all; where nothing has changed, nothing.
pub fn write(context: &Context, found: &Found) -> Result<(), String> {
    let root = &context.root;
    let failed = |path: &str, e: std::io::Error| format!("{path} cannot be written: {e}");
    // Without it kernels would be held since today for ever.
    found.kept.save(root).map_err(|e| failed(last_update::FILE, e))?;
    if found.dialect == Dialect::Suse && root.try_exists(Path::new("/etc/zypp")).unwrap_or(false) {
        let knows_rules = !uses_locks(found);
        let rules = found.rules.as_ref().filter(|_| knows_rules).map(String::as_bytes);
        apply::replace(root, Path::new(RULES), rules).map_err(|e| failed(RULES, e))?;
        let nothing = Update::default();
        lock(root, if knows_rules { &nothing } else { &found.update }).map_err(|e| failed(LOCKS, e))?;
    }
    context.record(history::of_held(found.last.as_ref(), &found.kept));
    Ok(())
}

/// Locks kernels that are held, and unlocks others.
fn lock(root: &Root, update: &Update) -> io::Result<()> {
    let path = Path::new(LOCKS);
    let bytes = root.read_if_there(path, LIMIT)?.unwrap_or_default();
    // What is no text is nobody's locks that we could keep.
    let Ok(file) = String::from_utf8(bytes) else { return Ok(()) };
    let Some(text) = locks(&file, update) else { return Ok(()) };
    apply::replace(root, path, Some(text.as_bytes())).map(drop)
}

/// Takes all of it away.
pub fn clear(context: &Context) -> Result<(), String> {
    for path in [RULES, last_update::FILE] {
        apply::replace(&context.root, Path::new(path), None)
            .map_err(|e| format!("{path} cannot be removed: {e}"))?;
    }
    Cache::clear(&context.root)
        .map_err(|e| format!("what is kept of repositories cannot be removed: {e}"))?;
    lock(&context.root, &Update::default()).map_err(|e| format!("{LOCKS} cannot be written: {e}"))
}

/// Takes away the rules about kernels that have come since they were written. What cannot be read or written stays: the next
/// `kmp update` writes it anew.
pub fn forget_installed(context: &Context) {
    let root: &Root = &context.root;
    let Ok(Some(bytes)) = root.read_if_there(Path::new(RULES), LIMIT) else { return };
    let Ok(Ok(database)) = context.rpm().map(|rpm| rpm.open(root.path())) else { return };
    let is_installed = |name: &str, evr: &str| {
        let instances = database.by_name(name).unwrap_or_default();
        let mut packages = instances.into_iter().filter_map(|i| database.package(i, &|_| false).ok());
        packages.any(|package| package.evr.to_string() == evr)
    };
    if let Some(left) = without_installed(&String::from_utf8_lossy(&bytes), &is_installed)
        && let Err(e) = apply::replace(root, Path::new(RULES), Some(left.as_bytes()))
    {
        log::warn!("{RULES} cannot be written: {e}");
    }
}
