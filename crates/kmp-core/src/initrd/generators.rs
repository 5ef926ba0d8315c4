// SPDX-License-Identifier: LGPL-2.1-or-later
//! The programs that are known to make initrds, one row each, and which one is configured.

use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::assignments::Assignments;
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;
use crate::tree;

/// Where SUSE's boot loader tools are configured.
const SYSCONFIG: &str = "/etc/sysconfig/bootloader";

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
                all: Some(&["--no-reuse-initrd", DEFAULT_SNAPSHOT, "add-all-kernels"]),
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

    /// Its arguments for an initrd. mkosi-initrd is given a directory and a name in it.
    pub fn arguments(self, wanted: Wanted<'_>) -> Vec<String> {
        let Wanted { release, path, snapshot, machines } = wanted;
        let (release, name) = (release.to_string(), format!("initrd-{release}"));
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<String>>();
        match self {
            Self::Dracut => match path {
                Some(path) => {
                    let place = vec!["-f".into(), path.to_string_lossy().into_owned(), release];
                    [words(machines.dracut_options()), place].concat()
                }
                None => vec!["-f".into(), "--kver".into(), release],
            },
            Self::MkosiInitrd => {
                [words(&["--kernel-version", &release, "-O", "/boot", "-o"]), vec![name]].concat()
            }
            Self::Sdbootutil => {
                let which = match snapshot {
                    Snapshot::Running => &[][..],
                    Snapshot::Default => &[DEFAULT_SNAPSHOT],
                };
                [words(&["--no-reuse-initrd"]), words(which), words(&["add-kernel", &release])].concat()
            }
        }
    }

    /// Its arguments for the initrds of all kernels of the snapshot that is booted next; `None`: each has to be asked for.
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

    /// Does it leave the initrd that there is in its place, if the new one has the same bytes? sdbootutil names them by their
    /// contents.
    pub const fn keeps_equal_initrds(self) -> bool {
        self.makes_boot_entries()
    }

    /// Does dracut's configuration say what it packs? sdbootutil calls dracut, where nothing else is configured.
    pub const fn reads_dracut_conf(self) -> bool {
        match self {
            Self::Dracut | Self::Sdbootutil => true,
            Self::MkosiInitrd => false,
        }
    }
}

/// sdbootutil's option for [`Snapshot::Default`].
pub(crate) const DEFAULT_SNAPSHOT: &str = "--default-snapshot";

/// For which snapshot of the system an initrd is made, where there are snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// The one that runs: what changed, changed in it.
    #[default]
    Running,
    /// The one that is booted next: requests that were left in a transaction are about it.
    Default,
}

/// An initrd that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// For this kernel.
    pub release: &'a str,
    /// Where. `None`: the generator chooses, by its configuration and the boot loader's: it may make a unified image
    /// (dracut's `uefi=yes`), or an entry of the Boot Loader Specification.
    pub path: Option<&'a Path>,
    /// For which snapshot.
    pub snapshot: Snapshot,
    /// For which machines.
    pub machines: Machines,
}

/// For which machines an initrd is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Machines {
    /// The one that it is made on; its generator is configured for it.
    #[default]
    This,
    /// All that an image of ostree's or bootc's is deployed to: the initramfs beside the kernel comes with the image.
    OfImage {
        /// dracut has the module that finds the deployment at boot. Some images' configuration names it, others' does not.
        has_module: bool,
    },
}

impl Machines {
    /// By where an initrd is, or will be.
    ///
    /// # Errors
    /// The system could not look.
    pub fn of(root: &Root, initrd: Option<&Path>) -> Result<Self, Problem> {
        if !initrd.is_some_and(tree::is_initrd_of_image) {
            return Ok(Self::This);
        }
        let modules = Path::new("/usr/lib/dracut/modules.d");
        let entries =
            root.read_dir_if_there(modules).map_err(|e| Problem::unreadable(root.display(modules), &e))?;
        // Its name begins with a number.
        let is_it = |name: &str| name.trim_start_matches(|c: char| c.is_ascii_digit()) == "ostree";
        let has_module = entries.iter().any(|entry| entry.name.to_str().is_some_and(is_it));
        Ok(Self::OfImage { has_module })
    }

    /// dracut's options, as rpm-ostree calls it.
    fn dracut_options(self) -> &'static [&'static str] {
        match self {
            Self::This => &[],
            Self::OfImage { has_module: false } => &["--no-hostonly", "--reproducible"],
            Self::OfImage { has_module: true } => &["--no-hostonly", "--reproducible", "--add", "ostree"],
        }
    }
}

/// Which generator is configured: by `/etc/sysconfig/bootloader`, else by the environment, else it is dracut.
///
/// # Errors
/// [`NoGenerator`]: it is not one that is known, or that file cannot be read.
pub fn configured(root: &Root, settings: &Settings) -> Result<Tool, NoGenerator> {
    let text = root.read_if_there(Path::new(SYSCONFIG), 1 << 20).map_err(|e| {
        NoGenerator::Unread(Problem::unreadable(root.display(Path::new(SYSCONFIG)), &e).to_string())
    })?;
    let mut read = Assignments::default();
    read.read(&String::from_utf8_lossy(&text.unwrap_or_default()));
    let word = Some(read.get("INITRD_GENERATOR").trim()).filter(|word| !word.is_empty());
    match word.or(settings.generator.as_deref()) {
        None => Ok(Tool::Dracut),
        Some(word) => Tool::named(word).ok_or_else(|| NoGenerator::Unknown(printable(word.as_ref()))),
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
