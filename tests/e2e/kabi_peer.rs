// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi diff` beside SUSE's `ksymvers compare` (suse-kabi-tools): `KMP_PEER_KSYMVERS` names that program. `KMP_SLE16` names the
//! directory with the input of its own test of SLE 16.0 (`tests/sl/sl_16_0/input`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Noise, TestRoot};

use crate::support::*;

/// The symbols with changes that are not tolerated, of those that the peer looks at: neither namespaces nor moves.
fn ours(root: &TestRoot, old: &str, new: &str, rules: Option<&str>) -> Vec<String> {
    let rules: Vec<&str> = rules.into_iter().flat_map(|file| ["--rules", file]).collect();
    let found = json(root, &[&["kabi", "diff", "--no-why"][..], &rules, &[old, new]].concat());
    let changes = found["changes"].as_array().unwrap().iter();
    let counts = |what: &serde_json::Value| ["lost", "crc", "licence-imposed"].iter().any(|w| what == w);
    let is_break = |change: &&serde_json::Value| {
        change["breaks"] == true && change["what"].as_array().unwrap().iter().any(counts)
    };
    let mut symbols: Vec<String> =
        changes.filter(is_break).map(|change| change["symbol"].as_str().unwrap().into()).collect();
    symbols.sort();
    symbols
}

fn peers(peer: &Path, old: &str, new: &str, rules: Option<&str>) -> Vec<String> {
    let mut command = Command::new(peer);
    command.arg("compare").args(rules.map(|file| format!("--rules={file}"))).arg("--format=symbols");
    let output = command.args([old, new]).output().unwrap();
    let mut symbols: Vec<String> =
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(Into::into).collect();
    symbols.sort();
    assert_eq!(output.status.code(), Some(i32::from(!symbols.is_empty())), "{:?}", output.stderr);
    symbols
}

fn pick<'t>(noise: &mut Noise, of: &[&'t str]) -> &'t str {
    of[noise.below(of.len())]
}

#[test]
fn random_lists_and_rules_have_the_peers_verdicts() {
    let Some(peer) = std::env::var_os("KMP_PEER_KSYMVERS").map(PathBuf::from) else {
        return testkit::skip("KMP_PEER_KSYMVERS names no ksymvers of suse-kabi-tools");
    };
    const PATTERNS: &[&str] = &[
        "vmlinux",
        "arch/x86/kvm/*",
        "drivers/*",
        "*/snd",
        "CXL",
        "DMA_*",
        "*",
        "?*",
        "kvm_*",
        "cam_?",
        "new*",
        "x.y+*",
        "lower",
        "drivers/a?b/c?d",
        "*_1*",
        "KVM*",
        "a1",
    ];
    let root = TestRoot::new();
    let mut noise = Noise::new(18);
    let mut breaks = 0;
    for round in 0..200 {
        let export = |noise: &mut Noise| {
            let exporter = pick(noise, &["vmlinux", "arch/x86/kvm/kvm", "drivers/a-b/c.d", "sound/snd"]);
            let licence = pick(noise, &["EXPORT_SYMBOL", "EXPORT_SYMBOL_GPL"]);
            let namespace = pick(noise, &["", "", "CXL", "DMA_BUF", "lower"]);
            (noise.next() as u32, exporter, licence, namespace)
        };
        let mut old = BTreeMap::new();
        for number in 0..1 + noise.below(40) {
            old.insert(
                format!("{}{number}", pick(&mut noise, &["kvm_", "cam_", "drm_", "x.y+", "a"])),
                export(&mut noise),
            );
        }
        let mut new = old.clone();
        new.insert(format!("new{round}"), export(&mut noise));
        for symbol in old.keys() {
            let other = export(&mut noise);
            let Some(of) = new.get_mut(symbol) else { continue };
            match noise.below(6) {
                0 => drop(new.remove(symbol)),
                1 => of.0 = other.0,
                2 => of.2 = other.2,
                3 => *of = (of.0, other.1, of.2, other.3),
                _ => {}
            }
        }
        let mut rules = String::from("# rules\n");
        for _ in 0..noise.below(7) {
            let kind = pick(&mut noise, &["", "", "", "MODULE ", "NAMESPACE ", "SYMBOL "]);
            let verdict = pick(&mut noise, &["PASS", "PASS # why", "FAIL", "FAIL#x"]);
            rules.push_str(&format!("{kind}{}\t{verdict}\n", pick(&mut noise, PATTERNS)));
        }
        let write = |name: &str, text: String| {
            root.write(name, text);
            root.join(name).to_str().unwrap().to_string()
        };
        let list = |all: &BTreeMap<String, (u32, &str, &str, &str)>| -> String {
            let line =
                |(symbol, (crc, exporter, licence, namespace)): (&String, &(u32, &str, &str, &str))| {
                    format!("0x{crc:08x}\t{symbol}\t{exporter}\t{licence}\t{namespace}\n")
                };
            all.iter().map(line).collect()
        };
        let (old, new, severities) =
            (write("old", list(&old)), write("new", list(&new)), write("rules", rules.clone()));
        let found = ours(&root, &old, &new, Some(&severities));
        assert_eq!(found, peers(&peer, &old, &new, Some(&severities)), "round {round}: {rules}");
        breaks += found.len();
    }
    assert!(breaks > 500, "{breaks}");
}

#[test]
fn sle_16_0_breaks_what_its_makers_say() {
    let Some(data) = std::env::var_os("KMP_SLE16").map(PathBuf::from) else {
        return testkit::skip("KMP_SLE16 names no directory with symvers of SLE 16.0");
    };
    let root = TestRoot::new();
    let path = |name: &str| data.join(name).to_str().unwrap().to_string();
    let list = |name: &str| path(&format!("{name}/symvers-default"));
    let rules = path("severities");
    assert_eq!(ours(&root, &list("base"), &list("new"), None).len(), 219);
    assert_eq!(ours(&root, &list("base"), &list("new"), Some(&rules)).len(), 0);
    assert_eq!(ours(&root, &list("base"), &list("broken"), Some(&rules)).len(), 256);
}
