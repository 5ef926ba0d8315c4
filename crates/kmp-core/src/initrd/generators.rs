// SPDX-License-Identifier: LGPL-2.1-or-later
//! The programs that are known to make initrds, one row each.

use std::path::PathBuf;

/// A program that makes initrds. To add one: a variant here, and then what the compiler asks for in this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// dracut(8).
    Dracut,
    /// mkosi-initrd(1).
    MkosiInitrd,
    /// sdbootutil(8), which makes boot entries, too. It is the one where it says itself that it is in use.
    Sdbootutil,
}

/// What there is to know of a [`Tool`].
struct Row {
    /// The words of `INITRD_GENERATOR` that mean it.
    names: &'static [&'static str],
    program: &'static str,
    /// The variable that names another program for it.
    variable: &'static str,
    /// Its arguments for all kernels at once, if it can do that.
    all: Option<&'static [&'static str]>,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dracut, Self::MkosiInitrd, Self::Sdbootutil];

    const fn row(self) -> Row {
        match self {
            Self::Dracut => Row {
                names: &["dracut"],
                program: "dracut",
                variable: "DRACUT",
                all: Some(&["-f", "--regenerate-all"]),
            },
            Self::MkosiInitrd => Row {
                names: &["mkosi", "mkosi-initrd"],
                program: "mkosi-initrd",
                variable: "MKOSI_INITRD",
                all: None,
            },
            Self::Sdbootutil => Row {
                names: &[],
                program: "sdbootutil",
                variable: "SDBOOTUTIL",
                all: Some(&["--no-reuse-initrd", "add-all-kernels"]),
            },
        }
    }

    /// The one that a word of `INITRD_GENERATOR` means.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.row().names.contains(&word))
    }

    /// The program's name.
    pub const fn program(self) -> &'static str {
        self.row().program
    }

    /// The variable that names another program for it.
    pub const fn variable(self) -> &'static str {
        self.row().variable
    }

    /// Its arguments for the initrd of the kernel `release`, which is to be at `path`. mkosi-initrd is given a directory
    /// and a `name` in it.
    pub fn arguments<'a>(self, release: &'a str, path: &'a str, name: &'a str) -> Vec<&'a str> {
        match self {
            Self::Dracut => vec!["-f", path, release],
            Self::MkosiInitrd => vec!["--kernel-version", release, "-O", "/boot", "-o", name],
            Self::Sdbootutil => vec!["--no-reuse-initrd", "add-kernel", release],
        }
    }

    /// Its arguments for the initrds of all kernels; `None`: each has to be asked for.
    pub const fn arguments_for_all(self) -> Option<&'static [&'static str]> {
        self.row().all
    }

    /// Does it make boot entries, too?
    pub const fn makes_boot_entries(self) -> bool {
        match self {
            Self::Sdbootutil => true,
            Self::Dracut | Self::MkosiInitrd => false,
        }
    }
}

/// [`Tool::ALL`] has all: a variant that is added does not compile here before it is counted there.
const _: () = match Tool::Dracut {
    Tool::Dracut | Tool::MkosiInitrd | Tool::Sdbootutil => assert!(Tool::ALL.len() == 3),
};

/// There is no generator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoGenerator {
    /// The one that is configured is not known.
    #[error("INITRD_GENERATOR is \"{0}\", and neither dracut nor mkosi-initrd")]
    Unknown(String),
    /// The one that is wanted is not there.
    #[error("{0} is not installed")]
    NotInstalled(String),
    /// What says which one it is could not be read.
    #[error("which generator makes initrds is not known: {0}")]
    Unread(String),
    /// The one that is wanted is not run, and why not.
    #[error("{0} is not run: {1}")]
    Refused(String, String),
    /// It is a program of another root, and it was not said that such may be run.
    #[error("initrds are made by programs of the system below {0}, which are run with --run-in-root only")]
    OfOtherRoot(PathBuf),
}

impl NoGenerator {
    /// Is it what was asked for that is wrong, rather than the system?
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Refused(..) | Self::OfOtherRoot(_))
    }

    /// Is it not known whether there is one?
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unread(_))
    }
}
