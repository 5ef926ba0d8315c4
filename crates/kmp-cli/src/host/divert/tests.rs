// SPDX-License-Identifier: LGPL-2.1-or-later
//! Tests: names in all kinds of layouts.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use testkit::TestRoot;

const WM: &str = "usr/sbin/weak-modules";
const WM2: &str = "usr/lib/module-init-tools/weak-modules2";

fn site() -> (TestRoot, Root) {
    let site = TestRoot::new();
    for dir in ["usr/sbin", "usr/bin", "usr/lib/module-init-tools/kernel-scriptlets"] {
        site.mkdir(dir);
    }
    for program in ["usr/bin/kmp", SCRIPTLET, INITRD_FUNCTIONS] {
        site.write(program, "kmp's\n");
    }
    let root = Root::open(&site.path()).unwrap();
    (site, root)
}

/// Puts a file there as the distribution's package has it, by a rename as rpm does.
fn original(site: &TestRoot, path: &str, contents: &str) {
    site.write("new", contents);
    fs::set_permissions(site.join("new"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::rename(site.join("new"), site.join(path)).unwrap();
}

fn good(done: Vec<Result<Change, String>>) -> Vec<Change> {
    done.into_iter().map(Result::unwrap).collect()
}

fn aside(path: &str) -> String {
    format!("{path}{SUFFIX}")
}

#[test]
fn the_original_is_put_aside_and_comes_back_as_it_was() {
    let (site, root) = site();
    original(&site, WM2, "original\n");
    let before = fs::metadata(site.join(WM2)).unwrap();
    let path = Path::new("/").join(WM2);
    assert_eq!(good(put(&root, None, Diverted::WeakModules2)), [Change::PutAside(path.clone())]);
    assert_eq!(fs::read_link(site.join(WM2)).unwrap().to_str(), Some("../../bin/kmp"));
    assert_eq!(site.read(WM2), "kmp's\n");
    assert_eq!(site.read(aside(WM2)), "original\n");
    assert_eq!(put(&root, None, Diverted::WeakModules2), []);
    assert_eq!(good(restore(&root, Diverted::WeakModules2)), [Change::Restored(path)]);
    let after = fs::metadata(site.join(WM2)).unwrap();
    let facts = |m: &fs::Metadata| (m.ino(), m.mode(), m.uid(), m.gid(), m.mtime_nsec(), m.nlink());
    assert_eq!(facts(&before), facts(&after));
    assert!(!site.exists(aside(WM2)));
    assert_eq!(restore(&root, Diverted::WeakModules2), []);
}

#[test]
fn a_newer_original_takes_the_place_of_the_one_that_was_put_aside() {
    let (site, root) = site();
    original(&site, WM2, "first\n");
    good(put(&root, None, Diverted::WeakModules2));
    original(&site, WM2, "second\n");
    good(put(&root, None, Diverted::WeakModules2));
    assert_eq!((site.read(WM2), site.read(aside(WM2))), ("kmp's\n".into(), "second\n".into()));
    // The third came, and nobody was there to put it aside.
    original(&site, WM2, "third\n");
    good(restore(&root, Diverted::WeakModules2));
    assert_eq!(site.read(WM2), "third\n");
    assert!(!site.exists(aside(WM2)));
}

/// As the peer's twenty names are links of its own.
#[test]
fn an_original_that_is_a_link_stays_one() {
    let (site, root) = site();
    let name = "usr/lib/module-init-tools/kernel-scriptlets/kmp-post";
    symlink("kmp-script", site.join(name)).unwrap();
    good(put(&root, None, Diverted::Scriptlets));
    assert_eq!(fs::read_link(site.join(name)).unwrap().to_str(), Some("scriptlet"));
    assert_eq!(fs::read_link(site.join(aside(name))).unwrap().to_str(), Some("kmp-script"));
    good(restore(&root, Diverted::Scriptlets));
    assert_eq!(fs::read_link(site.join(name)).unwrap().to_str(), Some("kmp-script"));
}

#[test]
fn a_name_never_leads_to_nothing() {
    let (site, root) = site();
    original(&site, WM2, "original\n");
    fs::remove_file(site.join("usr/bin/kmp")).unwrap();
    let done = put(&root, None, Diverted::WeakModules2);
    let [Err(message)] = &done[..] else { panic!("{done:?}") };
    assert!(message.contains(WM2) && message.contains("/usr/bin/kmp"), "{message}");
    assert_eq!(site.read(WM2), "original\n");
    assert!(!site.exists(aside(WM2)));
}

/// As they are on EL, on Fedora 42, and where nothing is merged.
#[test]
fn commands_are_found_however_their_directories_are_merged() {
    let (site, root) = site();
    symlink("usr/sbin", site.join("sbin")).unwrap_or_else(|_| assert!(site.join("sbin").is_symlink()));
    original(&site, WM, "original\n");
    assert_eq!(good(put(&root, None, Diverted::WeakModules)).len(), 1);
    assert_eq!(fs::read_link(site.join(WM)).unwrap().to_str(), Some("../bin/kmp"));
    assert_eq!(good(restore(&root, Diverted::WeakModules)).len(), 1);

    fs::remove_dir_all(site.join("usr/sbin")).unwrap();
    symlink("bin", site.join("usr/sbin")).unwrap();
    original(&site, "usr/bin/weak-modules", "original\n");
    assert_eq!(good(put(&root, None, Diverted::WeakModules)).len(), 1);
    assert_eq!(site.read("usr/bin/weak-modules"), "kmp's\n");
    assert_eq!(site.read(aside("usr/bin/weak-modules")), "original\n");
    assert_eq!(good(restore(&root, Diverted::WeakModules)).len(), 1);

    for dir in ["usr/sbin", "sbin"] {
        fs::remove_file(site.join(dir)).unwrap();
        site.mkdir(dir);
    }
    fs::remove_file(site.join("usr/bin/weak-modules")).unwrap();
    original(&site, "sbin/weak-modules", "original\n");
    let done = good(put(&root, None, Diverted::WeakModules));
    let paths = ["/usr/sbin/weak-modules", "/sbin/weak-modules"].map(PathBuf::from);
    assert_eq!(done, [Change::Made(paths[0].clone()), Change::PutAside(paths[1].clone())]);
    assert_eq!(site.read("sbin/weak-modules"), "kmp's\n");
    assert_eq!(fs::read_link(site.join("sbin/weak-modules")).unwrap().to_str(), Some("../usr/bin/kmp"));
}

/// The names are those that the spec file has as ghosts.
#[test]
fn the_spec_file_has_the_names() {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/kmp.spec");
    let spec = fs::read_to_string(spec).unwrap().replace("%{_sbindir}", "/usr/sbin");
    let ghosts = spec.lines().filter_map(|line| line.strip_prefix("%{?beside} "));
    let ghosts: BTreeSet<String> = ghosts.map(|path| path.trim().to_string()).collect();
    let names = Diverted::ALL.into_iter().flat_map(Diverted::names);
    let names: BTreeSet<String> = names.map(|(dirs, name, _)| format!("{}/{name}", dirs[0])).collect();
    assert_eq!(ghosts, names);
}
