// SPDX-License-Identifier: LGPL-2.1-or-later
//! How the plugin is built.

use std::process::Command;

use testkit::run;

use crate::support::plugin;

/// What every compiler can do that the distributions have.
#[test]
fn buffers_and_the_stack_are_guarded() {
    let symbols = run(Command::new("readelf").args(["-W", "--dyn-syms"]).arg(plugin())).expect_success();
    for guard in ["__stack_chk_fail", "__snprintf_chk"] {
        assert!(symbols.stdout.contains(guard), "the plugin does not call {guard}: {symbols}");
    }
}
