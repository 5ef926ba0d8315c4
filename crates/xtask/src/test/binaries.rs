// SPDX-License-Identifier: LGPL-2.1-or-later
//! The programs that cargo builds of the workspace's tests, and the tests in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::install;
use crate::run::cargo_command;

/// A program of tests.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Binary {
    /// Its crate's or, of a directory below `tests/`, its own.
    pub name: String,
    pub program: PathBuf,
    /// The directory of its package, where cargo starts it.
    pub package: PathBuf,
}

/// What cargo says of one thing that it has built.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds all tests, in one call: asked for one by one, crates are built anew for each with the features it wants.
pub fn build() -> Result<Vec<Binary>, String> {
    let arguments = ["test", "--workspace", "--lib", "--bins", "--test", "*", "--no-run", "--locked"];
    println!("$ cargo {}", arguments.join(" "));
    let mut cargo =
        cargo_command(&[], &[&arguments[..], &["--message-format=json-render-diagnostics"]].concat());
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| format!("cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo test --no-run: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let artifacts = text.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let binary = |artifact: Artifact| {
        let package = artifact.manifest_path.parent()?.to_path_buf();
        Some(Binary { name: artifact.target.name, program: artifact.executable?, package })
    };
    let binaries: Vec<Binary> = artifacts.filter(|a| a.profile.test).filter_map(binary).collect();
    if binaries.is_empty() { Err("cargo has built no test".into()) } else { Ok(binaries) }
}

/// Writes them down for who is to run what was built here.
pub fn keep(binaries: &[Binary], list: &Path) -> Result<(), String> {
    let text = serde_json::to_string(binaries).map_err(|e| e.to_string())?;
    let directory = list.parent().unwrap_or(Path::new("/"));
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(list, text));
    written.map_err(|e| format!("{}: {e}", list.display()))
}

/// Those that [`keep`] wrote down.
pub fn kept(list: &Path) -> Result<Vec<Binary>, String> {
    let text = fs::read_to_string(list).map_err(|e| format!("{}: {e}", list.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", list.display()))
}

impl Binary {
    /// The program, as cargo starts it, but after the words of `before`.
    pub fn command(&self, before: &[&str]) -> Command {
        let words: Vec<&Path> = before.iter().map(Path::new).chain([self.program.as_path()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).current_dir(&self.package);
        let of_this = |name: &str| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_PATH";
        for (name, _) in std::env::vars_os().filter(|(name, _)| of_this(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.env("CARGO_MANIFEST_DIR", &self.package);
        command
    }

    /// The names of its tests, without those that are ignored, in the order in which they run.
    pub fn tests(&self) -> Result<Vec<String>, String> {
        let ignored = self.list(&["--ignored"])?;
        let mut all = self.list(&[])?;
        all.retain(|test| !ignored.contains(test));
        Ok(all)
    }

    fn list(&self, options: &[&str]) -> Result<Vec<String>, String> {
        let mut command = self.command(&[]);
        let output = command.args(["--list", "--format", "terse"]).args(options).output();
        let output = output.map_err(|e| format!("{}: {e}", self.program.display()))?;
        if !output.status.success() {
            return Err(format!("{} --list: {}", self.program.display(), output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(Into::into).collect())
    }

    /// Its directory in the project, to tell it from one of the same name.
    pub fn place(&self) -> String {
        let below = self.package.strip_prefix(install::project()).unwrap_or(&self.package);
        below.display().to_string()
    }
}
