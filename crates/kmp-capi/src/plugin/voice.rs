// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a plugin says, and to whom.

use std::cell::Cell;
use std::ffi::{CString, c_int, c_void};
use std::io::Write;
use std::path::Path;

use kmp_core::guard;
use kmp_core::guest::Caller;
use kmp_core::system_log::{Message, SystemLog};

use super::{Say, level};
use crate::error::c_text;

/// The most that is said in one line, in bytes.
const LIMIT: usize = 2047;

/// How urgent a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error = level::ERROR as isize,
    Warning = level::WARNING as isize,
    Notice = level::NOTICE as isize,
    /// Seen by those who want to know all.
    Info = level::INFO as isize,
}

/// Where messages go: through the plugin to rpm's own log, and what matters to the system's log, too.
#[derive(Debug)]
pub(crate) struct Voice {
    say: Say,
    context: *mut c_void,
    /// A fault of ours was reported.
    has_warned: Cell<bool>,
    /// What happens to another root is no news of this system.
    is_other_root: bool,
    /// Where rpm's log goes nobody sees it: messages go to standard error, too.
    is_hidden: bool,
    /// Somebody reads it on a terminal: it is broken between words.
    is_watched: bool,
}

impl Voice {
    pub fn new(say: Say, context: *mut c_void) -> Self {
        Self {
            say,
            context,
            has_warned: Cell::new(false),
            is_other_root: false,
            is_hidden: false,
            is_watched: false,
        }
    }

    /// A transaction begins; `root`: whose, where that is known.
    pub fn begin(&mut self, root: Option<&Path>) {
        self.has_warned.set(false);
        if let Some(root) = root {
            self.is_other_root = root != Path::new("/");
            let caller = Caller::of_this_process();
            (self.is_hidden, self.is_watched) = (caller.hides_messages(), caller.is_watched());
        }
    }

    /// Says it in rpm's log, and where that is seen by nobody on standard error, as rpm would.
    pub fn line(&self, level: Level, text: &str) {
        self.with_command(level, text, None);
    }

    /// The same of a text that may end with a line to type, which is not broken.
    fn with_command(&self, level: Level, text: &str, command: Option<&str>) {
        let prefix = match level {
            Level::Error => "error: ",
            Level::Warning => "warning: ",
            Level::Notice | Level::Info => "",
        };
        let prefix = format!("{prefix}kmp: ");
        let text = if self.is_watched { shown(&prefix, text, command) } else { shortened(c_text(text)) };
        if self.is_hidden && level != Level::Info {
            let line = [prefix.as_bytes(), text.as_bytes(), b"\n"].concat();
            // Who has closed it does not want to know.
            let _ = std::io::stderr().write_all(&line);
        }
        if let Some(say) = self.say {
            say(self.context, level as c_int, text.as_ptr());
        }
    }

    /// Writes to the system's log alone.
    pub fn system(&self, messages: &[Message<'_>]) {
        if !self.is_other_root && !messages.is_empty() {
            let mut log = SystemLog::open();
            messages.iter().for_each(|message| log.send(message));
        }
    }

    /// Says it in rpm's log, with the line to type that the text may end with.
    pub fn message(&self, level: Level, text: &str, command: Option<&str>) {
        self.with_command(level, text, command);
    }

    /// Says that something of ours did not work: the first time as a warning, then for those who want to know
    /// all.
    pub fn fault(&self, what: &str, why: &str) {
        let level = if self.has_warned.replace(true) { Level::Info } else { Level::Warning };
        self.line(level, &format!("{what}: {why}"));
    }

    /// Says what is wrong with files of `/run/kmp`.
    pub fn remark(&self, text: &str) {
        self.fault("run-time files", text);
    }
}

/// A text as a terminal shows it behind `prefix`, which is not in it.
fn shown(prefix: &str, text: &str, command: Option<&str>) -> CString {
    let text = shortened(c_text(text));
    let lines = guard::wrapped(prefix, &text.to_string_lossy(), command);
    let lines = lines.join("\n");
    CString::new(lines.strip_prefix(prefix).unwrap_or(&lines)).unwrap_or(text)
}

fn shortened(text: CString) -> CString {
    if text.as_bytes().len() <= LIMIT {
        return text;
    }
    let mut bytes = text.into_bytes();
    bytes.truncate(LIMIT);
    // Not in the middle of a character.
    let valid = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
    bytes.truncate(valid);
    CString::new(bytes).unwrap_or_default()
}

#[test]
fn a_long_line_is_cut_between_characters() {
    let long = |text: &str| shortened(CString::new(text.repeat(2000)).unwrap()).into_string().unwrap();
    assert_eq!(long("x").len(), 2000);
    assert_eq!((long("xy").len(), long("\u{e9}").len()), (LIMIT, LIMIT - 1));
}
