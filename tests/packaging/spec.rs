// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp.spec as each distribution's rpm reads it: directories, macros of its own, and what it is built with.

use std::path::Path;
use std::process::Command;

use testkit::{run, run_rpm, xtask};

/// The macros for Rust of Fedora (cargo-rpm-macros) and of openSUSE (cargo-packaging), as far as calls of them tell: they
/// print their arguments. Both refuse options of their own names only behind "--".
const FEDORA: &str = "%cargo_prep(v:N) fedora-prep %{-v*}\n%cargo_build(naf:) fedora-build %*\n";
const SUSE: &str = "%cargo_build() suse-build %*\n";

/// What the distribution's rpm makes of the spec file, and its sections by name.
fn parsed(macros: &str, options: &[&str]) -> String {
    let place = tempfile::tempdir().unwrap();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let spec = std::fs::read_to_string(project.join("packaging/kmp.spec")).unwrap();
    let file = place.path().join("kmp.spec");
    std::fs::write(&file, spec.replace("@VERSION@", env!("CARGO_PKG_VERSION"))).unwrap();
    std::fs::write(place.path().join("macros"), macros).unwrap();
    let mut rpmspec = Command::new("rpmspec");
    rpmspec
        .arg("--load")
        .arg(place.path().join("macros"))
        .args(["--define", "__plugindir /usr/lib64/rpm-plugins"]);
    run_rpm(rpmspec.arg("--parse").args(options).arg(&file)).expect_success().stdout
}

/// The lines between this line and the next section; to `%prep` those of `%build` belong, whose line rpm 4.18 leaves out.
fn section<'s>(spec: &'s str, heading: &str) -> Vec<&'s str> {
    let mut lines = spec.lines().skip_while(|line| line.trim_end() != heading);
    assert!(lines.next().is_some(), "there is no {heading}");
    let ends = [
        "%files",
        "%pre",
        "%post",
        "%package",
        "%description",
        "%install",
        "%build",
        "%check",
        "%filetr",
        "%trans",
    ];
    let is_end = |line: &str, end: &str| line.starts_with(end) && !(heading == "%prep" && end == "%build");
    lines.take_while(|line| !ends.iter().any(|end| is_end(line, end))).filter(|l| !l.is_empty()).collect()
}

#[test]
fn fedora_builds_it_with_its_macros_and_its_merged_directories() {
    let spec = parsed(FEDORA, &["--define", "fedora 42", "--define", "_sbindir /usr/bin"]);
    assert!(spec.contains("\nfedora-prep vendor\n"), "{spec}");
    let build = section(&spec, "%prep").join("\n");
    assert!(
        build.contains("fedora-build --locked --package kmp-cli --package kmp-capi --package xtask"),
        "{build}"
    );
    let install = section(&spec, "%install").join("\n");
    for option in
        ["--sbindir /usr/bin ", "--plugindir /usr/lib64/rpm-plugins ", "--dialect redhat", "--no-build"]
    {
        assert!(install.contains(option), "{option}: {install}");
    }
    let files = section(&spec, "%files -n kmp-weak-modules");
    assert!(files.contains(&"%ghost /usr/bin/weak-modules"), "{files:?}");
    assert!(!spec.contains("/usr/sbin/weak-modules\n%{_mandir}"));
}

#[test]
fn opensuse_builds_it_with_its_macro() {
    let spec = parsed(SUSE, &["--define", "suse_version 1699"]);
    let build = section(&spec, "%prep").join("\n");
    assert!(
        build.contains("suse-build --locked --package kmp-cli --package kmp-capi --package xtask"),
        "{build}"
    );
    assert!(section(&spec, "%install").join("\n").contains("--dialect suse"));
}

/// EL's macros of these names take no vendored sources; others have none: cargo itself, without network.
#[test]
fn anybody_else_builds_it_with_cargo() {
    let el = "%cargo_prep(V:) el-prep\n%cargo_build() el-build %*\n%build_rustflags -Copt-level=3\n";
    let spec = parsed(el, &["--define", "rhel 10"]);
    assert!(
        !spec.contains("el-prep") && !spec.contains("el-build") && spec.contains("-Copt-level=3"),
        "{spec}"
    );
    let spec = parsed("", &[]);
    let build = section(&spec, "%prep").join("\n");
    assert!(build.contains("cargo build ") && build.contains("--locked --offline"), "{build}");
    assert!(spec.contains("replace-with = \"vendored\""), "{spec}");
}

/// For a distribution that has left the names to kmp: it owns them, puts nothing aside, and takes the old package's place.
#[test]
fn a_distribution_that_takes_kmp_owns_the_names() {
    let beside = parsed("", &[]);
    let taken = parsed("", &["--without", "beside"]);
    let path = "/usr/lib/module-init-tools/weak-modules2";
    assert!(section(&beside, "%files -n kmp-weak-modules2").contains(&&*format!("%ghost {path}")));
    assert!(section(&taken, "%files -n kmp-weak-modules2").iter().any(|line| line.trim() == path));
    assert!(beside.contains("kmp divert weak-modules2") && !taken.contains("divert"), "{taken}");
    for line in [
        "Obsoletes:      suse-module-tools-scriptlets < 17",
        "Provides:       suse-module-tools-scriptlets = 17",
    ] {
        assert!(taken.contains(line) && !beside.contains(line), "{line}");
    }
}

/// The layout of a merged system, by the chore that the spec file calls.
#[test]
fn the_chore_installs_into_merged_directories() {
    let place = tempfile::tempdir().unwrap();
    let mut install = xtask();
    install.args(["install", "--debug", "--sbindir", "/usr/bin"]);
    install.args(["--plugindir", "/usr/lib64/plugins-of-rpm", "--destdir"]).arg(place.path());
    run(&mut install).expect_success();
    for name in ["weak-modules", "weak-modules2"] {
        let link = place.path().join("usr/bin").join(name);
        assert_eq!(std::fs::canonicalize(&link).unwrap(), place.path().join("usr/bin/kmp"), "{name}");
    }
    assert!(place.path().join("usr/lib64/plugins-of-rpm/kmp.so").is_file());
    assert!(!place.path().join("usr/sbin").exists() && !place.path().join("usr/lib64/rpm-plugins").exists());
}
