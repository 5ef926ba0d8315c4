// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads a kernel: what it exports, its configuration, and what its modules say of it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Mutex;

use super::module::read_module;
use super::{TEXT_LIMIT, in_tree};
use crate::abi::{Kernel, KernelConfig, NotSymvers, Rebuild, SymbolTable, Traits, builtin_names};
use crate::budget::Exceeded;
use crate::inventory::kernels::Release;
use crate::problem::Problem;
use crate::root::{FileType, Root, is_fault};
use crate::tree::{self, BUILD_SYMVERS, CONFIG, IN_TREE, MODULES_BUILTIN, SYSTEM_MAP};
use crate::unpack::{DecompressError, inflate};
use crate::workers::Workers;

/// How many in-tree modules are tried before a kernel's own properties are given up.
pub(crate) const SAMPLES: usize = 5;

/// Why a file is no symvers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymversError {
    /// It cannot be decompressed.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// Its text is no list of symbol versions.
    #[error(transparent)]
    Text(#[from] NotSymvers),
}

/// Reads symvers, plain or compressed.
///
/// # Errors
/// What is wrong with it.
pub fn parse_symvers(bytes: &[u8]) -> Result<SymbolTable, SymversError> {
    let text = inflate(bytes, TEXT_LIMIT)?;
    Ok(SymbolTable::parse(text.into_owned())?)
}

/// Where a kernel's symvers may be: in its directory, in `/boot`, or with its headers.
pub(super) fn find_symvers(root: &Root, release: &Release) -> Result<Option<PathBuf>, Problem> {
    let mut places = tree::symvers_places(&release.dir, &release.release);
    places.push(release.dir.join(BUILD_SYMVERS));
    for path in places {
        match root.metadata(&path) {
            Ok(stat) if stat.kind() == FileType::File => return Ok(Some(path)),
            Err(e) if is_fault(&e) => return Err(Problem::unreadable(root.display(&path), &e)),
            _ => {}
        }
    }
    Ok(None)
}

/// The first of a kernel's files `name` that there is.
fn read_kernel_file(root: &Root, release: &Release, name: &str) -> Result<Option<Vec<u8>>, Problem> {
    for path in tree::places(&release.dir, &release.release, name) {
        match root.read_if_there(&path, TEXT_LIMIT) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(e) => return Err(Problem::unreadable(root.display(&path), &e)),
        }
    }
    Ok(None)
}

pub(super) fn read_kernel(root: &Root, workers: &dyn Workers, release: &Release) -> (Kernel, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut symbols = None;
    let found = find_symvers(root, release).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    if let Some(path) = found {
        let read = root.read(&path, TEXT_LIMIT).map_err(|e| Problem::unreadable(root.display(&path), &e));
        let wrong = |what: String| Problem::new(root.display(&path), what);
        match read.and_then(|bytes| parse_symvers(&bytes).map_err(|e| wrong(e.to_string()))) {
            Ok(table) => {
                if table.bad_lines() > 0 {
                    let what = match table.is_complete() {
                        true => format!("{} lines are not symbol versions; ignored", table.bad_lines()),
                        false => "the last line is cut: symbols that are not listed count as unknown".into(),
                    };
                    problems.push(wrong(what));
                }
                symbols = Some(table);
            }
            Err(mut problem) => {
                if !problem.is_unread {
                    problem.what.push_str("; using the kernel's own modules instead");
                }
                problems.push(problem);
            }
        }
    }
    let is_unread = problems.iter().any(|p| p.is_unread);
    let symbols = symbols.unwrap_or_else(|| {
        if is_unread {
            return Rebuild::default().finish();
        }
        let (table, over) = rebuild(root, workers, release, &mut problems);
        let what = |over: Exceeded| format!("{over}; what is left out counts as unknown");
        problems.extend(over.map(|over| Problem::new(root.display(&release.dir), what(over))));
        table
    });

    let candidates = release.in_tree.iter().take(SAMPLES).chain(release.third_party.iter().take(SAMPLES));
    let mut traits = Traits::default();
    let mut faults: Vec<Problem> = Vec::new();
    for sample in candidates {
        match read_module(root, &sample.path) {
            Ok(module) => {
                traits = Traits::of(&module);
                // Any module of the kernel's own says as much as those that could not be read.
                if sample.below.starts_with(IN_TREE) {
                    faults.iter_mut().for_each(|p| p.is_unread = false);
                }
                break;
            }
            Err(why) => {
                let problem = Problem::new(root.display(&sample.path), why.to_string());
                faults.push(Problem { is_unread: why.is_unread(), ..problem });
            }
        }
    }
    problems.append(&mut faults);
    let config = match read_kernel_file(root, release, CONFIG) {
        Ok(text) => text.map_or_else(KernelConfig::default, |text| KernelConfig::parse(&text)),
        Err(problem) => {
            problems.push(problem);
            KernelConfig::default()
        }
    };
    let builtin = match read_kernel_file(root, release, MODULES_BUILTIN) {
        Ok(text) => text.map_or_else(HashSet::new, |text| builtin_names(&text)),
        Err(problem) => {
            problems.push(problem);
            HashSet::new()
        }
    };
    let kernel = Kernel { traits, config, builtin, ..Kernel::of_symbols(release.release.clone(), symbols) };
    (kernel, problems)
}

fn rebuild(
    root: &Root,
    workers: &dyn Workers,
    release: &Release,
    problems: &mut Vec<Problem>,
) -> (SymbolTable, Option<Exceeded>) {
    let rebuild = Mutex::new(Rebuild::default());
    let unread = in_tree::each(root, workers, release, |found, module| {
        if let Ok(mut rebuild) = rebuild.lock() {
            rebuild.add(&in_tree::exporter(found), module);
        }
    });
    let mut rebuild = rebuild.into_inner().unwrap_or_default();
    problems.extend(unread);
    match read_kernel_file(root, release, SYSTEM_MAP) {
        Ok(Some(map)) => rebuild.add_system_map(&map),
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    let over = rebuild.over().cloned();
    (rebuild.finish(), over)
}
