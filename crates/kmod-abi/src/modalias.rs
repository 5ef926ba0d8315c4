// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which devices a module is for: the patterns in its aliases against what a device calls itself (`modalias` in sysfs).

use std::borrow::Cow;

/// Does a pattern of a module fit a device's alias, by libkmod's rules? `-` and `_` are the same outside of brackets.
pub fn claims(pattern: &str, alias: &str) -> bool {
    match (normalized(pattern), normalized(alias)) {
        (Some(pattern), Some(alias)) => fnmatch(&pattern, &alias),
        // With a bracket too many or too few nothing is found.
        _ => false,
    }
}

/// What comes before the first `:`, without which a pattern fits no device; a pattern may have none.
pub fn bus(alias: &str) -> &str {
    alias.split_once(':').map_or(alias, |(bus, _)| bus)
}

/// fnmatch(3) without flags: `*` and `?` take any character, `/` and a leading `.` too; `[...]` is one of a set.
pub fn fnmatch(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and where it was tried from: going back there alone is enough.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(_) if t < text.len() => one(&pattern[p..], text[t]),
            None if t == text.len() => return true,
            _ => None,
        };
        match (fits, star) {
            (Some(len), _) => (p, t) = (p + len, t + 1),
            (None, Some((at, from))) if from < text.len() => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// How long that which takes one character is, if it takes this one.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', set @ ..] => match bracket(set, byte) {
            Some((len, fits)) => fits.then_some(len + 1),
            // Without an end it stands for itself.
            None => (byte == b'[').then_some(1),
        },
        [same, ..] => (*same == byte).then_some(1),
        [] => None,
    }
}

/// The length of a set with its closing bracket, and whether the byte is in it. `None`: it has no end.
fn bracket(set: &[u8], byte: u8) -> Option<(usize, bool)> {
    let is_not = matches!(set.first(), Some(b'!' | b'^'));
    let start = usize::from(is_not);
    // A closing bracket that comes first is one of the set.
    let end = start + 1 + set.get(start + 1..)?.iter().position(|b| *b == b']')?;
    let (mut rest, mut found) = (&set[start..end], false);
    while let [first, others @ ..] = rest {
        match others {
            [b'-', last, others @ ..] => {
                found |= (*first..=*last).contains(&byte);
                rest = others;
            }
            _ => {
                found |= *first == byte;
                rest = others;
            }
        }
    }
    Some((end + 1, found != is_not))
}

/// `_` for `-` outside of brackets; `None`: brackets that do not match.
fn normalized(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['-', '[', ']']) {
        return Some(Cow::Borrowed(text));
    }
    let mut is_inside = false;
    let mut changed = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' if !is_inside => is_inside = true,
            ']' if is_inside => is_inside = false,
            ']' => return None,
            '-' if !is_inside => {
                changed.push('_');
                continue;
            }
            _ => {}
        }
        changed.push(c);
    }
    (!is_inside).then_some(Cow::Owned(changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_fnmatchs() {
        for (pattern, text, fits) in [
            (
                "pci:v00008086d000010D3sv*sd*bc*sc*i*",
                "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
                true,
            ),
            ("pci:v00008086d000010D3sv*", "pci:v00008086d000010d3sv1", false),
            ("usb:v0B95p178[AB]d*", "usb:v0B95p178Bd0100", true),
            ("usb:v0B95p178[AB]d*", "usb:v0B95p178Cd0100", false),
            ("x[0-9]y", "x7y", true),
            ("x[!0-9]y", "x7y", false),
            ("x[^0-9]y", "xay", true),
            ("x[]]y", "x]y", true),
            ("x[]a]y", "xay", true),
            ("x[a-]y", "x-y", true),
            ("x[ay", "x[ay", true),
            ("x\\*y", "x*y", true),
            ("x\\*y", "xzy", false),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxbxxb", false),
            ("a?c", "a/c", true),
            ("", "", true),
            ("*", "", true),
            ("", "a", false),
            ("a", "", false),
        ] {
            assert_eq!(fnmatch(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn libkmod_takes_dashes_for_underscores() {
        assert!(claims("acpi*:PNP-0C0A:*", "acpi:PNP_0C0A:"));
        assert!(claims("x:[a-c]", "x:b") && !claims("x:[a-c]", "x:_"));
        assert!(!claims("x:[a", "x:[a") && !claims("x:a]", "x:a]"));
    }

    /// Each star is tried once from each place at most.
    #[test]
    fn many_stars_cost_no_more_than_length_by_length() {
        let pattern = format!("{}b", "*a".repeat(2000));
        assert!(!fnmatch(&pattern, &"a".repeat(4000)));
    }
}
