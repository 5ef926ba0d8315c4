// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp deps` beside what it takes the place of: the distribution's generators where the environment names
//! them (`KMP_PEER_SUSE_SCRIPTS`, `KMP_PEER_REDHAT_SCRIPTS`), and the programs that any such script has to
//! start for each module.

use std::path::{Path, PathBuf};

use super::measure::{Run, measured};
use super::roots::BenchRoot;
use super::{Row, Spread, expect};

/// How many times as fast as the others it has to be. Both inflate, and that is most of what ours does.
const BOUND: f64 = 5.0;

/// What a shell cannot do without: inflate, and ask for vermagic, versions and exports.
const SHELL: &str = r#"tmp=$(mktemp --suffix .ko); while read -r f; do
    case $f in *.xz) xz -cd "$f" >"$tmp";; *.zst) zstd -cdq "$f" >"$tmp";; *.gz) gzip -cd "$f" >"$tmp";; *) cp "$f" "$tmp";; esac
    modinfo -F vermagic "$tmp"; modprobe --dump-modversions "$tmp"; nm "$tmp"
done <"$1"; rm -f "$tmp""#;

pub fn run(
    base: &Path,
    kmp: &Path,
    root: &BenchRoot,
    rounds: usize,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    let is_module = |f: &PathBuf| f.to_string_lossy().contains(".ko");
    let modules: Vec<PathBuf> = root.files().into_iter().filter(is_module).collect();
    // Builds of modinfo without zlib cannot read these, and the generators rely on it.
    let without_gzip: Vec<&PathBuf> =
        modules.iter().filter(|f| f.extension().is_none_or(|e| e != "gz")).collect();
    let list = |name: &str, files: &[&PathBuf]| -> Result<PathBuf, String> {
        let path = base.join(name);
        let text: String = files.iter().map(|f| format!("{}\n", f.display())).collect();
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    };
    let all = list("modules", &modules.iter().collect::<Vec<_>>())?;
    let readable = list("modules-without-gzip", &without_gzip)?;

    let ours = r#""$1" deps --provides --dialect "$2" <"$3"; "$1" deps --requires --dialect "$2" <"$3""#;
    let sh = |script: &str, words: &[&Path]| {
        let mut command = root.command("bash");
        command.args(["-c", script, "bash"]).args(words);
        command
    };
    let mut compare = |what: String, dialect: &str, list: &Path, theirs: &std::process::Command| {
        let ours = sh(ours, &[kmp, Path::new(dialect), list]);
        let mut pairs: Vec<(Run, Run)> = Vec::new();
        for round in 0..=rounds {
            let pair = (measured(&ours)?, measured(theirs)?);
            expect(&pair.0, &[0], "kmp deps")?;
            if round > 0 {
                pairs.push(pair);
            }
        }
        let ratio = Spread::of(pairs.iter().map(|(ours, theirs)| theirs.wall / ours.wall));
        let (ours, theirs) = (
            Spread::of(pairs.iter().map(|(ours, _)| ours.wall)),
            Spread::of(pairs.iter().map(|(_, theirs)| theirs.wall)),
        );
        rows.push(Row {
            what,
            bound: format!("at least {BOUND}"),
            measured: format!("{}: {} s / {} s", ratio.show(1), theirs.show(2), ours.show(3)),
            good: ratio.median >= BOUND,
        });
        Ok::<(), String>(())
    };

    let shell = sh(SHELL, &[&all]);
    let count = modules.len();
    compare(
        format!(
            "modinfo, modprobe and nm for each of {count} modules: time / `kmp deps` (Provides and Requires)"
        ),
        "suse",
        &all,
        &shell,
    )?;
    for (variable, dialect) in [("KMP_PEER_SUSE_SCRIPTS", "suse"), ("KMP_PEER_REDHAT_SCRIPTS", "redhat")] {
        let Some(scripts) = std::env::var_os(variable).map(PathBuf::from) else { continue };
        let both =
            r#""$1"/find-provides.ksyms <"$2" 2>/dev/null; "$1"/find-requires.ksyms <"$2" 2>/dev/null; :"#;
        let theirs = sh(both, &[&scripts, &readable]);
        let what =
            format!("the generators ({dialect}) for {} modules: time / `kmp deps`", without_gzip.len());
        compare(what, dialect, &readable, &theirs)?;
    }
    Ok(())
}
