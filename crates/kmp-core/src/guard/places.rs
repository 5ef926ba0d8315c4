//! What kind of place a root is.

use std::path::Path;

use crate::root::Root;

/// What container managers leave in their containers.
const OF_CONTAINERS: &[&str] = &["/run/.containerenv", "/.dockerenv", "/run/systemd/container"];

/// Is it an image in the making, or a container? By signs that are there only: files of container managers, and a
/// machine-id that is there and not set, as systemd wants it in images that many machines are made of.
pub fn nothing_boots(root: &Root) -> bool {
    let machine_id = root.read(Path::new("/etc/machine-id"), 128).ok();
    let is_unset = |id: Vec<u8>| matches!(id.trim_ascii(), b"" | b"uninitialized");
    OF_CONTAINERS.iter().any(|file| root.try_exists(Path::new(file)).unwrap_or(false))
        || machine_id.is_some_and(is_unset)
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
            assert_eq!(nothing_boots(&Root::open(&files.path()).unwrap()), expected, "{file}: {text}");
        }
    }
}
