// SPDX-License-Identifier: LGPL-2.1-or-later
//! Signs modules with the key of a kernel's build, or with another.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::kernel::Small;
use crate::judge::build::Set;
use crate::judge::cases::Spec;
use crate::judge::edit::Edit;
use crate::judge::run::{self, Result};

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The one whose certificate the kernel has in it.
    OfTheBuild,
    /// One that it has never heard of.
    Others,
}

/// Signs `file`, with what the kernel in `tree` was built with.
///
/// # Errors
/// There is no such tool, or it fails.
pub fn sign(tree: &Path, keys: Keys, digest: &str, file: &Path) -> Result<()> {
    let certs = tree.join("certs");
    let (key, certificate) = match keys {
        Keys::OfTheBuild => (certs.join("signing_key.pem"), certs.join("signing_key.x509")),
        Keys::Others => (certs.join("other_key.pem"), certs.join("other_key.x509")),
    };
    if keys == Keys::Others && !certificate.exists() {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-new", "-x509", "-nodes", "-newkey", "rsa:2048", "-sha256", "-days", "36500"]);
        openssl.args(["-subj", "/O=kmp/CN=A key that the kernel does not know"]);
        run::output(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate))?;
    }
    with(tree, &key, &certificate, digest, file)
}

/// Signs `file` with a key, by the tool of the kernel in `tree`.
///
/// # Errors
/// There is no such tool, or it fails.
pub fn with(tree: &Path, key: &Path, certificate: &Path, digest: &str, file: &Path) -> Result<()> {
    let mut tool = Command::new(tree.join("scripts/sign-file"));
    run::output(tool.arg(digest).arg(key).arg(certificate).arg(file)).map(drop)
}

/// The module `bytes`, signed.
///
/// # Errors
/// See [`sign`].
pub fn signed(tree: &Path, keys: Keys, digest: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), bytes)?;
    sign(tree, keys, digest, file.path())?;
    fs::read(file.path()).map_err(Into::into)
}

/// Signs all modules but those whose case is the signature.
///
/// # Errors
/// See [`sign`].
pub fn sign_all(small: &Small, specs: &[Spec], sets: &[Set]) -> Result<()> {
    let is_left_alone = |set: &Set| {
        specs.iter().any(|spec| spec.set == set.name && spec.edits.iter().any(Edit::is_of_signature))
    };
    for set in sets.iter().filter(|set| !is_left_alone(set)) {
        for file in &set.files {
            sign(&small.kernel.headers, Keys::OfTheBuild, "sha256", file)?;
        }
    }
    Ok(())
}
