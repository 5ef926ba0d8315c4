// SPDX-License-Identifier: LGPL-2.1-or-later
//! The command, in roots.

use testkit::TestRoot;

/// Puts the command in, for scriptlets.
pub fn add_command(root: &TestRoot) {
    root.add_program(env!("CARGO_BIN_EXE_kmp"), "/usr/bin/kmp");
    root.symlink("usr/bin/weak-modules2", "kmp");
    root.add_librpm();
}
