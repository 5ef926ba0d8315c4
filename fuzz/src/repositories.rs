// SPDX-License-Identifier: LGPL-2.1-or-later
//! The metadata of repositories, and the files that name repositories.

use kmp_repo::fleet::{Machines, Nevra, Server, import};
use kmp_repo::kept;
use kmp_repo::offer::{CONCERNED, Concern};
use kmp_repo::rpmmd::{Advisory, Repomd, Role, Wanted, advisories, packages};
use kmp_repo::update::{Update, locks};
use sha2::{Digest, Sha256};

#[path = "../../crates/kmp-repo/src/found/ini.rs"]
#[allow(dead_code, unreachable_pub, reason = "the crate's own file, of which a part is used")]
mod ini;

/// The list of packages. Reading those that concern drivers alone finds no other than reading all.
pub fn primary(data: &[u8]) {
    let mut all = Vec::new();
    let whole = packages(data, &Wanted::ALL, &mut |package| {
        all.push(package.nvra());
        let _ = (Concern::of(package), package.location(), package.checksum(), package.header());
        for role in [Role::Provides, Role::Requires, Role::Obsoletes, Role::Conflicts, Role::Supplements] {
            package.capabilities(role).for_each(|capability| drop(capability.to_dependency()));
        }
    });
    if whole.is_err() {
        return;
    }
    let concerned = |wanted: &Wanted<'_>| {
        let mut concerned = Vec::new();
        let read = packages(data, wanted, &mut |package| {
            if Concern::of(package) != Concern::Nothing || (wanted.source)(package.source()) {
                concerned.push(package.nvra());
            }
        });
        read.is_ok().then_some(concerned)
    };
    let found = concerned(&CONCERNED);
    assert!(found.iter().flatten().all(|nvra| all.contains(nvra)));
    // Passing over what has no word of drivers leaves none out.
    assert_eq!(found, concerned(&Wanted { words: &[], ..CONCERNED }));
}

/// The list of the other files. Each is below the repository.
pub fn repomd(data: &[u8]) {
    let Ok(repomd) = Repomd::read(data) else { return };
    for file in &repomd.files {
        let path = file.location.as_str();
        assert!(
            !path.starts_with('/') && path.split('/').all(|part| !matches!(part, "" | "." | "..")),
            "{path}"
        );
    }
}

/// The list of advisories.
pub fn updateinfo(data: &[u8]) {
    let _ = advisories(data, &mut |advisory| {
        assert!(!advisory.kernels.is_empty() && advisory.cves.len() <= Advisory::MOST_CVES);
    });
}

/// What is kept of a list: the input is what comes behind the checksum, which is right. What is read is written so that the same is
/// read again.
pub fn extract(data: &[u8]) {
    let key = [0; 32];
    let whole = [&b"kmp-repository-1"[..], &key, &Sha256::digest(data)[..], data].concat();
    let mut writer = kept::Writer::default();
    let mut packages = 0;
    let mut each = |package: &kmp_repo::rpmmd::Listed| {
        packages += 1;
        writer.package(package);
    };
    let Some(extract) = kept::Extract::open(whole, &key) else { return };
    let read = extract.packages(&kept::Selection::ALL, &mut each);
    let _ = extract.advisories(&mut |_| ());
    if read.is_some()
        && let Some(written) = writer.finish(&key)
    {
        let (mut again, extract) = (0, kept::Extract::open(written, &key));
        assert!(extract.is_some_and(|e| e.packages(&kept::Selection::ALL, &mut |_| again += 1).is_some()));
        assert_eq!(again, packages);
    }
}

/// libzypp's locks: without any kernel that is held, none of ours is left, and there is nothing more to take away.
pub fn zypp_locks(data: &[u8]) {
    let Ok(file) = std::str::from_utf8(data) else { return };
    let nothing = Update::default();
    let Some(without) = locks(file, &nothing) else { return };
    assert!(without.len() < file.len());
    assert_eq!(locks(&without, &nothing), None);
}

/// Machines of a fleet, as lines and as what servers answer. What counts as one is in one group, and can be printed.
pub fn machines(data: &[u8]) {
    let mut lines = Machines::default();
    lines.add_lines("list", data).expect("memory can be read");
    let mut all = vec![lines];
    for server in [Server::Uyuni, Server::Katello] {
        let mut machines = Machines::default();
        let _ = import(server, "answers", data, &mut machines);
        all.push(machines);
    }
    for machines in &all {
        assert_eq!(machines.groups().map(|group| group.names.len()).sum::<usize>(), machines.len());
        assert!(machines.problems.iter().all(|line| !line.chars().any(char::is_control)));
        for group in machines.groups() {
            assert!(group.names.iter().all(|name| !name.chars().any(char::is_control)));
            assert!(group.with_facts <= group.names.len());
            for nevra in group.packages.kernels.iter().map(|(nevra, _)| nevra).chain(&group.packages.drivers)
            {
                assert_eq!(Nevra::parse(&nevra.to_string()).as_ref(), Some(nevra));
            }
        }
    }
}

pub fn repo_file(data: &[u8]) {
    for section in ini::sections(&String::from_utf8_lossy(data)) {
        let _ = section.get("enabled");
    }
}
