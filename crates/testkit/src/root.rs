// SPDX-License-Identifier: LGPL-2.1-or-later
//! A throwaway root file system with an rpm database of its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::package::Package;
use crate::tools::{Output, command, run};

/// The database's directory inside the root.
const DBPATH: &str = "/var/lib/rpm";

/// Macros for a root that has none of the machine's: without them librpm has no place for its database, and warns that it does not
/// know where keys are (6.1).
pub const LEAST_MACROS: &str = "%_dbpath /var/lib/rpm\n%_keyring rpmdb\n";

/// A root in a temporary directory, gone when dropped. Nothing of the machine's own rpm is read but its configuration,
/// and nothing is written outside. rpm needs the rights of root for `--root`.
#[derive(Debug)]
pub struct TestRoot {
    dir: TempDir,
}

impl Default for TestRoot {
    fn default() -> Self {
        Self::new()
    }
}

impl TestRoot {
    /// A usr-merged root: `/lib`, `/lib64`, `/bin` and `/sbin` are links into `/usr`.
    pub fn new() -> Self {
        let root = Self::without_lib_link();
        for link in ["lib", "lib64", "bin", "sbin"] {
            root.mkdir(format!("usr/{link}"));
            symlink(format!("usr/{link}"), root.join(link)).expect("a new root");
        }
        root
    }

    /// A root with `/usr/lib` and no `/lib` at all.
    pub fn without_lib_link() -> Self {
        let root = Self::bare();
        root.mkdir("usr/lib/modules");
        root
    }

    /// A root whose `/lib` is a directory of its own, as before the usr-merge.
    pub fn unmerged() -> Self {
        let root = Self::bare();
        root.mkdir("lib/modules");
        root.mkdir("usr/lib");
        root
    }

    fn bare() -> Self {
        let root = Self { dir: TempDir::with_prefix("testkit-root-").expect("a temporary directory") };
        fs::create_dir(root.home()).expect("a new directory");
        for dir in ["", "etc/depmod.d", "var/lib/rpm", "var/tmp", "run", "boot", "tmp"] {
            root.mkdir(dir);
        }
        root.set_macro("_dbpath", DBPATH);
        // Tests for another distribution write /etc/os-release, which counts before this one.
        root.write("usr/lib/os-release", "NAME=\"SLES\"\nID=\"sles\"\nID_LIKE=\"suse\"\n");
        // A plugin of rpm's own, since 4.20, that warns in each root but "/".
        root.set_macro("__transaction_unshare", "%{nil}");
        root
    }

