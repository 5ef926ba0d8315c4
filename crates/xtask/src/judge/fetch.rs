// SPDX-License-Identifier: LGPL-2.1-or-later
//! Takes kernels and their headers from the distribution's archive, and unpacks them beneath a root of
//! their own. Nothing but build tools is installed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run::{self, Result};

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// `downloads/judge`.
    pub top: PathBuf,
    /// The root beneath which the kernels are.
    pub root: PathBuf,
    /// C sources.
    pub sources: PathBuf,
}

impl Places {
    /// Beneath the workspace.
    pub fn find() -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let top = workspace.join("downloads/judge");
        Ok(Self { root: top.join("root"), sources: workspace.join("tests/judge"), top })
    }

    /// Fresh for each run.
    pub fn work(&self) -> PathBuf {
        self.top.join("work")
    }
}

/// A kernel of the archive, unpacked.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// `uname -r`.
    pub release: String,
    /// Its headers, to build modules with.
    pub headers: PathBuf,
    /// The kernel itself.
    pub image: PathBuf,
    /// Directory of its modules in the root.
    pub modules: PathBuf,
    /// The same with modules.dep, all modules inflated: what depmod and the virtual machine get.
    pub plain: PathBuf,
    /// What it exports.
    pub symvers: Symvers,
}

/// symbol -> (CRC, exporter, GPL only, namespace)
pub type Symvers = HashMap<String, (String, String, bool, String)>;

