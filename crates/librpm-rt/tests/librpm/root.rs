// SPDX-License-Identifier: LGPL-2.1-or-later
//! Throwaway roots with rpm databases, made by the real rpm.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use librpm_rt::{Database, Error, Librpm};
use tempfile::TempDir;

const SPEC: &str = r#"
%global __os_install_post %{nil}
%global debug_package %{nil}
%global _invalid_encoding_terminates_build 0
Name: fixture
Version: 1
Release: 1
Summary: x
License: MIT
BuildArch: noarch
AutoReqProv: no
%description
x
%package -n drv-kmp-default
Version: 1.0_k6.4.0_1
Release: 3.1
Epoch: 2
Summary: x
Provides: ksym(default:drv_probe) = deadbeef
%description -n drv-kmp-default
x
%package -n tool
Version: 5
Summary: x
%description -n tool
x
%package -n big
Version: 5
Summary: x
%description -n big
x
%install
cd %{buildroot} || { mkdir -p %{buildroot}; cd %{buildroot}; }
mkdir -p usr/lib/modules/6.4.0-1-default/updates/sub usr/bin etc/drv
cd usr/lib/modules/6.4.0-1-default/updates
touch drv.ko "$(printf 'odd\377.ko')" sub/part.ko
cd %{buildroot}
touch usr/bin/tool etc/drv/conf
i=0
while [ $i -lt 200 ]; do
    mkdir -p usr/share/big/$i
    for f in 1 2 3 4 5 6 7 8 9 10; do touch usr/share/big/$i/a_rather_long_name_of_a_file_$i.$f; done
    i=$((i+1))
done
%files -n drv-kmp-default
/usr/lib/modules/6.4.0-1-default/updates
/etc/drv
%files -n tool
/usr/bin/tool
%files -n big
/usr/share/big
"#;

pub const UPDATES: &[u8] = b"/usr/lib/modules/6.4.0-1-default/updates/";

/// Runs a program; says what is missing if it is not there, and what it said if it failed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        let program = command.get_program().to_string_lossy();
        panic!("{program} cannot be run: {error}. {}", testkit::packages::advice(&program))
    });
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A database directory made by rpm once, to be copied.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<TempDir> = OnceLock::new();
    let made = || {
        let dir = tempfile::tempdir().unwrap();
        let spec = dir.path().join("fixture.spec");
        fs::write(&spec, SPEC).unwrap();
        let topdir = format!("_topdir {}", dir.path().display());
        run(Command::new("rpmbuild").args(["-bb", "--quiet", "--define", &topdir]).arg(&spec));
        let packages = fs::read_dir(dir.path().join("RPMS/noarch")).unwrap();
        let packages = packages.map(|entry| entry.unwrap().path());
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let rpm = [
            "--dbpath",
            "/var/lib/rpm",
            "--install",
            "--justdb",
            "--nodeps",
            "--define",
            "_db_backend sqlite",
        ];
        run(Command::new("rpm").arg("--root").arg(&root).args(rpm).args(packages));
        dir
    };
    TEMPLATE.get_or_init(made).path()
}

/// Makes a root with the packages in its database.
fn install(root: &Path, format: &str, packages: &[PathBuf]) {
    fs::create_dir_all(root).unwrap();
    let format = format!("_db_backend {format}");
    let rpm = ["--dbpath", "/var/lib/rpm", "--install", "--justdb", "--nodeps", "--define", &format];
    run(Command::new("rpm").arg("--root").arg(root).args(rpm).args(packages));
}

/// A root of one test.
pub struct Root(TempDir);

impl Root {
    /// Without a database.
    pub fn empty() -> Root {
        Root(tempfile::tempdir().unwrap())
    }

    /// With three packages in the database at /var/lib/rpm.
    pub fn new() -> Root {
        let root = Root::empty();
        root.put_database("var/lib/rpm");
        root
    }

    /// With the same in an ndb database.
    pub fn new_ndb() -> Root {
        let root = Root::empty();
        let packages = fs::read_dir(template().join("RPMS/noarch")).unwrap();
        let packages: Vec<_> = packages.map(|entry| entry.unwrap().path()).collect();
        install(root.path(), "ndb", &packages);
        root
    }

    /// Puts a copy of the database into a directory below the root.
    pub fn put_database(&self, dir: &str) {
        let dir = self.path().join(dir);
        fs::create_dir_all(&dir).unwrap();
        for entry in fs::read_dir(template().join("root/var/lib/rpm")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self) -> PathBuf {
        self.path().join("var/lib/rpm/rpmdb.sqlite")
    }

    pub fn open(&self) -> Result<Database, Error> {
        Librpm::load().unwrap().open(self.path())
    }

    /// Lets sqlite3 do something with the database.
    pub fn sql(&self, text: &str) -> String {
        let output = run(Command::new("sqlite3").arg(self.file()).arg(text));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Folds the write-ahead log into the main file and goes without one.
    pub fn without_wal(&self) {
        self.sql("PRAGMA journal_mode=DELETE");
        assert!(!self.file().with_extension("sqlite-wal").exists());
    }

    /// Every file below the root, with its contents.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut dirs = vec![self.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            files.insert(dir.clone(), Vec::new());
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    dirs.push(path);
                } else {
                    files.insert(path.clone(), fs::read(&path).unwrap_or_default());
                }
            }
        }
        files
    }
}
