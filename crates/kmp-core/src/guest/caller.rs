// SPDX-License-Identifier: LGPL-2.1-or-later
//! The program in which rpm's plugin is, and who has called it: by its name, its environment and its command
//! line.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::{again, named};

/// Longer command lines are read as far as this.
const LIMIT: u64 = 1 << 16;

/// libzypp's process, in the environment of what it calls.
const RUNNING_VARIABLE: &str = "ZYPP_IS_RUNNING";
/// `1`: libzypp carries out a commit by many calls of rpm.
const CLASSIC_VARIABLE: &str = "ZYPP_CLASSIC_RPMTRANS";

/// A variable of this process. One with more rights than who started it does not listen to its environment.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|_| !kmp_exec::is_privileged_by_file())
}

/// A process as far as its name and environment say what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The name of its program, without directories; empty where it is not known.
    pub program: OsString,
    /// `ZYPP_IS_RUNNING`.
    pub zypp_is_running: Option<OsString>,
    /// `ZYPP_CLASSIC_RPMTRANS`.
    pub zypp_classic: Option<OsString>,
}

impl Caller {
    /// The process that we are in.
    pub fn of_this_process() -> Self {
        let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
        Self {
            program: program.file_name().unwrap_or_default().into(),
            zypp_is_running: variable(RUNNING_VARIABLE),
            zypp_classic: variable(CLASSIC_VARIABLE),
        }
    }

    /// Is this one of the many calls of rpm that carry out a commit of libzypp in classic mode?
    pub fn is_in_classic_commit(&self) -> bool {
        // Before 17.37.14 libzypp did not say. ZYPP_SINGLE_RPMTRANS=1 is no more than a wish: only zypper
        // follows it, and not always; who does runs zypp-rpm.
        self.program != "zypp-rpm"
            && (self.zypp_classic.as_deref() == Some(OsStr::new("1"))
                || self.zypp_is_running.is_some() && self.program == "rpm")
    }

    /// Does this program write rpm's messages to a file, so that nobody sees them who waits for it? dnf5 prints no more than that
    /// the transaction failed.
    pub fn hides_messages(&self) -> bool {
        self.program == "dnf5"
    }

    /// The command line that a person has typed, as a shell takes it; `None` where it is not known, or too long to be typed again.
    pub fn again(&self) -> Option<String> {
        let process = self.zypp_is_running.as_deref().and_then(leading_number);
        let mut line = CommandLine::Of(process.map_or_else(|| "self".into(), |process| process.to_string()));
        line.read().ok()?;
        match line {
            CommandLine::Words(words) => again::typed(&words),
            CommandLine::All | CommandLine::Of(_) => None,
        }
    }

    /// Does a person see on a terminal what is written? Of libzypp's helpers, what zypper writes.
    pub fn is_watched(&self) -> bool {
        let process = self.zypp_is_running.as_deref().and_then(leading_number);
        let process = process.map_or_else(|| "self".into(), |process| process.to_string());
        // By the device, as its name may be out of sight: consoles and serial lines, pseudo terminals.
        let is_terminal = |number| {
            std::fs::metadata(format!("/proc/{process}/fd/{number}")).is_ok_and(|file| {
                let major = (file.rdev() >> 8) & 0xfff;
                file.file_type().is_char_device() && matches!(major, 4 | 5 | 136..=143 | 204 | 229)
            })
        };
        is_terminal(1) && is_terminal(2)
    }

    /// By whose command line it can be known whether somebody has asked for a package to be erased.
    pub fn command_line(&self) -> CommandLine {
        let process = self.zypp_is_running.as_deref().and_then(leading_number);
        match process {
            // libzypp calls rpm for each step; who has named something has done so to libzypp's own program.
            Some(process) => CommandLine::Of(process.to_string()),
            None if self.program == "rpm" && !self.is_in_classic_commit() => CommandLine::All,
            None => CommandLine::Of("self".into()),
        }
    }
}

/// As atoi(3): a positive number, whatever is behind it.
fn leading_number(text: &OsStr) -> Option<u32> {
    let text = text.to_str()?.trim_start();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().ok().filter(|number| *number > 0)
}

/// What people have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// All that goes: rpm erases nothing on its own.
    All,
    /// What is on the command line of this process, as `/proc` calls it.
    Of(String),
    /// Words that were read.
    Words(Vec<u8>),
}

impl CommandLine {
    /// Reads the words of the process, once.
    ///
    /// # Errors
    /// They cannot be read. Nothing is named then.
    pub fn read(&mut self) -> io::Result<()> {
        if let Self::Of(process) = self {
            let path = format!("/proc/{process}/cmdline");
            let mut words = Vec::new();
            let read = File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut words));
            *self = Self::Words(words);
            read?;
        }
        Ok(())
    }

    /// Has somebody asked for the package `nevra` (NAME-VERSION-RELEASE.ARCH) to be erased? rpm's transaction
    /// does not say: a package manager erases what depends on something that goes, too. Of another program
    /// than rpm the words after the verb count.
    pub fn names(&self, nevra: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(_) => false,
            Self::Words(words) => named::names(words, nevra),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(program: &str, running: Option<&str>, classic: Option<&str>) -> Caller {
        let [zypp_is_running, zypp_classic] = [running, classic].map(|v| v.map(Into::into));
        Caller { program: program.into(), zypp_is_running, zypp_classic }
    }

    #[test]
    fn a_commit_in_classic_mode_is_known_by_its_variables() {
        for (program, running, classic, expected) in [
            ("rpm", None, None, false),
            ("rpm", Some("12"), None, true),
            ("rpm", Some(""), None, true),
            ("rpm", None, Some("1"), true),
            ("rpm", None, Some("0"), false),
            ("zypper", Some("12"), None, false),
            ("zypper", Some("12"), Some("1"), true),
            ("zypp-rpm", Some("12"), Some("1"), false),
            ("dnf", None, None, false),
        ] {
            let is = caller(program, running, classic).is_in_classic_commit();
            assert_eq!(is, expected, "{program} {running:?} {classic:?}");
        }
    }

    #[test]
    fn whose_command_line_counts() {
        let of = |process: &str| CommandLine::Of(process.into());
        for (program, running, classic, expected) in [
            ("rpm", None, None, CommandLine::All),
            ("rpm", Some("12"), None, of("12")),
            ("rpm", Some(" 12x"), Some("1"), of("12")),
            ("rpm", Some("x"), None, of("self")),
            ("rpm", Some("0"), None, of("self")),
            ("rpm", Some("-1"), None, of("self")),
            ("rpm", None, Some("1"), of("self")),
            ("dnf", None, None, of("self")),
            ("zypp-rpm", Some("12"), None, of("12")),
        ] {
            assert_eq!(caller(program, running, classic).command_line(), expected, "{program} {running:?}");
        }
    }

    #[test]
    fn a_command_line_is_read_once() {
        let mut line = CommandLine::Of("self".into());
        assert!(!line.names("foo-1-1.noarch"));
        line.read().unwrap();
        assert!(matches!(&line, CommandLine::Words(words) if words.contains(&0)));
        let mut gone = CommandLine::Of("4294967295".into());
        assert!(gone.read().is_err() && gone.read().is_ok() && !gone.names("foo-1-1.noarch"));
    }
}
