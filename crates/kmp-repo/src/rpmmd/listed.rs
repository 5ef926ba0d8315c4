// SPDX-License-Identifier: LGPL-2.1-or-later
//! A package as a repository lists it.

pub(crate) mod kept;
mod of_package;

use rpm_meta::{Dependency, Evr};

use super::{Checksum, Error, Location};

/// What a capability is to its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The package has it.
    Provides,
    /// The package needs it.
    Requires,
    /// The package takes the place of those that are it.
    Obsoletes,
    /// The package cannot be installed beside it.
    Conflicts,
    /// The package is wanted where it is.
    Supplements,
}

impl Role {
    /// By the name of the element that lists them.
    pub(super) fn of(element: &str) -> Option<Self> {
        Some(match element {
            "provides" => Self::Provides,
            "requires" => Self::Requires,
            "obsoletes" => Self::Obsoletes,
            "conflicts" => Self::Conflicts,
            "supplements" => Self::Supplements,
            _ => return None,
        })
    }
}

/// A capability: a [`Dependency`] whose texts are the package's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability<'p> {
    /// Such as `ksym(default:printk)`; a rich dependency is one name, with its parentheses.
    pub name: &'p str,
    /// As [`Dependency::flags`], without the kinds of Requires.
    pub flags: u32,
    /// `[epoch:]version[-release]`, or empty. An epoch of 0 is not written.
    pub evr: &'p str,
}

impl Capability<'_> {
    /// With texts of its own.
    pub fn to_dependency(self) -> Dependency {
        Dependency { name: self.name.to_owned(), flags: self.flags, evr: self.evr.to_owned() }
    }
}

/// A piece of [`Listed::text`].
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    role: Role,
    flags: u8,
    name: Span,
    evr: Span,
}

/// A package as `primary.xml` lists it. All its texts are in one piece of memory: a kernel has 24,000 Provides.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    text: String,
    entries: Vec<Entry>,
    name: Span,
    evr: Span,
    arch: Span,
    vendor: Span,
    packager: Span,
    source: Span,
    location: Span,
    checksum: (Span, Span),
    size: u64,
    header: (u64, u64),
}

/// Which of a package's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Arch,
    Vendor,
    Packager,
    Source,
    Checksum,
}

impl Listed {
    /// The most bytes of text that a package may have. A kernel's are about a million.
    const MOST_TEXT: usize = 16 << 20;

    /// The package's name.
    pub fn name(&self) -> &str {
        self.at(self.name)
    }

    /// Its version.
    pub fn evr(&self) -> Evr {
        Evr::parse(self.at(self.evr))
    }

    /// Its architecture.
    pub fn arch(&self) -> &str {
        self.at(self.arch)
    }

    /// Who made it; empty if it does not say.
    pub fn vendor(&self) -> &str {
        self.at(self.vendor)
    }

    /// Who built it; empty if it does not say.
    pub fn packager(&self) -> &str {
        self.at(self.packager)
    }

    /// The file name of its source package: what was built with it has the same.
    pub fn source(&self) -> &str {
        self.at(self.source)
    }

    /// The checksum of its file.
    ///
    /// # Errors
    /// As [`Checksum::parse`].
    pub fn checksum(&self) -> Result<Checksum, Error> {
        Checksum::parse(self.at(self.checksum.0), self.at(self.checksum.1))
    }

    /// Where its file is.
    ///
    /// # Errors
    /// [`Error::Path`] if that is outside of the repository.
    pub fn location(&self) -> Result<Location, Error> {
        Location::parse(self.at(self.location))
    }

    /// The size of its file, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Which bytes of its file are rpm's header.
    pub fn header(&self) -> std::ops::Range<u64> {
        self.header.0..self.header.1
    }

