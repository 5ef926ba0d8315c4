// SPDX-License-Identifier: LGPL-2.1-or-later
//! Calls the real rpmbuild, seldom: many packages at once, and each content once.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use crate::package::{Entry, Package, PackageBuilder};
use crate::tools::{Output, run};

/// Part of every cache key: raise it when the way packages are built changes.
const CACHE_FORMAT: u32 = 3;

/// Builds one package, or finds it built.
pub(crate) fn build(package: &PackageBuilder) -> Result<Package, Output> {
    let store = Store::open();
    match store.find(package) {
        Some(package) => Ok(package),
        None => Ok(build_batch(&[package], &store)?.remove(0)),
    }
}

/// Builds those of many packages that are not built yet; returns all in the same order.
pub(crate) fn build_all(packages: &[PackageBuilder]) -> Result<Vec<Package>, Output> {
    let store = Store::open();
    let mut built: Vec<Option<Package>> = packages.iter().map(|package| store.find(package)).collect();
    let mut batches: Vec<Batch<'_>> = Vec::new();
    for (at, package) in packages.iter().enumerate().filter(|(at, _)| built[*at].is_none()) {
        match batches.iter_mut().find(|batch| batch.takes(package)) {
            Some(batch) => batch.add(at, package),
            None => batches.push(Batch::new(at, package)),
        }
    }
    for batch in batches {
        let members: Vec<&PackageBuilder> = batch.members.iter().map(|at| &packages[*at]).collect();
        let results = build_batch(&members, &store)?;
        for (at, package) in batch.members.iter().zip(results) {
            built[*at] = Some(package);
        }
    }
    Ok(built.into_iter().map(|package| package.expect("built above")).collect())
}

impl PackageBuilder {
    /// The package's part of the spec file.
    fn spec(&self, spec: &mut String) {
        let name = &self.name;
        let mut line = |text: String| {
            spec.push_str(&text);
            spec.push('\n');
        };
        line(format!("%package -n {name}\nSummary: A package for tests\nAutoReqProv: no"));
        line(format!("Version: {}\nRelease: {}", self.version, self.release));
        if let Some(epoch) = self.epoch {
            line(format!("Epoch: {epoch}"));
        }
        // rpm takes it from a macro.
        for (tag, value) in self.tags.iter().filter(|(tag, _)| tag != DISTURL) {
            line(format!("{tag}: {}", literal(value)));
        }
        line(format!("%description -n {name}\nA package for tests."));
        for (phase, rest, text) in &self.scriptlets {
            line(format!("%{phase} -n {name}{rest}\n{}", literal(text)));
        }
        line(format!("%files -n {name}\n%defattr(0644,root,root,0755)"));
        for (path, entry) in &self.entries {
            let kind = match entry {
                Entry::File { executable: true, .. } => "%attr(0755,root,root) ",
                Entry::File { .. } | Entry::HardLink(_) => "",
                Entry::Link(_) => "%attr(-,root,root) ",
                Entry::Directory => "%dir ",
                Entry::Ghost => "%ghost ",
            };
            line(format!("{kind}/{}", pattern(path)));
        }
    }

    /// Puts the files where rpmbuild will take them from.
    fn stage(&self, directory: &Path) {
        for (path, entry) in &self.entries {
            let path = directory.join(path);
            match entry {
                Entry::File { bytes, .. } => crate::write_file(&path, bytes),
                Entry::Directory => fs::create_dir_all(&path).expect("a directory below a temporary one"),
                Entry::HardLink(_) => {}
                Entry::Ghost => crate::write_file(&path, b""),
                Entry::Link(target) => {
                    fs::create_dir_all(path.parent().expect("not the root")).expect("a temporary directory");
                    if path.symlink_metadata().is_err() {
                        symlink(target, &path).expect("a link below a temporary directory");
                    }
                }
            }
        }
    }

    /// Puts the other names of files where rpmbuild will take them from, after the files.
    fn stage_hard_links(&self, directory: &Path) {
        for (path, entry) in &self.entries {
            let Entry::HardLink(file) = entry else { continue };
            let path = directory.join(path);
            fs::create_dir_all(path.parent().expect("not the root")).expect("a temporary directory");
            fs::hard_link(directory.join(file), path).expect("a file that is there");
        }
    }

    /// The name of the package's place in the cache.
    fn key(&self) -> String {
        let mut words = [0; 2];
        for (salt, word) in words.iter_mut().enumerate() {
            let mut hasher = DefaultHasher::new();
            (salt, CACHE_FORMAT, self).hash(&mut hasher);
            *word = hasher.finish();
        }
        format!("{:016x}{:016x}", words[0], words[1])
    }

    /// Its tags that rpm gives to all packages that are built together.
    fn common_tags(&self) -> Vec<&(String, String)> {
        self.tags.iter().filter(|(tag, _)| COMMON_TAGS.contains(&tag.as_str())).collect()
    }

    fn odd_paths(&self) -> bool {
        self.entries.keys().any(|path| pattern(path).contains('?'))
    }

    fn built(&self, directory: PathBuf, place: Option<Arc<TempDir>>) -> Package {
        let nevra = self.nevra();
        Package {
            name: self.name.clone(),
            path: directory.join(format!("{nevra}.rpm")),
            nevra,
            _place: place,
        }
    }
}

/// Packages that one call of rpmbuild can build.
struct Batch<'a> {
    members: Vec<usize>,
    names: Vec<&'a str>,
    arch: &'a str,
    source: &'a str,
    tags: Vec<&'a (String, String)>,
    entries: BTreeMap<&'a Path, &'a Entry>,
    alone: bool,
}

