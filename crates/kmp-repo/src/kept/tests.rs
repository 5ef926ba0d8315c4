// SPDX-License-Identifier: LGPL-2.1-or-later

use sha2::{Digest, Sha256};

use super::*;
use crate::rpmmd::{Advisory, Listed, Role, Wanted, packages};

const KEY: Key = [7; 32];

/// A kernel with some symbols, one that has changed one of them, and a driver with all kinds of capabilities.
fn made() -> Vec<Listed> {
    let symbols = |changed: u32| -> String {
        let entry = |n: u32| {
            let crc = if n == 40 { changed } else { n };
            format!("<rpm:entry name=\"ksym(default:s{n})\" flags=\"EQ\" epoch=\"0\" ver=\"{crc:x}\"/>")
        };
        (0..100).map(entry).collect()
    };
    let kernel = |release: u32| {
        format!(
            "<package><name>kernel-default</name><arch>x86_64</arch><version epoch=\"1\" ver=\"6\" rel=\"{release}\"/>\
             <checksum type=\"sha256\">00ff</checksum><size package=\"9\"/><location href=\"a/k.rpm\"/><format>\
             <rpm:vendor>Ä &amp; B</rpm:vendor><rpm:sourcerpm>kernel.src.rpm</rpm:sourcerpm>\
             <rpm:header-range start=\"4504\" end=\"9000\"/><rpm:provides>{}</rpm:provides></format></package>",
            symbols(release)
        )
    };
    let driver = "<package><name>nic</name><format><rpm:requires><rpm:entry name=\"a\" flags=\"GE\" ver=\"1\" rel=\"2\"/>\
                  </rpm:requires><rpm:obsoletes><rpm:entry name=\"b\" flags=\"LT\" ver=\"1\"/></rpm:obsoletes>\
                  <rpm:conflicts><rpm:entry name=\"c\"/></rpm:conflicts><rpm:supplements><rpm:entry name=\"d\"/>\
                  </rpm:supplements></format></package>";
    let xml = format!("<metadata>{}{}{driver}</metadata>", kernel(1), kernel(2));
    let mut made = Vec::new();
    packages(xml.as_bytes(), &Wanted::ALL, &mut |package| made.push(package.clone())).unwrap();
    made
}

fn advisory() -> Advisory {
    let kernel = ("kernel-default".to_owned(), "6-2".to_owned(), "x86_64".to_owned());
    let cves = vec!["CVE-1".to_owned(), "CVE-2".to_owned()];
    Advisory { id: "A-1".into(), severity: "important".into(), cves, kernels: vec![kernel] }
}

fn written() -> Vec<u8> {
    let mut writer = Writer::default();
    made().iter().for_each(|package| writer.package(package));
    writer.advisory(&advisory());
    writer.finish(&KEY).unwrap()
}

fn all(bytes: &[u8], key: &Key) -> Option<(Vec<Listed>, Vec<Advisory>)> {
    let (mut packages, mut advisories) = (Vec::new(), Vec::new());
    let extract = Extract::open(bytes.to_vec(), key)?;
    extract.packages(&Selection::ALL, &mut |p| packages.push(p.clone()))?;
    extract.advisories(&mut |a| advisories.push(a))?;
    Some((packages, advisories))
}

fn shown(package: &Listed) -> String {
    let roles = [Role::Provides, Role::Requires, Role::Obsoletes, Role::Conflicts, Role::Supplements];
    let lists = roles.map(|role| package.capabilities(role).collect::<Vec<_>>());
    format!("{:?} {} {:?} {lists:?}", package.texts(), package.size(), package.header())
}

#[test]
fn what_was_written_is_read() {
    let bytes = written();
    let (packages, advisories) = all(&bytes, &KEY).unwrap();
    assert_eq!(packages.iter().map(shown).collect::<Vec<_>>(), made().iter().map(shown).collect::<Vec<_>>());
    assert_eq!(advisories, [advisory()]);
    // The second kernel's symbols take three bytes each.
    assert!(bytes.len() < 4000, "{}", bytes.len());
}

#[test]
fn what_is_cut_changed_or_of_something_else_is_none() {
    let bytes = written();
    assert!(all(&bytes, &[8; 32]).is_none(), "another repomd.xml's");
    for len in 0..bytes.len() {
        assert!(all(&bytes[..len], &KEY).is_none(), "{len}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(all(&changed, &KEY).is_none(), "{at}");
    }
    assert!(all(&[&bytes[..], b"\0"].concat(), &KEY).is_none());
    // Also where the sum is right.
    let mut seen = 0;
    for at in BEGINNING..bytes.len() {
        for byte in [0, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            let sum = Sha256::digest(&changed[BEGINNING..]);
            changed[BEGINNING - 32..BEGINNING].copy_from_slice(&sum);
            seen += usize::from(all(&changed, &KEY).is_none());
        }
    }
    assert!(seen > 100, "{seen}");
}
