// SPDX-License-Identifier: LGPL-2.1-or-later
//! Writes the metadata of a repository (rpm-md) from the headers of its packages: `primary`, `filelists` and `other`, as zypper and
//! dnf read them, and `repomd.xml`. Pure.
//!
//! Not compressed: repositories of drivers are small, and which compressions a package manager knows depends on its version.

use std::fmt::Write as _;
use std::ops::Range;

use rpm_meta::Evr;
use rpm_meta::header::{Header, tag};
use rpm_meta::openpgp::Malformed;
use sha2::{Digest, Sha256};

/// A package of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where its file is, below the repository.
    pub location: String,
    /// The file's name and version.
    pub name: String,
    /// Its version.
    pub evr: Evr,
    /// Its architecture.
    pub arch: String,
    checksum: String,
    primary: String,
    files: String,
}

/// What is known of a package's file beside its header.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileFacts<'f> {
    /// Its SHA-256, in hexadecimal digits; without one, that of the header stands for it, which nobody can verify.
    pub checksum: Option<&'f str>,
    /// Its size, in bytes.
    pub size: u64,
    /// When it was changed last, in seconds since 1970.
    pub time: u64,
}

/// Capabilities of a kind: the element, and the tags of names, flags and versions.
const KINDS: [(&str, u32, u32, u32); 8] = [
    ("provides", tag::PROVIDENAME, tag::PROVIDEFLAGS, tag::PROVIDEVERSION),
    ("requires", tag::REQUIRENAME, tag::REQUIREFLAGS, tag::REQUIREVERSION),
    ("conflicts", tag::CONFLICTNAME, tag::CONFLICTFLAGS, tag::CONFLICTVERSION),
    ("obsoletes", tag::OBSOLETENAME, tag::OBSOLETEFLAGS, tag::OBSOLETEVERSION),
    ("recommends", tag::RECOMMENDNAME, tag::RECOMMENDFLAGS, tag::RECOMMENDVERSION),
    ("suggests", tag::SUGGESTNAME, tag::SUGGESTFLAGS, tag::SUGGESTVERSION),
    ("supplements", tag::SUPPLEMENTNAME, tag::SUPPLEMENTFLAGS, tag::SUPPLEMENTVERSION),
    ("enhances", tag::ENHANCENAME, tag::ENHANCEFLAGS, tag::ENHANCEVERSION),
];

/// A mode that says "directory", and a flag that says "made on the machine".
const DIRECTORY: u64 = 0o040_000;
const KIND: u64 = 0o170_000;

/// `rpmlib(...)`, which package managers know by themselves.
const RPMLIB: u64 = 1 << 24;
/// Flags of what is needed for scriptlets before the package is installed.
const PREREQ: u64 = 1 << 6 | 1 << 9 | 1 << 10;

impl Entry {
    /// One of a package file, by the bytes that it begins with.
    ///
    /// # Errors
    /// It is no package of binaries, or its header is damaged.
    pub fn read(beginning: &[u8], location: &str, facts: FileFacts<'_>) -> Result<Self, Malformed> {
        let header = Header::read(beginning)?;
        if header.text(tag::SOURCERPM).is_empty() || !header.numbers(tag::SOURCEPACKAGE).is_empty() {
            return Err(Malformed("it is a package of sources"));
        }
        let text = |tag| header.text(tag);
        let epoch = header.numbers(tag::EPOCH).first().and_then(|epoch| u32::try_from(*epoch).ok());
        let evr = Evr { epoch, version: text(tag::VERSION), release: text(tag::RELEASE) };
        let (name, arch) = (text(tag::NAME), text(tag::ARCH));
        let is_plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        if ![&name, &arch, &evr.version, &evr.release].into_iter().all(|text| is_plain(text)) {
            return Err(Malformed("its name, version or architecture is none"));
        }
        let checksum = facts.checksum.map_or_else(|| sha256(&beginning[header.range()]), str::to_owned);
        let mut entry = Self {
            location: location.to_owned(),
            name,
            evr,
            arch,
            checksum,
            primary: String::new(),
            files: String::new(),
        };
        entry.primary = entry.primary(&header, facts);
        entry.files = entry.filelist(&header);
        Ok(entry)
    }

