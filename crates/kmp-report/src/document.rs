// SPDX-License-Identifier: LGPL-2.1-or-later
//! The whole page: the verdict first.

use std::fmt::Write as _;

use crate::style::STYLE;
use crate::{Body, Inline, Tone};

/// A report.
#[derive(Clone, Debug)]
pub struct Document {
    title: Inline,
    tone: Tone,
    verdict: Inline,
    notes: Vec<Inline>,
    body: Body,
}

impl Document {
    /// With what it is about, and the verdict: what a reader must know who reads no further.
    pub fn new(title: impl AsRef<str>, tone: Tone, verdict: impl AsRef<str>) -> Self {
        let (title, verdict) = (title.into(), verdict.into());
        Self { title, tone, verdict, notes: Vec::new(), body: Body::new() }
    }

    /// With a line below the verdict.
    #[must_use]
    pub fn note(mut self, line: impl Into<Inline>) -> Self {
        self.notes.push(line.into());
        self
    }

    /// With all the rest.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// The file. It depends on nothing else, and on no time: the same findings give the same bytes.
    pub fn to_html(&self) -> String {
        let (title, verdict) = (self.title.html(), self.verdict.html());
        let class = self.tone.class().unwrap_or_default();
        // A browser is to run and fetch nothing, whatever should be wrong with the rest.
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <title>{verdict} - {title}</title>\n<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n\
             <div class=\"verdict {class}\"><p class=\"{class}\"><strong>{verdict}</strong></p>"
        );
        for note in &self.notes {
            let _ = write!(out, "<p>{}</p>", note.html());
        }
        out.push_str("</div>\n");
        out.push_str(self.body.html());
        out.push_str("</body></html>\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_comes_first_and_names_are_text() {
        let mut body = Body::new();
        body.paragraph("the rest");
        let hostile = "</title><img src=x onerror=alert(1)>";
        let page = Document::new(hostile, Tone::Bad, hostile).note(hostile).body(body).to_html();
        assert!(!page.contains("<img") && page.matches("&lt;img src=x").count() == 5, "{page}");
        let verdict = page.find("class=\"verdict bad\"").unwrap();
        assert!(page.find("<h1>").unwrap() < verdict && verdict < page.find("the rest").unwrap());
        assert!(!page.contains("<script"));
    }
}
