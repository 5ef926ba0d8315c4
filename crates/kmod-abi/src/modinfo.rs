// SPDX-License-Identifier: LGPL-2.1-or-later
//! `.modinfo`: NUL-separated `key=value` entries.

/// The entries of a `.modinfo` section, in order. What has no `=` is left out, as the loader does.
pub(super) fn entries(section: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    section.split(|b| *b == 0).filter_map(|entry| {
        let eq = entry.iter().position(|b| *b == b'=')?;
        Some((&entry[..eq], &entry[eq + 1..]))
    })
}

/// Text for people and comparisons; bytes that are no UTF-8 become U+FFFD.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_split_at_the_first_equals_sign() {
        let section = b"license=GPL\0\0\0vermagic=6.4 SMP\0junk\0parm=a=b\0";
        let all: Vec<_> = entries(section).map(|(k, v)| (text(k), text(v))).collect();
        let expect = [("license", "GPL"), ("vermagic", "6.4 SMP"), ("parm", "a=b")];
        assert_eq!(all, expect.map(|(k, v)| (k.to_string(), v.to_string())));
    }
}
