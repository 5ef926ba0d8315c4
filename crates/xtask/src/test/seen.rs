// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a program of tests prints, read as it comes.

use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How `testkit::skip` begins a line.
const SKIPPED: &str = "SKIPPED ";

/// What a program has printed, and when each of its tests began.
#[derive(Default)]
pub struct Seen {
    pub text: Vec<u8>,
    /// Up to here it has been looked through.
    at: usize,
    begun: Vec<(String, Instant)>,
    /// The tests that showed nothing on this machine, and why: `testkit::skip`.
    pub skipped: Vec<(String, String)>,
    over: Option<Instant>,
}

impl Seen {
    /// Takes what a program prints, until it has closed its output.
    ///
    /// # Errors
    /// One of its tests takes longer than `patience`.
    pub fn listen(&mut self, mut output: PipeReader, patience: Duration) -> Result<(), String> {
        let mut buffer = [0; 4096];
        let mut since = Instant::now();
        loop {
            let left = PollTimeout::try_from(patience.saturating_sub(since.elapsed()));
            match poll(
                &mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)],
                left.unwrap_or(PollTimeout::MAX),
            ) {
                Ok(0) => {
                    let test = self.begun.last().map_or("its first test", |(test, _)| test);
                    let seconds = patience.as_secs();
                    return Err(format!("{test} has not ended within {seconds} s, and was killed"));
                }
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(format!("its output cannot be waited for: {e}")),
            }
            let begun = self.begun.len();
            match output.read(&mut buffer) {
                Ok(0) | Err(_) => return Ok(()),
                Ok(length) => self.take(&buffer[..length], Instant::now()),
            }
            if self.begun.len() > begun {
                since = Instant::now();
            }
        }
    }

    fn take(&mut self, bytes: &[u8], now: Instant) {
        self.text.extend_from_slice(bytes);
        // The line that is not finished is looked at each time: a test's name stands there while it runs.
        loop {
            let rest = &self.text[self.at..];
            let end = rest.iter().position(|b| *b == b'\n');
            let line = String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]).into_owned();
            let named = line.strip_prefix("test ").and_then(|line| line.split_once(" ... "));
            if let Some((name, _)) = named {
                let name = name.trim_end_matches(" - should panic").to_string();
                if self.begun.last().is_none_or(|(last, _)| *last != name) {
                    self.begun.push((name, now));
                }
            }
            if let Some(why) = line.strip_prefix(SKIPPED)
                && end.is_some()
                && let Some((test, _)) = self.begun.last()
            {
                let why = why.split_once(": ").map_or(why, |(_, why)| why);
                self.skipped.push((test.clone(), why.into()));
            }
            if line.starts_with("test result:") || line == "failures:" {
                self.over.get_or_insert(now);
            }
            match end {
                Some(end) => self.at += end + 1,
                None => return,
            }
        }
    }

    pub fn times(&self, end: Instant) -> Vec<(String, Duration)> {
        let ends = self.begun.iter().skip(1).map(|(_, begun)| *begun).chain([self.over.unwrap_or(end)]);
        self.begun
            .iter()
            .zip(ends)
            .map(|((name, begun), end)| (name.clone(), end.duration_since(*begun)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tests_time_is_from_its_name_to_the_next() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut seen = Seen::default();
        seen.take(b"\nrunning 2 tests\ntest a::b ... ", at(0));
        seen.take(b"said by a child\nok\ntest c - should panic ... ", at(100));
        seen.take(b"\nSKIPPED c: not he", at(300));
        seen.take(b"re\nok\n\ntest result: ok. 2 passed", at(350));
        let expected = [("a::b", 100), ("c", 250)].map(|(n, ms)| (n.to_string(), Duration::from_millis(ms)));
        assert_eq!(seen.times(at(400)), expected);
        assert_eq!(seen.skipped, [("c".to_string(), "not here".to_string())]);
    }
}
