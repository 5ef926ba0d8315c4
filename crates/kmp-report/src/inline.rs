// SPDX-License-Identifier: LGPL-2.1-or-later
//! Text within a line.

use std::fmt::Write as _;

/// What something means for the reader. Its words say so, too: nobody has to see colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Somebody should look.
    Warning,
    /// Something is lost.
    Bad,
    /// It matters less than what is around it.
    Dim,
    /// None of these.
    Plain,
}

impl Tone {
    /// The name of its style.
    pub(crate) fn class(self) -> Option<&'static str> {
        match self {
            Self::Good => Some("good"),
            Self::Warning => Some("warn"),
            Self::Bad => Some("bad"),
            Self::Dim => Some("dim"),
            Self::Plain => None,
        }
    }
}

/// Text within a line. What is given is text, never markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inline(String);

impl Inline {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A name of the kernel's or of a package, in the letters of code.
    pub fn code(text: impl AsRef<str>) -> Self {
        Self::new().and_code(text)
    }

    /// Text with a meaning.
    pub fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self::new().and_toned(tone, text)
    }

    /// With more text behind it.
    pub fn and(mut self, text: impl AsRef<str>) -> Self {
        escape(text.as_ref(), &mut self.0);
        self
    }

    /// With a name behind it.
    pub fn and_code(mut self, text: impl AsRef<str>) -> Self {
        self.0.push_str("<code>");
        escape(text.as_ref(), &mut self.0);
        self.0.push_str("</code>");
        self
    }

    /// With text that has a meaning behind it.
    pub fn and_toned(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        let Some(class) = tone.class() else { return self.and(text) };
        let _ = write!(self.0, "<span class=\"{class}\">");
        escape(text.as_ref(), &mut self.0);
        self.0.push_str("</span>");
        self
    }

    /// With a line behind it, in smaller letters.
    pub fn and_note(mut self, text: impl AsRef<str>) -> Self {
        self.0.push_str("<small>");
        escape(text.as_ref(), &mut self.0);
        self.0.push_str("</small>");
        self
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn html(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str>> From<T> for Inline {
    fn from(text: T) -> Self {
        Self::new().and(text)
    }
}

/// Writes text as HTML. Characters that cannot be seen, or change the direction of what is around them, are written as their numbers:
/// a name must not look like another.
pub(crate) fn escape(text: &str, out: &mut String) {
    out.reserve(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Marks of direction, joiners, and the mark of byte order.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let hostile = "<script>alert(1)</script>\" onload='x' & \u{1b}[31m\u{202e}gnp";
        let text =
            "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&#39;x&#39; &amp; \\u{1b}[31m\\u{202e}gnp";
        let all = [
            (Inline::from(hostile), text.to_string()),
            (Inline::code(hostile), format!("<code>{text}</code>")),
            (Inline::toned(Tone::Bad, hostile), format!("<span class=\"bad\">{text}</span>")),
            (Inline::toned(Tone::Plain, hostile), text.to_string()),
            (Inline::new().and_note(hostile), format!("<small>{text}</small>")),
        ];
        for (found, expected) in all {
            assert_eq!(found.html(), expected);
        }
        assert_eq!(Inline::from("Grüße, 日本").html(), "Grüße, 日本");
    }
}
