// SPDX-License-Identifier: LGPL-2.1-or-later
//! Builds a small kernel, and keeps of it what modules are built with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::archive::Source;
use super::variants::Variant;
use crate::install;
use crate::judge::fetch::{self, Fetched, Places};
use crate::judge::run::{self, Result};

/// A kernel that was built here.
#[derive(Clone, Debug)]
pub struct Small {
    pub variant: &'static Variant,
    /// Where everything of it is.
    pub places: Places,
    pub kernel: Fetched,
    /// Its `.config`.
    config: String,
}

/// How long one may take to build, on a machine that does other things.
const LIMIT: Duration = Duration::from_secs(3600);

/// After it, a directory has what modules are built with and no more. `$1`: the tree, `$2`: the root.
const KEEP: &str = r#"
set -eu
cd "$1"
release=$(cat include/config/kernel.release)
modules=$2/usr/lib/modules/$release
make -s modules_install INSTALL_MOD_PATH="$2" >/dev/null
rm -f "$modules/build" "$modules/source"
cp arch/x86/boot/bzImage "$modules/vmlinuz"
cp .config "$modules/config"
cp System.map "$modules/System.map"
cp Module.symvers "$modules/symvers"
strip --strip-debug vmlinux
rm -rf .tmp_* Documentation block crypto drivers fs init io_uring ipc kernel lib mm net rust samples security sound usr virt vmlinux.o vmlinux.a vmlinux.unstripped
find arch -mindepth 1 -maxdepth 1 ! -name x86 -exec rm -rf {} +
find . -type f \( -name '*.[coS]' -o -name '*.a' -o -name '.*.cmd' \) \
    ! -path './scripts/*' ! -path './tools/*' ! -path './include/*' -delete
printf %s "$release"
"#;

/// The kernel of a variant, built unless it is there: by this source, configuration, and way to build it.
///
/// # Errors
/// The source cannot be downloaded, or does not build.
pub fn build(variant: &'static Variant, source: &Source) -> Result<Small> {
    let top = install::target().join("judge").join(variant.name);
    let workspace = Places::find()?;
    let places = Places { root: top.join("root"), sources: workspace.sources, top };
    let tree = places.top.join("tree");
    let kept = variant.kept_symbols().unwrap_or_default();
    let stamp = format!("{}\n{}\n{FLAGS}\n{KEEP}{kept}", source.version, variant.fragment());
    let (mark, release_file) = (places.top.join("stamp"), places.top.join("release"));
    if fs::read_to_string(&mark).ok().as_deref() != Some(&stamp) {
        // An interrupted build is not gone on with: it can leave files that are not whole.
        run::fresh(&places.top)?;
        source.unpack(&tree)?;
        configure(variant, &tree)?;
        compile(variant, &tree)?;
        fs::create_dir_all(places.root.join("usr/lib"))?;
        std::os::unix::fs::symlink("usr/lib", places.root.join("lib"))?;
        let mut keep = Command::new("sh");
        let release = run::output(keep.args(["-c", KEEP, "sh"]).arg(&tree).arg(&places.root))?;
        run::output(
            Command::new("depmod").env("PATH", fetch::PATH).arg("-b").arg(&places.root).arg(&release),
        )?;
        fs::write(&release_file, release)?;
        fs::write(&mark, stamp)?;
    }
    let release = fs::read_to_string(&release_file)?;
    let modules = places.root.join("usr/lib/modules").join(&release);
    let kernel = Fetched {
        headers: tree,
        image: modules.join("vmlinuz"),
        plain: places.root.clone(),
        symvers: fetch::symvers(&modules.join("symvers"))?,
        modules: modules.clone(),
        release,
    };
    Ok(Small { variant, places, kernel, config: fs::read_to_string(modules.join("config"))? })
}

/// For the compiler: most of its time goes into reading headers, and less where macros are not followed for messages.
const FLAGS: &str = "KCFLAGS=-ftrack-macro-expansion=0";

fn configure(variant: &Variant, tree: &Path) -> Result<()> {
    let fragment = tree.join("fragment");
    fs::write(&fragment, variant.fragment())?;
    if let Some(kept) = variant.kept_symbols() {
        fs::write(tree.join("kept-symbols"), kept)?;
    }
    let mut configure = Command::new("make");
    configure.arg("-s").arg("-C").arg(tree).arg(format!("KCONFIG_ALLCONFIG={}", fragment.display()));
    run::output(configure.arg("allnoconfig"))?;
    let config = fs::read_to_string(tree.join(".config"))?;
    for option in variant.options {
        if !config.lines().any(|line| line == format!("CONFIG_{option}")) {
            return Err(format!("{}: CONFIG_{option} is not taken", variant.name).into());
        }
    }
    Ok(())
}

fn compile(variant: &Variant, tree: &Path) -> Result<()> {
    let log: PathBuf = tree.with_extension("log");
    let mut make = Command::new("make");
    make.args(["-s", "-j2", "-C"]).arg(tree).args([FLAGS, "bzImage", "modules"]);
    match run::within(LIMIT, &mut make, &log)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let end = lines[lines.len().saturating_sub(15)..].join("\n");
            Err(format!("building the kernel {}: {status}; see {}\n{end}", variant.name, log.display())
                .into())
        }
        None => Err(format!("the kernel {} was not built in {} s", variant.name, LIMIT.as_secs()).into()),
    }
}

impl Small {
    /// Is this option of its configuration `y`?
    pub fn has(&self, option: &str) -> bool {
        self.config.lines().any(|line| line.strip_prefix("CONFIG_") == Some(&format!("{option}=y")))
    }

    /// Its series: `(6, 1)`.
    pub fn series(&self) -> (u32, u32) {
        let mut numbers = self.kernel.release.split(['.', '-']).map(|n| n.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}
