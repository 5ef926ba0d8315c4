// SPDX-License-Identifier: LGPL-2.1-or-later
//! What goes to the system's log: the command in a root that is its own `/`, with somebody who listens there.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use testkit::{Output, TestRoot, run};

use crate::support::*;

/// A root that has the command, depmod and librpm, and three kernels: one KMP fits two of them, the other its own.
fn site() -> TestRoot {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    root.add_program(KMP, "/usr/bin/kmp");
    root.add_program("/sbin/depmod", "/sbin/depmod");
    root.add_librpm();
    root.mkdir("dev");
    root
}

fn in_root(root: &TestRoot, args: &[&str]) -> Output {
    // Should the command ever wait for the log, this ends it.
    let mut command = Command::new("timeout");
    command.arg("60").arg("chroot").arg(root.path()).args(["/usr/bin/kmp", args[0]]).args(&args[1..]);
    run(command.env_remove("DEPMOD"))
}

fn log(root: &TestRoot) -> UnixDatagram {
    let path = root.join("dev/log");
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// What has come since, without the process's number.
fn heard(socket: &UnixDatagram) -> Vec<String> {
    let mut buffer = [0; 4096];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|n| String::from_utf8_lossy(&buffer[..n]).into()))
        .map(|message: String| {
            let (start, rest) = message.split_once('[').unwrap();
            let (number, text) = rest.split_once(']').unwrap();
            assert!(number.parse::<u32>().is_ok(), "{message}");
            format!("{start}{text}")
        })
        .collect()
}

#[test]
fn changes_and_drivers_that_do_not_fit_are_logged_once() {
    let root = site();
    let socket = log(&root);
    in_root(&root, &["sync"]).expect_success();
    assert_eq!(heard(&socket), [format!("<29>kmp: {SAME}: foo-kmp-default-1_k6.4.0_1-1 added")]);
    // Where something changes, a driver that the kernel does not get is told of, too.
    let link = format!("usr/lib/modules/{OTHER}/weak-updates/updates/foo.ko");
    root.symlink(&link, format!("/usr/lib/modules/{OLD}/updates/foo.ko"));
    in_root(&root, &["sync"]).expect_success();
    let refused = format!("<28>kmp: {OTHER}: foo-kmp-default-1_k6.4.0_1-1 not linked: foo: changing was ");
    let said = heard(&socket);
    assert_eq!(said[0], format!("<29>kmp: {OTHER}: foo-kmp-default-1_k6.4.0_1-1 removed"));
    assert!(said.len() == 2 && said[1].starts_with(&refused), "{said:?}");
    // Nothing has changed: nothing to say. Nor is there for those who only look.
    in_root(&root, &["sync"]).expect_success();
    in_root(&root, &["status"]);
    std::fs::remove_file(root.join(format!("usr/lib/modules/{SAME}/weak-updates/updates/foo.ko"))).unwrap();
    in_root(&root, &["sync", "--dry-run"]);
    assert_eq!(heard(&socket), Vec::<String>::new());
    in_root(&root, &["sync"]).expect_success();
    assert_eq!(heard(&socket).len(), 1);
    // A new kernel is news, though it gets no link.
    in_root(&root, &["add-kernel", OTHER]).expect_success();
    let said = heard(&socket);
    assert!(said.len() == 1 && said[0].starts_with(&refused), "{said:?}");
}

#[test]
fn failures_are_logged() {
    let root = site();
    let socket = log(&root);
    // Scriptlets need no shell here, but this depmod does: it is not there, so it fails.
    root.write("sbin/depmod", "#!/no/such/shell\n");
    assert_eq!(in_root(&root, &["sync"]).status, Some(2));
    let said = heard(&socket);
    assert!(
        said.iter().any(|m| m.starts_with(&format!("<27>kmp: {SAME}: ")) && m.contains("depmod")),
        "{said:?}"
    );
    root.write("var/lib/rpm/rpmdb.sqlite", "no database");
    assert_eq!(in_root(&root, &["sync"]).status, Some(2));
    let said = heard(&socket);
    assert!(said.iter().any(|m| m.starts_with("<27>kmp: the installed packages cannot be read")), "{said:?}");
}

#[test]
fn a_log_that_is_not_there_or_does_not_listen_is_no_fault() {
    let quiet = |output: Output| assert_eq!(output.expect_success().stderr, "");
    let unlink = |root: &TestRoot| {
        std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{SAME}/weak-updates"))).unwrap();
    };
    let root = site();
    quiet(in_root(&root, &["sync", "--no-initrd"]));
    // Nobody behind it any more.
    drop(log(&root));
    unlink(&root);
    quiet(in_root(&root, &["sync", "--no-initrd"]));
    // Somebody who does not read.
    let deaf = log(&root);
    let full = UnixDatagram::unbound().unwrap();
    full.set_nonblocking(true).unwrap();
    while full.send_to(b"x", root.join("dev/log")).is_ok() {}
    unlink(&root);
    quiet(in_root(&root, &["sync", "--no-initrd"]));
    drop(deaf);
    // No socket at all.
    std::fs::remove_file(root.join("dev/log")).unwrap();
    root.write("dev/log", "");
    unlink(&root);
    quiet(in_root(&root, &["sync", "--no-initrd"]));
}

