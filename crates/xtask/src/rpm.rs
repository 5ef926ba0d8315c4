// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask rpm`: the sources, and the packages that rpmbuild makes of them.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::{ensure, project, target};
use crate::run;
use testkit::packages::Use;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Build the packages of packaging/kmp.spec and their sources, and print each one's path.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the packages go [default: target/rpm/out].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The packages' release.
    #[arg(long, default_value = "1", value_parser = release)]
    release: String,
    /// Whose conventions hold: as on SUSE, or as on EL 9, with the plugins of dnf that can be built here.
    #[arg(long, default_value = "suse", value_parser = ["suse", "redhat"])]
    dialect: String,
}

fn release(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    fits.then(|| text.to_string()).ok_or_else(|| "a release has letters, digits and dots".into())
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    let out = arguments.out.clone().unwrap_or_else(|| target().join("rpm/out"));
    let out = std::path::absolute(out).map_err(|e| e.to_string())?;
    build(&out, &defines(&arguments.release, &arguments.dialect)?, &[])
}

/// What rpmbuild is to take for granted.
fn defines(release: &str, dialect: &str) -> Result<Vec<String>, String> {
    let mut defines = vec![format!("kmp_release {release}")];
    if dialect == "redhat" {
        defines.extend(["rhel 9".into(), "dist .el9".into()]);
        // Where this machine's dnf is; EL has a macro for it.
        let python = "import dnf, os; print(os.path.dirname(os.path.dirname(dnf.__file__)))";
        let place = run::output("/usr/bin/python3", &["-c", python])?;
        defines.push(format!("python3_sitelib {}", place.trim()));
        if Path::new("/usr/include/libdnf5").is_dir() {
            defines.push("_with_libdnf5 --with-libdnf5".into());
        }
    }
    Ok(defines)
}

/// For tests, which look at what is in packages and that it works, not how fast: most of what the build takes is optimisation.
const FOR_TESTS: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
];

/// The same for tests, with nothing else in the directory afterwards.
pub fn make(out: &Path, release: &str, dialect: &str) -> Result<(), String> {
    match fs::remove_dir_all(out) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {e}", out.display())),
        _ => build(out, &defines(release, dialect)?, FOR_TESTS),
    }
}

