// SPDX-License-Identifier: LGPL-2.1-or-later
//! The caller's side.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pipe2};

use crate::program::{End, Files, KEPT, Output, Program};
use crate::supervisor::{self, GO, Kind, MORE, RECORD, Setup};

/// Files sent in one message. The kernel takes 253 (SCM_MAX_FD).
const BATCH: usize = 128;

/// Below it are the places where the program finds its standard files, the socket and its root.
const ABOVE: RawFd = 10;

/// Runs a program until it ends, or is killed because its time is up. That is in the [`Output`], and not an error.
///
/// # Errors
/// The program could not be started: the system's error, or that of [`Program::files`].
pub fn run(program: Program<'_, '_>) -> io::Result<Output> {
    let path = c_string(program.path.as_os_str())?;
    let mut words = vec![path.clone()];
    for argument in program.arguments {
        words.push(c_string(argument)?);
    }
    let environment = program.environment.unwrap_or_else(|| std::env::vars_os().collect());
    let mut variables = Vec::with_capacity(environment.len());
    for (name, value) in environment {
        variables.push(c_string(&[name.as_os_str(), value.as_os_str()].join(OsStr::new("=")))?);
    }

    // Not /dev/null: the chroot of a scriptlet may have none.
    let (stdin, _) = high_pipe()?;
    let (out, stdout) = high_pipe()?;
    let (err, stderr) = high_pipe()?;
    let (control, theirs) = UnixStream::pair()?;
    let theirs = high(theirs.into())?;
    let root = program.root.map(|root| high(root.try_clone_to_owned()?)).transpose()?;
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(&words), pointers(&variables));
    let setup = Setup {
        path: path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        standard: [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()],
        control: theirs.as_raw_fd(),
        root: root.as_ref().map(AsRawFd::as_raw_fd),
        has_files: program.files.is_some(),
        limit: program.limit,
    };
    // SAFETY: the child makes system calls only, neither allocates nor takes a lock, and never returns; what `setup` points to
    // lives until after it has its copy.
    let supervisor = match unsafe { fork() }? {
        ForkResult::Child => supervisor::supervise(&setup),
        ForkResult::Parent { child } => child,
    };
    drop((stdin, stdout, stderr, theirs, root));

    let sent = send_files(&control, program.files);
    if sent.is_err() {
        // Without its files the program is not run: the supervisor sees the socket close.
        let _ = control.shutdown(std::net::Shutdown::Both);
    }
    if let Some(meanwhile) = program.meanwhile.filter(|_| sent.is_ok()) {
        meanwhile();
    }
    let listened = listen(control, out.into(), err.into());
    // Whoever else waited for it, or ignores SIGCHLD: its word has come through the socket.
    while waitpid(supervisor, None) == Err(Errno::EINTR) {}
    match sent {
        // That it could not be run is why nobody took them.
        Err(e) if listened.is_ok() || !matches!(e.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) => {
            Err(e)
        }
        _ => listened,
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a NUL in a word"))
}

fn high(fd: OwnedFd) -> io::Result<OwnedFd> {
    let raw = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(ABOVE))?;
    // SAFETY: fcntl has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn high_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((high(read)?, high(write)?))
}

fn send_files(control: &UnixStream, files: Option<Files<'_>>) -> io::Result<()> {
    if let Some(next) = files {
        let mut batch: Vec<OwnedFd> = Vec::with_capacity(BATCH);
        loop {
            let file = next().transpose()?;
            let is_last = file.is_none();
            batch.extend(file);
            if batch.len() == BATCH || is_last && !batch.is_empty() {
                let raw: Vec<RawFd> = batch.iter().map(AsRawFd::as_raw_fd).collect();
                send(control, MORE, &[ControlMessage::ScmRights(&raw)])?;
                batch.clear();
            }
            if is_last {
                break;
            }
        }
    }
    send(control, GO, &[])
}

