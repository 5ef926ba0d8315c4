// SPDX-License-Identifier: LGPL-2.1-or-later
//! The source records of a system, with who has put each there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use kmp_core::printable;
use kmp_fs::root::Root;
use librpm_rt::{Database, Error};

use crate::record::{LIMIT, Record, is_name};

/// Where packages of SUSE Linux Enterprise 9 have theirs, and where they may be.
pub const CODE_9: &str = "/var/lib/YaST2/download";
/// Lines beside them, of the administrator.
pub const CODE_9_CONF: &str = "/var/lib/YaST2/download.conf";
/// Where packages have theirs.
pub const OF_PACKAGES: &str = "/usr/share/kmp/sources";
/// Where the administrator has theirs: one of the same name counts and no other.
pub const OF_ADMINISTRATOR: &str = "/etc/kmp/sources";

/// The most records of a directory.
const MOST: usize = 1000;

/// Who has put a record there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An installed package, by its name.
    Package(String),
    /// The administrator.
    Administrator,
}

/// A source of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Who has put it there.
    pub origin: Origin,
    /// What it says. Its packages are those that it may be for.
    pub record: Record,
}

impl Source {
    /// For people.
    pub fn label(&self) -> &str {
        if self.record.label.is_empty() { &self.name } else { &self.record.label }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// By name; those that are off, too.
    pub all: Vec<Source>,
    /// What is wrong, each in a line that begins with the file.
    pub problems: Vec<String>,
}

impl Sources {
    /// Reads them. `database`: that of the root, if it has one.
    ///
    /// # Errors
    /// librpm's: whose the records are is not known.
    pub fn read(root: &Root, database: Option<&Database>) -> Result<Self, Error> {
        let mut found = Self::default();
        // Later directories count more.
        let mut by_name: BTreeMap<String, Source> = BTreeMap::new();
        for dir in [CODE_9, OF_PACKAGES] {
            let owners = owners(database, dir)?;
            found.read_dir(root, dir, &mut by_name, &|name| owners.get(name).cloned());
        }
        found.read_conf(root, &mut by_name);
        found.read_dir(root, OF_ADMINISTRATOR, &mut by_name, &|_| None);
        found.all = by_name.into_values().collect();
        Ok(found)
    }

    /// Those that are on, and are for a package of this name.
    pub fn of(&self, package: &str) -> impl Iterator<Item = &Source> {
        self.all.iter().filter(move |source| !source.record.is_disabled && source.record.is_for(package))
    }

    fn read_dir(
        &mut self,
        root: &Root,
        dir: &str,
        by_name: &mut BTreeMap<String, Source>,
        owner: &dyn Fn(&str) -> Option<Owner>,
    ) {
        let entries = match root.read_dir_if_there(Path::new(dir)) {
            Ok(entries) => entries,
            Err(e) => return self.problems.push(format!("{dir} cannot be read: {e}")),
        };
        for entry in entries.into_iter().take(MOST) {
            let path = Path::new(dir).join(&entry.name);
            // What an editor or rpm leaves beside is none.
            let Some(name) = entry.name.to_str().filter(|name| is_name(name)) else { continue };
            if name.ends_with(".rpmsave") || name.ends_with(".rpmnew") || name.ends_with('~') {
                continue;
            }
            let Some(text) = self.text(root, &path) else { continue };
            let (mut record, faults) = Record::parse(&text);
            self.fault(&path, faults);
            let origin = match owner(name) {
                Some(owner) => {
                    let refused = owner.allow(&mut record);
                    if !refused.is_empty() {
                        self.problems.push(format!(
                            "{} names {}, but {}, which it belongs to, may name a source only for itself and for what it \
                             obsoletes; that is left out",
                            path.display(),
                            refused.join(" and "),
                            owner.name
                        ));
                    }
                    Origin::Package(owner.name)
                }
                None if dir == OF_PACKAGES => {
                    self.problems.push(format!(
                        "{} belongs to no package, and is left out; an administrator's source is in {OF_ADMINISTRATOR}",
                        path.display()
                    ));
                    continue;
                }
                None => {
                    if record.packages.is_empty() {
                        // In the first directory each file has the name of its package.
                        record.packages.push(if dir == CODE_9 { name.to_owned() } else { "*".into() });
                    }
                    Origin::Administrator
                }
            };
            by_name.insert(name.to_owned(), Source { name: name.to_owned(), path, origin, record });
        }
    }

