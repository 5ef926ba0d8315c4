// SPDX-License-Identifier: LGPL-2.1-or-later
//! STOMP frames, and what libzypp says in them. Pure, and without anything else of the command: a fuzz target has it, too.

use std::io::{self, BufRead, Read as _};

use serde_json::Value;

/// Frames are lists of packages: some megabytes at most.
const LIMIT: u64 = 64 << 20;

/// A frame's command and body; `None` at the end.
pub fn read(input: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut frame = Vec::new();
    input.take(LIMIT).read_until(0, &mut frame)?;
    if frame.pop() != Some(0) {
        return Ok(None);
    }
    // A newline may stand between frames.
    let start = frame.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(frame.len());
    let frame = &frame[start..];
    let command = frame.split(|b| *b == b'\n').next().unwrap_or_default();
    let body = frame.windows(2).position(|w| w == b"\n\n").map_or(&[][..], |at| &frame[at + 2..]);
    Ok(Some((String::from_utf8_lossy(command).trim().to_string(), body.to_vec())))
}

/// The list of what comes and goes, by the commit's steps.
pub fn steps(body: &[u8]) -> String {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let steps = document["TransactionStepList"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |step: &Value| {
        let of = |key: &str| step["solvable"][key].as_str().filter(|t| !t.contains(['\n', '\0', '/']));
        let kind = step["type"].as_str().filter(|t| ["+", "-", "M"].contains(t))?;
        // `patch:NAME` and its like are no packages.
        let name = of("n").filter(|name| !name.contains(':'))?;
        Some(format!("{kind} {name}-{}-{}.{}\n", of("v")?, of("r")?, of("a")?))
    };
    steps.iter().filter_map(line).collect()
}

/// Did one of a commit's steps succeed?
pub fn has_done_something(body: &[u8]) -> bool {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    document["TransactionStepList"].as_array().into_iter().flatten().any(|step| step["stage"] == "ok")
}
