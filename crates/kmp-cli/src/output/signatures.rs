// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is said of the signatures of package files.

use std::path::{Path, PathBuf};

use kmp_core::abi::Supported;
use kmp_core::printable;
use kmp_drivers::devices::{least, word};
use kmp_drivers::trust;
use kmp_repo::update::Signing;
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
        Self {
            file: json::path(path),
            trust: trust::word(verified.trust),
            signers: verified.signers.iter().map(Signer::from).collect(),
            detail: trust::sentence(verified),
        }
    }
}

impl From<&librpm_rt::Signer> for Signer {
    fn from(signer: &librpm_rt::Signer) -> Self {
        Self {
            key: match (&signer.key, &signer.issuer) {
                (Some(key), _) => Some(key.fingerprint.clone()),
                (None, issuer) => issuer.as_ref().map(|issuer| issuer.digits().to_string()),
            },
            user_id: signer.key.as_ref().map(trust::user_id),
            known: signer.key.is_some(),
        }
    }
}

/// What is known of who made a package of a repository.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OfPackage {
    /// Whether its signature may be trusted, as of a package file that `kmp check` looks at. `unknown`: that was not found out, as the
    /// package was not fetched.
    #[cfg_attr(test, schemars(extend("enum" = words())))]
    trust: &'static str,
    /// Was the whole package looked at? Else `trust` is about its header alone.
    whole: bool,
    /// Who signed it, or claims to have.
    signers: Vec<Signer>,
    /// Who supports it: what all its modules have (SUSE). Null: they were not looked at.
    #[cfg_attr(test, schemars(extend("enum" = ["yes", "external", "no", null])))]
    supported: Option<&'static str>,
    /// In words, with what to do.
    detail: String,
}

#[cfg(test)]
fn words() -> Vec<&'static str> {
    trust::WORDS.iter().copied().chain([UNKNOWN]).collect()
}

/// The word for a package that was not fetched.
const UNKNOWN: &str = "unknown";

impl From<&Result<Signing, String>> for OfPackage {
    fn from(signing: &Result<Signing, String>) -> Self {
        match signing {
            Ok(signing) => Self {
                trust: trust::word(signing.verified.trust),
                whole: signing.is_whole,
                signers: signing.verified.signers.iter().map(Signer::from).collect(),
                supported: supported(signing).map(word),
                detail: trust::sentence(&signing.verified),
            },
            Err(why) => Self {
                trust: UNKNOWN,
                whole: false,
                signers: Vec::new(),
                supported: None,
                detail: format!("its signer is not known: {}", printable(why.as_ref())),
            },
        }
    }
}

/// What all its modules have, where they were looked at.
fn supported(signing: &Signing) -> Option<Supported> {
    let modules = &signing.supported;
    (!modules.is_empty()).then(|| least(modules.iter().copied()))
}

/// Who signed a package of a repository, in a clause.
pub fn signed(signing: &Result<Signing, String>) -> String {
    let Signing { verified, is_whole, .. } = match signing {
        Ok(signing) => signing,
        Err(why) => return format!("its signer is not known: {}", printable(why.as_ref())),
    };
    let signers: Vec<String> = verified.signers.iter().map(trust::signer).collect();
    let by = signers.join(", and by ");
    let said = match verified.trust {
        Trust::Good => format!("signed by {by}, which rpm trusts"),
        Trust::UnknownKey => format!("signed by {by}, which rpm does not know here"),
        Trust::NotTrusted => format!("signed by {by}, which is not trusted"),
        Trust::Unsigned => "not signed, so that anybody may have made it".to_owned(),
        Trust::Uncovered => format!("signed by {by}, which cannot be checked against its contents here"),
        Trust::Corrupt => "not what it was when it was made".to_owned(),
    };
    if *is_whole { said } else { format!("{said} (by its header)") }
}

/// Who supports it, in a clause.
pub fn support(signing: &Result<Signing, String>) -> &'static str {
    match signing.as_ref().ok().and_then(supported) {
        Some(known) => support_of(known),
        None => "its support is not known, as its modules were not looked at",
    }
}

/// The same of what is known.
pub fn support_of(supported: Supported) -> &'static str {
    match supported {
        Supported::No => "without support",
        Supported::External => "supported by its provider and the distributor",
        Supported::Distributor => "supported by the distributor",
    }
}
