// SPDX-License-Identifier: LGPL-2.1-or-later
//! A package's parts, for what is kept of a list and read again later.

use super::{Entry, Listed};
use crate::rpmmd::{Error, Role};

/// How many texts a package has, beside those of its capabilities.
pub(crate) const TEXTS: usize = 9;

/// The roles, in the order of their numbers.
const ROLES: [Role; 5] =
    [Role::Provides, Role::Requires, Role::Obsoletes, Role::Conflicts, Role::Supplements];

impl Role {
    /// Its number, which stays the same.
    pub(crate) fn number(self) -> u8 {
        // There are five.
        #[expect(clippy::cast_possible_truncation)]
        let number = ROLES.iter().position(|role| *role == self).unwrap_or(0) as u8;
        number
    }

    /// By its number.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        ROLES.get(usize::from(number)).copied()
    }
}

impl Listed {
    /// Its texts: name, version, architecture, vendor, packager, source package, location, and the checksum's kind and number.
    pub(crate) fn texts(&self) -> [&str; TEXTS] {
        let (kind, sum) = self.checksum;
        [self.name, self.evr, self.arch, self.vendor, self.packager, self.source, self.location, kind, sum]
            .map(|span| self.at(span))
    }

    /// Makes it one with these texts, without capabilities.
    pub(crate) fn begin(&mut self, texts: [&str; TEXTS], size: u64, header: (u64, u64)) -> Result<(), Error> {
        self.clear();
        let mut put = |text: &str| self.put(&[text]);
        let [name, evr, arch, vendor, packager, source, location, kind, sum] = texts;
        let [name, evr, arch, vendor, packager] =
            [put(name)?, put(evr)?, put(arch)?, put(vendor)?, put(packager)?];
        let [source, location, kind, sum] = [put(source)?, put(location)?, put(kind)?, put(sum)?];
        (self.name, self.evr, self.arch, self.vendor, self.packager) = (name, evr, arch, vendor, packager);
        (self.source, self.location, self.checksum) = (source, location, (kind, sum));
        (self.size, self.header) = (size, header);
        Ok(())
    }

    /// Adds a capability.
    pub(crate) fn add_kept(&mut self, role: Role, flags: u8, name: &str, evr: &str) -> Result<(), Error> {
        let (name, evr) = (self.put(&[name])?, self.put(&[evr])?);
        self.entries.push(Entry { role, flags, name, evr });
        Ok(())
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn memory(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Calls `each` with the role, the flags, the name and the version of each capability, in the order of the metadata.
    pub(crate) fn each_entry(&self, each: &mut dyn FnMut(Role, u8, &str, &str)) {
        for entry in &self.entries {
            each(entry.role, entry.flags, self.at(entry.name), self.at(entry.evr));
        }
    }
}
