//! Killed, or failed, at any system call that changes the disk; then run again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{KernelBuilder, ModuleBuilder, Output, TestRoot, run};

use crate::support::{KMP, kernel, kmp, one_module, package, write};

const A: &str = "6.4.0-1-default";
const B: &str = "6.4.0-2-default";
const C: &str = "6.4.0-3-default";

/// Every call by which a program changes the disk.
const CHANGING: &str = "mkdir,mkdirat,symlink,symlinkat,link,linkat,open,openat,creat,chmod,fchmod,fchmodat,chown,fchown,\
    fchownat,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,write,pwrite64,writev,copy_file_range,sendfile,\
    ftruncate,fallocate,utimensat,flock";

/// What a call is made to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Error(&'static str),
}

/// One call of the run: the N-th of its kind in its process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    name: String,
    nth: usize,
}

/// A root before the run that is to be disturbed, and its state kept to start from again and again.
struct Scenario {
    root: TestRoot,
    /// A copy of all that the run changes.
    before: tempfile::TempDir,
    temporary: tempfile::TempDir,
    args: Vec<&'static str>,
    /// Calls that fail in every run, such as `renameat2` on a file system that cannot exchange.
    always: Vec<&'static str>,
    /// Within depmod itself, only every so many-th call.
    depmod_step: usize,
    chroot: bool,
    /// The run sees the whole set or none of it; not where links are changed one by one.
    whole: bool,
}

/// Links of each kernel, and what each leads to.
type Links = BTreeMap<&'static str, BTreeMap<PathBuf, (PathBuf, Option<Vec<u8>>)>>;

const KEPT: [&str; 2] = ["usr/lib/modules", "run"];

