// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `kmp update` keeps of repositories, and when it is not believed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use testkit::TestRoot;

use crate::support::{kernel, kmp};
use crate::update::{build, fates, json, offered, repository, site};

const HELD: &str = "6.4.0-2-default held foo-kmp-default=missing:-";

fn kept(root: &TestRoot) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("var/cache/kmp/repositories")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_list_that_was_read_is_not_read_again_and_only_what_is_ours_and_whole_is_believed() {
    let root = site();
    let repo = repository(&root, "base", &[offered("6.4.0-2-default", 8)]);
    let args = ["update", "--offline", "--keep", &repo];
    // Only looking keeps nothing.
    assert_eq!(fates(&json(&root, &["update", "--dry-run", &repo])), [HELD]);
    assert!(kept(&root).is_empty());
    let document = json(&root, &args);
    assert_eq!(fates(&document), [HELD]);
    let [file] = &kept(&root)[..] else { panic!("{:?}", kept(&root)) };
    // Without the lists: the second run cannot have read them.
    let lists = root.join("base/repodata");
    let away = root.join("base/away");
    fs::create_dir(&away).unwrap();
    let move_lists = |from: &PathBuf, to: &PathBuf| {
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            if entry.file_name() != "repomd.xml" {
                fs::rename(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    };
    move_lists(&lists, &away);
    assert_eq!(json(&root, &args)["kernels"], document["kernels"]);
    assert_eq!(fates(&json(&root, &["update", "--dry-run", &repo])), [HELD], "read by --dry-run, too");

    let good = fs::read(file).unwrap();
    let is_believed = || {
        let document = json(&root, &["update", "--dry-run", &repo]);
        document["problems"].as_array().unwrap().is_empty()
    };
    assert!(is_believed());
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let elsewhere = root.join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    for what in ["cut", "changed", "of another", "empty", "a link", "another name", "a directory"] {
        fs::remove_file(file).or_else(|_| fs::remove_dir(file)).unwrap();
        match what {
            "cut" => fs::write(file, &good[..good.len() / 2]).unwrap(),
            "changed" => fs::write(file, &changed).unwrap(),
            "of another" => {
                let mut other = good.clone();
                other[20] ^= 1;
                fs::write(file, other).unwrap();
            }
            "empty" => fs::write(file, "").unwrap(),
            "a link" => symlink(&elsewhere, file).unwrap(),
            "another name" => fs::hard_link(&elsewhere, file).unwrap(),
            _ => fs::create_dir(file).unwrap(),
        }
        assert!(!is_believed(), "{what}");
    }
    fs::remove_dir(file).unwrap();
    fs::write(file, &changed).unwrap();
    // It is written anew, whatever is there.
    move_lists(&away, &lists);
    assert_eq!(fates(&json(&root, &args)), [HELD]);
    assert_eq!(fs::read(file).unwrap(), good);
    fs::remove_file(file).unwrap();
    symlink(&elsewhere, file).unwrap();
    assert_eq!(fates(&json(&root, &args)), [HELD]);
    assert!(fs::symlink_metadata(file).unwrap().is_file() && fs::read(&elsewhere).unwrap() == good);

    // A repository that has changed has another, and the old one goes.
    let foo = build("foo", "2.0", &kernel("6.4.0-2-default", 8), 8);
    repository(&root, "base", &[foo]);
    let comes = "6.4.0-2-default comes foo-kmp-default=comes-along:foo-kmp-default-2.0_k6.4.0_2-1.x86_64";
    assert_eq!(fates(&json(&root, &args)), [comes]);
    assert_eq!(kept(&root).len(), 1);
    assert!(!file.exists());
    assert_eq!(kmp(&root, &["update", "--clear"]).status, Some(0));
    assert!(kept(&root).is_empty());
}
