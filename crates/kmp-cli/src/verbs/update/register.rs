// SPDX-License-Identifier: LGPL-2.1-or-later
//! Makes kmp's own repository known to dnf. zypper has it by `plugin:kmp`, which kmp's package brings.

use std::path::Path;

use kmp_core::apply;
use kmp_core::dialect::Dialect;

use super::sources::OWN_OF_DNF;
use crate::context::Context;

/// dnf's file for it.
const FILE: &str = "/etc/yum.repos.d/kmp-drivers.repo";

/// Writes it where it is not there: an administrator may have changed it.
pub fn register(context: &Context) -> Result<(), String> {
    let path = Path::new(FILE);
    let is_there = context.root.try_exists(path).map_err(|e| format!("{FILE}: {e}"))?;
    if context.dialect() != Some(Dialect::RedHat) || is_there {
        return Ok(());
    }
    let text = format!(
        "# Written by kmp update: drivers that it has fetched from their providers' sources. See kmp(8).\n\
         [{OWN_OF_DNF}]\nname=Drivers that kmp has fetched\nbaseurl=file:///var/cache/kmp/repo\nenabled=1\ngpgcheck=1\n\
         repo_gpgcheck=0\nmetadata_expire=1\nskip_if_unavailable=1\n"
    );
    apply::replace(&context.root, path, Some(text.as_bytes())).map(drop).map_err(|e| format!("{FILE}: {e}"))
}
