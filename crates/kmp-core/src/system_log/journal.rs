// SPDX-License-Identifier: LGPL-2.1-or-later
//! The journal's native protocol: a message is a datagram of fields, a line each (`man systemd.journal-fields`; the form is
//! documented at systemd.io/JOURNAL_NATIVE_PROTOCOL).

use std::io;
use std::os::unix::net::UnixDatagram;

use super::{Message, line};

const SOCKET: &str = "/run/systemd/journal/socket";

/// Facility daemon.
const FACILITY: u8 = 3;

/// Connects, if the system has a journal.
pub(super) fn connect() -> io::Result<UnixDatagram> {
    super::connect(SOCKET)
}

/// The datagram of a message. Each value is one line, so the simple form of a field does for all.
pub(super) fn datagram(message: &Message<'_>) -> String {
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        text.push_str(name);
        text.push('=');
        text.push_str(value);
        text.push('\n');
    };
    field("MESSAGE", &line(&message.text));
    field("PRIORITY", &message.level.priority().to_string());
    field("SYSLOG_FACILITY", &FACILITY.to_string());
    field("SYSLOG_IDENTIFIER", "kmp");
    field("SYSLOG_PID", &std::process::id().to_string());
    if let Some(event) = message.event {
        field("MESSAGE_ID", event.message_id());
        field("KMP_ACTION", event.word());
    }
    for (name, value) in [("KMP_KERNEL", message.kernel), ("KMP_PACKAGE", message.package)] {
        if let Some(value) = value {
            field(name, &line(value));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Level};
    use super::*;

    #[test]
    fn no_value_makes_a_field_of_its_own() {
        let message = Message {
            level: Level::Notice,
            event: Some(Event::Added),
            kernel: Some("6.4.0-1-default\nPRIORITY=0"),
            package: Some("cam-1-1"),
            text: "cam-1-1 added\nPRIORITY=0".into(),
        };
        let sent = datagram(&message);
        let pid = std::process::id();
        assert_eq!(
            sent,
            format!(
                "MESSAGE=cam-1-1 added PRIORITY=0\nPRIORITY=5\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=kmp\nSYSLOG_PID={pid}\n\
                 MESSAGE_ID={}\nKMP_ACTION=added\nKMP_KERNEL=6.4.0-1-default PRIORITY=0\nKMP_PACKAGE=cam-1-1\n",
                Event::Added.message_id()
            )
        );
    }
}
