// SPDX-License-Identifier: LGPL-2.1-or-later
//! `primary.xml`: the packages of a repository.

use std::fmt;
use std::io::Read;

use super::Error;
use super::elements::{Elements, Start, Token, append, attributes, take};
use super::listed::{Field, Listed, Role, Written};
use super::others::Others;

/// Which packages are wanted. A package is read whole if one of them says so of anything in it: of the others, which are nearly
/// all, no dependency is parsed.
pub struct Wanted<'w> {
    /// By the package's name.
    pub name: &'w dyn Fn(&str) -> bool,
    /// By the name of one of its capabilities, as it is written: `&amp;` is not resolved.
    pub capability: &'w dyn Fn(Role, &str) -> bool,
    /// By the file name of its source package.
    pub source: &'w dyn Fn(&str) -> bool,
    /// Words of letters, digits, `(` and `-`: what is wanted by one of the above has at least one of them in it. A package that has none of
    /// them anywhere is passed over unparsed. No words: each package is parsed.
    pub words: &'w [&'w str],
}

impl Wanted<'_> {
    /// Every package.
    pub const ALL: Wanted<'static> =
        Wanted { name: &|_| true, capability: &|_, _| true, source: &|_| true, words: &[] };
}

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Wanted")
    }
}

/// Reads `primary.xml` from `input`, which is decompressed, and calls `each` with one wanted package after the other.
///
/// # Errors
/// The input cannot be read, is not such a document, is cut off, or has something larger than any real one. `each` may have
/// been called before.
///
/// ```
/// use kmp_repo::rpmmd::{Role, Wanted, packages};
///
/// let xml = r#"<metadata packages="1"><package type="rpm"><name>nic-kmp-default</name><arch>x86_64</arch>
///   <version epoch="0" ver="1.0_k6.4.0_1" rel="1.1"/><format><rpm:requires>
///   <rpm:entry name="ksym(default:foo)" flags="EQ" epoch="0" ver="aaaa"/>
///   </rpm:requires></format></package></metadata>"#;
/// let mut seen = Vec::new();
/// packages(xml.as_bytes(), &Wanted::ALL, &mut |package| {
///     let needs = package.capabilities(Role::Requires).map(|c| format!("{} = {}", c.name, c.evr));
///     seen.push((package.nvra(), needs.collect::<Vec<_>>()));
/// })?;
/// assert_eq!(seen, [("nic-kmp-default-1.0_k6.4.0_1-1.1.x86_64".into(), vec!["ksym(default:foo) = aaaa".into()])]);
/// # Ok::<(), kmp_repo::rpmmd::Error>(())
/// ```
pub fn packages(input: impl Read, wanted: &Wanted<'_>, each: &mut dyn FnMut(&Listed)) -> Result<(), Error> {
    let mut elements = Elements::new(input);
    let mut parser = Parser::default();
    let others = Others::new(wanted.words);
    loop {
        match elements.next()? {
            Token::Start(start) => {
                parser.start(&start, wanted)?;
                if parser.is_at_package()
                    && let Some(others) = &others
                    && elements.pass_over(|bytes| others.look(bytes))?
                {
                    parser.is_package = false;
                }
            }
            Token::Text(text) => parser.text(&text)?,
            Token::End => {
                let is_package = parser.end()?;
                if is_package && parser.is_wanted(wanted) {
                    parser.take_entries()?;
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
    /// Does one of its capabilities make it wanted?
    is_wanted: bool,
    /// Its capabilities as they are written, which are parsed if it is wanted: the attributes of all, and where each one's end.
    raw: String,
    entries: Vec<(Role, usize, u64)>,
}

impl Parser {
    fn start(&mut self, start: &Start<'_>, wanted: &Wanted<'_>) -> Result<(), Error> {
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
                self.raw.clear();
                self.entries.clear();
                self.is_wanted = false;
                self.is_package = name == "package";
                Ok(())
            }
            3 if self.is_package => self.of_package(name, start),
            4 if self.is_format => self.of_format(name, start),
            5 if self.is_format && name == "entry" => match self.role {
                Some(role) => self.entry(role, start, wanted),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Has a package just begun?
    fn is_at_package(&self) -> bool {
        self.depth == 2 && self.is_package
    }

    /// Is the package wanted that has just ended?
    fn is_wanted(&self, wanted: &Wanted<'_>) -> bool {
        self.is_wanted || (wanted.name)(self.package.name()) || (wanted.source)(self.package.source())
    }

    fn entry(&mut self, role: Role, start: &Start<'_>, wanted: &Wanted<'_>) -> Result<(), Error> {
        let raw = start.raw();
        if !self.is_wanted {
            // As createrepo_c and OBS write it. Any other form is looked at when the package is.
            let written = raw.trim_start().strip_prefix("name=\"").and_then(|rest| rest.split_once('"'));
            self.is_wanted = written.is_none_or(|(name, _)| (wanted.capability)(role, name));
        }
        self.raw.push_str(raw);
        if self.raw.len() > MOST || self.entries.len() >= MOST_ENTRIES {
            return Err(Error::TooLarge {
                what: "a package with capabilities",
                limit: MOST as u64,
                unit: "bytes",
            });
        }
        self.entries.push((role, self.raw.len(), start.at()));
        Ok(())
    }

    /// Parses the capabilities of the package, which is wanted.
    fn take_entries(&mut self) -> Result<(), Error> {
        let mut begin = 0;
        for (role, end, at) in &self.entries {
            self.written.clear();
            attributes(&self.raw[begin..*end], *at, |name, value| self.written.take(name, value))?;
            self.package.add(*role, &self.written)?;
            begin = *end;
        }
        Ok(())
    }

    fn of_package(&mut self, name: &str, start: &Start<'_>) -> Result<(), Error> {
        self.is_format = name == "format";
        match name {
            "name" => self.collect(Field::Name),
            "arch" => self.collect(Field::Arch),
            "packager" => self.collect(Field::Packager),
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
            append(&mut self.text, text, LONGEST)?;
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

/// The most bytes of capabilities of a package, as they are written, and the most capabilities. A kernel's are about two million, and
/// thirty thousand.
const MOST: usize = 16 << 20;
const MOST_ENTRIES: usize = 400_000;

/// The longest name, vendor or checksum, in bytes.
const LONGEST: usize = 64 << 10;
