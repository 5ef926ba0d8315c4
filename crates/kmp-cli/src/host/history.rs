// SPDX-License-Identifier: LGPL-2.1-or-later
//! What this run has done: at once to the system's log, as rpm's plugin does, and at its end to the history. Nothing is reported
//! of a run that changed nothing, and to the system's log nothing of another root. No log that cannot be written is a failure.

use std::cell::RefCell;
use std::path::Path;

use kmp_core::history::{Call, Entry, is_expected, write};
use kmp_core::root::Root;
use kmp_core::system_log::SystemLog;

/// What has come together until now.
#[derive(Debug, Default)]
pub struct Recorder(RefCell<Entry>);

impl Recorder {
    /// Reports a part of the run.
    pub fn add(&self, root: &Root, part: Entry) {
        if part.is_empty() {
            return;
        }
        if root.path() == Path::new("/") {
            let mut log = SystemLog::open();
            part.messages().iter().for_each(|message| log.send(message));
        }
        self.0.borrow_mut().add(part);
    }

    /// Writes the entry, if there is something to write. What comes then is another run's.
    pub fn write(&self, root: &Root) {
        let entry = self.0.take();
        let words: Vec<String> =
            std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        if let Err(e) = write(root, entry, Call::Command(&words)) {
            let level = if is_expected(&e) { log::Level::Info } else { log::Level::Warn };
            log::log!(level, "this run is not in the history (kmp history), for it cannot be written: {e}");
        }
    }
}
