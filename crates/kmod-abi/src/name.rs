// SPDX-License-Identifier: LGPL-2.1-or-later
//! The name of a module, from the name of its file.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

/// The endings that make a file a module for kmod and the kernel's own install rules.
const SUFFIXES: [&[u8]; 4] = [b".ko", b".ko.gz", b".ko.xz", b".ko.zst"];

/// A module's file name without `.ko`, `.ko.gz`, `.ko.xz` or `.ko.zst`; `None` where the file is not a module.
///
/// `file_name` is the last component of a path. The result is as it is in the file system: `-` and `_` are kept apart, which a
/// link needs and a comparison must not (see [`module_name`]).
pub fn module_stem(file_name: &OsStr) -> Option<&OsStr> {
    let bytes = file_name.as_bytes();
    let stem = SUFFIXES.iter().find_map(|suffix| bytes.strip_suffix(*suffix))?;
    (!stem.is_empty()).then(|| OsStr::from_bytes(stem))
}

/// The name by which kmod and the kernel know the module in the file `file_name` (a path's last component); `None` where the
/// file is not a module.
///
/// The rule is kmod's `modname_normalize`: `-` counts as `_`, and the name ends at the first dot, so that `foo-bar.ko.xz` and
/// `foo_bar.ko` are both `foo_bar`, and `a.b.ko` is `a`.
///
/// File names are data and need not be UTF-8. Bytes that are not, and the backslash, are written `\xHH`, so that two names that
/// differ stay different and the result can be printed.
pub fn module_name(file_name: &OsStr) -> Option<String> {
    let stem = module_stem(file_name)?.as_bytes();
    let name = stem.split(|&byte| byte == b'.').next().filter(|name| !name.is_empty())?;
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '-' => out.push('_'),
                '\\' => out.push_str("\\x5c"),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Some(out)
}

/// `-` as `_`, as the kernel and kmod compare names.
pub fn normalized(name: &str) -> String {
    name.replace('-', "_")
}

/// The module's name of an exporter as symvers has it: a path without `.ko`.
pub fn of_exporter(exporter: &str) -> String {
    normalized(exporter.rsplit('/').next().unwrap_or(exporter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Option<String> {
        module_name(OsStr::from_bytes(bytes))
    }

    #[test]
    fn suffixes_and_dashes() {
        for file in ["foo-bar.ko", "foo_bar.ko.gz", "foo-bar.ko.xz", "foo_bar.ko.zst"] {
            assert_eq!(name(file.as_bytes()).as_deref(), Some("foo_bar"), "{file}");
        }
        assert_eq!(module_stem(OsStr::new("foo-bar.ko.xz")), Some(OsStr::new("foo-bar")));
    }

    #[test]
    fn what_is_no_module() {
        for file in [
            "",
            ".ko",
            ".ko.xz",
            "ko",
            "foo",
            "foo.ko.debug",
            "foo.ko.bz2",
            "foo.KO",
            "foo.xz",
            "foo.ko~",
            ".a.ko",
        ] {
            assert_eq!(name(file.as_bytes()), None, "{file}");
        }
    }

    /// Seen with kmod 30: `modinfo ./foo.bar-x.ko` speaks of module `foo`.
    #[test]
    fn the_name_ends_at_the_first_dot() {
        assert_eq!(name(b"foo.bar-x.ko").as_deref(), Some("foo"));
        assert_eq!(name(b"foo.ko.ko").as_deref(), Some("foo"));
    }

    #[test]
    fn names_that_are_not_utf8_stay_apart() {
        let names = [&b"a\xff.ko"[..], b"a\xfe.ko", b"a.ko", b"a\\xff.ko", "a\u{fffd}.ko".as_bytes()];
        let mut seen: Vec<_> = names.iter().map(|n| name(n).unwrap()).collect();
        assert_eq!(seen[0], "a\\xff");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), names.len());
    }
}
