// SPDX-License-Identifier: LGPL-2.1-or-later
//! What createrepo_c writes, in each compression.

use std::path::Path;

use kmp_repo::fit::{Fit, OfferedKernel};
use kmp_repo::offer;
use kmp_repo::rpmmd::{Listed, Role};

use testkit::{Compression, compress};

use crate::made::{CONCERNS, built, concerns, primary, read, repository, repository_of, sum_of};

fn of<'p>(packages: &'p [Listed], name: &str, evr: &str) -> &'p Listed {
    packages.iter().find(|p| p.name() == name && p.evr().to_string() == evr).unwrap()
}

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

#[test]
fn drivers_are_judged_by_what_is_listed() {
    let root = repository(&[]);
    let packages = read(&root, Path::new("/repo")).unwrap();
    let suse = ["6.4.0-1", "6.4.0-2"].map(|evr| of(&packages, "kernel-default", evr));
    let nic = ["1.0_k6.4.0_1-1.1", "1.0_k6.4.0_2-1.1"].map(|evr| of(&packages, "nic-kmp-default", evr));
    let red_hat = of(&packages, "kernel-core", "6.12.0-1.el10");
    let odd = of(&packages, "kmod-odd", "1:1.0-1");
    assert_eq!(offer::release(suse[1]), Some("6.4.0-2-default"));
    let judge = |kernel: &Listed, driver: &Listed| {
        let offered = OfferedKernel::new(offer::release(kernel).unwrap(), [kernel]);
        offered.judge(&[driver]).remove(0)
    };
    assert_eq!(judge(suse[0], nic[0]), Fit::Fits);
    assert_eq!(judge(suse[1], nic[1]), Fit::Fits);
    let Fit::Breaks(reasons) = judge(suse[1], nic[0]) else { panic!() };
    let of_foo = |r: &kmod_abi::Reason| (r.symbol.as_deref() == Some("foo"), r.wanted, r.offered);
    assert_eq!(reasons.iter().map(of_foo).collect::<Vec<_>>(), [(true, Some(0xaaaa), Some(0xbbbb))]);
    let kmod = of(&packages, "kmod-nic", "1.0-1.el10");
    assert_eq!(judge(red_hat, kmod), Fit::Fits);
    // Red Hat's kernels list their stable symbols only.
    assert_eq!(judge(red_hat, odd), Fit::Unknown);
    assert_eq!(judge(red_hat, nic[0]), Fit::OtherFlavour);
    assert_eq!(judge(suse[0], of(&packages, "bash", "2:5-1")), Fit::Unknown);
}
