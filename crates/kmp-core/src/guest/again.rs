// SPDX-License-Identifier: LGPL-2.1-or-later
//! A command line as a person would type it again. Pure.

/// Longer ones are not repeated.
const LIMIT: usize = 160;

/// The programs whose command lines are typed.
const TYPED: &[&str] = &["rpm", "zypper", "dnf", "dnf5", "dnf-3", "yum", "microdnf"];

/// The command line of these words, each with a null byte behind it, as a shell takes it. `None`: nobody has typed it (a
/// daemon's), it is too long, or it has something in it that is not to be repeated: control characters, a password.
pub(super) fn typed(words: &[u8]) -> Option<String> {
    let words = words.strip_suffix(b"\0").unwrap_or(words);
    let words: Option<Vec<&str>> =
        words.split(|byte| *byte == 0).map(|w| std::str::from_utf8(w).ok()).collect();
    let words = words?;
    let name = |word: &str| word.rsplit('/').next().unwrap_or_default().to_string();
    // A script's interpreter, with its options.
    let is_interpreter = words.first().is_some_and(|first| name(first).starts_with("python"));
    let start =
        if is_interpreter { 1 + words.iter().skip(1).take_while(|w| w.starts_with('-')).count() } else { 0 };
    let (program, rest) = words.get(start..)?.split_first()?;
    let program = name(program);
    let is_secret = |word: &&str| word.contains("://") && word.contains('@') || word.contains("password");
    if !TYPED.contains(&program.as_str()) || rest.iter().any(is_secret) {
        return None;
    }
    let line = rest.iter().fold(program, |line, word| format!("{line} {}", quoted(word)));
    (line.len() <= LIMIT && !line.chars().any(char::is_control)).then_some(line)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_can_be_typed_again() {
        let again =
            |words: &[&str]| typed(words.iter().flat_map(|w| [*w, "\0"]).collect::<String>().as_bytes());
        for (words, expected) in [
            (&["rpm", "-U", "/tmp/x.rpm"][..], "rpm -U /tmp/x.rpm"),
            (&["/usr/bin/zypper", "in", "kernel*", ""], "zypper in 'kernel*' ''"),
            (&["/usr/bin/python3", "-sP", "/usr/bin/dnf", "install", "it's"], "dnf install 'it'\\''s'"),
            (&["dnf5", "upgrade"], "dnf5 upgrade"),
        ] {
            assert_eq!(again(words).as_deref(), Some(expected));
        }
        let long = "x".repeat(LIMIT);
        for words in [
            &["packagekitd"][..],
            &["rpm", "-i", &long],
            &["rpm", "a\nb"],
            &["rpm", "-i", "https://me:secret@host/x.rpm"],
            &["python3"],
            &[],
        ] {
            assert_eq!(again(words), None, "{words:?}");
        }
    }
}
