// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp beside depmod, on the modules that kernels come with.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use super::{ask, kmp};
use crate::judge::cases;
use crate::judge::fetch::Fetched;
use crate::judge::run::{self, Result};

/// Every in-tree module against its own kernel and its neighbour. Returns how many were compared, and
/// the disagreements.
///
/// # Errors
/// kmp or depmod cannot be run.
pub fn in_tree(
    program: &Path,
    root: &Path,
    work: &Path,
    from: &Fetched,
    on: &Fetched,
) -> Result<(usize, Vec<String>)> {
    let dir = from.modules.join("kernel");
    let opinions = kmp(program, root, &[&on.release], &[&dir])?;
    let mut wrong = Vec::new();
    if from.release == on.release {
        for ((_, path), opinion) in &opinions {
            if !opinion.fits {
                wrong.push(format!(
                    "{} is incompatible with its own kernel: {:?}",
                    path.display(),
                    opinion.reasons
                ));
            }
        }
        return Ok((opinions.len(), wrong));
    }
    // depmod gets `from`'s modules in place of `on`'s.
    let tree = work.join(format!("in-tree-{}-{}", from.release, on.release));
    let to = tree.join("lib/modules").join(&on.release);
    run::fresh(&tree.join("lib/modules"))?;
    run::link_tree(&on.plain.join("lib/modules").join(&on.release), &to)?;
    run::link_tree(&from.plain.join("lib/modules").join(&from.release).join("kernel"), &to.join("updates"))?;
    let complaints = ask(&tree, &on.release, &on.modules.join("symvers"))?;
    let complaints: HashMap<String, &BTreeSet<(bool, String)>> = complaints
        .iter()
        .filter(|(p, _)| p.starts_with("updates/"))
        .map(|(p, c)| (cases::name_of(p), c))
        .collect();
    // Of a symbol that the kernel image and a module export, depmod takes the module's version, the
    // loader the image's (and refuses the module): there depmod cannot tell.
    let told = |symbol: &str| {
        on.symvers.get(symbol).is_none_or(|e| e.1 != "vmlinux")
            || from.symvers.get(symbol).is_none_or(|e| e.1 == "vmlinux")
    };
    let none = BTreeSet::new();
    for ((_, path), opinion) in &opinions {
        let name = cases::name_of(&path.to_string_lossy());
        let depmod: BTreeSet<&str> = complaints
            .get(&name)
            .copied()
            .unwrap_or(&none)
            .iter()
            .map(|(_, s)| s.as_str())
            .filter(|s| told(s))
            .collect();
        let mine: BTreeSet<&str> = opinion
            .reasons
            .iter()
            .filter(|(rule, ..)| ["crc", "unknown-symbol", "module-layout"].contains(&rule.as_str()))
            .map(|(_, symbol, _)| symbol.as_str())
            .filter(|s| told(s))
            .collect();
        if mine != depmod {
            let only = |a: &BTreeSet<&str>, b: &BTreeSet<&str>| {
                a.difference(b).map(|s| (*s).to_string()).collect::<Vec<_>>()
            };
            wrong.push(format!(
                "{name} of {} on {}: only kmp: {:?}, only depmod: {:?}",
                from.release,
                on.release,
                only(&mine, &depmod),
                only(&depmod, &mine)
            ));
        }
    }
    wrong.sort();
    let _ = fs::remove_dir_all(&tree);
    Ok((opinions.len(), wrong))
}
