// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi`.

pub mod because;
mod diff;
pub mod document;
mod exposure;
mod html;
pub mod reasons;
mod screen;
mod sides;

use std::path::Path;

pub use exposure::modules;
pub use sides::{Exports, Side};

use kmp_core::printable;
use kmp_kabi::Rules;

use crate::args::kabi::{self, Kabi, KabiVerb};
use crate::context::Context;
use crate::outcome::Outcome;

pub fn run(context: &Context, args: &Kabi, quiet: bool) -> Result<Outcome, String> {
    match &args.verb {
        KabiVerb::Diff(args) => diff::run(context, args, quiet),
        KabiVerb::Exposure(args) => exposure::run(context, args, quiet),
    }
}

/// Reads rules.
fn rules(args: &kabi::Rules) -> Result<Rules, String> {
    let mut rules = Rules::default();
    for file in &args.files {
        let name = printable(file.as_os_str());
        rules.add(&text(file)?).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(rules)
}

fn bytes(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|e| format!("{} cannot be read: {e}", printable(file.as_os_str())))
}

/// Reads a text, packed or not. Types of a whole kernel have a hundred megabytes.
fn text(file: &Path) -> Result<String, String> {
    let bytes = bytes(file)?;
    let text = kmp_core::unpack::inflate(bytes, kmp_core::unpack::MODULE_LIMIT)
        .map_err(|e| format!("{}: {e}", printable(file.as_os_str())))?;
    Ok(String::from_utf8(text.into_owned())
        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}
