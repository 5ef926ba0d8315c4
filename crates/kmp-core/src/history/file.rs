// SPDX-License-Identifier: LGPL-2.1-or-later
//! The log: `/var/log/kmp/history.jsonl`, an entry a line. A root without `/var/log` has none.
//!
//! A line is added by one call of write(2), under the lock `/run/kmp/history`, which is held for no longer than that. Where
//! that is cut short, by a full disk or a kill, the line is taken back, or else the next one begins on a line of its own. When
//! the log has reached its size, its newer half takes its place by rename(2). So whoever reads finds whole lines, but for one that
//! was cut short, which is skipped.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{OFlag, renameat};
use nix::unistd::{fsync, ftruncate};

use super::Entry;
use crate::printable;
use crate::root::Root;
use crate::run_dir::{Held, RunDir};

/// Where logs are. It is not made.
const LOGS: &str = "/var/log";
/// The name in it.
const NAME: &str = "kmp";
/// The directory.
pub const DIRECTORY: &str = "/var/log/kmp";
/// The log's name in it.
pub const FILE: &str = "history.jsonl";
/// What takes its place when it has reached its size.
const BESIDE: &str = ".history.new";
/// The lock in `/run/kmp`.
const LOCK: &str = "history";

/// The most that an entry has, in bytes.
const LINE: usize = 64 << 10;
/// The most that the log has.
const LIMIT: u64 = 1 << 20;

/// How often the lock is tried, with 20 ms in between: another run holds it for as long as a line takes.
const TRIES: u32 = 50;

/// How many bad lines are named.
const NAMED: usize = 3;

/// Adds an entry, which gets its number. False where there is no place for a log.
///
/// # Errors
/// It cannot be written. The log is as it was, or the next entry makes up for it.
pub fn append(root: &Root, entry: &mut Entry) -> io::Result<bool> {
    let dir = match RunDir::beside(root, Path::new(LOGS), NAME, true) {
        Ok(Some(dir)) => dir,
        Ok(None) => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    let lock = lock(root);
    let mut file = dir.file(FILE, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_APPEND)?.file;
    let size = file.metadata()?.len();
    let end = tail(&mut file, size, LINE as u64 + 1)?;
    entry.run = parsed(&end).next_back().map_or(1, |last| last.run.saturating_add(1));
    let line = entry.line(LINE)?;
    let is_cut = end.last().is_some_and(|byte| *byte != b'\n');
    let text = format!("{}{line}\n", if is_cut { "\n" } else { "" });
    if lock.is_some() && size + text.len() as u64 > LIMIT {
        return shorten(&dir, &mut file, size, &text).map(|()| true);
    }
    let written = file.write(text.as_bytes());
    match written {
        Ok(n) if n == text.len() => Ok(true),
        failed => {
            if lock.is_some() {
                let _ = ftruncate(&file, i64::try_from(size).unwrap_or(i64::MAX));
            }
            failed.and(Err(io::ErrorKind::StorageFull.into()))
        }
    }
}

/// Without it, a line is added all the same; only two that shorten the log at once would be in each other's way.
fn lock(root: &Root) -> Option<Held> {
    let dir = RunDir::create(root).ok()?;
    for _ in 0..TRIES {
        match Held::new(dir.file(LOCK, OFlag::O_RDONLY | OFlag::O_CREAT).ok()?.file, false) {
            Ok(held) => return Some(held),
            Err(_) => sleep(Duration::from_millis(20)),
        }
    }
    None
}

/// Puts the newer half of the log, and `text`, into its place.
fn shorten(dir: &RunDir, file: &mut File, size: u64, text: &str) -> io::Result<()> {
    let kept = tail(file, size, LIMIT / 2)?;
    // From the beginning of a line.
    let start = kept.iter().position(|byte| *byte == b'\n').map_or(kept.len(), |end| end + 1);
    let mut beside = dir.file(BESIDE, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?.file;
    let done = || -> io::Result<()> {
        beside.write_all(&kept[start..])?;
        beside.write_all(text.as_bytes())?;
        fsync(&beside)?;
        Ok(renameat(dir, BESIDE, dir, FILE)?)
    }();
    done.inspect_err(|_| drop(dir.remove(BESIDE)))
}

/// The last bytes of a file, at most `most`.
fn tail(file: &mut File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parsed(bytes: &[u8]) -> impl DoubleEndedIterator<Item = Entry> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// What is in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The oldest first.
    pub entries: Vec<Entry>,
    /// What is wrong with it, in words: lines that are no entries, and are left out.
    pub problems: Vec<String>,
}

/// Reads the log. One that is not there is empty.
///
/// # Errors
/// The system's.
pub fn read(root: &Root) -> io::Result<History> {
    let path = Path::new(DIRECTORY).join(FILE);
    let Some(mut file) = open(root, &path)? else { return Ok(History::default()) };
    let shown = printable(root.display(&path).as_os_str());
    let size = file.metadata()?.len();
    // Somewhat larger than it is made, as two may have added to it at once.
    let bytes = tail(&mut file, size, 2 * LIMIT)?;
    let mut history = History::default();
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if size > bytes.len() as u64 {
        lines.next();
        history.problems.push(format!("{shown} is larger than kmp makes it; only its end is read"));
    }
    let mut bad = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(entry) => history.entries.push(entry),
            Err(why) => {
                bad += 1;
                if bad <= NAMED {
                    let start: String = String::from_utf8_lossy(line).chars().take(40).collect();
                    let start = printable(start.as_ref());
                    history
                        .problems
                        .push(format!("{shown}: a line is no entry, and is left out ({start}): {why}"));
                }
            }
        }
    }
    if bad > NAMED {
        history.problems.push(format!("{shown}: {} more lines are no entries", bad - NAMED));
    }
    Ok(history)
}