fn send(control: &UnixStream, byte: u8, with: &[ControlMessage<'_>]) -> io::Result<()> {
    let data = [byte];
    loop {
        match sendmsg::<()>(control.as_raw_fd(), &[IoSlice::new(&data)], with, MsgFlags::MSG_NOSIGNAL, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            // Another process of the same user has many files under way.
            Err(Errno::ETOOMANYREFS) => std::thread::sleep(std::time::Duration::from_millis(1)),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Takes what the program says until the supervisor has said how it ended. A process that the program leaves behind may keep its
/// stderr; that is not waited for.
fn listen(mut control: UnixStream, mut out: File, mut err: File) -> io::Result<Output> {
    for fd in [out.as_fd(), err.as_fd()] {
        fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let (mut said, mut printed) = (Said::default(), Said::default());
    let (mut out_is_open, mut err_is_open) = (true, true);
    let mut record = [0; RECORD];
    let mut not_run = None;
    loop {
        // A pipe that is closed would be ready all the time.
        let mut fds = vec![PollFd::new(control.as_fd(), PollFlags::POLLIN)];
        let pipes = [(&out, out_is_open), (&err, err_is_open)].into_iter().filter(|(_, is_open)| *is_open);
        fds.extend(pipes.map(|(file, _)| PollFd::new(file.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_ready = fds[0].any().unwrap_or(false);
        out_is_open = out_is_open && drain(&mut out, |bytes| printed.add(bytes))?;
        err_is_open = err_is_open && drain(&mut err, |bytes| said.add(bytes))?;
        if !is_ready {
            continue;
        }
        match control.read_exact(&mut record) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) if not_run.is_some() => {}
            Err(_) => return Err(io::Error::other("the process that looks after it was killed")),
        }
        let value = i32::from_ne_bytes([record[1], record[2], record[3], record[4]]);
        let end = match Kind::of(record[0]) {
            Kind::NotRun => {
                not_run = Some(value);
                continue;
            }
            Kind::Exited => End::Exited(value),
            Kind::Killed => End::Killed(value),
            Kind::TimedOut => End::TimedOut,
            Kind::Stuck => End::Stuck,
        };
        if out_is_open {
            drain(&mut out, |bytes| printed.add(bytes))?;
        }
        if err_is_open {
            drain(&mut err, |bytes| said.add(bytes))?;
        }
        return match not_run {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(Output { end, stderr: said.text(), stdout: printed.text() }),
        };
    }
}

/// Takes what is there. False: there is no more to come.
fn drain(file: &mut File, mut take: impl FnMut(&[u8])) -> io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(n) => take(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The beginning and the end of what a program said.
#[derive(Default)]
struct Said {
    first: Vec<u8>,
    last: std::collections::VecDeque<u8>,
    left_out: u64,
}

impl Said {
    fn add(&mut self, bytes: &[u8]) {
        let half = KEPT / 2;
        let (head, tail) = bytes.split_at(bytes.len().min(half - self.first.len()));
        self.first.extend_from_slice(head);
        self.last.extend(tail);
        let over = self.last.len().saturating_sub(half);
        self.last.drain(..over);
        self.left_out += over as u64;
    }

    fn text(self) -> Vec<u8> {
        let mut text = self.first;
        if self.left_out > 0 {
            text.extend(format!("\n[{} bytes left out]\n", self.left_out).bytes());
        }
        text.extend(self.last);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_kept_within_bounds() {
        let mut said = Said::default();
        said.add(b"short");
        assert_eq!(said.text(), b"short");
        let mut said = Said::default();
        said.add(b"begin");
        (0..100).for_each(|_| said.add(&[b'x'; 10_000]));
        said.add(b"end");
        let text = said.text();
        assert!(text.len() < KEPT + 100 && text.starts_with(b"begin") && text.ends_with(b"xend"));
        assert!(text.windows(17).any(|w| w == b" bytes left out]\n"));
    }
}
