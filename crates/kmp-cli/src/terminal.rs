//! Colour and width of stdout.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use kmp_core::report::printable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Green,
    Yellow,
    Red,
    Dim,
    Bold,
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

/// Columns of the terminal, if it is one.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

impl Page {
    pub fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        // https://no-color.org: any value but an empty one.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let width = if terminal { width() } else { None };
        Self { text: String::new(), coloured: terminal && !refused && !dumb, width }
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
        };
        format!("{code}{text}{PLAIN}")
    }

    /// Text that follows `used` columns, cut to the terminal's width.
    pub fn fit(&self, used: usize, text: &str) -> String {
        let Some(room) = self.width.map(|w| w.saturating_sub(used)).filter(|r| *r > 10) else {
            return text.into();
        };
        if text.chars().count() <= room {
            return text.into();
        }
        text.chars().take(room - 1).chain(['…']).collect()
    }

    /// A line, or some. Whatever names are in it, nothing but our own colours steers the terminal.
    pub fn line(&mut self, line: impl Display) {
        let line = line.to_string();
        let mut rest = line.as_str();
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

    /// Prints it. A reader that has gone away (`kmp status | head`) is no failure.
    pub fn print(self) -> Result<(), String> {
        let mut out = std::io::stdout().lock();
        match out.write_all(self.text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(format!("cannot write the output: {e}"))
            }
            _ => Ok(()),
        }
    }
}
