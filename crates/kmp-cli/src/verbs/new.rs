// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp new`: writes the files that a package of kernel modules begins with: a module that does next to nothing, or what a
//! dkms.conf describes. They build at once.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use kmp_core::assignments::Assignments;
use kmp_core::config;
use kmp_core::dialect::Dialect;
use kmp_core::printable;
use kmp_core::root::Root;
use serde::Serialize;

use crate::args::New;
use crate::outcome::Outcome;
use crate::output::json;

/// The samples of packaging/examples.
const SAMPLE: [&str; 4] = [
    include_str!("../../../../packaging/examples/kmp-hello.spec"),
    include_str!("../../../../packaging/examples/kmod-kmp-hello.spec"),
    include_str!("../../../../packaging/examples/kmp_hello.c"),
    include_str!("../../../../packaging/examples/Kbuild"),
];
const DKMS_SPEC: &str = include_str!("new/dkms.spec");
const DKMS_BUILD: &str = include_str!("new/dkms-build.sh");

/// The largest dkms.conf that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// A file to write, and its bytes.
type File = (PathBuf, Vec<u8>);

/// What `kmp new --json` prints.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// What the package is called, without what its form adds.
    package: String,
    /// What was written into the current directory; the spec file first.
    files: Vec<String>,
    /// The line to type to build it.
    build: String,
}

pub fn run(root: &Path, args: &New, quiet: bool) -> Result<Outcome, String> {
    let dialect = match (args.suse, args.redhat) {
        (true, _) => Dialect::Suse,
        (_, true) => Dialect::RedHat,
        (false, false) => of_this_system(root)?,
    };
    let (name, files) = match &args.from_dkms {
        Some(directory) => from_dkms(dialect, directory, args.name.as_deref())?,
        None => sample(dialect, args.name.as_deref().unwrap_or_default())?,
    };
    write(&files)?;
    let build = format!("rpmbuild -ba --define \"_sourcedir $PWD\" {}", spec_name(dialect, &name));
    if args.json {
        let files = files.iter().map(|(file, _)| json::path(file)).collect();
        json::print(&Document { version: json::VERSION, package: name, files, build })?;
    } else if !quiet {
        for (file, _) in &files {
            println!("{}", file.display());
        }
        println!("To build it:\n    {build}");
    }
    Ok(Outcome::Good)
}

fn of_this_system(root: &Path) -> Result<Dialect, String> {
    let root = Root::open(root).map_err(|e| format!("{}: {e}", root.display()))?;
    let which = config::dialect(&root, &mut Vec::new()).map_err(|problem| problem.to_string())?;
    which.known().map_err(|unknown| format!("{unknown}; or name a form: --suse or --redhat"))
}

/// The spec file's name: that of the package in Red Hat's form.
fn spec_name(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Suse => format!("{name}.spec"),
        Dialect::RedHat => format!("kmod-{name}.spec"),
    }
}

/// A name that rpm takes for a package, and make for a file.
fn checked(name: &str) -> Result<&str, String> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "+._-".contains(c);
    match name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_inside) {
        true => Ok(name),
        false => Err(format!(
            "\"{}\" is no name for a package: letters, digits and . _ + - can be in it, and it begins with a letter or a digit",
            printable(name.as_ref())
        )),
    }
}

/// A package with a module of that name, which says hello.
fn sample(dialect: Dialect, name: &str) -> Result<(String, Vec<File>), String> {
    let name = checked(name)?;
    // A module's file is a C file's, and its functions have its name.
    let module: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let module = if module.starts_with(|c: char| c.is_ascii_digit()) { format!("m{module}") } else { module };
    let [suse, redhat, source, kbuild] = SAMPLE;
    let spec = match dialect {
        Dialect::Suse => suse,
        Dialect::RedHat => redhat,
    };
    let named = |text: &str| text.replace("kmp-hello", name).replace("kmp_hello", &module).into_bytes();
    let files = vec![
        (spec_name(dialect, name).into(), named(spec)),
        (format!("{module}.c").into(), named(source)),
        ("Kbuild".into(), named(kbuild)),
    ];
    Ok((name.into(), files))
}

