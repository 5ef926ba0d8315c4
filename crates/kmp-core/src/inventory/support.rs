// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether a machine takes modules that SUSE does not support: the kernel's command line, and modprobe.d.

use super::machine_policy::{Running, text};
use super::modprobe_d;
use crate::abi::{KernelConfig, SupportedOnly};
use crate::root::Root;

/// What a machine says of modules without support.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineSupport {
    /// The running kernel's release, and whether it takes them.
    running: Option<(String, bool)>,
    /// `unsupported=0` on the command line.
    parameter: bool,
    /// `allow_unsupported_modules 0`.
    modprobe: bool,
}

impl MachineSupport {
    /// `running`: the kernel that runs, if `root` is its system.
    pub(super) fn read(root: &Root, running: Option<&Running>) -> Self {
        let given = running.into_iter().flat_map(Running::parameters);
        let given = given.filter(|(name, _)| name == "unsupported").last();
        let takes = text(root, "/proc/sys/kernel/unsupported").map(|value| value != "0");
        let mut modprobe = false;
        modprobe_d::each_line(root, |line| {
            let mut words = line.split_ascii_whitespace();
            match (words.next(), words.next()) {
                (Some("allow_unsupported_modules"), Some("0" | "no")) => modprobe = true,
                (Some("allow_unsupported_modules"), Some("1" | "yes")) => modprobe = false,
                _ => {}
            }
        });
        Self {
            running: running.and_then(|running| Some((running.release.clone(), takes?))),
            parameter: given.is_some_and(|(_, value)| value.is_some_and(is_zero)),
            modprobe,
        }
    }

    /// What it comes to for the kernel `release`.
    pub fn of(&self, release: &str, config: &KernelConfig) -> Option<SupportedOnly> {
        let running = self.running.as_ref().filter(|(running, _)| running == release);
        let by_kernel = match running.map(|(_, takes)| *takes) {
            Some(false) => Some(SupportedOnly::Running),
            None if self.parameter => Some(SupportedOnly::Parameter),
            _ => None,
        };
        by_kernel.or(self.modprobe.then_some(SupportedOnly::Modprobe)).filter(|_| config.suse_support)
    }
}

/// As the kernel reads numbers (`get_option`).
fn is_zero(value: &str) -> bool {
    let digits = value.strip_prefix("0x").unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use testkit::TestRoot;

    use super::*;

    const RUNNING: &str = "6.4.0-1-default";
    const NEXT: &str = "6.4.0-2-default";

    fn found(files: &[(&str, &str)]) -> [Option<SupportedOnly>; 2] {
        let root = TestRoot::new();
        root.write("proc/sys/kernel/osrelease", RUNNING);
        root.mkdir(format!("usr/lib/modules/{RUNNING}/kernel"));
        for (path, text) in files {
            root.write(path, text);
        }
        let root = Root::open(&root.path()).unwrap();
        let machine = MachineSupport::read(&root, Running::read(&root).as_ref());
        let config = KernelConfig::parse(b"CONFIG_SUSE_KERNEL_SUPPORTED=y\n");
        // Other kernels know nothing of support.
        assert_eq!(machine.of(RUNNING, &KernelConfig::parse(b"CONFIG_MODULES=y\n")), None);
        [RUNNING, NEXT].map(|release| machine.of(release, &config))
    }

    #[test]
    fn the_kernel_is_told_by_its_command_line_and_as_it_runs() {
        let on = Some(SupportedOnly::Parameter);
        assert_eq!(found(&[]), [None, None]);
        for line in ["quiet unsupported=0", "unsupported=1 unsupported=0x0"] {
            assert_eq!(found(&[("proc/cmdline", line)]), [on, on], "{line}");
        }
        for line in ["unsupported=1", "unsupported=0 unsupported=2", "unsupported", "-- unsupported=0"] {
            assert_eq!(found(&[("proc/cmdline", line)]), [None, None], "{line}");
        }
        let line = ("proc/cmdline", "unsupported=0");
        let running = |value| ("proc/sys/kernel/unsupported", value);
        assert_eq!(found(&[line, running("2\n")]), [None, on]);
        assert_eq!(found(&[running("0\n")]), [Some(SupportedOnly::Running), None]);
    }

    #[test]
    fn modprobe_is_told_by_the_last_line_that_counts() {
        let on = Some(SupportedOnly::Modprobe);
        let vendor =
            ("usr/lib/modprobe.d/10-unsupported-modules.conf", "# no\nallow_unsupported_modules 0\n");
        assert_eq!(found(&[vendor]), [on, on]);
        let own = ("etc/modprobe.d/10-unsupported-modules.conf", "allow_unsupported_modules 1\n");
        assert_eq!(found(&[vendor, own]), [None, None]);
        let later = ("etc/modprobe.d/99-local.conf", "allow_unsupported_modules yes\n");
        assert_eq!(found(&[vendor, later]), [None, None]);
    }
}
