// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask install --destdir DIR`: everything as an installed system has it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::project;
use crate::run::cargo_command;
use crate::{libdnf5, plugin};

#[path = "../../kmp-capi/link.rs"]
mod link;

/// What is installed as it is: from, to, and the mode. `*` stands for each file's name. A row whose files are not there
/// is an error. What ends in `-suse` or `-redhat` is installed for that dialect only.
#[rustfmt::skip]
const FILES: &[(&str, &str, u32)] = &[
    ("packaging/kmp.conf",               "/etc/kmp.conf",                     0o644),
    ("packaging/tmpfiles.d/kmp.conf",    "/usr/lib/tmpfiles.d/kmp.conf",      0o644),
    ("packaging/journal/kmp.catalog",    "/usr/lib/systemd/catalog/kmp.catalog", 0o644),
    ("packaging/depmod.d/DIALECT.conf",  "/usr/lib/depmod.d/kmp.conf",        0o644),
    ("packaging/macros.kmp",             "/usr/lib/rpm/macros.d/macros.kernel-kmp", 0o644),
    ("packaging/macros.kmp-suse",        "/usr/lib/rpm/macros.d/macros.kernel-kmp-suse", 0o644),
    ("packaging/fileattrs/*.attr",       "/usr/lib/rpm/fileattrs/*",          0o644),
    ("packaging/macros.transaction_kmp", "/usr/lib/rpm/macros.d/macros.transaction_kmp", 0o644),
    ("packaging/examples/*",             "DOCDIR/kmp-rpm-macros/examples/*",  0o644),
    ("packaging/distributor/*",          "DOCDIR/kmp-registry/*",             0o644),
    ("scriptlets/transfiletrigger",      "/usr/lib/module-init-tools/transfiletrigger", 0o755),
    ("scriptlets/initrd-functions",      "/usr/lib/module-init-tools/initrd-functions", 0o755),
    ("scriptlets/kernel-scriptlets/scriptlet", "/usr/lib/module-init-tools/kernel-scriptlets/scriptlet", 0o755),
    ("scriptlets/kernel-scriptlets/*.sh", "/usr/lib/module-init-tools/kernel-scriptlets/*", 0o644),
    ("packaging/zypp-commit-plugin",     "/usr/lib/zypp/plugins/commit/kmp",  0o755),
    ("packaging/zypp-urlresolver-plugin", "/usr/lib/zypp/plugins/urlresolver/kmp", 0o755),
    ("packaging/zypp-repository/kmp.repo-suse", "/etc/zypp/repos.d/kmp.repo", 0o644),
    ("packaging/zypp-repository/repodata/*.xml", "/usr/share/kmp/zypp-repository/repodata/*", 0o644),
    ("packaging/systemd/kmp-support.*",   "/usr/lib/systemd/system/*",         0o644),
    ("docs/schema/*.json",               "/usr/share/kmp/schema/*",           0o644),
    ("packaging/fleet/*", "/usr/share/kmp/fleet/*", 0o644),
    ("packaging/fleet/ansible/*", "/usr/share/kmp/fleet/ansible/*", 0o644),
    ("packaging/fleet/ansible/roles/kmp_facts/defaults/*", "/usr/share/kmp/fleet/ansible/roles/kmp_facts/defaults/*", 0o644),
    ("packaging/fleet/ansible/roles/kmp_facts/tasks/*", "/usr/share/kmp/fleet/ansible/roles/kmp_facts/tasks/*", 0o644),
    ("packaging/fleet/ansible/roles/kmp_facts/templates/*", "/usr/share/kmp/fleet/ansible/roles/kmp_facts/templates/*", 0o644),
    ("packaging/fleet/katello/*", "/usr/share/kmp/fleet/katello/*", 0o644),
    ("packaging/fleet/salt/_grains/*", "/usr/share/kmp/fleet/salt/_grains/*", 0o644),
    ("packaging/fleet/salt/_modules/*", "/usr/share/kmp/fleet/salt/_modules/*", 0o644),
    ("packaging/fleet/salt/_states/*", "/usr/share/kmp/fleet/salt/_states/*", 0o644),
    ("packaging/fleet/salt/kmp/*", "/usr/share/kmp/fleet/salt/kmp/*", 0o644),
    ("packaging/fleet/uyuni/*", "/usr/share/kmp/fleet/uyuni/*", 0o644),
    ("packaging/systemd/kmp-update.*",    "/usr/lib/systemd/system/*",         0o644),
    ("packaging/systemd/90-kmp.preset",  "/usr/lib/systemd/system-preset/90-kmp.preset", 0o644),
    ("packaging/kernel-install/*",       "/usr/lib/kernel/install.d/*",       0o755),
    ("packaging/man/*.5",                "/usr/share/man/man5/*",             0o644),
    ("packaging/man/*.7",                "/usr/share/man/man7/*",             0o644),
    ("packaging/man/*.8",                "/usr/share/man/man8/*",             0o644),
    ("crates/kmp-capi/doc/*.3",          "/usr/share/man/man3/*",             0o644),
    ("crates/kmp-capi/include/kmp.h",    "/usr/include/kmp.h",                0o644),
    ("crates/kmp-capi/python/kmp/*.py",  "PYTHONDIR/kmp/*",                   0o644),
];

