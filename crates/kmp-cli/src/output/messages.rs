// SPDX-License-Identifier: LGPL-2.1-or-later
//! Diagnostics, on stderr.

use std::io::Write;
use std::sync::OnceLock;

use kmp_core::printable;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::output::terminal;

struct Stderr {
    name: &'static str,
    /// Of the terminal that it is.
    width: Option<usize>,
}

static STDERR: OnceLock<Stderr> = OnceLock::new();

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let kind = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            _ => "",
        };
        // There is no way left to say that stderr is closed.
        // In one piece, and whatever names are in it, nothing that steers a terminal.
        let text = record.args().to_string();
        let lines: Vec<String> = text.lines().map(|line| printable(line.as_ref())).collect();
        let message = format!("{}: {kind}{}", self.name, lines.join("\n"));
        let fit = |line: &str| terminal::wrap(self.width, 0, 2, line).join("\n");
        let message = message.lines().map(fit).collect::<Vec<_>>().join("\n") + "\n";
        let _ = std::io::stderr().lock().write_all(message.as_bytes());
    }

    fn flush(&self) {}
}

/// Begins to write; `verbosity` is the number of -v less the number of -q.
pub fn init(name: &'static str, verbosity: i16) {
    let level = match verbosity {
        ..=-1 => LevelFilter::Error,
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    if log::set_logger(STDERR.get_or_init(|| Stderr { name, width: terminal::width_of_messages() })).is_ok() {
        log::set_max_level(level);
    }
}
