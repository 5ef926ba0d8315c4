// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which packages a command line names to be erased. Pure.

use regex_lite::Regex;

/// After one of these words packages are named.
const VERBS: &[&[u8]] = &[b"remove", b"rm", b"erase", b"swap"];

/// The longest word that can be a package's name or a pattern for one.
const LONGEST: usize = 4096;

/// Words by which old kernels, or all that a transaction has brought, are asked to go without a name.
const WITHOUT_NAMES: &[&[u8]] = &[b"purge-kernels", b"--oldinstallonly", b"history"];

/// Is `nevra` (NAME-VERSION-RELEASE.ARCH) named after the verb? `words` are as in `/proc/PID/cmdline`, a NUL
/// after each. Kernels may be asked to go by other words as well.
pub(super) fn names(words: &[u8], nevra: &str) -> bool {
    let mut words = words.split(|b| *b == 0);
    let is_kernel = nevra.starts_with("kernel-") && !rpm_meta::is_named_for_drivers(nevra);
    if is_kernel && words.clone().any(|word| WITHOUT_NAMES.contains(&word)) {
        return true;
    }
    words.by_ref().find(|word| VERBS.contains(word));
    words.any(|word| {
        let word = std::str::from_utf8(word).ok().filter(|w| w.len() <= LONGEST && !w.starts_with('-'));
        word.is_some_and(|word| is_meant(word, nevra))
    })
}

/// A name, also with version and so on, or a pattern for one.
fn is_meant(word: &str, nevra: &str) -> bool {
    let matches = |text: &str| match pattern(word) {
        Some(pattern) => pattern.is_match(text),
        None => word == text,
    };
    let mut text = nevra;
    if matches(text) {
        return true;
    }
    for separator in ['.', '-', '-'] {
        text = text.rsplit_once(separator).map_or(text, |(before, _)| before);
        if matches(text) {
            return true;
        }
    }
    false
}

/// A pattern as fnmatch(3) reads it; `None` where the word is one for itself alone.
fn pattern(word: &str) -> Option<Regex> {
    if !word.contains(['*', '?', '[', '\\']) {
        return None;
    }
    let mut expression = String::from("(?s)^");
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '\\' => literal(rest.next().unwrap_or('\\'), &mut expression),
            '[' => match set(rest.as_str()) {
                Some((set, after)) => {
                    expression.push_str(&set);
                    rest = after.chars();
                }
                None => literal(c, &mut expression),
            },
            c => literal(c, &mut expression),
        }
    }
    expression.push('$');
    Regex::new(&expression).ok()
}

fn literal(c: char, expression: &mut String) {
    expression.push_str(&regex_lite::escape(c.encode_utf8(&mut [0; 4])));
}

/// A set of characters, behind its `[`: as an expression, and what follows it. `None` where it has no end.
fn set(text: &str) -> Option<(String, &str)> {
    let negated = text.starts_with(['!', '^']);
    let members = &text[usize::from(negated)..];
    // A `]` that comes first is a member.
    let end = members.char_indices().skip(1).find(|(_, c)| *c == ']')?.0;
    let mut expression = String::from(if negated { "[^" } else { "[" });
    for c in members[..end].chars() {
        if c == '-' { expression.push('-') } else { literal(c, &mut expression) }
    }
    expression.push(']');
    Some((expression, &members[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVRA: &str = "foo-kmp-default-1.0_k6.4.0-1.x86_64";

    fn named(words: &[&str]) -> bool {
        names(words.iter().map(|w| format!("{w}\0")).collect::<String>().as_bytes(), NEVRA)
    }

    #[test]
    fn what_is_behind_the_verb_counts() {
        assert!(named(&["zypper", "remove", "bar", "foo-kmp-default"]));
        assert!(named(&["dnf", "-y", "swap", "foo-kmp-default", "bar"]));
        for words in [
            &["zypper", "foo-kmp-default", "remove", "bar"][..],
            &["zypper", "dup", "foo-kmp-default"],
            &["zypper", "remove", "-foo-kmp-default"],
            &["foo-kmp-default"],
            &["remove", ""],
            &[],
        ] {
            assert!(!named(words), "{words:?}");
        }
        // Cut short by the limit.
        assert!(names(b"rm\0foo-kmp-default", NEVRA) && !names(b"rm\0foo-kmp-defaul", NEVRA));
    }

    #[test]
    fn names_with_and_without_version_and_patterns() {
        for word in [
            NEVRA,
            "foo-kmp-default-1.0_k6.4.0-1",
            "foo-kmp-default-1.0_k6.4.0",
            "foo-kmp-default",
            "foo-kmp-*",
            "*",
            "fo?-kmp-default",
            "[e-g]oo-kmp-default",
            "[!a-e]oo-kmp-default",
            "[]f]oo-kmp-default",
            r"f\oo-kmp-default",
            "foo-kmp-default-1.0*",
        ] {
            assert!(named(&["rm", word]), "{word}");
        }
        for word in [
            "foo",
            "foo-kmp",
            "f.o-kmp-default",
            "[^f]oo-kmp-default",
            "[foo-kmp-default",
            "?",
            "[]",
            "oo*",
            "[z-a]*",
        ] {
            assert!(!named(&["rm", word]), "{word}");
        }
        assert!(!named(&["rm", &"*".repeat(LONGEST + 1)]));
    }

    #[test]
    fn old_kernels_are_asked_to_go_without_their_names() {
        let kernel = "kernel-core-6.12.0-1.el10.x86_64";
        for (line, nevra, expected) in [
            (&["dnf", "remove", "--oldinstallonly"][..], kernel, true),
            (&["zypper", "-n", "purge-kernels"], "kernel-default-6.4.0-1.x86_64", true),
            (&["dnf", "history", "undo", "last"], kernel, true),
            (&["dnf", "remove", "--oldinstallonly"], "kmod-foo-1-1.x86_64", false),
            (&["zypper", "purge-kernels"], "kernel-kmp-1-1.x86_64", false),
            (&["dnf", "upgrade"], kernel, false),
        ] {
            let line: String = line.iter().map(|word| format!("{word}\0")).collect();
            assert_eq!(names(line.as_bytes(), nevra), expected, "{line:?} {nevra}");
        }
    }
}
