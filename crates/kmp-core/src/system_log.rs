// SPDX-License-Identifier: LGPL-2.1-or-later
//! The system's log, as the command and rpm's plugin write to it: facility daemon, tag `kmp`.
//!
//! Not by syslog(3): its tag, options and socket belong to the program that a plugin is in. A message is one
//! datagram that is not waited for; a log that is not there, as in a chroot, or does not listen, is no fault.

use std::os::unix::net::UnixDatagram;

use crate::printable;

const SOCKET: &str = "/dev/log";
const FACILITY_DAEMON: u8 = 3 << 3;
/// The most that is said in one message; what is longer may be thrown away as a whole.
const LIMIT: usize = 2048;

/// How urgent a message is, by syslog's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed, or was stopped.
    Error = 3,
    /// Something is amiss.
    Warning = 4,
    /// Something has changed.
    Notice = 5,
    /// For those who want to know all.
    Info = 6,
}

/// Sends messages, about the system that this process is in.
pub fn send(messages: &[(Level, String)]) {
    if messages.is_empty() {
        return;
    }
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_err() {
        return;
    }
    for (level, text) in messages {
        // There is nobody left to complain to.
        let _ = socket.send_to(&datagram(*level, std::process::id(), text), SOCKET);
    }
}

/// One message. The time is the log's own to say.
fn datagram(level: Level, process: u32, text: &str) -> Vec<u8> {
    let text = printable(text.trim().replace('\n', " ").as_ref());
    let mut message = format!("<{}>kmp[{process}]: {text}", FACILITY_DAEMON | level as u8).into_bytes();
    message.truncate(LIMIT);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_with_its_facility_and_tag() {
        let sent = datagram(Level::Notice, 12, "a\nb\x1b[1m\n");
        assert_eq!(String::from_utf8(sent).unwrap(), "<29>kmp[12]: a b\\x1b[1m");
        assert_eq!(datagram(Level::Error, 1, &"x".repeat(9000)).len(), LIMIT);
    }
}
