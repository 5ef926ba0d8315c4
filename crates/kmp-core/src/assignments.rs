// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a shell file assigns to its variables, by reading alone: nothing in it is run.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use kmp_steps as steps;

/// Words after which another command begins, or that pass assignments on.
const PASSED: &[&str] = &[
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "!", "{", "}", "esac", "export",
    "declare", "typeset", "readonly",
];

/// The most bytes that values may bring into other values (`$a`), in all files together. `a="$a$a"`, line after line, would
/// fill the memory otherwise.
const EXPANDED: usize = 1 << 20;

/// Variables and their values, file after file.
///
/// `=`, `+=`, quotes, line continuations, arrays, and values of variables that were assigned before are understood. What
/// would have to be run (`$(...)`, backquotes, `${...}` with an operator) counts as empty. What stands in an `if` counts as
/// if its condition were met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    values: BTreeMap<String, String>,
    /// How many bytes came from values into values so far.
    expanded: usize,
}

/// Something in a file that was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// It would have to be run; the number of its line.
    NotRun(usize),
    /// All from this line on, because values were put into values until they were too long.
    Rest(usize),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRun(line) => write!(f, "line {line}: only values are read, nothing is run"),
            Self::Rest(line) => write!(
                f,
                "line {line}: the values of variables, put into others, come to more than {EXPANDED} bytes; \
                 this line and the rest of the file are left out"
            ),
        }
    }
}

impl Assignments {
    /// The value of a variable; empty where nothing was assigned.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Takes in a file's text. Returns what was left out, in the order of the lines. Takes time and memory in proportion to
    /// the text, whatever it says.
    pub fn read(&mut self, text: &str) -> Vec<LeftOut> {
        let mut reader = Reader::new(text, self);
        reader.file();
        reader.left_out
    }
}

/// A variable, whether its value is added to, and the value.
type Assignment = (String, bool, String);

/// Every loop in it takes a character in its condition, so each of its steps is one forward.
struct Reader<'t, 'v> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    left_out: Vec<LeftOut>,
    values: &'v mut Assignments,
}

impl<'t, 'v> Reader<'t, 'v> {
    fn new(text: &'t str, values: &'v mut Assignments) -> Self {
        Self { rest: text.chars().peekable(), line: 1, left_out: Vec::new(), values }
    }

    fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    fn next_if(&mut self, is_taken: impl Fn(char) -> bool) -> Option<char> {
        steps::count(1);
        let c = self.rest.next_if(|c| is_taken(*c))?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// The next character, unless it is `end`, which is taken as well.
    fn next_before(&mut self, end: char) -> Option<char> {
        self.next().filter(|c| *c != end)
    }

    fn file(&mut self) {
        let mut pending: Vec<Assignment> = Vec::new();
        // Is this where a command may begin?
        let mut begins = true;
        while let Some(c) = self.next() {
            match c {
                '#' => self.comment(),
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    self.assign(&mut pending);
                    begins = true;
                }
                c if ends_word(c) => {}
                first => match begins.then(|| self.target(first)).flatten() {
                    Some((name, adds)) => {
                        let is_array = self.next_if(|c| c == '(').is_some();
                        let value = if is_array { self.array() } else { self.word(None) };
                        pending.push((name, adds, value));
                    }
                    None => {
                        let word = self.word(Some(first));
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
        if matches!(self.left_out.last(), Some(LeftOut::Rest(_))) {
            return;
        }
        for (name, adds, value) in pending.drain(..) {
            let place = self.values.values.entry(name).or_default();
            if !adds {
                place.clear();
            }
            place.push_str(&value);
        }
    }

    /// To the end of the line.
    fn comment(&mut self) {
        while self.next_if(|c| c != '\n').is_some() {}
    }

    /// `NAME=` or `NAME+=`, of which `first` was taken, and the rest is only if it is one. Looks no further than the word goes.
    fn target(&mut self, first: char) -> Option<(String, bool)> {
        let mut ahead = self.rest.clone();
        let mut name = String::new();
        let mut next = Some(first);
        while let Some(c) = next {
            steps::count(1);
            match c {
                c if c.is_ascii_alphabetic() || c == '_' || (c.is_ascii_digit() && !name.is_empty()) => {
                    name.push(c);
                }
                '=' if !name.is_empty() => {
                    self.rest = ahead;
                    return Some((name, false));
                }
                '+' if !name.is_empty() && ahead.next() == Some('=') => {
                    self.rest = ahead;
                    return Some((name, true));
                }
                _ => return None,
            }
            next = ahead.next();
        }
        None
    }

    /// What follows the `(` of `(a b c)`, as one text.
    fn array(&mut self) -> String {
        let mut words = String::new();
        while let Some(c) = self.next_before(')') {
            match c {
                '#' => self.comment(),
                c if ends_word(c) => {}
                first => {
                    words.push_str(&self.word(Some(first)));
                    words.push(' ');
                }
            }
        }
        words
    }

    /// The rest of a word, after `first` if that was taken.
    fn word(&mut self, first: Option<char>) -> String {
        let mut word = String::new();
        let mut next = first.or_else(|| self.next_if(|c| !ends_word(c)));
        while let Some(c) = next {
            match c {
                '\'' => {
                    while let Some(c) = self.next_before('\'') {
                        word.push(c);
                    }
                }
                '"' => self.quoted(&mut word),
                '\\' => word.extend(self.next().filter(|c| *c != '\n')),
                '$' => self.dollar(&mut word),
                '`' => self.backquoted(),
                c => word.push(c),
            }
            next = self.next_if(|c| !ends_word(c));
        }
        word
    }

    fn quoted(&mut self, word: &mut String) {
        while let Some(c) = self.next_before('"') {
            match c {
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
        if self.next_if(|c| c == '(').is_some() {
            self.left_out.push(LeftOut::NotRun(self.line));
            self.skip_to_end('(', ')');
        } else if self.next_if(|c| c == '{').is_some() {
            let line = self.line;
            let name = self.name();
            match name.filter(|_| self.next_if(|c| c == '}').is_some()) {
                Some(name) => self.expand(&name, word),
                None => {
                    self.left_out.push(LeftOut::NotRun(line));
                    self.skip_to_end('{', '}');
                }
            }
        } else if let Some(name) = self.name() {
            self.expand(&name, word);
        } else if self.next_if(|c| c.is_ascii_digit() || "?#@*!$-".contains(c)).is_none() {
            word.push('$');
        }
        // `$1`, `$?` and the like are not ours to know.
    }

    /// A variable's name, if one begins here.
    fn name(&mut self) -> Option<String> {
        let mut name = String::from(self.next_if(|c| c.is_ascii_alphabetic() || c == '_')?);
        while let Some(c) = self.next_if(|c| c.is_ascii_alphanumeric() || c == '_') {
            name.push(c);
        }
        Some(name)
    }

    /// Puts a variable's value into a word. Beyond [`EXPANDED`] this ends the file.
    fn expand(&mut self, name: &str, word: &mut String) {
        let value = self.values.get(name);
        let expanded = self.values.expanded + value.len();
        if expanded > EXPANDED {
            self.left_out.push(LeftOut::Rest(self.line));
            self.rest = "".chars().peekable();
            return;
        }
        word.push_str(value);
        self.values.expanded = expanded;
    }

    fn backquoted(&mut self) {
        self.left_out.push(LeftOut::NotRun(self.line));
        while let Some(c) = self.next_before('`') {
            if c == '\\' {
                self.next();
            }
        }
    }

    /// Past the end of something of which `open` was taken, brackets in it counted and quotes in it respected.
    fn skip_to_end(&mut self, open: char, close: char) {
        let mut depth = 1_usize;
        while let Some(c) = self.next() {
            match c {
                '\'' => while self.next_before('\'').is_some() {},
                // No deeper than this: what is in the quotes is not looked at either.
                '"' => {
                    while let Some(c) = self.next_before('"') {
                        if c == '\\' {
                            self.next();
                        }
                    }
                }
                '\\' => {
                    self.next();
                }
                c if c == open => depth += 1,
                c if c == close && depth == 1 => return,
                c if c == close => depth -= 1,
                _ => {}
            }
        }
    }
}

/// Does a word end before this character? Only ASCII has such ones (bash(1), "metacharacter"): other white space is a part of
/// the word. The end of a line as on DOS is not minded.
fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>')
}

#[cfg(test)]
mod tests;