/// The same for Red Hat's conventions alone: what dnf reads.
#[rustfmt::skip]
const OF_DNF: &[(&str, &str, u32)] = &[
    ("packaging/dnf/kmp.py",             "PYTHONDIR/dnf-plugins/kmp.py",      0o644),
];

/// The names besides `kmp` that the command goes by.
#[rustfmt::skip]
const LINKS: &[(&str, &str)] = &[
    ("/usr/sbin/kernel-update-tool",                "../bin/kmp"),
    ("/usr/sbin/weak-modules2",                     "../bin/kmp"),
    ("/usr/lib/module-init-tools/weak-modules2",    "../../bin/kmp"),
    ("/usr/lib/module-init-tools/regenerate-initrd-posttrans", "../../bin/kmp"),
    ("/usr/lib/kmp/regenerate-initrd-posttrans",    "../../bin/kmp"),
    ("/usr/lib/module-init-tools/dracut-posttrans", "initrd-functions"),
    ("/usr/lib/module-init-tools/mkosi-initrd-posttrans", "initrd-functions"),
    ("/usr/sbin/weak-modules",                      "../bin/kmp"),
];

/// Whose scriptlets there are, and of which phases; one script does all.
const SCRIPTLETS: (&[&str], &[&str]) =
    (&["rpm", "kmp", "inkmp", "cert"], &["pre", "post", "preun", "postun", "posttrans"]);

/// What is empty at first; those in `/run` are made at boot, the cache and the history when they are needed.
const DIRECTORIES: &[&str] = &[
    "/etc/kmp",
    "/etc/kmp/sources",
    "/etc/kmp.conf.d",
    "/run/kmp",
    "/run/regenerate-initrd",
    "/usr/share/kmp/catalogue",
    "/usr/share/kmp/sources",
    "/var/cache/kmp",
    "/var/log/kmp",
];

/// A shell, and where it looks for the completions of a command.
const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "/usr/share/bash-completion/completions/NAME"),
    ("zsh", "/usr/share/zsh/site-functions/_NAME"),
    ("fish", "/usr/share/fish/vendor_completions.d/NAME.fish"),
];

/// zsh loads a file of its path when it has to complete for the first time.
const ZSH_FIRST: &str = "
# Loaded by the first completion, which has to be answered, too.
if [[ $funcstack[1] == _NAME ]]; then
    _clap_dynamic_completer_FUNCTION \"$@\"
fi
";

/// The commands that complete.
const COMMANDS: &[&str] = &["kmp", "weak-modules2", "weak-modules"];

/// What is built, always in one call: asked for one by one, crates are built anew for each with the features it wants.
pub const PACKAGES: &[&str] = &["--package", "kmp-cli", "--package", "kmp-capi", "--package", "xtask"];

