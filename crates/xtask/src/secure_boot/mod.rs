// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask secure-boot`: what kmp says of modules' keys, held against a kernel of Debian's that shim has booted under Secure Boot,
//! with OVMF's firmware in qemu.

mod machine;
mod parts;
mod variables;

use std::fs;
use std::path::Path;
use std::time::Instant;

use kmp_core::abi::signature::Listed;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use testkit::packages::Use;

use crate::judge::run::Result;
use crate::{install, run as chores};
use machine::{Machine, Step};
use parts::Parts;

/// Boot under real Secure Boot, and compare what the locked-down kernel loads with what kmp says.
///
/// Takes firmware, shim, GRUB and kernel from Debian's archive; they are kept in downloads/.
#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(_: &Arguments) -> std::result::Result<(), String> {
    install::ensure(&[Use::Demo, Use::Judge])?;
    chores::cargo(&[], &["build", "--quiet", "--locked", "-p", "kmp-cli"], &[])?;
    match all() {
        Ok(0) => Ok(()),
        Ok(wrong) => Err(format!("{wrong} disagreements, see above")),
        Err(e) => Err(e.to_string()),
    }
}

/// A case, what kmp is to say of its key (no word: it is not signed), and whether the kernel is to load it.
type Case = (&'static str, &'static str, bool);

/// At the first boot. Debian's kernels have no list of revoked keys, so that they take modules by one; and kernels do not know a
/// certificate again by its digest, as they take the time behind that for a part of it.
const AT_FIRST: &[Case] = &[
    ("debian", "trusted", true),
    ("enrolled", "trusted", true),
    ("foreign", "not-trusted", false),
    ("revoked-certificate", "trusted", true),
    ("revoked-key", "trusted", true),
    ("unsigned", "", false),
    ("waiting", "not-trusted", false),
];
/// Once the key that waits has been imported, and once it is enrolled.
const IMPORTED: &[Case] = &[("waiting", "after-enrolment", false)];
const ENROLLED: &[Case] =
    &[("enrolled", "trusted", true), ("foreign", "not-trusted", false), ("waiting", "trusted", true)];
/// Without Secure Boot, where signatures are enforced all the same: kernels read no enrolled key then.
const WITHOUT: &[Case] =
    &[("debian", "trusted", true), ("enrolled", "unknown", false), ("unsigned", "", false)];

/// A module that is signed well, and revoked by its digest.
const REVOKED_FILE: &str = "revoked-file";

/// What MokManager shows, and what somebody types who enrols a key.
const ENROL: &[Step] = &[
    ("Press any key to perform MOK management", b" "),
    ("Continue boot", b"\x1b[B\r"),
    ("[Enroll MOK]", b"\x1b[B\r"),
    ("Enroll the key(s)?", b"\x1b[B\r"),
    ("Password:", b"secret\r"),
    ("Reboot", b"\r"),
];

fn all() -> Result<usize> {
    let clock = Instant::now();
    let say = |what: &str| eprintln!("secure-boot [{:>4} s] {what}", clock.elapsed().as_secs());
    let parts = Parts::get()?;
    say(&format!("the kernel is {}", parts.kernel.release));
    let names = ["enrolled", "waiting", "foreign", "revoked-certificate", "revoked-key"];
    let keys = names.iter().map(|name| parts.key(name)).collect::<Result<Vec<_>>>()?;
    let module = parts.build()?;
    for (name, key) in names.iter().zip(&keys) {
        parts.case(name, &module, Some((key, "sha256")))?;
    }
    parts.case("unsigned", &module, None)?;
    parts.case("debian", &parts.in_tree("dummy")?, None)?;
    // By another digest, so that it is another file; in a package, as only files of such are verified.
    let file = parts.case(REVOKED_FILE, &module, Some((&keys[0], "sha512")))?;
    let file = fs::read(file)?;

    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/secure_boot/guest.sh");
    let kmp = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let kmp =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| kmp.join("target"), Into::into).join("debug/kmp");
    let disk = parts.disk(&kmp, &guest, &file)?;
    let partition = parts.partition(&parts.initrd(&guest)?)?;
    let enrolled = [&keys[0], &keys[3], &keys[4]].map(|key| Listed::Certificate(&key.der));
    let revoked = [
        Listed::Certificate(&keys[4].der),
        Listed::ToBeSigned(keys[3].to_be_signed()?),
        Listed::File(Sha256::digest(&file).into()),
    ];
    let firmware = |name: &str| parts.file("usr/share/OVMF").join(name);
    let store = |from: &str, to: &str| -> Result<std::path::PathBuf> {
        let mut store = fs::read(firmware(from))?;
        variables::add(&mut store, "MokList", &variables::lists(&enrolled))?;
        variables::add(&mut store, "MokListX", &variables::lists(&revoked))?;
        let to = parts.work.join(to);
        fs::write(&to, store)?;
        Ok(to)
    };
    let (secure, open) = (store("OVMF_VARS_4M.ms.fd", "secure.fd")?, store("OVMF_VARS_4M.fd", "open.fd")?);
    let code = firmware("OVMF_CODE_4M.secboot.fd");
    let machine =
        |variables| Machine { code: &code, variables, disks: [&partition, &disk], dir: &parts.work };

    let mut wrong = Vec::new();
    parts.command_line(&partition, "import-key")?;
    let said = machine(&secure).start("first", &[])?;
    let (before, after) =
        said.split_once("IMPORTED\n").ok_or_else(|| format!("no key was imported:\n{said}"))?;
    say("booted under Secure Boot");
    wrong.extend(compare("first boot", before, AT_FIRST));
    wrong.extend(locked_down(&said, "[integrity]"));
    wrong.extend(compare("key imported", after, IMPORTED));
    wrong.extend(devices(before));
    wrong.extend(revoked_file(before));
    machine(&secure).start("enrolment", ENROL)?;
    say("enrolled the key at the console");
    parts.command_line(&partition, "")?;
    wrong.extend(compare("key enrolled", &machine(&secure).start("second", &[])?, ENROLLED));
    say("booted with the key");
    parts.command_line(&partition, "module.sig_enforce=1")?;
    let said = machine(&open).start("open", &[])?;
    say("booted without Secure Boot");
    wrong.extend(compare("sig_enforce without Secure Boot", &said, WITHOUT));
    wrong.extend(locked_down(&said, "[none]"));
    wrong.iter().for_each(|line| println!("WRONG {line}"));
    Ok(wrong.len())
}

