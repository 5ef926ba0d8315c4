// SPDX-License-Identifier: LGPL-2.1-or-later
//! Aliases of devices as names of dependencies, and several in one.

/// Which pairs of names become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merging {
    /// SUSE: any two that differ in one character, unless the first has `*` there.
    Suse,
    /// Red Hat: only behind `modalias(`, and never `[`, `]`, `?` or `*`.
    RedHat,
}

impl Merging {
    fn may_differ(self, at: usize, one: u8, other: u8) -> bool {
        match self {
            Self::Suse => one != b'*',
            Self::RedHat => at >= b"modalias(".len() && !b"[]?*".contains(&one) && !b"[]?*".contains(&other),
        }
    }
}

/// Every byte outside `[*:a-zA-Z0-9]` as `%XX`: rpm's dependencies cannot hold them, and the solver
/// decodes it (SUSE).
pub(super) fn encoded(alias: &[u8]) -> String {
    let mut text = String::with_capacity(alias.len() + 8);
    for &byte in alias {
        if byte.is_ascii_alphanumeric() || b"*:".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:X}"));
        }
    }
    text
}

/// Every byte outside `[][0-9a-zA-Z._:*?/-]` as `_` (Red Hat).
pub(super) fn underlined(alias: &[u8]) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"][._:*?/-".contains(&b);
    alias.iter().map(|b| if plain(*b) { char::from(*b) } else { '_' }).collect()
}

/// Makes one name of neighbours that differ in a single place only: `a1`, `a2`, `a5` are `a[125]`.
/// All variants of a name are at one place, and the first stands for the rest of it.
pub(super) fn merged(names: impl IntoIterator<Item = String>, merging: Merging) -> Vec<String> {
    struct Group {
        first: String,
        place: usize,
        variants: Vec<u8>,
    }
    impl Group {
        fn print(self) -> String {
            if self.variants.is_empty() {
                return self.first;
            }
            let variants = String::from_utf8_lossy(&self.variants).into_owned();
            format!("{}[{variants}]{}", &self.first[..self.place], &self.first[self.place + 1..])
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    for name in names {
        if let Some(group) = groups.last_mut()
            && let Some(place) = only_difference(group.first.as_bytes(), name.as_bytes())
            && (group.variants.is_empty() || group.place == place)
            && let (one, other) = (group.first.as_bytes()[place], name.as_bytes()[place])
            && merging.may_differ(place, one, other)
        {
            if group.variants.is_empty() {
                (group.place, group.variants) = (place, vec![one]);
            }
            group.variants.push(other);
            continue;
        }
        groups.push(Group { first: name, place: 0, variants: Vec::new() });
    }
    groups.into_iter().map(Group::print).collect()
}

/// The place of the only byte in which two names of one length differ.
fn only_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    if one.len() != other.len() {
        return None;
    }
    let place = one.iter().zip(other).position(|(a, b)| a != b)?;
    (one[place + 1..] == other[place + 1..]).then_some(place)
}