    /// name-\[epoch:\]version-release.arch.
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr, self.arch)
    }

    fn version(&self) -> String {
        let Evr { epoch, version, release } = &self.evr;
        format!(
            "<version epoch=\"{}\" ver=\"{}\" rel=\"{}\"/>",
            epoch.unwrap_or(0),
            escaped(version),
            escaped(release)
        )
    }

    fn primary(&self, header: &Header<'_>, facts: FileFacts<'_>) -> String {
        let text = |tag| escaped(&header.text(tag));
        let number = |tag| header.numbers(tag).first().copied().unwrap_or(0);
        let Range { start, end } = header.range();
        let installed = number(tag::LONGSIZE).max(number(tag::SIZE));
        let mut out = String::new();
        // Writing to a text cannot fail.
        let _ = write!(
            out,
            "<package type=\"rpm\">\n<name>{}</name>\n<arch>{}</arch>\n{}\n\
             <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\n<summary>{}</summary>\n\
             <description>{}</description>\n<packager>{}</packager>\n<url>{}</url>\n\
             <time file=\"{}\" build=\"{}\"/>\n<size package=\"{}\" installed=\"{installed}\" archive=\"{}\"/>\n\
             <location href=\"{}\"/>\n<format>\n<rpm:license>{}</rpm:license>\n<rpm:vendor>{}</rpm:vendor>\n\
             <rpm:group>{}</rpm:group>\n<rpm:buildhost>{}</rpm:buildhost>\n<rpm:sourcerpm>{}</rpm:sourcerpm>\n\
             <rpm:header-range start=\"{start}\" end=\"{end}\"/>\n",
            escaped(&self.name),
            escaped(&self.arch),
            self.version(),
            self.checksum,
            text(tag::SUMMARY),
            text(tag::DESCRIPTION),
            text(tag::PACKAGER),
            text(tag::URL),
            facts.time,
            number(tag::BUILDTIME),
            facts.size,
            number(tag::ARCHIVESIZE).max(installed),
            escaped(&self.location),
            text(tag::LICENSE),
            text(tag::VENDOR),
            text(tag::GROUP),
            text(tag::BUILDHOST),
            text(tag::SOURCERPM),
        );
        for (element, names, flags, versions) in KINDS {
            let entries = capabilities(header, names, flags, versions);
            if !entries.is_empty() {
                let _ = write!(out, "<rpm:{element}>\n{entries}</rpm:{element}>\n");
            }
        }
        for (path, mode) in header.files() {
            if is_primary(&path) {
                out.push_str(&file(&path, mode));
            }
        }
        out.push_str("</format>\n</package>\n");
        out
    }

    fn head(&self) -> String {
        format!(
            "<package pkgid=\"{}\" name=\"{}\" arch=\"{}\">\n{}\n",
            self.checksum,
            escaped(&self.name),
            escaped(&self.arch),
            self.version()
        )
    }

    fn filelist(&self, header: &Header<'_>) -> String {
        let files: String = header.files().iter().map(|(path, mode)| file(path, *mode)).collect();
        format!("{}{files}</package>\n", self.head())
    }

    fn other(&self) -> String {
        format!("{}</package>\n", self.head())
    }
}

/// The files that package managers want to know of without the whole list, by createrepo's rule.
fn is_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path.contains("bin/") || path == "/usr/lib/sendmail"
}

fn file(path: &str, mode: u64) -> String {
    let kind = if mode & KIND == DIRECTORY { " type=\"dir\"" } else { "" };
    format!("<file{kind}>{}</file>\n", escaped(path))
}

fn capabilities(header: &Header<'_>, names: u32, flags: u32, versions: u32) -> String {
    let (names, flags, versions) = (header.texts(names), header.numbers(flags), header.texts(versions));
    let mut out = String::new();
    for (at, name) in names.iter().enumerate() {
        let flags = flags.get(at).copied().unwrap_or(0);
        if flags & RPMLIB != 0 {
            continue;
        }
        let _ = write!(out, "<rpm:entry name=\"{}\"", escaped(name));
        let word = match flags & 14 {
            2 => "LT",
            4 => "GT",
            8 => "EQ",
            10 => "LE",
            12 => "GE",
            _ => "",
        };
        let version = versions.get(at).map(String::as_str).unwrap_or_default();
        if !word.is_empty() && !version.is_empty() {
            let Evr { epoch, version, release } = Evr::parse(version);
            let _ = write!(
                out,
                " flags=\"{word}\" epoch=\"{}\" ver=\"{}\"",
                epoch.unwrap_or(0),
                escaped(&version)
            );
            if !release.is_empty() {
                let _ = write!(out, " rel=\"{}\"", escaped(&release));
            }
        }
        if flags & PREREQ != 0 {
            out.push_str(" pre=\"1\"");
        }
        out.push_str("/>\n");
    }
    out
}

/// As text of XML: what it may not have at all is left out.
fn escaped(text: &str) -> String {
    let is_allowed =
        |c: &char| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let text: String = text.chars().filter(is_allowed).collect();
    quick_xml::escape::escape(&text).into_owned()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The files of a repository's metadata: paths below it, and what is in each. The last one, `repomd.xml`, names the others, which are
/// named by their checksums: whoever reads has the old ones, or the new.
pub fn files(entries: &[Entry], time: u64) -> Vec<(String, String)> {
    let count = entries.len();
    let document = |root: &str, names: &str, each: &dyn Fn(&Entry) -> String| {
        let all: String = entries.iter().map(each).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} {names} packages=\"{count}\">\n{all}</{root}>\n"
        )
    };
    let base = "http://linux.duke.edu/metadata";
    let common = format!("xmlns=\"{base}/common\" xmlns:rpm=\"{base}/rpm\"");
    let parts = [
        ("primary", document("metadata", &common, &|entry| entry.primary.clone())),
        (
            "filelists",
            document("filelists", &format!("xmlns=\"{base}/filelists\""), &|entry| entry.files.clone()),
        ),
        ("other", document("otherdata", &format!("xmlns=\"{base}/other\""), &Entry::other)),
    ];
    let mut files = Vec::new();
    let mut repomd = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"{base}/repo\" xmlns:rpm=\"{base}/rpm\">\n\
         <revision>{time}</revision>\n"
    );
    for (kind, text) in parts {
        let checksum = sha256(text.as_bytes());
        let path = format!("repodata/{checksum}-{kind}.xml");
        let len = text.len();
        let _ = write!(
            repomd,
            "<data type=\"{kind}\">\n<checksum type=\"sha256\">{checksum}</checksum>\n\
             <open-checksum type=\"sha256\">{checksum}</open-checksum>\n<location href=\"{path}\"/>\n\
             <timestamp>{time}</timestamp>\n<size>{len}</size>\n<open-size>{len}</open-size>\n</data>\n"
        );
        files.push((path, text));
    }
    repomd.push_str("</repomd>\n");
    files.push(("repodata/repomd.xml".into(), repomd));
    files
}
