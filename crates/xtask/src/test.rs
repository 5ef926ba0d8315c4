// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask test`: every check and every test, one after the other, whatever fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::packages::Use;
use crate::{fuzz, house, install, judge, plugin, privilege, releases};

const USAGE: &str = "usage: cargo xtask test [--no-judge] [--bench]

Installs what is needed, then runs all checks and tests. --no-judge leaves out
the tests that boot kernels; --bench measures speed as well.";

/// One step and how it ended.
struct Step {
    name: &'static str,
    took: Duration,
    end: End,
}

enum End {
    Ok,
    /// In whole or in part, and why.
    NotRun(String),
    Failed(String),
}

impl From<Result<(), String>> for End {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Ok)
    }
}

/// `Some`: why it was not run.
impl From<Result<Option<String>, String>> for End {
    fn from(result: Result<Option<String>, String>) -> Self {
        match result {
            Ok(None) => Self::Ok,
            Ok(Some(why)) => Self::NotRun(why),
            Err(why) => Self::Failed(why),
        }
    }
}

pub fn run(arguments: &[String]) -> Result<(), String> {
    if let Some(unknown) = arguments.iter().find(|a| !["--no-judge", "--bench"].contains(&a.as_str())) {
        return match unknown.as_str() {
            "-h" | "--help" => {
                println!("{USAGE}");
                Ok(())
            }
            _ => Err(format!("unknown option {unknown}\n{USAGE}")),
        };
    }
    let given = |option: &str| arguments.iter().any(|a| a == option);
    let judge = crate::knows("judge") && !given("--no-judge");
    let start = Instant::now();
    let mut steps = Vec::new();
    let uses = if judge {
        vec![Use::Demo, Use::Test, Use::Rpm, Use::Judge]
    } else {
        vec![Use::Demo, Use::Test, Use::Rpm]
    };
    // Even where something cannot be installed, the other steps have something to say.
    step(&mut steps, "tools", || install::ensure(&uses).and_then(|()| install::ensure_components()));
    step(&mut steps, "format", || {
        cargo(&[], &["fmt", "--all", "--check"], &[])?;
        fuzz::format()
    });
    step(&mut steps, "clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        cargo(&[], &arguments, &[])?;
        fuzz::lint()
    });
    step(&mut steps, "shellcheck", shellcheck);
    step(&mut steps, "spelling", house::spelling);
    step(&mut steps, "oldest rust", house::oldest_rust);
    step(&mut steps, "docs", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
        cargo(&[], &arguments, &[("RUSTDOCFLAGS", "-D warnings")])
    });
    step(&mut steps, "tests", || {
        let namespace = privilege::namespace()?;
        cargo(&namespace, &["test", "--workspace", "--no-fail-fast", "--locked"], &[])
    });
    step(&mut steps, "packages", || {
        let namespace = privilege::namespace()?;
        cargo(&namespace, &["test", "--workspace", "--test", "packages", "--locked"], &[])
    });
    step(&mut steps, "sanitizers", plugin::check_sanitized);
    step(&mut steps, "fuzz", fuzz::check);
    // Behind the tests out here, which have built what is run there.
    let packages = install::target().join("tmp/packages-1");
    step(&mut steps, "releases", || releases::check(Some(&*packages).filter(|p| p.exists())));
    if judge {
        step(&mut steps, "judge", judge::check);
    }
    if given("--bench") {
        step(&mut steps, "bench", || this(&["bench"]));
    }
    summary(&steps, start.elapsed())
}

fn step<E: Into<End>>(steps: &mut Vec<Step>, name: &'static str, run: impl FnOnce() -> E) {
    println!("\n=== {name}");
    let start = Instant::now();
    let end = run().into();
    match &end {
        End::Ok => {}
        End::NotRun(why) => println!("=== {name} NOT RUN: {why}"),
        End::Failed(why) => println!("=== {name} FAILED: {why}"),
    }
    steps.push(Step { name, took: start.elapsed(), end });
}

fn summary(steps: &[Step], total: Duration) -> Result<(), String> {
    println!("\n=== summary");
    for Step { name, took, end } in steps {
        let result = match end {
            End::Ok => "ok".into(),
            End::NotRun(why) => format!("not run: {why}"),
            End::Failed(why) => format!("FAILED: {why}"),
        };
        println!("{name:12} {:>7.1} s  {result}", took.as_secs_f64());
    }
    println!("{:12} {:>7.1} s", "in all", total.as_secs_f64());
    let failed: Vec<&str> =
        steps.iter().filter(|s| matches!(s.end, End::Failed(_))).map(|s| s.name).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("failed: {}", failed.join(", "))),
    }
}

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
    // cargo found its own settings for this program; the next cargo finds them anew.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

fn this(arguments: &[&str]) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let shown = [&["cargo", "xtask"], arguments].concat().join(" ");
    println!("$ {shown}");
    finish(&shown, Command::new(program).args(arguments))
}

pub fn finish(shown: &str, command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{shown}: {status}")),
        Err(e) => Err(format!("{shown}: {e}")),
    }
}

fn shellcheck() -> Result<(), String> {
    let project = install::project();
    let scripts = scripts(&project)?;
    if scripts.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = scripts.iter().map(|p| p.display().to_string()).collect();
    let shown = format!("shellcheck {}", names.join(" "));
    println!("$ {shown}");
    finish("shellcheck", Command::new("shellcheck").args(&scripts).current_dir(&project))
}

/// The shell scripts of the project, among the files that git has: named `*.sh`, or with a shell in their
/// first line. Of a link only what it leads to.
fn scripts(project: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(project).output();
    let listed = listed.map_err(|e| format!("git ls-files: {e}"))?;
    if !listed.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim()));
    }
    let names = listed.stdout.split(|b| *b == 0).filter(|n| !n.is_empty());
    let paths = names.map(|n| PathBuf::from(String::from_utf8_lossy(n).into_owned()));
    Ok(paths.filter(|path| is_script(&project.join(path))).collect())
}

fn is_script(path: &Path) -> bool {
    if path.is_symlink() {
        return false;
    }
    if path.extension().is_some_and(|e| e == "sh") {
        return true;
    }
    let mut start = [0; 64];
    let Ok(mut file) = std::fs::File::open(path) else { return false };
    let Ok(length) = std::io::Read::read(&mut file, &mut start) else { return false };
    let line = start[..length].split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.strip_prefix("#!").is_some_and(|interpreter| {
        interpreter.split(['/', ' ']).any(|word| ["sh", "bash", "dash"].contains(&word))
    })
}
