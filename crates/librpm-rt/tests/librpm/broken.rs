// SPDX-License-Identifier: LGPL-2.1-or-later
//! No database, a damaged one, a locked one: an error in bounded time, never a wrong answer.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use librpm_rt::{Error, Librpm};

use crate::root::{Root, UPDATES};

#[test]
fn no_database_is_told_and_none_is_made() {
    for dir in ["nothing", "var/lib/rpm"] {
        let root = Root::empty();
        fs::create_dir_all(root.path().join(dir)).unwrap();
        let before = root.snapshot();
        let error = root.open().unwrap_err();
        assert!(matches!(error, Error::NoDatabase { .. }), "{error}");
        assert!(error.to_string().contains("/var/lib/rpm"), "{error}");
        assert!(before == root.snapshot());
    }
    let error = Librpm::load().unwrap().open(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(matches!(error, Error::Path { .. }), "{error}");
}

#[test]
fn another_format_is_refused_and_none_is_made() {
    for name in ["Packages.db", "Packages"] {
        let root = Root::empty();
        fs::create_dir_all(root.path().join("var/lib/rpm")).unwrap();
        fs::write(root.path().join("var/lib/rpm").join(name), [7; 8192]).unwrap();
        let before = root.snapshot();
        let error = root.open().unwrap_err();
        assert!(matches!(error, Error::Format { .. } | Error::Open { .. }), "{error}");
        assert!(before == root.snapshot(), "{:?}", root.snapshot().keys());
    }
}

#[test]
fn an_empty_file_is_no_empty_database() {
    let root = Root::new();
    root.without_wal();
    File::create(root.file()).unwrap();
    let error = root.open().unwrap_err();
    assert!(matches!(error, Error::Open { .. }), "{error}");
    assert_eq!(fs::metadata(root.file()).unwrap().len(), 0);
}

/// What the three packages own: 2,201 of big, one of tool, the rest of the KMP.
const FILES: usize = 2209;

/// Reads everything; what is answered must be what the sound database answers.
fn everything_is_right_or_an_error(root: &Root) -> Result<(), Error> {
    let database = root.open()?;
    let all = database.all()?;
    assert_eq!(all.len(), 3, "packages went missing without an error");
    let mut files = 0;
    for instance in all {
        files += database.package(instance, &|_| true)?.files.len();
    }
    assert_eq!(files, FILES, "files went missing without an error");
    assert_eq!(database.owners_of_dir(UPDATES)?.len(), 1);
    Ok(())
}

#[test]
fn a_truncated_database_is_an_error() {
    let root = Root::new();
    root.without_wal();
    let length = fs::metadata(root.file()).unwrap().len();
    for part in [length / 2, length / 2 + 1000, 4096, 100] {
        File::options().write(true).open(root.file()).unwrap().set_len(part).unwrap();
        let error = everything_is_right_or_an_error(&root).unwrap_err();
        assert!(matches!(error, Error::Open { .. } | Error::Read { .. }), "{part}: {error}");
    }
}

#[test]
fn garbage_is_never_believed() {
    let mut failed = 0;
    let root = Root::new();
    root.without_wal();
    let sound = fs::read(root.file()).unwrap();
    let pages = sound.len() as u64 / 4096;
    everything_is_right_or_an_error(&root).unwrap();
    for page in 0..pages {
        fs::write(root.file(), &sound).unwrap();
        let file = File::options().write(true).open(root.file()).unwrap();
        file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
        failed += u64::from(everything_is_right_or_an_error(&root).is_err());
    }
    assert!(failed > pages / 4, "only {failed} of {pages} damaged pages were noticed");
}

#[test]
fn a_changed_byte_in_a_header_is_noticed() {
    let root = Root::new();
    root.without_wal();
    let sound = fs::read(root.file()).unwrap();
    let name = b"a_rather_long_name_of_a_file_117.3";
    let at = sound.windows(name.len()).position(|window| window == name).unwrap();
    File::options().write(true).open(root.file()).unwrap().write_all_at(b"b", at as u64).unwrap();
    let error = everything_is_right_or_an_error(&root).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
    assert!(error.to_string().contains("--verifydb"), "{error}");
}

/// sqlite3 holding a lock until dropped.
struct Holder(Child);

impl Holder {
    fn new(root: &Root, script: &str) -> Holder {
        let mut child = Command::new("sqlite3")
            .arg(root.file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs sqlite3");
        writeln!(child.stdin.as_mut().unwrap(), "{script}\n.print held").unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "held"));
        Holder(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _it_may_be_gone = self.0.kill();
        let _it_may_be_gone = self.0.wait();
    }
}

#[test]
fn a_locked_database_is_an_error_in_bounded_time() {
    let root = Root::new();
    root.without_wal();
    let holder = Holder::new(&root, "BEGIN EXCLUSIVE;");
    let start = Instant::now();
    let error = root.open().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    let Error::Locked { holder: pid, .. } = &error else { panic!("{error}") };
    assert_eq!(*pid, i32::try_from(holder.0.id()).ok());
    drop(holder);
    assert_eq!(root.open().unwrap().all().unwrap().len(), 3);
}

#[test]
fn a_lock_of_another_kind_of_sqlite_is_seen_too() {
    let root = Root::new();
    let holder = Holder::new(&root, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE;");
    let error = root.open().unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    drop(holder);
}

#[test]
fn a_writer_with_a_write_ahead_log_keeps_nobody_out() {
    let root = Root::new();
    let _holder = Holder::new(&root, "PRAGMA journal_mode=WAL; BEGIN EXCLUSIVE;");
    assert_eq!(root.open().unwrap().all().unwrap().len(), 3);
}

#[test]
fn a_short_lock_is_waited_for() {
    let root = Root::new();
    root.without_wal();
    let holder = Holder::new(&root, "BEGIN EXCLUSIVE;");
    let ending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        drop(holder);
    });
    assert_eq!(root.open().unwrap().all().unwrap().len(), 3);
    ending.join().unwrap();
}

