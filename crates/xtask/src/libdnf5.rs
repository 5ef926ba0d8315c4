// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp's plugin of libdnf5, in C++: built where somebody asks for it (`cargo xtask install --libdnf5`), as its headers are not
//! everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{cannot_run, project};

/// Builds it with the system's compiler, and the flags of `CXXFLAGS` and `LDFLAGS`, as packages are.
pub fn build(to: &Path) -> Result<PathBuf, String> {
    let made = to.join("libdnf5-kmp.so");
    let words = |name: &str| -> Vec<String> {
        let value = std::env::var(name).unwrap_or_default();
        value.split_whitespace().map(Into::into).collect()
    };
    let mut compiler = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    compiler.args(["-std=c++20", "-O2", "-Wall", "-Wextra"]).args(words("CXXFLAGS"));
    compiler.args(["-fPIC", "-shared", "-o"]).arg(&made);
    compiler.arg(project().join("packaging/dnf/kmp.cpp")).args(words("LDFLAGS")).args(["-ldnf5", "-ljson-c"]);
    let status = compiler.status().map_err(|why| cannot_run(&compiler, &why))?;
    match status.success() {
        true => Ok(made),
        false => {
            Err("the plugin of libdnf5 could not be built: are the headers of libdnf5 and json-c there?"
                .into())
        }
    }
}
