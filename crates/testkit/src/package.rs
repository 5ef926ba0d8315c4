// SPDX-License-Identifier: LGPL-2.1-or-later
//! RPM packages, described.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::rpmbuild;
use crate::tools::Output;
use crate::{KernelBuilder, Symvers};

/// What stands at a path of a package.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    File { bytes: Vec<u8>, executable: bool },
    Directory,
    Link(PathBuf),
    HardLink(PathBuf),
    Ghost,
}

/// Describes an RPM package and builds it with the real rpmbuild: no compiler, no debuginfo, no dependency generators,
/// an uncompressed payload.
///
/// Built packages are kept in the cargo target directory by their content, so a test run builds each one once.
///
/// Paths may hold blanks, quotes, globs, `%`, backslashes and bytes that are not UTF-8. rpmbuild refuses a newline and
/// other control characters in a path ([`try_build`](Self::try_build) shows it).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackageBuilder {
    pub(crate) name: String,
    pub(crate) epoch: Option<u32>,
    pub(crate) version: String,
    pub(crate) release: String,
    pub(crate) arch: String,
    pub(crate) tags: Vec<(String, String)>,
    /// Phase, what follows it in the spec file's line, text.
    pub(crate) scriptlets: Vec<(String, String, String)>,
    pub(crate) entries: BTreeMap<PathBuf, Entry>,
    pub(crate) source: Source,
}

/// The name of the source package. The usual one leaves the keys of packages in the cache as they were before others
/// could be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source(pub String);

impl Source {
    const USUAL: &str = "testkit";
}

impl std::hash::Hash for Source {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        if self.0 != Self::USUAL {
            self.0.hash(hasher);
        }
    }
}

/// A built package.
#[derive(Debug, Clone)]
pub struct Package {
    pub(crate) name: String,
    pub(crate) nevra: String,
    pub(crate) path: PathBuf,
    /// Keeps the file where there is no cache to put it in.
    pub(crate) _place: Option<Arc<TempDir>>,
}

impl Package {
    /// The package's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name, version, release and machine, as `rpm -qa` prints them (no epoch).
    pub fn nevra(&self) -> &str {
        &self.nevra
    }

    /// Name, version and release, as weak-modules2 takes them.
    pub fn nvr(&self) -> &str {
        self.nevra.rsplit_once('.').expect("a machine at the end").0
    }

    /// The `.rpm` file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl PackageBuilder {
    /// An empty package for x86_64.
    pub fn new(name: &str, version: &str, release: &str) -> Self {
        Self {
            name: name.into(),
            epoch: None,
            version: version.into(),
            release: release.into(),
            arch: "x86_64".into(),
            tags: Vec::new(),
            scriptlets: Vec::new(),
            entries: BTreeMap::new(),
            source: Source(Source::USUAL.into()),
        }
    }

    /// A SUSE-style Kernel Module Package `BASE-kmp-FLAVOUR`, version `VERSION_kKVER`, release 1, with these modules
    /// (file name and bytes) in `/usr/lib/modules/KREL/updates`. Its version, without the flavour, is the kernel's.
    pub fn kmp<B: Into<Vec<u8>>>(
        base: &str,
        flavour: &str,
        version: &str,
        krel: &str,
        modules: impl IntoIterator<Item = (impl Into<PathBuf>, B)>,
    ) -> Self {
        let kver = krel.strip_suffix(&format!("-{flavour}")).unwrap_or(krel);
        let directory = PathBuf::from("usr/lib/modules").join(krel);
        let mut package = Self::new(
            &format!("{base}-kmp-{flavour}"),
            &format!("{version}_k{}", kver.replace('-', "_")),
            "1",
        )
        .provides(&format!("{base}-kmp = {version}"))
        .provides(&format!("{base}-kmp-{flavour}-k{}", kver.replace('-', "_")))
        .provides("multiversion(kernel)")
        .tag("Enhances", &format!("kernel-{flavour}"))
        .directory(&directory)
        .directory(directory.join("updates"));
        for (name, bytes) in modules {
            package = package.file(directory.join("updates").join(name.into()), bytes);
        }
        package
    }

    /// A Red Hat-style package `kmod-BASE`, release 1, with these modules in `/lib/modules/KREL/extra/BASE`.
    pub fn kmod<B: Into<Vec<u8>>>(
        base: &str,
        version: &str,
        krel: &str,
        modules: impl IntoIterator<Item = (impl Into<PathBuf>, B)>,
    ) -> Self {
        let directory = PathBuf::from("lib/modules").join(krel).join("extra").join(base);
        let mut package = Self::new(&format!("kmod-{base}"), version, "1").directory(&directory);
        for (name, bytes) in modules {
            package = package.file(directory.join(name.into()), bytes);
        }
        package
    }

    /// A SUSE-style package of a kernel: `kernel-FLAVOUR` with version, release and flavour from a release such as
    /// `6.4.0-1-default`. It provides no `ksym()`: see [`ksyms`](Self::ksyms).
    pub fn kernel(kernel: &KernelBuilder) -> Self {
        let krel = kernel.krel();
        let (rest, flavour) = krel.rsplit_once('-').unwrap_or((krel, "default"));
        let (version, release) = rest.split_once('-').unwrap_or((rest, "1"));
        let release = release.replace('-', "_");
        let mut package = Self::new(&format!("kernel-{flavour}"), version, &release)
            .provides(&format!("kernel = {version}-{release}"))
            .provides(&format!("kernel-uname-r = {krel}"))
            .provides("multiversion(kernel)")
            .directory(kernel.dir());
        for (path, bytes) in kernel.files() {
            package = package.file(path, bytes);
        }
        package
    }

