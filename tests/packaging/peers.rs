// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp deps` beside the distributions' own generators, where the environment names them:
//! `KMP_PEER_SUSE_SCRIPTS` is a directory with SUSE's `find-provides.ksyms`, `find-requires.ksyms`,
//! `find-supplements.ksyms`, `symset-table` and the kernel's `ksym-provides`; `KMP_PEER_REDHAT_SCRIPTS` one
//! with Red Hat's `find-provides.ksyms`, `find-requires.ksyms`, `modalias.prov`, `kabi.sh` and `kmod.attr`;
//! `KMP_PEER_MODULES` one with real modules, to be compared beside made up ones. They need gawk, and root
//! (in a namespace): `cargo test -p kmp-cli --test packaging -- --ignored peers`. `deps.rs` has what was
//! written down.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Output, run};

use crate::corpus::{Corpus, on_list};

/// The originals look for their parts at fixed places, take `sh` for bash and `awk` for gawk.
const PLACES: &str = r#"set -e
mount --bind "$PLACES/rpm" /usr/lib/rpm
mount --bind "$PLACES/src" /usr/src
mount --bind "$PLACES/boot" /boot
mount --bind "$(command -v bash)" "$(readlink -f /bin/sh)"
PATH=$PLACES/bin:$PATH exec "$@""#;

struct Peers {
    scripts: PathBuf,
    corpus: Corpus,
}

impl Peers {
    fn named(variable: &str) -> Self {
        let scripts = PathBuf::from(std::env::var_os(variable).expect(variable));
        let corpus = Corpus::new();
        let places = corpus.path("places");
        let kernels = places.join("src/kernels").join(crate::corpus::K);
        for dir in [&kernels, &places.join("bin"), &places.join("boot")] {
            std::fs::create_dir_all(dir).unwrap();
        }
        run(Command::new("cp").arg("-r").arg("/usr/lib/rpm").arg(places.join("rpm"))).expect_success();
        if let Ok(table) = std::fs::read(scripts.join("symset-table")) {
            std::fs::write(places.join("rpm/symset-table"), table).unwrap();
            run(Command::new("chmod").arg("755").arg(places.join("rpm/symset-table"))).expect_success();
        }
        let sets = "symsets-6.4.0-1-default.tar.gz";
        std::fs::copy(corpus.path("boot").join(sets), places.join("boot").join(sets)).unwrap();
        std::fs::copy(corpus.path("Module.symvers"), kernels.join("Module.symvers")).unwrap();
        let gawk = run(Command::new("sh").args(["-c", "command -v gawk"])).expect_success();
        std::os::unix::fs::symlink(gawk.stdout.trim(), places.join("bin/awk")).unwrap();
        Self { scripts, corpus }
    }

    /// What an original prints for a list of files.
    fn prints(&self, script: &str, list: &[PathBuf]) -> String {
        let mut command = Command::new("unshare");
        command.args(["-m", "bash", "-c", PLACES, "bash"]).arg(self.scripts.join(script));
        command.env("PLACES", self.corpus.path("places"));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.env("RPM_BUILD_ROOT", self.corpus.top());
        on_list(command, list).expect_success().stdout
    }

    fn ours(&self, args: &[&str], list: &[PathBuf]) -> Output {
        self.corpus.deps(args, list).expect_success()
    }

    /// Real modules, as if the package had them in `updates/`.
    fn real(&self) -> Vec<PathBuf> {
        let Some(dir) = std::env::var_os("KMP_PEER_MODULES") else { return Vec::new() };
        let found = run(Command::new("find")
            .arg(dir)
            .args(["-name", "*.ko", "-o", "-name", "*.ko.xz", "-o", "-name", "*.ko.zst"]));
        let mut files: Vec<PathBuf> = found.expect_success().lines().into_iter().map(PathBuf::from).collect();
        files.sort();
        let step = files.len().div_ceil(100).max(1);
        let files = files.into_iter().step_by(step);
        files
            .map(|file| {
                let release = testkit::modinfo(&file, "vermagic");
                let release = release.split(' ').next().unwrap().to_owned();
                let dir = self.corpus.path("usr/lib/modules").join(release).join("updates");
                std::fs::create_dir_all(&dir).unwrap();
                let link = dir.join(file.file_name().unwrap());
                std::os::unix::fs::symlink(&file, &link).unwrap();
                link
            })
            .collect()
    }

    /// The kernel's tool for SUSE's Provides, at the place of each kernel's build directory.
    fn ksym_provides(&self) {
        for kernel in std::fs::read_dir(self.corpus.path("usr/lib/modules")).unwrap() {
            let dir = kernel.unwrap().path().join("build/scripts/mod");
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::copy(self.scripts.join("ksym-provides"), dir.join("ksym-provides")).unwrap();
        }
    }
}

