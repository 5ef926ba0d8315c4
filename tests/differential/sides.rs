// SPDX-License-Identifier: LGPL-2.1-or-later
//! Ours and the originals: who is run, on which root, and what is to be seen afterwards.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use testkit::{Output, TestRoot, makes_empty_initrds, run};

pub const KMP: &str = env!("CARGO_BIN_EXE_kmp");
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/differential/peer.sh");

/// A script that ours takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Original {
    WeakModules2,
    WeakModules,
    Regenerate,
}

impl Original {
    pub fn name(self) -> &'static str {
        match self {
            Self::WeakModules2 => "weak-modules2",
            Self::WeakModules => "weak-modules",
            Self::Regenerate => "regenerate-initrd-posttrans",
        }
    }

    /// The variable that names it.
    pub fn variable(self) -> &'static str {
        match self {
            Self::WeakModules2 => "KMP_PEER_WM2",
            Self::WeakModules => "KMP_PEER_WM",
            Self::Regenerate => "KMP_PEER_SMT",
        }
    }
}

/// The originals that there are.
pub struct Peers {
    wm2: Option<PathBuf>,
    wm: Option<PathBuf>,
    /// A directory: an unpacked suse-module-tools.
    smt: Option<PathBuf>,
}

impl Peers {
    /// # Panics
    /// When a variable names what is no file: nothing must be skipped silently.
    pub fn from_environment() -> Self {
        let named = |original: Original| {
            let path = PathBuf::from(std::env::var_os(original.variable()).filter(|v| !v.is_empty())?);
            let is_right = if original == Original::Regenerate { path.is_dir() } else { path.is_file() };
            assert!(is_right, "{} names {}, which is not there", original.variable(), path.display());
            Some(path)
        };
        Self {
            wm2: named(Original::WeakModules2),
            wm: named(Original::WeakModules),
            smt: named(Original::Regenerate),
        }
    }

    pub fn of(&self, original: Original) -> Option<&Path> {
        match original {
            Original::WeakModules2 => self.wm2.as_deref(),
            Original::WeakModules => self.wm.as_deref(),
            Original::Regenerate => self.smt.as_deref(),
        }
    }
}

/// A root and who works on it.
pub struct Side {
    pub root: TestRoot,
    original: Original,
    /// `None`: ours.
    peer: Option<PathBuf>,
}

/// What both are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: Option<i32>,
    /// `KERNEL: LINK -> TARGET`.
    pub links: Vec<String>,
    /// Kernels whose initrd is to be built.
    pub markers: Vec<String>,
}

impl Side {
    pub fn new(original: Original, peer: Option<&Path>) -> Self {
        let root = TestRoot::new();
        let id = match original {
            Original::WeakModules2 => "opensuse-leap",
            Original::WeakModules => "rhel",
            Original::Regenerate => "opensuse-tumbleweed",
        };
        root.write("etc/os-release", format!("ID={id}\n"));
        root.write("etc/fstab", "");
        // Ours, below another root, looks for dracut there, and runs it there.
        root.add_program("/bin/sh", "/bin/sh");
        root.write("usr/bin/dracut", format!("#!/bin/sh\n{}", makes_empty_initrds()));
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(root.join("usr/bin/dracut"), executable).unwrap();
        root.mkdir("usr/lib/modules");
        Self { root, original, peer: peer.map(Path::to_path_buf) }
    }

    /// Runs the program with arguments, variables and a list on stdin.
    pub fn call(&self, args: &[&str], variables: &[(&str, &str)], list: &str) -> Output {
        let mut command = match &self.peer {
            Some(peer) => {
                let mut command = self.root.command("unshare");
                command.args(["-m", "sh", PEER]).arg(self.root.path()).arg(self.root.home()).arg(peer);
                if self.original == Original::WeakModules {
                    command.args(["--dracut", "/peer/dracut", "--no-initramfs"]);
                }
                command
            }
            None => {
                let mut command = self.root.command(KMP);
                command.arg0(self.original.name());
                match self.original {
                    Original::WeakModules2 => {
                        command.arg("--run-in-root").arg("--root").arg(self.root.path())
                    }
                    Original::Regenerate => &mut command,
                    Original::WeakModules => {
                        command.arg("--basedir").arg(self.root.path()).arg("--no-initramfs")
                    }
                };
                command
            }
        };
        run(command.args(args).envs(variables.iter().copied()).stdin(piped(list)))
    }

    pub fn see(&self, status: Option<i32>) -> Seen {
        let mut links = Vec::new();
        for krel in names(&self.root.join("usr/lib/modules")) {
            let found: BTreeMap<PathBuf, PathBuf> = self.root.weak_updates(&krel);
            links.extend(
                found
                    .into_iter()
                    .map(|(link, target)| format!("{krel}: {} -> {}", link.display(), target.display())),
            );
        }
        Seen { status, links, markers: names(&self.root.join("run/regenerate-initrd")) }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn piped(text: &str) -> Stdio {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file.into()
}
