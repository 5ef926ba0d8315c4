// SPDX-License-Identifier: LGPL-2.1-or-later
//! Metadata that is cut, too large, of something else, or leads elsewhere.

use std::io::{self, BufReader, Read};
use std::path::Path;

use kmp_repo::repository::RepositoryError;
use kmp_repo::rpmmd::{Error, Repomd, Wanted, packages};
use testkit::TestRoot;

use crate::made::{primary, read, repository, repository_of, sum_of};

fn count(xml: impl Read) -> Result<usize, Error> {
    let mut seen = 0;
    packages(BufReader::new(xml), &Wanted::ALL, &mut |_| seen += 1).map(|()| seen)
}

/// A document of which a part is repeated, without end unless something stops it.
struct Endless {
    start: &'static [u8],
    again: &'static [u8],
    at: usize,
    read: u64,
}

impl Endless {
    fn new(start: &'static str, again: &'static str) -> Self {
        Self { start: start.as_bytes(), again: again.as_bytes(), at: 0, read: 0 }
    }
}

impl Read for &mut Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == 0 && !self.start.is_empty() {
            let len = self.start.len().min(buffer.len());
            buffer[..len].copy_from_slice(&self.start[..len]);
            self.start = &self.start[len..];
            return Ok(len);
        }
        for byte in buffer.iter_mut() {
            *byte = self.again[self.at % self.again.len()];
            self.at += 1;
        }
        self.read += buffer.len() as u64;
        Ok(buffer.len())
    }
}

#[test]
fn what_has_no_end_is_left_after_a_while() {
    let package = "<metadata><package type=\"rpm\"><name>x</name><format><rpm:provides>";
    for (start, again, most) in [
        // 100 million Provides, and more.
        (package, "<rpm:entry name=\"ksym(default:a_symbol)\" flags=\"EQ\" ver=\"12345678\"/>", 200 << 20),
        (package, "<a>", 1 << 20),
        ("<metadata><package><name>", "x", 4 << 20),
        ("<metadata><package><name>", "x<!-- x -->", 4 << 20),
        ("<metadata><package><description>", "x", 4 << 20),
        ("<metadata><package a=\"", "x", 4 << 20),
        ("<metadata><package ", "a='' ", 4 << 20),
        ("<!--", "x", 4 << 20),
        ("<!DOCTYPE metadata [", "<!ENTITY a 'b'>", 4 << 20),
        ("<metadata><", "x", 4 << 20),
    ] {
        let mut endless = Endless::new(start, again);
        let error = count(&mut endless).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{start}: {error}");
        assert!(endless.read <= most, "{start}: {} bytes", endless.read);
    }
}

#[test]
fn entities_that_are_declared_stand_for_nothing() {
    let bomb = "<!DOCTYPE metadata [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>\
                <metadata><package><name>&b;</name></package></metadata>";
    assert!(matches!(count(bomb.as_bytes()), Err(Error::Xml { .. })));
    let file = "<!DOCTYPE metadata [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>\
                <metadata><package><location href='&a;'/></package></metadata>";
    assert!(matches!(count(file.as_bytes()), Err(Error::Xml { .. })));
}

#[test]
fn another_document_is_none() {
    for xml in ["<html></html>", "<filelists></filelists>", "<metadata></metadata><metadata></metadata>"] {
        assert!(matches!(count(xml.as_bytes()), Err(Error::Document { .. })), "{xml}");
    }
    for xml in ["", "   ", "\u{1}\u{2}", "<metadata>", "<metadata><package>", "text"] {
        let error = count(xml.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Cut { .. } | Error::Xml { .. }), "{xml:?}: {error}");
    }
}