/// Build, and lay out everything below a directory as an installed system has it.
#[derive(clap::Args)]
pub struct Tree {
    /// What stands for the root of the file system.
    #[arg(long, value_name = "DIR")]
    destdir: PathBuf,
    /// Where libraries go.
    #[arg(long, value_name = "DIR", default_value = "/usr/lib64", value_parser = absolute)]
    libdir: PathBuf,
    /// Where commands for administrators go; merged systems have them in /usr/bin.
    #[arg(long, value_name = "DIR", default_value = "/usr/sbin", value_parser = absolute)]
    sbindir: PathBuf,
    /// Where rpm looks for plugins [default: rpm-plugins in --libdir].
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    plugindir: Option<PathBuf>,
    /// Where documentation goes.
    #[arg(long, value_name = "DIR", default_value = "/usr/share/doc", value_parser = absolute)]
    docdir: PathBuf,
    /// Where Python looks for modules of packages.
    #[arg(long, value_name = "DIR", default_value = "/usr/lib/python3/site-packages", value_parser = absolute)]
    pythondir: PathBuf,
    /// Whose conventions hold.
    #[arg(long, default_value = "suse", value_parser = ["suse", "redhat"])]
    dialect: String,
    /// Build the plugin of libdnf5 as well, in C++.
    #[arg(long)]
    libdnf5: bool,
    /// Unoptimised.
    #[arg(long)]
    debug: bool,
    /// Take what cargo has built already, instead of calling it.
    #[arg(long)]
    no_build: bool,
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    path.is_absolute().then_some(path).ok_or_else(|| "not an absolute path".into())
}

pub fn run(tree: &Tree) -> Result<(), String> {
    let mut cargo = cargo_command(&[], &[&["build", "--quiet"], PACKAGES].concat());
    cargo.args((!tree.debug).then_some("--release"));
    let archive = plugin::Archive::lock()?;
    if !tree.no_build {
        let status = cargo.status().map_err(|e| format!("cargo cannot be run: {e}"))?;
        if !status.success() {
            return Err("the build failed".into());
        }
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), PathBuf::from);
    let built = target.join(if tree.debug { "debug" } else { "release" });
    tree.file(&built.join("kmp"), Path::new("/usr/bin/kmp"), 0o755)?;
    tree.library(&built)?;
    drop(archive);
    tree.plugin()?;
    tree.completions(&built.join("kmp"))?;
    if tree.libdnf5 {
        tree.file(&libdnf5::build(&built)?, &tree.libdir.join("libdnf5/plugins/kmp.so"), 0o755)?;
        let conf = Path::new("/etc/dnf/libdnf5-plugins/kmp.conf");
        tree.file(&project().join("packaging/dnf/libdnf5.conf"), conf, 0o644)?;
    }
    let of_another = |from: &str| match from.rsplit_once('-') {
        Some((_, dialect @ ("suse" | "redhat"))) => dialect != tree.dialect,
        _ => false,
    };
    let of_dnf = OF_DNF.iter().filter(|_| tree.dialect == "redhat");
    for (from, to, mode) in FILES.iter().chain(of_dnf).filter(|(from, ..)| !of_another(from)) {
        tree.files(from, to, *mode)?;
    }
    for (link, target) in LINKS {
        tree.link(&tree.in_sbin(link), target)?;
    }
    let (whose, phases) = SCRIPTLETS;
    for (whose, phase) in whose.iter().flat_map(|w| phases.iter().map(move |p| (w, p))) {
        let link = format!("/usr/lib/module-init-tools/kernel-scriptlets/{whose}-{phase}");
        tree.link(Path::new(&link), "scriptlet")?;
    }
    for directory in DIRECTORIES {
        tree.place(&Path::new(directory).join("x"))?;
    }
    Ok(())
}

