// SPDX-License-Identifier: LGPL-2.1-or-later
//! Other users of the machine, who would like to have a say in what is judged.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use testkit::TestRoot;

use crate::support::{NEW, kernel, link, plain_kmp, rpm, site, telling};
use crate::zypp::{Commit, call, download};

/// Locks each file of /run/kmp again and again, as soon as it can be opened.
const ATTACK: &str = r#"
import fcntl, os, sys, time
held = {}
while True:
    for top, _, names in os.walk(sys.argv[1]):
        for name in names:
            try:
                fd = os.open(os.path.join(top, name), os.O_RDONLY | os.O_NONBLOCK)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            inode = os.fstat(fd).st_ino
            if inode in held: os.close(fd)
            else: held[inode] = fd
    time.sleep(0.0005)
"#;

struct Attackers(Vec<Child>);

impl Attackers {
    fn start(root: &TestRoot, directory: &Path) -> Self {
        // Everything on the way can be gone through by anybody.
        for way in directory.ancestors().take_while(|way| *way != Path::new("/tmp") && *way != Path::new("/"))
        {
            if let Ok(metadata) = fs::metadata(way) {
                let mode = metadata.permissions().mode() | 0o055;
                fs::set_permissions(way, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        let start = |user: &str| {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid",
                user,
                "--regid",
                user,
                "--clear-groups",
                "/usr/bin/python3",
                "-c",
                ATTACK,
            ]);
            command.arg(directory).current_dir(root.path()).stdout(Stdio::null()).spawn().unwrap()
        };
        Self(["65534", "12345"].map(start).into())
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        for attacker in &mut self.0 {
            assert!(attacker.try_wait().unwrap().is_none(), "an attacker gave up");
            attacker.kill().unwrap();
            attacker.wait().unwrap();
        }
    }
}

#[test]
fn no_user_turns_the_veto_off() {
    let rounds = testkit::campaign::seed().map_or(3, |_| 50);
    if !testkit::has_other_users() {
        return;
    }
    let root = site();
    fs::create_dir_all(root.join("run/kmp")).unwrap();
    let new = telling(&kernel(NEW, 8)).build();
    download(&root, &[&new]);
    let _attackers = Attackers::start(&root, &root.join("run/kmp"));
    for round in 0..rounds {
        let commit = Commit::begin(&root, &[("M", &new)]);
        let output = call(&root, &["-i"], &[&new]);
        assert!(
            !output.success() && output.stderr.contains("foo-kmp-default-1.0"),
            "round {round}: {output}"
        );
        commit.end();
        // The same without libzypp.
        assert!(!rpm(&root, &["-i"], &[&new]).success());
    }
    // Nor do they keep anybody waiting.
    let bar = plain_kmp("baz", "1.0", &kernel(NEW, 8)).build();
    rpm(&root, &["-i"], &[&bar]).expect_success();
    testkit::campaign::figure("commits attacked by locks", rounds);
}

#[test]
fn what_others_have_made_before_is_taken_from_them() {
    if !testkit::has_other_users() {
        return;
    }
    let root = site();
    let directory = root.join("run/kmp");
    for name in ["commit", "commit-judged", "transaction", "lock"] {
        root.write(Path::new("run/kmp").join(name), "");
        chown(directory.join(name), Some(65534), Some(65534)).unwrap();
    }
    chown(&directory, Some(65534), Some(65534)).unwrap();
    let _attackers = Attackers::start(&root, &directory);
    let new = telling(&kernel(NEW, 8)).build();
    download(&root, &[&new]);
    let commit = Commit::begin(&root, &[("M", &new)]);
    let output = call(&root, &["-i"], &[&new]);
    assert!(!output.success() && output.stderr.contains("foo-kmp-default-1.0"), "{output}");
    commit.end();
    assert_eq!(fs::metadata(&directory).unwrap().uid(), 0);
    // And the links are made, with a word about the lock.
    let same = telling(&kernel(NEW, 7)).build();
    let output = rpm(&root, &["-i"], &[&same]).expect_success();
    assert!(root.exists(link(NEW, "foo")), "{output}");
    assert_eq!(fs::metadata(directory.join("lock")).unwrap().uid(), 0);
}
