// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask fresh RELEASE`: README's two commands on a machine that has nothing but Rust, a C compiler and git.

use testkit::packages::Use;

use super::chroot::GIT;
use super::root::{Root, Seen};
use crate::run::finish;
use crate::{install, run};

/// The releases on which README's commands are to pass.
const RELEASES: [&str; 3] = ["bookworm", "trixie", "testing"];

/// What the machine has: README asks for a C compiler, and git makes the clone.
const PACKAGES: &[&str] = &["gcc", "libc6-dev", "git", "ca-certificates"];

/// Where root has the clone, and an ordinary user: below homes that nobody else can enter.
const CLONE: &str = "/root/src/kmp";
const USERS_CLONE: &str = "/home/kmp/src/kmp";

/// Clones what `$1` has as its last commit to `$2`, or brings a clone of it up to date.
const GET: &str = r#"
    # A run as an ordinary user leaves it open.
    chmod 700 /root
    if [ -d "$2" ]; then
        git -C "$2" fetch -q "$1" HEAD
        git -C "$2" reset -q --hard FETCH_HEAD
    else
        git clone -q --no-local "$1" "$2"
    fi
    git -C "$2" log -1 --format="clean clone of %h: %s"
"#;

/// The two commands, in the directory `$1`, the second with the other words; in a shell that ends at the first failure.
const BOTH: &str = r#"
    cd "$1"; shift
    cargo xtask demo
    cargo xtask test "$@"
"#;

/// An ordinary user.
const USER: &str = r#"
    id kmp >/dev/null 2>&1 || useradd --create-home --shell /bin/sh kmp
    chmod 700 /home/kmp
"#;

/// The same two commands as that user, whose clone is at `$2`.
const AS_USER: &str = r#"
    chown -R kmp: /home/kmp
    # For the toolchain.
    chmod a+x /root
    both=$1
    shift
    exec runuser -u kmp -- env HOME=/home/kmp sh -ec "$both" sh "$@"
"#;

/// Run README's two commands on a clean clone of the last commit, on a machine with nothing but Rust, a C compiler and git.
///
/// The machine is a root made by debootstrap, below target/fresh. What the two commands need they install themselves. A second
/// run goes on with the root that is there, and brings its clone up to date.
#[derive(clap::Args)]
pub struct Arguments {
    /// The release.
    #[arg(value_parser = RELEASES)]
    release: String,
    /// Words for `cargo xtask test`: steps, parts of tests' names, options after `--`.
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// As an ordinary user who cannot become root: what the commands need is there from a run before.
    #[arg(long)]
    user: bool,
    /// Start from nothing: remove the root that is there.
    #[arg(long)]
    anew: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    let release = &arguments.release;
    install::ensure(&[Use::Releases])?;
    let sudo = install::sudo().ok_or("debootstrap needs the rights of root, and sudo does not work")?;
    let root = Root::new(install::target().join("fresh").join(release), sudo);
    let unfinished = root.at(root.directory.with_extension("unfinished"));
    if arguments.anew {
        root.remove()?;
    }
    if !root.directory.exists() {
        unfinished.remove()?;
        finish("mkdir", root.command("mkdir").arg("-p").arg(&unfinished.directory))?;
        unfinished.debootstrap(release, PACKAGES)?;
        finish("mv", root.command("mv").arg(&unfinished.directory).arg(&root.directory))?;
    }
    let project = install::project();
    let git = project.join(run::output("git", &["rev-parse", "--git-common-dir"])?.trim());
    let variables = GIT.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let mut clone = root.enter(&Seen { places: vec![("ro", git), ("ro", project.clone())], variables });
    let (place, make_user) = if arguments.user { (USERS_CLONE, USER) } else { (CLONE, "") };
    let get = format!("{make_user}{GET}");
    finish("git", clone.args(["sh", "-ec", &get, "sh"]).arg(&project).arg(place))?;
    // Those of all systems, as `cargo vendor` asks for them: what is bound in cannot be added to.
    for directory in [project.clone(), project.join("fuzz")] {
        let mut cargo = run::cargo_command(&[], &["fetch", "--locked", "--quiet"]);
        finish("cargo fetch", cargo.current_dir(directory))?;
    }
    let mut seen = Seen::toolchain()?;
    seen.variables.retain(|(name, _)| is_general(name));
    let mut both = root.enter(&seen);
    match arguments.user {
        false => both.args(["sh", "-ec", BOTH, "sh", place]),
        true => both.args(["sh", "-ec", AS_USER, "sh", BOTH, place]),
    };
    finish(&format!("README's commands on {release}"), both.args(&arguments.words))
}

/// A setting of the toolchain's that is none of this machine's linker, nor directories.
fn is_general(name: &str) -> bool {
    let settings =
        ["PATH", "CARGO_HOME", "RUSTUP_", "CARGO_PROFILE_", "CARGO_TERM_", "CARGO_NET_", "CARGO_HTTP_"];
    settings.iter().any(|start| name.starts_with(start))
}
