// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where drivers come from: sources that packages and administrators name, kmp's own repository, media, and catalogues.
#![allow(clippy::unwrap_used, reason = "a test")]

mod catalogue;
mod medium;
mod servers;
mod signed;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::{Package, PackageBuilder, TestRoot, run};

use crate::support::{OLD, OTHER, kernel, kmp};
use crate::update::{build, offered};

/// The kernel that comes.
pub const NEW: &str = OTHER;

/// The package of Acme's source, as packages of SUSE Linux Enterprise 9 had it.
pub const CODE_9: &str = "/var/lib/YaST2/download/foo-kmp-default";

/// The kernel [`OLD`] with the KMP foo, which has a source at `url`; and the kernel [`NEW`] in zypper's repository, in which foo does
/// not work.
pub fn site(url: &str, packages: &[PackageBuilder]) -> TestRoot {
    let root = TestRoot::new();
    let foo = build("foo", "1.0", &kernel(OLD, 7), 7).file(CODE_9, format!("{url};Acme Inc.\n"));
    let packages: Vec<PackageBuilder> =
        [offered(OLD, 7), foo].into_iter().chain(packages.iter().cloned()).collect();
    root.install(&PackageBuilder::build_all(&packages).iter().collect::<Vec<_>>());
    let cache = "var/cache/zypp/raw/base";
    root.write("etc/zypp/repos.d/base.repo", "[base]\nenabled=1\nbaseurl=http://127.0.0.1/\n");
    let new = offered(NEW, 8).build();
    root.write(format!("{cache}/new.rpm"), std::fs::read(new.path()).unwrap());
    run(Command::new("createrepo_c").arg("--quiet").arg(root.join(cache))).expect_success();
    root
}

/// A build of foo for the kernel that comes.
pub fn for_new(version: &str) -> Package {
    build("foo", version, &kernel(NEW, 8), 8).build()
}

pub fn put(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(name), bytes).unwrap();
}

pub fn file_name(package: &Package) -> &str {
    package.path().file_name().unwrap().to_str().unwrap()
}

pub fn document(root: &TestRoot, args: &[&str]) -> Value {
    let output = kmp(root, &[args, &["--json"]].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"))
}

/// The build of foo that comes along with the new kernel.
pub fn build_of(document: &Value) -> &Value {
    let kernel = document["kernels"].as_array().unwrap().iter().find(|k| k["krel"] == NEW).unwrap();
    &kernel["drivers"][0]["build"]
}

/// Files of kmp's own repository.
pub fn fetched(root: &TestRoot) -> Vec<String> {
    let all = root
        .tree()
        .into_keys()
        .filter_map(|path| Some(path.strip_prefix("var/cache/kmp/repo").ok()?.to_owned()));
    let all = all.map(|path: PathBuf| path.display().to_string());
    all.filter(|path| path.ends_with(".rpm")).collect()
}
