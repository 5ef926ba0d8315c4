// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is said of the signatures of package files.

use std::path::{Path, PathBuf};

use kmp_core::printable;
use kmp_drivers::trust;
use librpm_rt::{Trust, Verified};
use serde::Serialize;

use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json;

/// A package file, verified.
pub struct Signed {
    path: PathBuf,
    verified: Verified,
}

/// Verifies those of these files that are packages. What cannot be read is for whoever reads more of it to report.
pub fn verify(context: &Context, names: &[std::ffi::OsString]) -> Vec<Signed> {
    let is_package = |path: &&Path| path.extension().is_some_and(|e| e == "rpm") && path.is_file();
    let mut paths = names.iter().map(Path::new).filter(is_package).peekable();
    let Ok(rpm) = context.rpm() else { return Vec::new() };
    if paths.peek().is_none() {
        return Vec::new();
    }
    let keys = context.trusted_keys().or_else(|why| {
        log::warn!("the keys that rpm trusts are not known, so that none is taken for one of them: {why}");
        rpm.no_keys()
    });
    let Ok(keys) = keys else { return Vec::new() };
    let mut found = Vec::new();
    for path in paths {
        match rpm.verify(path, &keys) {
            Ok(verified) => found.push(Signed { path: path.into(), verified }),
            Err(why) => log::debug!("{why}"),
        }
    }
    found
}

/// Complains of each that is not to be trusted, whatever else is asked for, and says who signed the others. Something that is
/// corrupt is found; else only rpm decides whether it takes the package.
pub fn report(all: &[Signed], is_shown: bool) -> Outcome {
    let mut page = crate::output::terminal::Page::new();
    for Signed { path, verified } in all {
        let line = format!("{}: {}", printable(path.as_os_str()), trust::sentence(verified));
        match verified.trust {
            Trust::Good if is_shown => page.wrapped_behind(0, 2, &line),
            Trust::Good => {}
            Trust::Corrupt => log::error!("{line}"),
            _ => log::warn!("{line}"),
        }
    }
    if page.lines() > 0
        && let Err(why) = page.print()
    {
        log::error!("{why}");
    }
    let is_corrupt = all.iter().any(|signed| signed.verified.trust == Trust::Corrupt);
    if is_corrupt { Outcome::Found } else { Outcome::Good }
}

/// Whether a package file may be trusted.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Json {
    /// The file, as it was named.
    file: String,
    /// `good`: whole, and signed with a key that rpm trusts. `unknown-key`: signed with one that it does not have. `not-trusted`:
    /// with one that had expired or was revoked. `unsigned`. `uncovered`: by an rpm so old that only it can check the contents.
    /// `corrupt`: it is not what it was.
    #[cfg_attr(test, schemars(extend("enum" = trust::WORDS)))]
    trust: &'static str,
    /// Who signed it, or claims to have.
    signers: Vec<Signer>,
    /// In words, with what to do.
    detail: String,
}

/// Who signed a package.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Signer {
    /// The key's fingerprint, in capital hexadecimal digits; where the signature does not have it, the key's ID (16 digits).
    key: Option<String>,
    /// Whose key it is, as the key says; only of one that rpm has.
    user_id: Option<String>,
    /// Does rpm have the key?
    known: bool,
}

impl From<&Signed> for Json {
    fn from(Signed { path, verified }: &Signed) -> Self {
        let signer = |signer: &librpm_rt::Signer| Signer {
            key: match (&signer.key, &signer.issuer) {
                (Some(key), _) => Some(key.fingerprint.clone()),
                (None, issuer) => issuer.as_ref().map(|issuer| issuer.digits().to_string()),
            },
            user_id: signer.key.as_ref().map(trust::user_id),
            known: signer.key.is_some(),
        };
        Self {
            file: json::path(path),
            trust: trust::word(verified.trust),
            signers: verified.signers.iter().map(signer).collect(),
            detail: trust::sentence(verified),
        }
    }
}
