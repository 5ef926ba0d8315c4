// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask spec`: writes into kmp.spec what is linked into each of its packages, and under which licences, as
//! distributions ask for it; and the same as a list for people, `packaging/LICENSE.dependencies`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use crate::install::project;
use crate::run::cargo_command;

/// Packages with programs, and the crate that each is built of.
const PACKAGES: &[(&str, &str)] =
    &[("kmp", "kmp-cli"), ("libkmp1", "kmp-capi"), ("rpm-plugin-kmp", "kmp-capi")];

/// The systems that there are packages for. A crate may be linked in on some of them only.
const TARGETS: &[&str] = &[
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "i686-unknown-linux-gnu",
    "powerpc64le-unknown-linux-gnu",
    "riscv64gc-unknown-linux-gnu",
    "s390x-unknown-linux-gnu",
];

/// Libraries in C that crates bring and link in: the crate, the library, its licence, and where its version is defined.
const IN_C: &[(&str, &str, &str, &str)] = &[
    ("zstd-sys", "zstd", "BSD-3-Clause", "zstd/lib/zstd.h"),
    ("liblzma-sys", "xz", "0BSD", "xz/src/liblzma/api/lzma/version.h"),
];

/// What is in every program: Rust's standard library, and ours.
const ALWAYS: &[&str] = &["LGPL-2.1-or-later", "Apache-2.0 OR MIT"];

const OURS: &str = "LGPL-2.1-or-later";

/// A crate: its name and version, and where its sources are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    sources: PathBuf,
}