impl Scenario {
    fn new(root: TestRoot, args: &[&'static str]) -> Self {
        let before = tempfile::tempdir().unwrap();
        for dir in KEPT {
            copy(&root.join(dir), &before.path().join(dir));
        }
        Self {
            root,
            before,
            temporary: tempfile::tempdir().unwrap(),
            args: args.to_vec(),
            always: Vec::new(),
            depmod_step: 60,
            chroot: false,
            whole: true,
        }
    }

    /// Puts everything back. Indexes are newer than the files that they tell of, and older than what comes:
    /// change times are as coarse as the kernel's clock ticks, so there is a pause on either side.
    fn restore(&self) {
        const TICKS: std::time::Duration = std::time::Duration::from_millis(20);
        for dir in KEPT {
            let _ = fs::remove_dir_all(self.root.join(dir));
            copy(&self.before.path().join(dir), &self.root.join(dir));
        }
        std::thread::sleep(TICKS);
        let now = std::time::SystemTime::now();
        for krel in [A, B, C] {
            let Ok(entries) = fs::read_dir(self.root.join("usr/lib/modules").join(krel)) else { continue };
            for path in entries.map(|e| e.unwrap().path()) {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                // What depmod reads counts as a change when it is touched.
                let read = name == "modules.order" || name.starts_with("modules.builtin");
                if name.starts_with("modules.") && !read && path.is_file() {
                    fs::File::options().write(true).open(&path).unwrap().set_modified(now).unwrap();
                }
            }
        }
        std::thread::sleep(TICKS);
    }

    fn command(&self, strace: &[String]) -> Command {
        let mut command = if strace.is_empty() {
            if self.chroot {
                let mut command = self.root.command("chroot");
                command.arg(self.root.path()).arg("/usr/bin/kmp");
                command
            } else {
                self.root.command(KMP)
            }
        } else {
            let mut command = self.root.command("strace");
            command.args(strace).arg("--");
            match self.chroot {
                true => command.arg("chroot").arg(self.root.path()).arg("/usr/bin/kmp"),
                false => command.arg(KMP),
            };
            command
        };
        if !self.chroot {
            command.arg("--root").arg(self.root.path()).env("TMPDIR", self.temporary.path());
        }
        command.args(&self.args);
        command
    }

    fn strace(&self, more: &[String]) -> Output {
        let mut options = vec!["-f".to_string(), "-qq".into(), "-y".into()];
        for always in &self.always {
            options.extend(["-e".to_string(), format!("inject={always}")]);
        }
        options.extend(more.iter().cloned());
        run(&mut self.command(&options))
    }

    /// The calls of an undisturbed run that change the disk.
    fn calls(&self) -> Vec<Call> {
        let log = self.temporary.path().join("trace");
        let options = ["-o", log.to_str().unwrap(), "-e", &format!("trace={CHANGING}")].map(String::from);
        let output = self.strace(&options);
        assert_eq!(output.status, Some(0), "{output}");
        let text = fs::read(&log).unwrap();
        fs::remove_file(&log).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let (mut own, mut depmods, mut bulk) = (BTreeSet::new(), BTreeSet::new(), 0);
        let first = text.split_whitespace().next().unwrap_or_default();
        for line in text.lines() {
            let Some((pid, rest)) = line.trim_start().split_once(' ') else { continue };
            let Some((name, arguments)) = rest.trim_start().split_once('(') else { continue };
            let count = counts.entry((pid, name)).or_default();
            *count += 1;
            let opens_for_writing =
                || ["O_CREAT", "O_WRONLY", "O_RDWR"].iter().any(|f| arguments.contains(f));
            let for_people = || ["1<", "2<", "3<pipe", "7<pipe"].iter().any(|fd| arguments.starts_with(fd));
            let in_pipe = || arguments.contains("<pipe:") || arguments.contains("<anon_inode:");
            let changes = match name {
                "open" | "openat" => opens_for_writing() && !arguments.contains("/dev/null"),
                "write" | "writev" => !for_people() && !in_pipe(),
                _ => true,
            };
            // Of the hundred steps by which depmod's picture is drawn and its index copied, some.
            let is_bulk = ["run/kmp/depmod", ".kmp-index"].iter().any(|b| arguments.contains(b));
            bulk += usize::from(changes && is_bulk);
            if changes && (!is_bulk || bulk % 12 == 0) {
                let call = Call { name: name.into(), nth: *count };
                if pid == first {
                    own.insert(call)
                } else {
                    depmods.insert(call)
                };
            }
        }
        let inside = depmods.difference(&own).step_by(self.depmod_step).cloned().collect::<Vec<_>>();
        own.into_iter().chain(inside).collect()
    }

    fn links(&self) -> Links {
        let of = |krel| {
            let links = self.root.weak_updates(krel).into_iter();
            links
                .map(|(link, target)| {
                    let bytes = fs::read(self.root.join(&target)).ok();
                    (link, (target, bytes))
                })
                .collect()
        };
        [A, B, C].into_iter().map(|krel| (krel, of(krel))).collect()
    }

    /// Disturbs the run at every call in turn. Returns how many there were.
    fn disturb(&self, faults: &[Fault]) -> u64 {
        self.restore();
        let foreign = self.foreign();
        let old = self.links();
        let calls = self.calls();
        let new = self.links();
        assert_ne!(old, new, "the run changes nothing");
        let after = self.tree();
        self.restore();
        assert_eq!(self.links(), old);
        let mut done = 0;
        for (number, call) in calls.iter().enumerate() {
            let fault = faults[number % faults.len()];
            let what = match fault {
                Fault::Kill => "signal=KILL".to_string(),
                Fault::Error(errno) => format!("error={errno}"),
            };
            let inject = format!("inject={}:{what}:when={}", call.name, call.nth);
            let log = self.temporary.path().join("log");
            let first =
                self.strace(&["-o".into(), log.to_str().unwrap().into(), "-e".into(), inject.clone()]);
            let _ = fs::remove_file(&log);
            self.check_first(fault, &first, &inject);
            let between = self.links();
            for krel in [A, B, C] {
                let (is, was, will) = (&between[krel], &old[krel], &new[krel]);
                if self.whole {
                    assert!(
                        is == was || is == will,
                        "{krel} is in neither state after {inject}: {is:?}\n{first}"
                    );
                } else {
                    for (link, there) in is {
                        let known = was.get(link) == Some(there) || will.get(link) == Some(there);
                        assert!(known, "{krel}: {} is of no set after {inject}", link.display());
                    }
                }
            }
            assert_eq!(self.foreign(), foreign, "after {inject}");

            let second = run(&mut self.command(&[]));
            assert_eq!(second.status, Some(0), "after {inject}: {second}");
            assert_eq!(self.foreign(), foreign, "after {inject} and a second run");
            let mut healed = self.tree();
            let mut after = after.clone();
            if fault != Fault::Kill {
                // The same call fails in depmod, which then may leave things out without a word.
                let index = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("modules.");
                for (_, state) in healed.iter_mut().chain(&mut after).filter(|(path, _)| index(path)) {
                    *state = "an index".into();
                }
            }
            if healed != after {
                let differs: Vec<_> = healed
                    .keys()
                    .chain(after.keys())
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .filter(|p| healed.get(*p) != after.get(*p))
                    .map(|p| format!("{}: {:?}, not {:?}", p.display(), healed.get(p), after.get(p)))
                    .collect();
                panic!(
                    "after {inject} and a second run:\n{}\nfirst {first}\nsecond {second}",
                    differs.join("\n")
                );
            }
            let left: Vec<_> =
                fs::read_dir(self.temporary.path()).unwrap().map(|e| e.unwrap().path()).collect();
            assert!(left.is_empty(), "after {inject}: {left:?} is left");
            done += 1;
            self.restore();
        }
        testkit::campaign::figure("calls disturbed", done);
        done
    }

    fn check_first(&self, fault: Fault, output: &Output, inject: &str) {
        assert!(!output.stderr.contains("panicked"), "{inject}: {output}");
        if let Fault::Error(_) = fault {
            // A failed flush to a pipe, or a cleaning up that can wait, need not count.
            assert!(matches!(output.status, Some(0 | 2)), "{inject}: {output}");
            if output.status == Some(2) {
                let named = [A, B, C, "/run/kmp", "rpm"].iter().any(|n| output.stderr.contains(n));
                assert!(named, "{inject}: the error names neither kernel nor file: {output}");
            }
        }
    }

    /// All of the root, but an empty directory of a kernel that is gone (killed between the removal of its
    /// last entry and its own), and what a killed depmod itself leaves: `modules.dep.bin.PID.MICROSECONDS.SECONDS`.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        let tree = self.root.tree();
        let numbers = |path: &Path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("modules.") && name.split('.').filter(|p| p.parse::<u64>().is_ok()).count() == 3
        };
        let empty = |path: &Path| {
            path.parent() == Some(Path::new("usr/lib/modules"))
                && !tree.keys().any(|p| p.parent() == Some(path))
        };
        let counts = |(path, _): &(&PathBuf, &String)| !numbers(path) && !empty(path);
        tree.iter().filter(counts).map(|(p, s)| (p.clone(), s.clone())).collect()
    }

    fn foreign(&self) -> Vec<(PathBuf, String)> {
        let tree = self.root.tree();
        let foreign = |path: &Path| {
            let path = path.to_string_lossy();
            path.contains("foreign") && !path.starts_with("run/kmp") && !path.contains("/.kmp-")
        };
        tree.into_iter().filter(|(path, _)| foreign(path)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    let metadata = fs::symlink_metadata(from).unwrap();
    if metadata.is_symlink() {
        symlink(fs::read_link(from).unwrap(), to).unwrap();
    } else if metadata.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        fs::set_permissions(to, metadata.permissions()).unwrap();
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn three_kernels(root: &TestRoot) -> KernelBuilder {
    for krel in [A, B] {
        let kernel = kernel(krel, 7).builtin("kernel/lib/built.ko");
        let in_tree = kernel.driver("in_tree").need("printk", 0x1000_0001);
        write(&kernel.module("drivers/net", in_tree), root);
    }
    // This one has everything built in.
    write(&kernel(C, 7).builtin("kernel/lib/built.ko"), root);
    kernel(A, 7)
}

fn with_softdep(base: &str, kernel: &KernelBuilder) -> ModuleBuilder {
    kernel
        .driver(base)
        .need("printk", 0x1000_0001)
        .need("changing", 7)
        .add_info("softdep", "pre: built")
        .alias("pci:v1d2")
}

/// Files of others in B's `weak-updates`.
fn add_foreign(root: &TestRoot) {
    let top = PathBuf::from("usr/lib/modules").join(B).join("weak-updates");
    root.write(top.join("foreign.txt"), b"mine");
    root.write(top.join("updates/foreign.ko"), b"mine, too");
    root.write(top.join("foreign/deep/er/own.ko"), b"\x7fELF not really");
    root.write("opt/foreign/else.ko", b"else");
    root.symlink(top.join("updates/foreign-link.ko"), "/opt/foreign/else.ko");
}

fn first_links() -> TestRoot {
    let root = TestRoot::new();
    let a = three_kernels(&root);
    kmp(&root, &["sync"]).expect_success();
    let two = package(
        "foo",
        "1.0",
        &a,
        &[("foo", with_softdep("foo", &a)), ("foo_more", with_softdep("foo_more", &a))],
    );
    root.install(&[&two, &one_module("bar", "1.0", &a, 7)]);
    root
}

fn replacing() -> TestRoot {
    let root = first_links();
    add_foreign(&root);
    kmp(&root, &["sync"]).expect_success();
    root.install(&[&one_module("foo", "2.0", &kernel(C, 7), 7)]);
    root
}

#[test]
fn while_the_first_links_are_made() {
    let done = Scenario::new(first_links(), &["sync"]).disturb(&[Fault::Kill]);
    assert!(done >= 50, "{done}");
}

#[test]
fn while_a_version_takes_anothers_place_beside_foreign_files() {
    let done = Scenario::new(replacing(), &["sync"]).disturb(&[Fault::Kill]);
    assert!(done >= 50, "{done}");
}

#[test]
fn while_a_kernel_goes() {
    let root = first_links();
    kmp(&root, &["sync"]).expect_success();
    let dir = root.join("usr/lib/modules").join(B);
    fs::remove_dir_all(dir.join("kernel")).unwrap();
    for entry in fs::read_dir(&dir).unwrap().map(|e| e.unwrap()) {
        if entry.path().is_dir() {
            assert_eq!(entry.file_name(), "weak-updates");
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        let stays = name == "weak-updates"
            || name.starts_with("modules.")
                && !["modules.order", "modules.builtin", "modules.builtin.modinfo"].contains(&&*name);
        if !stays {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let done = Scenario::new(root, &["remove-kernel", B]).disturb(&[Fault::Kill]);
    assert!(done >= 15, "{done}");
}

#[test]
fn while_a_package_goes() {
    let root = first_links();
    add_foreign(&root);
    kmp(&root, &["sync"]).expect_success();
    root.erase(&["foo-kmp-default"]);
    let done = Scenario::new(root, &["remove-kmp", "foo-kmp-default-1.0_k6.4.0_1-1"]).disturb(&[Fault::Kill]);
    assert!(done >= 40, "{done}");
}

#[test]
fn while_links_are_changed_one_by_one() {
    for errno in ["EINVAL", "EXDEV", "ENOSYS"] {
        let mut scenario = Scenario::new(replacing(), &["sync"]);
        scenario.always.push(match errno {
            "EINVAL" => "renameat2:error=EINVAL",
            "EXDEV" => "renameat2:error=EXDEV",
            _ => "renameat2:error=ENOSYS",
        });
        scenario.whole = false;
        scenario.depmod_step = 50;
        scenario.restore();
        assert_eq!(scenario.strace(&[]).status, Some(0));
        let one_by_one = scenario.links();
        scenario.restore();
        run(&mut scenario.command(&[])).expect_success();
        assert_eq!(one_by_one, scenario.links());
        if errno == "EXDEV" {
            let done = scenario.disturb(&[Fault::Kill]);
            assert!(done >= 50, "{done}");
        }
    }
}

#[test]
fn in_the_running_system_itself() {
    let root = first_links();
    for (program, to) in [(KMP, "usr/bin/kmp"), ("/usr/sbin/depmod", "usr/sbin/depmod")] {
        root.add_program(program, to);
    }
    root.add_library("librpm.so.9");
    let rpm = Path::new("/usr/lib/rpm");
    for file in ["macros", "rpmrc"] {
        root.write(rpm.join(file), fs::read(rpm.join(file)).unwrap());
    }
    root.mkdir("dev");
    root.write("dev/null", b"");
    let mut scenario = Scenario::new(root, &["sync"]);
    scenario.chroot = true;
    scenario.depmod_step = 6;
    let done = scenario.disturb(&[Fault::Kill]);
    assert!(done >= 40, "{done}");
}

#[test]
fn every_call_may_fail() {
    let faults = ["EIO", "ENOSPC", "EPERM", "EROFS", "EACCES"].map(Fault::Error);
    let mut scenario = Scenario::new(replacing(), &["sync"]);
    // EPERM from renameat2 or linkat means: one by one.
    scenario.whole = false;
    let done = scenario.disturb(&faults);
    assert!(done >= 50, "{done}");
}
