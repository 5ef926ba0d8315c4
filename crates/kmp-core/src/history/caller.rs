// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who has called kmp: the package manager above it, and the person who has logged in.

use std::fs::File;
use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::guest::{self, called};

/// So far up it is looked for a package manager.
const GENERATIONS: usize = 32;

/// Longer command lines are read as far as this.
const LIMIT: u64 = 1 << 16;

/// Who has called a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// What was called: the command's own line, `rpm's plugin`, `libkmp`.
    pub call: String,
    /// The command line of the package manager in which that was; without one, the program that has called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Who has logged in, or else whose process it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// What of kmp is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// A command, by its words.
    Command(&'a [String]),
    /// rpm's plugin, in this process.
    Plugin,
    /// libkmp, in this process.
    Library,
}

impl Caller {
    /// Looks who has called this process, or who it is. What cannot be read is not known.
    pub fn find(call: Call<'_>) -> Self {
        let (text, start) = match call {
            Call::Command(words) => {
                let words: Vec<u8> =
                    words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
                (called(&words).map_or_else(|| "kmp".into(), |called| called.line), parent_of("self"))
            }
            Call::Plugin => ("rpm's plugin".into(), Some("self".into())),
            Call::Library => ("libkmp".into(), Some("self".into())),
        };
        let mut next = start;
        let mut by = None;
        for generation in 0..GENERATIONS {
            let Some(process) = next.filter(|process| process != "0") else { break };
            let found = read(&process, "cmdline").and_then(|words| called(&words));
            // The outermost one: zypper, and not the rpm that it calls. Without any the nearest program.
            by = match found {
                Some(found) if found.is_manager => Some(found.line),
                Some(found) if generation == 0 => Some(found.program),
                _ => by,
            };
            next = parent_of(&process);
        }
        Self { call: text, by, uid: Some(user()) }
    }
}

fn read(process: &str, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{process}/{name}")).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The second field behind the name, which may have anything in it: `4711 (name) S 4710 ...`.
fn parent_of(process: &str) -> Option<String> {
    let stat = read(process, "stat")?;
    let text = String::from_utf8_lossy(&stat);
    text.rsplit_once(')')?.1.split_whitespace().nth(1).map(Into::into)
}

/// Who has logged in, whatever they have become since; sudo and pkexec know it, too, where the kernel does not.
fn user() -> u32 {
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|uid| *uid != u32::MAX);
    let of_login = || number(&String::from_utf8_lossy(&read("self", "loginuid")?));
    let of = |name: &str| number(guest::variable(name)?.to_str()?);
    of_login()
        .or_else(|| of("SUDO_UID"))
        .or_else(|| of("PKEXEC_UID"))
        .unwrap_or_else(|| nix::unistd::getuid().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_a_process_above() {
        let caller = Caller::find(Call::Command(&["/usr/bin/kmp".into(), "sync".into()]));
        assert_eq!(caller.call, "kmp sync");
        // Whoever has started this test.
        assert!(caller.by.is_some_and(|by| !by.is_empty()) && caller.uid.is_some());
        assert_eq!(parent_of("self").unwrap(), std::os::unix::process::parent_id().to_string());
        assert_eq!(parent_of("4294967295"), None);
    }
}
