// SPDX-License-Identifier: LGPL-2.1-or-later
//! The metadata of repositories, and the files that name repositories.

use kmp_repo::offer::{CONCERNED, Concern};
use kmp_repo::rpmmd::{Repomd, Role, Wanted, packages};

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
    let mut concerned = Vec::new();
    if whole.is_ok() && packages(data, &CONCERNED, &mut |package| concerned.push(package.nvra())).is_ok() {
        assert!(concerned.iter().all(|nvra| all.contains(nvra)));
    }
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

pub fn repo_file(data: &[u8]) {
    for section in ini::sections(&String::from_utf8_lossy(data)) {
        let _ = section.get("enabled");
    }
}
