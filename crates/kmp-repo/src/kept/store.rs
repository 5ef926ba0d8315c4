// SPDX-License-Identifier: LGPL-2.1-or-later
//! The directory of extracts. What is in it is believed if it is root's (or the caller's own), and nobody misses it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kmp_core::apply;
use kmp_core::root::Root;
use kmp_core::run_dir::RunDir;
use nix::fcntl::OFlag;

use super::{Extract, Key, LARGEST};

/// Where it is: a file for each `repomd.xml`, named for its SHA-256.
const DIRECTORY: &str = "/var/cache/kmp/repositories";

/// What is kept of repositories that were read before.
#[derive(Debug)]
pub struct Cache<'r> {
    root: &'r Root,
    keeps: bool,
    /// The names of what was asked for.
    names: RefCell<HashSet<String>>,
}

impl<'r> Cache<'r> {
    /// That of a root. With `keeps` what is read is kept, else nothing is written.
    pub fn new(root: &'r Root, keeps: bool) -> Self {
        Self { root, keeps, names: RefCell::default() }
    }

    /// What is kept of the repository whose `repomd.xml` has this SHA-256.
    pub fn load(&self, key: &Key) -> Option<Extract> {
        let name = name(key);
        self.names.borrow_mut().insert(name.clone());
        let debug = |e: &io::Error| log::debug!("{DIRECTORY}/{name}: {e}");
        let dir = RunDir::at(self.root, Path::new(DIRECTORY), false).inspect_err(debug).ok()??;
        let file = dir.file(&name, OFlag::O_RDONLY).inspect_err(debug).ok()?.file;
        let mut bytes = Vec::new();
        file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).inspect_err(debug).ok()?;
        let found = Extract::open(bytes, key);
        if found.is_none() {
            log::debug!("{DIRECTORY}/{name} is none of this version's, and not used");
        }
        found
    }

    /// Keeps an extract for the next time. That it cannot be kept is no reason for anything.
    pub fn keep(&self, key: &Key, extract: &[u8]) {
        if !self.keeps {
            return;
        }
        let path = path(&name(key));
        // Whatever is there is none.
        let written = apply::replace(self.root, &path, None)
            .and_then(|_| apply::replace(self.root, &path, Some(extract)));
        if let Err(e) = written {
            log::debug!("{} cannot be written: {e}", path.display());
        }
    }

    /// Takes away what was not asked for: what is kept of repositories that have changed, or are gone.
    pub fn forget_others(&self) {
        let entries = match self.keeps {
            true => self.root.read_dir_if_there(Path::new(DIRECTORY)).unwrap_or_default(),
            false => Vec::new(),
        };
        let names = self.names.borrow();
        for name in entries.iter().filter_map(|e| e.name.to_str()).filter(|name| !names.contains(*name)) {
            let _ = apply::replace(self.root, &path(name), None);
        }
    }

    /// Takes all of it away.
    ///
    /// # Errors
    /// The system's.
    pub fn clear(root: &Root) -> io::Result<()> {
        for entry in root.read_dir_if_there(Path::new(DIRECTORY))? {
            if let Some(name) = entry.name.to_str() {
                apply::replace(root, &path(name), None)?;
            }
        }
        Ok(())
    }
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

fn name(key: &Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
