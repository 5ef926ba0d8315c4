// SPDX-License-Identifier: LGPL-2.1-or-later
//! A package that is in no repository, as one would list it.

use rpm_meta::{Dependency, Package};

use super::{Field, Listed, Written};
use crate::rpmmd::{Error, Role};

impl Listed {
    /// Of a package file's header. What it needs is not in it: see [`offer::needs`](crate::offer::needs) of packages in repositories.
    ///
    /// # Errors
    /// It has too much text.
    pub fn of_package(package: &Package) -> Result<Self, Error> {
        let mut listed = Self::default();
        listed.set(Field::Name, &package.name)?;
        listed.set(Field::Arch, &package.arch)?;
        listed.set(Field::Vendor, &package.vendor)?;
        listed.set(Field::Source, &package.source)?;
        listed.evr = listed.put(&[&package.evr.to_string()])?;
        for dependency in &package.provides {
            listed.add_dependency(Role::Provides, dependency)?;
        }
        listed.shrink();
        Ok(listed)
    }

    fn add_dependency(&mut self, role: Role, dependency: &Dependency) -> Result<(), Error> {
        let evr = rpm_meta::Evr::parse(&dependency.evr);
        // Kinds of Requires are in higher bits.
        let kinds = Dependency::LESS | Dependency::GREATER | Dependency::EQUAL;
        #[expect(clippy::cast_possible_truncation)]
        let mut written = Written { flags: (dependency.flags & kinds) as u8, ..Written::default() };
        written.name.clone_from(&dependency.name);
        if !dependency.evr.is_empty() {
            written.epoch = evr.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
            (written.version, written.release) = (evr.version, evr.release);
        }
        self.add(role, &written)
    }
}
