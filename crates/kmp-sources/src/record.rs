// SPDX-License-Identifier: LGPL-2.1-or-later
//! A source record: where newer builds of which drivers are, and by whose keys they are signed. Pure.
//!
//! Either lines `URL;LABEL`, as packages of SUSE Linux Enterprise 9 brought them, or lines `key = value`.

use kmod_abi::glob;

use crate::url::Url;

/// Where newer builds of some drivers are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Where they are: the first place that answers counts.
    pub urls: Vec<Url>,
    /// Whose source it is, for people.
    pub label: String,
    /// Globs of the names of the packages that it is for; empty: what is the default where it lies.
    pub packages: Vec<String>,
    /// The keys that its packages have to be signed with, one of them, as full fingerprints; empty: any that rpm trusts.
    pub fingerprints: Vec<String>,
    /// Whom to ask.
    pub contact: String,
    /// `enabled = no`, or an empty file: it, and those of its name with less weight, are off.
    pub is_disabled: bool,
}

/// The largest record, in bytes, and the most lines.
pub const LIMIT: u64 = 64 << 10;
const LINES: usize = 1000;

/// The most of anything in a record.
const MOST: usize = 32;

/// The longest label or contact, in characters.
const LONGEST: usize = 200;

impl Record {
    /// Reads one. What cannot be understood is left out, with a line about it.
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        let mut record = Self::default();
        let mut faults = Vec::new();
        let mut is_empty = true;
        for (number, line) in text.lines().enumerate().take(LINES) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            is_empty = false;
            if let Err(why) = record.line(line) {
                faults.push(format!("line {}: {why}", number + 1));
            }
        }
        record.is_disabled |= is_empty;
        if record.urls.is_empty() && !record.is_disabled {
            faults.push("it names no URL that can be used".into());
        }
        (record, faults)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let is_key =
            |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        match line.split_once('=').map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim())) {
            Some((key, value)) if is_key(&key) => self.setting(&key, value),
            _ => {
                let (url, label) = line.split_once(';').unwrap_or((line, ""));
                self.add_url(url)?;
                self.set_label(label);
                Ok(())
            }
        }
    }

    fn setting(&mut self, key: &str, value: &str) -> Result<(), String> {
        let words = || value.split([' ', '\t', ',']).filter(|word| !word.is_empty());
        match key {
            "url" | "urls" => words().try_for_each(|url| self.add_url(url)),
            "label" => {
                self.set_label(value);
                Ok(())
            }
            "contact" => {
                self.contact = plain(value);
                Ok(())
            }
            "packages" => words().try_for_each(|glob| {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-*?[]".contains(c);
                if !glob.chars().all(is_plain) {
                    return Err(format!("{glob:?} is no name of packages"));
                }
                add(&mut self.packages, glob.to_owned(), "names of packages")
            }),
            "fingerprints" | "fingerprint" => {
                // Of one key in groups, or of several.
                let all: String =
                    value.chars().filter(|c| !c.is_whitespace() && *c != ',' && *c != ':').collect();
                let words: Vec<&str> = value.split([',', ' ', '\t']).filter(|w| !w.is_empty()).collect();
                let several = words.len() > 1 && words.iter().all(|word| is_fingerprint(word));
                let found = if several { words } else { vec![&*all] };
                found.into_iter().try_for_each(|digits| {
                    if !is_fingerprint(digits) {
                        return Err(format!("{value:?} is no whole fingerprint: it has 40 digits, or 64"));
                    }
                    add(&mut self.fingerprints, digits.to_ascii_uppercase(), "fingerprints")
                })
            }
            "enabled" => match value.to_ascii_lowercase().as_str() {
                "yes" | "1" | "true" | "on" => Ok(()),
                "no" | "0" | "false" | "off" => {
                    self.is_disabled = true;
                    Ok(())
                }
                _ => Err(format!("enabled is yes or no, and not {value:?}")),
            },
            _ => Err(format!(
                "{key:?} is no setting of a source: url, label, packages, fingerprints, contact, enabled are"
            )),
        }
    }

    fn add_url(&mut self, text: &str) -> Result<(), String> {
        let url = Url::parse(text).map_err(|why| format!("{:?} {why}", text.trim()))?;
        add(&mut self.urls, url.directory(), "URLs")
    }

    fn set_label(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.label = plain(text);
        }
    }

    /// Is it for a package of this name?
    pub fn is_for(&self, package: &str) -> bool {
        self.packages.iter().any(|name| glob::matches(name, package))
    }

    /// As a file, which [`parse`](Self::parse) reads.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: &str| {
            if !value.is_empty() {
                text.push_str(&format!("{key} = {value}\n"));
            }
        };
        self.urls.iter().for_each(|url| line("url", &url.to_string()));
        line("label", &self.label);
        line("packages", &self.packages.join(" "));
        self.fingerprints.iter().for_each(|digits| line("fingerprint", digits));
        line("contact", &self.contact);
        line("enabled", if self.is_disabled { "no" } else { "yes" });
        text
    }
}

