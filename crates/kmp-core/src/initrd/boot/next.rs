// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which kernel is booted next, as far as files of the boot loader say it.

use std::path::Path;

use crate::assignments::Assignments;
use crate::root::Root;

/// GRUB's environment has 1 KiB; the other files are small, too.
const LIMIT: u64 = 1 << 16;

/// The release of the kernel that is booted next, if nobody chooses another: `next_entry` or `saved_entry` of GRUB, `default` of
/// systemd-boot, or the link `/boot/vmlinuz`, whichever first names one of `releases`. `None`: nothing says it, or it cannot be
/// read; boot loaders then take the newest.
pub fn boots_next<'r>(root: &Root, releases: &[&'r str]) -> Option<&'r str> {
    let text = |path: &str| {
        let read = root.read_if_there(Path::new(path), LIMIT).ok().flatten();
        read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut said = Vec::new();
    let mut settings = Assignments::default();
    text("/etc/default/grub").into_iter().for_each(|text| drop(settings.read(&text)));
    for environment in ["/boot/grub2/grubenv", "/boot/grub/grubenv"].into_iter().filter_map(text) {
        said.extend(value(&environment, "next_entry", '='));
        // What was saved counts where GRUB is set to go by it, which is its entries' own default.
        if ["", "saved"].contains(&settings.get("GRUB_DEFAULT")) {
            said.extend(value(&environment, "saved_entry", '='));
        }
    }
    for directory in ["/boot", "/boot/efi", "/efi"] {
        let loader = text(&format!("{directory}/loader/loader.conf"));
        said.extend(loader.and_then(|text| value(&text, "default", ' ')));
    }
    if let Ok(image) = root.read_link(Path::new("/boot/vmlinuz")) {
        said.push(image.to_string_lossy().into_owned());
    }
    said.iter().find_map(|text| named_in(text, releases))
}

fn value(text: &str, key: &str, separator: char) -> Option<String> {
    let of_line = |line: &str| {
        let (name, value) = line.trim().split_once(separator)?;
        (name.trim() == key && !value.trim().is_empty()).then(|| value.trim().to_string())
    };
    text.lines().find_map(of_line)
}

/// The longest release that a text names: titles of menus and names of entries have it in them.
fn named_in<'r>(text: &str, releases: &[&'r str]) -> Option<&'r str> {
    let is_named = |release: &&&str| {
        text.match_indices(**release).any(|(at, _)| {
            let after = text[at + release.len()..].chars().next();
            let before = text[..at].chars().next_back();
            !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
                && !before.is_some_and(char::is_alphanumeric)
        })
    };
    releases.iter().filter(is_named).max_by_key(|release| release.len()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASES: &[&str] = &["6.4.0-1-default", "6.4.0-11-default", "6.4.0-1-default-extra"];

    #[test]
    fn the_first_file_that_names_a_kernel_counts() {
        let files = testkit::TestRoot::new();
        let next = || boots_next(&Root::open(&files.path()).unwrap(), RELEASES);
        assert_eq!(next(), None);
        files.symlink("boot/vmlinuz", "vmlinuz-6.4.0-1-default");
        assert_eq!(next(), Some(RELEASES[0]));
        files.write("boot/efi/loader/loader.conf", "timeout 3\ndefault  opensuse-6.4.0-11-default-1.conf\n");
        assert_eq!(next(), Some(RELEASES[1]));
        files.write(
            "boot/grub2/grubenv",
            "# GRUB Environment Block\nsaved_entry=SLES>6.4.0-1-default-extra\n###",
        );
        assert_eq!(next(), Some(RELEASES[2]));
        files.write("etc/default/grub", "GRUB_DEFAULT=0\n");
        assert_eq!(next(), Some(RELEASES[1]));
        files.write("boot/grub2/grubenv", "next_entry=abcdef-6.4.0-1-default\nsaved_entry=0\n");
        assert_eq!(next(), Some(RELEASES[0]));
    }

    #[test]
    fn a_part_of_a_release_is_no_name_of_it() {
        assert_eq!(named_in("Linux 16.4.0-1-default", RELEASES), None);
        assert_eq!(named_in("Linux 6.4.0-1-default2", RELEASES), None);
        assert_eq!(named_in("openSUSE, with Linux 6.4.0-1-default (recovery)", RELEASES), Some(RELEASES[0]));
    }
}
