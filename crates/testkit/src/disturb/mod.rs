// SPDX-License-Identifier: LGPL-2.1-or-later
//! Programs that are killed, or made to fail, at one system call after the other, by strace.

mod initrds;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

pub use scenario::Scenario;

use crate::root::TestRoot;
use crate::tools::{Output, run};

/// Every call by which a program changes the disk.
const CHANGING: &str = "mkdir,mkdirat,symlink,symlinkat,link,linkat,open,openat,creat,chmod,fchmod,fchmodat,chown,fchown,\
    fchownat,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,write,pwrite64,writev,copy_file_range,sendfile,\
    ftruncate,fallocate,utimensat,flock";

/// What a call is made to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed before it.
    Kill,
    /// It fails with this error, by name.
    Error(&'static str),
}

/// One call of a run: the N-th of its kind in its process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    name: String,
    nth: usize,
}

impl Call {
    fn inject(&self, fault: Fault) -> String {
        let what = match fault {
            Fault::Kill => "signal=KILL".to_string(),
            Fault::Error(errno) => format!("error={errno}"),
        };
        format!("{}:{what}:when={}", self.name, self.nth)
    }
}

/// A program with its arguments, environment and standard input: what can be run again and again, alone or under strace.
#[derive(Clone, Debug)]
pub struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(String, OsString)>,
    stdin: String,
}

impl Run {
    /// A program with nothing on its standard input. Where it is kmp, it makes no index without depmod.
    pub fn new<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(|a| a.as_ref().to_owned()).collect();
        Self {
            program: program.as_ref().to_owned(),
            arguments,
            variables: vec![("KMP_INDEX".into(), "depmod".into())],
            stdin: String::new(),
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Sets what is on its standard input.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = text.into();
        self
    }

    fn output(&self, root: &TestRoot) -> Output {
        self.finish(root.command(&self.program))
    }

    fn under_strace(&self, root: &TestRoot, options: &[String]) -> Output {
        let mut command = root.command("strace");
        command.args(options).arg("--").arg(&self.program);
        self.finish(command)
    }

    fn finish(&self, mut command: Command) -> Output {
        // Not twice.
        command.env_remove("KMP_TEST_INDEX_COMPARE");
        command.args(&self.arguments).envs(self.variables.iter().map(|(n, v)| (n, v)));
        let mut input = tempfile::tempfile().expect("a temporary file");
        input.write_all(self.stdin.as_bytes()).expect("a temporary file");
        std::io::Seek::rewind(&mut input).expect("a temporary file");
        run(command.stdin(Stdio::from(input)))
    }
}

/// The calls of a run that change the disk: those of the program itself, and those of the processes that it starts.
struct Calls {
    own: Vec<Call>,
    inside: Vec<Call>,
}

impl Calls {
    /// Of `text`, which strace wrote. `from`: only calls after this text was seen count. Of the hundreds of steps that are
    /// all alike, such as copies of an index, one of so many is taken, beginning with the `first`.
    fn read(text: &str, from: Option<&str>, one_of: usize, first: usize) -> Self {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let (mut own, mut inside, mut bulk) = (BTreeSet::new(), BTreeSet::new(), 0);
        let program = text.split_whitespace().next().unwrap_or_default();
        let mut is_begun = from.is_none();
        // What the program itself has done up to there.
        let mut before: BTreeMap<String, usize> = BTreeMap::new();
        for line in text.lines() {
            let Some((pid, rest)) = line.trim_start().split_once(' ') else { continue };
            let Some((name, arguments)) = rest.trim_start().split_once('(') else { continue };
            let count = counts.entry((pid, name)).or_default();
            *count += 1;
            is_begun |= from.is_some_and(|from| arguments.contains(from));
            if !is_begun && pid == program {
                before.insert(name.into(), *count);
            }
            if !is_begun || !changes(name, arguments) {
                continue;
            }
            let is_bulk = [".kmp-index", "/kmp-depmod-"].iter().any(|b| arguments.contains(b));
            bulk += usize::from(is_bulk);
            if is_bulk && bulk % one_of != first % one_of {
                continue;
            }
            let call = Call { name: name.into(), nth: *count };
            if pid == program {
                own.insert(call)
            } else {
                inside.insert(call)
            };
        }
        // The N-th call of a kind is disturbed in every process: what the program itself has is had already.
        let is_too_early = |call: &&Call| before.get(&call.name).is_some_and(|count| *count >= call.nth);
        let inside = inside.difference(&own).filter(|call| !is_too_early(call)).cloned().collect();
        Self { own: own.into_iter().collect(), inside }
    }
}

fn changes(name: &str, arguments: &str) -> bool {
    let opens_for_writing = || ["O_CREAT", "O_WRONLY", "O_RDWR"].iter().any(|f| arguments.contains(f));
    let for_people = || ["1<", "2<", "3<pipe", "7<pipe"].iter().any(|fd| arguments.starts_with(fd));
    let in_pipe = || arguments.contains("<pipe:") || arguments.contains("<anon_inode:");
    match name {
        "open" | "openat" => opens_for_writing() && !arguments.contains("/dev/null"),
        "write" | "writev" => !for_people() && !in_pipe(),
        _ => true,
    }
}

/// Writes a busybox and, as `/usr/bin/dracut`, a script on it that packs all third-party modules of a kernel: enough for
/// kmp to see which initrd has what. Kernels still need images, see [`TestRoot::write`].
pub fn add_generator(root: &TestRoot) {
    root.add_program("/bin/busybox", "/bin/busybox");
    let script = "#!/bin/busybox sh\n\
        # dracut [OPTION]... -f IMAGE KREL, or -f --kver KREL, where it chooses the image itself\n\
        set -eo pipefail\n\
        while [ \"$1\" != -f ]; do shift; done\n\
        krel=$3 image=$2\n\
        [ \"$image\" != --kver ] || image=/boot/initrd-$krel\n\
        cd /usr/lib/modules/\"$krel\"\n\
        list=$(/bin/busybox find . -name '*.ko' ! -path './kernel/*')\n\
        cd /\n\
        for module in $list; do echo \"usr/lib/modules/$krel/${module#./}\"; done | /bin/busybox cpio -o -L -H newc > \"$image\"\n";
    root.write("usr/bin/dracut", script);
    make_executable(&root.join("usr/bin/dracut"));
    root.write("etc/fstab", "");
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
}
