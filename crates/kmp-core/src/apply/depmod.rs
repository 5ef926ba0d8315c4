//! Runs depmod.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};

use crate::dialect::IN_TREE;
use crate::inventory::{MODULES_DEP, ModulesDirs, Release};
use crate::root::{FileType, Root};

use super::leftovers::PREFIX;
use super::program::{self, Failure};
use super::switch::remove_tree;

/// Beside the release directories, so that what depmod writes can be moved. The holder of the lock alone uses it.
const PICTURE: &str = ".kmp-picture";

/// depmod did not do its work.
#[derive(Debug, thiserror::Error)]
#[error("depmod for kernel {release} failed: {why}. The next run of kmp tries again")]
pub struct DepmodError {
    release: String,
    why: String,
}

/// How depmod is run.
#[derive(Clone, Debug)]
pub struct Depmod {
    /// The program.
    pub program: OsString,
}

impl Default for Depmod {
    fn default() -> Self {
        Self { program: "depmod".into() }
    }
}

impl Depmod {
    /// The program that the environment variable `DEPMOD` names, if it does.
    pub fn from_environment() -> Self {
        match std::env::var_os("DEPMOD") {
            Some(program) if !program.is_empty() => Self { program },
            _ => Self::default(),
        }
    }

    /// Writes the index of `release` anew. Returns what depmod had to say.
    ///
    /// # Errors
    /// [`DepmodError`], which names the kernel, when depmod cannot be run, fails, or its index cannot be
    /// put into place.
    pub fn run(&self, root: &Root, dirs: &ModulesDirs, release: &Release) -> Result<String, DepmodError> {
        let outcome = if root.is_system() {
            self.call(&[OsStr::new("--"), OsStr::new(&release.release)])
        } else {
            self.run_below(root, dirs, release)
        };
        outcome.map_err(|why| DepmodError { release: release.release.clone(), why })
    }

    fn call(&self, arguments: &[&OsStr]) -> Result<String, String> {
        program::run(&self.program, arguments).map_err(|failure| {
            let why = failure.told(&self.program, program::first_lines);
            match failure {
                Failure::NotRun(_) => format!("{why}. Install kmod, or name another with DEPMOD"),
                Failure::Ended(..) => why,
            }
        })
    }

    /// depmod with a base directory follows absolute links, such as ours, into the running system instead.
    /// So it is shown a picture of the kernel's directory, in which every link leads into the root, and
    /// what it writes there is moved to where it belongs.
    fn run_below(&self, root: &Root, dirs: &ModulesDirs, release: &Release) -> Result<String, String> {
        let cannot = |what: &str, e: io::Error| format!("{what}: {e}");
        let place = release.dir.parent().unwrap_or(Path::new("/"));
        let beside = root.dir(place).map_err(|e| cannot("no temporary directory", e))?;
        let said = remove_tree(beside.as_fd(), OsStr::new(PICTURE))
            .and_then(|()| Ok(mkdirat(&beside, PICTURE, Mode::from_bits_truncate(0o700))?))
            .map_err(|e| cannot("no temporary directory", e))
            .and_then(|()| self.run_in_picture(root, dirs, release));
        let removed = remove_tree(beside.as_fd(), OsStr::new(PICTURE));
        let said = said?;
        removed.map_err(|e| cannot("cannot remove its temporary directory", e))?;
        Ok(said)
    }

    fn run_in_picture(&self, root: &Root, dirs: &ModulesDirs, release: &Release) -> Result<String, String> {
        let cannot = |what: &str, e: io::Error| format!("{what}: {e}");
        let place = root.canonicalize(release.dir.parent().unwrap_or(Path::new("/")));
        let base = root.display(&place.map_err(|e| cannot("no temporary directory", e))?).join(PICTURE);
        let picture = base.join("lib/modules").join(&release.release);
        fs::create_dir_all(&picture).map_err(|e| cannot("no temporary directory", e))?;
        // SUSE's kmod looks below usr/lib/modules.
        symlink("lib", base.join("usr"))
            .and_then(|()| symlink(".", base.join("lib/lib")))
            .map_err(|e| cannot("no temporary directory", e))?;
        draw(root, dirs, release, &picture).map_err(|e| cannot("cannot read the kernel's directory", e))?;

        let mut arguments: Vec<OsString> = vec!["-b".into(), base.as_os_str().into()];
        for config in ["usr/lib/depmod.d", "lib/depmod.d", "run/depmod.d", "etc/depmod.d"] {
            let seen = root.canonicalize(&Path::new("/").join(config));
            let outside = seen.map_or_else(|_| base.join("none"), |path| root.display(&path));
            arguments.extend(["-C".into(), outside.into()]);
        }
        arguments.extend(["--".into(), OsString::from(&release.release)]);
        let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        let said = self.call(&arguments)?;
        collect(root, release, &picture).map_err(|e| cannot("cannot put the index into place", e))?;
        Ok(said)
    }
}