    /// A record a line.
    fn read_conf(&mut self, root: &Root, by_name: &mut BTreeMap<String, Source>) {
        let path = Path::new(CODE_9_CONF);
        let Some(text) = self.text(root, path) else { return };
        for (number, line) in text.lines().enumerate().take(MOST) {
            if line.trim().is_empty() || line.trim().starts_with('#') {
                continue;
            }
            let (mut record, faults) = Record::parse(line);
            if !faults.is_empty() {
                self.fault(
                    path,
                    faults.into_iter().map(|f| f.replace("line 1:", &format!("line {}:", number + 1))),
                );
                continue;
            }
            record.packages = vec!["*".into()];
            let name = format!("download.conf-{}", number + 1);
            by_name.insert(
                name.clone(),
                Source { name, path: path.to_owned(), origin: Origin::Administrator, record },
            );
        }
    }

    fn text(&mut self, root: &Root, path: &Path) -> Option<String> {
        match root.read_if_there(path, LIMIT) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes?).into_owned()),
            Err(e) => {
                self.problems.push(format!("{} cannot be read: {e}", printable(path.as_os_str())));
                None
            }
        }
    }

    fn fault(&mut self, path: &Path, faults: impl IntoIterator<Item = String>) {
        self.problems.extend(faults.into_iter().map(|fault| format!("{}: {fault}", path.display())));
    }
}

/// A package that has put a record there.
#[derive(Debug, Clone)]
struct Owner {
    name: String,
    /// It, and what it obsoletes.
    may: Vec<String>,
}

impl Owner {
    /// Leaves of a record's packages those that it may be for, and returns the others.
    fn allow(&self, record: &mut Record) -> Vec<String> {
        let named = std::mem::take(&mut record.packages);
        if named.is_empty() {
            record.packages.clone_from(&self.may);
            return Vec::new();
        }
        let is_of = |glob: &str, name: &str| kmod_abi::glob::matches(glob, name);
        let allowed = self.may.iter().filter(|name| named.iter().any(|glob| is_of(glob, name)));
        record.packages = allowed.cloned().collect();
        named.into_iter().filter(|glob| !self.may.iter().any(|name| is_of(glob, name))).collect()
    }
}

/// The packages that own files in a directory, by the file's name.
fn owners(database: Option<&Database>, dir: &str) -> Result<BTreeMap<String, Owner>, Error> {
    let mut owners = BTreeMap::new();
    let Some(database) = database else { return Ok(owners) };
    let with_slash = format!("{dir}/");
    for instance in database.owners_of_dir(with_slash.as_bytes())? {
        let keep = |of: &[u8]| of.strip_suffix(b"/").unwrap_or(of) == dir.as_bytes();
        let contents = database.contents(instance, &keep)?;
        let mut may = vec![contents.package.name.clone()];
        // A name alone, as of a package that is taken the place of.
        may.extend(contents.obsoletes.iter().map(|o| o.name.clone()).filter(|name| is_name(name)));
        let owner = Owner { name: contents.package.name.clone(), may };
        for file in contents.package.files {
            let name = file.file_name().map(OsStr::as_bytes).and_then(|name| std::str::from_utf8(name).ok());
            if let Some(name) = name {
                owners.insert(name.to_owned(), owner.clone());
            }
        }
    }
    Ok(owners)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_package_names_a_source_for_itself_only() {
        let owner = Owner { name: "a-kmp".into(), may: vec!["a-kmp".into(), "old-kmp".into()] };
        let mut record = Record::parse("url = http://x/\npackages = a-* nic-kmp *-kmp\n").0;
        assert_eq!(owner.allow(&mut record), ["nic-kmp"]);
        assert_eq!(record.packages, ["a-kmp", "old-kmp"]);
        assert!(!record.is_for("nic-kmp"));
        let mut record = Record::parse("http://x/;X").0;
        assert!(owner.allow(&mut record).is_empty() && record.is_for("old-kmp") && !record.is_for("b"));
    }

    #[test]
    fn the_administrators_mask_those_of_packages() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("/var/lib/YaST2/download/a-kmp", "ftp://x/a;A\n");
        write("/var/lib/YaST2/download/b-kmp", "ftp://x/b;B\n");
        write(CODE_9_CONF, "# x\nftp://x/c;C\nnothing\n");
        write("/etc/kmp/sources/a-kmp", "");
        write("/usr/share/kmp/sources/d-kmp", "ftp://x/d;D\n");
        let found = Sources::read(&Root::open(dir.path()).unwrap(), None).unwrap();
        let names: Vec<&str> = found.all.iter().map(|source| &*source.name).collect();
        assert_eq!(names, ["a-kmp", "b-kmp", "download.conf-2"]);
        let of = |name| found.of(name).map(|source| source.label().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (of("a-kmp"), of("b-kmp"), of("z")),
            (vec!["C".into()], vec!["B".into(), "C".into()], vec!["C".into()])
        );
        assert!(found.problems.iter().any(|p| p.contains("line 3:")), "{:?}", found.problems);
        assert!(found.problems.iter().any(|p| p.contains("belongs to no package")), "{:?}", found.problems);
    }
}
