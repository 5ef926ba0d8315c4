// SPDX-License-Identifier: LGPL-2.1-or-later
//! Somebody who can write in an image, and nowhere else, and exchanges what is at one path there for what leads out, and back.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::Mode;

/// Numbers as good as random (xorshift).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What is put in the place of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decoy {
    /// A link to the same path outside.
    Absolute,
    /// That by `..`.
    Relative,
    /// Another name of the file outside.
    Hard,
    /// A directory whose entries are links to those of the directory outside.
    Farm,
    Fifo,
    Directory,
    File,
    /// Nothing is put there: it is gone for a moment.
    Nothing,
}

const DECOYS: &[Decoy] = &[
    Decoy::Absolute,
    Decoy::Absolute,
    Decoy::Relative,
    Decoy::Hard,
    Decoy::Farm,
    Decoy::Fifo,
    Decoy::Directory,
    Decoy::File,
    Decoy::Nothing,
];

pub struct Attacker<'a> {
    pub image: &'a Path,
    pub host: &'a Path,
    /// Below both.
    pub target: &'a str,
    /// Not where the file is read: by its hard link it would be the image's own.
    pub with_hard_links: bool,
}

impl Attacker<'_> {
    /// Goes on until `stop`, and counts how often something was exchanged.
    pub fn run(&self, mut random: Random, stop: &AtomicBool, exchanges: &AtomicU64) {
        while !stop.load(Ordering::Relaxed) {
            exchanges.fetch_add(u64::from(self.once(&mut random)), Ordering::Relaxed);
        }
    }

    fn once(&self, random: &mut Random) -> bool {
        let hidden = self.image.join(".attack");
        remove(&hidden);
        let target = self.image.join(self.target);
        let decoy = DECOYS[random.below(DECOYS.len() as u64) as usize];
        if decoy != Decoy::Hard && decoy != Decoy::Nothing || self.with_hard_links {
            self.make(decoy, &hidden);
        }
        let swap = |flags| renameat2(AT_FDCWD, &hidden, AT_FDCWD, &target, flags).is_ok();
        let done = match hidden.symlink_metadata().is_ok() {
            true => swap(RenameFlags::RENAME_EXCHANGE) || swap(RenameFlags::RENAME_NOREPLACE),
            false => fs::rename(&target, &hidden).is_ok(),
        };
        for _ in 0..random.below(2000) {
            std::hint::spin_loop();
        }
        // What the writer has put there meanwhile may go with it.
        if hidden.symlink_metadata().is_ok() {
            let _ = swap(RenameFlags::RENAME_EXCHANGE) || swap(RenameFlags::RENAME_NOREPLACE);
        }
        done
    }

    fn make(&self, decoy: Decoy, at: &Path) {
        let outside = self.host.join(self.target);
        // Where the writer has left something meanwhile, or there is nothing like it outside, this attack is left out.
        let _ = match decoy {
            Decoy::Absolute => symlink(&outside, at),
            Decoy::Relative => symlink(self.by_parents(&outside), at),
            Decoy::Hard => fs::hard_link(&outside, at),
            Decoy::Farm => farm(&outside, at),
            Decoy::Fifo => nix::unistd::mkfifo(at, Mode::S_IRWXU).map_err(Into::into),
            Decoy::Directory => fs::create_dir(at),
            Decoy::File => fs::write(at, "the attacker's"),
            Decoy::Nothing => Ok(()),
        };
    }

    /// More `..` than there are directories.
    fn by_parents(&self, outside: &Path) -> PathBuf {
        let up: PathBuf = std::iter::repeat_n("..", 30).collect();
        up.join(outside.strip_prefix("/").unwrap())
    }
}

fn farm(outside: &Path, at: &Path) -> std::io::Result<()> {
    fs::create_dir(at)?;
    for entry in fs::read_dir(outside)? {
        let entry = entry?;
        symlink(entry.path(), at.join(entry.file_name()))?;
    }
    Ok(())
}

pub fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
}
