// SPDX-License-Identifier: LGPL-2.1-or-later
//! Throwaway OpenPGP keys, and packages signed with them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::package::Package;
use crate::tools::{command, run};

/// A key of gpg, in a directory of its own, without a passphrase.
#[derive(Debug)]
pub struct SigningKey {
    dir: TempDir,
    fingerprint: String,
}

impl SigningKey {
    /// Makes a key for this name (`Name <address>`), valid for ever.
    pub fn new(user_id: &str) -> Self {
        Self::made(user_id, &[])
    }

    /// The same, made at a time of the past such as `20200101T000000`.
    pub fn made_at(user_id: &str, time: &str) -> Self {
        Self::made(user_id, &["--faked-system-time", time])
    }

    fn made(user_id: &str, options: &[&str]) -> Self {
        // The agent's socket is in it, whose path has to be short.
        let dir = TempDir::with_prefix("testkit-gpg-").expect("a temporary directory");
        let mut key = Self { dir, fingerprint: String::new() };
        key.gpg(options.iter().chain(&["--quick-generate-key", user_id, "rsa2048", "sign", "never"]));
        let listed = key.gpg(["--with-colons", "--list-keys"]);
        let line = listed.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a key");
        key.fingerprint = line.trim_matches(':').to_string();
        key
    }

    /// Its 40 hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The public key, as text.
    pub fn public(&self) -> String {
        self.gpg(["--armor", "--export"])
    }

    /// The public key in a file, which goes with this value.
    pub fn file(&self) -> PathBuf {
        let path = self.dir.path().join("key.asc");
        fs::write(&path, self.public()).expect("a file in a temporary directory");
        path
    }

    /// Lets it be valid for a day from this time of the past on, such as `20200201T000000`.
    pub fn expire_at(&self, time: &str) {
        self.gpg(["--faked-system-time", time, "--quick-set-expire", &self.fingerprint, "1d"]);
    }

    /// A copy of the package that is signed with it, which goes with this value.
    pub fn sign(&self, package: &Package) -> Package {
        let path = self.dir.path().join(package.path().file_name().expect("a file"));
        fs::copy(package.path(), &path).expect("a copy in a temporary directory");
        let mut sign = self.command("rpmsign");
        sign.args(["--define", &format!("_gpg_name {}", self.fingerprint)]);
        sign.args(["--define", &format!("_gpg_path {}", self.dir.path().display())]);
        // Debian's rpm names it without a path, and looks for it nowhere.
        sign.args(["--define", "__gpg /usr/bin/gpg"]);
        run(sign.arg("--addsign").arg(&path)).expect_success();
        Package { path, ..package.clone() }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = command(program);
        command.env("GNUPGHOME", self.dir.path()).env("HOME", self.dir.path());
        command
    }

    fn gpg<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let mut gpg = self.command("gpg");
        gpg.args(["--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]).args(args);
        run(&mut gpg).expect_success().stdout
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        // gpg starts an agent, which would outlive the directory for some seconds.
        let _ = self.command("gpgconf").args(["--kill", "all"]).output();
    }
}

/// The bytes of a package with one of them changed: in its payload (the last), or in its header, where it has `text`.
pub fn corrupted(package: &Package, header: Option<&str>) -> Vec<u8> {
    let mut bytes = fs::read(package.path()).expect("a package that was built");
    let at = match header {
        // What is in the signature header comes before, and the texts of the other behind its tags.
        Some(text) => {
            bytes.windows(text.len()).position(|w| w == text.as_bytes()).expect("a text of its header")
        }
        None => bytes.len() - 20,
    };
    bytes[at] ^= 1;
    bytes
}

/// `rpmkeys --import` into a root's database.
pub fn import_key(root: &crate::TestRoot, key: &Path) {
    let mut rpmkeys = root.command("rpmkeys");
    rpmkeys.arg("--root").arg(root.path()).args(["--dbpath", "/var/lib/rpm", "--import"]).arg(key);
    crate::run_rpm(&mut rpmkeys).expect_success();
}
