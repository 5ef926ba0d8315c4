// SPDX-License-Identifier: LGPL-2.1-or-later
//! Sections of `key = value` lines, as zypp and dnf read their configuration.
//!
//! Not by a crate: those at hand take a `#` in a URL for a comment, treat backslashes and quotes as escapes, or know no lines
//! that go on with white space, all of which would read a repository's file in another way than its package manager does.

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// What is between the brackets.
    pub name: String,
    lines: Vec<(String, String)>,
}

impl Section {
    /// The last value of a key. A value of several lines has a newline between them.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().rev().find(|(name, _)| name == key).map(|(_, value)| &**value)
    }
}

/// The sections of a file, in its order. Lines that are no setting are skipped.
pub(super) fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            sections.push(Section { name: name.to_owned(), lines: Vec::new() });
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = section.lines.last_mut()
        {
            value.push('\n');
            value.push_str(content);
        } else if let Some((key, value)) = content.split_once('=') {
            section.lines.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_package_managers_write_them() {
        let text = "# x\n[a b]\nname=one # two\nbaseurl=http://x/#y\n   http://z\nenabled = 1\nenabled=0\n; c\n[c]\nodd\n";
        let sections = sections(text);
        assert_eq!(sections.iter().map(|s| &*s.name).collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(sections[0].get("name"), Some("one # two"));
        assert_eq!(sections[0].get("baseurl"), Some("http://x/#y\nhttp://z"));
        assert_eq!(sections[0].get("enabled"), Some("0"));
        assert_eq!(sections[1].get("odd"), None);
    }
}