#[track_caller]
fn same(ours: &str, theirs: &str, what: &str) {
    assert!(!theirs.is_empty(), "{what}: the original prints nothing");
    let first = ours.lines().zip(theirs.lines()).find(|(a, b)| a != b);
    assert!(
        ours == theirs,
        "{what}: {} lines, the original has {}; the first that differ: {first:?}",
        ours.lines().count(),
        theirs.lines().count()
    );
    println!("{what}: {} lines, the same bytes", theirs.lines().count());
}

#[test]
#[ignore = "needs SUSE's generators, in the directory KMP_PEER_SUSE_SCRIPTS"]
fn as_suse_s_generators() {
    let peers = Peers::named("KMP_PEER_SUSE_SCRIPTS");
    let real = peers.real();
    peers.ksym_provides();
    let package = peers.corpus.package();
    let kernel = peers.corpus.kernel();
    for (list, name) in [(&package, "made up"), (&real, "real"), (&kernel, "kernel")] {
        if list.is_empty() {
            continue;
        }
        let what = |w: &str| format!("{w} of {} {name} files", list.len());
        let ours = |w: &str| peers.ours(&[w, "--dialect", "suse"], list).stdout;
        same(&ours("--provides"), &peers.prints("find-provides.ksyms", list), &what("Provides"));
        same(&ours("--requires"), &peers.prints("find-requires.ksyms", list), &what("Requires"));
        if name != "kernel" {
            // Each special character is a process to the original.
            let some: Vec<PathBuf> = list.iter().take(40).cloned().collect();
            let ours = peers.ours(&["--supplements", "--dialect", "suse"], &some).stdout;
            same(&ours, &peers.prints("find-supplements.ksyms", &some), "Supplements of up to 40 of them");
        }
    }
    same(&peers.ours(&["--symsets"], &[]).stdout, &peers.prints("symset-table", &[]), "table of symbol sets");
}

#[test]
#[ignore = "needs Red Hat's generators, in the directory KMP_PEER_REDHAT_SCRIPTS"]
fn as_red_hat_s_generators() {
    let peers = Peers::named("KMP_PEER_REDHAT_SCRIPTS");
    for (list, name) in
        [(peers.corpus.package(), "made up"), (peers.real(), "real"), (peers.corpus.kernel(), "kernel")]
    {
        if list.is_empty() {
            continue;
        }
        let (one, two): (Vec<PathBuf>, Vec<PathBuf>) =
            list.into_iter().partition(|file| !exports_by_both(file));
        let mut theirs = peers.prints("kabi.sh", &one);
        theirs.push_str(&kmod_attr(&peers, &one));
        theirs.push_str(&peers.prints("modalias.prov", &one));
        theirs.push_str(&peers.prints("find-provides.ksyms", &one));
        let ours = peers.ours(&["--provides", "--dialect", "redhat"], &one).stdout;
        same(&ours, &theirs, &format!("Provides of {} {name} files", one.len()));
        let requires = peers.ours(&["--requires", "--dialect", "redhat"], &one).stdout;
        let theirs = peers.prints("find-requires.ksyms", &one);
        same(&requires, &theirs, &format!("Requires of {} {name} files", one.len()));
        // Here the original prints each symbol once with the CRC of either table: ours is among them.
        for file in &two {
            let theirs = peers.prints("find-provides.ksyms", std::slice::from_ref(file));
            let ours = peers.ours(&["--provides", "--dialect", "redhat"], std::slice::from_ref(file)).stdout;
            let symbols = ours.lines().filter(|l| l.starts_with("ksym") || l.starts_with("kernel"));
            assert!(symbols.clone().count() < theirs.lines().count(), "{}", file.display());
            for line in symbols {
                assert!(theirs.lines().any(|l| l == line), "{}: {line}", file.display());
            }
        }
        println!("{} {name} files export by both tables: right where the original is wrong", two.len());
    }
}

/// Has the module CRCs in two tables? The original then takes each for all symbols.
fn exports_by_both(file: &Path) -> bool {
    let script = r#"case $1 in *.xz) xz -cd "$1";; *.zst) zstd -cd "$1";; *.gz) gzip -cd "$1";; *) cat "$1";; esac >"$2"
        readelf -SW "$2" 2>/dev/null | grep -cE ' __kcrctab(_gpl)? ' || :"#;
    let inflated = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(file).arg(inflated.path());
    let tables = run(&mut command).expect_success().stdout.trim().parse::<u32>().unwrap();
    let absolute = run(Command::new("nm").arg(inflated.path())).stdout.contains(" A __crc_");
    tables > 1 && !absolute
}

/// The generator is a macro of rpm's, called for each file.
fn kmod_attr(peers: &Peers, list: &[PathBuf]) -> String {
    let matters = |file: &&PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.contains(".ko") || name == "modules.builtin"
    };
    let mut rpm = Command::new("rpm");
    rpm.arg("--load").arg(peers.scripts.join("kmod.attr"));
    for file in list.iter().filter(matters) {
        rpm.arg("--eval").arg(format!("%{{__kmod_provides {}}}", file.display()));
    }
    let output = run(&mut rpm).expect_success().stdout;
    output.split_whitespace().map(|dependency| format!("{dependency}\n")).collect()
}
