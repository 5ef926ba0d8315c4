// SPDX-License-Identifier: LGPL-2.1-or-later
//! `updateinfo.xml`: advisories, and the packages that each of them brings. Only security advisories about kernels are kept.

use std::io::Read;

use rpm_meta::Evr;

use super::Error;
use super::elements::{Elements, Start, Token, append};

/// A security advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advisory {
    /// Its name, as its maker calls it: `SUSE-2026-1`, `RHSA-2026:1`.
    pub id: String,
    /// How bad it is, in its maker's word; empty if it does not say.
    pub severity: String,
    /// The CVEs that it names, in its order.
    pub cves: Vec<String>,
    /// The kernels that it brings: package name, `[epoch:]version-release`, architecture.
    pub kernels: Vec<(String, String, String)>,
}

impl Advisory {
    /// The most CVEs that are kept of one. Kernels' advisories name some hundreds.
    pub const MOST_CVES: usize = 1000;

    /// About how many bytes of memory it takes.
    pub(crate) fn memory(&self) -> usize {
        let kernels = self.kernels.iter().map(|(name, evr, arch)| name.len() + evr.len() + arch.len() + 72);
        self.id.len() + self.cves.iter().map(|cve| cve.len() + 24).chain(kernels).sum::<usize>()
    }

    /// Does it bring the kernel package of this name and architecture, in a version behind `after` and not behind `last`?
    pub fn is_between(&self, name: &str, arch: &str, after: &Evr, last: &Evr) -> bool {
        self.kernels.iter().filter(|(n, _, a)| n == name && a == arch).any(|(_, evr, _)| {
            let evr = Evr::parse(evr);
            evr.compare(after).is_gt() && evr.compare(last).is_le()
        })
    }
}

/// Reads `updateinfo.xml` from `input`, which is decompressed, and calls `each` with one security advisory about kernels after the
/// other.
///
/// # Errors
/// As [`packages`](super::packages).
///
/// ```
/// let xml = r#"<updates><update type="security"><id>A-1</id><severity>important</severity>
///   <references><reference id="CVE-2026-1" type="cve"/></references>
///   <pkglist><collection><package name="kernel-default" version="6.4.0" release="2" epoch="0" arch="x86_64"/>
///   </collection></pkglist></update></updates>"#;
/// let mut seen = Vec::new();
/// kmp_repo::rpmmd::advisories(xml.as_bytes(), &mut |advisory| seen.push((advisory.id, advisory.cves)))?;
/// assert_eq!(seen, [("A-1".into(), vec!["CVE-2026-1".into()])]);
/// # Ok::<(), kmp_repo::rpmmd::Error>(())
/// ```
pub fn advisories(input: impl Read, each: &mut dyn FnMut(Advisory)) -> Result<(), Error> {
    let mut elements = Elements::new(input);
    let mut parser = Parser::default();
    loop {
        match elements.next()? {
            Token::Start(start) => parser.start(&start)?,
            Token::Text(text) => parser.text(&text)?,
            Token::End => {
                if let Some(advisory) = parser.end() {
                    each(advisory);
                }
            }
            Token::Nothing => {}
            Token::Eof if parser.is_done => return Ok(()),
            Token::Eof => return Err(Error::Cut { inside: ROOT }),
        }
    }
}

/// The element that has all advisories.
const ROOT: &str = "updates";

/// The longest name of an advisory, or word for how bad it is, in bytes.
const LONGEST: usize = 4 << 10;

/// The most kernels of one advisory: each flavour, for each architecture, with all parts.
const MOST_KERNELS: usize = 10_000;

/// Elements are known by their depth: `updates` 1, `update` 2, what an `update` has 3, `reference` and `collection` 4, `package` 5.
#[derive(Default)]
struct Parser {
    depth: usize,
    is_done: bool,
    is_security: bool,
    field: Option<Field>,
    text: String,
    advisory: Advisory,
}

#[derive(Clone, Copy)]
enum Field {
    Id,
    Severity,
}

impl Parser {
    fn start(&mut self, start: &Start<'_>) -> Result<(), Error> {
        self.depth += 1;
        self.field = None;
        let name = start.name();
        match (self.depth, name) {
            (1, _) if name != ROOT || self.is_done => {
                let found = name.chars().take(80).collect();
                return Err(Error::Document { expected: "list of advisories (updateinfo.xml)", found });
            }
            (2, _) => {
                self.advisory = Advisory::default();
                self.is_security = false;
                start.attributes(|name, value| self.is_security |= name == "type" && value == "security")?;
                self.is_security &= name == "update";
            }
            // Of the others, which are most, nothing is looked at.
            _ if !self.is_security => {}
            (3, "id") => self.collect(Field::Id),
            (3, "severity") => self.collect(Field::Severity),
            (4, "reference") => self.reference(start)?,
            (5, "package") => self.package(start)?,
            _ => {}
        }
        Ok(())
    }

    fn collect(&mut self, field: Field) {
        self.field = Some(field);
        self.text.clear();
    }

    fn reference(&mut self, start: &Start<'_>) -> Result<(), Error> {
        let (mut id, mut is_cve) = (String::new(), false);
        start.attributes(|name, value| match name {
            "id" => value.clone_into(&mut id),
            "type" => is_cve = value.eq_ignore_ascii_case("cve"),
            _ => {}
        })?;
        let is_name = id.len() < 40 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let cves = &mut self.advisory.cves;
        if is_cve && is_name && id.starts_with("CVE-") && cves.len() < Advisory::MOST_CVES {
            cves.push(id);
        }
        Ok(())
    }

    fn package(&mut self, start: &Start<'_>) -> Result<(), Error> {
        let raw = start.raw();
        if !raw.contains("kernel") || self.advisory.kernels.len() >= MOST_KERNELS {
            return Ok(());
        }
        let mut parts: [String; 5] = Default::default();
        start.attributes(|name, value| {
            let at = ["name", "epoch", "version", "release", "arch"].iter().position(|known| *known == name);
            // What is longer is no version of anything.
            if let Some(part) = at.and_then(|at| parts.get_mut(at)).filter(|_| value.len() < 256) {
                value.clone_into(part);
            }
        })?;
        let [name, epoch, version, release, arch] = parts;
        let epoch = if epoch.is_empty() || epoch == "0" { String::new() } else { format!("{epoch}:") };
        if name == "kernel" || name.starts_with("kernel-") {
            self.advisory.kernels.push((name, format!("{epoch}{version}-{release}"), arch));
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        if self.field.is_some() {
            append(&mut self.text, text, LONGEST)?;
        }
        Ok(())
    }

    /// The advisory that has just ended.
    fn end(&mut self) -> Option<Advisory> {
        let text = || self.text.trim().to_owned();
        match self.field.take() {
            Some(Field::Id) => self.advisory.id = text(),
            Some(Field::Severity) => self.advisory.severity = text(),
            None => {}
        }
        self.depth -= 1;
        self.is_done |= self.depth == 0;
        let is_over = self.depth == 1 && std::mem::take(&mut self.is_security);
        let advisory = if is_over { std::mem::take(&mut self.advisory) } else { return None };
        (!advisory.id.is_empty() && !advisory.kernels.is_empty()).then_some(advisory)
    }
}