/// The line of a word in what the machine said.
fn line<'s>(said: &'s str, start: &str) -> Option<&'s str> {
    said.lines().find_map(|line| line.strip_prefix(start)?.strip_prefix(' '))
}

fn locked_down(said: &str, mode: &str) -> Option<String> {
    let found = line(said, "LOCKDOWN").unwrap_or("nothing");
    (!found.contains(mode)).then(|| format!("the kernel's lockdown is not {mode}: {found}"))
}

/// Prints what kmp and the kernel say of each case; returns where they do not agree, or say something else than is expected.
fn compare(when: &str, said: &str, cases: &[Case]) -> Vec<String> {
    println!("\n{when}:");
    let mut wrong = Vec::new();
    for (name, trust, loads) in cases {
        let found: Option<Value> =
            line(said, &format!("CHECK {name}")).and_then(|text| serde_json::from_str(text).ok());
        let module = found.as_ref().map_or(&Value::Null, |found| &found["kernels"][0]["modules"][0]);
        let (word, detail) =
            (module["key"]["trust"].as_str().unwrap_or(""), module["key"]["detail"].as_str().unwrap_or(""));
        let kernel = line(said, &format!("LOAD {name}")).unwrap_or("nothing");
        println!("  {name:20} kmp: {:16} kernel: {kernel}", if word.is_empty() { "unsigned" } else { word });
        println!("  {:20}      {detail}", "");
        if module.is_null() {
            wrong.push(format!("{when}, {name}: kmp says nothing"));
        }
        if word != *trust || (kernel == "loaded") != *loads {
            wrong.push(format!("{when}, {name}: expected {trust:?} and loaded: {loads}; {module}"));
        }
        // What will be enrolled is not refused for good.
        let is_certain = !["unknown", "after-enrolment"].contains(&word);
        if is_certain && module["fits"] != Value::Bool(*loads) {
            wrong.push(format!("{when}, {name}: kmp's verdict is another than the kernel's: {module}"));
        }
    }
    wrong
}

/// What is said of a file that is revoked, by its digest: kmp of the package's that is installed, the kernel of the same.
fn revoked_file(said: &str) -> Option<String> {
    let found: Value =
        line(said, "SUPPORT").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let signature = &found["modules"][0]["signature"];
    let kernel = line(said, &format!("LOAD {REVOKED_FILE}")).unwrap_or("nothing");
    println!("\na file that is revoked:\n  kmp: {signature}\n  kernel: {kernel}");
    let agree = signature["trust"] == "not-trusted"
        && signature["genuine"] == Value::Bool(true)
        && kernel.contains("ejected");
    (!agree).then(|| format!("{REVOKED_FILE}: kmp {signature}, kernel {kernel}"))
}

/// What the machine needs for its root disk, its network and its console.
fn devices(said: &str) -> Vec<String> {
    println!("\nwhat the machine needs:");
    let found: Value =
        line(said, "DEVICES").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let all = found["devices"].as_array().cloned().unwrap_or_default();
    let needed = |purpose: &str| -> Vec<String> {
        let is_it =
            |device: &&Value| device["needed_for"].as_array().is_some_and(|n| n.iter().any(|n| n == purpose));
        all.iter().filter(is_it).map(|device| device["module"].as_str().unwrap_or("-").to_owned()).collect()
    };
    let mut wrong = Vec::new();
    for (purpose, module) in
        [("root", "virtio_blk"), ("network", "virtio_net"), ("console", "virtio_console")]
    {
        let found = needed(purpose);
        println!("  {purpose}: {}", found.join(", "));
        if !found.iter().any(|found| found == module) {
            wrong.push(format!("{purpose}: {module} is not among the modules that it needs: {found:?}"));
        }
    }
    wrong
}
