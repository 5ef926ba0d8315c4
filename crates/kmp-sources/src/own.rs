// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp's own repository, from which zypper and dnf take what was fetched and verified. Each source has a directory in it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kmp_fs::root::Root;
use librpm_rt::{Librpm, Trust, TrustedKeys, Verified};
use nix::fcntl::{Flock, FlockArg};
use rpm_meta::header::LARGEST;
use rpm_meta::openpgp::groups;
use sha2::{Digest, Sha256};

use crate::metadata::{self, Entry, FileFacts};
use crate::nvra::Nvra;
use crate::record::is_name;

/// Where it is.
pub const DIR: &str = "/var/cache/kmp/repo";

/// The most packages in it.
const MOST: usize = 500;

/// What a directory beside it begins with, while something is fetched.
const FETCHED: &str = ".kmp-new-";

/// After which time nobody fetches it any more.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Who writes the metadata holds this file's lock.
const LOCK: &str = ".kmp-lock";

/// A repository below a directory of this machine.
#[derive(Debug)]
pub struct OwnRepository {
    dir: PathBuf,
}

/// Why a package is not taken, for people: what it is, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl OwnRepository {
    /// That of a root. Nothing is written yet.
    pub fn of(root: &Root) -> Self {
        Self::at(root.display(Path::new(DIR)))
    }

    /// One in a directory.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Is anything in it?
    pub fn is_there(&self) -> bool {
        self.dir.join("repodata/repomd.xml").exists()
    }

    /// An empty file for a package that is to be fetched, which nobody takes for one of the repository's.
    ///
    /// # Errors
    /// The system's.
    pub fn new_file(&self) -> io::Result<tempfile::NamedTempFile> {
        self.make_dir(&self.dir)?;
        tempfile::Builder::new().prefix(FETCHED).suffix(".rpm").tempfile_in(&self.dir)
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        let stat = fs::symlink_metadata(dir)?;
        // Whoever else may write here could put other packages into it.
        if !stat.is_dir() || stat.mode() & 0o022 != 0 || stat.uid() != nix::unistd::geteuid().as_raw() {
            let why = "it is writable for others than its owner, or belongs to somebody else";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        Ok(())
    }

    /// Puts a package there that was [verified](verify), as one of a source's. [`write`](Self::write) makes it seen.
    ///
    /// # Errors
    /// The system's.
    pub fn put(&self, source: &str, file: tempfile::NamedTempFile, name: &str) -> io::Result<()> {
        let is_package = is_name(source) && Nvra::of_file(name).is_some();
        if !is_package {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is no name of a package"),
            ));
        }
        let dir = self.dir.join(source);
        self.make_dir(&dir)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_data()?;
        file.persist(dir.join(name)).map(drop).map_err(|e| e.error)
    }

    /// Takes all of a source away.
    ///
    /// # Errors
    /// The system's.
    pub fn remove_source(&self, source: &str) -> io::Result<bool> {
        if !is_name(source) {
            return Ok(false);
        }
        match fs::remove_dir_all(self.dir.join(source)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The packages that are there: the source's name, and the file.
    ///
    /// # Errors
    /// The system's.
    pub fn packages(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        let sources = match fs::read_dir(&self.dir) {
            Ok(sources) => sources,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(e),
        };
        for source in sources {
            let source = source?;
            let Some(name) =
                source.file_name().to_str().filter(|n| is_name(n) && *n != "repodata").map(str::to_owned)
            else {
                continue;
            };
            if !source.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(source.path())? {
                let file = file?;
                let is_package = file.file_name().to_str().is_some_and(|name| Nvra::of_file(name).is_some());
                if is_package && file.file_type()?.is_file() && found.len() < MOST {
                    found.push((name.clone(), file.path()));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Writes its metadata anew, from what is there; packages that `keep` does not want are taken away. The index is exchanged last.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, keep: &dyn Fn(&Entry) -> bool, time: u64) -> io::Result<Vec<Entry>> {
        self.make_dir(&self.dir)?;
        // One at a time; whoever is last has seen what the others have put there.
        let lock = File::options().create(true).truncate(false).write(true).open(self.dir.join(LOCK))?;
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
        self.remove_abandoned();
        let mut entries = Vec::new();
        let mut gone = Vec::new();
        for (_, path) in self.packages()? {
            let location = path.strip_prefix(&self.dir).unwrap_or(&path).to_string_lossy().into_owned();
            match entry_of(&path, &location) {
                Ok(entry) if keep(&entry) => entries.push(entry),
                _ => gone.push(path),
            }
        }
        self.write_entries(&entries, time)?;
        // Whoever has just read the old index finds them absent, and reads it anew.
        for path in gone {
            fs::remove_file(path)?;
        }
        Ok(entries)
    }

    /// What a run that was killed has left.
    fn remove_abandoned(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(FETCHED));
            let age = entry.metadata().ok().and_then(|stat| stat.modified().ok()?.elapsed().ok());
            if is_ours && age.is_some_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn write_entries(&self, entries: &[Entry], time: u64) -> io::Result<()> {
        let repodata = self.dir.join("repodata");
        self.make_dir(&self.dir)?;
        self.make_dir(&repodata)?;
        let files = metadata::files(entries, time);
        for (path, text) in &files {
            let mut file = tempfile::Builder::new().prefix(FETCHED).tempfile_in(&repodata)?;
            file.write_all(text.as_bytes())?;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
            file.persist(self.dir.join(path)).map_err(|e| e.error)?;
        }
        for entry in fs::read_dir(&repodata)? {
            let path = entry?.path();
            let is_ours = |path: &Path| files.iter().any(|(own, _)| self.dir.join(own) == path);
            if !is_ours(&path) {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// A package's entry, from its file.
///
/// # Errors
/// The system's; `InvalidData`: it is none.
pub fn entry_of(path: &Path, location: &str) -> io::Result<Entry> {
    let mut file = File::open(path)?;
    let stat = file.metadata()?;
    let mut beginning = Vec::new();
    (&mut file).take(LARGEST as u64).read_to_end(&mut beginning)?;
    file.rewind()?;
    let checksum = checksum(&mut file)?;
    let facts = FileFacts {
        checksum: Some(&checksum),
        size: stat.len(),
        time: u64::try_from(stat.mtime()).unwrap_or(0),
    };
    Entry::read(&beginning, location, facts)
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why.to_string()))
}

/// A file's SHA-256.
///
/// # Errors
/// The system's.
pub fn checksum(file: &mut File) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut part = vec![0; 128 << 10];
    loop {
        match file.read(&mut part)? {
            0 => break,
            len => digest.update(&part[..len]),
        }
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Is a package signed as one of a source has to be: with a key that rpm trusts and, where the source names keys, with one of those?
///
/// # Errors
/// Why not, for people; or that it cannot be read.
pub fn verify(
    rpm: &Librpm,
    path: &Path,
    shown: &str,
    keys: &TrustedKeys,
    fingerprints: &[String],
) -> Result<Verified, Refused> {
    let verified = rpm.verify(path, keys).map_err(|e| Refused(format!("{shown} is refused: {e}")))?;
    if verified.trust != Trust::Good {
        return Err(Refused(format!(
            "{shown} is refused: it is {}",
            kmp_drivers::trust::sentence(&verified)
        )));
    }
    let is_named = |signer: &librpm_rt::Signer| {
        signer.key.as_ref().is_some_and(|key| fingerprints.contains(&key.fingerprint))
    };
    // With several signatures it is not known which of them rpm has verified: then all have to be the source's.
    if !fingerprints.is_empty() && (verified.signers.is_empty() || !verified.signers.iter().all(is_named)) {
        let named: Vec<String> = fingerprints.iter().map(|digits| groups(digits)).collect();
        let by: Vec<String> = verified.signers.iter().map(kmp_drivers::trust::signer).collect();
        return Err(Refused(format!(
            "{shown} is refused: it is signed by {}, which rpm trusts, but this source names other keys: {}. Ask the \
             provider which key is right, and correct the source's record",
            by.join(", and by "),
            named.join(" and ")
        )));
    }
    Ok(verified)
}