#[test]
fn a_lock_that_comes_later_is_an_error_in_bounded_time() {
    let root = Root::new();
    root.without_wal();
    let database = root.open().unwrap();
    let _holder = Holder::new(&root, "BEGIN EXCLUSIVE;");
    let start = Instant::now();
    let error = database.by_name("tool").unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error}");
    assert!(error.to_string().contains("locked"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

const NDB: &str = "var/lib/rpm/Packages.db";

/// Was this rpm built with ndb, as SUSE's is, or Debian's since 13? The test that asks is skipped if not.
fn has_ndb() -> bool {
    let root = Root::empty();
    let mut rpm = Command::new("rpm");
    rpm.arg("--root").arg(root.path()).args([
        "--dbpath",
        "/var/lib/rpm",
        "--define",
        "_db_backend ndb",
        "--initdb",
    ]);
    let output = rpm.output().expect("this test needs rpm");
    let has = root.path().join(NDB).exists();
    if !has {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("invalid %_db_backend: ndb"), "{said}");
        testkit::skip("this rpm was built without ndb");
    }
    has
}

#[test]
fn ndb_is_read() {
    if !has_ndb() {
        return;
    }
    let root = Root::new_ndb();
    let before = root.snapshot();
    everything_is_right_or_an_error(&root).unwrap();
    assert!(before == root.snapshot());
}

#[test]
fn ndb_damaged_is_an_error() {
    if !has_ndb() {
        return;
    }
    let sound = Root::new_ndb();
    for (file, length) in [(NDB, 0), (NDB, 5000), (NDB, 100_000), ("var/lib/rpm/Index.db", 0)] {
        let root = Root::new_ndb();
        File::options().write(true).open(root.path().join(file)).unwrap().set_len(length).unwrap();
        let error = everything_is_right_or_an_error(&root).unwrap_err();
        assert!(matches!(error, Error::Open { .. } | Error::Read { .. }), "{file} {length}: {error}");
    }
    let packages = fs::read(sound.path().join(NDB)).unwrap();
    for page in 0..packages.len() as u64 / 4096 {
        let root = Root::new_ndb();
        let file = File::options().write(true).open(root.path().join(NDB)).unwrap();
        file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
        everything_is_right_or_an_error(&root).unwrap_err();
    }
    fs::remove_file(sound.path().join("var/lib/rpm/Index.db")).unwrap();
    let before = sound.snapshot();
    assert!(matches!(sound.open().unwrap_err(), Error::Open { .. }));
    assert!(before == sound.snapshot());
}

#[test]
fn ndb_locked_is_an_error_in_bounded_time() {
    if !has_ndb() {
        return;
    }
    let root = Root::new_ndb();
    let mut holder = Command::new("flock")
        .arg("--no-fork")
        .arg(root.path().join(NDB))
        .args(["sh", "-c", "echo held; exec sleep 60"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs flock");
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let error = root.open().unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    holder.kill().unwrap();
    holder.wait().unwrap();
}
