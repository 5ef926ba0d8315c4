// SPDX-License-Identifier: LGPL-2.1-or-later
//! `repomd.xml`: the other files of a repository's metadata, with their checksums and sizes.

use std::fmt;
use std::io::Read;

use super::elements::{Elements, Start, Token, take};
use super::{Error, Location};

/// A checksum of a file, in a way that is known not to be forged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-512.
    Sha512([u8; 64]),
}

impl Checksum {
    /// Reads a `<checksum type="...">`.
    ///
    /// # Errors
    /// [`Error::Checksum`]: another kind (as libsolv, only SHA-2 counts; MD5 and SHA-1 can be forged), or no such number.
    pub fn parse(kind: &str, hex: &str) -> Result<Self, Error> {
        let wrong = || Error::Checksum { kind: short(kind), hex: short(hex) };
        let found = match kind {
            "sha256" => bytes(hex).map(Self::Sha256),
            "sha512" => bytes(hex).map(Self::Sha512),
            _ => None,
        };
        found.ok_or_else(wrong)
    }

    /// As it is written.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(sum) => sum,
            Self::Sha512(sum) => sum,
        }
    }
}

/// In hexadecimal digits.
impl fmt::Display for Checksum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

fn short(text: &str) -> String {
    text.chars().take(160).collect()
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}

/// A file of the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What it is: `primary`, `updateinfo`, ...
    pub kind: String,
    /// Where it is.
    pub location: Location,
    /// The checksum of the file.
    pub checksum: Checksum,
    /// Its size, in bytes.
    pub size: Option<u64>,
    /// The size of what is in it, in bytes.
    pub open_size: Option<u64>,
}

/// `repomd.xml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repomd {
    /// Whatever its maker says; most write the time.
    pub revision: String,
    /// The files that kmp reads, in their order.
    pub files: Vec<Metadata>,
}

impl Repomd {
    /// More kinds of metadata than any repository has.
    const MOST: usize = 1000;

    /// Reads `repomd.xml`. Files of kinds that kmp does not read are left out.
    ///
    /// # Errors
    /// The input cannot be read, is not such a document, is cut off, or names a file that kmp reads without a SHA-2 checksum or
    /// outside of the repository.
    ///
    /// ```
    /// use kmp_repo::rpmmd::Repomd;
    ///
    /// let xml = format!(
    ///     "<repomd><revision>1</revision><data type='primary'><checksum type='sha256'>{:064x}</checksum>\
    ///      <location href='repodata/primary.xml.zst'/><size>10</size><open-size>20</open-size></data></repomd>",
    ///     5
    /// );
    /// let repomd = Repomd::read(xml.as_bytes())?;
    /// let primary = repomd.file("primary").unwrap();
    /// assert_eq!(primary.location.as_str(), "repodata/primary.xml.zst");
    /// assert_eq!(primary.open_size, Some(20));
    /// # Ok::<(), kmp_repo::rpmmd::Error>(())
    /// ```
    pub fn read(input: impl Read) -> Result<Self, Error> {
        let mut elements = Elements::new(input);
        let mut parser = Parser::default();
        loop {
            match elements.next()? {
                Token::Start(start) => parser.start(&start)?,
                Token::Text(text) => parser.text.push_str(&text),
                Token::End => parser.end()?,
                Token::Nothing => {}
                Token::Eof if parser.is_done => return Ok(parser.repomd),
                Token::Eof => return Err(Error::Cut { inside: ROOT }),
            }
            if parser.repomd.files.len() > Self::MOST || parser.text.len() > LONGEST {
                return Err(Error::TooLarge { what: "files", limit: Self::MOST as u64, unit: "files" });
            }
        }
    }

    /// The file of a kind.
    pub fn file(&self, kind: &str) -> Option<&Metadata> {
        self.files.iter().find(|file| file.kind == kind)
    }
}

const ROOT: &str = "repomd";

/// What kmp reads.
const KINDS: [&str; 2] = ["primary", "updateinfo"];

/// The longest text, in bytes.
const LONGEST: usize = 64 << 10;

/// A `<data>` as far as it was read.
#[derive(Default)]
struct Draft {
    kind: String,
    href: String,
    checksum: (String, String),
    size: Option<u64>,
    open_size: Option<u64>,
}

/// Elements are known by their depth: `repomd` 1, `data` and `revision` 2, what a `data` has 3.
#[derive(Default)]
struct Parser {
    depth: usize,
    is_done: bool,
    /// The element whose text is read.
    field: String,
    text: String,
    draft: Draft,
    repomd: Repomd,
}

impl Parser {
    fn start(&mut self, start: &Start<'_>) -> Result<(), Error> {
        self.depth += 1;
        self.text.clear();
        self.field.clear();
        let name = start.name();
        match (self.depth, name) {
            (1, _) if name != ROOT || self.is_done => {
                let found = short(name);
                return Err(Error::Document { expected: "list of metadata (repomd.xml)", found });
            }
            (2, "data") => {
                self.draft = Draft::default();
                start.attributes(|name, value| take(name, value, "type", &mut self.draft.kind))?;
            }
            (3, "location") => {
                start.attributes(|name, value| take(name, value, "href", &mut self.draft.href))?;
            }
            (3, "checksum") => {
                start.attributes(|name, value| take(name, value, "type", &mut self.draft.checksum.0))?;
            }
            _ => {}
        }
        name.clone_into(&mut self.field);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        let text = self.text.trim();
        match (self.depth, &*self.field) {
            (2, "revision") => text.clone_into(&mut self.repomd.revision),
            (3, "checksum") => text.clone_into(&mut self.draft.checksum.1),
            (3, "size") => self.draft.size = text.parse().ok(),
            (3, "open-size") => self.draft.open_size = text.parse().ok(),
            _ => {}
        }
        self.text.clear();
        self.field.clear();
        self.depth -= 1;
        match self.depth {
            0 => self.is_done = true,
            1 if KINDS.contains(&&*self.draft.kind) => {
                let draft = std::mem::take(&mut self.draft);
                self.repomd.files.push(Metadata {
                    location: Location::parse(&draft.href)?,
                    checksum: Checksum::parse(&draft.checksum.0, &draft.checksum.1)?,
                    size: draft.size,
                    open_size: draft.open_size,
                    kind: draft.kind,
                });
            }
            _ => {}
        }
        Ok(())
    }
}
