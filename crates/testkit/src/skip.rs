// SPDX-License-Identifier: LGPL-2.1-or-later
//! Tests that show nothing on the machine they run on.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

/// Says that the test that is running shows nothing on this machine, and why. `cargo xtask test` counts it as skipped, and
/// not as passed; with cargo alone the line is seen as well, for it does not go the way that the test harness catches.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "\nSKIPPED {test}: {}", why.trim().replace('\n', " "));
}

/// Does this machine's own root exist here? Not in the user namespace of an ordinary user, where "/" and all that is the machine's
/// own belongs to a user whom nobody knows.
pub fn has_the_machines_root() -> bool {
    std::fs::metadata("/").is_ok_and(|root| root.uid() == 0)
}

/// Can a program run as another user? Not in the user namespace of somebody who has no subordinate users (`/etc/subuid`); the
/// test that asks is [skipped](skip) then.
pub fn has_other_users() -> bool {
    let other = ["--reuid=65534", "--regid=65534", "--clear-groups", "true"];
    let status = Command::new("setpriv").args(other).stderr(Stdio::null()).status();
    let has = status.is_ok_and(|status| status.success());
    if !has {
        skip("there are no other users in this user namespace");
    }
    has
}
