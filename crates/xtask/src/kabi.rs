// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi diff` on the judge's kernels: do their types name a reason for nearly every CRC that changed?

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::install;
use crate::judge::fetch::Places;

/// Of the CRCs that changed, so many percent have to be explained: by a type, or by the symbol's own declaration.
const SHARE: usize = 95;

/// Gives why it was not run: there are no two kernels of one series.
pub fn check() -> Result<Option<String>, String> {
    let places = Places::find().map_err(|e| e.to_string())?;
    let mut series: BTreeMap<Vec<u64>, Vec<(Vec<u64>, String)>> = BTreeMap::new();
    let entries = fs::read_dir(places.root.join("boot")).into_iter().flatten();
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let Some(release) = name.strip_prefix("vmlinuz-") else { continue };
        let numbers = |text: &str| -> Vec<u64> {
            text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
        };
        let version = numbers(release);
        let first = version.iter().take(2).copied().collect();
        series.entry(first).or_default().push((version, release.into()));
    }
    let kmp = install::target().join("debug/kmp");
    let mut pairs = 0;
    for list in series.values_mut() {
        list.sort();
        for pair in list.windows(2) {
            let [(_, old), (_, new)] = pair else { continue };
            let mut command = Command::new(&kmp);
            command.arg("--root").arg(&places.root).args(["kabi", "diff", "--json", old, new]);
            let output = command.output().map_err(|e| format!("{}: {e}", kmp.display()))?;
            let text = String::from_utf8_lossy(&output.stdout);
            let found: Value = serde_json::from_str(&text)
                .map_err(|e| format!("{old}, {new}: {e}: {}", String::from_utf8_lossy(&output.stderr)))?;
            judge(&format!("{old} to {new}"), &found)?;
            pairs += 1;
        }
    }
    Ok((pairs == 0).then(|| "there are no two kernels of one series".into()))
}

fn judge(pair: &str, found: &Value) -> Result<(), String> {
    let changed = found["counts"]["crc"]["all"].as_u64().unwrap_or(0);
    let changed = usize::try_from(changed).map_err(|e| e.to_string())?;
    let reasons = found["reasons"].as_array().map(Vec::as_slice).unwrap_or_default();
    let symbols = |reason: &Value| reason["symbols"].as_object().map_or(0, serde_json::Map::len);
    let explained: usize = reasons.iter().map(symbols).sum();
    println!("{pair}: {changed} CRCs changed, {explained} explained by {} types", reasons.len());
    // Between two builds of one ABI nothing changes.
    if explained * 100 < changed * SHARE {
        return Err(format!("{pair}: of {changed} CRCs that changed only {explained} are explained"));
    }
    Ok(())
}
