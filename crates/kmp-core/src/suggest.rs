// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a name that nothing has may have been meant for. Pure.

/// How alike two names have to be, from 0 to 1, by Jaro's measure, as clap has it for options.
const ALIKE: f64 = 0.8;

/// The known name that is nearest to `name`: one that begins with it, else the most similar; `None`: none is near.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let rank = |other: &&'k str| match !name.is_empty() && other.starts_with(name) {
        // The shortest of those that it begins.
        true => 2.0 - other.len() as f64 / 1e6,
        false => strsim::jaro(name, other),
    };
    let alike = known.into_iter().map(|other| (rank(&other), other)).filter(|(rank, _)| *rank >= ALIKE);
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, other)| other)
}

/// `; did you mean NAME?`, or nothing.
pub fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(name, known)
        .map_or_else(String::new, |other| format!("; did you mean {}?", crate::printable(other.as_ref())))
}

#[test]
fn a_mistyped_name_is_found_and_another_is_not() {
    let known = ["cam-kmp-default", "nic-kmp-default", "6.4.0-21-default", "6.4.0-25-default"];
    assert_eq!(nearest("cma-kmp-default", known), Some("cam-kmp-default"));
    assert_eq!(nearest("cam", known), Some("cam-kmp-default"));
    assert_eq!(nearest("6.4.0-25", known), Some("6.4.0-25-default"));
    assert_eq!(nearest("zfs", known), None);
    assert_eq!(did_you_mean("nick-kmp-default", known), "; did you mean nic-kmp-default?");
    assert_eq!(did_you_mean("", known), "");
}
