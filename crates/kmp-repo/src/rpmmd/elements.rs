// SPDX-License-Identifier: LGPL-2.1-or-later
//! The elements of an XML document, one after the other, in bounded memory.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use kmp_fs::unpack::Source;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error as XmlError, Reader};

use super::Error;

/// The largest tag, text or comment, in bytes. In the repositories of today's distributions the longest text, a
/// description, has some 20,000.
const LARGEST: u64 = 1 << 20;

/// How deep elements may be in each other. Metadata needs five.
const DEEPEST: usize = 32;

/// What comes next.
pub(super) enum Token<'t> {
    /// An element begins. An empty one has an end, too.
    Start(Start<'t>),
    /// The element that began last ends.
    End,
    /// A piece of text; an element's text may come in several.
    Text(Cow<'t, str>),
    /// Comments and what else says nothing.
    Nothing,
    /// The document is at its end.
    Eof,
}

/// The start of an element.
pub(super) struct Start<'t> {
    start: BytesStart<'t>,
    at: u64,
}

impl Start<'_> {
    /// Its name without the prefix of a namespace: createrepo_c writes `rpm:entry`, others may have another prefix.
    pub(super) fn name(&self) -> &str {
        self.start.local_name().into_inner()
    }

    /// Its attributes, as they are written.
    pub(super) fn raw(&self) -> &str {
        self.start.attributes_raw()
    }

    /// Where it ends, in bytes.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Calls `each` with the name and the value of each attribute.
    pub(super) fn attributes(&self, each: impl FnMut(&str, &str)) -> Result<(), Error> {
        attributes(self.raw(), self.at, each)
    }
}

/// Calls `each` with the name and the value of each attribute of `raw`, which ends at byte `at`.
pub(super) fn attributes(raw: &str, at: u64, mut each: impl FnMut(&str, &str)) -> Result<(), Error> {
    let wrong = |why: String| Error::Xml { at, why };
    for attribute in BytesStart::from_content(raw, 0).attributes().with_checks(false) {
        let attribute = attribute.map_err(|e| wrong(e.to_string()))?;
        let value = unescape(&attribute.value).map_err(|e| wrong(e.to_string()))?;
        each(attribute.key.local_name().into_inner(), &value);
    }
    Ok(())
}

/// Adds a piece of a text, of which there may be many, with comments between them, up to `limit` bytes in all.
pub(super) fn append(text: &mut String, piece: &str, limit: usize) -> Result<(), Error> {
    text.push_str(piece);
    if text.len() > limit {
        return Err(Error::TooLarge { what: "a name", limit: limit as u64, unit: "bytes" });
    }
    Ok(())
}

/// Keeps an attribute's value, if it is the one that is wanted.
pub(super) fn take(attribute: &str, value: &str, wanted: &str, kept: &mut String) {
    if attribute == wanted {
        value.clone_into(kept);
    }
}

/// What is to be done with the contents of an element, as far as they are there.
pub(super) enum Contents {
    /// So many bytes are passed over; the element's end tag is next.
    PassOver(usize),
    /// They are read.
    Read,
    /// The element's end is not among them.
    Unknown,
}

/// Reads elements.
pub(super) struct Elements<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    depth: usize,
    /// Was the last an element without contents? Its end is still to come.
    is_empty: bool,
    /// Bytes that the parser has not seen.
    passed_over: u64,
}

impl<R: Read> Elements<R> {
    pub(super) fn new(input: R) -> Self {
        let reader = Reader::from_reader(Bounded { inner: Source::new(input), taken: 0 });
        Self { reader, buffer: Vec::new(), depth: 0, is_empty: false, passed_over: 0 }
    }

    /// Passes over the contents of the element that began last, if `look` says so of the bytes that follow. Where these do not
    /// reach to the element's end, it is asked once more, with as many as there is room for. Whether that was done.
    pub(super) fn pass_over(&mut self, look: impl Fn(&[u8]) -> Contents) -> Result<bool, Error> {
        if self.is_empty {
            return Ok(false);
        }
        let source = &mut self.reader.get_mut().inner;
        let mut contents = look(source.fill_buf().map_err(Error::Read)?);
        if let Contents::Unknown = contents {
            contents = look(source.peek(usize::MAX).map_err(Error::Read)?);
        }
        let Contents::PassOver(len) = contents else { return Ok(false) };
        source.consume(len);
        self.passed_over += len as u64;
        Ok(true)
    }

    /// What comes next.
    pub(super) fn next(&mut self) -> Result<Token<'_>, Error> {
        if std::mem::take(&mut self.is_empty) {
            return Ok(Token::End);
        }
        self.buffer.clear();
        self.reader.get_mut().taken = 0;
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(error) => return Err(failed(error, self.reader.error_position() + self.passed_over)),
        };
        let at = self.reader.buffer_position() + self.passed_over;
        Ok(match event {
            Event::Start(start) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    let what = "elements in each other";
                    return Err(Error::TooLarge { what, limit: DEEPEST as u64, unit: "levels" });
                }
                Token::Start(Start { start, at })
            }
            Event::Empty(start) => {
                self.is_empty = true;
                Token::Start(Start { start, at })
            }
            Event::End(_) => {
                self.depth -= 1;
                Token::End
            }
            Event::Text(text) => Token::Text(text.into_inner()),
            Event::CData(text) => Token::Text(text.into_inner()),
            Event::GeneralRef(reference) => {
                let written = format!("&{};", &*reference.into_inner());
                let text = unescape(&written).map_err(|e| Error::Xml { at, why: e.to_string() })?;
                Token::Text(Cow::Owned(text.into_owned()))
            }
            Event::Eof => Token::Eof,
            _ => Token::Nothing,
        })
    }
}

fn failed(error: XmlError, at: u64) -> Error {
    match error {
        XmlError::Io(error) if error.get_ref().is_some_and(|e| e.is::<TokenTooLarge>()) => {
            Error::TooLarge { what: "a tag or a text", limit: LARGEST, unit: "bytes" }
        }
        XmlError::Io(error) => Error::Read(io::Error::new(error.kind(), error.to_string())),
        error => Error::Xml { at, why: error.to_string() },
    }
}

/// Refuses to go on after [`LARGEST`] bytes of one token, all of which the parser would keep in memory.
struct Bounded<R> {
    inner: Source<R>,
    taken: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("a tag or a text is too large")]
struct TokenTooLarge;

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let len = there.len().min(buffer.len());
        buffer[..len].copy_from_slice(&there[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<R: Read> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken > LARGEST {
            return Err(io::Error::other(TokenTooLarge));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.taken += amount as u64;
        self.inner.consume(amount);
    }
}
