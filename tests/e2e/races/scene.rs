// SPDX-License-Identifier: LGPL-2.1-or-later
//! An image, and a system outside that looks like it, of which nothing may be changed, and nothing come into the image.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use testkit::{TestRoot, run};

use crate::support::*;

use super::attacker::remove;

/// What only the system outside has: in text, and as the name of a symbol.
const SECRET: &str = "host_secret";

/// Do these bytes hold [`SECRET`]?
pub fn tells(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
}

pub struct Scene {
    base: TestRoot,
    pub image: PathBuf,
    pub host: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

/// Files that kmp or depmod reads or writes, beside modules.
const FILES: &[&str] = &[
    "etc/os-release",
    "etc/kmp.conf",
    "etc/depmod.d/local.conf",
    "run/kmp/lock",
    "run/kmp/pending/6.4.0-2-default",
    "run/kmp/check-initrd/6.4.0-2-default",
    "run/kmp/needs-initrd/6.4.0-2-default",
    "run/regenerate-initrd/6.4.0-2-default",
    "var/cache/kmp/depmod/6.4.0-2-default",
    "usr/lib/modules/6.4.0-2-default/modules.dep",
    "usr/lib/modules/6.4.0-2-default/modules.alias",
    "usr/lib/modules/6.4.0-2-default/.kmp-index",
    "usr/lib/modules/6.4.0-2-default/weak-updates/updates/foo.ko",
    "usr/lib/modules/.kmp-6.4.0-2-default/updates/foo.ko",
    "usr/lib/modules/.kmp-left/file",
];

impl Scene {
    pub fn new() -> Self {
        let base = TestRoot::new();
        let home = base.home();
        let (pristine, host) = (base.path(), home.join("host"));
        let [old, ..] = three_kernels(&base);
        let in_tree = |krel: &str| format!("usr/lib/modules/{krel}/kernel/net/bar.ko");
        for krel in [OLD, SAME, OTHER] {
            base.write(in_tree(krel), kernel(krel, 7).driver("bar").build());
        }
        base.install(&[&one_module("foo", "1", &old, 7)]);
        base.write("etc/fstab", "");
        good(&base, &["sync", "--no-initrd"]);
        for file in FILES {
            if !base.exists(file) && !file.contains("/.kmp-") {
                base.write(file, if file.ends_with("os-release") { "ID=sles\n" } else { "" });
            }
        }
        // Outside there is all of it, with one more symbol, and a secret in each file that is no module.
        run(base.command("cp").arg("-a").arg(&pristine).arg(&host)).expect_success();
        let secret = |krel| kernel(krel, 7).export(SECRET, 0x005e_c2e7);
        for krel in [OLD, SAME, OTHER] {
            let module = secret(krel).driver("bar").export(SECRET, 7).info("alias", SECRET).build();
            fs::write(host.join(in_tree(krel)), module).unwrap();
        }
        let module = secret(OLD).driver("foo").export(SECRET, 7).info("alias", SECRET).build();
        fs::write(host.join(format!("usr/lib/modules/{OLD}/updates/foo.ko")), module).unwrap();
        for file in FILES {
            let path = host.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            remove(&path);
            fs::write(path, format!("# {SECRET}\nalias {SECRET} foo\n")).unwrap();
        }
        let before = snapshot(&host);
        let image = home.join("image");
        Self { image, host, before, base }
    }

    /// The image as it was at the beginning. The directory itself stays the same.
    pub fn reset(&self) {
        let _ = fs::create_dir(&self.image);
        for entry in fs::read_dir(&self.image).unwrap() {
            remove(&entry.unwrap().path());
        }
        let all = self.base.path().join(".");
        run(self.base.command("cp").arg("-a").arg(all).arg(&self.image)).expect_success();
    }

    /// `kmp --root IMAGE ARGS`.
    pub fn kmp(&self, args: &[&str]) -> testkit::Output {
        run(self.base.command(KMP).arg("--root").arg(&self.image).args(args))
    }

    /// Nothing outside was changed, and nothing of it is in the image's indexes.
    #[track_caller]
    pub fn check(&self, what: &str) {
        same_tree(&snapshot(&self.host), &self.before, &format!("{what}: outside of the image"));
        for krel in [OLD, SAME, OTHER] {
            let dir = self.image.join("usr/lib/modules").join(krel);
            // Where an attack has left a link in its place, it is no index of ours.
            if !dir.canonicalize().is_ok_and(|dir| dir.starts_with(&self.image)) {
                continue;
            }
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_file() && entry.metadata().unwrap().nlink() == 1 {
                    let bytes = fs::read(entry.path()).unwrap();
                    assert!(!tells(&bytes), "{what}: {} tells of the system outside", entry.path().display());
                }
            }
        }
    }
}

/// All but what a hard link changes: the number of names, and the time of that change.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut pending = vec![dir.to_path_buf()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let stat = path.symlink_metadata().unwrap();
            let what = if stat.is_dir() {
                pending.push(path.clone());
                String::new()
            } else if stat.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else {
                format!(
                    "{:?}",
                    fs::read(&path)
                        .unwrap()
                        .iter()
                        .fold(0u64, |h, b| { (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3) })
                )
            };
            let line = format!(
                "{:o} {} {} {}.{} {what}",
                stat.mode(),
                stat.uid(),
                stat.ino(),
                stat.mtime(),
                stat.mtime_nsec()
            );
            all.insert(path, line);
        }
    }
    all
}
