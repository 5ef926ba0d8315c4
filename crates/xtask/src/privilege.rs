// SPDX-License-Identifier: LGPL-2.1-or-later
//! Root's rights, or a user namespace that stands in for them.

use std::process::{Command, Stdio};

/// Is this root?
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// For a chroot whose "/" is no mount point, where unshare and rpm's plugins cannot make the mounts of a new namespace their
/// own: the same once more, as a mount. It is laid over /proc, which is a mount, so that it can be kept from the outside.
const MOUNTED: &[&str] = &[
    "unshare",
    "--mount",
    "--propagation",
    "unchanged",
    "sh",
    "-ec",
    r#"mount --make-private /proc; mount --rbind / /proc; exec chroot /proc env -C "$PWD" "$@""#,
    "sh",
];

/// Is "/" a mount point? Also if nobody knows.
fn root_is_mounted() -> bool {
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return true };
    mounts.lines().any(|line| line.split(' ').nth(4) == Some("/"))
}

fn works(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["unshare", "--mount", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The words that give a command root's rights in a namespace of its own, with as many users as the caller has in `/etc/subuid`.
/// None for root, but in a chroot whose "/" is no mount point.
pub fn namespace() -> Result<Vec<&'static str>, String> {
    if is_root() {
        return match root_is_mounted() {
            true => Ok(Vec::new()),
            false if works(MOUNTED) => Ok(MOUNTED.to_vec()),
            false => Err("\"/\" is no mount point in this chroot, and cannot be made one here: mount /proc in it, or enter \
                          it after `mount --bind CHROOT CHROOT`"
                .into()),
        };
    }
    let ways: [&[&'static str]; 2] = [&["--map-auto"], &[]];
    let mut ways = ways.into_iter().map(|way| [&["unshare", "-Urm"], way].concat());
    match ways.find(|words| works(words)) {
        Some(words) => Ok(words),
        None => Err("rpm needs the rights of root for a root of its own: run this as root, or allow user \
                      namespaces (unshare -Urm)"
            .into()),
    }
}

/// Runs this chore again where it has root's rights; `None` where it has them.
pub fn again(arguments: &[&str]) -> Result<Option<()>, String> {
    let words = namespace()?;
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    let program = crate::run::this_program()?;
    let status = Command::new(first).args(rest).arg(program).args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(Some(())),
        Ok(status) => Err(format!("failed in the user namespace ({status})")),
        Err(e) => Err(format!("{first}: {e}")),
    }
}
