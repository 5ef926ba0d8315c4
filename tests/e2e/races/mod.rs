// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whoever can write in an image changes it while kmp works on it with `--root`, as fast as they can: at each path that kmp reads
//! or writes. Nothing outside of the image is changed, and nothing of it comes into the image.
//!
//! A race is one operation of kmp's engine, or one whole run of the command, under attack. `cargo xtask campaign races` runs ten
//! thousand at each path.

mod attacker;
mod scene;

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kmp_core::apply::{self, Depmod, Place, Wanted};
use kmp_core::config::Config;
use kmp_core::dialect::Dialect;
use kmp_core::inventory::{Conventions, DepmodConfig, ModulesDirs, Release};
use kmp_core::root::Root;
use kmp_core::run_dir::{self, Lock};
use kmp_core::workers::Serial;

use crate::support::*;
use attacker::{Attacker, Random};
use scene::{Scene, tells};

/// After so many races the image is made anew.
const CHUNK: u64 = 50;

/// One operation. It may fail under attack; it does not panic.
type Operation<'a> = &'a dyn Fn(&Root) -> Result<(), String>;

fn words<E: std::fmt::Display>(e: E) -> String {
    e.to_string()
}

/// How many races there are at a path: in a campaign more, of which `cargo xtask campaign` runs as many as it takes.
fn rounds(quick: u64) -> u64 {
    if testkit::campaign::seed().is_some() { 2000 } else { quick }
}

/// Races of an operation against an attacker at each of the targets.
#[track_caller]
fn race(targets: &[&str], quick: u64, with_hard_links: bool, operation: Operation<'_>) {
    let scene = Scene::new();
    let seed = testkit::campaign::seed().unwrap_or(0);
    for (number, target) in targets.iter().enumerate() {
        let (mut races, mut exchanged, mut done, mut good, mut chunk) = (0, 0, 0, 0, 0);
        let total = rounds(quick);
        // Some paths are right for so short a time that few operations get through.
        while races < total || good == 0 && races < 20 * total {
            scene.reset();
            let root = Root::open(&scene.image).unwrap();
            // Without an attack it works.
            operation(&root).unwrap_or_else(|e| panic!("{target}: {e}"));
            let attacker = Attacker { image: &scene.image, host: &scene.host, target, with_hard_links };
            let random = Random::new(seed << 32 | (number as u64) << 16 | chunk);
            let (stop, exchanges) = (AtomicBool::new(false), AtomicU64::new(0));
            let before = done;
            std::thread::scope(|scope| {
                scope.spawn(|| attacker.run(random, &stop, &exchanges));
                // On a busy machine an operation may be over before the attacker has begun.
                while done < before + CHUNK
                    || exchanges.load(Ordering::Relaxed) < CHUNK && done < before + 200 * CHUNK
                {
                    good += u64::from(operation(&root).is_ok());
                    done += 1;
                }
                stop.store(true, Ordering::Relaxed);
            });
            let exchanges = exchanges.into_inner();
            // An operation without an exchange is no race.
            races += exchanges.min(done - before);
            exchanged += exchanges;
            chunk += 1;
            assert!(races > 0 || chunk < 20, "{target}: nothing could be exchanged");
            scene.check(target);
        }
        println!("{target}: {races} races, {good} of {done} operations went well, {exchanged} exchanges");
        assert!(good > 0, "{target}: nothing went well");
        testkit::campaign::figure(&format!("races at {target}"), races);
    }
}

fn dir(krel: &str) -> String {
    format!("/usr/lib/modules/{krel}")
}

fn release(root: &Root, krel: &str) -> Release {
    Release::scan(root, krel, Path::new(&dir(krel))).0
}

