//! What a shell file assigns to its variables, by reading alone: nothing in it is run.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Words after which another command begins, or that pass assignments on.
const PASSED: &[&str] = &[
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "!", "{", "}", "esac", "export",
    "declare", "typeset", "readonly",
];

/// Variables and their values, file after file.
///
/// `=`, `+=`, quotes, line continuations, arrays, and values of variables that were assigned before are understood. What
/// would have to be run (`$(...)`, backquotes, `${...}` with an operator) counts as empty. What stands in an `if` counts as
/// if its condition were met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    values: BTreeMap<String, String>,
}

impl Assignments {
    /// The value of a variable; empty where nothing was assigned.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Takes in a file's text. Returns the numbers of lines with something that would have to be run.
    pub fn read(&mut self, text: &str) -> Vec<usize> {
        let mut reader = Reader { rest: text.chars().peekable(), line: 1, not_run: Vec::new(), values: self };
        reader.file();
        reader.not_run
    }
}

/// A variable, whether its value is added to, and the value.
type Assignment = (String, bool, String);

struct Reader<'t, 'v> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    not_run: Vec<usize>,
    values: &'v mut Assignments,
}

impl Reader<'_, '_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn file(&mut self) {
        let mut pending: Vec<Assignment> = Vec::new();
        // Is this where a command may begin?
        let mut begins = true;
        while let Some(&c) = self.rest.peek() {
            match c {
                ' ' | '\t' | '\r' => {
                    self.next();
                }
                '#' => while self.rest.peek().is_some_and(|c| *c != '\n') && self.next().is_some() {},
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    self.next();
                    self.assign(&mut pending);
                    begins = true;
                }
                '<' | '>' => {
                    self.next();
                }
                _ => match begins.then(|| self.target()).flatten() {
                    Some((name, adds)) => {
                        let value = if self.rest.peek() == Some(&'(') { self.array() } else { self.word() };
                        pending.push((name, adds, value));
                    }
                    None => {
                        let word = self.word();
                        // Assignments before a command are for that command alone.
                        if begins && !PASSED.contains(&word.as_str()) && !word.is_empty() {
                            pending.clear();
                            begins = false;
                        }
                    }
                },
            }
        }
        self.assign(&mut pending);
    }

    fn assign(&mut self, pending: &mut Vec<Assignment>) {
        for (name, adds, value) in pending.drain(..) {
            let place = self.values.values.entry(name).or_default();
            if !adds {
                place.clear();
            }
            place.push_str(&value);
        }
    }

    /// `NAME=` or `NAME+=`, taken only if it is one.
    fn target(&mut self) -> Option<(String, bool)> {
        let mut ahead = self.rest.clone();
        let mut name = String::new();
        loop {
            match ahead.next()? {
                c if c.is_ascii_alphabetic() || c == '_' || (c.is_ascii_digit() && !name.is_empty()) => {
                    name.push(c);
                }
                '=' if !name.is_empty() => {
                    self.rest = ahead;
                    return Some((name, false));
                }
                '+' if !name.is_empty() && ahead.next()? == '=' => {
                    self.rest = ahead;
                    return Some((name, true));
                }
                _ => return None,
            }
        }
    }

    /// `(a b c)`, as one text.
    fn array(&mut self) -> String {
        self.next();
        let mut words = String::new();
        while let Some(&c) = self.rest.peek() {
            match c {
                ')' => {
                    self.next();
                    break;
                }
                '#' => while self.rest.peek().is_some_and(|c| *c != '\n') && self.next().is_some() {},
                c if c.is_whitespace() || "(;&|<>".contains(c) => {
                    self.next();
                }
                _ => {
                    words.push_str(&self.word());
                    words.push(' ');
                }
            }
        }
        words
    }

    /// The rest of a word.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(&c) = self.rest.peek() {
            if c.is_whitespace() || ";&|()<>".contains(c) {
                break;
            }
            self.next();
            match c {
                '\'' => {
                    while let Some(c) = self.next().filter(|c| *c != '\'') {
                        word.push(c);
                    }
                }
                '"' => self.quoted(&mut word),
                '\\' => word.extend(self.next().filter(|c| *c != '\n')),
                '$' => self.dollar(&mut word),
                '`' => self.backquoted(),
                c => word.push(c),
            }
        }
        word
    }

    fn quoted(&mut self, word: &mut String) {
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => match self.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                    Some('\n') | None => {}
                    Some(c) => word.extend(['\\', c]),
                },
                '$' => self.dollar(word),
                '`' => self.backquoted(),
                c => word.push(c),
            }
        }
    }

    /// What follows a `$`.
    fn dollar(&mut self, word: &mut String) {
        match self.rest.peek() {
            Some('(') => {
                self.not_run.push(self.line);
                self.skip_to_end('(', ')');
            }
            Some('{') => {
                let mut ahead = self.rest.clone();
                ahead.next();
                let name: String = ahead.take_while(|c| *c != '}').collect();
                if !is_name(&name) {
                    self.not_run.push(self.line);
                }
                self.skip_to_end('{', '}');
                word.push_str(self.values.get(&name));
            }
            Some(c) if c.is_ascii_alphabetic() || *c == '_' => {
                let mut name = String::new();
                while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                word.push_str(self.values.get(&name));
            }
            // `$1`, `$?` and the like are not ours to know.
            Some(c) if c.is_ascii_digit() || "?#@*!$-".contains(*c) => {
                self.next();
            }
            _ => word.push('$'),
        }
    }

    fn backquoted(&mut self) {
        self.not_run.push(self.line);
        while let Some(c) = self.next().filter(|c| *c != '`') {
            if c == '\\' {
                self.next();
            }
        }
    }

    /// Past the end of something in brackets, brackets in it counted and quotes in it respected.
    fn skip_to_end(&mut self, open: char, close: char) {
        let mut depth = 0_usize;
        while let Some(c) = self.next() {
            match c {
                '\'' => while self.next().is_some_and(|c| c != '\'') {},
                // No deeper than this: what is in the quotes is not looked at either.
                '"' => {
                    while let Some(c) = self.next().filter(|c| *c != '"') {
                        if c == '\\' {
                            self.next();
                        }
                    }
                }
                '\\' => {
                    self.next();
                }
                c if c == open => depth += 1,
                c if c == close => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        let mut read = Assignments::default();
        read.read(text);
        read.get("v").to_string()
    }

    #[test]
    fn values() {
        for (text, expected) in [
            ("v=a", "a"),
            ("  v='a b'\"c\"d\\ e", "a bcd e"),
            ("v=a\nv+=\" b \"\nv+=c", "a b c"),
            ("v=a#b # c", "a#b"),
            ("#v=a", ""),
            ("v=a; w=b", "a"),
            ("v=\"a \\\n b\"", "a  b"),
            ("v=a\\\nb", "ab"),
            ("v='a\nb'", "a\nb"),
            ("w=x\nv=\"$w-${w}_$unknown\"", "x-x_"),
            ("v=a\nv=\"$v b\"", "a b"),
            ("v=a command", ""),
            ("v=a w=b", "a"),
            ("export v=a", "a"),
            ("if [ -e /x ]; then v=a; fi", "a"),
            ("[[ $x ]] && v=a", "a"),
            ("echo v=a", ""),
            ("v=(a 'b c'\n d)", "a b c d "),
            ("v+=(a)", "a "),
            ("v='$w `x` $(y)'", "$w `x` $(y)"),
            ("v=\"\\$w \\a\"", "$w \\a"),
            ("v=", ""),
            ("v=a\r", "a"),
            ("9v=a", ""),
            ("v = a", ""),
            ("v=\"a", "a"),
            ("v=1$", "1$"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_run_and_the_lines_are_told() {
        let mut read = Assignments::default();
        let lines =
            read.read("v=\"a $(touch /tmp/x; echo \")\") b\"\nv+=`id`\nw=${v:-c}\nv+=' c'\nu=$((1+2))d\n");
        assert_eq!((read.get("v"), read.get("w"), read.get("u")), ("a  b c", "", "d"));
        assert_eq!(lines, [1, 2, 3, 5]);
    }

    #[test]
    fn no_text_makes_it_panic() {
        let pieces =
            ["v", "=", "+=", "\"", "'", "\\", "$", "(", ")", "{", "}", "`", "\n", " ", "#", ";", "ä"];
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                text.push_str(pieces[seed as usize % pieces.len()]);
            }
            Assignments::default().read(&text);
        }
    }
}
