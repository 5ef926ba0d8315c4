// SPDX-License-Identifier: LGPL-2.1-or-later
//! What depmod is shown of a kernel below another root.
//!
//! A private directory that looks as the kernel's own does, inside of which every link is ours: each module and each list is a link
//! to `/proc/self/fd/N`, a regular file that was found by [`Root`] and that depmod has open from the start. So nothing that happens
//! in the root meanwhile leads depmod anywhere, and it is handed neither directories nor FIFOs. Modules are not copied, but where
//! there is no /proc, or more of them than files may be open.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::inventory::{DEPMOD_D, ModulesDirs, Release};
use crate::printable;
use crate::root::{FileType, Root};
use crate::tree::OWN_PREFIX;

use super::depmod::is_index;
use super::private_dir::PrivateDir;

/// More files than this are no kernel.
const MAX_FILES: usize = 200_000;
/// Of files that have to be copied, the bytes of all.
const MAX_COPIED: u64 = 4 << 30;
/// A file in depmod.d is read up to this.
const MAX_CONFIG: u64 = 1 << 20;

/// The private directory's contents.
pub(super) struct Shown {
    /// Where the index will be.
    pub(super) dir: OwnedFd,
    /// Paths in the root of the files that depmod is to have open.
    pub(super) files: Vec<PathBuf>,
    /// What depmod is called with.
    pub(super) arguments: Vec<OsString>,
    left_out: Vec<PathBuf>,
}

/// In the making.
struct Drawing<'a> {
    root: &'a Root,
    dirs: &'a ModulesDirs,
    files: Vec<PathBuf>,
    /// How many files can be given open.
    max_open: usize,
    /// How many more bytes can be copied.
    left: u64,
}

impl Shown {
    /// Draws `release` into `private`.
    pub(super) fn new(
        root: &Root,
        dirs: &ModulesDirs,
        release: &Release,
        private: &PrivateDir,
    ) -> io::Result<Self> {
        let base = private.path();
        let picture = base.join("lib/modules").join(&release.release);
        fs::create_dir_all(&picture)?;
        // SUSE's kmod looks below usr/lib/modules.
        symlink("lib", base.join("usr"))?;
        symlink(".", base.join("lib/lib"))?;
        let max_open = if has_proc() { kmp_exec::max_files() } else { 0 };
        let mut drawing = Drawing { root, dirs, files: Vec::new(), max_open, left: MAX_COPIED };
        drawing.release(release, &picture)?;
        let mut left_out = Vec::new();
        let config = base.join("depmod.d");
        copy_config(root, &config, &mut left_out)?;
        let arguments = vec![
            "-b".into(),
            base.into(),
            "-C".into(),
            config.into(),
            "--".into(),
            release.release.clone().into(),
        ];
        let dir = open(&picture, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { dir, files: drawing.files, arguments, left_out })
    }

    /// What of depmod's configuration was not shown, a line each.
    pub(super) fn left_out(&self) -> String {
        let line = |path: &PathBuf| {
            format!("{} is left out: it is not a regular file\n", printable(path.as_os_str()))
        };
        self.left_out.iter().map(line).collect()
    }
}

impl Drawing<'_> {
    /// Of depmod's own index nothing, and of `.kmp-*` nothing.
    fn release(&mut self, release: &Release, to: &Path) -> io::Result<()> {
        for entry in self.root.read_dir(&release.dir)? {
            let hidden = entry.name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes());
            if !is_index(&entry.name) && !hidden {
                self.entry(&release.dir.join(&entry.name), entry.kind, &to.join(&entry.name))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, kind: FileType, to: &Path) -> io::Result<()> {
        match kind {
            FileType::Dir => {
                fs::create_dir(to)?;
                // kmod 30 crashes over a name that is not ASCII, and no module would be indexed.
                for entry in self.root.read_dir(path)?.into_iter().filter(|e| e.name.is_ascii()) {
                    self.entry(&path.join(&entry.name), entry.kind, &to.join(&entry.name))?;
                }
                Ok(())
            }
            FileType::File if is_read(path) => self.file(path.to_path_buf(), to),
            FileType::Symlink if is_read(path) => match self.root.canonicalize(path) {
                Ok(real) if self.root.metadata(&real).is_ok_and(|s| s.kind() == FileType::File) => {
                    self.file(self.dirs.canonical(&real).unwrap_or(real), to)
                }
                // It leads nowhere, or to a directory, whose modules are not this kernel's (and in which depmod may
                // go round in circles), or to a FIFO, for which depmod would wait for ever.
                _ => Ok(()),
            },
            FileType::File | FileType::Symlink | FileType::Other => Ok(()),
        }
    }

    fn file(&mut self, path: PathBuf, to: &Path) -> io::Result<()> {
        if self.files.len() >= MAX_FILES {
            return Err(io::Error::other(format!("there are more than {MAX_FILES} modules")));
        }
        if self.files.len() < self.max_open {
            symlink(format!("/proc/self/fd/{}", kmp_exec::FIRST_FILE + self.files.len()), to)?;
            self.files.push(path);
            return Ok(());
        }
        let from = self.root.open_file(&path)?;
        let copied = io::copy(&mut io::Read::take(from, self.left + 1), &mut File::create_new(to)?)?;
        self.left = self.left.checked_sub(copied).ok_or_else(|| {
            io::Error::other(
                "without /proc, or with few open files allowed, there are too many modules to be copied",
            )
        })?;
        Ok(())
    }
}

/// Does depmod read a file of this name? Modules, packed or not, and the kernel's lists.
fn is_read(path: &Path) -> bool {
    let name = path.file_name().unwrap_or(OsStr::new("")).as_encoded_bytes();
    name.starts_with(b"modules.") || name.windows(3).any(|part| part == b".ko")
}

/// Does `/proc/self/fd` show our open files? In some chroots there is none.
fn has_proc() -> bool {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    let Ok(file) = File::open("/") else { return false };
    let id = |stat: fs::Metadata| (stat.dev(), stat.ino());
    let seen = fs::metadata(format!("/proc/self/fd/{}", file.as_raw_fd())).map(id);
    matches!((seen, file.metadata().map(id)), (Ok(a), Ok(b)) if a == b)
}

/// Copies depmod's configuration, as depmod.d(5) chooses among files of one name.
fn copy_config(root: &Root, to: &Path, left_out: &mut Vec<PathBuf>) -> io::Result<()> {
    fs::create_dir(to)?;
    let fail = |path: &Path, e: &io::Error| {
        io::Error::new(e.kind(), format!("{}: {e}", root.display(path).display()))
    };
    let found = DEPMOD_D.find(root);
    if let Some((path, e)) = found.unread.first() {
        return Err(fail(path, e));
    }
    for path in found.files {
        match root.read(&path, MAX_CONFIG) {
            Ok(text) => fs::write(to.join(path.file_name().unwrap_or_default()), text)?,
            // A link that leads nowhere.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory) => {
                left_out.push(root.display(&path));
            }
            Err(e) => return Err(fail(&path, &e)),
        }
    }
    Ok(())
}
