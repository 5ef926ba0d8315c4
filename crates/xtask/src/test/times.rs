// SPDX-License-Identifier: LGPL-2.1-or-later
//! How long each test took, kept for the summary and for the next run's order.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use super::schedule::logs;

/// A test's name, with its program's.
pub fn key(binary: &str, test: &str) -> String {
    format!("{binary} {test}")
}

/// Of a step's tests, when they ran last.
pub fn read(step: &str) -> HashMap<String, Duration> {
    let text = fs::read_to_string(logs().join(format!("{step}.times"))).unwrap_or_default();
    let line = |line: &str| {
        let (seconds, test) = line.split_once(' ')?;
        Some((test.to_string(), Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// Keeps them.
pub fn write(step: &str, times: &HashMap<String, Duration>) -> Result<(), String> {
    let mut lines: Vec<String> =
        times.iter().map(|(test, took)| format!("{:.2} {test}\n", took.as_secs_f64())).collect();
    lines.sort();
    let path = logs().join(format!("{step}.times"));
    let made = fs::create_dir_all(logs()).and_then(|()| fs::write(&path, lines.concat()));
    made.map_err(|e| format!("{}: {e}", path.display()))
}

/// The slowest of some steps' tests, by time.
pub fn print_slowest(steps: &[&str], count: usize) {
    let mut all: Vec<(String, Duration)> = steps.iter().flat_map(|step| read(step)).collect();
    all.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
    if all.is_empty() {
        return;
    }
    println!("\nThe slowest of {} tests:", all.len());
    for (test, took) in all.iter().take(count) {
        println!("{:>7.1} s  {test}", took.as_secs_f64());
    }
}
