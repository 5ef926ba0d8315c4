// SPDX-License-Identifier: LGPL-2.1-or-later
//! The system's log: the journal by its own protocol, with fields and numbers of messages, or else the socket of syslog;
//! facility daemon, tag `kmp`.
//!
//! A log that is not there, or does not listen, is no fault, and nobody waits for it: kmp may be at work where the one who reads
//! the log is just being updated.

mod event;
mod journal;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;
use std::os::unix::net::UnixDatagram;

use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

use crate::printable;

pub use event::Event;

const SOCKET: &str = "/dev/log";

/// The most that is written in one message, in bytes; what is longer may be thrown away as a whole.
const LIMIT: usize = 2048;

/// How urgent a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something will be missing.
    Warning,
    /// Something was changed.
    Notice,
}

impl Level {
    fn priority(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
        }
    }
}

/// A message. What would end its line or steer a terminal is made visible when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// How urgent it is.
    pub level: Level,
    /// What it is about.
    pub event: Option<Event>,
    /// The release of the kernel concerned.
    pub kernel: Option<&'a str>,
    /// The package concerned, `NAME-VERSION-RELEASE`.
    pub package: Option<&'a str>,
    /// In words.
    pub text: Cow<'a, str>,
}

enum To {
    Journal(UnixDatagram),
    Syslog(Logger<LoggerBackend, Tagged>),
    Nobody,
}

/// A connection to the log of the system whose `/` the calling process has.
pub struct SystemLog(To);

impl std::fmt::Debug for SystemLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = match self.0 {
            To::Journal(_) => "journal",
            To::Syslog(_) => "syslog",
            To::Nobody => "nobody",
        };
        f.debug_tuple("SystemLog").field(&to).finish()
    }
}

impl SystemLog {
    /// Connects, if there is a log.
    pub fn open() -> Self {
        let syslog = |socket| To::Syslog(Logger::new(LoggerBackend::Unix(socket), Tagged));
        let journal = journal::connect().map(To::Journal);
        Self(journal.or_else(|_| connect(SOCKET).map(syslog)).unwrap_or(To::Nobody))
    }

    /// Writes one message.
    pub fn send(&mut self, message: &Message<'_>) {
        // There is nobody left to complain to.
        match &mut self.0 {
            To::Journal(socket) => {
                let _ = socket.send(journal::datagram(message).as_bytes());
            }
            To::Syslog(logger) => {
                let text = line(&message.text);
                let _ = match message.level {
                    Level::Error => logger.err(&*text),
                    Level::Warning => logger.warning(&*text),
                    Level::Notice => logger.notice(&*text),
                };
            }
            To::Nobody => {}
        }
    }
}

fn connect(path: &str) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn line(text: &str) -> String {
    let mut text = printable(text.trim().replace('\n', " ").as_ref());
    // Room for what stands before it.
    let end = (0..=text.len().min(LIMIT - 32)).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// `<29>kmp[12]: text`. Without a time, unlike `Formatter3164`, which writes that of Greenwich where readers expect the local one:
/// the time is the log's own to say.
struct Tagged;

impl<T: Display> LogFormat<T> for Tagged {
    fn format<W: Write>(&self, out: &mut W, severity: Severity, message: T) -> syslog::Result<()> {
        let priority = Facility::LOG_DAEMON as u8 | severity as u8;
        write!(out, "<{priority}>kmp[{}]: {message}", std::process::id()).map_err(syslog::Error::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_with_its_facility_and_tag() {
        let mut sent = Vec::new();
        Tagged.format(&mut sent, Severity::LOG_NOTICE, line("a\nb\x1b[1m\n")).unwrap();
        let expected = format!("<29>kmp[{}]: a b\\x1b[1m", std::process::id());
        assert_eq!(String::from_utf8(sent).unwrap(), expected);
        assert!(line(&"ä".repeat(9000)).len() < LIMIT);
    }
}
