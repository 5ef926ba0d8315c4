// SPDX-License-Identifier: LGPL-2.1-or-later
//! Builds the cases, and lays every set of modules in a directory of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::cases::{self, Spec};
use super::edit;
use super::fetch::{self, Fetched, Places};
use super::run::{self, Result};

/// A set of modules that are judged and loaded together.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// The kernel that it was built for.
    pub built_for: String,
    /// Where it is.
    pub dir: PathBuf,
    /// Its modules' files, by name.
    pub files: Vec<PathBuf>,
    /// From a package of the archive.
    pub dkms: bool,
}

impl Set {
    fn read(name: &str, built_for: &str, dir: &Path, dkms: bool) -> Result<Self> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<std::io::Result<_>>()?;
        files.sort();
        Ok(Self { name: name.into(), built_for: built_for.into(), dir: dir.into(), files, dkms })
    }
}

/// Builds what is in a directory with a kernel's build system.
///
/// # Errors
/// It does not build, with the end of what make said.
pub fn make(kernel: &Fetched, dir: &Path) -> Result<()> {
    let mut make = Command::new("make");
    make.arg("-s").arg("-j2").arg("-C").arg(&kernel.headers).arg(format!("M={}", dir.display()));
    // What nothing exports, and users of names that are too long, shall be built all the same; also what imports no namespace,
    // for which the modpost of 5.10 has a switch of its own.
    make.args(["KBUILD_MODPOST_WARN=1", "CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y", "modules"]);
    // BTF takes pahole, and the kernel's own.
    if !kernel.headers.join("vmlinux").exists() {
        make.arg("CONFIG_DEBUG_INFO_BTF_MODULES=");
    }
    let log = dir.with_extension("log");
    match run::within(Duration::from_secs(1200), &mut make, &log)? {
        Some(status) if status.success() => Ok(()),
        how => {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if how.is_none() {
                // What was half written would be in make's way.
                fs::remove_dir_all(dir)?;
            }
            let lines: Vec<&str> = said.lines().collect();
            let end = lines[lines.len().saturating_sub(15)..].join("\n");
            Err(format!("building the modules for {}: {how:?}\n{end}", kernel.release).into())
        }
    }
}

/// Builds the project's own modules for `kernel`.
///
/// # Errors
/// They do not build: that is a fault of the judge.
pub fn own(places: &Places, kernel: &Fetched, specs: &[Spec], moved: Option<&str>) -> Result<Vec<Set>> {
    let work = places.work();
    for apart in [false, true] {
        let dir = work.join(format!("build/{}-{apart}", kernel.release));
        fs::create_dir_all(&dir)?;
        let mut kbuild = String::new();
        for spec in specs.iter().filter(|s| s.apart == apart && s.copy_of.is_none()) {
            let define = |(k, v): &(&str, String)| match k.starts_with("KJ_REF") {
                true => format!("#define {k} \"{v}\"\n"),
                false => format!("#define {k} {v}\n"),
            };
            let mut source: String = spec.defines.iter().map(define).collect();
            writeln!(source, "#include \"{}\"", places.sources.join("module.c").display())?;
            write_changed(&dir.join(format!("{}.c", spec.name)), &source)?;
            writeln!(kbuild, "obj-m += {}.o", spec.name)?;
        }
        write_changed(&dir.join("Kbuild"), &kbuild)?;
        make(kernel, &dir)?;
    }
    let top = work.join("sets").join(&kernel.release);
    run::fresh(&top)?;
    for spec in specs.iter().filter(|s| s.kept) {
        lay(&work, kernel, spec, &top)?;
    }
    if let Some(name) = moved {
        let dir = top.join("replace-moved");
        fs::create_dir_all(&dir)?;
        let file =
            in_tree_file(kernel, name).ok_or_else(|| format!("{name} is not in {}", kernel.release))?;
        fs::copy(&file, dir.join(format!("{name}.ko")))?;
    }
    let mut names: Vec<String> = specs.iter().filter(|s| s.kept).map(|s| s.set.clone()).collect();
    names.extend(moved.iter().map(|_| "replace-moved".to_string()));
    names.dedup();
    names.iter().map(|n| Set::read(n, &kernel.release, &top.join(n), false)).collect()
}

/// Leaves a file alone that has these contents already, so that make does, too.
fn write_changed(path: &Path, text: &str) -> Result<()> {
    match fs::read_to_string(path) {
        Ok(there) if there == text => Ok(()),
        _ => fs::write(path, text).map_err(Into::into),
    }
}

fn lay(work: &Path, kernel: &Fetched, spec: &Spec, top: &Path) -> Result<()> {
    // To compile every copy for itself would take minutes.
    let from = spec.copy_of.unwrap_or(&spec.name);
    let built = work.join(format!("build/{}-{}", kernel.release, spec.apart)).join(format!("{from}.ko"));
    let dir = top.join(&spec.set);
    fs::create_dir_all(&dir)?;
    let file = dir.join(format!("{}.ko", spec.name));
    run::output(Command::new("strip").arg("--strip-debug").arg("-o").arg(&file).arg(&built))?;
    if from != spec.name {
        edit::rename(&file, from, &spec.name)?;
    }
    edit::apply(&file, &spec.edits).map_err(|e| format!("{} of {}: {e}", spec.name, spec.set))?;
    Ok(())
}