/// Writes both files, and says which one that changed.
pub fn run() -> Result<(), String> {
    for (path, text) in generated()? {
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        println!("{}", path.display());
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

/// Both files, as they are to be.
fn generated() -> Result<Vec<(PathBuf, String)>, String> {
    let spec = project().join("packaging/kmp.spec");
    let mut text = fs::read_to_string(&spec).map_err(|e| format!("{}: {e}", spec.display()))?;
    let linked = linked()?;
    let mut all = BTreeSet::new();
    for (package, of) in PACKAGES {
        let crates = linked.get(*of).ok_or_else(|| format!("cargo tree says nothing about {of}"))?;
        text = with_block(&text, package, &block(crates)?)?;
        all.extend(crates.iter().cloned());
    }
    Ok(vec![(spec, text), (project().join("packaging/LICENSE.dependencies"), list(&all)?)])
}

/// The lines of a package: its licence, and what is bundled in it.
fn block(crates: &BTreeSet<Crate>) -> Result<String, String> {
    let mut licences: BTreeSet<String> = ALWAYS.iter().map(|l| (*l).to_string()).collect();
    let mut provides = BTreeSet::new();
    for linked in crates {
        licences.extend(linked.licence.split(" AND ").map(normal));
        // No version may have a dash; a tilde is older than nothing, as a dash is in a crate's.
        let version = linked.version.replace('-', "~");
        provides.insert(format!("bundled(crate({})) = {version}", linked.name));
        if let Some((library, licence, version)) = in_c(linked)? {
            licences.insert(licence.into());
            provides.insert(format!("bundled({library}) = {version}"));
        }
    }
    licences.remove(OURS);
    let each = licences.iter().map(|l| if l.contains(" OR ") { format!("({l})") } else { l.clone() });
    let licence = std::iter::once(OURS.to_string()).chain(each).collect::<Vec<_>>().join(" AND ");
    let mut lines = format!("License:        {licence}\n");
    provides.iter().for_each(|p| lines.push_str(&format!("Provides:       {p}\n")));
    Ok(lines)
}

/// The list for people: a line for each crate.
fn list(crates: &BTreeSet<Crate>) -> Result<String, String> {
    let mut text = String::from(
        "What is linked into kmp's programs and libraries, with the licence of each. Made by `cargo xtask spec`.\n\n",
    );
    for linked in crates {
        text.push_str(&format!("{} {}: {}\n", linked.name, linked.version, linked.licence));
        if let Some((library, licence, version)) = in_c(linked)? {
            text.push_str(&format!("{library} {version} (in {}): {licence}\n", linked.name));
        }
    }
    Ok(text)
}

/// An expression with its alternatives in order: some crates write `MIT/Apache-2.0`.
fn normal(licence: &str) -> String {
    let licence = licence.trim_matches(['(', ')']).replace('/', " OR ");
    let alternatives: BTreeSet<&str> = licence.split(" OR ").map(str::trim).collect();
    alternatives.into_iter().collect::<Vec<_>>().join(" OR ")
}

/// The library in C that a crate brings: its name, licence and version.
fn in_c(linked: &Crate) -> Result<Option<(&'static str, &'static str, String)>, String> {
    let Some((_, library, licence, header)) = IN_C.iter().find(|(name, ..)| *name == linked.name) else {
        return Ok(None);
    };
    let path = linked.sources.join(header);
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let number = |part: &str| {
        let line = text.lines().find(|line| {
            line.starts_with("#define") && line.split_whitespace().nth(1).is_some_and(|w| w.ends_with(part))
        });
        let word = line.and_then(|line| line.split_whitespace().nth(2)).unwrap_or_default();
        word.parse::<u32>().map_err(|_| format!("{} defines no {part}", path.display()))
    };
    let last = number("_VERSION_PATCH").or_else(|_| number("_VERSION_RELEASE"))?;
    let version = format!("{}.{}.{last}", number("_VERSION_MAJOR")?, number("_VERSION_MINOR")?);
    Ok(Some((library, licence, version)))
}

/// The spec file with these lines between a package's marks.
fn with_block(spec: &str, package: &str, lines: &str) -> Result<String, String> {
    let first = format!("# Linked into {package}, by `cargo xtask spec`:\n");
    const LAST: &str = "# End of what is linked.\n";
    let missing = || format!("kmp.spec has no line {first:?} with {LAST:?} after it");
    let start = spec.find(&first).ok_or_else(missing)? + first.len();
    let end = start + spec[start..].find(LAST).ok_or_else(missing)?;
    Ok(format!("{}{lines}{}", &spec[..start], &spec[end..]))
}

/// Our crates that programs are made of, and what cargo links into each, as it builds all in one call.
fn linked() -> Result<BTreeMap<String, BTreeSet<Crate>>, String> {
    let mut linked: BTreeMap<String, BTreeSet<Crate>> = BTreeMap::new();
    let sources = sources()?;
    for target in TARGETS {
        let mut arguments =
            vec!["tree", "--locked", "--edges=normal,no-proc-macro", "--prefix=depth", "--no-dedupe"];
        arguments.extend(["--target", target, "--format", "|{p}|{l}"]);
        arguments.extend(crate::install_tree::PACKAGES);
        let mut root = String::new();
        for line in cargo(&arguments)?.lines() {
            let mut parts = line.split('|');
            let (Some(depth), Some(package), Some(licence)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let mut words = package.split_whitespace();
            let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
            if depth == "0" {
                root = name.into();
            }
            let version = version.trim_start_matches('v').to_string();
            // Our own crates are the package.
            let Some(path) = sources.get(&(name.to_string(), version.clone())) else { continue };
            linked.entry(root.clone()).or_default().insert(Crate {
                name: name.into(),
                version,
                licence: licence.replace('/', " OR "),
                sources: path.clone(),
            });
        }
    }
    Ok(linked)
}

/// Where the sources of each crate are that is not ours.
fn sources() -> Result<BTreeMap<(String, String), PathBuf>, String> {
    let metadata = cargo(&["metadata", "--locked", "--format-version=1"])?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let text = |package: &serde_json::Value, key: &str| package[key].as_str().map(str::to_string);
    let packages = metadata["packages"].as_array().into_iter().flatten().filter(|p| !p["source"].is_null());
    let of = |package| {
        let manifest = PathBuf::from(text(package, "manifest_path")?);
        Some(((text(package, "name")?, text(package, "version")?), manifest.parent()?.to_path_buf()))
    };
    Ok(packages.filter_map(of).collect())
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    let output = cargo_command(&[], arguments).output().map_err(|e| format!("cargo: {e}"))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|e| format!("cargo: {e}")),
        false => Err(format!("cargo {}: {}", arguments[0], String::from_utf8_lossy(&output.stderr).trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_file_has_what_is_linked() {
        for (path, text) in generated().unwrap() {
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{} is not as `cargo xtask spec` writes it: call that", path.display());
        }
    }

    /// Cargo.lock has each crate that a package is said to have, in that version.
    #[test]
    fn what_is_said_to_be_linked_is_in_the_lock_file() {
        let lock = fs::read_to_string(project().join("Cargo.lock")).unwrap();
        let spec = fs::read_to_string(project().join("packaging/kmp.spec")).unwrap();
        let said: Vec<&str> =
            spec.lines().filter_map(|l| l.split_once("bundled(crate(").map(|p| p.1)).collect();
        assert!(said.len() > 60, "{said:?}");
        for line in said {
            let (name, version) = line.split_once(")) = ").unwrap();
            let entry = format!("name = \"{name}\"\nversion = \"{}\"\n", version.replace('~', "-"));
            assert!(lock.contains(&entry), "{line} is not in Cargo.lock");
        }
    }

    #[test]
    fn an_expression_is_written_in_one_way() {
        assert_eq!(normal("MIT/Apache-2.0"), "Apache-2.0 OR MIT");
        assert_eq!(normal("(MIT OR Apache-2.0)"), "Apache-2.0 OR MIT");
        assert_eq!(normal("Zlib"), "Zlib");
    }
}
