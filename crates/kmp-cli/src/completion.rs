// SPDX-License-Identifier: LGPL-2.1-or-later
//! Completions for shells. What is installed for bash, zsh and fish asks the command itself what may follow, so it
//! always fits the command that it completes, and knows the kernels and KMPs that are there.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Command;
use clap_complete::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};
use kmp_core::inventory::Inventory;
use kmp_core::root::Root;
use kmp_core::workers::Serial;
use librpm_rt::Librpm;

/// Names the shell that asks. Not the usual name: a variable that is set by chance must not keep a scriptlet
/// from its work.
const VARIABLE: &str = "KMP_COMPLETE";

/// Answers a shell, if it is a shell that asks; `name` is what the command was called by.
///
/// # Errors
/// In words: it was asked, and cannot answer.
pub fn answer(name: &OsStr, command: fn() -> Command) -> Result<bool, String> {
    let shell = std::env::var(VARIABLE).unwrap_or_default();
    if Shells::builtins().completer(&shell).is_none() {
        return Ok(false);
    }
    let name = name.to_string_lossy();
    let completion = CompleteEnv::with_factory(command).var(VARIABLE).bin(&*name).completer(&*name);
    let directory = std::env::current_dir().ok();
    completion
        .try_complete(std::env::args_os(), directory.as_deref())
        .map_err(|e| format!("cannot print {name}'s completions: {e}"))
}

/// The installed kernels.
pub fn kernels() -> Vec<CompletionCandidate> {
    from_inventory(|found| found.kernels().map(|k| k.release.clone()).collect())
}

/// The installed KMPs by their names.
pub fn kmps() -> Vec<CompletionCandidate> {
    from_inventory(|found| found.kmps.iter().map(|k| k.package.name.clone()).collect())
}

/// Kernels, and KMPs by NAME-VERSION-RELEASE.
pub fn kernels_and_nvrs() -> Vec<CompletionCandidate> {
    kernels().into_iter().chain(nvrs()).collect()
}

/// Kernels, and KMPs as `kmp plan` takes them.
pub fn planned() -> Vec<CompletionCandidate> {
    let kmps = from_inventory(|found| found.kmps.iter().map(|k| format!("@{}", k.package.name)).collect());
    kernels().into_iter().chain(kmps).collect()
}

/// The installed KMPs by NAME-VERSION-RELEASE.
pub fn nvrs() -> Vec<CompletionCandidate> {
    from_inventory(|found| found.kmps.iter().map(|k| k.package.nvr()).collect())
}

/// What cannot be read has no candidates.
fn from_inventory(names: impl Fn(&Inventory) -> Vec<String>) -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let Ok(root) = Root::open(root_of(&words)) else { return Vec::new() };
    let rpm = Librpm::load();
    let Ok(found) = Inventory::take(&root, rpm.as_ref(), &[], &Serial) else { return Vec::new() };
    let mut names = names(&found);
    names.sort();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The root in a command line that is not finished.
fn root_of(words: &[OsString]) -> &Path {
    let after = words.iter().position(|w| w == "--root" || w == "--basedir").and_then(|at| words.get(at + 1));
    let joined = || words.iter().find_map(|w| w.to_str()?.strip_prefix("--root="));
    after.map(Path::new).or_else(|| joined().map(Path::new)).unwrap_or(Path::new("/"))
}
