// SPDX-License-Identifier: LGPL-2.1-or-later
//! The real programs that tests compare with: run, and their answers kept.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// What a program said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The command, for messages.
    pub command: String,
    /// The exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output, as text.
    pub stdout: String,
    /// Standard error, as text.
    pub stderr: String,
}

impl Output {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }

    /// The same output, if it exited with 0.
    ///
    /// # Panics
    /// When it did not, with all it said.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(self.success(), "{self}");
        self
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: exit {:?}\nstdout: {}\nstderr: {}{}",
            self.command,
            self.status,
            self.stdout,
            self.stderr,
            crate::packages::advice_on(&self.stderr)
        )
    }
}

/// `cargo xtask`, with the chore's words still to come. `KMP_TEST_XTASK` names the program where it is built already: cargo would
/// build it once more, with the features that it alone wants of crates.
pub fn xtask() -> Command {
    if let Some(program) = std::env::var_os("KMP_TEST_XTASK") {
        return Command::new(program);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--quiet", "--package", "xtask", "--"]);
    cargo
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started: a test must not pass because a tool is missing.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    let output = match command.output() {
        Ok(output) => output,
        Err(e) => {
            let program = command.get_program().to_string_lossy();
            panic!(
                "{program} cannot be run: {e}. {}\nThe call was {shown}",
                crate::packages::advice(&program)
            )
        }
    };
    Output {
        command: shown,
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Copies a program that is to be run. Another process does it: a test that is just starting a program would inherit the open
/// copy for a moment, and what is open for writing cannot be run (ETXTBSY).
///
/// # Panics
/// Where that fails.
#[track_caller]
pub fn copy_program(from: &Path, to: &Path) {
    run(command("cp").args(["--preserve=mode", "--"]).arg(from).arg(to)).expect_success();
}

/// A command with sbin in its path and a fixed language.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("LANG", "C");
    command
}

/// Runs the real `depmod ARGS KREL` on a root, with the root's `/etc/depmod.d` if it has one and no other.
///
/// Builds of kmod differ in the directory they look in: this works with all, with and without a `lib` link in the root.
pub fn depmod<S: AsRef<OsStr>>(root: &Path, krel: &str, args: &[S]) -> Output {
    let view = tempfile::tempdir().expect("a temporary directory");
    let below = |dir: &str| root.join(dir).join("modules").join(krel).exists();
    let lib = if below("usr/lib") { root.join("usr/lib") } else { root.join("lib") };
    std::fs::create_dir(view.path().join("usr")).expect("an empty directory");
    for link in ["lib", "usr/lib"] {
        symlink(&lib, view.path().join(link)).expect("an empty directory");
    }
    let config = root.join("etc/depmod.d");
    let config = if config.is_dir() { config } else { "/dev/null".into() };
    run(command("depmod").arg("-b").arg(view.path()).arg("-C").arg(config).args(args).arg(krel))
}

/// Asks the real `modinfo` for a field of a module file. Several values make several lines.
pub fn modinfo(file: &Path, field: &str) -> String {
    run(command("modinfo").arg("-F").arg(field).arg(file))
        .expect_success()
        .stdout
        .trim_end_matches('\n')
        .to_owned()
}
