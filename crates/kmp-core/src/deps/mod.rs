// SPDX-License-Identifier: LGPL-2.1-or-later
//! Dependencies of packages, from the files in them: what rpm's dependency generators print.
//!
//! Pure: [`kind`] says which files matter, the caller reads them into [`Entry`]s, and [`suse`] and
//! [`redhat`] make the lines of their distribution's generators, byte for byte, in order and with
//! duplicates (in the C locale, in which packages are built). Where a generator is wrong this says so.

mod modalias;
mod path;
pub mod redhat;
pub mod suse;
mod symsets;

pub use path::{Kind, kind};
pub use symsets::{NotSymsets, SymsetRow, read_symsets};

use crate::abi::{Exported, Facts};

/// What one file of the list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A module.
    Module(Facts),
    /// A kernel's image.
    Image {
        /// What the image exports.
        exports: Vec<Exported>,
        /// The lines of the kernel's `modules.builtin`; `None` where there is no such file.
        builtin: Option<Vec<u8>>,
    },
    /// The lines of `modules.builtin`, of `symvers`, or of a file in `modules-load.d`.
    Text(Vec<u8>),
}

/// A file of the list that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it stands in the list.
    pub path: Vec<u8>,
    /// What it is, by its path.
    pub kind: Kind,
    /// What is in it.
    pub content: Content,
}

impl Entry {
    fn module(&self) -> Option<&Facts> {
        match &self.content {
            Content::Module(facts) => Some(facts),
            _ => None,
        }
    }

    fn text_of(&self, kind: &Kind) -> Option<&[u8]> {
        match &self.content {
            Content::Text(text) if self.kind == *kind => Some(text),
            _ => None,
        }
    }
}

/// What is known besides the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// The package's name: packages of kernels need nothing of themselves.
    pub package: Option<String>,
    /// Where the package's files are laid out (`RPM_BUILD_ROOT`); empty for none.
    pub build_root: Vec<u8>,
    /// Takes the place of the flavour that a release ends in.
    pub flavor: Option<String>,
    /// Takes the place of the release that modules were built for.
    pub release: Option<String>,
    /// Leave out what modules of the package need of each other.
    pub without_own: bool,
}

impl Circumstances {
    fn release<'a>(&'a self, facts: &'a Facts) -> Option<&'a str> {
        self.release.as_deref().or_else(|| facts.release())
    }

    /// The flavour of `release`: what follows the last `-`.
    fn flavor<'a>(&'a self, release: &'a str) -> &'a str {
        let of_release = release.rsplit('-').next().unwrap_or(release);
        self.flavor.as_deref().unwrap_or(of_release)
    }

    /// Is the package a kernel's? `kernel-module-*` is not: packages of modules were once called so.
    fn is_kernel(&self, prefix: &str) -> bool {
        let name = self.package.as_deref().unwrap_or_default();
        name.starts_with(prefix) && !name.starts_with("kernel-module-")
    }
}

/// `kmod(NAME.ko)`, with whatever `name` makes of the file's name.
fn kmod(file: &[u8]) -> Vec<u8> {
    [b"kmod(", file, b")"].concat()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    // An empty text has no line, not one that is empty.
    let count = if text.is_empty() { 0 } else { usize::MAX };
    text.split(|b| *b == b'\n').take(count)
}

#[cfg(test)]
mod tests;
