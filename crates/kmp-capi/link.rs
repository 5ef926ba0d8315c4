// SPDX-License-Identifier: LGPL-2.1-or-later
// How libkmp.so.1 is made of the static library. Included by the tests here and by xtask: rustc hands no version
// script to the linker for a cdylib that it would heed, so cc links.

use std::path::Path;
use std::process::Command;

/// The library's name, and the soname in it.
pub const SONAME: &str = "libkmp.so.1";

/// Links `archive` (libkmp_capi.a) to `library`. `source` is the directory of kmp-capi.
pub fn link(source: &Path, archive: &Path, library: &Path) -> Result<(), String> {
    let exports = source.join("exports.txt");
    let exports = std::fs::read_to_string(&exports).map_err(|e| format!("{}: {e}", exports.display()))?;
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.arg("-shared").arg("-o").arg(library);
    cc.arg(format!("-Wl,--version-script={}", source.join("kmp.map").display()));
    cc.arg(format!("-Wl,-soname,{SONAME}"));
    // A destructor of thread-local data must not outlive the code: never unloaded.
    cc.args([
        "-Wl,-z,nodelete",
        "-Wl,-z,relro",
        "-Wl,-z,now",
        "-Wl,-z,defs",
        "-Wl,--gc-sections",
        "-Wl,--as-needed",
    ]);
    for symbol in exports.lines().filter_map(|line| line.split('@').next()) {
        cc.arg(format!("-Wl,-u,{symbol}"));
    }
    cc.arg(archive).args(["-lgcc_s", "-lpthread", "-lm", "-ldl", "-lc"]);
    let output = cc.output().map_err(|e| format!("cc cannot be run: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("linking {SONAME} failed:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}
