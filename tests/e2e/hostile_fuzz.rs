// SPDX-License-Identifier: LGPL-2.1-or-later
//! Seeded damage to a whole small root, then a run: no panic, no hang, and what is not ours stays.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use kmp_core::inventory::Loader;
use kmp_core::root::Root;
use kmp_core::sync::{Options, sync};
use kmp_core::workers::Workers;
use librpm_rt::Librpm;
use testkit::{Noise, TestRoot};

use crate::hostile::{A, B, modules, sane, with_good};
use crate::support::{kernel, one_module};

const ROUNDS: u64 = 200;

struct One;

impl Workers for One {
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}

fn copy(from: &Path, to: &Path) {
    let metadata = fs::symlink_metadata(from).unwrap();
    if metadata.is_symlink() {
        symlink(fs::read_link(from).unwrap(), to).unwrap();
    } else if metadata.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if metadata.is_file() {
        fs::copy(from, to).unwrap();
    }
}

fn paths(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(|e| e.unwrap()) {
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn remove(path: &Path) {
    let _ = match path.symlink_metadata() {
        Ok(m) if m.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
}

/// Damages one file or directory. Returns what was done.
fn damage(noise: &mut Noise, root: &Path) -> String {
    let all = paths(root);
    let victim = &all[noise.below(all.len())];
    let other = all[noise.below(all.len())].clone();
    let is_file = victim.symlink_metadata().is_ok_and(|m| m.is_file());
    let size = victim.symlink_metadata().map_or(0, |m| usize::try_from(m.len()).unwrap());
    let how = match noise.below(if is_file { 9 } else { 5 }) {
        0 => {
            remove(victim);
            "removed"
        }
        1 => {
            remove(victim);
            fs::create_dir(victim).unwrap();
            "made a directory"
        }
        2 => {
            remove(victim);
            symlink(Path::new("/").join(other.strip_prefix(root).unwrap()), victim).unwrap();
            "made a link"
        }
        3 => {
            remove(victim);
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o644);
            nix::unistd::mkfifo(victim, mode).unwrap();
            "made a FIFO"
        }
        4 => {
            remove(victim);
            symlink(["..", ".", "/", "/etc/passwd", "../../../../../.."][noise.below(5)], victim).unwrap();
            "made a link out"
        }
        5 => {
            fs::File::options()
                .write(true)
                .open(victim)
                .unwrap()
                .set_len(noise.below(size + 1) as u64)
                .unwrap();
            "cut"
        }
        6 => {
            fs::write(victim, noise.bytes(size.min(4096))).unwrap();
            "overwritten"
        }
        _ => {
            let mut bytes = fs::read(victim).unwrap();
            for _ in 0..1 + noise.below(8) {
                if size > 0 {
                    bytes[noise.below(size)] = noise.next().to_le_bytes()[0];
                }
            }
            fs::write(victim, bytes).unwrap();
            "bytes changed"
        }
    };
    format!("{}: {how}", victim.strip_prefix(root).unwrap().display())
}

/// Files and links of others; an empty directory is nobody's.
fn foreign(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let all = paths(root).into_iter().filter(|p| p.to_string_lossy().contains("foreign"));
    let all = all.filter(|p| !p.symlink_metadata().unwrap().is_dir());
    // Damage may have made of it a link to a KMP's module: whoever put it there, that is one of ours to look after.
    let all = all.filter(|p| !fs::read_link(p).is_ok_and(|to| to.starts_with("/usr/lib/modules")));
    all.map(|p| (p.clone(), p.symlink_metadata().unwrap().is_file().then(|| fs::read(&p).unwrap()))).collect()
}

fn template() -> TestRoot {
    let (root, _) = with_good();
    sane(&root, &["sync"]);
    let top = modules(B).join("weak-updates");
    root.write(top.join("updates/foreign.ko"), b"mine");
    root.write(top.join("foreign/deep/own.ko"), b"mine");
    root.symlink(top.join("foreign-link.ko"), "/opt/foreign.ko");
    root.write("opt/foreign.ko", b"mine");
    root.install(&[&one_module("more", "1.0", &kernel(A, 7), 7)]);
    root
}

#[test]
fn two_hundred_damaged_roots() {
    let template = template();
    let place = tempfile::tempdir().unwrap();
    let rpm = Librpm::load().expect("this test needs librpm");
    let rpm: &'static Librpm = Box::leak(Box::new(rpm));
    let first = testkit::campaign::seed().unwrap_or(0) * ROUNDS;
    for seed in first..first + ROUNDS {
        let path = place.path().join(format!("root{seed}"));
        copy(&template.path(), &path);
        let mut noise = Noise::new(seed);
        let what: Vec<String> = (0..1 + noise.below(3)).map(|_| damage(&mut noise, &path)).collect();
        let before = foreign(&path);
        let (done, result) = mpsc::channel();
        let at = path.clone();
        let thread = std::thread::spawn(move || {
            if let Ok(root) = Root::open(&at) {
                let options = Options { no_depmod: true, ..Options::default() };
                let mut loader = Loader::new(&root, &One, None);
                let _ = sync(&root, Ok(rpm), &mut loader, &options, Some(&|| {})).map(|r| r.kernels.len());
            }
            let _ = done.send(());
        });
        if result.recv_timeout(Duration::from_secs(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
            panic!("seed {seed} hangs: {what:?}");
        }
        assert!(thread.join().is_ok(), "seed {seed} panics: {what:?}");
        assert_eq!(foreign(&path), before, "seed {seed} changes what is not ours: {what:?}");
        if seed % 25 == 0 {
            // With the process itself, depmod and all.
            for args in [&["status"][..], &["sync"], &["check"]] {
                let mut command = template.command("timeout");
                command.args(["60", crate::support::KMP, "--root"]).arg(&path).args(args);
                crate::hostile::checked(&mut command);
            }
            assert_eq!(foreign(&path), before, "seed {seed} changes what is not ours: {what:?}");
        }
        fs::remove_dir_all(&path).unwrap();
    }
    testkit::campaign::figure("damaged roots", ROUNDS);
}
