// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask index`: made indexes beside those of depmod, for more trees than the suite takes.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::run::{cargo_command, finish};

/// Make indexes of random trees, and compare them with what depmods write.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many trees.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    trees: u64,
    /// The first tree's seed.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Another depmod, beside the machine's own.
    #[arg(long, value_name = "PROGRAM")]
    depmod: Vec<PathBuf>,
    /// A directory of a whole kernel's modules, such as /usr/lib/modules/KERNEL.
    #[arg(long, value_name = "DIR")]
    kernel: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    let mut words =
        vec!["test", "--quiet", "-p", "kmod-index", "--test", "depmod", "--", "--nocapture", "random_trees"];
    if !arguments.kernel.is_empty() {
        words.extend(["whole_kernels", "--include-ignored"]);
    }
    let list = |paths: &[PathBuf]| -> Result<OsString, String> {
        std::env::join_paths(paths).map_err(|e| format!("a path has a colon in it: {e}"))
    };
    let mut cargo = cargo_command(&[], &words);
    cargo.env("KMP_TEST_INDEX_TREES", arguments.trees.to_string());
    cargo.env("KMP_TEST_INDEX_SEED", arguments.seed.to_string());
    cargo.env("KMP_TEST_DEPMODS", list(&arguments.depmod)?);
    cargo.env("KMP_TEST_INDEX_KERNELS", list(&arguments.kernel)?);
    finish("the comparison of indexes", &mut cargo)
}
