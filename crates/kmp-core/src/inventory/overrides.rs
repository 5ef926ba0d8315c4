//! depmod.d: which linked module is to be loaded in place of the kernel's own of its name, in Red Hat's dialect,
//! where the kernel's own would win.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::abi::name::normalized;
use crate::config::matches;
use crate::dialect::WEAK_UPDATES;
use crate::root::{FileType, Root};

/// depmod.d(5)'s directories; a file's name in an earlier one hides it in later ones.
pub const DEPMOD_D: &[&str] =
    &["/etc/depmod.d", "/run/depmod.d", "/usr/local/lib/depmod.d", "/usr/lib/depmod.d", "/lib/depmod.d"];

/// Larger ones are not read.
const LIMIT: u64 = 1 << 20;

/// The lines that speak for links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// A `search` line has `weak-updates` before `built-in`.
    links_first: bool,
    /// By module name (`_` for `-`) the kernel releases, globs.
    lines: BTreeMap<String, Vec<String>>,
}

impl Overrides {
    /// Reads them. What cannot be read is left to depmod to complain of.
    pub fn load(root: &Root) -> Self {
        let mut files: BTreeMap<OsString, &str> = BTreeMap::new();
        for dir in DEPMOD_D {
            for entry in root.read_dir(Path::new(dir)).unwrap_or_default() {
                if entry.kind != FileType::Dir && entry.name.as_encoded_bytes().ends_with(b".conf") {
                    files.entry(entry.name).or_insert(dir);
                }
            }
        }
        let mut overrides = Self::default();
        for (file, dir) in files {
            if let Ok(text) = root.read(&Path::new(dir).join(file), LIMIT) {
                overrides.read(&String::from_utf8_lossy(&text));
            }
        }
        overrides
    }

    /// `override MODULE KERNEL DIRECTORY`, the directory below the kernel's own; `search DIRECTORY...`.
    pub(crate) fn read(&mut self, text: &str) {
        for line in text.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["override", module, kernel, directory, ..]
                    if Path::new(directory).starts_with(WEAK_UPDATES) =>
                {
                    self.lines.entry(normalized(module)).or_default().push((*kernel).into());
                }
                ["search", order @ ..] => {
                    let place = |directory| order.iter().position(|d| *d == directory);
                    let links = place(WEAK_UPDATES);
                    self.links_first |= links.is_some_and(|l| place("built-in").is_none_or(|b| l < b));
                }
                _ => {}
            }
        }
    }

    /// Is a link of this module name to be loaded in that kernel, whatever else there is?
    pub fn is_for_link(&self, module: &str, release: &str) -> bool {
        let kernels = self.lines.get(module).map_or(&[][..], Vec::as_slice);
        self.links_first || kernels.iter().any(|kernel| matches(kernel, release))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_lead_to_links_count_and_hidden_files_do_not() {
        let files = testkit::TestRoot::new();
        files.write("usr/lib/depmod.d/kmod-foo.conf", "override foo-bar 5.14.0-* weak-updates/foo\n");
        files.write("usr/lib/depmod.d/hidden.conf", "override hidden * weak-updates\n");
        files.write("etc/depmod.d/hidden.conf", "# override hidden * weak-updates\n");
        files.write(
            "etc/depmod.d/more.conf",
            "search updates\noverride other * extra\noverride all * weak-updates\n",
        );
        files.write("etc/depmod.d/no.txt", "override no * weak-updates\n");
        let overrides = Overrides::load(&Root::open(&files.path()).unwrap());
        let is = |module, release| overrides.is_for_link(module, release);
        assert!(is("foo_bar", "5.14.0-70.el9") && !is("foo_bar", "4.18.0-80.el8") && is("all", "any"));
        assert!(!is("hidden", "any") && !is("other", "any") && !is("no", "any"));
        files.write("usr/lib/depmod.d/dist.conf", "search updates extra built-in weak-updates\n");
        assert_eq!(Overrides::load(&Root::open(&files.path()).unwrap()), overrides);
        files.write("etc/depmod.d/mine.conf", "search updates extra weak-updates built-in\n");
        assert!(Overrides::load(&Root::open(&files.path()).unwrap()).is_for_link("other", "any"));
    }
}
