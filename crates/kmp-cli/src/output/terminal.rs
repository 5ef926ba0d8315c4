// SPDX-License-Identifier: LGPL-2.1-or-later
//! Colour and width of stdout.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{IsTerminal, Write};

use kmp_core::printable;
use kmp_core::state::State;
use kmp_report::Tone;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Green,
    Yellow,
    Red,
    Dim,
    Bold,
    /// None.
    Plain,
}

impl Colour {
    /// The same on a page in HTML.
    pub fn tone(self) -> Tone {
        match self {
            Self::Green => Tone::Good,
            Self::Yellow => Tone::Warning,
            Self::Red => Tone::Bad,
            Self::Dim => Tone::Dim,
            Self::Bold | Self::Plain => Tone::Plain,
        }
    }

    /// That of a state which matters. Where another build of the driver serves the kernel it is dim.
    pub fn of(state: State) -> Self {
        match state {
            State::Native | State::Linked | State::Compatible => Self::Green,
            State::Unlinked | State::Clash | State::Unread | State::Breaks => Self::Yellow,
            State::Refused | State::Broken => Self::Red,
            State::Unused | State::Declined => Self::Dim,
        }
    }
}

const PLAIN: &str = "\x1b[0m";

/// All that [`Page::paint`] writes.
const CODES: &[&str] = &["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m", "\x1b[1m", PLAIN];

/// Text for stdout, written at the end in one piece.
pub struct Page {
    text: String,
    coloured: bool,
    width: Option<usize>,
}

/// Columns of standard error, if it is a terminal.
pub fn width_of_messages() -> Option<usize> {
    let error = std::io::stderr();
    error
        .is_terminal()
        .then(|| terminal_size::terminal_size_of(error).map_or(80, |(width, _)| width.0.into()))
}

/// Columns of the terminal, if it is one.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// A text in lines of at most this width; those after the first are behind `behind` blanks more. Broken at blanks only, so that
/// names and numbers stay whole, whatever their length.
pub fn wrap(width: Option<usize>, indent: usize, behind: usize, text: &str) -> Vec<String> {
    let Some(width) = width else { return vec![format!("{:indent$}{text}", "")] };
    let (first, others) = (" ".repeat(indent), " ".repeat(indent + behind));
    let options = textwrap::Options::new(width)
        .initial_indent(&first)
        .subsequent_indent(&others)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
        .break_words(false);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

/// Prints a text as it is. A reader that has gone away (`kmp status | head`) is no failure.
pub fn print_text(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot write the output: {e}")),
        _ => Ok(()),
    }
}

impl Page {
    pub fn new() -> Self {
        let out = std::io::stdout();
        let choice = anstream::AutoStream::choice(&out);
        // A terminal that does not know its width, as a serial line, has 80 columns.
        let width = out.is_terminal().then(|| width().unwrap_or(80));
        Self::with(width, choice != anstream::ColorChoice::Never)
    }

    /// For a terminal of this width; `None` for what is no terminal.
    pub fn with(width: Option<usize>, coloured: bool) -> Self {
        Self { text: String::new(), coloured, width }
    }

    /// The terminal's columns; `None`: lines may be of any length.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// `text` in a colour, if there are any.
    pub fn paint(&self, colour: Colour, text: impl Display) -> String {
        if !self.coloured {
            return text.to_string();
        }
        let code = match colour {
            Colour::Green => "\x1b[32m",
            Colour::Yellow => "\x1b[33m",
            Colour::Red => "\x1b[31m",
            Colour::Dim => "\x1b[2m",
            Colour::Bold => "\x1b[1m",
            Colour::Plain => return text.to_string(),
        };
        format!("{code}{text}{PLAIN}")
    }

    /// The word for a state, in its colour.
    pub fn state(&self, state: State) -> String {
        self.paint(Colour::of(state), state)
    }

    /// A text in lines that fit the page; those after the first are behind `behind` blanks more.
    pub fn wrap(&self, indent: usize, behind: usize, text: &str) -> Vec<String> {
        wrap(self.width, indent, behind, text)
    }

    /// The lines of [`Self::wrap`] with the same blanks before each.
    pub fn wrapped(&mut self, indent: usize, text: &str) {
        self.wrapped_behind(indent, 0, text);
    }

    /// The lines of [`Self::wrap`].
    pub fn wrapped_behind(&mut self, indent: usize, behind: usize, text: &str) {
        self.wrap(indent, behind, text).iter().for_each(|line| self.line(line));
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// The same at the beginning of the line, in a colour.
    pub fn wrapped_in(&mut self, colour: Colour, text: &str) {
        for line in self.wrap(0, 0, text) {
            self.line(self.paint(colour, line));
        }
    }

    /// A line, or some. Whatever names are in it, nothing but our own colours steers the terminal.
    pub fn line(&mut self, line: impl Display) {
        let line = line.to_string();
        let mut rest = line.as_str();
        // Most lines: bytes are looked at faster than characters.
        if rest.bytes().all(|b| matches!(b, b' '..=b'~')) {
            self.text.push_str(rest);
            self.text.push('\n');
            return;
        }
        while let Some(at) = rest.find(char::is_control) {
            let (before, from) = rest.split_at(at);
            self.text.push_str(before);
            let own = CODES.iter().find(|c| self.coloured && from.starts_with(**c));
            let end = own.map_or_else(|| from.chars().next().map_or(0, char::len_utf8), |code| code.len());
            match own {
                Some(code) => self.text.push_str(code),
                None if from.starts_with('\n') => self.text.push('\n'),
                None => self.text.push_str(&printable(from[..end].as_ref())),
            }
            rest = &from[end..];
        }
        self.text.push_str(rest);
        self.text.push('\n');
    }

    /// What would be printed.
    #[cfg(test)]
    pub fn into_text(self) -> String {
        self.text
    }

    /// Prints it.
    pub fn print(self) -> Result<(), String> {
        print_text(&self.text)
    }
}
