//! `cargo xtask install --destdir DIR [--libdir /usr/lib64] [--debug]`: everything as an installed system has it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../../kmp-capi/link.rs"]
mod link;

const USAGE: &str = "usage: cargo xtask install --destdir DIR [--libdir /usr/lib64] [--debug]";

struct Tree {
    destdir: PathBuf,
    libdir: PathBuf,
}

impl Tree {
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

    fn command(&self, built: &Path) -> Result<(), String> {
        self.file(&built.join("kmp"), Path::new("/usr/bin/kmp"), 0o755)
    }

    fn library(&self, source: &Path, built: &Path) -> Result<(), String> {
        let capi = source.join("crates/kmp-capi");
        let version = env!("CARGO_PKG_VERSION");
        let made = built.join(link::SONAME);
        link::link(&capi, &built.join("libkmp_capi.a"), &made)?;
        // The soname's number is the C API's; the file's tells the release, too.
        let real = format!("{}.{version}", link::SONAME);
        self.file(&made, &self.libdir.join(&real), 0o755)?;
        self.link(&self.libdir.join(link::SONAME), &real)?;
        self.link(&self.libdir.join("libkmp.so"), link::SONAME)?;
        self.file(&capi.join("include/kmp.h"), Path::new("/usr/include/kmp.h"), 0o644)?;
        let template = capi.join("kmp.pc.in");
        let text = fs::read_to_string(&template).map_err(|e| format!("{}: {e}", template.display()))?;
        let text = text
            .replace("@prefix@", "/usr")
            .replace("@libdir@", &self.libdir.display().to_string())
            .replace("@includedir@", "/usr/include")
            .replace("@version@", version);
        self.write(&self.libdir.join("pkgconfig/kmp.pc"), text.as_bytes(), 0o644)
    }

    /// rpm's plugin, where its sources are there: the chore `plugin` builds it and prints where it is.
    fn plugin(&self, source: &Path, debug: bool) -> Result<(), String> {
        if !source.join("rpm-plugin").is_dir() {
            return Ok(());
        }
        let own = std::env::current_exe().map_err(|e| format!("xtask itself is not found: {e}"))?;
        let mut chore = Command::new(own);
        chore.arg("plugin").args(debug.then_some("--debug"));
        let output = chore.output().map_err(|e| format!("cargo xtask plugin cannot be run: {e}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let path = String::from_utf8_lossy(&output.stdout).trim().to_string();
        self.file(Path::new(&path), &self.libdir.join("rpm-plugins/kmp.so"), 0o755)
    }

    /// Macros and man pages, by their names.
    fn texts(&self, source: &Path) -> Result<(), String> {
        for dir in ["packaging", "packaging/man", "crates/kmp-capi/doc"] {
            let Ok(entries) = fs::read_dir(source.join(dir)) else { continue };
            for file in entries.flatten().map(|e| e.path()).filter(|p| p.is_file()) {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let section = name.rsplit_once('.').map(|(_, s)| s).filter(|s| s.len() == 1);
                if name == "zypp-commit-plugin" {
                    self.file(&file, Path::new("/usr/lib/zypp/plugins/commit/kmp"), 0o755)?;
                } else if name.starts_with("macros.") {
                    self.file(&file, &Path::new("/usr/lib/rpm/macros.d").join(&name), 0o644)?;
                } else if let Some(section) = section.filter(|s| ("1".."9").contains(s)) {
                    let man = Path::new("/usr/share/man").join(format!("man{section}"));
                    self.file(&file, &man.join(&name), 0o644)?;
                }
            }
        }
        Ok(())
    }
}

/// Builds, and lays everything out below `--destdir`.
pub fn run(args: &[String]) -> Result<(), String> {
    let mut tree = Tree { destdir: PathBuf::new(), libdir: "/usr/lib64".into() };
    let mut debug = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value =
            || args.next().map(PathBuf::from).ok_or_else(|| format!("{arg} needs a directory; {USAGE}"));
        match arg.as_str() {
            "--destdir" => tree.destdir = value()?,
            "--libdir" => tree.libdir = value()?,
            "--debug" => debug = true,
            other => return Err(format!("there is no option {other}; {USAGE}")),
        }
    }
    if tree.destdir.as_os_str().is_empty() || !tree.libdir.is_absolute() {
        return Err(USAGE.into());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(source).args(["build", "--quiet", "--package", "kmp-cli", "--package", "kmp-capi"]);
    cargo.args((!debug).then_some("--release"));
    let status = cargo.status().map_err(|e| format!("cargo cannot be run: {e}"))?;
    if !status.success() {
        return Err("the build failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source.join("target"), PathBuf::from);
    let built = target.join(if debug { "debug" } else { "release" });
    tree.command(&built)?;
    tree.library(source, &built)?;
    tree.plugin(source, debug)?;
    tree.texts(source)
}