    /// The root's directory on the machine.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A home directory beside the root, whose `.rpmmacros` makes rpm use the root's database.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A path inside the root as one on the machine; a slash in front does not lead out.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.path().join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        crate::write_file(&self.join(path), bytes.as_ref());
    }

    /// Makes a directory, and those above it.
    pub fn mkdir(&self, path: impl AsRef<Path>) {
        let path = self.join(path);
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Makes a symbolic link, and the directories above it.
    pub fn symlink(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a writable root");
        symlink(target, &path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// A file's text.
    ///
    /// # Panics
    /// When it is not there, or not UTF-8.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.join(path);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The lines of a log, which is removed; none where it is not there.
    pub fn take_lines(&self, path: impl AsRef<Path>) -> Vec<String> {
        let path = self.join(path);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(Into::into).collect()
    }

    /// Whether something is there; a dangling link is.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.join(path).symlink_metadata().is_ok()
    }

    /// Sets an rpm macro for every rpm run on this root, such as `__transaction_kmp` or `__plugindir`.
    pub fn set_macro(&self, name: &str, value: &str) {
        let file = self.home().join(".rpmmacros");
        let mut text = fs::read_to_string(&file).unwrap_or_default();
        text.push_str(&format!("%{name} {value}\n"));
        fs::write(&file, text).expect("a file in the temporary home");
    }

    /// A command in a clean environment: a plain PATH, the C locale, and [`home`](Self::home) as HOME, so that librpm
    /// in it finds the root's database when given the root. Each index of modules that kmp has written is compared with depmod's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.env("KMP_TEST_INDEX_COMPARE", "1");
        command.env("HOME", self.home()).current_dir(self.dir.path());
        command
    }

    /// Runs the real `rpm --root ROOT ARGS`. Debian's advice not to use rpm is cut from its output.
    #[track_caller]
    pub fn rpm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        run_rpm(self.command("rpm").arg("--root").arg(self.path()).args(["--dbpath", DBPATH]).args(args))
    }

    /// `rpm -i --noscripts --nodeps --ignorearch` of packages, in one transaction. Versions stay beside each other.
    ///
    /// # Panics
    /// When rpm fails.
    #[track_caller]
    pub fn install(&self, packages: &[&Package]) {
        let options = ["-i", "--noscripts", "--nodeps", "--ignorearch"].map(OsStr::new);
        let files = packages.iter().map(|package| package.path().as_os_str());
        self.rpm(options.into_iter().chain(files)).expect_success();
    }

    /// `rpm -U --noscripts --nodeps --ignorearch` of packages, in one transaction.
    ///
    /// # Panics
    /// When rpm fails.
    #[track_caller]
    pub fn update(&self, packages: &[&Package]) {
        let options = ["-U", "--noscripts", "--nodeps", "--ignorearch"].map(OsStr::new);
        let files = packages.iter().map(|package| package.path().as_os_str());
        self.rpm(options.into_iter().chain(files)).expect_success();
    }

    /// `rpm -e --noscripts --nodeps` of packages, in one transaction.
    ///
    /// # Panics
    /// When rpm fails.
    #[track_caller]
    pub fn erase(&self, names: &[&str]) {
        self.rpm(["-e", "--noscripts", "--nodeps"].iter().chain(names)).expect_success();
    }

    /// What is installed, sorted.
    #[track_caller]
    pub fn installed(&self) -> Vec<String> {
        let output = self.rpm(["-qa"]).expect_success();
        let mut names: Vec<String> = output.lines().into_iter().map(Into::into).collect();
        names.sort();
        names
    }

    /// Runs the real `depmod ARGS KREL` on the root.
    #[track_caller]
    pub fn depmod<S: AsRef<OsStr>>(&self, krel: &str, args: &[S]) -> Output {
        crate::depmod(&self.path(), krel, args)
    }

    /// Copies a program of the machine into the root, with the libraries it is linked to, so that it runs in a chroot:
    /// `add_program("/bin/sh", "/bin/sh")` is all that shell scriptlets need.
    #[track_caller]
    pub fn add_program(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let place = self.join(to.as_ref());
        fs::create_dir_all(place.parent().expect("below the root")).expect("a writable root");
        crate::copy_program(from.as_ref(), &place);
        for library in self.libraries(from.as_ref()) {
            self.copy(&library, &library);
        }
    }

    /// Copies a library that programs open at run time, such as `librpm.so.9`, and all it is linked to.
    ///
    /// # Panics
    /// When the machine does not have it.
    #[track_caller]
    pub fn add_library(&self, name: &str) {
        let known = run(command("ldconfig").arg("-p")).expect_success().stdout;
        let line = known.lines().find(|line| line.trim_start().starts_with(&format!("{name} ")));
        let path = line.and_then(|line| line.rsplit_once("=> ")).map(|(_, path)| PathBuf::from(path));
        let path = path.unwrap_or_else(|| panic!("{name}: not on this machine"));
        self.add_program(&path, &path);
    }

    /// Adds librpm, for a kmp that runs inside of the root, and as much of rpm's configuration as it needs.
    ///
    /// # Panics
    /// When the machine has no librpm.
    #[track_caller]
    pub fn add_librpm(&self) {
        let known = run(command("ldconfig").arg("-p")).expect_success().stdout;
        let is_known = |name: &&str| known.lines().any(|l| l.trim_start().starts_with(&format!("{name} ")));
        let name = ["librpm.so.10", "librpm.so.9", "librpm.so.8"].into_iter().find(is_known);
        self.add_library(name.expect("librpm on this machine"));
        // Without them librpm does not start; the machine's own macros would run programs.
        self.copy(Path::new("/usr/lib/rpm/rpmrc"), Path::new("/usr/lib/rpm/rpmrc"));
        self.write("usr/lib/rpm/macros", LEAST_MACROS);
    }

    /// The libraries and the loader that ldd names; none for a static program.
    fn libraries(&self, program: &Path) -> Vec<PathBuf> {
        let output = run(command("ldd").arg(program)).stdout;
        let words = output.split_whitespace().filter(|word| word.starts_with('/'));
        words.map(|word| PathBuf::from(word.trim_end_matches(':'))).collect()
    }

    #[track_caller]
    fn copy(&self, from: &Path, to: &Path) {
        let to = self.join(to);
        fs::create_dir_all(to.parent().expect("below the root")).expect("a writable root");
        fs::copy(from, &to).unwrap_or_else(|e| panic!("{} to {}: {e}", from.display(), to.display()));
    }

    /// The links in a kernel's `weak-updates`, each with its target, by their path below the kernel's directory.
    pub fn weak_updates(&self, krel: &str) -> BTreeMap<PathBuf, PathBuf> {
        let kernel = ["usr/lib/modules", "lib/modules"]
            .map(|dir| self.join(dir).join(krel))
            .into_iter()
            .find(|dir| dir.is_dir())
            .unwrap_or_else(|| self.join("usr/lib/modules").join(krel));
        let mut links = BTreeMap::new();
        walk(&kernel.join("weak-updates"), &mut |path, metadata| {
            if metadata.is_symlink() {
                let below = path.strip_prefix(&kernel).expect("below the kernel").to_owned();
                links.insert(below, fs::read_link(path).expect("a link"));
            }
        });
        links
    }

    /// Everything in the root but the rpm database, each as a line: `dir 755`, `file 644 1234 bytes HASH`,
    /// `-> TARGET`. Compare two of them.
    pub fn tree(&self) -> BTreeMap<PathBuf, String> {
        self.list(false, &|_| true)
    }

    /// That part of [`tree`](Self::tree) whose paths, below the root, are wanted. Nothing else is read.
    pub fn tree_of(&self, is_wanted: impl Fn(&Path) -> bool) -> BTreeMap<PathBuf, String> {
        self.list(false, &is_wanted)
    }

    /// Like [`tree`](Self::tree), with inode and time of change: also shows what was written anew with the same bytes.
    pub fn tree_with_times(&self) -> BTreeMap<PathBuf, String> {
        self.list(true, &|_| true)
    }

    fn list(&self, times: bool, is_wanted: &dyn Fn(&Path) -> bool) -> BTreeMap<PathBuf, String> {
        let root = self.path();
        let mut tree = BTreeMap::new();
        walk(&root, &mut |path, metadata| {
            let below = path.strip_prefix(&root).expect("below the root");
            if below.starts_with("var/lib/rpm") || !is_wanted(below) {
                return;
            }
            let mode = metadata.permissions().mode() & 0o7777;
            let mut line = if metadata.is_symlink() {
                format!("-> {}", fs::read_link(path).expect("a link").display())
            } else if metadata.is_dir() {
                format!("dir {mode:o}")
            } else if metadata.is_file() {
                let hash = crate::noise::hash(&fs::read(path).expect("a readable file"));
                format!("file {mode:o} {} bytes {hash:016x}", metadata.len())
            } else {
                format!("special {mode:o}")
            };
            if times {
                line.push_str(&format!(
                    " inode {} at {}.{:09}",
                    metadata.ino(),
                    metadata.ctime(),
                    metadata.ctime_nsec()
                ));
            }
            tree.insert(below.to_owned(), line);
        });
        tree
    }
}

