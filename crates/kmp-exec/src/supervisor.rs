// SPDX-License-Identifier: LGPL-2.1-or-later
//! What happens in the two children. All of it is plain system calls: the caller may have threads, of which one may hold the
//! allocator's lock, or any other, for ever in these copies of it.

use std::os::fd::RawFd;
use std::ptr::null_mut;
use std::time::Duration;

use libc::{c_char, c_int, c_uint, pid_t};

use crate::program::{FIRST_FILE, GRACE};

/// Files come with it.
pub(crate) const MORE: u8 = b'f';
/// All files have come.
pub(crate) const GO: u8 = b'g';

/// Bytes of a record about the program: kind and value.
pub(crate) const RECORD: usize = 5;

/// Where the children have the socket, and the directory that becomes the root.
const CONTROL: RawFd = 3;
const ROOT: RawFd = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With errno.
    NotRun,
    /// With the exit status.
    Exited,
    /// With the signal.
    Killed,
    TimedOut,
    Stuck,
}

impl Kind {
    pub(crate) fn of(byte: u8) -> Self {
        match byte {
            0 => Self::NotRun,
            1 => Self::Exited,
            2 => Self::Killed,
            3 => Self::TimedOut,
            _ => Self::Stuck,
        }
    }
}

/// What the children need, in the caller's memory. The files are all above 4 ([`ROOT`]).
pub(crate) struct Setup {
    pub(crate) path: *const c_char,
    pub(crate) argv: *const *const c_char,
    pub(crate) envp: *const *const c_char,
    pub(crate) standard: [RawFd; 3],
    pub(crate) control: RawFd,
    pub(crate) root: Option<RawFd>,
    pub(crate) has_files: bool,
    pub(crate) limit: Duration,
}

/// The supervisor's life.
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "a row of system calls")]
pub(crate) fn supervise(setup: &Setup) -> ! {
    // SAFETY: system calls on numbers and on values of this frame.
    unsafe {
        libc::setsid();
        // What comes for the caller's process group is not for us: the caller's death ends us, in order.
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &all, null_mut());
        // Ignored, the kernel would not keep the program's status for us.
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        for (to, from) in setup.standard.into_iter().enumerate() {
            libc::dup2(from, to as c_int);
        }
        libc::dup2(setup.control, CONTROL);
        libc::fcntl(CONTROL, libc::F_SETFD, libc::FD_CLOEXEC);
        // The number is taken in any case, so that the files' are always the same.
        libc::dup2(setup.root.unwrap_or(setup.control), ROOT);
        libc::fcntl(ROOT, libc::F_SETFD, libc::FD_CLOEXEC);
        // Nothing of the caller's stays open here: neither locks nor pipes that somebody waits to see closed.
        close_from(FIRST_FILE as c_int);
        let supervisor = libc::getpid();
        let program = libc::fork();
        if program == 0 {
            execute(setup, supervisor);
        }
        if program < 0 {
            report(Kind::NotRun, errno());
            report(Kind::Exited, 127);
            libc::_exit(0);
        }
        (0..3).for_each(|fd| {
            libc::close(fd);
        });
        libc::close(ROOT);
        let (kind, value) = watch(program, setup.limit);
        report(kind, value);
        libc::_exit(0)
    }
}

/// Becomes the program.
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "a row of system calls")]
fn execute(setup: &Setup, supervisor: pid_t) -> ! {
    // SAFETY: system calls on numbers, on values of this frame, and on what the caller has prepared.
    unsafe {
        // A session of its own: no terminal, and a process group that can be ended as a whole.
        libc::setsid();
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != supervisor {
            libc::_exit(127);
        }
        if setup.has_files {
            raise_limit();
        }
        let result = take_files().and_then(|()| {
            if setup.root.is_some() {
                check(libc::fchdir(ROOT))?;
                check(libc::chroot(c".".as_ptr()))?;
            }
            check(libc::chdir(c"/".as_ptr()))
        });
        if let Err(errno) = result {
            report(Kind::NotRun, errno);
            libc::_exit(127);
        }
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, null_mut());
        libc::execve(setup.path, setup.argv, setup.envp);
        report(Kind::NotRun, errno());
        libc::_exit(127)
    }
}