/// The last entry, if there is one that can be read.
pub fn last(root: &Root) -> Option<Entry> {
    let mut file = open(root, &Path::new(DIRECTORY).join(FILE)).ok()??;
    let size = file.metadata().ok()?.len();
    let end = tail(&mut file, size, 2 * LINE as u64).ok()?;
    parsed(&end).next_back()
}

fn open(root: &Root, path: &Path) -> io::Result<Option<File>> {
    match root.open_file(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::of_failure;

    fn place() -> (tempfile::TempDir, Root) {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tmp.path().join("var/log")).unwrap();
        let root = Root::open(tmp.path()).unwrap();
        (tmp, root)
    }

    fn runs(root: &Root) -> Vec<u64> {
        read(root).unwrap().entries.iter().map(|entry| entry.run).collect()
    }

    #[test]
    fn entries_are_numbered_and_a_root_without_logs_has_none() {
        let (tmp, root) = place();
        assert_eq!((read(&root).unwrap(), last(&root)), (History::default(), None));
        for run in 1..4 {
            let mut entry = of_failure("why");
            assert!(append(&root, &mut entry).unwrap());
            assert_eq!((entry.run, last(&root).unwrap()), (run, entry));
        }
        assert_eq!(runs(&root), [1, 2, 3]);
        std::fs::remove_dir_all(tmp.path().join("var/log")).unwrap();
        assert!(!append(&root, &mut of_failure("why")).unwrap() && !tmp.path().join("var/log").exists());
    }

    #[test]
    fn what_is_no_entry_is_skipped_and_what_was_cut_spoils_no_other() {
        let (tmp, root) = place();
        let path = tmp.path().join("var/log/kmp/history.jsonl");
        append(&root, &mut of_failure("one")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in 1..whole.len() {
            std::fs::write(&path, [&whole[..], &whole[..end]].concat()).unwrap();
            append(&root, &mut of_failure("two")).unwrap();
            let history = read(&root).unwrap();
            // All but the end of the line may be there.
            let extra = usize::from(end == whole.len() - 1);
            assert_eq!((history.entries.len(), history.problems.len()), (2 + extra, 1 - extra), "{end}");
        }
        let bad: &[&[u8]] = &[b"\xff\x00", b"[]", b"{}", b"{\"run\":-1}", &[b'['; 100_000], b"null"];
        std::fs::write(&path, [&whole[..], &bad.join(&b'\n'), b"\n"].concat()).unwrap();
        let history = read(&root).unwrap();
        assert_eq!((history.entries.len(), history.problems.len()), (1, NAMED + 1), "{history:?}");
        append(&root, &mut of_failure("three")).unwrap();
        assert_eq!(read(&root).unwrap().entries.len(), 2);
    }

    #[test]
    fn the_log_keeps_its_size_and_its_newest_entries() {
        let (tmp, root) = place();
        let path = tmp.path().join("var/log/kmp/history.jsonl");
        let mut entry = of_failure(&"x".repeat(900));
        for _ in 0..1500 {
            append(&root, &mut entry).unwrap();
        }
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size <= LIMIT && size > LIMIT / 2, "{size}");
        let runs = runs(&root);
        assert_eq!((runs.last(), runs.len() as u64), (Some(&1500), 1501 - runs[0]));
        assert!(read(&root).unwrap().problems.is_empty());
        // A larger one is read as far as its end.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&root).unwrap().problems.len(), 1);
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let (_tmp, root) = place();
        // Enough that the log is shortened meanwhile.
        let text = "x".repeat(900);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope
                    .spawn(|| (0..300).for_each(|_| assert!(append(&root, &mut of_failure(&text)).unwrap())));
            }
        });
        let (runs, history) = (runs(&root), read(&root).unwrap());
        assert!(history.problems.is_empty(), "{:?}", history.problems);
        assert_eq!(runs.last(), Some(&1200));
        assert!(runs.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    }

    #[test]
    fn what_is_not_ours_is_not_written_to() {
        let (tmp, root) = place();
        let outside = tmp.path().join("outside");
        std::fs::write(&outside, "kept").unwrap();
        std::fs::create_dir(tmp.path().join("var/log/kmp")).unwrap();
        let path = tmp.path().join("var/log/kmp/history.jsonl");
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        append(&root, &mut of_failure("why")).unwrap();
        assert_eq!((std::fs::read_to_string(&outside).unwrap().as_str(), runs(&root)), ("kept", vec![1]));
        std::fs::remove_dir_all(tmp.path().join("var/log/kmp")).unwrap();
        std::os::unix::fs::symlink("/outside-dir", tmp.path().join("var/log/kmp")).unwrap();
        assert!(append(&root, &mut of_failure("why")).is_err());
    }
}
