// SPDX-License-Identifier: LGPL-2.1-or-later
//! The tables, and what shell, spec file and macros say of the same.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::abi::name::module_name;
use crate::deps;

fn project(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn depmods_files_and_the_kernels_own() {
    for (name, writer) in MODULES_FILES {
        let is_kernels = matches!(writer, Writer::KernelForDepmod | Writer::Kernel);
        assert_eq!(is_known_index(name), !is_kernels, "{name}");
        assert_eq!(may_be_index(name), !is_kernels, "{name}");
    }
    // What a depmod of tomorrow writes.
    assert!(may_be_index("modules.new.bin") && !is_known_index("modules.new.bin"));
    assert!(!may_be_index("System.map") && !may_be_index("modules"));
}

#[test]
fn a_path_taken_apart() {
    let of = |path: &'static str| {
        parts(Path::new(path)).map(|p| (p.dir, p.release.to_str().unwrap(), p.below.to_str().unwrap()))
    };
    assert_eq!(of("/lib/modules/1-x/extra/a.ko"), Some(("/lib/modules", "1-x", "extra/a.ko")));
    assert_eq!(of("/usr/lib/modules//1-x/"), Some(("/usr/lib/modules", "1-x", "")));
    for path in ["/usr/lib/modules", "lib/modules/1-x/a.ko", "/lib/modules-load.d/a.conf", "/boot/1-x/a.ko"] {
        assert_eq!(of(path), None, "{path}");
    }
    let in_initrd = |path| parts_in_initrd(Path::new(path));
    assert_eq!(in_initrd("usr/lib/modules/1-x/a.ko"), Some(Path::new("1-x/a.ko")));
    assert_eq!(in_initrd("lib/modules/1-x/a.ko"), Some(Path::new("1-x/a.ko")));
    assert_eq!(in_initrd("lib/firmware/a"), None);
    assert_eq!(
        spellings(Path::new("/lib/modules/1-x/a.ko")),
        Some(["/usr/lib/modules/1-x/a.ko", "/lib/modules/1-x/a.ko"].map(PathBuf::from))
    );
}

#[test]
fn where_a_kernels_files_may_be() {
    let dir = Path::new("/usr/lib/modules/1-x");
    let places = symvers_places(dir, "1-x");
    let ends: Vec<_> = places.iter().map(|p| p.display().to_string()).collect();
    assert_eq!(
        ends,
        [
            "/usr/lib/modules/1-x/symvers.zst",
            "/usr/lib/modules/1-x/symvers.xz",
            "/usr/lib/modules/1-x/symvers.gz",
            "/usr/lib/modules/1-x/symvers",
            "/boot/symvers-1-x.zst",
            "/boot/symvers-1-x.xz",
            "/boot/symvers-1-x.gz",
            "/boot/symvers-1-x",
        ]
    );
    for name in symvers_names() {
        assert!(is_symvers(&name), "{name}");
    }
    assert!(!is_symvers("symversx"));
}

/// The suffixes of compression that others list as well.
#[test]
fn modules_are_known_by_the_same_suffixes_everywhere() {
    let files: Vec<String> = [""].iter().chain(&SUFFIXES).map(|suffix| format!("a.ko{suffix}")).collect();
    for file in &files {
        assert!(module_name(OsStr::new(file)).is_some(), "kmod-abi does not know {file}");
    }
    let case = files.iter().map(|file| format!("*{}", &file[1..])).collect::<Vec<_>>().join(" | ");
    assert!(project("scriptlets/kernel-scriptlets/scriptlet").contains(&format!("{case})")), "{case}");
    let suffixes: Vec<String> = SUFFIXES.iter().map(|suffix| suffix.replace('.', "\\\\.")).collect();
    let pattern = format!("({})?", suffixes.join("|"));
    for file in ["kmp_kernel.attr", "kmp_modules.attr"] {
        let text = project(&format!("packaging/fileattrs/{file}"));
        assert!(text.contains(&format!("\\\\.ko{pattern}")), "{file}: {pattern}");
    }
}

/// What rpm's generators are asked about is what [`deps::kind`] knows, and the other way round.
#[test]
fn file_attributes_name_the_files_that_dependencies_come_from() {
    let text = project("packaging/fileattrs/kmp_kernel.attr");
    let line = text.lines().find_map(|line| line.strip_prefix("%_kmp_kernel_files")).unwrap().trim();
    let pattern = regex_lite::Regex::new(&line.replace("\\\\", "\\")).unwrap();
    let dir = Path::new(DIRECTORIES[0]).join("1-x");
    let mut paths: Vec<PathBuf> = MODULES_FILES.iter().map(|(name, _)| dir.join(name)).collect();
    let images =
        IMAGES.iter().flat_map(|image| SUFFIXES.iter().chain(&[""]).map(move |s| format!("{image}{s}")));
    let own = images.chain(KERNEL_FILES.iter().map(|name| (*name).into())).chain(symvers_names());
    paths.extend(own.flat_map(|name| places(&dir, "1-x", &name)));
    paths.push(dir.join(IN_TREE).join("a.ko.zst"));
    for path in paths {
        let known = deps::kind(path.as_os_str().as_encoded_bytes()).is_some();
        assert_eq!(pattern.is_match(path.to_str().unwrap()), known, "{}", path.display());
    }
}

#[test]
fn scriptlets_have_the_same_files_in_boot() {
    let text = project("scriptlets/kernel-scriptlets/kernel.sh");
    let list = text.lines().find_map(|line| line.trim().strip_prefix("for file in \"$image\" ")).unwrap();
    let theirs: BTreeSet<&str> = list.trim_end_matches("; do").split(' ').collect();
    assert_eq!(theirs, KERNEL_FILES.iter().copied().collect());
    for name in [
        format!("$modules/{SYSTEM_MAP}"),
        format!("$modules/{IN_TREE}"),
        format!("{BOOT}/{SYSTEM_MAP}-$krel"),
    ] {
        assert!(text.contains(&name), "{name}");
    }
    let initrd = initrd_places(Path::new("/x"), "$1")[0].clone();
    assert!(text.contains(initrd.to_str().unwrap().trim_end_matches("$1")), "{}", initrd.display());
}

#[test]
fn triggers_watch_both_directories() {
    let spec = project("packaging/kmp.spec");
    for dir in DIRECTORIES {
        let watches = |kind: &str| {
            spec.lines().any(|line| {
                line.starts_with(kind)
                    && line.rsplit_once("-- ").is_some_and(|(_, dirs)| dirs.split(' ').any(|d| d == dir))
            })
        };
        assert!(watches("%transfiletriggerin") && watches("%transfiletriggerpostun"), "{dir}");
    }
    assert!(project("packaging/macros.kmp").contains("/modules.order"));
    assert!(MODULES_FILES.iter().any(|(name, _)| *name == "modules.order"));
}