/// Installs the tools that are not there.
///
/// # Errors
/// apt-get fails.
pub fn tools(compilers: &[String]) -> Result<()> {
    let mut missing: Vec<&str> = [
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("gcc", "gcc"),
        ("make", "make"),
        ("objcopy", "binutils"),
        ("depmod", "kmod"),
        ("createrepo_c", "createrepo-c"),
        ("xz", "xz-utils"),
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("perl", "perl-base"),
    ]
    .into_iter()
    .filter(|(program, _)| !run::has(program) && !Path::new("/usr/sbin").join(program).exists())
    .map(|(_, package)| package)
    .collect();
    let libraries = ["libc6-dev", "libelf1", "libelf1t64", "libssl3", "libssl3t64"];
    for package in libraries.into_iter().chain(compilers.iter().map(String::as_str)) {
        let known = run::output(Command::new("apt-cache").args(["policy", package])).unwrap_or_default();
        if known.contains("Installed: (none)") && !known.contains("Candidate: (none)") {
            missing.push(package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if crate::install::installs_nothing() {
        return Err(format!("these packages are not installed: {}", missing.join(" ")).into());
    }
    eprintln!("judge: installing {}", missing.join(" "));
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    run::output(apt.args(["install", "-y", "-q", "--no-install-recommends"]).args(missing)).map(drop)
}

/// `6.1.0-56` and `6.12.117+deb12` as numbers.
fn numbers(abi: &str) -> Vec<u64> {
    abi.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
}

/// The releases to take: of the series with the most of them the newest two and one further back, and
/// the newest of another series.
pub fn choose() -> Result<Vec<String>> {
    let names = run::output(Command::new("apt-cache").args(["pkgnames", "linux-"]))?;
    let names: std::collections::HashSet<&str> = names.lines().collect();
    let mut series: BTreeMap<Vec<u64>, Vec<(Vec<u64>, String)>> = BTreeMap::new();
    for name in &names {
        let Some(release) = name.strip_prefix("linux-image-") else { continue };
        let Some(abi) = release.strip_suffix("-amd64") else { continue };
        // rt, cloud and meta-packages are left aside.
        let version = numbers(abi);
        if version.len() < 3 || ["-rt", "-cloud"].iter().any(|f| abi.ends_with(f)) {
            continue;
        }
        if names.contains(format!("linux-headers-{release}").as_str()) {
            series.entry(version[..2].to_vec()).or_default().push((version, release.to_string()));
        }
    }
    let mut series: Vec<Vec<(Vec<u64>, String)>> = series.into_values().collect();
    for list in &mut series {
        list.sort();
        list.reverse();
    }
    series.sort_by_key(|list| std::cmp::Reverse(list.len()));
    let mut chosen = Vec::new();
    if let Some(main) = series.first() {
        let last = main.len().saturating_sub(1);
        chosen.extend([0, 1, 3.min(last)].iter().filter_map(|i| main.get(*i)).map(|(_, r)| r.clone()));
        chosen.dedup();
    }
    chosen.extend(series.iter().skip(1).filter_map(|list| list.first()).map(|(_, r)| r.clone()).take(1));
    // Modules are built for one and judged against another.
    if chosen.len() < 2 {
        return Err(format!("two kernels with headers are needed, and the archive has {chosen:?}").into());
    }
    Ok(chosen)
}

/// The packages that `package` depends on, as far as their names begin with one of `prefixes`.
fn depends(package: &str, prefixes: &[&str]) -> Result<Vec<String>> {
    let text = run::output(Command::new("apt-cache").args(["depends", package]))?;
    let names = text.lines().filter_map(|l| l.trim().trim_start_matches('|').strip_prefix("Depends: "));
    Ok(names.filter(|n| prefixes.iter().any(|p| n.starts_with(p))).map(str::to_string).collect())
}

/// Downloads packages that are not there yet, and returns their files in the order asked for.
pub fn download(dir: &Path, packages: &[String]) -> Result<Vec<PathBuf>> {
    // apt-get names no file that is there already: it is asked elsewhere.
    let elsewhere = dir.join("none");
    fs::create_dir_all(&elsewhere)?;
    let uris = run::output(
        Command::new("apt-get")
            .args(["download", "-q", "--print-uris"])
            .args(packages)
            .current_dir(&elsewhere),
    )?;
    let names: Vec<&str> =
        uris.lines().filter_map(|l| l.strip_prefix('\'')?.split_whitespace().nth(1)).collect();
    let mut files = Vec::new();
    for package in packages {
        let name =
            names.iter().find(|n| n.strip_prefix(package.as_str()).is_some_and(|r| r.starts_with('_')));
        let file = dir.join(name.ok_or_else(|| format!("apt-get knows no file of {package}"))?);
        if !file.exists() {
            run::output(Command::new("apt-get").args(["download", "-q", package]).current_dir(dir))?;
        }
        if !file.exists() {
            return Err(format!("apt-get download {package} did not leave {}", file.display()).into());
        }
        files.push(file);
    }
    Ok(files)
}

/// The file that says of which packages a kernel was unpacked.
pub fn mark(places: &Places, release: &str) -> PathBuf {
    places.top.join(format!("unpacked-{release}"))
}

/// Downloads and unpacks one kernel.
///
/// # Errors
/// The archive does not give it, or it is not as kernels of Debian are.
pub fn kernel(places: &Places, release: &str) -> Result<Fetched> {
    let headers_package = format!("linux-headers-{release}");
    let mut packages = depends(&headers_package, &["linux-headers-", "linux-kbuild-"])?;
    packages.extend([headers_package, format!("linux-image-{release}")]);
    let files = download(&places.top.join("debs"), &packages)?;
    let modules = places.root.join("usr/lib/modules").join(release);
    let mark = mark(places, release);
    let stamp = files.iter().map(|f| format!("{}\n", f.display())).collect::<String>();
    let headers = places.root.join("usr/src").join(format!("linux-headers-{release}"));
    let plain = places.top.join("plain").join(release);
    if fs::read_to_string(&mark).ok().as_deref() != Some(&stamp) {
        let _ = fs::remove_dir_all(&modules);
        fs::create_dir_all(places.root.join("usr/lib"))?;
        let _ = std::os::unix::fs::symlink("usr/lib", places.root.join("lib"));
        for file in &files {
            // dpkg-deb would put a directory in the place of the link `lib`; tar keeps it.
            let script = "dpkg-deb --fsys-tarfile \"$1\" | tar -x --keep-directory-symlink -C \"$2\"";
            run::output(
                Command::new("bash").args(["-o", "pipefail", "-c", script, "sh"]).arg(file).arg(&places.root),
            )?;
        }
        relocate(places, &headers)?;
        fs::copy(headers.join("Module.symvers"), modules.join("symvers"))?;
        fs::copy(places.root.join(format!("boot/config-{release}")), modules.join("config"))?;
        run::output(Command::new("depmod").env("PATH", PATH).arg("-b").arg(&places.root).arg(release))?;
        inflate(&modules, &plain)?;
        fs::write(&mark, stamp)?;
    }
    let symvers = symvers(&modules.join("symvers"))?;
    let image = places.root.join(format!("boot/vmlinuz-{release}"));
    Ok(Fetched { release: release.to_string(), headers, image, modules, plain, symvers })
}

/// depmod lives in /sbin.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The compilers that the kernels were built with.
pub fn compilers(releases: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for release in releases {
        for name in depends(&format!("linux-headers-{release}"), &["gcc-", "linux-compiler-gcc-"])? {
            let number: String =
                name.trim_start_matches("linux-compiler-").chars().take_while(|c| *c != 'x').collect();
            names.push(number.trim_end_matches('-').to_string());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Debian's headers name each other by absolute paths.
fn relocate(places: &Places, headers: &Path) -> Result<()> {
    let makefile = headers.join("Makefile");
    let text = fs::read_to_string(&makefile)?;
    let moved = text.replace("include /usr/src/", &format!("include {}/usr/src/", places.root.display()));
    fs::write(&makefile, moved)?;
    Ok(())
}

/// A copy of the modules, each inflated, with an index of its own.
fn inflate(modules: &Path, plain: &Path) -> Result<()> {
    let release = plain.file_name().unwrap_or_default();
    run::fresh(plain)?;
    let base = plain.join("lib/modules");
    fs::create_dir_all(&base)?;
    let dir = base.join(release);
    run::link_tree(modules, &dir)?;
    // -f: the files have several names; decompressors make new ones and leave the packed ones alone.
    let script = "cd \"$1\" && find . -name '*.ko.xz' -print0 | xargs -0r -P2 -n64 xz -dfq; \
                  find . -name '*.ko.zst' -print0 | xargs -0r -P2 -n64 zstd -dfq --rm; \
                  find . -name '*.ko.gz' -print0 | xargs -0r -P2 -n64 gzip -dfq; rm -f build source modules.*";
    run::output(Command::new("sh").args(["-c", script, "sh"]).arg(&dir))?;
    for name in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        if modules.join(name).exists() {
            fs::copy(modules.join(name), dir.join(name))?;
        }
    }
    run::output(Command::new("depmod").env("PATH", PATH).arg("-b").arg(plain).arg(release)).map(drop)
}

/// Reads `Module.symvers`.
///
/// # Errors
/// It cannot be read.
pub fn symvers(path: &Path) -> Result<Symvers> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut table = Symvers::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if let [crc, symbol, exporter, kind, rest @ ..] = fields.as_slice() {
            let namespace = rest.first().copied().unwrap_or("").to_string();
            let entry = ((*crc).to_string(), (*exporter).to_string(), kind.contains("GPL"), namespace);
            table.insert((*symbol).to_string(), entry);
        }
    }
    Ok(table)
}
