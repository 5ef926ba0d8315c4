// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a module says about itself in `.modinfo`.

use super::{Malformed, Module};
use crate::elf::Object;
use crate::{modinfo, name};

/// `supported` of SUSE's modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supported {
    /// `yes`: by the distributor.
    Distributor,
    /// `external`: by distributor and provider together.
    External,
    /// Any other value, or none: unsupported.
    No,
}

impl Module {
    pub(super) fn read_modinfo(&mut self, object: &Object<'_>, file: &str) -> Result<(), Malformed> {
        // The first that is loaded; where none is, the only one.
        let section = match object.contents(b".modinfo")? {
            Some(loaded) => loaded,
            None => {
                object.budget.read(object.layout.modinfo.len())?;
                object.layout.modinfo
            }
        };
        let mut has_support = false;
        for (key, value) in modinfo::entries(section) {
            if matches!(key, b"name" | b"vermagic" | b"license" | b"import_ns" | b"alias") {
                object.budget.keep_with::<Box<str>>(value.len())?;
            }
            let text = || -> Box<str> { modinfo::text(value).into() };
            // The loader takes the first entry of a key (get_modinfo), but every import_ns.
            match key {
                b"name" if self.name.is_empty() => self.name = name::normalized(&modinfo::text(value)).into(),
                b"vermagic" if self.vermagic.is_none() => self.vermagic = Some(text()),
                b"license" if self.license.is_none() => self.license = Some(text()),
                // The loader asks only whether there is such an entry.
                b"intree" => self.is_in_tree = true,
                b"livepatch" => self.is_live_patch = true,
                b"import_ns" => self.import_ns.push(text()),
                b"alias" => self.aliases.push(text()),
                b"supported" if !has_support => {
                    has_support = true;
                    self.supported = match value {
                        b"yes" => Supported::Distributor,
                        b"external" => Supported::External,
                        _ => Supported::No,
                    };
                }
                b"depends" if self.depends.is_empty() => {
                    for name in value.split(|b| *b == b',').filter(|n| !n.is_empty()) {
                        object.budget.keep_with::<Box<str>>(name.len())?;
                        self.depends.push(name::normalized(&modinfo::text(name)).into());
                    }
                }
                b"softdep" => {
                    let text = modinfo::text(value);
                    let mut is_before = false;
                    for word in text.split_whitespace() {
                        match word {
                            "pre:" => is_before = true,
                            "post:" => is_before = false,
                            name if is_before => self.softdeps.push(name::normalized(name).into()),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if self.name.is_empty() {
            self.name = name::normalized(file).into();
            self.is_named_by_file = true;
        }
        self.import_ns.sort_unstable();
        self.import_ns.dedup();
        Ok(())
    }
}
