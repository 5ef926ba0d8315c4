// SPDX-License-Identifier: LGPL-2.1-or-later
//! Checks of the sources themselves: shell scripts by shellcheck, and each file's licence.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::project;
use crate::run::finish;

/// How files are named that have to name their licence; so have scripts of any name.
const SOURCES: &[&str] = &["rs", "c", "h", "sh", "py", "js"];

/// shellcheck of all shell scripts.
pub fn shellcheck() -> Result<(), String> {
    let is_shell = |file: &PathBuf| {
        let ends = |end: &str| file.extension().is_some_and(|e| e == end);
        let words = interpreter(file);
        // A template is no script yet.
        ends("sh") || !ends("j2") && words.iter().any(|word| ["sh", "bash", "dash"].contains(&word.as_str()))
    };
    let scripts: Vec<PathBuf> = files(&project())?.into_iter().filter(is_shell).collect();
    if scripts.is_empty() {
        return Err("the project has no shell script: they are not found".into());
    }
    println!("$ shellcheck ({} scripts)", scripts.len());
    finish("shellcheck", Command::new("shellcheck").args(&scripts).current_dir(project()))
}

/// Ours, and that of kernel modules.
const LICENCES: [&str; 2] = ["LGPL-2.1-or-later", "GPL-2.0-only"];

/// Every source file has an SPDX line among its first three.
pub fn licences() -> Result<(), String> {
    let without = without_licence(&files(&project())?);
    match without.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "there is no `SPDX-License-Identifier: {}` in the first three lines of {}",
            LICENCES.join("` or `"),
            without.join(", ")
        )),
    }
}

fn without_licence(files: &[PathBuf]) -> Vec<String> {
    let is_source = |file: &&PathBuf| {
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        SOURCES.contains(&extension) || !interpreter(file).is_empty()
    };
    let has_licence = |file: &&PathBuf| {
        let text = fs::read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let names_one = |line: &str| {
            let licence = line.split_once("SPDX-License-Identifier: ").map(|(_, rest)| rest);
            licence.is_some_and(|rest| LICENCES.iter().any(|name| rest.starts_with(name)))
        };
        text.lines().take(3).any(names_one)
    };
    let without = files.iter().filter(is_source).filter(|file| !has_licence(file));
    without.map(|file| file.display().to_string()).collect()
}

/// The files that git has below a directory and that are there, but for links.
pub fn files(project: &Path) -> Result<Vec<PathBuf>, String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z"]).current_dir(project);
    let listed = git.output().map_err(|e| crate::install::cannot_run(&git, &e))?;
    if !listed.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim()));
    }
    let names = listed.stdout.split(|b| *b == 0).filter(|n| !n.is_empty());
    let paths = names.map(|n| project.join(String::from_utf8_lossy(n).as_ref()));
    Ok(paths.filter(|path| path.is_file() && !path.is_symlink()).collect())
}

/// The words of a script's first line: `/usr/bin/env`, `bash` and so on, each without its directory; none for what is no script.
fn interpreter(file: &Path) -> Vec<String> {
    let mut start = [0; 64];
    let Ok(mut file) = fs::File::open(file) else { return Vec::new() };
    let Ok(length) = std::io::Read::read(&mut file, &mut start) else { return Vec::new() };
    let line = start[..length].split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let Some(words) = line.strip_prefix("#!").filter(|words| words.trim_start().starts_with('/')) else {
        return Vec::new();
    };
    words.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word).to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_its_licence_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let spdx = "SPDX-License-Identifier: LGPL-2.1-or-later";
        let with = [
            file("a.rs", &format!("// {spdx}\nfn a() {{}}\n")),
            file("tool", &format!("#!/bin/sh\n# {spdx}\n")),
            file("notes.txt", "no source\n"),
            // An attribute is no script's first line.
            file("attribute", "#![allow(x)]\n"),
        ];
        assert_eq!(without_licence(&with), Vec::<String>::new());
        let without = [
            file("b.c", "int b;\n"),
            file("late.py", &format!("\n\n\n# {spdx}\n")),
            file("other", "#!/usr/bin/env python3\nprint()\n"),
        ];
        assert_eq!(without_licence(&without).len(), 3);
    }
}
