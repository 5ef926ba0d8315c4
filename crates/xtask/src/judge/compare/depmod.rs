// SPDX-License-Identifier: LGPL-2.1-or-later
//! What depmod says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::judge::boot::{Deps, read_deps};
use crate::judge::build::Set;
use crate::judge::fetch::{Fetched, PATH};
use crate::judge::run::{self, Result};

/// depmod's complaints by module (its path below the release directory): kind and symbol.
pub type Complaints = BTreeMap<String, BTreeSet<(bool, String)>>;

/// Puts `sets` beside `kernel`'s modules in a tree of their own and asks depmod.
///
/// # Errors
/// depmod fails.
pub fn depmod(kernel: &Fetched, tree: &Path, sets: &[&Set]) -> Result<(Complaints, Deps)> {
    let dir = tree.join("lib/modules").join(&kernel.release);
    run::fresh(&tree.join("lib/modules"))?;
    run::link_tree(&kernel.plain.join("lib/modules").join(&kernel.release), &dir)?;
    for set in sets {
        let to = dir.join("updates").join(&set.name);
        fs::create_dir_all(&to)?;
        for file in &set.files {
            if let Some(name) = file.file_name() {
                fs::copy(file, to.join(name))?;
            }
        }
    }
    // Debian's depmod reads no .gz: it gets those inflated, and so is not blamed for that.
    run::output(
        Command::new("sh")
            .args(["-c", "find \"$1\" -name '*.ko.gz' -exec gzip -df {} +", "sh"])
            .arg(dir.join("updates")),
    )?;
    let complaints = ask(tree, &kernel.release, &kernel.modules.join("symvers"))?;
    Ok((complaints, read_deps(&dir)?))
}

/// `depmod -e -E`.
///
/// # Errors
/// It cannot be run.
pub fn ask(tree: &Path, release: &str, symvers: &Path) -> Result<Complaints> {
    let dir = tree.join("lib/modules").join(release);
    for name in [
        "modules.dep",
        "modules.dep.bin",
        "modules.symbols",
        "modules.symbols.bin",
        "modules.alias",
        "modules.alias.bin",
    ] {
        // The tree shares files with others.
        let _ = fs::remove_file(dir.join(name));
    }
    let mut command = Command::new("depmod");
    command.env("PATH", PATH).arg("-b").arg(tree).arg("-e").arg("-E").arg(symvers).arg(release);
    let done = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    let mut complaints = Complaints::new();
    let prefix = format!("{}/", dir.display());
    for line in said.lines() {
        let Some(rest) = line.split_once(&prefix).map(|(_, r)| r) else { continue };
        for (crc, words) in [(false, " needs unknown symbol "), (true, " disagrees about version of symbol ")]
        {
            if let Some((module, symbol)) = rest.split_once(words) {
                complaints.entry(module.to_string()).or_default().insert((crc, symbol.to_string()));
            }
        }
    }
    Ok(complaints)
}
