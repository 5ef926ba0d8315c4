// SPDX-License-Identifier: LGPL-2.1-or-later
//! What createrepo_c writes, in each compression.

use std::path::Path;

use kmp_repo::rpmmd::Role;

use testkit::{Compression, compress};

use crate::made::{CONCERNS, built, concerns, primary, read, repository, repository_of, sum_of};

#[test]
fn each_compression_is_read() {
    let mut list = Vec::new();
    for compression in ["gz", "bz2", "xz"] {
        let root = repository(&["--compress-type", compression]);
        let packages = read(&root, Path::new("/repo")).unwrap();
        assert_eq!(concerns(&packages), CONCERNS, "{compression}");
        list = primary(&root);
    }
    // Not every createrepo_c has zstd.
    let list = compress(&list, Compression::Zst);
    let root = repository_of("repodata/primary.xml", &list, &sum_of(&list), "");
    assert_eq!(concerns(&read(&root, Path::new("/repo")).unwrap()), CONCERNS);
    let root = repository(&["--checksum", "sha512", "--simple-md-filenames"]);
    assert_eq!(concerns(&read(&root, Path::new("/repo")).unwrap()), CONCERNS);
}

/// Beside rpm's own reading of the same files.
#[test]
fn what_is_listed_is_what_the_files_say() {
    let root = repository(&[]);
    let packages = read(&root, Path::new("/repo")).unwrap();
    assert_eq!(packages.len(), built().len());
    for listed in &packages {
        let location = listed.location().unwrap();
        let path = root.join("repo").join(location.as_str());
        let query = |format: &str| {
            let mut rpm = std::process::Command::new("rpm");
            testkit::run(rpm.args(["-qp", "--qf", format]).arg(&path)).expect_success().stdout
        };
        let own = format!("{}|{}|{}|", listed.name(), listed.arch(), listed.evr());
        assert_eq!(own, query("%{NAME}|%{ARCH}|%{EPOCHNUM}:%{VERSION}-%{RELEASE}|").replace("|0:", "|"));
        let vendor = query("%{VENDOR}");
        assert_eq!(listed.vendor(), if vendor == "(none)" { "" } else { &vendor });
        let packager = query("%{PACKAGER}");
        assert_eq!(listed.packager(), if packager == "(none)" { "" } else { &packager });
        assert_eq!(listed.source(), query("%{SOURCERPM}"));
        let list = |role| {
            let mut all: Vec<String> = listed
                .capabilities(role)
                .map(|c| format!("{} {} {}", c.name, c.flags, c.evr).trim_end().to_owned())
                .collect();
            all.sort();
            all
        };
        let asked = |tag: &str| {
            let text = query(&format!("[%{{{tag}NAME}} %{{{tag}FLAGS}} %{{{tag}VERSION}}\\n]"));
            // createrepo_c leaves out what rpm itself has to be able to do.
            let line = |line: &str| {
                let mut words = line.split(' ');
                let (name, flags) = (words.next()?, words.next()?.parse::<u32>().ok()? & 0xe);
                (!name.starts_with("rpmlib(")).then(|| {
                    format!("{name} {flags} {}", words.next().unwrap_or_default()).trim_end().to_owned()
                })
            };
            let mut all: Vec<String> = text.lines().filter_map(line).collect();
            all.sort();
            all
        };
        assert_eq!(list(Role::Provides), asked("PROVIDE"), "{}", listed.nvra());
        assert_eq!(list(Role::Requires), asked("REQUIRE"), "{}", listed.nvra());
        assert_eq!(list(Role::Supplements), asked("SUPPLEMENT"), "{}", listed.nvra());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(listed.size(), bytes.len() as u64);
        // rpm's header begins with these bytes.
        let header = listed.header();
        let start = usize::try_from(header.start).unwrap();
        assert_eq!(bytes[start..start + 3], [0x8e, 0xad, 0xe8]);
        assert!(header.end > header.start && header.end <= listed.size());
    }
}
