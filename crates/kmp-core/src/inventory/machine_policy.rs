// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the machine adds to a kernel's configuration about the modules that it takes.

use std::path::Path;

use super::signing::MachineSigning;
use super::support::MachineSupport;
use crate::abi::Kernel;
use crate::root::Root;
use crate::tree::{DIRECTORIES, IN_TREE};

/// More of a file in `/proc`, `/sys` or modprobe.d is not read.
pub(super) const LIMIT: u64 = 1 << 20;

/// What a machine asks of modules beside what kernels do. What could not be read is taken for the default, so that no module is
/// refused for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachinePolicy {
    signing: MachineSigning,
    support: MachineSupport,
}

impl MachinePolicy {
    /// Reads it. Of the kernel that runs nothing is said where `root` is not known to be the system that it runs.
    pub fn load(root: &Root) -> Self {
        let running = (root.path() == Path::new("/")).then(|| Running::read(root)).flatten();
        let signing = running.as_ref().map(|running| MachineSigning::read(root, running));
        let support = MachineSupport::read(root, running.as_ref());
        Self { signing: signing.unwrap_or_default(), support }
    }

    /// Adds it to a kernel whose configuration is known.
    pub fn complete(&self, kernel: &mut Kernel) {
        kernel.signing = self.signing.of(&kernel.release, &kernel.config);
        kernel.supported_only = self.support.of(&kernel.release, &kernel.config);
    }
}

/// The kernel that runs.
pub(super) struct Running {
    /// Its release.
    pub release: String,
    /// The next kernel that is booted has the same.
    command_line: String,
}

impl Running {
    /// `None` where the running kernel is not installed: an image that is made in a chroot, or a container.
    pub fn read(root: &Root) -> Option<Self> {
        let is_installed = |release: &String| {
            let below = Path::new(release).join(IN_TREE);
            DIRECTORIES.iter().any(|dir| root.try_exists(&Path::new(dir).join(&below)).unwrap_or(false))
        };
        let release = text(root, "/proc/sys/kernel/osrelease").filter(is_installed)?;
        Some(Self { release, command_line: text(root, "/proc/cmdline").unwrap_or_default() })
    }

    /// The parameters on its command line, with `_` for `-` in names.
    pub fn parameters(&self) -> impl Iterator<Item = (String, Option<&str>)> {
        let words = self.command_line.split_ascii_whitespace().take_while(|word| *word != "--");
        words.map(|word| match word.split_once('=') {
            Some((name, value)) => (name.replace('-', "_"), Some(value)),
            None => (word.replace('-', "_"), None),
        })
    }
}

/// A file of one line, if it is there and can be read.
pub(super) fn text(root: &Root, path: &str) -> Option<String> {
    let bytes = root.read_if_there(Path::new(path), LIMIT).ok().flatten()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_string())
}

#[cfg(test)]
mod tests {
    use testkit::TestRoot;

    use super::*;

    /// Of a system that has not the running kernel nothing is said, nor of another root.
    #[test]
    fn the_kernel_that_runs_is_that_of_the_running_system() {
        let files = TestRoot::new();
        files.write("proc/sys/kernel/osrelease", "6.4.0-1-default\n");
        files.write("proc/cmdline", "quiet module.sig_enforce=1");
        let root = Root::open(&files.path()).unwrap();
        assert!(Running::read(&root).is_none());
        files.mkdir("usr/lib/modules/6.4.0-1-default/kernel");
        assert_eq!(Running::read(&root).unwrap().release, "6.4.0-1-default");
        assert_eq!(MachinePolicy::load(&root), MachinePolicy::default());
    }
}