/// A package of what is in a directory with a `dkms.conf`. That file is a script, and is run by what builds the package.
fn from_dkms(dialect: Dialect, directory: &Path, name: Option<&str>) -> Result<(String, Vec<File>), String> {
    let conf = directory.join("dkms.conf");
    let failed = |e: std::io::Error| format!("{}: {e}", conf.display());
    if std::fs::metadata(&conf).map_err(failed)?.len() > LIMIT {
        return Err(format!("{}: it is larger than {LIMIT} bytes", conf.display()));
    }
    let mut read = Assignments::default();
    read.read(&String::from_utf8_lossy(&std::fs::read(&conf).map_err(failed)?));
    let name = name.unwrap_or_else(|| read.get("PACKAGE_NAME"));
    if name.is_empty() {
        return Err(format!(
            "{}: it has no PACKAGE_NAME; say what the package is to be called: kmp new --from-dkms {} NAME",
            conf.display(),
            directory.display()
        ));
    }
    let name = checked(name)?;
    // rpm takes no dash in a version.
    let version = read.get("PACKAGE_VERSION").replace('-', ".");
    let version = checked(if version.is_empty() { "1" } else { &version })?;
    let (form, group, needs, modules) = match dialect {
        Dialect::Suse => (
            "SUSE's",
            "System/Kernel",
            "kmp-rpm-macros kernel-syms suse-kernel-rpm-scriptlets",
            "/usr/lib/modules",
        ),
        Dialect::RedHat => {
            ("Red Hat's", "System Environment/Kernel", "kmp-rpm-macros kernel-devel", "/lib/modules")
        }
    };
    let is_in_initrd = read.get("REMAKE_INITRD").to_ascii_lowercase().starts_with('y');
    let options = if is_in_initrd && dialect == Dialect::Suse { " -b" } else { "" };
    let spec = [
        ("@NAME@", name),
        ("@VERSION@", version),
        ("@FORM@", form),
        ("@SPEC@", &spec_name(dialect, name)),
        ("@GROUP@", group),
        ("@NEEDS@", needs),
        ("@MODULES@", modules),
        ("@OPTIONS@", options),
    ]
    .iter()
    .fold(DKMS_SPEC.to_string(), |text, (word, value)| text.replace(word, value));
    let archive = archive(directory, &format!("{name}-{version}"))
        .map_err(|e| format!("{} cannot be packed: {e}", directory.display()))?;
    let files = vec![
        (spec_name(dialect, name).into(), spec.into_bytes()),
        (format!("{name}-build").into(), DKMS_BUILD.into()),
        (format!("{name}-{version}.tar.gz").into(), archive),
    ];
    Ok((name.into(), files))
}

/// The directory's files, packed below a directory of that name.
fn archive(directory: &Path, top: &str) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    tar.follow_symlinks(false);
    tar.mode(tar::HeaderMode::Deterministic);
    add(&mut tar, directory, Path::new(top))?;
    tar.into_inner()?.finish()
}

/// Adds a directory. What a version control system keeps in it stays out.
fn add(tar: &mut tar::Builder<impl Write>, directory: &Path, name: &Path) -> std::io::Result<()> {
    tar.append_dir(name, directory)?;
    let mut entries = std::fs::read_dir(directory)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in
        entries.iter().filter(|entry| ![".git", ".svn", ".hg"].iter().any(|n| entry.file_name() == *n))
    {
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true => add(tar, &path, &name)?,
            false => tar.append_path_with_name(&path, &name)?,
        }
    }
    Ok(())
}

/// Writes all files, or none: one that is there already stays.
fn write(files: &[File]) -> Result<(), String> {
    if let Some((there, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(format!(
            "{} is there already; nothing was written. Please use another directory",
            there.display()
        ));
    }
    for (path, bytes) in files {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(bytes)).map_err(|e| match e.kind() {
            ErrorKind::PermissionDenied => {
                format!("{}: {e}; this directory cannot be written to", path.display())
            }
            _ => format!("{}: {e}", path.display()),
        })?;
    }
    Ok(())
}