/// Links in `picture` what `release` has. Of depmod's own index nothing, and of `.kmp-*` nothing.
fn draw(root: &Root, dirs: &ModulesDirs, release: &Release, picture: &Path) -> io::Result<()> {
    for entry in root.read_dir(&release.dir)? {
        let hidden = entry.name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if !is_index(&entry.name) && !hidden {
            let (path, to) = (release.dir.join(&entry.name), picture.join(&entry.name));
            if entry.kind == FileType::Dir && entry.name == IN_TREE && release.in_tree_is_plain {
                symlink(root.display(&root.canonicalize(&path)?), to)?;
            } else {
                draw_entry(root, dirs, &path, entry.kind, &to)?;
            }
        }
    }
    Ok(())
}

/// A directory without symbolic links and odd names is one link. In others each link leads to where it would lead inside
/// the root, were that the whole system.
fn draw_entry(root: &Root, dirs: &ModulesDirs, path: &Path, kind: FileType, to: &Path) -> io::Result<()> {
    match kind {
        FileType::Dir if holds_links(root, path)? => {
            fs::create_dir(to)?;
            // kmod 30 crashes over a name that is not ASCII, and no module would be indexed.
            for entry in root.read_dir(path)?.into_iter().filter(|e| e.name.is_ascii()) {
                draw_entry(root, dirs, &path.join(&entry.name), entry.kind, &to.join(&entry.name))?;
            }
            Ok(())
        }
        FileType::Dir | FileType::File => symlink(root.display(&root.canonicalize(path)?), to),
        FileType::Symlink => match root.canonicalize(path) {
            Ok(real) if root.metadata(&real).is_ok_and(|s| s.kind() == FileType::File) => {
                symlink(root.display(&dirs.canonical(&real).unwrap_or(real)), to)
            }
            // It leads nowhere, or to a directory, whose modules are not this kernel's (and in which depmod may
            // go round in circles), or to a FIFO, for which depmod would wait for ever.
            _ => Ok(()),
        },
        FileType::Other => Ok(()),
    }
}

fn holds_links(root: &Root, dir: &Path) -> io::Result<bool> {
    for entry in root.read_dir(dir)? {
        let found = match entry.kind {
            _ if !entry.name.is_ascii() => true,
            FileType::Symlink | FileType::Other => true,
            FileType::Dir => holds_links(root, &dir.join(&entry.name))?,
            FileType::File => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What depmod writes, as against what it reads (`modules.order`, `modules.builtin`, `modules.builtin.modinfo`).
fn is_index(name: &OsStr) -> bool {
    let read = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];
    name.to_str().is_some_and(|n| n.starts_with("modules.") && !read.contains(&n))
}

/// Puts what depmod wrote into the kernel's directory.
fn collect(root: &Root, release: &Release, picture: &Path) -> io::Result<()> {
    let dir = root.dir(&release.dir)?;
    let from =
        openat(AT_FDCWD, picture, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut written = Vec::new();
    for entry in fs::read_dir(picture)? {
        let entry = entry?;
        if is_index(&entry.file_name()) && entry.file_type()?.is_file() {
            written.push(entry.file_name());
        }
    }
    // modules.dep comes last: as long as it is old, the index counts as old.
    written.sort_by_key(|name| (name == MODULES_DEP, name.clone()));
    for name in written {
        match renameat(&from, name.as_os_str(), &dir, name.as_os_str()) {
            Ok(()) => continue,
            // The kernel's directory is a file system of its own.
            Err(Errno::EXDEV) => {}
            Err(errno) => return Err(errno.into()),
        }
        // As depmod does it itself: written beside, then renamed.
        let beside = OsString::from(format!("{PREFIX}index"));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut to = File::from(openat(&dir, beside.as_os_str(), flags, Mode::from_bits_truncate(0o644))?);
        io::copy(&mut File::open(picture.join(&name))?, &mut to)?;
        renameat(&dir, beside.as_os_str(), &dir, name.as_os_str())?;
    }
    Ok(())
}