impl<'a> Batch<'a> {
    fn new(at: usize, package: &'a PackageBuilder) -> Self {
        let mut batch = Self {
            members: Vec::new(),
            names: Vec::new(),
            arch: &package.arch,
            source: &package.source.0,
            tags: package.common_tags(),
            entries: BTreeMap::new(),
            alone: package.odd_paths(),
        };
        batch.add(at, package);
        batch
    }

    /// One build root serves all: names must differ, and what is at one path must be the same.
    fn takes(&self, package: &PackageBuilder) -> bool {
        !self.alone
            && !package.odd_paths()
            && self.arch == package.arch
            && self.source == package.source.0
            && self.tags == package.common_tags()
            && !self.names.contains(&&*package.name)
            && package
                .entries
                .iter()
                .all(|(path, entry)| self.entries.get(path.as_path()).is_none_or(|there| *there == entry))
    }

    fn add(&mut self, at: usize, package: &'a PackageBuilder) {
        self.members.push(at);
        self.names.push(&package.name);
        self.entries.extend(package.entries.iter().map(|(path, entry)| (path.as_path(), entry)));
    }
}

/// Where built packages are kept: `testkit-packages` in the cargo target directory, if the program runs from there.
struct Store(Option<PathBuf>);

impl Store {
    fn open() -> Self {
        let program = std::env::current_exe().expect("a running program");
        let target = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
        let store = target.map(|dir| dir.join("testkit-packages"));
        Self(store.filter(|dir| fs::create_dir_all(dir).is_ok()))
    }

    fn find(&self, package: &PackageBuilder) -> Option<Package> {
        let found = package.built(self.0.as_ref()?.join(package.key()), None);
        found.path.is_file().then_some(found)
    }

    /// A directory on the store's file system, so that results can be renamed into place.
    fn workshop(&self) -> TempDir {
        match &self.0 {
            Some(dir) => TempDir::with_prefix_in(".build-", dir),
            None => TempDir::with_prefix("testkit-"),
        }
        .expect("a temporary directory")
    }
}

/// Tags of which there is one for all that is built together: a package's own counts for the others as well, with rpm 4.20.
const COMMON_TAGS: [&str; 5] = ["BugURL", DISTURL, "Distribution", "Packager", "Vendor"];

/// The tag for where a build service has the sources.
const DISTURL: &str = "DistURL";

/// Calls rpmbuild once.
fn build_batch(packages: &[&PackageBuilder], store: &Store) -> Result<Vec<Package>, Output> {
    let workshop = Arc::new(store.workshop());
    let top = workshop.path();
    let stage = top.join("stage");
    for directory in ["stage", "tmp", "home", "db", "out", "BUILD"] {
        fs::create_dir(top.join(directory)).expect("a new directory");
    }
    let mut spec = format!(
        "Name: {}\nVersion: 1\nRelease: 1\nSummary: Packages for tests\nLicense: GPL-2.0-only\n\
         %description\nPackages for tests.\n",
        packages[0].source.0,
    );
    if let Some((_, url)) = packages[0].tags.iter().find(|(tag, _)| tag == DISTURL) {
        spec.insert_str(0, &format!("%global disturl {}\n", literal(url)));
    }
    for package in packages {
        package.stage(&stage);
        package.stage_hard_links(&stage);
        package.spec(&mut spec);
    }
    spec.push_str(
        "%install\nmkdir -p \"$RPM_BUILD_ROOT\"\ncp -a \"$TESTKIT_STAGE/.\" \"$RPM_BUILD_ROOT/\"\n",
    );
    let spec_file = top.join("testkit.spec");
    fs::write(&spec_file, spec).expect("a new file");
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    rpmbuild.env("HOME", top.join("home")).env("TESTKIT_STAGE", &stage).current_dir(top);
    for (name, value) in [
        ("_topdir", top),
        ("_tmppath", &top.join("tmp")),
        ("_dbpath", &top.join("db")),
        ("_rpmdir", &top.join("out")),
    ] {
        rpmbuild.arg("--define").arg(format!("{name} {}", value.display()));
    }
    for definition in [
        "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "_binary_payload w.ufdio",
        "_build_id_links none",
        "debug_package %{nil}",
        "__os_install_post %{nil}",
        "__check_files %{nil}",
        "_invalid_encoding_terminates_build 0",
        "_wrong_version_format_terminate_build 0",
        "_missing_build_ids_terminate_build 0",
    ] {
        rpmbuild.args(["--define", definition]);
    }
    let output = run(rpmbuild.args(["--target", &packages[0].arch, "-bb"]).arg(&spec_file));
    if !output.success() {
        return Err(output);
    }
    let finished = packages.iter().map(|package| {
        let made = package.built(top.join("out"), Some(Arc::clone(&workshop)));
        assert!(made.path.is_file(), "{}: not built. {output}", made.path.display());
        let Some(store) = &store.0 else { return made };
        let kept = package.built(store.join(package.key()), None);
        fs::create_dir_all(kept.path.parent().expect("below the store")).expect("a directory in the store");
        // Whoever else built the same at the same time has the same file.
        fs::rename(&made.path, &kept.path).expect("one file system");
        kept
    });
    Ok(finished.collect())
}

/// Text in which rpmbuild finds no macro.
fn literal(text: &str) -> String {
    text.replace('%', "%%")
}

/// A path as a pattern in which every byte that means something to rpmbuild is a `?`.
fn pattern(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._+-@~:=,".contains(byte);
    path.as_os_str().as_bytes().iter().map(|byte| if plain(byte) { char::from(*byte) } else { '?' }).collect()
}
