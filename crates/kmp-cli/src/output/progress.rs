// SPDX-License-Identifier: LGPL-2.1-or-later
//! On a terminal, a long run shows what it is reading.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Nothing is shown of a run shorter than this.
const PATIENCE: Duration = Duration::from_millis(500);
/// The line changes no faster than this.
const PACE: Duration = Duration::from_millis(100);

struct State {
    started: Instant,
    shown: Option<Instant>,
    count: usize,
}

#[derive(Clone)]
pub struct Progress {
    state: Option<Arc<Mutex<State>>>,
}

impl Progress {
    pub fn new() -> Self {
        let wanted = std::io::stderr().is_terminal() && log::max_level() >= log::LevelFilter::Warn;
        let state = State { started: Instant::now(), shown: None, count: 0 };
        Self { state: wanted.then(|| Arc::new(Mutex::new(state))) }
    }

    pub fn is_shown(&self) -> bool {
        self.state.is_some()
    }

    pub fn show(&self, what: &str) {
        let Some(mut state) = self.state.as_ref().and_then(|s| s.lock().ok()) else { return };
        state.count += 1;
        let due = state.started.elapsed() > PATIENCE && state.shown.is_none_or(|at| at.elapsed() > PACE);
        if due {
            state.shown = Some(Instant::now());
            let width = crate::output::terminal::width().unwrap_or(80).saturating_sub(20);
            let start = what.chars().count().saturating_sub(width);
            let tail: String = what.chars().skip(start).collect();
            let _ = write!(std::io::stderr(), "\r\x1b[Kreading {:>5} {tail}", state.count);
        }
    }

    pub fn clear(&self) {
        let Some(mut state) = self.state.as_ref().and_then(|s| s.lock().ok()) else { return };
        if state.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
