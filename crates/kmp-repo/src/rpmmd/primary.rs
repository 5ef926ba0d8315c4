// SPDX-License-Identifier: LGPL-2.1-or-later
//! `primary.xml`: the packages of a repository.

use std::io::BufRead;

use super::Error;
use super::elements::{Elements, Start, Token, take};
use super::listed::{Field, Listed, Role, Written};

/// Reads `primary.xml` from `input`, which is decompressed, and calls `each` with one package after the other. Who wants to keep
/// one takes [`Listed::to_kept`].
///
/// # Errors
/// The input cannot be read, is not such a document, is cut off, or has something larger than any real one. `each` may have
/// been called before.
///
/// ```
/// use kmp_repo::rpmmd::{Role, packages};
///
/// let xml = r#"<metadata packages="1"><package type="rpm"><name>nic-kmp-default</name><arch>x86_64</arch>
///   <version epoch="0" ver="1.0_k6.4.0_1" rel="1.1"/><format><rpm:requires>
///   <rpm:entry name="ksym(default:foo)" flags="EQ" epoch="0" ver="aaaa"/>
///   </rpm:requires></format></package></metadata>"#;
/// let mut seen = Vec::new();
/// packages(xml.as_bytes(), &mut |package| {
///     let needs = package.capabilities(Role::Requires).map(|c| format!("{} = {}", c.name, c.evr));
///     seen.push((package.nvra(), needs.collect::<Vec<_>>()));
/// })?;
/// assert_eq!(seen, [("nic-kmp-default-1.0_k6.4.0_1-1.1.x86_64".into(), vec!["ksym(default:foo) = aaaa".into()])]);
/// # Ok::<(), kmp_repo::rpmmd::Error>(())
/// ```
pub fn packages(input: impl BufRead, each: &mut dyn FnMut(&Listed)) -> Result<(), Error> {
    let mut elements = Elements::new(input);
    let mut parser = Parser::default();
    loop {
        match elements.next()? {
            Token::Start(start) => parser.start(&start)?,
            Token::Text(text) => parser.text(&text)?,
            Token::End => {
                if parser.end()? {
                    each(&parser.package);
                }
            }
            Token::Nothing => {}
            Token::Eof if parser.is_done => return Ok(()),
            Token::Eof => return Err(Error::Cut { inside: ROOT }),
        }
    }
}

/// The element that has all packages.
const ROOT: &str = "metadata";

/// Where the reader is. Elements are known by their depth: `metadata` 1, `package` 2, what a package has 3, `format`'s 4, a
/// capability 5.
#[derive(Default)]
struct Parser {
    depth: usize,
    is_done: bool,
    is_package: bool,
    is_format: bool,
    role: Option<Role>,
    field: Option<Field>,
    /// The text of `field` so far.
    text: String,
    written: Written,
    package: Listed,
}

impl Parser {
    fn start(&mut self, start: &Start<'_>) -> Result<(), Error> {
        self.depth += 1;
        // Text is not mixed with elements where it counts.
        self.field = None;
        let name = start.name();
        match self.depth {
            1 if name != ROOT || self.is_done => {
                let found = name.chars().take(80).collect();
                Err(Error::Document { expected: "list of packages (primary.xml)", found })
            }
            2 => {
                self.package.clear();
                self.is_package = name == "package";
                Ok(())
            }
            3 if self.is_package => self.of_package(name, start),
            4 if self.is_format => self.of_format(name, start),
            5 if self.is_format && name == "entry" => match self.role {
                Some(role) => {
                    self.written.clear();
                    start.attributes(|name, value| self.written.take(name, value))?;
                    self.package.add(role, &self.written)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn of_package(&mut self, name: &str, start: &Start<'_>) -> Result<(), Error> {
        self.is_format = name == "format";
        match name {
            "name" => self.collect(Field::Name),
            "arch" => self.collect(Field::Arch),
            "version" => {
                self.written.clear();
                start.attributes(|name, value| self.written.take(name, value))?;
                self.package.set_evr(&self.written)?;
            }
            "checksum" => {
                let mut kind = String::new();
                start.attributes(|name, value| take(name, value, "type", &mut kind))?;
                self.package.set_checksum_kind(&kind)?;
                self.collect(Field::Checksum);
            }
            "location" => {
                let mut href = String::new();
                start.attributes(|name, value| take(name, value, "href", &mut href))?;
                self.package.set_location(&href)?;
            }
            "size" => {
                let mut size = 0;
                start.attributes(|name, value| {
                    if name == "package" {
                        size = value.parse().unwrap_or(0);
                    }
                })?;
                self.package.set_size(size);
            }
            _ => {}
        }
        Ok(())
    }

    fn of_format(&mut self, name: &str, start: &Start<'_>) -> Result<(), Error> {
        self.role = Role::of(name);
        match name {
            "vendor" => self.collect(Field::Vendor),
            "sourcerpm" => self.collect(Field::Source),
            "header-range" => {
                let mut range = (0, 0);
                start.attributes(|name, value| match name {
                    "start" => range.0 = value.parse().unwrap_or(0),
                    "end" => range.1 = value.parse().unwrap_or(0),
                    _ => {}
                })?;
                self.package.set_header(range.0, range.1);
            }
            _ => {}
        }
        Ok(())
    }

    fn collect(&mut self, field: Field) {
        self.field = Some(field);
        self.text.clear();
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        if self.field.is_some() {
            self.text.push_str(text);
            // A name in many pieces, with comments between them.
            if self.text.len() > LONGEST {
                return Err(Error::TooLarge { what: "a name", limit: LONGEST as u64, unit: "bytes" });
            }
        }
        Ok(())
    }

    /// Whether that was the end of a package.
    fn end(&mut self) -> Result<bool, Error> {
        if let Some(field) = self.field.take() {
            self.package.set(field, &self.text)?;
        }
        self.depth -= 1;
        match self.depth {
            0 => self.is_done = true,
            1 => return Ok(std::mem::take(&mut self.is_package)),
            2 => self.is_format = false,
            3 => self.role = None,
            _ => {}
        }
        Ok(false)
    }
}

/// The longest name, vendor or checksum, in bytes.
const LONGEST: usize = 64 << 10;
