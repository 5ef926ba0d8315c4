// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs programs, with time limits.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use crate::run::end_group;

/// What went wrong, for a person to read.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
/// Most functions here.
pub type Result<T> = std::result::Result<T, Fault>;

/// Runs a command and takes its output.
///
/// # Errors
/// It cannot be run, or fails; with the end of what it said.
pub fn output(command: &mut Command) -> Result<String> {
    let done: Output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{}: {e}", command.get_program().to_string_lossy()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let lines: Vec<&str> = said.lines().collect();
        let end = lines[lines.len().saturating_sub(12)..].join("\n");
        return Err(format!("{command:?}: {}\n{end}", done.status).into());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Is there such a program?
pub fn has(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", program])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Runs a command with everything it says going to `log`. `None`: it took too long and was ended.
///
/// # Errors
/// It cannot be run.
pub fn within(limit: Duration, command: &mut Command, log: &Path) -> Result<Option<ExitStatus>> {
    use std::os::unix::process::CommandExt;
    let file = File::create(log)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .spawn()
        .map_err(|e| format!("{}: {e}", command.get_program().to_string_lossy()))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            // make has children.
            end_group(&child);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Does `job` for every item, two at a time (the judge has two processors), and keeps the order.
pub fn each<T: Sync, R: Send>(items: &[T], job: impl Fn(&T) -> R + Sync) -> Vec<R> {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(i) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < items.len()) {
                    let result = job(&items[i]);
                    if let Ok(mut slot) = done[i].lock() {
                        *slot = Some(result);
                    }
                }
            });
        }
    });
    done.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

/// Like `cp -al`: the same files under another directory.
///
/// # Errors
/// `cp` fails.
pub fn link_tree(from: &Path, to: &Path) -> Result<()> {
    output(Command::new("cp").arg("-al").arg(from).arg(to)).map(drop)
}

/// Makes a directory that is empty.
///
/// # Errors
/// It cannot be emptied or made.
pub fn fresh(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(format!("{}: {e}", dir.display()).into()),
        _ => {}
    }
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()).into())
}
