// SPDX-License-Identifier: LGPL-2.1-or-later
//! No path leads out, in each of the ways in which paths are resolved, and our walk agrees with the kernel's.

use super::*;
use nix::errno::Errno;
use nix::sys::stat::Mode;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use tempfile::TempDir;

/// A root at `root` in a directory that also has `secret`, which nothing may reach.
fn tree() -> TempDir {
    let tmp = TempDir::new().unwrap();
    let at = |path: &str| tmp.path().join("root").join(path);
    fs::create_dir_all(at("usr/lib/modules/6.1/updates")).unwrap();
    fs::create_dir_all(at("etc")).unwrap();
    fs::write(tmp.path().join("secret"), "outside").unwrap();
    fs::write(at("etc/name"), "inside").unwrap();
    fs::write(at("usr/lib/modules/6.1/updates/a.ko"), "module").unwrap();
    symlink("usr/lib", at("lib")).unwrap();
    symlink("/etc/name", at("usr/absolute")).unwrap();
    symlink("../../../../../../etc/name", at("usr/up")).unwrap();
    symlink(tmp.path().join("secret"), at("usr/out")).unwrap();
    symlink("../secret", at("outrel")).unwrap();
    symlink("/", at("usr/slash")).unwrap();
    symlink("/usr/lib/", at("etc/libdir")).unwrap();
    symlink("loop2", at("loop1")).unwrap();
    symlink("loop1", at("loop2")).unwrap();
    symlink("nothing", at("dangling")).unwrap();
    symlink("etc/name", at("chain0")).unwrap();
    for i in 1..=41 {
        symlink(format!("chain{}", i - 1), at(&format!("chain{i}"))).unwrap();
    }
    nix::unistd::mkfifo(&at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
    UnixListener::bind(at("socket")).unwrap();
    tmp
}

/// The same root read by openat2 and by our walk.
fn both(tmp: &TempDir) -> [Root; 2] {
    [Resolver::InRoot, Resolver::Walk]
        .map(|resolver| Root::open_with(&tmp.path().join("root"), resolver).unwrap())
}

fn p(path: &str) -> &Path {
    Path::new(path)
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> Errno {
    Errno::from_raw(result.unwrap_err().raw_os_error().unwrap())
}

#[test]
fn nothing_leads_out() {
    let tmp = tree();
    for root in both(&tmp) {
        for path in [
            "/etc/name",
            "etc/name",
            "//etc///name",
            "/../../etc/name",
            "/usr/absolute",
            "/usr/up",
            "/usr/slash/../../etc/./name",
            "/lib/../../etc/name",
            "/etc/libdir/../../etc/name",
            "/chain39",
        ] {
            assert_eq!(root.read(p(path), 100).unwrap(), b"inside", "{path} {root:?}");
        }
        for path in ["/usr/out", "/outrel", "/../secret", "/nothing", "/dangling", "/nothing/..", ""] {
            assert_eq!(errno(root.read(p(path), 100)), Errno::ENOENT, "{path} {root:?}");
            assert!(!root.try_exists(p(path)).unwrap());
        }
        for path in ["/etc/name/", "/etc/name/.", "/etc/name/..", "/etc/name/x", "/usr/absolute/"] {
            assert_eq!(errno(root.read(p(path), 100)), Errno::ENOTDIR, "{path} {root:?}");
        }
        for path in ["/loop1", "/loop1/x", "/chain40", "/chain41"] {
            assert_eq!(errno(root.read(p(path), 100)), Errno::ELOOP, "{path} {root:?}");
        }
        let long = "x/".repeat(2048);
        assert_eq!(errno(root.metadata(p(&long))), Errno::ENAMETOOLONG);
        assert_eq!(errno(root.metadata(p("/a\0b"))), Errno::EINVAL);
    }
}

#[test]
fn only_regular_files_are_read() {
    let tmp = tree();
    for root in both(&tmp) {
        assert_eq!(root.read(p("/fifo"), 10).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(errno(root.read(p("/socket"), 10)), Errno::ENXIO);
        assert_eq!(root.read(p("/etc"), 10).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(root.read(p("/etc/name"), 6).unwrap(), b"inside");
        assert_eq!(root.read(p("/etc/name"), 5).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let mut text = String::new();
        root.open_file(p("/usr/up")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
    }
}

#[test]
fn directories() {
    let tmp = tree();
    for root in both(&tmp) {
        let names = |entries: Vec<DirEntry>| -> Vec<(String, FileType)> {
            entries.into_iter().map(|e| (e.name.into_string().unwrap(), e.kind)).collect()
        };
        assert_eq!(
            names(root.read_dir(p("/usr")).unwrap()),
            [
                ("absolute".into(), FileType::Symlink),
                ("lib".into(), FileType::Dir),
                ("out".into(), FileType::Symlink),
                ("slash".into(), FileType::Symlink),
                ("up".into(), FileType::Symlink),
            ]
        );
        let top = root.read_dir(p("/")).unwrap();
        assert!(top.contains(&DirEntry { name: "fifo".into(), kind: FileType::Other }));
        assert_eq!(root.read_dir(p("/usr/slash")).unwrap(), top);
        assert_eq!(errno(root.read_dir(p("/etc/name"))), Errno::ENOTDIR);

        let modules = root.open_dir(p("/lib/modules/6.1")).unwrap();
        let updates = modules.dir(OsStr::new("updates")).unwrap();
        assert_eq!(names(updates.entries().unwrap()), [("a.ko".into(), FileType::File)]);
        assert_eq!(updates.entries().unwrap().len(), 1, "a second time");
        assert_eq!(updates.read(OsStr::new("a.ko"), 6).unwrap(), b"module");
        assert_eq!(updates.symlink_metadata(OsStr::new("a.ko")).unwrap().size, 6);
        for name in ["", ".", "..", "../a", "a/b", "/"] {
            assert_eq!(errno(updates.open_file(OsStr::new(name))), Errno::EINVAL, "{name}");
            assert_eq!(errno(updates.symlink_metadata(OsStr::new(name))), Errno::EINVAL, "{name}");
        }
        let usr = root.open_dir(p("/usr")).unwrap();
        assert_eq!(errno(usr.open_file(OsStr::new("up"))), Errno::ELOOP);
        assert_eq!(errno(usr.dir(OsStr::new("slash"))), Errno::ENOTDIR);
        assert_eq!(usr.read_link(OsStr::new("slash")).unwrap(), p("/"));
    }
}

#[test]
fn links_and_their_targets() {
    let tmp = tree();
    for root in both(&tmp) {
        assert_eq!(root.symlink_metadata(p("/lib")).unwrap().kind(), FileType::Symlink);
        assert_eq!(root.symlink_metadata(p("/lib/")).unwrap().kind(), FileType::Dir);
        let stat = root.metadata(p("/lib")).unwrap();
        assert_eq!(stat, root.symlink_metadata(p("/usr/lib")).unwrap());
        assert_eq!(root.symlink_metadata(p("/dangling")).unwrap().kind(), FileType::Symlink);
        assert_eq!(errno(root.metadata(p("/dangling"))), Errno::ENOENT);
        assert!(stat.mtime_ns > 0 && stat.ctime_ns > 0);
        assert_eq!(root.read_link(p("/usr/slash/lib")).unwrap(), p("usr/lib"));
        assert_eq!(errno(root.read_link(p("/etc"))), Errno::EINVAL);
        for (path, real) in [
            ("/lib/modules", "/usr/lib/modules"),
            ("/usr/up", "/etc/name"),
            ("/", "/"),
            ("/usr/slash", "/"),
            ("/etc/libdir/modules/..", "/usr/lib"),
            ("/../..", "/"),
        ] {
            assert_eq!(root.canonicalize(p(path)).unwrap(), p(real), "{path}");
        }
        assert_eq!(errno(root.canonicalize(p("/lib/none"))), Errno::ENOENT);
    }
}

#[test]
fn the_system_itself() {
    for path in ["/", "/.", "//", "/proc/.."] {
        let root = Root::open(p(path)).unwrap();
        assert!(root.is_system());
        assert_eq!(root.path(), p("/"));
    }
    let root = Root::open(p("/")).unwrap();
    let tmp = tree();
    let name = tmp.path().join("root/etc/name");
    assert_eq!(root.read(&name, 10).unwrap(), b"inside");
    assert_eq!(root.display(&name), name);
    assert_eq!(root.read(&tmp.path().join("root/usr/out"), 10).unwrap(), b"outside");
    assert_eq!(root.canonicalize(&name).unwrap(), fs::canonicalize(&name).unwrap());
    assert!(!root.read(p("/proc/self/stat"), 10_000).unwrap().is_empty(), "a file of no size");
    assert_eq!(root.read(p("/dev/zero"), 10).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn opening() {
    let tmp = tree();
    let at = tmp.path().join("root//./");
    let root = Root::open(&at).unwrap();
    assert!(!root.is_system());
    assert_eq!(root.display(p("/lib/x")), tmp.path().join("root/lib/x"));
    assert_eq!(root.read(p("/usr/up"), 10).unwrap(), b"inside");
    let error = Root::open(&tmp.path().join("secret")).unwrap_err();
    assert!(error.to_string().contains("secret: Not a directory"), "{error}");
    assert!(Root::open(&tmp.path().join("none")).is_err());
}

/// Random links and random paths: our walk says what the kernel says, to the inode or the errno.
#[test]
fn the_walk_agrees_with_the_kernel() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % n
    };
    let mut path = move || {
        let mut path = String::new();
        for i in 0..1 + random(6) {
            if i > 0 || random(3) == 0 {
                path.push('/');
            }
            path.push_str(["a", "b", "c", "d", "e", "..", ".", "a", "b", "c"][random(10)]);
        }
        if random(8) == 0 {
            path.push('/');
        }
        path
    };
    let (mut good, mut bad) = (0, 0);
    for _ in 0..12 {
        let tmp = TempDir::new().unwrap();
        fs::create_dir_all(tmp.path().join("root/a/b/c")).unwrap();
        let [kernel, walk] = both(&tmp);
        for _ in 0..40 {
            let at = path();
            let Ok(real) = walk.canonicalize(at.rsplit_once('/').map_or(p("/"), |(d, _)| Path::new(d)))
            else {
                continue;
            };
            let name = at.rsplit('/').next().unwrap_or("");
            if matches!(name, "" | "." | "..") {
                continue;
            }
            let file = tmp.path().join("root").join(relative(&real)).join(name);
            let _ = match name {
                "b" => fs::create_dir(file),
                "e" => fs::write(file, "x"),
                _ => symlink(path(), file),
            };
        }
        for _ in 0..1500 {
            let path = path();
            for follow in [true, false] {
                let look = |root: &Root| {
                    root.beneath
                        .open(p(&path), OFlag::O_PATH, follow)
                        .and_then(fstat)
                        .map(|s| (s.st_dev, s.st_ino))
                };
                let (theirs, ours) = (look(&kernel), look(&walk));
                assert_eq!(theirs, ours, "{path} follow={follow} {tmp:?}");
                if theirs.is_ok() {
                    good += 1
                } else {
                    bad += 1
                }
                if let (true, Ok(id)) = (follow, theirs) {
                    let real = walk.canonicalize(p(&path)).unwrap();
                    let stat = fs::symlink_metadata(tmp.path().join("root").join(relative(&real))).unwrap();
                    use std::os::unix::fs::MetadataExt;
                    assert_eq!((stat.dev(), stat.ino()), id, "{path} {real:?}");
                }
            }
        }
    }
    assert!(good > 2000 && bad > 2000, "{good} {bad}");
}
