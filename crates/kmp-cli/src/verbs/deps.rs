// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp deps`: what rpm's dependency generators print, from the files that they are given.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use kmp_core::abi::{Facts, image_exports};
use kmp_core::config::dialect;
use kmp_core::deps::{Circumstances, Content, Entry, Kind, SymsetRow, kind, read_symsets, redhat, suse};
use kmp_core::dialect::Dialect;
use kmp_core::printable;
use kmp_core::root::Root;
use kmp_core::tree;
use kmp_core::unpack::{MODULE_LIMIT, inflate};
use kmp_core::workers;
use serde::Serialize;

use crate::args::Deps;
use crate::host::cores::Cores;
use crate::outcome::Outcome;
use crate::output::json;

/// What `kmp deps --json` prints.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// Of what.
    #[cfg_attr(test, schemars(extend("enum" = ["provides", "requires", "supplements", "symsets"])))]
    kind: &'static str,
    /// The dependencies as rpm takes them; of symbol sets RELEASE/CRC/SYMBOL, set and hash with tabs between them.
    lines: Vec<String>,
    /// What could not be read, so that dependencies may be missing.
    problems: Vec<String>,
}

/// A file that cannot be read or is not what it should be fails the command, after all else was printed:
/// a package that lacks dependencies is found out too late.
pub fn run(root: &Path, args: &Deps) -> Result<Outcome, String> {
    let list = list()?;
    let known = Circumstances {
        package: args.package.clone(),
        build_root: args
            .build_root
            .clone()
            .map(OsString::from)
            .or_else(|| std::env::var_os("RPM_BUILD_ROOT"))
            .unwrap_or_default()
            .into_vec(),
        flavor: args.flavor.clone(),
        release: args.krel.clone(),
        without_own: args.without_own,
    };
    let mut problems = Vec::new();
    let mut lines: Vec<Vec<u8>> = if args.symsets {
        let named: Vec<PathBuf> =
            list.iter().filter(|(_, kind)| *kind == Kind::Symsets).map(|(path, _)| path.clone()).collect();
        let archives = if named.is_empty() { archives(&args.symset_dir) } else { named };
        let rows = symsets(&archives, &mut problems);
        let row = |SymsetRow { key, set, hash }: SymsetRow| format!("{key}\t{set}\t{hash}").into_bytes();
        rows.into_iter().map(row).collect()
    } else {
        let mut entries = Vec::new();
        for read in workers::map(&Cores, &list, |(path, kind)| read(path, kind)) {
            match read {
                Ok(entry) => entries.extend(entry),
                Err(problem) => problems.push(problem),
            }
        }
        match args.dialect.map_or_else(|| of_this_system(root), Ok)? {
            Dialect::Suse if args.provides => suse::provides(&entries, &known),
            Dialect::Suse if args.requires => {
                let has_modules = entries.iter().any(|e| e.kind == Kind::Module);
                let archives = if has_modules { archives(&args.symset_dir) } else { Vec::new() };
                suse::requires(&entries, &symsets(&archives, &mut problems), &known)
            }
            Dialect::Suse => suse::supplements(&entries, &known),
            Dialect::RedHat if args.provides => redhat::provides(&entries, &known),
            Dialect::RedHat if args.requires => {
                let symvers = symvers(&args.symvers, redhat::release(&entries, &known), &mut problems);
                redhat::requires(&entries, &symvers, &known)
            }
            Dialect::RedHat => Vec::new(),
        }
    };
    let left_out: Vec<&str> = args.without.iter().flat_map(|kind| kind.prefixes()).copied().collect();
    lines.retain(|line| !left_out.iter().any(|prefix| line.starts_with(prefix.as_bytes())));
    if args.json {
        let lines = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let kind = match () {
            () if args.provides => "provides",
            () if args.requires => "requires",
            () if args.supplements => "supplements",
            () => "symsets",
        };
        json::print(&Document { version: json::VERSION, kind, lines, problems: problems.clone() })?;
    } else {
        print(&lines)?;
    }
    problems.iter().for_each(|problem| log::error!("{problem}"));
    Ok(if problems.is_empty() { Outcome::Good } else { Outcome::Failed })
}

/// The files of the list that matter.
fn list() -> Result<Vec<(PathBuf, Kind)>, String> {
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text).map_err(|e| format!("the list of files cannot be read: {e}"))?;
    let paths = text.split(|b| *b == b'\n').filter_map(|path| Some((path, kind(path)?)));
    Ok(paths.map(|(path, kind)| (PathBuf::from(OsStr::from_bytes(path)), kind)).collect())
}

