// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs cargo and other programs for the chores, with what they say left to be seen.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::install;

/// Runs cargo in the project, after the words of `before`.
pub fn cargo(before: &[&str], arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let shown = [&["cargo"], arguments].concat().join(" ");
    println!("$ {shown}");
    finish(&shown, cargo_command(before, arguments).envs(environment.iter().copied()))
}

/// The same, not run yet.
pub fn cargo_command(before: &[&str], arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let words: Vec<&str> = before.iter().copied().chain([cargo.as_str()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(arguments).current_dir(install::project());
    without_outer_cargo(&mut command);
    command
}

/// Takes away from a command what a cargo has set for this program. For the next cargo these would be other settings than it had
/// the last time: ring's build script looks at them, and with ring all that uses it would be compiled anew.
pub fn without_outer_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| text.starts_with(start)) || text == "OUT_DIR"
        {
            command.env_remove(&name);
        }
    }
}

/// This program's file. Where cargo has put a newer one in its place meanwhile, Linux adds a word to the path; then it is that
/// one.
///
/// # Errors
/// There is no `/proc`.
pub fn this_program() -> Result<PathBuf, String> {
    let path = std::env::current_exe().map_err(|e| format!("this program's path is not known: {e}"))?;
    let replaced = path.to_str().and_then(|text| text.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(replaced.unwrap_or(path))
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be run, or fails. A program that is missing is named with the package to install.
pub fn finish(shown: &str, command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(e) => Err(install::cannot_run(command, &e)),
    }
}

/// Kills a program that leads a group of processes, and the others of the group.
pub fn end_group(child: &Child) {
    if let Ok(id) = i32::try_from(child.id()) {
        let _it_may_have_ended = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}

/// What a program prints.
///
/// # Errors
/// It cannot be run, or fails.
pub fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|e| install::cannot_run(&command, &e))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