    /// Provides `ksym(FLAVOUR:SYMBOL) = CRC` for all of a table, as SUSE's kernels do.
    pub fn ksyms(mut self, flavour: &str, symvers: &Symvers) -> Self {
        for entry in &symvers.entries {
            self = self.provides(&format!("ksym({flavour}:{}) = {:x}", entry.name, entry.crc));
        }
        self
    }

    /// Gives the package another name.
    pub fn renamed(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the name of the source package, `testkit` otherwise. Its version and release are 1.
    pub fn source(mut self, name: &str) -> Self {
        self.source = Source(name.into());
        self
    }

    /// Sets the epoch.
    pub fn epoch(mut self, epoch: u32) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Sets the release.
    pub fn release(mut self, release: &str) -> Self {
        self.release = release.into();
        self
    }

    /// Sets the machine, in rpm's spelling; `noarch` too.
    pub fn arch(mut self, arch: &str) -> Self {
        self.arch = arch.into();
        self
    }

    /// Provides this.
    pub fn provides(self, what: &str) -> Self {
        self.tag("Provides", what)
    }

    /// Requires this.
    pub fn requires(self, what: &str) -> Self {
        self.tag("Requires", what)
    }

    /// Adds a line to the package's preamble: `Supplements`, `Obsoletes`, `Requires(post)`, ...
    pub fn tag(mut self, tag: &str, value: &str) -> Self {
        self.tags.push((tag.into(), value.into()));
        self
    }

    /// Adds a shell scriptlet: `post`, `postun`, `posttrans`, ... The text is taken as it is; macros are not expanded.
    pub fn scriptlet(mut self, phase: &str, text: &str) -> Self {
        self.scriptlets.push((phase.into(), String::new(), text.into()));
        self
    }

    /// Adds a shell scriptlet that other packages' files below these directories trigger: `transfiletriggerin`,
    /// `filetriggerpostun`, ...
    pub fn file_trigger(mut self, phase: &str, directories: &[&str], text: &str) -> Self {
        self.scriptlets.push((phase.into(), format!(" -- {}", directories.join(" ")), text.into()));
        self
    }

    /// Adds a shell scriptlet that another package triggers: `triggerin`, `triggerun`, `triggerpostun`.
    pub fn trigger(self, phase: &str, package: &str, text: &str) -> Self {
        self.file_trigger(phase, &[package], text)
    }

    /// Adds a Lua scriptlet: rpm runs it itself, so it needs nothing in the root.
    pub fn lua_scriptlet(mut self, phase: &str, text: &str) -> Self {
        self.scriptlets.push((phase.into(), " -p <lua>".into(), text.into()));
        self
    }

    /// Adds a file. Paths are from the root, with or without a slash in front.
    pub fn file(self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> Self {
        self.entry(path.as_ref(), Entry::File { bytes: bytes.into(), executable: false })
    }

    /// Adds a file with mode 0755.
    pub fn program(self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> Self {
        self.entry(path.as_ref(), Entry::File { bytes: bytes.into(), executable: true })
    }

    /// Adds a directory that the package owns. The directories above files are otherwise nobody's.
    pub fn directory(self, path: impl AsRef<Path>) -> Self {
        self.entry(path.as_ref(), Entry::Directory)
    }

    /// Adds a symbolic link.
    pub fn symlink(self, path: impl AsRef<Path>, target: impl Into<PathBuf>) -> Self {
        self.entry(path.as_ref(), Entry::Link(target.into()))
    }

    /// Adds another name of a file that is added, too.
    pub fn hard_link(self, path: impl AsRef<Path>, file: impl AsRef<Path>) -> Self {
        let file = file.as_ref();
        self.entry(path.as_ref(), Entry::HardLink(file.strip_prefix("/").unwrap_or(file).to_owned()))
    }

    /// Adds a path that the package owns without bringing it (`%ghost`): erasing takes away what is there then.
    pub fn ghost(self, path: impl AsRef<Path>) -> Self {
        self.entry(path.as_ref(), Entry::Ghost)
    }

    fn entry(mut self, path: &Path, entry: Entry) -> Self {
        self.entries.insert(path.strip_prefix("/").unwrap_or(path).to_owned(), entry);
        self
    }

    /// Name, version, release and machine, as `rpm -qa` prints them (no epoch).
    pub fn nevra(&self) -> String {
        format!("{}-{}-{}.{}", self.name, self.version, self.release, self.arch)
    }

    /// Builds the package.
    ///
    /// # Panics
    /// When rpmbuild is missing or fails, with what it said.
    #[track_caller]
    pub fn build(&self) -> Package {
        self.try_build().unwrap_or_else(|output| panic!("{output}"))
    }

    /// Builds the package, or returns what rpmbuild said.
    ///
    /// # Errors
    /// When rpmbuild fails.
    pub fn try_build(&self) -> Result<Package, Output> {
        rpmbuild::build(self)
    }

    /// Builds many packages with as few calls of rpmbuild as their names and paths allow, in the same order.
    ///
    /// # Panics
    /// When rpmbuild is missing or fails, with what it said.
    #[track_caller]
    pub fn build_all(packages: &[Self]) -> Vec<Package> {
        rpmbuild::build_all(packages).unwrap_or_else(|output| panic!("{output}"))
    }
}
