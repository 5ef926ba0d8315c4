// SPDX-License-Identifier: LGPL-2.1-or-later
//! Symbolic links that lead out of the root: nothing there is read as a module, nothing is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use testkit::{TestRoot, run};

use crate::hostile::{A, B, GOOD, checked, modules, sane, with_good};
use crate::support::{KMP, kernel, links, write};

/// A directory outside with a kernel, a module and a lock that must stay as they are.
fn outside() -> (TestRoot, BTreeMap<PathBuf, String>) {
    let outside = TestRoot::new();
    let krel = "6.4.0-9-default";
    let k = kernel(krel, 7);
    write(&k, &outside);
    outside.write(modules(krel).join("updates/secret.ko"), k.driver("secret").build());
    outside.mkdir("weak");
    outside.write("lock", b"");
    outside.write("config", b"CONFIG_X=y\n");
    let tree = outside.tree_with_times();
    (outside, tree)
}

/// Runs the command with every opened file written down; none may be in `outside`.
#[track_caller]
fn nothing_is_opened(root: &TestRoot, outside: &TestRoot, args: &[&str]) -> Option<i32> {
    let log = outside.home().join("trace");
    let mut command = root.command("timeout");
    command
        .args(["60", "strace", "-f", "-y", "-qq", "-e", "trace=open,openat,openat2,creat", "-o"])
        .arg(&log);
    command.arg(KMP).arg("--root").arg(root.path()).args(args);
    let output = checked(&mut command);
    let trace = fs::read(&log).unwrap();
    let trace = String::from_utf8_lossy(&trace);
    let canary = outside.path();
    for line in trace.lines().filter(|l| !l.contains("O_PATH")) {
        let result = line.rsplit_once(" = ").map_or("", |(_, result)| result);
        let opened = result.contains(canary.to_str().unwrap()) || result.contains("</etc/passwd>");
        assert!(!opened, "{line}\n{output}");
    }
    output.status
}

#[test]
fn links_that_lead_out_are_not_followed() {
    let (out, before) = outside();
    let there = |path: &str| out.join(path);
    type Prepare<'a> = (&'static str, Box<dyn Fn(&TestRoot) + 'a>, bool);
    let replace = |root: &TestRoot, path: &Path, target: &Path| {
        let path = root.join(path);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    let updates = modules(A).join("updates");
    let cases: Vec<Prepare<'_>> = vec![
        ("modules", Box::new(|r| replace(r, Path::new("usr/lib/modules"), &there("usr/lib/modules"))), false),
        ("lib", Box::new(|r| replace(r, Path::new("lib"), &there("usr/lib"))), true),
        (
            "a kernel",
            Box::new(|r| replace(r, &modules("6.4.0-9-default"), &there("usr/lib/modules/6.4.0-9-default"))),
            true,
        ),
        ("weak-updates", Box::new(|r| replace(r, &modules(B).join("weak-updates"), &there("weak"))), false),
        (
            "a directory in it",
            Box::new(|r| replace(r, &modules(B).join("weak-updates/updates"), &there("weak"))),
            false,
        ),
        (
            "in-tree modules",
            Box::new(|r| replace(r, &modules(B).join("kernel"), &there("usr/lib/modules"))),
            true,
        ),
        (
            "an absolute module",
            Box::new(|r| replace(r, &updates.join("abs.ko"), Path::new("/etc/passwd"))),
            true,
        ),
        (
            "a relative module",
            Box::new(|r| {
                replace(
                    r,
                    &updates.join("rel.ko"),
                    Path::new("../../../../../../../../../../../../etc/passwd"),
                )
            }),
            true,
        ),
        (
            "a module outside",
            Box::new(|r| {
                replace(
                    r,
                    &updates.join("out.ko"),
                    &there("usr/lib/modules/6.4.0-9-default/updates/secret.ko"),
                )
            }),
            true,
        ),
        (
            "a directory of modules",
            Box::new(|r| replace(r, &updates.join("dir"), &there("usr/lib/modules"))),
            true,
        ),
        (
            "a directory's directory",
            Box::new(|r| replace(r, &modules(A).join("extra"), &there("usr/lib/modules"))),
            true,
        ),
        ("symvers", Box::new(|r| replace(r, &modules(B).join("config"), &there("config"))), true),
        ("run", Box::new(|r| replace(r, Path::new("run"), &there(""))), false),
        ("run/kmp", Box::new(|r| replace(r, Path::new("run/kmp"), &there(""))), false),
        ("the lock", Box::new(|r| replace(r, Path::new("run/kmp/lock"), &there("lock"))), false),
        ("depmod's place", Box::new(|r| replace(r, Path::new("run/kmp/depmod"), &there("weak"))), true),
        ("depmod.d", Box::new(|r| replace(r, Path::new("etc/depmod.d"), &there("weak"))), true),
        (
            "a stage",
            Box::new(|r| replace(r, &Path::new("usr/lib/modules").join(format!(".kmp-{B}")), &there("weak"))),
            true,
        ),
        ("an index", Box::new(|r| replace(r, &modules(B).join(".kmp-index"), &there("lock"))), true),
        ("modules.dep", Box::new(|r| replace(r, &modules(B).join("modules.dep"), &there("lock"))), true),
    ];
    for (what, prepare, linked) in cases {
        let (root, _) = with_good();
        prepare(&root);
        nothing_is_opened(&root, &out, &["sync"]);
        assert!(before == out.tree_with_times(), "{what}: something outside was changed");
        if linked {
            assert_eq!(links(&root, B), [GOOD], "{what}");
        }
        nothing_is_opened(&root, &out, &["check"]);
        nothing_is_opened(&root, &out, &["sync"]);
        assert!(before == out.tree_with_times(), "{what}: something outside was changed");
    }
}

