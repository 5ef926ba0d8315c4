// SPDX-License-Identifier: LGPL-2.1-or-later
//! The pages that are looked at: made by kmp, of names that are long, or look like markup.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use testkit::{KernelBuilder, Package, PackageBuilder, TestRoot};

use super::Page;
use crate::install;

/// What a page must show as it is.
const HOSTILE: &str = "<script>alert(\"1\")</script>&amp;<img src=x onerror=alert(2)>";

pub fn all() -> Result<Vec<Page>, String> {
    let mut pages = of_a_distributor()?;
    pages.extend(of_a_machine()?);
    Ok(pages)
}

fn kmp(root: &TestRoot, args: &[&str]) -> Result<String, String> {
    let mut command = root.command(install::target().join("debug/kmp"));
    command.arg("--root").arg(root.path()).args(args);
    let output = command.output().map_err(|e| install::cannot_run(&command, &e))?;
    match output.status.code() {
        Some(0 | 1) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        // Of some machines it is not known, which a page shows as well.
        Some(2) if args[0] == "fleet" => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// Two kernels with more types than a table has rows, and a registry.
fn of_a_distributor() -> Result<Vec<Page>, String> {
    let root = TestRoot::new();
    let (mut old, mut new, mut before, mut after) =
        (String::new(), String::new(), String::new(), String::new());
    let mut uses = String::new();
    for at in 0..45 {
        let _ = writeln!(before, "s#type_{at} struct type_{at} {{ int zoom ; }}");
        let _ = writeln!(after, "s#type_{at} struct type_{at} {{ int zoom ; long far_{at} ; }}");
        for symbol in 0..(50 - at) {
            let name = format!("a_symbol_with_a_rather_long_name_as_there_are_some_in_kernels_{at}_{symbol}");
            let export = "drivers/net/ethernet/some/vendor/driver\tEXPORT_SYMBOL_GPL\t";
            let _ = writeln!(old, "0x00000001\t{name}\t{export}");
            let _ = writeln!(new, "0x00000002\t{name}\t{export}");
            let _ = writeln!(before, "{name} void {name} ( s#type_{at} * )");
            let _ = writeln!(after, "{name} void {name} ( s#type_{at} * )");
            if symbol == 0 {
                let _ = writeln!(uses, "{name} = \"0x00000001\"");
            }
        }
    }
    let _ = writeln!(old, "0x00000001\t{}\tvmlinux\tEXPORT_SYMBOL\t", HOSTILE.replace(' ', "/"));
    root.write("old", &old);
    root.write("new", &new);
    root.write("before", &before);
    root.write("after", &after);
    for provider in ["acme", "a-provider-with-a-name-of-more-letters-than-a-phone-has-in-a-line"] {
        root.write(
            format!("registry/{provider}/cam-{provider}.toml"),
            format!(
                "version = 1\n[provider]\ncontact = \"kmp@acme.example\"\nrebuild-without-asking = true\n\
                 [package]\nname = \"cam-{provider}\"\n[build]\nnevra = \"cam-{provider}-1-1.x86_64\"\n\
                 kernel = '{HOSTILE}'\n[[module]]\nname = '{HOSTILE}'\nlicense = 'GPL'\n[module.uses]\n{uses}"
            ),
        );
        let symbols: String =
            uses.lines().filter_map(|line| line.split(' ').next()).fold(String::new(), |mut all, s| {
                let _ = writeln!(all, "  {s}");
                all
            });
        root.write(
            format!("registry/{provider}/cam-{provider}.symbols"),
            format!("[abi_symbol_list]\n{symbols}"),
        );
    }
    let path = |name: &str| root.join(name).to_string_lossy().into_owned();
    let (old, new, registry, out) = (path("old"), path("new"), path("registry"), path("out"));
    let why = ["--old-symtypes".into(), path("before"), "--new-symtypes".into(), path("after")];
    let why = why.each_ref().map(String::as_str);
    let diff =
        [&["kabi", "diff", "--format", "html", "--registry", &registry], &why[..], &[&old, &new]].concat();
    let diff = kmp(&root, &diff)?;
    let check =
        ["registry", "check", "--registry", &registry, "--old", &old, "--new", &new, "--name", "6.4.0-25"];
    kmp(&root, &[&check[..], &why, &["--due", "2026-12-01", "--out", &out]].concat())?;
    let read =
        |name: &str| fs::read_to_string(root.join("out").join(name)).map_err(|e| format!("{name}: {e}"));
    let package = "stops loading: a rebuild suffices";
    Ok(vec![
        Page {
            name: "kabi-diff",
            html: diff,
            texts: [
                texts(&[
                    "1,261 breaks",
                    "2 of 2 registered packages stop loading.",
                    "Changed types",
                    "struct type_0",
                ]),
                texts(&[
                    "struct type_29",
                    "15 more types",
                    "struct type_44",
                    "Providers",
                    package,
                    "Symbols",
                ]),
                vec!["1 lost".into(), HOSTILE.replace(' ', "/")],
                texts(&["1,260 with another CRC"]),
            ]
            .concat(),
        },
        Page {
            name: "registry",
            html: read("report.html")?,
            texts: [
                texts(&["2 of 2 registered packages stop loading", "Packages", package]),
                vec![format!("for kernel {HOSTILE}"), "struct type_0: 1 symbol".into(), "35 more".into()],
                vec!["45 reasons".into(), HOSTILE.into()],
            ]
            .concat(),
        },
        Page {
            name: "registry-provider",
            html: read("acme/6.4.0-25.html")?,
            texts: texts(&["due 2026-12-01", "1 of 1 registered packages stop loading", "cam-acme"]),
        },
    ])
}

/// A machine with a driver that a kernel refuses, and a repository with one more kernel.
fn of_a_machine() -> Result<Vec<Page>, String> {
    let root = TestRoot::new();
    let kernel = |krel: &str, crc: u32| KernelBuilder::new(krel).export("printk", 1).export("changing", crc);
    let package =
        |kernel: &KernelBuilder| PackageBuilder::kernel(kernel).ksyms("default", &kernel.full_symvers());
    let old = kernel("6.4.0-1-default", 7);
    let name = "a-driver-of-a-vendor-who-likes-long-names-and-has-many-of-them";
    let module = old.driver("cam").need("printk", 1).need("changing", 7).build();
    let driver = PackageBuilder::kmp(name, "default", "1.0", old.krel(), [("cam.ko", module)])
        .provides("kmod(cam.ko)")
        .requires("ksym(default:changing) = 7")
        .tag("Vendor", HOSTILE);
    let mut builds = vec![package(&old), driver];
    builds.extend((2..8).map(|at| package(&kernel(&format!("6.4.0-{at}-default"), 7 + at))));
    let built = PackageBuilder::build_all(&builds);
    let (offered, installed) = built.split_last().ok_or("nothing was built")?;
    root.install(&installed[..3].iter().collect::<Vec<_>>());
    add(&root, offered)?;
    let repository = format!("--repo=vendor={}", root.join("repo").display());
    let few = kmp(&root, &["status", "--html"])?;
    let support = kmp(&root, &["status", "--support", "--html"])?;
    let update = kmp(&root, &["update", "--html", "--dry-run", "--offline", &repository])?;
    for package in &installed[..2] {
        add(&root, package)?;
    }
    let fleet = of_a_fleet(&root, name, &repository)?;
    root.install(&installed[3..].iter().collect::<Vec<_>>());
    let many = kmp(&root, &["status", "--html"])?;
    let refused = "in 6.4.0-2-default: ";
    Ok(vec![
        Page { name: "status", html: few, texts: texts(&["Drivers and kernels", name, refused, "changing"]) },
        Page {
            name: "status-of-many-kernels",
            html: many,
            texts: texts(&[name, "6.4.0-6-default, 6.4.0-5-default"]),
        },
        Page {
            name: "support",
            html: support,
            texts: texts(&["without support", "cam", name, HOSTILE, "not loaded"]),
        },
        Page {
            name: "update",
            html: update,
            texts: texts(&["no kernel", "6.4.0-7 (vendor)", "held back", "kmp hold"]),
        },
        fleet,
    ])
}

/// Puts a package in the repository of a root.
fn add(root: &TestRoot, package: &Package) -> Result<(), String> {
    let file = package.path().file_name().unwrap_or_default();
    root.write(Path::new("repo").join(file), fs::read(package.path()).map_err(|e| e.to_string())?);
    let mut createrepo = Command::new("createrepo_c");
    testkit::run(createrepo.arg("--quiet").arg(root.join("repo"))).expect_success();
    Ok(())
}

/// Machines that lose the driver, that have one which nobody knows, and that have none.
fn of_a_fleet(root: &TestRoot, driver: &str, repository: &str) -> Result<Page, String> {
    let driver = format!("{driver}-kmp-default");
    let mut machines = String::new();
    for at in 0..30 {
        let name = format!("a-machine-whose-name-is-a-whole-domain-{at}.many.levels.of.an.example.{HOSTILE}");
        let kmps = match at % 3 {
            0 => {
                json!([{ "package": format!("{driver}-1.0_k6.4.0_1-1.x86_64"), "modules": [{ "loaded": true }] }])
            }
            1 => json!(["of-nobody-kmp-default-1-1.x86_64"]),
            _ => json!([]),
        };
        let line = json!({ "machine": name, "kernels": ["kernel-default-6.4.0-1.x86_64"], "kmps": kmps });
        let _ = writeln!(machines, "{line}");
    }
    root.write("machines", machines);
    let machines = root.join("machines").to_string_lossy().into_owned();
    let html = kmp(root, &["fleet", "--html", "--machines", &machines, repository])?;
    let shown = ["10 machines lose a driver", "30 machines, in 3 groups", "kernel-default-6.4.0-7.x86_64"];
    let more = [&driver, "loaded on 10", "a rebuild suffices", "is in no repository that was read", HOSTILE];
    Ok(Page { name: "fleet", html, texts: texts(&[&shown[..], &more].concat()) })
}
