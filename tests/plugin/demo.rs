// SPDX-License-Identifier: LGPL-2.1-or-later
//! The demo says what it did when its screen was written down (`cargo xtask demo --write`), and README.md has it.

use std::path::Path;

use crate::support::plugin;

#[test]
fn the_demos_screen_is_the_one_in_the_readme() {
    let shown =
        testkit::demo::play(Path::new(env!("CARGO_BIN_EXE_kmp")), plugin(), &mut |line| println!("{line}"));
    assert_eq!(shown.wrong, [""; 0]);
    assert_eq!(shown.screen, include_str!("demo.screen"), "cargo xtask demo --write writes it anew");
    let wide: Vec<&str> = shown.screen.lines().filter(|line| line.chars().count() > 80).collect();
    assert_eq!(wide, [""; 0]);
    assert!(include_str!("../../README.md").contains(&format!("\n{}", shown.for_readme())));
}
