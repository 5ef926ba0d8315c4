// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel as it is booted, and kmp asked on a system that says it runs this kernel.
//!
//! What a machine adds to its kernel is seen of the running system only. So kmp is asked about "/", where the kernel's modules
//! are laid over the machine's own, and its release and command line over those in /proc.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kernel::Small;
use crate::judge::boot::Machine;
use crate::judge::run::Result;
use crate::privilege;

/// The check fails where the machine is busy with other things.
const PLAIN: &str = "no_timer_check";

/// `$1`: the kernel's root; `$2`: its files for /proc; the rest is run. All mounts end with it.
const SCRIPT: &str = r#"
mount -t overlay -o "lowerdir=$1/usr/lib:/usr/lib" overlay /usr/lib
mount --bind "$2/osrelease" /proc/sys/kernel/osrelease
mount --bind "$2/cmdline" /proc/cmdline
mount -t tmpfs tmpfs /sys
shift 2
exec "$@"
"#;

/// A kernel, booted with nothing or one parameter besides.
///
/// # Errors
/// The machine's files cannot be written.
pub fn machine(small: &Small, parameter: &'static str) -> Result<Machine> {
    let arguments = [PLAIN, parameter].join(" ").trim_end().to_string();
    let machine = Machine {
        label: format!("{} {parameter}", small.variant.name).trim_end().into(),
        kernel: small.kernel.clone(),
        root: small.places.root.clone(),
        arguments,
        most_boots: 40,
    };
    let files = files(small, &machine);
    fs::create_dir_all(&files)?;
    fs::write(files.join("osrelease"), format!("{}\n", small.kernel.release))?;
    fs::write(files.join("cmdline"), format!("{}\n", machine.arguments))?;
    Ok(machine)
}

fn files(small: &Small, machine: &Machine) -> PathBuf {
    small.places.work().join("running").join(machine.label.replace(' ', "-"))
}

/// Is nothing added to the kernel, so that kmp can be asked about its root, which is not the running system's?
pub fn is_as_it_is(machine: &Machine) -> bool {
    machine.arguments == PLAIN
}

/// `kmp`, on the system that runs this machine.
///
/// # Errors
/// There are neither rights nor user namespaces to mount something.
pub fn on(small: &Small, machine: &Machine, program: &Path) -> Result<Command> {
    let words = privilege::namespace()?;
    let alone = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", SCRIPT, "sh"];
    let words = [&words[..], &alone].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(&small.places.root).arg(files(small, machine)).arg(program);
    Ok(command)
}