/// Does the harness see what it looks for? A writer and a reader by plain paths are caught.
#[test]
fn who_uses_plain_paths_is_caught() {
    let lock = "run/kmp/lock";
    for target in [lock, "run/kmp", "run"] {
        let caught = std::panic::catch_unwind(|| {
            for _ in 0..20 {
                race(&[target], 500, true, &|root| {
                    // A FIFO is not waited for, so that this ends.
                    let mut options = std::fs::OpenOptions::new();
                    options.write(true).create(true).truncate(true).custom_flags(nix::libc::O_NONBLOCK);
                    let file = options.open(root.path().join(lock));
                    file.and_then(|mut file| file.write_all(b"ours")).map_err(words)
                });
            }
        });
        let message = *caught.expect_err("a fault is not seen").downcast::<String>().unwrap();
        assert!(message.contains("outside of the image"), "{message}");
    }
    let index = format!("usr/lib/modules/{SAME}");
    let caught = std::panic::catch_unwind(|| {
        for _ in 0..20 {
            race(&[&index], 500, false, &|root| {
                let dir = root.path().join(&index);
                let read = std::fs::read(dir.join("modules.alias")).map_err(words)?;
                // What is looked at in the end is not to be written over.
                if !tells(&read) {
                    return Ok(());
                }
                // As a careful writer would.
                let new = root.path().join("new-index");
                std::fs::write(&new, read).map_err(words)?;
                let to = root.dir(Path::new(&format!("/{index}"))).map_err(words)?;
                let from = std::fs::File::open(root.path()).map_err(words)?;
                nix::fcntl::renameat(from, "new-index", to, "modules.symbols").map_err(words)
            });
        }
    });
    let message = *caught.expect_err("a fault is not seen").downcast::<String>().unwrap();
    assert!(message.contains("tells of the system outside"), "{message}");
}

/// By depmod or without it, as it comes.
fn write_index(root: &Root) -> Result<(), String> {
    let conventions = Conventions {
        dialect: Dialect::Suse,
        distribution_unknown: None,
        asked: HashSet::new(),
        depmod: DepmodConfig::default(),
        config: Config::default(),
    };
    let (dirs, kernel) = (ModulesDirs::find(root).map_err(words)?, release(root, SAME));
    let place = Place { root, dirs: &dirs, release: &kernel, conventions: &conventions, workers: &Serial };
    Depmod::default().run(&place).map(drop).map_err(words)
}

#[test]
fn depmod_reads() {
    let (kernel, own) =
        (format!("usr/lib/modules/{SAME}/kernel/net"), format!("usr/lib/modules/{OLD}/updates/foo.ko"));
    let link = format!("usr/lib/modules/{SAME}/weak-updates/updates/foo.ko");
    let targets = [
        kernel.as_str(),
        &format!("{kernel}/bar.ko"),
        own.as_str(),
        link.as_str(),
        &format!("usr/lib/modules/{OLD}"),
        "usr/lib/modules",
        "usr",
        "etc/depmod.d",
        "etc/depmod.d/local.conf",
    ];
    race(&targets, 50, false, &write_index);
    // As many in each of these tests.
    testkit::campaign::figure("races at each path", rounds(50));
}

#[test]
fn depmod_writes() {
    let at = |name: &str| format!("usr/lib/modules/{SAME}{name}");
    let cache = ["", "/kmp", "/kmp/depmod", "/kmp/depmod/.new"].map(|below| format!("var/cache{below}"));
    let targets =
        [at(""), at("/modules.dep"), at("/modules.alias"), at("/.kmp-index")].into_iter().chain(cache);
    let targets: Vec<String> = targets.collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    race(&targets, 50, true, &write_index);
}

#[test]
fn the_switch_of_links() {
    let at = |name: &str| format!("usr/lib/modules/{name}");
    let targets = [
        at(SAME),
        at(&format!("{SAME}/weak-updates")),
        at(&format!("{SAME}/weak-updates/updates")),
        at(&format!(".kmp-{SAME}")),
        at(&format!(".kmp-{SAME}/updates")),
        "usr/lib/modules".into(),
    ];
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    race(&targets, 200, true, &|root| {
        let kernel = release(root, SAME);
        let target = format!("/usr/lib/modules/{OLD}/updates/foo.ko");
        for link in ["updates/foo.ko", "updates/bar.ko"] {
            let items = kernel.weak_updates.iter().flatten();
            let links = BTreeMap::from([(Path::new(link), Path::new(&target))]);
            let unwanted = items.filter(|item| item.below != Path::new(link)).collect();
            let wanted = Wanted { links, foreign: Vec::new(), unwanted, kernel_is_gone: false };
            // The second one finds what the first did, and says so.
            let _ = apply::switch(root, &kernel, &wanted);
        }
        Ok(())
    });
}

