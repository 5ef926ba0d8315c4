// SPDX-License-Identifier: LGPL-2.1-or-later
//! depmod's index: the files that modprobe looks names, aliases and dependencies up in, made without reading a
//! module that is known already.
//!
//! [`Index::make`] takes what each module of a kernel says ([`Module`]) and gives the bytes of every file that
//! depmod would write, equal to depmod's own. Where it is not sure that they would be equal, it gives none
//! ([`Unsure`]): then depmod is to be run. Pure: no file is read or written here.
//!
//! What depmod does was found by experiments and is compared with real depmods in `tests/`; releases of kmod that
//! differ are told apart by [`Style`].

#![forbid(unsafe_code)]

mod alias;
mod builtin;
mod dependencies;
pub mod depmod_d;
mod devname;
mod facts;
mod hash;
pub mod listed;
mod order;
mod style;
mod symbols;
pub mod trie;

use std::collections::HashMap;

pub use facts::{Facts, LISTS, Strings};
pub use order::module_name;
pub use style::Style;

/// A module's file, and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Module<'a> {
    /// Below the kernel's directory, such as `kernel/fs/foo.ko.zst`.
    pub path: &'a [u8],
    /// What it says.
    pub facts: &'a Facts<'a>,
}

/// A kernel's own lists, as they are beside its modules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lists<'a> {
    /// `modules.order`.
    pub order: Option<&'a [u8]>,
    /// `modules.builtin`.
    pub builtin: Option<&'a [u8]>,
    /// `modules.builtin.modinfo`.
    pub builtin_modinfo: Option<&'a [u8]>,
}

/// Why depmod has to do it itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsure {
    /// Which of the two depmod takes depends on the order in which it finds them.
    #[error("two modules named {0} are of the same rank")]
    SameRank(String),
    /// depmod refuses to write an index.
    #[error("modules need each other: {0}")]
    Cycle(String),
    /// Old depmods crash at such bytes.
    #[error("{0} has bytes above 127")]
    NotAscii(String),
    /// depmod.d says what is not compared with depmod.
    #[error("depmod.d has {0}")]
    Config(String),
    /// A name that no depmod would find, or one with a line's end in it.
    #[error("{0} is no name that can be listed")]
    OddName(String),
    /// depmod has a limit of its own.
    #[error("there are more modules, or longer chains of names, than are compared with depmod")]
    TooMany,
}

/// The files of an index, in the order in which depmod writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Each file's name in the kernel's directory, and its bytes.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

impl Index {
    /// Makes the index of a kernel. `modules`: all that are found below its directory, in any order. `config` and
    /// `release` decide which of two of one name counts.
    ///
    /// # Errors
    /// [`Unsure`]: depmod's files could be others.
    pub fn make(
        modules: &[Module<'_>],
        lists: Lists<'_>,
        config: &depmod_d::Config,
        release: &str,
        style: Style,
    ) -> Result<Self, Unsure> {
        let modules = order::chosen(modules, config, release)?;
        let modules = order::ordered(modules, lists.order.unwrap_or_default(), style);
        modules.iter().try_for_each(|module| is_plain(module))?;
        let owners = symbols::owners(&modules);
        let lines = dependencies::lines(&modules, &owners)?;
        let mut files = vec![
            ("modules.dep", dependencies::text(&lines)),
            ("modules.dep.bin", dependencies::binary(&modules, &lines, style)?),
            ("modules.alias", alias::text(&modules)),
            ("modules.alias.bin", alias::binary(&modules, style)?),
            ("modules.softdep", alias::softdeps(&modules)),
        ];
        if style.weakdep {
            files.push(("modules.weakdep", alias::weakdeps(&modules)));
        }
        files.extend([
            ("modules.symbols", symbols::text(&modules, &owners)),
            ("modules.symbols.bin", symbols::binary(&modules, &owners, style)?),
            ("modules.builtin.bin", builtin::names(lists.builtin, style)?),
            ("modules.builtin.alias.bin", builtin::aliases(lists.builtin_modinfo, style)?),
            ("modules.devname", devname::text(&modules)),
        ]);
        Ok(Self { files })
    }

    /// Would [`Index::make`] give an index, as far as the paths of modules show?
    ///
    /// # Errors
    /// As [`Index::make`].
    pub fn may_be_made<'a>(
        paths: impl IntoIterator<Item = &'a [u8]>,
        config: &depmod_d::Config,
        release: &str,
    ) -> Result<(), Unsure> {
        let nothing = Facts::new::<&[u8]>([&[]; LISTS]);
        let modules: Vec<Module<'_>> =
            paths.into_iter().map(|path| Module { path, facts: &nothing }).collect();
        let chosen = order::chosen(&modules, config, release)?;
        chosen.iter().try_for_each(is_plain)
    }

    /// A file's bytes.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.iter().find(|(own, _)| *own == name).map(|(_, bytes)| &**bytes)
    }
}

/// A module that counts, by its name.
#[derive(Clone, Debug)]
struct Named<'a> {
    name: Vec<u8>,
    path: &'a [u8],
    facts: &'a Facts<'a>,
}

/// Who exports a symbol: by the module's place in the order.
type Owners<'a> = HashMap<&'a [u8], u32>;

/// Is there nothing in it that depmods treat differently?
fn is_plain(module: &Named<'_>) -> Result<(), Unsure> {
    if !module.path.is_ascii() || !module.facts.is_ascii() {
        return Err(Unsure::NotAscii(shown(module.path)));
    }
    Ok(())
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
