// SPDX-License-Identifier: LGPL-2.1-or-later
//! What holds for the sources as a whole: spelling, the form of the C, the oldest Rust that builds them, and (as a
//! test) the licences of what is depended on.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::install::{find, project, target};
use crate::run::{finish, without_outer_cargo};
use crate::sources::files;

/// Spelling, by codespell, which finds common mistakes and takes British and American English. `.codespellrc` has
/// what it takes for a mistake and is none.
pub fn spelling() -> Result<(), String> {
    let there = files(&project())?;
    println!("$ codespell $(git ls-files)");
    finish("codespell", Command::new("codespell").args(there).current_dir(project()))
}

/// The form of the C, by `.clang-format`. Not of the header, which has the form of its generator, nor of the samples for
/// packagers, which have the kernel's.
pub fn c_format() -> Result<(), String> {
    let is_c = |file: &PathBuf| {
        file.extension().is_some_and(|e| e == "c" || e == "h" || e == "cpp")
            && !["crates/kmp-capi/include", "packaging/examples"]
                .iter()
                .any(|dir| file.starts_with(project().join(dir)))
    };
    let files: Vec<PathBuf> = files(&project())?.into_iter().filter(is_c).collect();
    println!("$ clang-format --dry-run --Werror ({} files)", files.len());
    let mut command = Command::new("clang-format");
    finish("clang-format", command.args(["--dry-run", "--Werror"]).args(files).current_dir(project()))
}

/// The oldest Rust that `Cargo.toml` names builds everything but tests. `Some`: why that could not be tried.
pub fn oldest_rust() -> Result<Option<String>, String> {
    let version = env!("CARGO_PKG_RUST_VERSION");
    if find("rustup").is_none() {
        return Ok(Some(format!("without rustup there is no Rust {version} beside the one in use")));
    }
    let toolchain = format!("+{version}");
    let has = Command::new("rustc").args([&toolchain, "--version"]).stdin(Stdio::null()).output();
    if !has.is_ok_and(|output| output.status.success()) {
        let install = ["toolchain", "install", version, "--profile", "minimal"];
        println!("$ rustup {}", install.join(" "));
        if let Err(why) = finish("rustup", Command::new("rustup").args(install)) {
            return Ok(Some(format!("Rust {version} cannot be installed ({why})")));
        }
    }
    // Through rustup: a cargo that is found by its path calls its own compiler.
    let mut command = Command::new("rustup");
    // What is only checked need not be optimised: the libraries in C, as nothing else is compiled.
    let plain = ["liblzma-sys", "ring", "zstd-sys"]
        .map(|library| format!("--config=profile.dev.package.{library}.opt-level=0"));
    command
        .args(["run", version, "cargo", "check", "--workspace", "--locked"])
        .args(plain)
        .current_dir(project());
    command.env("CARGO_TARGET_DIR", target().join("oldest-rust"));
    without_outer_cargo(&mut command);
    command.env_remove("RUSTUP_TOOLCHAIN");
    println!("$ cargo +{version} check --workspace --locked");
    finish(&format!("cargo +{version} check"), &mut command).map(|()| None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use serde_json::Value;

    use super::*;

    /// The strings of a list in `deny.toml`.
    fn listed(key: &str) -> Vec<String> {
        let text = fs::read_to_string(project().join("deny.toml")).unwrap();
        let (_, list) = text.split_once(&format!("\n{key} = [")).unwrap_or_else(|| panic!("no {key}"));
        let list = list.split_once(']').unwrap().0;
        list.split('"').skip(1).step_by(2).map(String::from).collect()
    }

    /// The crates that are depended on, as cargo has them in `Cargo.lock`.
    fn dependencies(manifest: &str) -> Vec<Value> {
        let mut command = crate::run::cargo_command(&[], &["metadata", "--format-version=1", "--locked"]);
        let output = command.arg("--manifest-path").arg(project().join(manifest)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        packages.iter().filter(|package| !package["source"].is_null()).cloned().collect()
    }

    /// Can this SPDX expression be fulfilled with what is allowed? OR binds less than AND; a slash is an old OR.
    fn is_fulfilled(expression: &str, allowed: &[String]) -> bool {
        let expression = expression.trim();
        for (word, all) in [(" OR ", false), ("/", false), (" AND ", true)] {
            let parts = outside_parentheses(expression, word);
            if parts.len() > 1 {
                let mut parts = parts.into_iter().map(|part| is_fulfilled(part, allowed));
                return if all { parts.all(|fits| fits) } else { parts.any(|fits| fits) };
            }
        }
        match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(inner) => is_fulfilled(inner, allowed),
            None => allowed.iter().any(|licence| licence == expression),
        }
    }

    fn outside_parentheses<'e>(expression: &'e str, word: &str) -> Vec<&'e str> {
        let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
        for (at, c) in expression.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 && at >= start && expression[at..].starts_with(word) {
                parts.push(&expression[start..at]);
                start = at + word.len();
            }
        }
        parts.push(&expression[start..]);
        parts
    }

    #[test]
    fn an_expression_is_fulfilled_by_its_words() {
        let allowed = ["MIT", "Unicode-3.0"].map(String::from);
        for fits in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
            assert!(is_fulfilled(fits, &allowed), "{fits}");
        }
        for fails in ["GPL-3.0", "GPL-3.0 AND MIT", "MIT WITH Some-exception", "(GPL-3.0 OR BSD) AND MIT", ""]
        {
            assert!(!is_fulfilled(fails, &allowed), "{fails}");
        }
    }

    #[test]
    fn every_licence_goes_with_ours() {
        let allowed = listed("allow");
        for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
            let dependencies = dependencies(manifest);
            assert!(!dependencies.is_empty());
            for package in dependencies {
                let licence = package["license"].as_str().unwrap_or_default();
                let fits = is_fulfilled(licence, &allowed);
                assert!(fits, "{}: deny.toml does not allow the licence {licence:?}", package["name"]);
            }
        }
    }

    #[test]
    fn no_crate_is_there_in_two_versions() {
        let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let skipped = listed("skip");
        let is_skipped = |package: &Value| {
            let [name, version] = ["name", "version"].map(|key| package[key].as_str().unwrap());
            skipped.iter().any(|skip| {
                let (of, from) = skip.split_once('@').unwrap();
                of == name && version.starts_with(&format!("{from}."))
            })
        };
        let all = dependencies("Cargo.toml");
        for package in all.iter().filter(|package| !is_skipped(package)) {
            versions.entry(package["name"].to_string()).or_default().push(package["version"].to_string());
        }
        versions.retain(|_, versions| versions.len() > 1);
        assert!(versions.is_empty(), "{versions:?}");
    }
}
