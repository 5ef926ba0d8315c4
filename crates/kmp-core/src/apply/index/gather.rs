// SPDX-License-Identifier: LGPL-2.1-or-later
//! What modules say: as it is kept, or read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

use super::facts_cache::{Cache, FileId, Record};
use super::scan::Found;
use crate::abi::IndexFacts;
use crate::index::Facts;
use crate::printable;
use crate::root::Root;
use crate::unpack::{DecompressError, Inflater, MODULE_LIMIT};
use crate::workers::{self, Workers};

/// Modules that are read one after the other, with one inflater.
const AT_ONCE: usize = 64;

/// Modules that unpack to more are read one at a time, whatever the number of threads.
const LARGE: u64 = 32 << 20;

static ONE_LARGE: Mutex<()> = Mutex::new(());

/// What the modules say that were found. What is kept of a file that has not changed is not read again.
///
/// # Errors
/// In words: one of them could not be read, or is not one that depmods were compared for.
pub(super) fn records<'a>(
    root: &Root,
    dir: &Path,
    found: &'a [Found],
    kept: Option<&'a Cache>,
    workers: &dyn Workers,
) -> Result<Vec<Record<'a>>, String> {
    let kept = kept.and_then(Cache::records).unwrap_or_default();
    let mut kept: HashMap<Cow<'_, [u8]>, (FileId, Facts<'a>)> =
        kept.into_iter().map(|record| (record.path, (record.id, record.facts))).collect();
    let mut records: Vec<Option<Record<'a>>> = Vec::with_capacity(found.len());
    let mut missing = Vec::new();
    for (at, module) in found.iter().enumerate() {
        let path = module.path.as_slice();
        match kept.remove(path).filter(|(id, _)| *id == module.id) {
            Some((id, facts)) => records.push(Some(Record { path: path.into(), id, facts })),
            None => {
                missing.push(at);
                records.push(None);
            }
        }
    }
    log::debug!("{} of {} modules are read for the index", missing.len(), found.len());
    let chunks: Vec<&[usize]> = missing.chunks(AT_ONCE).collect();
    let read = workers::map(workers, &chunks, |chunk| {
        let mut inflater = Inflater::new();
        let facts = chunk.iter().map(|at| facts(root, dir, &found[*at], &mut inflater));
        facts.collect::<Result<Vec<_>, String>>()
    });
    for (chunk, facts) in chunks.into_iter().zip(read) {
        for (at, facts) in chunk.iter().zip(facts?) {
            records[*at] = Some(Record { path: found[*at].path.as_slice().into(), id: found[*at].id, facts });
        }
    }
    records.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| "not every module was read".into())
}

fn facts(root: &Root, dir: &Path, module: &Found, inflater: &mut Inflater) -> Result<Facts<'static>, String> {
    let path = dir.join(OsStr::from_bytes(&module.path));
    let cannot =
        |why: &dyn std::fmt::Display| format!("{}: {why}", printable(root.display(&path).as_os_str()));
    let bytes = root.read(&path, MODULE_LIMIT).map_err(|e| cannot(&e))?;
    let _alone = (module.id.size() > LARGE).then(|| ONE_LARGE.lock());
    let read = match inflater.inflate(&bytes, LARGE) {
        Err(DecompressError::TooBig { .. }) => {
            let _alone = (module.id.size() <= LARGE).then(|| ONE_LARGE.lock());
            let bytes = inflater.inflate(&bytes, MODULE_LIMIT).map_err(|e| cannot(&e))?;
            IndexFacts::parse(&bytes)
        }
        inflated => IndexFacts::parse(&inflated.map_err(|e| cannot(&e))?),
    };
    let read = read.map_err(|e| cannot(&e))?;
    if !read.is_64_little {
        return Err(cannot(&"it is not of 64 bits, or is big-endian"));
    }
    Ok(Facts::new([&read.exports[..], &read.needs, &read.aliases, &read.softdeps, &read.weakdeps]))
}