/// The file of an in-tree module, inflated.
pub fn in_tree_file(kernel: &Fetched, name: &str) -> Option<PathBuf> {
    let dir = kernel.plain.join("lib/modules").join(&kernel.release);
    let text = fs::read_to_string(dir.join("modules.dep")).ok()?;
    let path = text.lines().filter_map(|l| Some(l.split_once(':')?.0)).find(|p| cases::name_of(p) == name)?;
    Some(dir.join(path))
}

/// Builds the sources of the archive's `-dkms` packages for `kernel`, smallest first, until `end`; with `largest`, none of a package
/// with more bytes than that. Returns the sets, and what became of each package that gave none.
///
/// # Errors
/// The archive cannot be asked.
pub fn dkms(
    places: &Places,
    kernel: &Fetched,
    end: Instant,
    largest: Option<u64>,
) -> Result<(Vec<Set>, BTreeMap<String, String>)> {
    let mut skipped = BTreeMap::new();
    let names = run::output(Command::new("apt-cache").arg("pkgnames"))?;
    let names: Vec<&str> = names.lines().filter(|n| n.ends_with("-dkms") && *n != "dh-dkms").collect();
    let shown = run::output(Command::new("apt-cache").args(["show", "--no-all-versions"]).args(&names))?;
    let mut packages: Vec<(u64, String)> = Vec::new();
    for entry in shown.split("\n\n") {
        let field = |key: &str| entry.lines().find_map(|l| l.strip_prefix(key));
        if let (Some(name), Some(Ok(size))) = (field("Package: "), field("Size: ").map(str::parse)) {
            packages.push((size, name.to_string()));
        }
    }
    for name in names.iter().filter(|n| !packages.iter().any(|(_, p)| p == **n)) {
        skipped.insert((*name).to_string(), "not in the archive".to_string());
    }
    packages.sort();
    let (packages, too_large): (Vec<_>, Vec<_>) =
        packages.into_iter().partition(|(size, _)| largest.is_none_or(|largest| *size <= largest));
    skipped.extend(
        too_large.into_iter().map(|(_, name)| (name, "large: the whole judge alone builds it".into())),
    );
    let results = run::each(&packages, |(_, name)| {
        if Instant::now() > end {
            return (name.clone(), Err("no time left".into()));
        }
        (name.clone(), package(places, kernel, name))
    });
    let mut sets = Vec::new();
    for (name, result) in results {
        match result {
            Ok(set) => sets.push(set),
            Err(e) => drop(skipped.insert(name, e.to_string())),
        }
    }
    Ok((sets, skipped))
}

/// How long one package may take to build; others are at it, too, on a busy machine.
const PACKAGE_LIMIT: Duration = Duration::from_secs(180);

/// What dkms would do, with the kernel's headers where they are. `$1`: dkms.conf, `$2`: release,
/// `$3`: headers, `$4`: where the modules go, `$5`: source.
const DKMS: &str = r#"
cd "$5" || exit 1
kernelver=$2 kernel_source_dir=$3 arch=x86_64
dkms_tree=$(dirname "$4")/.$(basename "$4") source_tree=$(dirname "$5")
module=$(sed -n 's/^ *PACKAGE_NAME="\{0,1\}\([^"]*\)"\{0,1\}.*/\1/p' "$1" | head -n 1)
module_version=$(sed -n 's/^ *PACKAGE_VERSION="\{0,1\}\([^"]*\)"\{0,1\}.*/\1/p' "$1" | head -n 1)
export KERNELRELEASE=
. "$1" >/dev/null || exit 1
unset KERNELRELEASE
export kernelver kernel_source_dir
build=$dkms_tree/$PACKAGE_NAME/$PACKAGE_VERSION/build
mkdir -p "$build" && cp -a "$5/." "$build" && cd "$build" || exit 1
: "${BUILT_MODULE_NAME[0]:=$PACKAGE_NAME}"
[ -z "$PRE_BUILD" ] || bash -c "./$PRE_BUILD" || { echo "PRE_BUILD failed"; exit 3; }
make=${MAKE[0]}
for i in "${!MAKE[@]}"; do
    [ -z "${MAKE_MATCH[$i]}" ] || ! [[ $kernelver =~ ${MAKE_MATCH[$i]} ]] || make=${MAKE[$i]}
done
[ -n "$make" ] || make="make -C $kernel_source_dir M=$build"
case $make in make*) make="make CONFIG_DEBUG_INFO_BTF_MODULES= KERNELRELEASE=$kernelver -j2${make#make}" ;; esac
eval "$make" || exit 4
for i in "${!BUILT_MODULE_NAME[@]}"; do
    file=${BUILT_MODULE_LOCATION[$i]:-.}/${BUILT_MODULE_NAME[$i]}.ko
    [ -f "$file" ] || { echo "$file was not built"; continue; }
    strip --strip-debug -o "$4/${BUILT_MODULE_NAME[$i]}.ko" "$file" || exit 5