fn build(out: &Path, defines: &[String], variables: &[(&str, &str)]) -> Result<(), String> {
    ensure(&[Use::Demo, Use::Rpm])?;
    let work = target().join("rpm");
    let sources = work.join("SOURCES");
    for dir in [sources.as_path(), out] {
        fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    pack(&sources)?;
    vendor(&sources)?;
    call_rpmbuild(&work, defines, variables)?;
    collect(&work, out)
}

/// The files that git has, but for the fuzz targets, which are not built there. As they are on disk: their times tell cargo what
/// has changed.
fn pack(sources: &Path) -> Result<(), String> {
    let listed = output(Command::new("git").args(["ls-files", "-z"]).current_dir(project()))?;
    let names = listed.split(|b| *b == 0).map(|n| String::from_utf8_lossy(n).into_owned());
    let there: Vec<String> = names
        .filter(|n| !n.is_empty() && !n.starts_with("fuzz/") && project().join(n).symlink_metadata().is_ok())
        .collect();
    let list = sources.join("files");
    fs::write(&list, there.join("\0")).map_err(|e| format!("{}: {e}", list.display()))?;
    let mut tar = Command::new("tar");
    tar.current_dir(project()).args(["--create", "--gzip", "--owner=0", "--group=0", "--null"]);
    tar.arg(format!("--transform=s,^,kmp-{VERSION}/,"));
    tar.arg("--file").arg(sources.join(format!("kmp-{VERSION}.tar.gz")));
    output(tar.arg("--files-from").arg(&list))?;
    let _ = fs::remove_file(&list);

    let template = project().join("packaging/kmp.spec");
    let spec = fs::read_to_string(&template).map_err(|e| format!("{}: {e}", template.display()))?;
    let place = sources.join("kmp.spec");
    fs::write(&place, spec.replace("@VERSION@", VERSION)).map_err(|e| format!("{}: {e}", place.display()))
}

/// The crates of Cargo.lock; made again when it changes.
fn vendor(sources: &Path) -> Result<(), String> {
    let lock = fs::read(project().join("Cargo.lock")).map_err(|e| format!("Cargo.lock: {e}"))?;
    let mut hasher = DefaultHasher::new();
    lock.hash(&mut hasher);
    let mark = sources.join("vendor.mark");
    let wanted = format!("{:016x}", hasher.finish());
    let tarball = sources.join(format!("kmp-{VERSION}-vendor.tar.gz"));
    if tarball.is_file() && fs::read_to_string(&mark).is_ok_and(|m| m == wanted) {
        return Ok(());
    }
    let place = sources.join("vendored");
    let _ = fs::remove_dir_all(&place);
    let mut cargo = run::cargo_command(&[], &["vendor", "--locked", "--quiet"]);
    output(cargo.arg(place.join("vendor")))?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--gzip", "--owner=0", "--group=0", "--sort=name"]).arg("--file").arg(&tarball);
    output(tar.arg("--directory").arg(&place).arg("vendor"))?;
    let _ = fs::remove_dir_all(&place);
    fs::write(&mark, wanted).map_err(|e| format!("{}: {e}", mark.display()))
}

fn call_rpmbuild(work: &Path, defines: &[String], variables: &[(&str, &str)]) -> Result<(), String> {
    for dir in ["RPMS", "SRPMS", "BUILD", "BUILDROOT"] {
        let _ = fs::remove_dir_all(work.join(dir));
    }
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.arg("-ba").arg(work.join("SOURCES/kmp.spec"));
    // Built there before, most of it is built already.
    let places = [("_topdir", work.to_path_buf()), ("kmp_target", work.join("target"))];
    let places = places.map(|(name, place)| format!("{name} {}", place.display()));
    for define in places.iter().chain(defines) {
        rpmbuild.arg("--define").arg(define);
    }
    // rpm 4.20 and later build in a directory of their own for each package. The same for older ones: cargo has to build nothing
    // anew where another release's rpm builds the same sources.
    if !builds_in_a_directory_of_its_own() {
        let directory = work.join(format!("BUILD/kmp-{VERSION}-build"));
        fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        rpmbuild.arg("--define").arg(format!("_builddir {}", directory.display()));
    }
    // Where rpm itself did not come as its package, nor did the compiler.
    let known = Command::new("rpm").args(["--query", "--quiet", "rpm-build"]).stderr(Stdio::null()).status();
    if !known.is_ok_and(|status| status.success()) {
        rpmbuild.arg("--nodeps");
    }
    // The cargo that runs this chore has settings of its own.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO") && name != "CARGO_HOME" {
            rpmbuild.env_remove(name);
        }
    }
    rpmbuild.envs(variables.iter().copied());
    output(&mut rpmbuild).map(drop)
}

/// Since 4.20.
fn builds_in_a_directory_of_its_own() -> bool {
    let said = run::output("rpm", &["--version"]).unwrap_or_default();
    let version = said.split_whitespace().next_back().unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(4), Some(20))
}

fn collect(work: &Path, out: &Path) -> Result<(), String> {
    for package in packages(work) {
        let name = package.file_name().unwrap_or_default();
        let place = out.join(name);
        fs::copy(&package, &place).map_err(|e| format!("{}: {e}", place.display()))?;
        println!("{}", place.display());
    }
    Ok(())
}

fn packages(work: &Path) -> Vec<PathBuf> {
    let below = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let binary = below(work.join("RPMS")).flat_map(below);
    let mut found: Vec<PathBuf> = binary.chain(below(work.join("SRPMS"))).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "rpm"));
    found.sort();
    found
}

/// Runs a program to its end, and returns what it printed.
fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{name} cannot be run: {e}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = [output.stdout, output.stderr].concat();
            Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&said).trim()))
        }
    }
}
