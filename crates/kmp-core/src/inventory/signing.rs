// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the machine adds to a kernel's configuration about signatures: the kernel's command line, lockdown, Secure Boot, and
//! the keys that it has.

use std::path::Path;

use super::machine_keys::MachineKeys;
use super::machine_policy::{LIMIT, Running, text};
use crate::abi::{Enforced, KernelConfig, Signing};
use crate::root::Root;

/// UEFI's variables, by the kernel's names for them: four bytes of attributes, then the value.
const SECURE_BOOT: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const SETUP_MODE: &str = "/sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Of shim: signatures are not to be checked although Secure Boot is on (`mokutil --disable-validation`).
const NO_VALIDATION: &str = "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23";

/// What a machine says of signatures. Nothing where it is not known to be the one that the kernels of a root run on: what
/// could not be read is taken for the default, so that no module is refused for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineSigning {
    /// The running kernel's release, and whether it takes signed modules only, as far as it says so.
    running: Option<(String, Option<bool>)>,
    /// `module.sig_enforce=` on the command line, which the next kernel gets as well.
    parameter: bool,
    /// `lockdown=` there.
    lockdown: bool,
    secure_boot: bool,
    keys: MachineKeys,
}

impl MachineSigning {
    /// Reads it, for the system that runs.
    pub(super) fn read(root: &Root, running: &Running) -> Self {
        let bytes = |path: &str| root.read_if_there(Path::new(path), LIMIT).ok().flatten();
        let text = |path: &str| text(root, path);
        let variable = |path: &str| bytes(path).and_then(|b| b.get(4).copied());
        let is_on = |path: &str| variable(path) == Some(1);
        let lockdown = text("/sys/kernel/security/lockdown").map(|modes| !modes.contains("[none]"));
        let parameter = text("/sys/module/module/parameters/sig_enforce").map(|value| value == "Y");
        let enforces = match (parameter, lockdown) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        Self {
            running: Some((running.release.clone(), enforces)),
            parameter: running.parameters().any(|p| p.0 == "module.sig_enforce" && is_yes(p.1)),
            lockdown: running
                .parameters()
                .any(|p| p.0 == "lockdown" && matches!(p.1, Some("integrity" | "confidentiality"))),
            secure_boot: is_on(SECURE_BOOT) && !is_on(SETUP_MODE) && !is_on(NO_VALIDATION),
            keys: MachineKeys::read(root),
        }
    }

    /// What it comes to for the kernel `release`. The next boot has the same command line and the same Secure Boot.
    pub fn of(&self, release: &str, config: &KernelConfig) -> Signing {
        let running = self.running.as_ref().filter(|(running, _)| running == release);
        let enforced = match running.and_then(|(_, enforces)| *enforces) {
            Some(false) => None,
            _ if !config.signatures => None,
            Some(true) => Some(Enforced::Running),
            None if self.parameter => Some(Enforced::Parameter),
            None if self.lockdown && config.lockdown => Some(Enforced::Lockdown),
            None if self.secure_boot && config.locked_down_in_secure_boot => Some(Enforced::SecureBoot),
            None => None,
        };
        Signing { enforced, keys: self.keys.of(running.is_some(), self.secure_boot, config) }
    }
}

/// `bool_enable_only`, by `kstrtobool`; without a value it is set.
fn is_yes(value: Option<&str>) -> bool {
    let Some(value) = value else { return true };
    match value.as_bytes() {
        [b'y' | b'Y' | b't' | b'T' | b'1', ..] => true,
        [b'o' | b'O', second, ..] => matches!(second, b'n' | b'N'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use testkit::TestRoot;

    use super::*;

    const RUNNING: &str = "6.4.0-1-default";
    const NEXT: &str = "6.4.0-2-default";

    fn enforced(files: &[(&str, &[u8])], config: &str) -> [Option<Enforced>; 2] {
        let root = TestRoot::new();
        root.write("proc/sys/kernel/osrelease", format!("{RUNNING}\n"));
        let opened = Root::open(&root.path()).unwrap();
        root.mkdir(format!("usr/lib/modules/{RUNNING}/kernel"));
        for (path, bytes) in files {
            root.write(path.trim_start_matches('/'), bytes);
        }
        let machine = MachineSigning::read(&opened, &Running::read(&opened).unwrap());
        let config = KernelConfig::parse(format!("CONFIG_MODULE_SIG=y\n{config}").as_bytes());
        assert_eq!(machine.of(RUNNING, &KernelConfig::default()).enforced, None);
        [RUNNING, NEXT].map(|release| machine.of(release, &config).enforced)
    }

    #[test]
    fn enforced_by_the_command_line() {
        let on = Some(Enforced::Parameter);
        for line in ["quiet module.sig_enforce=1", "module.sig-enforce", "module.sig_enforce=on x -- y"] {
            assert_eq!(enforced(&[("/proc/cmdline", line.as_bytes())], ""), [on, on], "{line}");
        }
        for line in ["quiet", "module.sig_enforce=0", "-- module.sig_enforce=1", "sig_enforce=1"] {
            assert_eq!(enforced(&[("/proc/cmdline", line.as_bytes())], ""), [None, None], "{line}");
        }
        let line = ("/proc/cmdline", &b"lockdown=integrity"[..]);
        let locked = Some(Enforced::Lockdown);
        assert_eq!(enforced(&[line], "CONFIG_SECURITY_LOCKDOWN_LSM=y\n"), [locked, locked]);
        assert_eq!(enforced(&[line], ""), [None, None]);
    }

    #[test]
    fn what_the_running_kernel_says_is_of_itself() {
        let parameter = |value| ("/sys/module/module/parameters/sig_enforce", value);
        let lockdown = |value| ("/sys/kernel/security/lockdown", value);
        let on = Some(Enforced::Running);
        assert_eq!(enforced(&[parameter(&b"Y\n"[..])], ""), [on, None]);
        let locked = lockdown(&b"none [integrity] confidentiality\n"[..]);
        assert_eq!(enforced(&[parameter(b"N\n"), locked], ""), [on, None]);
        let open = lockdown(&b"[none] integrity confidentiality\n"[..]);
        let line = ("/proc/cmdline", &b"module.sig_enforce=1"[..]);
        assert_eq!(enforced(&[parameter(b"N\n"), open, line], ""), [None, Some(Enforced::Parameter)]);
    }

    #[test]
    fn secure_boot_locks_kernels_down_that_are_built_so() {
        let config = "CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT=y\n";
        let on = Some(Enforced::SecureBoot);
        let secure = (SECURE_BOOT, &[6, 0, 0, 0, 1][..]);
        assert_eq!(enforced(&[secure], config), [on, on]);
        assert_eq!(enforced(&[secure], ""), [None, None]);
        assert_eq!(enforced(&[(SECURE_BOOT, &[6, 0, 0, 0, 0])], config), [None, None]);
        assert_eq!(enforced(&[secure, (SETUP_MODE, &[6, 0, 0, 0, 1])], config), [None, None]);
        assert_eq!(enforced(&[secure, (NO_VALIDATION, &[6, 0, 0, 0, 1])], config), [None, None]);
    }
}