done
"#;

/// What came of a package and a kernel is kept, and taken again as long as the archive has the same of both: a compiler
/// would make the same of them.
fn package(places: &Places, kernel: &Fetched, name: &str) -> Result<Set> {
    let files = fetch::download(&places.top.join("debs"), &[name.to_string()])?;
    let dir = places.work().join("sets").join(&kernel.release).join(name);
    run::fresh(&dir)?;
    let kept = places.top.join("built").join(&kernel.release).join(name);
    let sources: Vec<_> = files.iter().filter_map(|f| f.file_name()).map(|f| f.to_string_lossy()).collect();
    // The kernel by its packages, which have versions.
    let unpacked = fs::read_to_string(fetch::mark(places, &kernel.release))?;
    let stamp = format!("{}\n{unpacked}\n{DKMS}", sources.join(" "));
    let (modules, stamp_file, why_file) = (kept.join("modules"), kept.join("stamp"), kept.join("why"));
    if fs::read_to_string(&stamp_file).is_ok_and(|there| there == stamp) {
        if let Ok(why) = fs::read_to_string(&why_file) {
            return Err(why.into());
        }
        for entry in fs::read_dir(&modules)? {
            let file = entry?.path();
            fs::copy(&file, dir.join(file.file_name().unwrap_or_default()))?;
        }
        return Set::read(name, &kernel.release, &dir, true);
    }
    run::fresh(&kept)?;
    match build_package(places, kernel, name, &files, &dir)? {
        Built::Modules => {
            fs::create_dir_all(&modules)?;
            for entry in fs::read_dir(&dir)? {
                let file = entry?.path();
                fs::copy(&file, modules.join(file.file_name().unwrap_or_default()))?;
            }
        }
        Built::No(why) => fs::write(&why_file, why)?,
        Built::NotInTime => {
            return Err(format!("takes more than {} s to build", PACKAGE_LIMIT.as_secs()).into());
        }
    }
    fs::write(&stamp_file, stamp)?;
    match fs::read_to_string(&why_file) {
        Ok(why) => Err(why.into()),
        Err(_) => Set::read(name, &kernel.release, &dir, true),
    }
}

/// What came of building a package.
enum Built {
    Modules,
    /// The compiler has the word.
    No(String),
    /// On a busy machine it may be another time.
    NotInTime,
}

fn build_package(
    places: &Places,
    kernel: &Fetched,
    name: &str,
    files: &[PathBuf],
    dir: &Path,
) -> Result<Built> {
    let work = places.work().join("dkms").join(&kernel.release).join(name);
    run::fresh(&work)?;
    for file in files {
        run::output(Command::new("dpkg-deb").arg("-x").arg(file).arg(&work))?;
    }
    let found = run::output(Command::new("find").arg(&work).args(["-name", "dkms.conf"]))?;
    let Some(conf) = found.lines().next().map(PathBuf::from) else {
        return Ok(Built::No("no dkms.conf in it".into()));
    };
    let source = conf.parent().ok_or("no directory")?;
    let log = work.with_extension("log");
    // Some look for /lib/modules/KREL/build whatever they are told: in a mount namespace of their own
    // they find it there. Where that is not allowed, they do without.
    let mounts = "mount --bind \"$1/lib/modules\" /lib/modules && mount --bind \"$1/usr/src\" /usr/src; shift; \
                  exec bash -c \"$@\"";
    let shell = |command: &mut Command| {
        command
            .args([DKMS, "dkms"])
            .arg(&conf)
            .arg(&kernel.release)
            .arg(&kernel.headers)
            .arg(dir)
            .arg(source);
    };
    let may = run::output(Command::new("unshare").args(["-m", "true"])).is_ok()
        && Path::new("/lib/modules").is_dir();
    let mut build = Command::new(if may { "unshare" } else { "bash" });
    if may {
        build.args(["-m", "sh", "-c", mounts, "sh"]).arg(&places.root);
    } else {
        build.arg("-c");
    }
    shell(&mut build);
    let status = run::within(PACKAGE_LIMIT, &mut build, &log)?;
    let said = fs::read_to_string(&log).unwrap_or_default();
    if fs::read_dir(dir)?.next().is_none() {
        let telling = |words: &[&str]| said.lines().find(|l| words.iter().any(|w| l.contains(w)));
        let why = telling(&["error", "No such file"])
            .or(telling(&["was not built", "***"]))
            .or(said.lines().last());
        let why = why.unwrap_or("it says nothing").trim();
        let why: String = why.chars().skip(why.chars().count().saturating_sub(110)).collect();
        return Ok(match status {
            None => Built::NotInTime,
            Some(_) => Built::No(format!("does not build: {why}")),
        });
    }
    Ok(Built::Modules)
}
