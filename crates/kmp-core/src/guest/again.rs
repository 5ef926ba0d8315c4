// SPDX-License-Identifier: LGPL-2.1-or-later
//! A command line as a person would type it again. Pure.

/// Longer ones are not repeated.
const LIMIT: usize = 160;

/// The programs whose command lines are typed.
const TYPED: &[&str] = &["rpm", "zypper", "dnf", "dnf5", "dnf-3", "yum", "microdnf"];

/// Others that install packages.
const MANAGERS: &[&str] =
    &["transactional-update", "rpm-ostree", "packagekitd", "zypp-rpm", "y2base", "dnf-automatic"];

/// The command line of these words, each with a null byte behind it, as a shell takes it. `None`: nobody has typed it (a
/// daemon's), it is too long, or it has something in it that is not to be repeated: control characters, a password.
pub(super) fn typed(words: &[u8]) -> Option<String> {
    let (program, rest) = split(words)?;
    if !TYPED.contains(&program.as_str()) || rest.iter().any(|word| is_secret(word)) {
        return None;
    }
    let line = rest.iter().fold(program, |line, word| format!("{line} {}", quoted(word)));
    (line.len() <= LIMIT && !line.chars().any(char::is_control)).then_some(line)
}

/// A command line, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Called {
    /// The program's name, without directories.
    pub program: String,
    /// It and its words: without secrets, and not longer than people read.
    pub line: String,
    /// Does it install packages?
    pub is_manager: bool,
}

/// The command line of these words, each with a null byte behind it. `None`: there is none, as for a thread of the kernel.
pub(crate) fn called(words: &[u8]) -> Option<Called> {
    let (program, rest) = split(words)?;
    let mut line = program.clone();
    let mut hides_next = false;
    for word in &rest {
        let hides = std::mem::replace(&mut hides_next, word.starts_with("--password") && !word.contains('='));
        let word = if hides || (is_secret(word) && !hides_next) { "***".into() } else { quoted(word) };
        if line.len() + word.len() > LIMIT {
            line.push_str(" ...");
            break;
        }
        line.push(' ');
        line.push_str(&word);
    }
    let is_manager = TYPED.contains(&program.as_str()) || MANAGERS.contains(&program.as_str());
    Some(Called { program, line, is_manager })
}

fn is_secret(word: &str) -> bool {
    word.contains("://") && word.contains('@') || word.contains("password")
}

/// The program's name, and the words behind it.
fn split(words: &[u8]) -> Option<(String, Vec<&str>)> {
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
    (!program.is_empty()).then(|| (program, rest.to_vec()))
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
        let shown = |words: &[&str]| {
            let words: String = words.iter().flat_map(|w| [*w, "\0"]).collect();
            called(words.as_bytes()).map(|called| (called.line, called.is_manager))
        };
        for (words, line, is_manager) in [
            (&["/usr/bin/zypper", "in", "a b"][..], "zypper in 'a b'", true),
            (&["/usr/libexec/packagekitd"], "packagekitd", true),
            (&["sh", "-c", "x\ny"], "sh -c 'x\ny'", false),
            (&["zypper", "--password", "xyz", "in"], "zypper --password *** in", true),
            (&["rpm", "-i", "https://me:secret@host/x.rpm"], "rpm -i ***", true),
        ] {
            assert_eq!(shown(words), Some((line.to_string(), is_manager)));
        }
        assert_eq!(shown(&[]), None);
        assert!(shown(&["rpm", "-i", &"x".repeat(LIMIT), "y"]).unwrap().0.ends_with("rpm -i ..."));
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