/// All digits of a key of version 4 or 6.
pub fn is_fingerprint(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T, what: &str) -> Result<(), String> {
    if list.len() == MOST {
        return Err(format!("more than {MOST} {what}"));
    }
    if !list.contains(&item) {
        list.push(item);
    }
    Ok(())
}

/// A text for people, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// Is this a name that a source may have, which is that of its file?
pub fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    !name.is_empty() && name.len() <= 128 && !name.starts_with(['.', '-']) && name.chars().all(is_plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_code_9_is_a_whole_record() {
        let (record, faults) = Record::parse("ftp://ftp.example.com/pub/kmp/;Example \x1b[1m Inc.\n");
        assert_eq!(faults, [""; 0]);
        assert_eq!(record.urls[0].to_string(), "ftp://ftp.example.com/pub/kmp/");
        assert_eq!(record.label, "Example [1m Inc.");
        assert!(record.packages.is_empty() && !record.is_disabled);
    }

    #[test]
    fn settings_are_read_and_written_again() {
        let (one, two) =
            ("0123456789ABCDEF0123456789ABCDEF01234567", "1123456789abcdef0123456789abcdef01234567");
        let text = format!(
            "# x\nurl = https://x/a\nurl=ftp://y/b/\nlabel = A, Inc.\npackages = a-kmp-*, b-kmp-default\n\
             fingerprints = {one} {two}\nfingerprint = 0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567\ncontact = a@x\n"
        );
        let (record, faults) = Record::parse(&text);
        assert_eq!(faults, [""; 0]);
        assert_eq!(record.urls.len(), 2);
        assert_eq!(record.fingerprints, [one.to_owned(), two.to_uppercase()]);
        assert!(record.is_for("a-kmp-rt") && record.is_for("b-kmp-default") && !record.is_for("c-kmp-rt"));
        assert_eq!(Record::parse(&record.to_text()), (record, Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_said_and_an_empty_file_is_off() {
        assert!(Record::parse("# nothing\n\n").0.is_disabled);
        assert!(Record::parse("url = http://x/\nenabled = no\n").0.is_disabled);
        for (text, wanted) in [
            ("gopher://x/;L", "line 1: \"gopher://x/\" is of a kind"),
            ("url = http://x/\nfingerprint = 0123", "no whole fingerprint"),
            ("url = http://x/\npackages = a;b", "no name of packages"),
            ("url = http://x/\nodd = 1", "no setting of a source"),
            ("label = x", "names no URL"),
            // Between two URLs in a setting.
            ("ftp://ftp.example/a,b;A label", "write them as %XX"),
        ] {
            let (_, faults) = Record::parse(text);
            assert!(faults.iter().any(|fault| fault.contains(wanted)), "{text}: {faults:?}");
        }
    }
}
