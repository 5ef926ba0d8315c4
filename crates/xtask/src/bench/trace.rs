// SPDX-License-Identifier: LGPL-2.1-or-later
//! What strace saw.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Stdio};

/// Calls that change something on disk by their very name.
const CHANGES: &[&str] = &[
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "truncate",
    "ftruncate",
    "fallocate",
    "utime",
    "utimes",
    "utimensat",
    "futimesat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "fsync",
    "fdatasync",
    "sync",
    "syncfs",
    "sendfile",
    "copy_file_range",
    "creat",
    "mount",
    "umount2",
];
const WRITES: &[&str] = &["write", "writev", "pwrite64", "pwritev", "pwritev2"];
const OPENS: &[&str] = &["open", "openat", "openat2"];

/// What a run did, as far as files are concerned.
#[derive(Debug, Default)]
pub struct Trace {
    /// How often each file was opened for reading.
    pub opened: BTreeMap<String, usize>,
    /// Calls that write, other than to stdout and stderr; librpm's sqlite files left out.
    pub writes: Vec<String>,
    /// Calls with which librpm's sqlite opens or writes its `-shm` and `-wal`, as `rpm -q` does.
    pub librpm: Vec<String>,
    /// Programs started.
    pub programs: Vec<String>,
}

/// Runs a command below strace.
pub fn trace(command: &Command, log: &Path) -> Result<Trace, String> {
    let calls = [&["%file,%process"], WRITES, CHANGES].concat();
    let calls: Vec<&str> =
        calls.into_iter().filter(|c| *c != "creat" || cfg!(target_arch = "x86_64")).collect();
    let mut strace = Command::new("strace");
    // A name that this machine's kernel does not have is passed over: `?`.
    let calls = calls.iter().map(|c| if c.starts_with('%') { (*c).into() } else { format!("?{c}") });
    let calls = format!("trace={}", calls.collect::<Vec<String>>().join(","));
    strace.args(["-f", "-y", "-s", "0", "-o"]).arg(log).args(["-e", &calls]).arg(command.get_program());
    strace.args(command.get_args()).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    let output = strace.output().map_err(|e| format!("strace: {e}"))?;
    let text = std::fs::read(log)
        .map_err(|e| format!("strace did not work: {e}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let trace = parse(&String::from_utf8_lossy(&text));
    match trace.programs.is_empty() {
        true => Err(format!("strace saw nothing: {}", String::from_utf8_lossy(&output.stderr))),
        false => Ok(trace),
    }
}

fn parse(text: &str) -> Trace {
    let mut trace = Trace::default();
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    for line in text.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            unfinished.insert(process, start);
        } else if let Some((_, end)) = call.strip_prefix("<... ").and_then(|c| c.split_once(" resumed>")) {
            let start = unfinished.remove(process).unwrap_or("");
            trace.take(&format!("{start}{end}"));
        } else {
            trace.take(call);
        }
    }
    trace
}

impl Trace {
    fn take(&mut self, call: &str) {
        let (Some((name, rest)), Some((_, result))) = (call.split_once('('), call.rsplit_once(" = ")) else {
            return;
        };
        if result.starts_with('-') || result.starts_with('?') {
            return;
        }
        // With -y, a descriptor is `7</the/path>`.
        let path_in = |text: &str| Some(text.split_once('<')?.1.rsplit_once('>')?.0.to_owned());
        if OPENS.contains(&name) {
            let flag = |flags: &[&str]| flags.iter().any(|f| rest.contains(f));
            let path = path_in(result).unwrap_or_default();
            if flag(&["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"]) {
                if path != "/dev/null" {
                    self.write(call, &path);
                }
            } else if !flag(&["O_PATH", "O_DIRECTORY"]) {
                *self.opened.entry(path).or_default() += 1;
            }
        } else if WRITES.contains(&name) {
            let first = rest.split_once(',').map_or(rest, |(first, _)| first);
            let path = path_in(first).unwrap_or_default();
            let to_disk = !["pipe:", "anon_inode:", "socket:"].iter().any(|k| path.starts_with(k));
            if to_disk && !first.starts_with("1<") && !first.starts_with("2<") {
                self.write(call, &path);
            }
        } else if CHANGES.contains(&name) {
            let path = path_in(rest.split_once(',').map_or(rest, |(first, _)| first)).unwrap_or_default();
            self.write(call, &path);
        } else if name == "execve" || name == "execveat" {
            self.programs.push(rest.split('"').nth(1).unwrap_or_default().to_owned());
        }
    }

    fn write(&mut self, call: &str, path: &str) {
        let sqlite =
            ["-shm", "-wal"].iter().any(|end| path.ends_with(end) || call.contains(&format!("{end}\"")));
        if sqlite { &mut self.librpm } else { &mut self.writes }.push(call.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart() {
        let trace = parse(
            "10 execve(\"/bin/kmp\", [...], 0x7ffc) = 0\n\
             10 openat2(3</r>, \"a.ko\", {flags=O_RDONLY|O_CLOEXEC, resolve=RESOLVE_IN_ROOT}, 24 <unfinished ...>\n\
             11 openat(AT_FDCWD, \"/db-shm\", O_RDWR|O_CREAT, 0644) = 5</db-shm>\n\
             10 <... openat2 resumed>) = 4</r/a.ko>\n\
             10 openat2(3</r>, \"a.ko\", {flags=O_PATH|O_CLOEXEC}, 24) = 4</r/a.ko>\n\
             10 openat(AT_FDCWD, \"/x\", O_WRONLY|O_CREAT, 0644) = -1 ENOENT (No such file or directory)\n\
             10 write(1</dev/null>, \"\"..., 10) = 10\n\
             10 write(7</r/z>, \"\"..., 10) = 10\n\
             10 mkdirat(3</r>, \"q\", 0755) = 0\n",
        );
        assert_eq!(trace.opened.into_iter().collect::<Vec<_>>(), [("/r/a.ko".to_owned(), 1)]);
        assert_eq!(trace.writes.len(), 2, "{:?}", trace.writes);
        assert_eq!(trace.librpm.len(), 1);
        assert_eq!(trace.programs, ["/bin/kmp"]);
    }
}
