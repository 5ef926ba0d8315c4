// SPDX-License-Identifier: LGPL-2.1-or-later
//! Files in such a directory.

use std::fs::File;
use std::io;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, major, minor, stat};
use nix::unistd::{UnlinkatFlags, ftruncate, unlinkat};

use super::{Held, Remark, RunDir, hear_refusal, is_ours, refused};

/// Held while a file that is not ours is replaced.
const GUARD: &str = "replacing";

/// A file in a [`RunDir`] that is ours.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: File,
    /// What it took the place of, in words.
    pub remark: Option<String>,
}

impl RunDir {
    /// As [`RunDir::file`]; what was not ours is remarked.
    ///
    /// # Errors
    /// As [`RunDir::file`].
    pub fn file_heard(&self, name: &str, flags: OFlag, remark: Remark<'_>) -> io::Result<File> {
        let opened = self.file(name, flags).inspect_err(|e| hear_refusal(e, remark))?;
        if let Some(text) = opened.remark {
            remark(&text);
        }
        Ok(opened.file)
    }

    /// Opens a regular file in it with the flags of open(2). Where it may be made (O_CREAT), it takes the place of one
    /// that is not ours.
    ///
    /// # Errors
    /// The system's; `PermissionDenied` where the file is not ours.
    pub fn file(&self, name: &str, flags: OFlag) -> io::Result<Opened> {
        match self.open_ours(name, flags)? {
            Ok(file) => Ok(Opened { file, remark: None }),
            Err(why) if flags.contains(OFlag::O_CREAT) => self.replace(name, flags, &why),
            Err(why) => Err(refused(&self.display(name), &why)),
        }
    }

    /// Two at once must not replace each other's file, which may be locked already.
    fn replace(&self, name: &str, flags: OFlag, why: &str) -> io::Result<Opened> {
        let refused_guard = |why: String| refused(&self.display(GUARD), &why);
        let guard = self.open_ours(GUARD, OFlag::O_RDONLY | OFlag::O_CREAT)?.map_err(refused_guard)?;
        let _guard = Held::new(guard, true).map_err(|(_, errno)| errno)?;
        if let Ok(file) = self.open_ours(name, flags & !OFlag::O_EXCL)? {
            return Ok(Opened { file, remark: None });
        }
        unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)?;
        let file = self.open_ours(name, flags | OFlag::O_EXCL)?;
        let file = file.map_err(|why| refused(&self.display(name), &why))?;
        let _ = unlinkat(&self.fd, GUARD, UnlinkatFlags::NoRemoveDir);
        Ok(Opened { file, remark: Some(format!("{}: it {why}; replaced", self.display(name).display())) })
    }

    /// The inner error: why it is not ours.
    fn open_ours(&self, name: &str, flags: OFlag) -> io::Result<Result<File, String>> {
        // Who exchanges it so often does so on purpose.
        for _ in 0..100 {
            if let Some(opened) = self.open_once(name, flags)? {
                return Ok(opened);
            }
        }
        Ok(Err("is exchanged again and again".into()))
    }

    /// Has a file that was opened no name but this one? By its number of names alone that is not known: those of a file elsewhere
    /// are one again as soon as the link to it that was opened here is gone. One that has no name any more is nobody's.
    fn is_only_here(&self, name: &str, file: &File) -> io::Result<bool> {
        let there = fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        let opened = fstat(file)?;
        let is_it = |there: &FileStat| (there.st_dev, there.st_ino) == (opened.st_dev, opened.st_ino);
        Ok(opened.st_nlink == 0 || there.is_ok_and(|there| is_it(&there) && there.st_nlink == 1))
    }

    /// `None`: it was exchanged meanwhile.
    fn open_once(&self, name: &str, flags: OFlag) -> io::Result<Option<Result<File, String>>> {
        // What somebody else's is, is not to be emptied, and a FIFO not to be waited for.
        let how = (flags & !OFlag::O_TRUNC) | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = match openat(&self.fd, name, how, Mode::from_bits_truncate(self.mode)) {
            Ok(fd) => File::from(fd),
            Err(Errno::ELOOP) => return Ok(Some(Err("is a symbolic link".into()))),
            Err(Errno::ENXIO | Errno::EISDIR) => return Ok(Some(Err("is not a regular file".into()))),
            Err(errno) => return Err(errno.into()),
        };
        let stat = fstat(&file)?;
        if let Some(why) = distrust(&stat) {
            return Ok(Some(Err(why)));
        }
        if !self.is_only_here(name, &file)? {
            return Ok(None);
        }
        // Made by an older version, perhaps: it was for others to open, too.
        if stat.st_mode & 0o077 & !self.mode != 0 {
            if let Some(holder) = locked_by_others(&stat) {
                return Ok(Some(Err(format!("is locked by {holder}"))));
            }
            if flags.contains(OFlag::O_CREAT) {
                fchmod(&file, Mode::from_bits_truncate(self.mode))?;
            }
        }
        if flags.contains(OFlag::O_TRUNC) {
            ftruncate(&file, 0)?;
        }
        Ok(Some(Ok(file)))
    }

    /// Is this still the file of that name?
    pub fn is_current(&self, name: &str, file: &File) -> bool {
        let there = fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        matches!((there, fstat(file)), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
    }

    /// Takes a file away.
    ///
    /// # Errors
    /// The system's.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

fn distrust(stat: &FileStat) -> Option<String> {
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Some("is not a regular file".into());
    }
    if !is_ours(stat) {
        return Some(format!("belongs to user {}", stat.st_uid));
    }
    (stat.st_nlink > 1).then(|| format!("has {} names", stat.st_nlink))
}