/// Visits everything below a directory; a missing one is empty. Links are not followed.
fn walk(dir: &Path, visit: &mut dyn FnMut(&Path, &fs::Metadata)) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let entry = entry.unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let metadata = entry.metadata().unwrap_or_else(|e| panic!("{}: {e}", entry.path().display()));
        visit(&entry.path(), &metadata);
        if metadata.is_dir() {
            walk(&entry.path(), visit);
        }
    }
}

/// Runs an rpm command. Debian's advice not to use rpm is cut from its output.
#[track_caller]
pub fn run_rpm(command: &mut Command) -> Output {
    let mut output = run(command);
    let advice = ["rpm: RPM should not be used directly", "rpm: However assuming you know"];
    output.stderr = output
        .stderr
        .split_inclusive('\n')
        .filter(|line| !advice.iter().any(|advice| line.starts_with(advice)))
        .collect();
    output
}

/// Compares two [trees](TestRoot::tree).
///
/// # Panics
/// With what differs.
#[track_caller]
pub fn same_tree(left: &BTreeMap<PathBuf, String>, right: &BTreeMap<PathBuf, String>, what: &str) {
    let mut differences = String::new();
    for path in left.keys().chain(right.keys().filter(|p| !left.contains_key(*p))) {
        let (one, other) = (left.get(path), right.get(path));
        if one != other {
            differences.push_str(&format!("{}: {one:?} is not {other:?}\n", path.display()));
        }
    }
    assert!(differences.is_empty(), "{what}\n{differences}");
}
