// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which tests showed nothing on the machine that they ran on, kept for the summary.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::schedule::logs;

fn file_of(step: &str) -> PathBuf {
    logs().join(format!("{step}.skipped"))
}

/// Keeps each test's name, and why.
pub fn write(step: &str, skipped: &[(String, String)]) -> Result<(), String> {
    let mut lines: Vec<String> = skipped.iter().map(|(test, why)| format!("{why}\t{test}\n")).collect();
    lines.sort();
    let path = file_of(step);
    let made = fs::create_dir_all(logs()).and_then(|()| fs::write(&path, lines.concat()));
    made.map_err(|e| format!("{}: {e}", path.display()))
}

/// Forgets those of earlier runs.
pub fn forget(steps: &[&str]) {
    for step in steps {
        let _ = fs::remove_file(file_of(step));
    }
}

/// How many were skipped in some steps, and why.
pub fn print(steps: &[&str]) {
    for step in steps {
        let text = fs::read_to_string(file_of(step)).unwrap_or_default();
        let mut tests: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (why, test) in text.lines().filter_map(|line| line.split_once('\t')) {
            tests.entry(why).or_default().push(test);
        }
        for (why, tests) in tests {
            println!("\nSkipped in {step}, {} tests: {why}", tests.len());
            println!("    {}", tests.join("\n    "));
        }
    }
}