/// Reads a file of the list. One that is not there is left out with a warning, as the original generators do.
fn read(path: &Path, kind: &Kind) -> Result<Option<Entry>, String> {
    let shown = printable(path.as_os_str());
    let bytes = match contents(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            log::warn!("{shown} is in the list, but not there");
            return Ok(None);
        }
        Err(e) => return Err(format!("{shown} cannot be read: {e}")),
    };
    let bytes = match kind {
        Kind::Symsets => return Ok(None),
        _ => inflate(bytes, MODULE_LIMIT).map_err(|e| format!("{shown}: {e}"))?,
    };
    let malformed = |what: &str, why: &dyn std::fmt::Display| {
        format!("{shown} is not {what}: {why}; leave it out of the package or build it again")
    };
    let content = match kind {
        Kind::Module => Facts::parse(&bytes).map(Content::Module).map_err(|e| malformed("a module", &e))?,
        Kind::Image(release) => {
            let builtin = builtin(path, release);
            if builtin.is_none() {
                log::warn!(
                    "{shown}: what is built into it is not known, there is no {}",
                    tree::MODULES_BUILTIN
                );
            }
            let exports = image_exports(&bytes).map_err(|e| malformed("a kernel", &e))?;
            Content::Image { exports, builtin }
        }
        _ => Content::Text(bytes.into_owned()),
    };
    Ok(Some(Entry { path: path.as_os_str().as_bytes().to_vec(), kind: kind.clone(), content }))
}

/// The text of a kernel's `modules.builtin`: beside the image, or, for an image in `/boot`, in the
/// kernel's directory.
fn builtin(image: &Path, release: &str) -> Option<Vec<u8>> {
    let dir = image.parent()?;
    if dir.file_name() != Some(OsStr::new("boot")) {
        return contents(&dir.join(tree::MODULES_BUILTIN)).ok();
    }
    let modules = |dir: PathBuf| dir.join("modules").join(release).join(tree::MODULES_BUILTIN);
    let top = dir.parent()?;
    contents(&modules(top.join("usr/lib"))).or_else(|_| contents(&modules(top.join("lib")))).ok()
}

/// A regular file, wherever it is: the list is the builder's own.
fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    if metadata.len() > MODULE_LIMIT {
        return Err(std::io::Error::other(format!("it is larger than the limit of {MODULE_LIMIT} bytes")));
    }
    std::fs::read(path)
}

/// Archives of symbol sets in a directory, by name. Most systems have none.
fn archives(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|p| kind(p.as_os_str().as_bytes()) == Some(Kind::Symsets)).collect();
    paths.sort();
    paths
}

fn symsets(archives: &[PathBuf], problems: &mut Vec<String>) -> Vec<SymsetRow> {
    let mut rows = Vec::new();
    for path in archives {
        let read = contents(path).map_err(|e| format!("cannot be read: {e}"));
        match read.and_then(|bytes| read_symsets(&bytes).map_err(|e| e.to_string())) {
            Ok(more) => rows.extend(more),
            Err(why) => problems.push(format!("{}: {why}", printable(path.as_os_str()))),
        }
    }
    rows
}

/// The text of the kernel's Module.symvers. Where a directory has none of this kernel, nothing is known to
/// come from it.
fn symvers(named: &Path, release: Option<String>, problems: &mut Vec<String>) -> Vec<u8> {
    let is_dir = named.is_dir() || !named.exists();
    let path = match release {
        Some(release) if is_dir => named.join(release).join("Module.symvers"),
        _ if is_dir => return Vec::new(),
        _ => named.to_path_buf(),
    };
    let shown = printable(path.as_os_str());
    match contents(&path) {
        Ok(bytes) => match inflate(bytes, MODULE_LIMIT) {
            Ok(text) => return text.into_owned(),
            Err(e) => problems.push(format!("{shown}: {e}")),
        },
        Err(e) => log::warn!(
            "{shown} cannot be read: {e}; every symbol is taken for another package's (ksym): \
             install the kernel's development package, or name the file with --symvers"
        ),
    }
    Vec::new()
}

/// By `kmp.conf` and os-release of the system that packages are built on.
fn of_this_system(root: &Path) -> Result<Dialect, String> {
    let mut problems = Vec::new();
    let root = Root::open(root).map_err(|e| e.to_string())?;
    let dialect = dialect(&root, &mut problems);
    problems.iter().for_each(|problem| log::warn!("{problem}"));
    let which = dialect.map_err(|problem| problem.to_string())?;
    which.known().map_err(|unknown| format!("{unknown}, or say --dialect"))
}

fn print(lines: &[Vec<u8>]) -> Result<(), String> {
    let mut text = lines.join(&b'\n');
    if !lines.is_empty() {
        text.push(b'\n');
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(&text).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("the output cannot be written: {e}"))
        }
        _ => Ok(()),
    }
}
