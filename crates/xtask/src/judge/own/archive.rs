// SPDX-License-Identifier: LGPL-2.1-or-later
//! The kernel's source as Debian's suites have it, whatever suite this machine has itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::judge::fetch::Places;
use crate::judge::run::{self, Result};

/// A suite's package of the kernel's source.
#[derive(Clone, Debug)]
pub struct Source {
    /// `linux-source-6.1`
    package: String,
    /// `6.1.176-1`
    pub version: String,
    options: Vec<String>,
}

/// How old the index may be: suites change a few times a day.
const AGE: Duration = Duration::from_secs(6 * 3600);

/// The newest source in `suite`. Its index is kept below the judge's downloads.
///
/// # Errors
/// The archive cannot be asked, or has no such suite.
pub fn newest(suite: &str) -> Result<Source> {
    let dir = Places::find()?.top.join("apt").join(suite);
    fs::create_dir_all(dir.join("lists/partial"))?;
    fs::create_dir_all(dir.join("archives/partial"))?;
    let list = dir.join("sources.list");
    fs::write(&list, format!("deb {} {suite} main\n", mirror()?))?;
    let options: Vec<String> = [
        format!("Dir::Etc::sourcelist={}", list.display()),
        "Dir::Etc::sourceparts=/dev/null".into(),
        format!("Dir::State::lists={}", dir.join("lists").display()),
        format!("Dir::Cache={}", dir.display()),
        "APT::Architectures=amd64".into(),
        "Acquire::Languages=none".into(),
        crate::install::BEHIND.into(),
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".into(),
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false".into(),
    ]
    .into_iter()
    .flat_map(|option| ["-o".into(), option])
    .collect();
    let mark = dir.join("updated");
    let age = fs::metadata(&mark).and_then(|mark| mark.modified()).map(|at| at.elapsed().unwrap_or_default());
    if age.map_or(true, |age| age > AGE) {
        run::output(Command::new("apt-get").args(&options).args(["update", "-q", "--error-on=any"]))?;
        fs::write(&mark, "")?;
    }
    let shown = run::output(Command::new("apt-cache").args(&options).args([
        "show",
        "--no-all-versions",
        "linux-source",
    ]))?;
    let field = |name: &str| shown.lines().find_map(|line| line.strip_prefix(name)).map(str::to_string);
    let version = field("Version: ").ok_or_else(|| format!("{suite} has no linux-source"))?;
    let depends = field("Depends: ").unwrap_or_default();
    let package = depends.split([' ', ',']).find(|name| name.starts_with("linux-source-"));
    let package = package.ok_or("linux-source depends on no source")?.to_string();
    Ok(Source { package, version, options })
}

/// Where this machine has its Debian packages from.
fn mirror() -> Result<String> {
    let format = "$(ORIGIN) $(COMPONENT) $(REPO_URI)";
    let targets = run::output(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    let mirror = targets.lines().filter_map(|line| line.strip_prefix("Debian main ")).find(|uri| {
        // Security updates are elsewhere, and there not of all suites.
        uri.contains("://") && !uri.contains("security")
    });
    Ok(mirror.ok_or("apt has no source of Debian's main packages")?.to_string())
}

/// What is left out: drivers that no small kernel has, and what is no source. Their Kconfig files are read all the same.
const WITHOUT: &[&str] = &[
    "*/drivers/gpu/*.[ch]",
    "*/drivers/net/*.[ch]",
    "*/drivers/media/*.[ch]",
    "*/drivers/staging/*.[ch]",
    "*/drivers/infiniband/*.[ch]",
    "*/drivers/scsi/*.[ch]",
    "*/sound/*.[ch]",
    "*/Documentation/*/*",
    "*/tools/testing/*",
    "*/tools/perf/*",
    "*/boot/dts/*",
];

impl Source {
    /// Downloads it, and unpacks what a small kernel needs of it as the directory `to`.
    ///
    /// # Errors
    /// The archive does not give it, or there is no room for it.
    pub fn unpack(&self, to: &Path) -> Result<()> {
        let dir = to.with_extension("download");
        run::fresh(&dir)?;
        run::output(
            Command::new("apt-get")
                .args(&self.options)
                .args(["download", "-q", &self.package])
                .current_dir(&dir),
        )?;
        let file: PathBuf = fs::read_dir(&dir)?.next().ok_or("apt-get download left no file")??.path();
        run::fresh(to)?;
        let script = "dpkg-deb --fsys-tarfile \"$1\" | tar -xO --wildcards './usr/src/*.tar.xz' | xz -dc | \
                      tar -x --strip-components=1 -C \"$2\" \"${@:3}\"";
        let without = WITHOUT.iter().map(|pattern| format!("--exclude={pattern}"));
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c", script, "bash"]).arg(&file).arg(to).args(without);
        run::output(&mut bash)?;
        fs::remove_dir_all(&dir).map_err(Into::into)
    }
}
