// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask demo`: what kmp is for, with real packages, in a throwaway root.

use std::io::IsTerminal;
use std::path::Path;

use testkit::demo::{Shown, play};
use testkit::packages::Use;

use crate::plugin::{self, Kind};
use crate::{install, privilege, run};

/// Where README.md has the screen, and what comes after it.
const MARKS: [&str; 2] = ["<!-- screen of the demo -->\n", "<!-- end of the screen -->\n"];

/// Show what kmp is for, with real packages in a throwaway root.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write the screen into README.md and the file that the test compares with.
    #[arg(long)]
    write: bool,
    /// kmp is built: how the chore calls itself where it has the rights of root.
    #[arg(long, hide = true)]
    built: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    if !arguments.built {
        install::ensure(&[Use::Demo])?;
        println!("Building kmp and rpm's plugin (a minute or two the first time) ...");
        // On a terminal cargo shows how far it is.
        let quiet: &[&str] = if std::io::stderr().is_terminal() { &[] } else { &["--quiet"] };
        let built = ["build", "--locked", "-p", "kmp-cli", "-p", "xtask", "-p", "kmp-capi"];
        // With this program's own features of their common crates, so that none is built once more.
        run::cargo(&[], &[&built[..], quiet].concat(), &[])?;
        plugin::build(Kind::Plain, "debug")?;
        let mut again = vec!["demo", "--built"];
        if arguments.write {
            again.push("--write");
        }
        if privilege::again(&again)?.is_some() {
            return Ok(());
        }
    }
    println!("Building five packages with rpmbuild ...\n");
    println!("All of this happens in a throwaway root with an rpm database of its own. Left");
    println!("out of the commands as they are shown: --root DIRECTORY, and rpm's --nodeps.\n");
    let target = install::target().join("debug");
    let shown = play(&target.join("kmp"), &target.join("rpm-plugin/kmp.so"), &mut |line| println!("{line}"));
    println!();
    if !shown.wrong.is_empty() {
        return Err(format!("not as it should be: {}", shown.wrong.join("; ")));
    }
    println!("All was as it should be: rpm's answers, links, index and exit statuses.");
    if arguments.write { write(&shown) } else { Ok(()) }
}

fn write(shown: &Shown) -> Result<(), String> {
    let project = install::project();
    let readme = project.join("README.md");
    let text = std::fs::read_to_string(&readme).map_err(|e| format!("{}: {e}", readme.display()))?;
    let [start, end] = MARKS;
    let (before, rest) = text.split_once(start).ok_or("README.md has no mark for the screen")?;
    let (_, after) = rest.split_once(end).ok_or("README.md has no mark for the screen's end")?;
    put(&readme, &format!("{before}{start}\n{}\n{end}{after}", shown.for_readme()))?;
    put(&project.join("tests/plugin/demo.screen"), &shown.screen)
}

fn put(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}
