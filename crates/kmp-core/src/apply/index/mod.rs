// SPDX-License-Identifier: LGPL-2.1-or-later
//! depmod's index without depmod, where it is certain that it would be the same.
//!
//! What each module says is kept from run to run ([`facts_cache`], [`store`]), so that only modules that have changed are
//! read. Of that `kmod-index` makes all files in memory. It is trusted as far as it has earned it ([`trust`]): after each
//! run of the real depmod the files that were made are compared with those that it wrote, and only where every byte is the
//! same anything is kept.
//!
//! Whatever is unknown, unreadable or fails on the way here is a reason to run depmod, and never more.

mod facts_cache;
mod gather;
mod scan;
mod store;
mod trust;
mod write;

use std::ffi::OsStr;
use std::time::SystemTime;

use facts_cache::{Cache, FileId, Header, Record};
use scan::Found;

use super::depmod::Place;
use crate::index::{Index, Lists, Module, Style};
use crate::root::Root;
use crate::tree::{MODULES_BUILTIN, MODULES_BUILTIN_MODINFO};

#[cfg(feature = "fuzz")]
pub(crate) use facts_cache::fuzz;

/// A kernel's own list has some hundred kilobytes.
const LIST: u64 = 64 << 20;

/// What was changed so short a time ago could be changed again without its times showing it: a tick of the clock that file
/// systems go by, in nanoseconds, with room.
const TICK: i128 = 100_000_000;

/// Takes away what is kept of a kernel that is gone.
pub fn forget(root: &Root, release: &str) {
    store::forget(root, release);
}

/// A kernel's modules as they are now, and what is kept of them.
pub(super) struct Attempt<'a> {
    at: &'a Place<'a>,
    depmod: &'a OsStr,
    program: FileId,
    found: Vec<Found>,
    kept: Option<Cache>,
    /// When it was looked at them, in nanoseconds since 1970.
    looked_ns: i128,
}

impl<'a> Attempt<'a> {
    /// Looks at them.
    ///
    /// # Errors
    /// Why only depmod can make this index, in words.
    pub(super) fn new(at: &'a Place<'a>, depmod: &'a OsStr) -> Result<Self, String> {
        if cfg!(target_endian = "big") {
            return Err("depmod was compared on little-endian machines only".into());
        }
        if at.dirs.all().count() > 1 {
            return Err("there are two directories of modules".into());
        }
        let program = trust::identity(depmod)?;
        let kept = store::load(at.root, &at.release.release);
        let doubt = kept.as_ref().map(|kept| &kept.header).filter(|header| header.program == program);
        if let Some(doubt) = doubt.and_then(|header| header.doubt.as_ref()) {
            return Err(format!("it was another one than depmod's lately: {doubt}"));
        }
        let looked = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let looked_ns = i128::try_from(looked.as_nanos()).unwrap_or(i128::MAX);
        let found = scan::modules(at.root, &at.release.dir)?;
        let paths = found.iter().map(|found| found.path.as_slice());
        let config = &at.conventions.depmod;
        Index::may_be_made(paths, config, &at.release.release).map_err(|e| e.to_string())?;
        Ok(Self { at, depmod, program, found, kept, looked_ns })
    }

    /// Writes the index, if it is certain that it is the one that depmod would write.
    ///
    /// # Errors
    /// Why depmod has to do it, in words. It is right to run it then, whatever was done here.
    pub(super) fn write(&self) -> Result<(), String> {
        let trust = self.trust()?;
        if self.kinds() & !trust.kinds != 0 {
            return Err("there are modules of a kind that depmod was not compared for".into());
        }
        let Made { records, index, .. } = self.make(trust.version)?;
        let files = write::put(self.at.root, &self.at.release.dir, &index)
            .map_err(|e| format!("cannot write it: {e}"))?;
        // Of the two in memory the larger one.
        drop(index);
        self.keep(Header { files, kinds: trust.kinds, ..self.header(trust.version) }, &records);
        Ok(())
    }

