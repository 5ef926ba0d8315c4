// SPDX-License-Identifier: LGPL-2.1-or-later
//! Programs run from processes of several kinds.
#![allow(unsafe_code, reason = "a caller that ignores SIGCHLD")]

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use kmp_exec::{End, FIRST_FILE, Output, Program, run};

const LONG: Duration = Duration::from_secs(600);

fn program<'a>(path: &'a str, arguments: &'a [std::ffi::OsString]) -> Program<'a, 'a> {
    Program {
        path: Path::new(path),
        arguments,
        environment: None,
        root: None,
        files: None,
        meanwhile: None,
        limit: LONG,
    }
}

fn shell(script: &str, limit: Duration) -> io::Result<Output> {
    let arguments = ["-c".into(), script.into()];
    run(Program { limit, ..program("/bin/sh", &arguments) })
}

fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text").trim()
}

#[test]
fn how_a_program_ends_and_what_it_says() {
    let output = shell("echo out; echo err >&2; read nothing || exit 7", LONG).unwrap();
    assert_eq!((output.end, said(&output)), (End::Exited(7), "err"));
    assert_eq!(shell("kill -9 $$", LONG).unwrap().end, End::Killed(9));
    // More than a pipe holds, on both.
    let output = shell("seq 1 100000; seq 1 100000 >&2", LONG).unwrap();
    assert_eq!(output.end, End::Exited(0));
    assert!(said(&output).starts_with("1\n2\n") && said(&output).ends_with("99999\n100000"));
    let missing = run(program("/nowhere/program", &[])).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    let directory = run(program("/bin", &[])).unwrap_err();
    assert_eq!(directory.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn it_has_a_session_of_its_own_and_nothing_of_the_callers() {
    let _open = File::open("/dev/null").unwrap();
    // A shell has a file more open while it redirects one command or has just started the first of a pipeline, and may block
    // signals while it starts a program: so stdout is redirected once, nothing is piped, and the shell itself reads the signals.
    let script = "exec >&2; set -- $(cat /proc/$$/stat); [ $1 = $5 ] && [ $1 = $6 ] || echo session; \
                  pwd; ls -m /proc/$$/fd; while read -r name set; do \
                  case $name in SigBlk:|SigIgn:) printf '%s\\t%s\\n' \"$name\" \"$set\";; esac; done < /proc/$$/status";
    let output = shell(script, LONG).unwrap();
    let lines: Vec<&str> = said(&output).lines().collect();
    assert_eq!((&lines[..2], lines.len()), (&["/", "0, 1, 2"][..], 4), "{}", said(&output));
    for line in &lines[2..] {
        let (_, set) = line.split_once(":\t").unwrap();
        // The C library keeps two real-time signals to itself.
        assert_eq!(u64::from_str_radix(set, 16).unwrap() & 0x7fff_ffff, 0, "{line}");
    }
}

#[test]
fn a_program_that_does_not_end_is_ended_with_its_group() {
    let tmp = tempfile::tempdir().unwrap();
    let note = tmp.path().join("pid");
    let script = format!("trap '' TERM; sleep 1000 & echo $! > '{}'; wait", note.display());
    // Both ignore SIGTERM, so it takes SIGKILL.
    let output = shell(&script, Duration::from_millis(300)).unwrap();
    assert_eq!(output.end, End::TimedOut);
    let pid = std::fs::read_to_string(note).unwrap();
    // A process that was killed is there until a busy machine gets round to ending it.
    let ends = Instant::now() + LONG;
    while std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.contains(") Z "))
    {
        assert!(Instant::now() < ends, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_it_leaves_behind_is_not_waited_for() {
    let output = shell("sleep 1000 & echo $! >&2", LONG).unwrap();
    assert_eq!(output.end, End::Exited(0));
    let pid: i32 = said(&output).parse().unwrap();
    // SAFETY: the shell's child, which has ended its parent's session with it.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

#[test]
fn thousands_of_files_go_through_few() {
    let tmp = tempfile::tempdir().unwrap();
    let mut left = (0..3000).map(|i| {
        let path = tmp.path().join(i.to_string());
        std::fs::write(&path, i.to_string())?;
        Ok(OwnedFd::from(File::open(path)?))
    });
    // A shell that has not yet closed a pipe, or keeps what it redirects for one command, has one more.
    let script = format!(
        "exec >&2; cat /proc/self/fd/{} /proc/self/fd/{}; exec >'{list}'; ls /proc/$$/fd; exec >&2; wc -l <'{list}'",
        FIRST_FILE,
        FIRST_FILE + 2999,
        list = tmp.path().join("list").display(),
    );
    let arguments = ["-c".into(), script.into()];
    let mut next = || left.next();
    let output = run(Program { files: Some(&mut next), ..program("/bin/sh", &arguments) }).unwrap();
    assert_eq!((output.end, said(&output)), (End::Exited(0), "029993003"));

    let mut fails = || Some(Err(io::Error::other("no such file of ours")));
    let failed = run(Program { files: Some(&mut fails), ..program("/bin/sh", &arguments) });
    assert_eq!(failed.unwrap_err().to_string(), "no such file of ours");
    let mut left = (0..3000).map(|_| Ok(File::open("/dev/null").unwrap().into()));
    let mut next = || left.next();
    let missing = run(Program { files: Some(&mut next), ..program("/nowhere/program", &[]) });
    assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_root_of_its_own() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::write(tmp.path().join("mine"), "").unwrap();
    let root = File::open(tmp.path()).unwrap();
    use std::os::fd::AsFd;
    let output = run(Program { root: Some(root.as_fd()), ..program("/bin/sh", &[]) });
    // There is no shell in it.
    assert_eq!(output.unwrap_err().kind(), io::ErrorKind::NotFound);
}

/// In a process of its own, as it changes what the process does with signals.
#[test]
fn a_caller_that_gets_no_word_of_its_children() {
    const CASE: &str = "KMP_EXEC_TEST_CASE";
    if let Some(case) = std::env::var_os(CASE) {
        extern "C" fn take_all(_: libc::c_int) {
            // SAFETY: waits for whatever child there is, as some programs do.
            while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
        }
        let handler = match case == "ignored" {
            true => libc::SIG_IGN,
            false => take_all as extern "C" fn(libc::c_int) as libc::sighandler_t,
        };
        // SAFETY: the handler makes one system call.
        unsafe { libc::signal(libc::SIGCHLD, handler) };
        for _ in 0..50 {
            assert_eq!(shell("exit 0", LONG).unwrap().end, End::Exited(0));
            assert_eq!(shell("sh -c 'exit 3'; exit $?", LONG).unwrap().end, End::Exited(3));
            assert!(run(program("/nowhere/program", &[])).is_err());
        }
        return;
    }
    for case in ["ignored", "taken"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_caller_that_gets_no_word_of_its_children", "--nocapture"])
            .env(CASE, case)
            .output()
            .unwrap();
        assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    }
}

/// The caller is killed; the program does not go on.
#[test]
fn a_program_ends_with_its_caller() {
    const CASE: &str = "KMP_EXEC_TEST_KILLED";
    if let Some(note) = std::env::var_os(CASE) {
        let _ =
            shell(&format!("echo $$ > '{0}.new'; mv '{0}.new' '{0}'; exec sleep 1000", note.display()), LONG);
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let note = tmp.path().join("pid");
    let mut caller = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_program_ends_with_its_caller", "--nocapture"])
        .env(CASE, &note)
        .spawn()
        .unwrap();
    let pid = loop {
        if let Ok(pid) = std::fs::read_to_string(&note) {
            break pid.trim().to_string();
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let is_alive =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(is_alive());
    caller.kill().unwrap();
    caller.wait().unwrap();
    while is_alive() {
        std::thread::sleep(Duration::from_millis(10));
    }
}