impl Tree {
    /// The files of a row of [`FILES`].
    fn files(&self, from: &str, to: &str, mode: u32) -> Result<(), String> {
        let from = project().join(from.replace("DIALECT", &self.dialect));
        let to = to.replace("DOCDIR", &self.docdir.display().to_string());
        let to = to.replace("PYTHONDIR", &self.pythondir.display().to_string());
        let pattern = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((start, end)) = pattern.split_once('*') else {
            return self.file(&from, Path::new(&to), mode);
        };
        let directory = from.parent().unwrap_or(Path::new("/"));
        let mut any = false;
        for entry in fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let fits =
                name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end);
            if fits && entry.path().is_file() {
                self.file(&entry.path(), Path::new(&to.replace('*', &name)), mode)?;
                any = true;
            }
        }
        any.then_some(()).ok_or_else(|| format!("no file is named {}", from.display()))
    }

    /// Copies a file to an absolute path of the installed system.
    fn file(&self, from: &Path, to: &Path, mode: u32) -> Result<(), String> {
        let bytes = fs::read(from).map_err(|e| format!("{}: {e}", from.display()))?;
        self.write(to, &bytes, mode)
    }

    fn write(&self, to: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
        let to = self.place(to)?;
        let wrong = |e| format!("{}: {e}", to.display());
        // What is there may be in use, or a link to somewhere else.
        let _ = fs::remove_file(&to);
        fs::write(&to, bytes).map_err(wrong)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).map_err(wrong)
    }

    fn link(&self, to: &Path, target: &str) -> Result<(), String> {
        let to = self.place(to)?;
        let _ = fs::remove_file(&to);
        symlink(target, &to).map_err(|e| format!("{}: {e}", to.display()))
    }

    fn place(&self, to: &Path) -> Result<PathBuf, String> {
        let to = self.destdir.join(to.strip_prefix("/").unwrap_or(to));
        let parent = to.parent().unwrap_or(&self.destdir);
        fs::create_dir_all(parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        Ok(to)
    }

    fn library(&self, built: &Path) -> Result<(), String> {
        let capi = project().join("crates/kmp-capi");
        let version = env!("CARGO_PKG_VERSION");
        let made = built.join(link::SONAME);
        link::link(&capi, &built.join("libkmp_capi.a"), &made)?;
        // The soname's number is the C API's; the file's tells the release, too.
        let real = format!("{}.{version}", link::SONAME);
        self.file(&made, &self.libdir.join(&real), 0o755)?;
        self.link(&self.libdir.join(link::SONAME), &real)?;
        self.link(&self.libdir.join("libkmp.so"), link::SONAME)?;
        let template = capi.join("kmp.pc.in");
        let text = fs::read_to_string(&template).map_err(|e| format!("{}: {e}", template.display()))?;
        let text = text
            .replace("@prefix@", "/usr")
            .replace("@libdir@", &self.libdir.display().to_string())
            .replace("@includedir@", "/usr/include")
            .replace("@version@", version);
        self.write(&self.libdir.join("pkgconfig/kmp.pc"), text.as_bytes(), 0o644)
    }

    fn plugin(&self) -> Result<(), String> {
        let profile = if self.debug { "debug" } else { "release" };
        let built = match self.no_build {
            true => plugin::link_built(profile)?,
            false => plugin::build(plugin::Kind::Plain, profile)?,
        };
        let place = self.plugindir.clone().unwrap_or_else(|| self.libdir.join("rpm-plugins"));
        self.file(&built, &place.join("kmp.so"), 0o755)
    }

    /// A path, with this system's directory for /usr/sbin.
    fn in_sbin(&self, path: &str) -> PathBuf {
        match Path::new(path).strip_prefix("/usr/sbin") {
            Ok(name) => self.sbindir.join(name),
            Err(_) => path.into(),
        }
    }

    /// The command itself tells what a shell reads for it.
    fn completions(&self, command: &Path) -> Result<(), String> {
        for (name, (shell, place)) in COMMANDS.iter().flat_map(|n| COMPLETIONS.iter().map(move |c| (n, c))) {
            let mut text = call(Command::new(command).arg0(name).env("KMP_COMPLETE", shell))?;
            if *shell == "zsh" {
                text.push_str(&ZSH_FIRST.replace("NAME", name).replace("FUNCTION", &name.replace('-', "_")));
            }
            self.write(Path::new(&place.replace("NAME", name)), text.as_bytes(), 0o644)?;
        }
        Ok(())
    }
}

/// What a program prints.
fn call(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|e| format!("{name} cannot be run: {e}"))?;
    match output.status.success() {
        true => String::from_utf8(output.stdout).map_err(|e| format!("{name}: {e}")),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
