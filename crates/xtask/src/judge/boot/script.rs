// SPDX-License-Identifier: LGPL-2.1-or-later
//! The files of a virtual machine: modules, what they need, and the script by which they are loaded.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Machine;
use crate::judge::build::Set;
use crate::judge::cases;
use crate::judge::run::Result;

/// The dependencies that depmod found: file below the release directory -> files it needs.
pub type Deps = HashMap<String, Vec<String>>;

/// Reads modules.dep.
pub fn read_deps(dir: &Path) -> Result<Deps> {
    let text = fs::read_to_string(dir.join("modules.dep")).map_err(|e| format!("{}: {e}", dir.display()))?;
    let line = |l: &str| {
        let (module, needs) = l.split_once(':')?;
        // modprobe loads from the right.
        Some((module.to_string(), needs.split_whitespace().rev().map(str::to_string).collect()))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// A set as the virtual machine loads it.
#[derive(Debug)]
pub struct Job<'a> {
    /// The set.
    pub set: &'a Set,
    /// What depmod says that the modules need.
    pub deps: &'a Deps,
    /// Only this one of the modules, and what it needs, as modprobe would load it; otherwise all.
    pub only: Option<&'a Path>,
}

impl Job<'_> {
    /// Of the set; with the module's name where it is loaded without the others.
    pub fn id(&self) -> String {
        let of_set = format!("{}@{}", self.set.name, self.set.built_for);
        self.only
            .map_or(of_set.clone(), |file| format!("{of_set}/{}", cases::name_of(&file.to_string_lossy())))
    }
}

/// The machine's files.
struct Archive {
    bytes: Vec<u8>,
    seen: HashSet<String>,
    inode: u32,
}

impl Archive {
    fn put(&mut self, name: &str, mode: u32, contents: &[u8]) {
        if !self.seen.insert(name.to_string()) {
            return;
        }
        self.inode += 1;
        let (size, length) = (contents.len(), name.len() + 1);
        let mut header = String::from("070701");
        for field in [self.inode, mode, 0, 0, 1, 0, size as u32, 0, 0, 0, 0, length as u32, 0] {
            let _ = write!(header, "{field:08X}");
        }
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes.extend_from_slice(contents);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Reads a module, inflated as modprobe would.
fn inflated(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => "gzip",
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(path).map_err(|e| format!("{}: {e}", path.display()).into()),
    };
    let done = Command::new(program).args(["-dcq"]).arg(path).output()?;
    Ok(done.stdout)
}

/// The script for one set, its files being added to the archive.
fn script(job: &Job<'_>, machine: &Machine, own: &Deps, archive: &mut Archive) -> Result<String> {
    let mut text = format!("S {}\n", job.id());
    let plain = machine.kernel.plain.join("lib/modules").join(&machine.kernel.release);
    let mut done: HashSet<String> = HashSet::new();
    let names: HashMap<String, &PathBuf> =
        job.set.files.iter().map(|f| (cases::name_of(&f.to_string_lossy()), f)).collect();
    let by_name: HashMap<String, (&String, &Vec<String>)> =
        job.deps.iter().map(|(k, v)| (cases::name_of(k), (k, v))).collect();
    let mut add =
        |text: &mut String, kind: char, name: &str, file: &Path, archive: &mut Archive| -> Result<()> {
            if done.insert(name.to_string()) {
                let path = match kind {
                    'M' => format!("m/{}/{}/{name}.ko", job.set.name, job.set.built_for),
                    _ => format!("d/{name}.ko"),
                };
                archive.put(&path, 0o100_644, &inflated(file)?);
                writeln!(text, "{kind} {name} /{path}")?;
            }
            Ok(())
        };
    for file in job.set.files.iter().filter(|file| job.only.is_none_or(|only| only == *file)) {
        let name = cases::name_of(&file.to_string_lossy());
        for need in by_name.get(&name).map_or(&[][..], |(_, needs)| needs) {
            let needed = cases::name_of(need);
            match names.get(&needed) {
                Some(file) => add(&mut text, 'M', &needed, file, archive)?,
                None => add(&mut text, 'D', &needed, &plain.join(need), archive)?,
            }
        }
        add(&mut text, 'M', &name, file, archive)?;
    }
    // Whoever uses an in-tree module that is replaced must still load.
    let loaded = |name: &&String| job.only.is_none_or(|o| cases::name_of(&o.to_string_lossy()) == **name);
    let replaced: HashSet<&String> = names.keys().filter(loaded).collect();
    let mut users: Vec<&String> = own
        .iter()
        .filter(|(user, needs)| {
            needs.iter().any(|n| replaced.contains(&cases::name_of(n)))
                && !names.contains_key(&cases::name_of(user))
        })
        .map(|(user, _)| user)
        .collect();
    users.sort();
    for user in users {
        for need in &own[user] {
            add(&mut text, 'D', &cases::name_of(need), &plain.join(need), archive)?;
        }
        add(&mut text, 'U', &cases::name_of(user), &plain.join(user), archive)?;
    }
    text.push_str("E\n");
    Ok(text)
}

/// All files of a machine that loads `jobs`, as the kernel unpacks them.
///
/// # Errors
/// A file cannot be read.
pub fn initrd(init: &Path, machine: &Machine, jobs: &[&Job<'_>], own: &Deps) -> Result<Vec<u8>> {
    let mut archive = Archive { bytes: Vec::new(), seen: HashSet::new(), inode: 0 };
    for name in ["dev", "proc", "sys"] {
        archive.put(name, 0o040_755, b"");
    }
    let mut text = String::new();
    let mut parents = HashSet::new();
    let mut files = Archive { bytes: Vec::new(), seen: HashSet::new(), inode: 1000 };
    for job in jobs {
        text.push_str(&script(job, machine, own, &mut files)?);
    }
    // Directories go before what is in them.
    for name in &files.seen {
        let mut parent = Path::new(name);
        while let Some(up) = parent.parent().filter(|p| !p.as_os_str().is_empty()) {
            parents.insert(up.to_path_buf());
            parent = up;
        }
    }
    let mut parents: Vec<PathBuf> = parents.into_iter().collect();
    parents.sort();
    for parent in parents {
        archive.put(&parent.to_string_lossy(), 0o040_755, b"");
    }
    archive.put("init", 0o100_755, &fs::read(init)?);
    archive.put("cases", 0o100_644, text.as_bytes());
    archive.bytes.extend(files.bytes);
    archive.put("TRAILER!!!", 0, b"");
    Ok(archive.bytes)
}