#[test]
fn leftovers_are_cleared() {
    let left = "usr/lib/modules/.kmp-left";
    race(&[left, "usr/lib/modules/.kmp-left/file", "usr/lib/modules"], 200, true, &|root| {
        let dirs = ModulesDirs::find(root).map_err(words)?;
        let _ = std::fs::create_dir(root.path().join(left));
        let _ = std::fs::File::create_new(root.path().join(left).join("file"));
        apply::leftovers(root, &dirs, &[], &mut Vec::new())
            .iter()
            .for_each(|path| drop(apply::clear(root, path)));
        Ok(())
    });
}

#[test]
fn the_lock() {
    race(&["run", "run/kmp", "run/kmp/lock"], 200, true, &|root| {
        Lock::take(root, true, None).map(drop).map_err(words)
    });
}

#[test]
fn markers_and_notes() {
    let at = |place: &str| format!("run/{place}/{SAME}");
    let files = ["regenerate-initrd", "kmp/pending", "kmp/check-initrd", "kmp/needs-initrd"].map(at);
    let mut targets =
        vec!["run", "run/kmp", "run/regenerate-initrd", "run/kmp/pending", "run/kmp/check-initrd"];
    targets.extend(files.iter().map(String::as_str));
    race(&targets, 200, true, &|root| {
        let marker = apply::mark(root, SAME).map_err(words)?;
        run_dir::keep_pending(root, SAME);
        let check = run_dir::check(root, SAME, true).map_err(words)?;
        let wish = run_dir::wish(root, SAME).map_err(words)?;
        apply::unmark(root, &marker);
        run_dir::settle_pending(root, SAME);
        run_dir::settle_check(root, &check);
        run_dir::settle_wish(root, &wish);
        Ok(())
    });
}

#[test]
fn what_is_read() {
    race(&["etc", "etc/os-release", "etc/kmp.conf"], 500, false, &|root| {
        for file in ["/etc/os-release", "/etc/kmp.conf"] {
            let read = root.read(Path::new(file), 1 << 20).unwrap_or_default();
            assert!(!tells(&read), "{file}");
        }
        Ok(())
    });
}

/// The command as a whole, on an image with something to do.
#[test]
fn whole_runs() {
    let scene = Scene::new();
    let seed = testkit::campaign::seed().unwrap_or(0);
    let at = |name: &str| format!("usr/lib/modules/{name}");
    let targets = [
        at(SAME),
        at(&format!("{SAME}/weak-updates")),
        at(&format!("{SAME}/modules.dep")),
        at(&format!("{OLD}/updates/foo.ko")),
        "usr".into(),
        "run".into(),
        "run/kmp".into(),
        "etc".into(),
    ];
    let runs = if testkit::campaign::seed().is_some() { 40 } else { 2 };
    for (number, target) in targets.iter().enumerate() {
        // What is read from a hard link is the image's.
        let with_hard_links = !target.ends_with(".ko");
        for round in 0..runs {
            scene.reset();
            std::fs::remove_dir_all(scene.image.join(at(SAME)).join("weak-updates")).unwrap();
            let attacker = Attacker { image: &scene.image, host: &scene.host, target, with_hard_links };
            let random = Random::new(seed << 32 | (number as u64) << 16 | round);
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| attacker.run(random, &stop, &AtomicU64::new(0)));
                for verb in [&["status"][..], &["sync"], &["initrd"], &["sync", "--dry-run"]] {
                    let output = scene.kmp(verb);
                    if output.status.is_none_or(|status| status > 2) || output.stderr.contains("panicked") {
                        stop.store(true, Ordering::Relaxed);
                        panic!("{target}: {output}");
                    }
                }
                stop.store(true, Ordering::Relaxed);
            });
            scene.check(target);
        }
        testkit::campaign::figure("whole runs", 4 * runs);
    }
}
