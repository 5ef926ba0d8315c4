// SPDX-License-Identifier: LGPL-2.1-or-later
//! What was done, for the system's log: facility daemon, tag `kmp`, as rpm's plugin does. Nothing is said of a run that
//! changed nothing, nor of another root; a log that is not there, or does not listen, is no fault.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use kmp_core::apply::{Done, Fate};
use kmp_core::printable;
use kmp_core::sync::{Index, KernelReport, SyncReport};

use crate::context::Context;
use crate::initrd_lines;

const SOCKET: &str = "/dev/log";
const FACILITY_DAEMON: u8 = 3 << 3;
/// The most that is said in one message; what is longer may be thrown away as a whole.
const LIMIT: usize = 2048;

/// How urgent a message is, by syslog's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error = 3,
    Warning = 4,
    Notice = 5,
}

/// What the run was asked for because of: drivers that do not get there are told of though nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    Nothing,
    /// This kernel is new.
    Kernel(&'a str),
    /// A package of this name is new.
    Package(&'a str),
}

/// Tells of a run that has ended.
pub fn tell(context: &Context, result: &Result<SyncReport, String>, about: About<'_>) {
    send(
        context,
        match result {
            Ok(report) => messages(report, about),
            Err(why) => vec![(Level::Error, why.clone())],
        },
    );
}

/// Tells of initrds that were made, asked for, or could not be.
pub fn tell_initrds<'f>(context: &Context, fates: impl Iterator<Item = (&'f str, &'f Fate)>) {
    send(context, fates.filter_map(|(release, fate)| of_initrd(release, fate)).collect());
}

fn send(context: &Context, messages: Vec<(Level, String)>) {
    if messages.is_empty() || context.root.path() != Path::new("/") {
        return;
    }
    let Ok(socket) = UnixDatagram::unbound() else { return };
    if socket.set_nonblocking(true).is_err() {
        return;
    }
    for (level, text) in messages {
        // There is nobody left to complain to.
        let _ = socket.send_to(&datagram(level, std::process::id(), &text), SOCKET);
    }
}

fn messages(report: &SyncReport, about: About<'_>) -> Vec<(Level, String)> {
    let mut messages = Vec::new();
    for kernel in &report.kernels {
        let release = &kernel.release;
        // Where the links could not be switched, nothing of it came true.
        let changes = kernel.changes.iter().filter(|_| kernel.error.is_none());
        messages.extend(changes.map(|c| (Level::Notice, format!("{release}: {c}"))));
        let failed = kernel.error.iter().chain(&kernel.unread).chain(match &kernel.index {
            Index::Failed(why) => Some(why),
            _ => None,
        });
        messages.extend(failed.map(|why| (Level::Error, format!("{release}: {why}"))));
        for missing in report.not_linked(release) {
            let is_new = match about {
                About::Nothing => false,
                About::Kernel(new) => new == release,
                About::Package(new) => new == missing.kmp.package.name,
            };
            if is_new || has_changed(kernel) {
                messages.push((Level::Warning, format!("{release}: {missing}")));
            }
        }
        messages.extend(kernel.initrd.as_ref().and_then(|fate| of_initrd(release, fate)));
    }
    messages
}

fn of_initrd(release: &str, fate: &Fate) -> Option<(Level, String)> {
    match &fate.done {
        Done::Nothing | Done::Due => None,
        Done::Marked | Done::Built(_) => Some((Level::Notice, initrd_lines::line(release, fate)?)),
        Done::Failed(why) => {
            Some((Level::Error, format!("{release}: a new initrd is needed ({}), but {why}", fate.reason)))
        }
    }
}

fn has_changed(kernel: &KernelReport) -> bool {
    !kernel.changes.is_empty() || kernel.failed() || matches!(kernel.index, Index::Written(_))
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