#[test]
fn an_ordinary_user_may_look() {
    if !testkit::has_other_users() {
        return;
    }
    let (root, _) = with_good();
    sane(&root, &["sync"]);
    for dir in [root.path(), root.home(), root.path().parent().unwrap().to_path_buf()] {
        fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let hidden = root.join(modules(A)).join("updates/hidden.ko");
    fs::write(&hidden, b"").unwrap();
    fs::set_permissions(&hidden, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let before = root.tree_with_times();
    // The build's own directory may not be nobody's to look into.
    let program = root.join("kmp");
    testkit::copy_program(KMP.as_ref(), &program);
    let as_nobody = |args: &[&str]| {
        let mut command = root.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "timeout", "60"]);
        command.arg(&program).arg("--root").arg(root.path()).args(args);
        checked(&mut command)
    };
    let status = as_nobody(&["status"]);
    assert!(status.stdout.contains("good-kmp-default"), "{status}");
    assert!(status.stderr.contains("hidden.ko: cannot be read: Permission denied"), "{status}");
    let file = root.join(modules(A)).join("updates/good.ko");
    let check = as_nobody(&["check", "--kernel", B, file.to_str().unwrap()]);
    assert_eq!(check.status, Some(0), "{check}");
    // What may not be read is unknown, so that the answer is not the whole one.
    let dry = as_nobody(&["sync", "--dry-run"]);
    assert_eq!(dry.status, Some(2), "{dry}");
    assert!(dry.stderr.contains("hidden.ko: cannot be read: Permission denied"), "{dry}");
    root.erase(&["good-kmp-default"]);
    let sync = as_nobody(&["sync"]);
    assert_eq!(sync.status, Some(2), "{sync}");
    assert!(sync.stderr.contains("run/kmp/lock"), "{sync}");
    fs::remove_file(&program).unwrap();
    let unchanged = |tree: BTreeMap<PathBuf, String>| {
        let links = tree.into_iter().filter(|(p, _)| p.to_string_lossy().contains("weak-updates"));
        links.collect::<Vec<_>>()
    };
    assert_eq!(unchanged(before), unchanged(root.tree_with_times()));
}

#[test]
fn closed_and_full_outputs_are_no_crash() {
    for (script, wanted) in [
        ("$0 --root $1 status >&-", 0..=2),
        ("$0 --root $1 sync >&- 2>&-", 0..=0),
        ("$0 --root $1 check >&- 2>&- <&-", 0..=1),
        ("$0 --root $1 status >/dev/full", 2..=2),
        ("$0 --root $1 nonsense 2>/dev/full", 2..=2),
        ("$0 --root $1 check | true", 0..=0),
        ("$0 --root $1 -vv status 2>&1 | head -c 1", 0..=0),
    ] {
        let (root, _) = with_good();
        let output = run(root.command("sh").args(["-c", script, KMP]).arg(root.path()));
        assert!(output.status.is_some_and(|s| wanted.contains(&s)), "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
        if script.contains("sync") {
            assert_eq!(links(&root, B), [GOOD]);
        }
    }
}