#[test]
fn an_initrd_that_is_asked_for_is_logged() {
    let root = site();
    root.write("etc/fstab", "");
    root.write(format!("usr/lib/modules/{SAME}/vmlinuz"), "a kernel");
    root.add_program("/bin/true", "/usr/bin/dracut");
    let socket = log(&root);
    let mut command = Command::new("chroot");
    command.arg(root.path()).args(["/usr/bin/kmp", "add-kernel", SAME]).env("INITRD_IN_POSTTRANS", "1");
    let output = run(&mut command).expect_success();
    assert!(root.exists(format!("run/regenerate-initrd/{SAME}")), "{output}");
    let said = heard(&socket);
    let wanted = format!("<29>kmp: {SAME}: a new initrd was requested: ");
    assert_eq!(said.iter().filter(|m| m.starts_with(&wanted)).count(), 1, "{said:?}");
}

/// The journal gets fields of kmp's own beside the message, and the number by which it is explained.
#[test]
fn the_journal_gets_fields() {
    let root = site();
    let syslog = log(&root);
    root.mkdir("run/systemd/journal");
    let journal = UnixDatagram::bind(root.join("run/systemd/journal/socket")).unwrap();
    journal.set_nonblocking(true).unwrap();
    in_root(&root, &["sync"]).expect_success();
    let mut buffer = [0; 4096];
    let size = journal.recv(&mut buffer).unwrap();
    let sent = String::from_utf8_lossy(&buffer[..size]).into_owned();
    for line in [
        &format!("MESSAGE={SAME}: foo-kmp-default-1_k6.4.0_1-1 added"),
        "PRIORITY=5",
        "SYSLOG_IDENTIFIER=kmp",
        "KMP_ACTION=added",
        &format!("KMP_KERNEL={SAME}"),
        "KMP_PACKAGE=foo-kmp-default-1_k6.4.0_1-1",
    ] {
        assert!(sent.lines().any(|sent| sent == line), "{line}: {sent}");
    }
    assert!(journal.recv(&mut buffer).is_err() && heard(&syslog).is_empty());
    // What the number stands for, by systemd's own reader.
    let number = sent.lines().find_map(|line| line.strip_prefix("MESSAGE_ID=")).unwrap();
    let catalog = include_str!("../../packaging/journal/kmp.catalog");
    root.write("usr/lib/systemd/catalog/kmp.catalog", catalog);
    root.mkdir("var/lib/systemd/catalog");
    let journalctl =
        |args: &[&str]| run(Command::new("journalctl").arg("--root").arg(root.path()).args(args));
    assert_eq!(journalctl(&["--update-catalog"]).expect_success().stderr, "");
    let listed = journalctl(&["--list-catalog"]).expect_success();
    assert_eq!(listed.lines().len(), catalog.matches("\n-- ").count(), "{listed}");
    let explained = journalctl(&["--dump-catalog", number]).expect_success();
    assert!(explained.stdout.contains("Links of the driver package @KMP_PACKAGE@ changed"), "{explained}");
}

#[test]
fn another_root_is_not_logged() {
    let root = site();
    let socket = log(&root);
    let other = TestRoot::new();
    let [old, ..] = three_kernels(&other);
    other.install(&[&one_module("foo", "1", &old, 7)]);
    run(Command::new("cp").arg("-a").arg(other.path()).arg(root.join("other"))).expect_success();
    in_root(&root, &["--root", "/other", "sync"]).expect_success();
    assert_eq!(heard(&socket), Vec::<String>::new());
    assert!(root.exists(format!("other/usr/lib/modules/{SAME}/weak-updates/updates/foo.ko")));
}

/// As kmp-support.service has it, once a boot.
#[test]
fn modules_in_use_without_support_are_logged() {
    let root = site();
    let socket = log(&root);
    let status = ["--quiet", "status", "--support", "--log"];
    in_root(&root, &status).expect_success();
    assert_eq!(heard(&socket), [] as [&str; 0]);
    root.write("proc/modules", "foo 16384 0 - Live 0x0 (OE)\n");
    in_root(&root, &status).expect_success();
    let line = "<29>kmp: module foo of foo-kmp-default-1_k6.4.0_1-1 is in use without support";
    assert_eq!(heard(&socket), [line]);
}