/// Who has locked a file, in words, if that is known and neither we nor root: we hold our locks ourselves.
fn locked_by_others(file: &FileStat) -> Option<String> {
    let place = format!("{:02x}:{:02x}:{}", major(file.st_dev), minor(file.st_dev), file.st_ino);
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let holder = locks.lines().find_map(|line| {
        // "1: FLOCK  ADVISORY  WRITE 4711 00:19:1234 0 EOF"; those who wait have "->" behind the number.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, at, ..] = fields[..] else { return None };
        (at == place).then_some(process)
    })?;
    match stat(format!("/proc/{holder}").as_str()) {
        Ok(process) if is_ours(&process) => None,
        Ok(process) => Some(format!("user {}", process.st_uid)),
        Err(_) => Some("a process that has ended".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    use super::super::tests::{NAME, place};
    use super::*;

    /// As it goes where somebody exchanges the file for a link to one elsewhere, and takes that away again.
    #[test]
    fn a_file_whose_only_name_is_elsewhere_is_noticed() {
        let (tmp, root, path) = place();
        let dir = RunDir::create(&root).unwrap();
        let outside = tmp.path().join("outside");
        fs::write(&outside, "outside").unwrap();
        fs::hard_link(&outside, path.join(NAME)).unwrap();
        let file = File::open(path.join(NAME)).unwrap();
        assert!(!dir.is_only_here(NAME, &file).unwrap());
        fs::remove_file(path.join(NAME)).unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 1);
        assert!(!dir.is_only_here(NAME, &file).unwrap());
        fs::write(path.join(NAME), "ours").unwrap();
        assert!(!dir.is_only_here(NAME, &file).unwrap());
        let ours = File::open(path.join(NAME)).unwrap();
        assert!(dir.is_only_here(NAME, &ours).unwrap());
        // Somebody else has taken it away, as it was served.
        fs::remove_file(path.join(NAME)).unwrap();
        assert!(dir.is_only_here(NAME, &ours).unwrap());
    }

    #[test]
    fn files_are_for_their_owner() {
        let (_tmp, root, path) = place();
        let dir = RunDir::create(&root).unwrap();
        let opened = dir.file(NAME, OFlag::O_RDONLY | OFlag::O_CREAT).unwrap();
        assert_eq!((opened.remark, fs::metadata(path.join(NAME)).unwrap().mode() & 0o7777), (None, 0o600));
        assert_eq!(dir.file("no", OFlag::O_RDONLY).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_not_ours_is_refused_or_replaced() {
        type Make = fn(&Path);
        let makes: [(&str, Make); 4] = [
            ("2 names", |p| fs::hard_link(p, p.with_file_name("other")).unwrap()),
            ("symbolic link", |p| {
                fs::rename(p, p.with_file_name("other")).and_then(|()| symlink("other", p)).unwrap()
            }),
            ("not a regular file", |p| {
                fs::remove_file(p).unwrap();
                nix::unistd::mkfifo(p, Mode::from_bits_truncate(0o600)).unwrap();
            }),
            ("user 65534", |p| std::os::unix::fs::chown(p, Some(65534), None).unwrap()),
        ];
        let has_other_users = testkit::has_other_users();
        for (why, make) in makes {
            if why.starts_with("user") && !has_other_users {
                continue;
            }
            let (_tmp, root, path) = place();
            let dir = RunDir::create(&root).unwrap();
            fs::write(path.join(NAME), "kept").unwrap();
            fs::set_permissions(path.join(NAME), fs::Permissions::from_mode(0o600)).unwrap();
            make(&path.join(NAME));
            let error = dir.file(NAME, OFlag::O_RDONLY).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            let opened = dir.file(NAME, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC).unwrap();
            assert!(opened.remark.is_some_and(|r| r.contains(why)), "{why}");
            if path.join("other").exists() {
                assert_eq!(fs::read_to_string(path.join("other")).unwrap(), "kept");
            }
            assert!(dir.is_current(NAME, &opened.file) && dir.file(NAME, OFlag::O_RDONLY).is_ok());
        }
    }

    #[test]
    fn a_lock_of_another_user_says_nothing() {
        let (_tmp, root, path) = place();
        let dir = RunDir::create(&root).unwrap();
        fs::write(path.join(NAME), "").unwrap();
        fs::set_permissions(path.join(NAME), fs::Permissions::from_mode(0o644)).unwrap();
        // Locked by one of us, and open to others.
        let ours = Held::new(fs::File::open(path.join(NAME)).unwrap(), false).unwrap();
        let opened = dir.file(NAME, OFlag::O_RDONLY | OFlag::O_CREAT).unwrap();
        assert!(opened.remark.is_none() && Held::new(opened.file, false).is_err());
        assert_eq!(fs::metadata(path.join(NAME)).unwrap().mode() & 0o7777, 0o600);
        drop(ours);
        if !testkit::has_other_users() {
            return;
        }
        for way in [path.parent().unwrap().parent().unwrap(), &path] {
            fs::set_permissions(way, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(path.join(NAME), fs::Permissions::from_mode(0o644)).unwrap();
        let mut other = std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "flock", "-x"])
            .arg(path.join(NAME))
            .args(["sh", "-c", "echo locked; exec sleep 60"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut [0; 7]).unwrap();
        assert!(dir.file(NAME, OFlag::O_RDONLY).unwrap_err().to_string().contains("user 65534"));
        let opened = dir.file(NAME, OFlag::O_RDONLY | OFlag::O_CREAT).unwrap();
        assert!(opened.remark.is_some_and(|r| r.contains("locked by user 65534")));
        assert!(Held::new(opened.file, false).is_ok());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
