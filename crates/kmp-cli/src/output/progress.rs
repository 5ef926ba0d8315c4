// SPDX-License-Identifier: LGPL-2.1-or-later
//! On a terminal, a long run shows what it is reading, and which program it waits for.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Nothing is shown of a run shorter than this.
const PATIENCE: Duration = Duration::from_millis(500);
/// The line changes no faster than this.
const PACE: Duration = Duration::from_millis(100);

struct State {
    started: Instant,
    shown: Option<Instant>,
    count: usize,
    /// A program that runs, and since when.
    program: Option<(String, Instant)>,
}

/// What programs that are run are shown by.
static OF_PROGRAMS: OnceLock<Progress> = OnceLock::new();

#[derive(Clone)]
pub struct Progress {
    state: Option<Arc<Mutex<State>>>,
}

impl Progress {
    pub fn new() -> Self {
        let wanted = std::io::stderr().is_terminal() && log::max_level() >= log::LevelFilter::Warn;
        let state = State { started: Instant::now(), shown: None, count: 0, program: None };
        Self { state: wanted.then(|| Arc::new(Mutex::new(state))) }
    }

    pub fn is_shown(&self) -> bool {
        self.state.is_some()
    }

    /// Shows programs, too, that take their time: depmod, generators of initrds.
    pub fn show_programs(&self) {
        if self.is_shown() && OF_PROGRAMS.set(self.clone()).is_ok() {
            kmp_core::apply::watch_programs(|program| {
                if let Some(progress) = OF_PROGRAMS.get() {
                    progress.program(program);
                }
            });
        }
    }

    /// A program begins, or has ended.
    fn program(&self, path: Option<&Path>) {
        let Some(shared) = &self.state else { return };
        let Some(path) = path else {
            if let Ok(mut state) = shared.lock() {
                state.program = None;
            }
            return self.clear();
        };
        let name = kmp_core::printable(path.file_name().unwrap_or_default());
        let started = Instant::now();
        if let Ok(mut state) = shared.lock() {
            state.program = Some((name.clone(), started));
        }
        // Whoever waits for it cannot count the seconds. It ends with the program.
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(2 * PACE);
                let Ok(mut state) = shared.lock() else { return };
                if state.program.as_ref().is_none_or(|(_, since)| *since != started) {
                    return;
                }
                if started.elapsed() > PATIENCE {
                    state.shown = Some(Instant::now());
                    let seconds = started.elapsed().as_secs();
                    let _ = write!(std::io::stderr(), "\r\x1b[Krunning {name}, {seconds} s");
                }
            }
        });
    }

    pub fn show(&self, what: &str) {
        let Some(mut state) = self.state.as_ref().and_then(|s| s.lock().ok()) else { return };
        state.count += 1;
        let due = state.program.is_none()
            && state.started.elapsed() > PATIENCE
            && state.shown.is_none_or(|at| at.elapsed() > PACE);
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