    /// Its capabilities of a kind, in the order of the metadata.
    pub fn capabilities(&self, role: Role) -> impl Iterator<Item = Capability<'_>> {
        self.entries.iter().filter(move |entry| entry.role == role).map(|entry| Capability {
            name: self.at(entry.name),
            flags: u32::from(entry.flags),
            evr: self.at(entry.evr),
        })
    }

    /// name-version-release.arch.
    pub fn nvra(&self) -> String {
        let evr = self.evr();
        format!("{}-{}-{}.{}", self.name(), evr.version, evr.release, self.arch())
    }

    /// name-\[epoch:\]version-release.arch.
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name(), self.evr(), self.arch())
    }

    /// name-version-release.
    pub fn nvr(&self) -> String {
        let evr = self.evr();
        format!("{}-{}-{}", self.name(), evr.version, evr.release)
    }

    fn at(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Gives back the memory that it does not need.
    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// Makes it an empty one again, and keeps its memory.
    pub(super) fn clear(&mut self) {
        let Self { mut text, mut entries, .. } = std::mem::take(self);
        text.clear();
        entries.clear();
        *self = Self { text, entries, ..Self::default() };
    }

    fn put(&mut self, pieces: &[&str]) -> Result<Span, Error> {
        let start = self.text.len();
        self.text.extend(pieces.iter().copied());
        let end = self.text.len();
        if end > Self::MOST_TEXT {
            return Err(Error::TooLarge {
                what: "a package with texts",
                limit: Self::MOST_TEXT as u64,
                unit: "bytes",
            });
        }
        // Bounded above.
        #[expect(clippy::cast_possible_truncation)]
        let span = Span { start: start as u32, end: end as u32 };
        Ok(span)
    }

    pub(super) fn set(&mut self, field: Field, text: &str) -> Result<(), Error> {
        let span = self.put(&[text.trim()])?;
        *match field {
            Field::Name => &mut self.name,
            Field::Arch => &mut self.arch,
            Field::Vendor => &mut self.vendor,
            Field::Packager => &mut self.packager,
            Field::Source => &mut self.source,
            Field::Checksum => &mut self.checksum.1,
        } = span;
        Ok(())
    }

    pub(super) fn set_evr(&mut self, written: &Written) -> Result<(), Error> {
        self.evr = self.put_evr(written)?;
        Ok(())
    }

    pub(super) fn set_checksum_kind(&mut self, kind: &str) -> Result<(), Error> {
        self.checksum.0 = self.put(&[kind])?;
        Ok(())
    }

    pub(super) fn set_location(&mut self, href: &str) -> Result<(), Error> {
        self.location = self.put(&[href])?;
        Ok(())
    }

    pub(super) fn set_size(&mut self, size: u64) {
        self.size = size;
    }

    pub(super) fn set_header(&mut self, start: u64, end: u64) {
        self.header = (start, end);
    }

    pub(super) fn add(&mut self, role: Role, written: &Written) -> Result<(), Error> {
        let name = self.put(&[&written.name])?;
        let evr = self.put_evr(written)?;
        self.entries.push(Entry { role, flags: written.flags, name, evr });
        Ok(())
    }

    fn put_evr(&mut self, written: &Written) -> Result<Span, Error> {
        let Written { epoch, version, release, .. } = written;
        let (epoch, colon) = if epoch.is_empty() || epoch == "0" { ("", "") } else { (&**epoch, ":") };
        self.put(&[epoch, colon, version, if release.is_empty() { "" } else { "-" }, release])
    }
}

/// The attributes of a capability or a version, as they are written. Kept from one to the next, for its memory.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) flags: u8,
    epoch: String,
    version: String,
    release: String,
}

impl Written {
    pub(super) fn clear(&mut self) {
        self.flags = 0;
        for text in [&mut self.name, &mut self.epoch, &mut self.version, &mut self.release] {
            text.clear();
        }
    }

    pub(super) fn take(&mut self, attribute: &str, value: &str) {
        match attribute {
            "name" => self.name.push_str(value),
            "epoch" => self.epoch.push_str(value),
            "ver" => self.version.push_str(value),
            "rel" => self.release.push_str(value),
            // The same numbers as rpm's.
            #[expect(clippy::cast_possible_truncation)]
            "flags" => {
                self.flags = match value {
                    "LT" => Dependency::LESS as u8,
                    "GT" => Dependency::GREATER as u8,
                    "EQ" => Dependency::EQUAL as u8,
                    "LE" => (Dependency::LESS | Dependency::EQUAL) as u8,
                    "GE" => (Dependency::GREATER | Dependency::EQUAL) as u8,
                    _ => 0,
                }
            }
            _ => {}
        }
    }
}