/// As many open files as the system's word allows.
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "two system calls")]
fn raise_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads to and writes from a value of this frame.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// Takes the files that the caller sends. They come to lie at the lowest free numbers, which are those from [`FIRST_FILE`] on.
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "the macros for ancillary data are unsafe, each")]
fn take_files() -> Result<(), c_int> {
    /// Room for the 253 files that the kernel lets through at once.
    #[repr(C, align(16))]
    struct Room([u8; 2048]);
    let mut next = FIRST_FILE as c_int;
    loop {
        let mut byte = 0u8;
        let mut room = Room([0; 2048]);
        let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        // SAFETY: a message of zeroes is an empty one; the pointers are to values that outlive the call, and the macros look at
        // what the kernel has written.
        unsafe {
            let mut message = std::mem::zeroed::<libc::msghdr>();
            message.msg_iov = &mut part;
            message.msg_iovlen = 1;
            message.msg_control = room.0.as_mut_ptr().cast();
            message.msg_controllen = room.0.len() as _;
            let got = libc::recvmsg(CONTROL, &mut message, 0);
            if got < 0 && errno() == libc::EINTR {
                continue;
            }
            if got < 0 {
                return Err(errno());
            }
            if got == 0 {
                // The caller is gone, or has thought better of it.
                libc::_exit(127);
            }
            if byte == GO {
                return Ok(());
            }
            if message.msg_flags & libc::MSG_CTRUNC != 0 {
                return Err(libc::EMFILE);
            }
            let header = libc::CMSG_FIRSTHDR(&message);
            if header.is_null() {
                return Err(libc::EPROTO);
            }
            let files = libc::CMSG_DATA(header).cast::<c_int>();
            let count = ((*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize) / size_of::<c_int>();
            for i in 0..count {
                if files.add(i).read_unaligned() != next {
                    return Err(libc::EPROTO);
                }
                next += 1;
            }
        }
    }
}

/// Waits for the program, the end of its time, or the caller's death.
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "a row of system calls")]
fn watch(program: pid_t, limit: Duration) -> (Kind, c_int) {
    // SAFETY: system calls on numbers and on values of this frame.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        let ended = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if let Some(end) = wait(program, ended, Some(CONTROL), limit) {
            return end;
        }
        for signal in [libc::SIGTERM, libc::SIGKILL] {
            // The group is not there yet where the program was stopped before it became one.
            libc::kill(-program, signal);
            libc::kill(program, signal);
            let gone = wait(program, ended, None, GRACE);
            if gone.is_some() {
                // What has outlived the first of the group goes, too.
                libc::kill(-program, libc::SIGKILL);
                return (Kind::TimedOut, 0);
            }
        }
        (Kind::Stuck, 0)
    }
}

/// How the program ended; `None` where that is not so within `limit`, or where the other side of `control` is closed before.
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "a row of system calls")]
fn wait(program: pid_t, ended: RawFd, control: Option<RawFd>, limit: Duration) -> Option<(Kind, c_int)> {
    let start = now();
    loop {
        let mut status = 0;
        // SAFETY: system calls on numbers and on values of this frame.
        unsafe {
            let mut word = [0u8; 128];
            while libc::read(ended, word.as_mut_ptr().cast(), word.len()) > 0 {}
            if libc::waitpid(program, &mut status, libc::WNOHANG) == program {
                return Some(match libc::WIFEXITED(status) {
                    true => (Kind::Exited, libc::WEXITSTATUS(status)),
                    false => (Kind::Killed, libc::WTERMSIG(status)),
                });
            }
            let left = limit.saturating_sub(now().saturating_sub(start));
            if left.is_zero() {
                return None;
            }
            let mut files = [
                libc::pollfd { fd: ended, events: libc::POLLIN, revents: 0 },
                // No event is asked for: the files' messages are for the program. A hang-up is reported in any case.
                libc::pollfd { fd: control.unwrap_or(-1), events: 0, revents: 0 },
            ];
            let milliseconds = c_int::try_from(left.as_millis() + 1).unwrap_or(c_int::MAX);
            libc::poll(files.as_mut_ptr(), 2, milliseconds);
            if files[1].revents & (libc::POLLHUP | libc::POLLERR) != 0 {
                return None;
            }
        }
    }
}

fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a value of this frame.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Reports to the caller.
fn report(kind: Kind, value: c_int) {
    let value = value.to_ne_bytes();
    let record = [kind as u8, value[0], value[1], value[2], value[3]];
    // SAFETY: a system call on a number and a value of this frame.
    unsafe { libc::send(CONTROL, record.as_ptr().cast(), RECORD, libc::MSG_NOSIGNAL) };
}

fn check(result: c_int) -> Result<(), c_int> {
    if result < 0 { Err(errno()) } else { Ok(()) }
}

fn errno() -> c_int {
    nix::errno::Errno::last_raw()
}

/// Closes all files from this number on.
fn close_from(first: c_int) {
    // SAFETY: a system call on numbers.
    if unsafe { libc::syscall(libc::SYS_close_range, first as c_uint, c_uint::MAX, 0 as c_uint) } == 0 {
        return;
    }
    // Before Linux 5.9. More than that are not open in a process that the system can tell the limit.
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to a value of this frame.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    for fd in first..limit.rlim_cur.clamp(1024, 1 << 20) as c_int {
        // SAFETY: whether it is open or not.
        unsafe { libc::close(fd) };
    }
}