/// Wherever a list is cut, and whatever becomes of one of its bytes: a result, and no panic.
#[test]
fn each_cut_is_an_error() {
    let root = repository(&["--compress-type", "gz"]);
    let xml = primary(&root);
    let end = xml.iter().rposition(|b| *b == b'<').unwrap();
    for len in 0..=end {
        assert!(count(&xml[..len]).is_err(), "{len}");
    }
    let mut changed = xml.to_vec();
    for at in 0..xml.len() {
        for byte in [b'<', b'&', b'"', 0, 0xff] {
            changed[at] = byte;
            let _ = count(&changed[..]);
        }
        changed[at] = xml[at];
    }
}

const LIST: &[u8] = b"<metadata packages=\"0\"></metadata>";
const SUM: &str = "9a1a1b9b9f5c8f8f7b3b1e3c4a0f7d3f1f7c7f0b8c7d3d0e0b0a090807060504";

#[test]
fn a_list_is_the_one_that_is_named_or_none() {
    let place = "repodata/primary.xml";
    let read_of = |root: &TestRoot| read(root, Path::new("/repo"));
    assert!(read_of(&repository_of(place, LIST, &sum_of(LIST), "")).is_ok());
    let sizes = format!("<size>{0}</size><open-size>{0}</open-size>", LIST.len());
    assert!(read_of(&repository_of(place, LIST, &sum_of(LIST), &sizes)).is_ok());
    let other = |sum: &str, sizes: &str| match read_of(&repository_of(place, LIST, sum, sizes)) {
        Err(RepositoryError::Other { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(other(SUM, ""), "the checksum");
    assert_eq!(other(&sum_of(LIST), "<size>5</size>"), "the size");
    assert_eq!(other(&sum_of(LIST), "<size>5000</size>"), "the size");
    assert_eq!(other(&sum_of(LIST), "<open-size>5000</open-size>"), "the size of what is in it");
    // One that is larger than it should be is not read to its end.
    let error = read_of(&repository_of(place, LIST, &sum_of(LIST), "<open-size>5</open-size>")).unwrap_err();
    assert!(error.to_string().contains("more than 5 bytes"), "{error}");
    // What is cut, and named so.
    let cut = &LIST[..20];
    let error = read_of(&repository_of(place, cut, &sum_of(cut), "")).unwrap_err();
    assert!(matches!(error, RepositoryError::Content { error: Error::Xml { .. }, .. }), "{error}");
    let zchunk = b"\0ZCK1 and more of it";
    let error = read_of(&repository_of(place, zchunk, &sum_of(zchunk), "")).unwrap_err();
    assert!(matches!(error, RepositoryError::Zchunk { .. }), "{error}");
}

#[test]
fn no_path_leads_out_of_the_repository() {
    for place in
        ["../secret.xml", "/secret.xml", "repodata/../../secret.xml", "file:///secret.xml", "a//b", "."]
    {
        let error = read(&repository_of(place, LIST, &sum_of(LIST), ""), Path::new("/repo")).unwrap_err();
        assert!(matches!(error, RepositoryError::Content { error: Error::Path { .. }, .. }), "{error}");
    }
    // Of the root at any rate.
    let root = repository_of("repodata/link.xml", LIST, &sum_of(LIST), "");
    let outside = TestRoot::new();
    outside.write("list.xml", LIST);
    root.symlink("repo/repodata/link.xml", outside.join("list.xml"));
    assert!(matches!(read(&root, Path::new("/repo")), Err(RepositoryError::Read { .. })));
}

#[test]
fn checksums_that_can_be_forged_do_not_count() {
    let xml = "<repomd><data type=\"primary\"><checksum type=\"md5\">0123456789abcdef0123456789abcdef</checksum>\
               <location href=\"repodata/primary.xml\"/></data></repomd>";
    assert!(matches!(Repomd::read(xml.as_bytes()), Err(Error::Checksum { .. })));
    // Of what kmp does not read they do no harm.
    let xml = xml.replace("primary\"", "filelists\"");
    assert!(Repomd::read(xml.as_bytes()).unwrap().files.is_empty());
}