    /// Makes the index in memory, for a comparison. To be called while depmod runs.
    ///
    /// # Errors
    /// Why it cannot be made, in words.
    pub(super) fn compute(&self) -> Result<Made<'_>, String> {
        self.make(trust::version(self.at.root, self.depmod, self.program, self.kept.as_ref())?)
    }

    fn make(&self, version: u32) -> Result<Made<'_>, String> {
        let Place { root, release, conventions, workers, .. } = self.at;
        let records = gather::records(root, &release.dir, &self.found, self.kept.as_ref(), *workers)?;
        let read = |name: &str| {
            let list = root.read_if_there(&release.dir.join(name), LIST);
            list.map_err(|e| format!("{name}: {e}"))
        };
        let (order, builtin) = (read("modules.order")?, read(MODULES_BUILTIN)?);
        let builtin_modinfo = read(MODULES_BUILTIN_MODINFO)?;
        let lists = Lists {
            order: order.as_deref(),
            builtin: builtin.as_deref(),
            builtin_modinfo: builtin_modinfo.as_deref(),
        };
        let modules: Vec<Module<'_>> =
            records.iter().map(|record| Module { path: &record.path, facts: &record.facts }).collect();
        let style = Style::of_kmod(version);
        let index = Index::make(&modules, lists, &conventions.depmod, &release.release, style);
        let index = index.map_err(|e| e.to_string())?;
        Ok(Made { version, records, index })
    }

    /// Compares what was made with what depmod has written meanwhile, and keeps the facts where that is the same.
    ///
    /// # Errors
    /// What is not the same, in words.
    pub(super) fn compare(&self, made: Result<Made<'_>, String>) -> Result<(), String> {
        let Place { root, release, .. } = self.at;
        let doubt = match made {
            Ok(made) => match trust::compare(root, &release.dir, &made.index) {
                Ok(files) => {
                    let header = Header { files, kinds: self.kinds(), ..self.header(made.version) };
                    self.keep(header, &made.records);
                    return Ok(());
                }
                Err(why) => why,
            },
            Err(why) => why,
        };
        // Where somebody was at work meanwhile it says nothing.
        if scan::modules(root, &release.dir).is_ok_and(|now| now == self.found) {
            self.keep(Header { doubt: Some(doubt.clone()), ..self.header(0) }, &[]);
        }
        Err(doubt)
    }

    /// Writes a difference down for a report. Returns where.
    pub(super) fn report(&self, difference: &str) -> String {
        let modules: String =
            self.found.iter().map(|found| format!("{}\n", found.path.escape_ascii())).collect();
        let text = format!(
            "kmp {}, depmod {}, kernel {}: {difference}\ndepmod.d: {:?}\nmodules:\n{modules}",
            env!("CARGO_PKG_VERSION"),
            self.depmod.display(),
            self.at.release.release,
            self.at.conventions.depmod,
        );
        store::report(self.at.root, &text).unwrap_or_else(|e| format!("this: {e}"))
    }

    fn header(&self, version: u32) -> Header {
        Header { program: self.program, version, kinds: 0, doubt: None, files: Vec::new() }
    }

    fn kinds(&self) -> u8 {
        self.found.iter().filter_map(|found| scan::kind(&found.path)).fold(0, |all, kind| all | kind)
    }

    fn keep(&self, header: Header, records: &[Record<'_>]) {
        let is_settled = |record: &&Record<'_>| record.id.ctime_ns() + TICK < self.looked_ns;
        let records: Vec<&Record<'_>> = records.iter().filter(is_settled).collect();
        if let Err(e) = store::save(self.at.root, &self.at.release.dir, &header, &records) {
            log::debug!("what modules say cannot be kept: {e}");
        }
    }
}

/// An index in memory.
pub(super) struct Made<'a> {
    version: u32,
    records: Vec<Record<'a>>,
    index: Index,
}
