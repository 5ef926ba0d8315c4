// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether a kernel of a root is ever booted: not in an image in the making, or a container.

use std::io;
use std::path::Path;

use crate::problem::Problem;
use crate::root::Root;

/// What container managers leave in their containers.
const OF_CONTAINERS: &[&str] = &["/run/.containerenv", "/.dockerenv", "/run/systemd/container"];

/// Is it an image in the making, or a container? By signs that are there only: files of container managers, and a
/// machine-id that is there and not set, as systemd wants it in images that many machines are made of. What could not be
/// looked at is added to `problems`.
pub fn nothing_boots(root: &Root, problems: &mut Vec<Problem>) -> bool {
    let mut unread =
        |path: &Path, error: io::Error| problems.push(Problem::unreadable(root.display(path), &error));
    let is_there = |file: &&str| {
        let path = Path::new(file);
        root.try_exists(path).unwrap_or_else(|e| {
            unread(path, e);
            false
        })
    };
    if OF_CONTAINERS.iter().any(is_there) {
        return true;
    }
    let path = Path::new("/etc/machine-id");
    let machine_id = root.read_if_there(path, 128).unwrap_or_else(|e| {
        unread(path, e);
        None
    });
    machine_id.is_some_and(|id| matches!(id.trim_ascii(), b"" | b"uninitialized"))
}

/// Do variables of this process say that it is in a container, or makes an image?
pub fn is_offline() -> bool {
    let said = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    ["container", "SYSTEMD_OFFLINE"].into_iter().any(said)
}

/// Do files say so of a root, or variables where it is the system of this process? What could not be looked at is added to
/// `problems`.
pub fn nothing_boots_here(root: &Root, problems: &mut Vec<Problem>) -> bool {
    nothing_boots(root, problems) || root.is_system() && is_offline()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_or_a_container_is_known_by_signs() {
        for (file, text, expected) in [
            ("etc/os-release", "ID=x", false),
            ("etc/machine-id", "0123456789abcdef0123456789abcdef\n", false),
            ("etc/machine-id", "", true),
            ("etc/machine-id", "uninitialized\n", true),
            ("run/.containerenv", "", true),
            (".dockerenv", "", true),
            ("run/systemd/container", "systemd-nspawn", true),
        ] {
            let files = testkit::TestRoot::new();
            files.write(file, text);
            let mut problems = Vec::new();
            let root = Root::open(&files.path()).unwrap();
            assert_eq!(nothing_boots(&root, &mut problems), expected, "{file}: {text}");
            assert!(problems.is_empty(), "{problems:?}");
        }
    }
}
