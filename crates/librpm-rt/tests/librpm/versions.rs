// SPDX-License-Identifier: LGPL-2.1-or-later
//! rpm-meta's order of versions is that of librpm and of rpm.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use librpm_rt::Librpm;
use rpm_meta::{Evr, vercmp};
use testkit::Noise;

use crate::root::run;

/// What versions are made of: numbers with and without leading zeros, beyond any integer type, words, separators, `~`, `^`,
/// bytes that are no ASCII, nothing.
const PIECES: &[&str] = &[
    "",
    "0",
    "00",
    "1",
    "01",
    "9",
    "10",
    "18446744073709551616",
    "a",
    "A",
    "ab",
    "z",
    ".",
    "-",
    "_",
    "+",
    "..",
    "~",
    "~~",
    "^",
    "ä",
    "rc",
    "git",
    "el9",
];

/// What packages and kernels are called, and what rpm's own tests compare.
const REAL: &[&str] = &[
    "1.0",
    "1.0.",
    "1.0_k6.4.0_1",
    "1.0_k6.4.0_10",
    "1.0~rc1",
    "1.0~rc1^git1",
    "1.0^git1",
    "1.0^git1~pre",
    "1.0^20160102",
    "2.0.1a",
    "5.5p10",
    "10xyz",
    "xyz.4",
    "6.4.0-150600.23.7-default",
    "6.4.0-150600.23.14-default",
    "5.14.0-503.11.1.el9_5.x86_64+rt",
    "20101121",
];

fn version(noise: &mut Noise) -> String {
    (0..noise.below(6)).map(|_| PIECES[noise.below(PIECES.len())]).collect()
}

#[test]
fn versions_are_in_librpms_order() {
    let rpm = Librpm::load().unwrap();
    let two = PIECES.iter().flat_map(|a| PIECES.iter().map(move |b| format!("{a}{b}")));
    let words: Vec<String> = two.chain(REAL.iter().map(|v| (*v).to_string())).collect();
    let made = words.iter().flat_map(|a| words.iter().map(move |b| (a.clone(), b.clone())));
    let mut noise = Noise::new(1);
    let random = std::iter::repeat_with(|| {
        let one = version(&mut noise);
        // Half of them have much in common, as versions of one package do.
        let other = if noise.below(2) == 0 { one.clone() } else { String::new() } + &version(&mut noise);
        (one, other)
    });
    let mut compared = 0;
    for (a, b) in made.chain(random.take(100_000)) {
        assert_eq!(vercmp(&a, &b), rpm.vercmp(&a, &b), "{a:?} and {b:?}");
        compared += 1;
    }
    assert!(compared > 20_000, "{compared}");
}

/// rpm's Lua reads and compares epoch, version and release as a whole.
#[test]
fn epochs_versions_and_releases_are_in_rpms_order() {
    let mut noise = Noise::new(2);
    let part = |noise: &mut Noise| loop {
        let text = version(noise);
        // These have a meaning of their own in the whole, and rpm takes no other.
        if text.chars().all(|c| c.is_ascii_alphanumeric() || "._+~^".contains(c)) && !text.is_empty() {
            break text;
        }
    };
    let evr = |noise: &mut Noise| {
        let epoch = ["", "", "0:", "1:", "10:"][noise.below(5)];
        let release = if noise.below(3) == 0 { String::new() } else { format!("-{}", part(noise)) };
        format!("{epoch}{}{release}", part(noise))
    };
    let mut pairs = Vec::new();
    for _ in 0..20_000 {
        let one = evr(&mut noise);
        let other = if noise.below(4) == 0 { one.replacen(':', "", 1) } else { evr(&mut noise) };
        pairs.push((one, other));
    }
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("pairs");
    let mut text = String::new();
    pairs.iter().for_each(|(a, b)| writeln!(text, "{a} {b}").unwrap());
    fs::write(&list, text).unwrap();
    let lua = format!(
        "%{{lua: for line in io.lines('{}') do local at = line:find(' ') print(rpm.vercmp(line:sub(1, at - 1), line:sub(at + 1)) .. ' ') end}}",
        list.display()
    );
    let output = String::from_utf8(run(Command::new("rpm").args(["--eval", &lua])).stdout).unwrap();
    let theirs: Vec<i32> = output.split_ascii_whitespace().map(|n| n.parse().unwrap()).collect();
    assert_eq!(theirs.len(), pairs.len());
    for ((a, b), theirs) in pairs.iter().zip(theirs) {
        assert_eq!(Evr::parse(a).compare(&Evr::parse(b)), theirs.cmp(&0), "{a} and {b}");
    }
}
