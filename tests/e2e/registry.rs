// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp registry`: packages registered, judged for a kernel that comes, and what their providers are sent.

use std::process::Command;

use testkit::{ModuleBuilder, Package, PackageBuilder, TestRoot, run};

use crate::support::*;

fn path(root: &TestRoot, name: &str) -> String {
    root.join(name).to_str().unwrap().into()
}

fn symvers(root: &TestRoot, name: &str, all: &[(u32, &str)]) -> String {
    let line = |(crc, symbol): &(u32, &str)| format!("0x{crc:08x}\t{symbol}\tvmlinux\tEXPORT_SYMBOL\t\n");
    root.write(name, all.iter().map(line).collect::<String>());
    path(root, name)
}

fn driver(name: &str, needs: &[(&str, u32)]) -> ModuleBuilder {
    let module = ModuleBuilder::new(name).built_for(OLD).module_layout(None).no_needs();
    needs.iter().fold(module, |module, (symbol, crc)| module.need(*symbol, *crc))
}

fn build(packages: &[(&str, &str, ModuleBuilder)]) -> Vec<Package> {
    let one = |(name, version, module): &(&str, &str, ModuleBuilder)| {
        PackageBuilder::kmp(name, "default", version, OLD, [(format!("{name}.ko"), module.build())])
    };
    PackageBuilder::build_all(&packages.iter().map(one).collect::<Vec<_>>())
}

fn files(root: &TestRoot, dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![root.join(dir)];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path)
            } else {
                found.push(
                    path.strip_prefix(root.join("out"))
                        .map_or_else(|_| path.display().to_string(), |p| p.display().to_string()),
                )
            }
        }
    }
    found.sort();
    found
}

#[test]
fn providers_are_sent_one_message_until_a_new_build_fits() {
    let root = TestRoot::new();
    let old = symvers(&root, "old", &[(1, "printk"), (2, "usb_alert"), (3, "gone")]);
    let new = symvers(&root, "new", &[(1, "printk"), (22, "usb_alert")]);
    let registry = path(&root, "registry");
    let packages = build(&[
        ("cam", "1", driver("cam", &[("usb_alert", 2), ("printk", 1)])),
        ("lost", "1", driver("lost", &[("gone", 3)])),
        ("fine", "1", driver("fine", &[("printk", 1)])),
        ("cam", "2", driver("cam", &[("usb_alert", 22)])),
    ]);
    let file = |at: usize| packages[at].path().to_str().unwrap();
    let add = ["registry", "add", "--registry", &registry];
    let output = ends(&root, &[&add[..], &[file(0)]].concat(), 2);
    assert!(output.stderr.contains("is not registered: add --provider NAME"), "{output}");
    let acme = ["--provider", "acme", "--contact", "kmp@acme.example"];
    ends(&root, &[&add[..], &acme, &[file(0), file(1)]].concat(), 0);
    ends(
        &root,
        &[&add[..], &["--provider", "other", "--contact", "role@other.example"], &[file(2)]].concat(),
        0,
    );
    let output = ends(&root, &[&add[..], &[file(0)]].concat(), 0);
    assert!(output.stdout.contains(": already registered\n"), "{output}");
    ends(&root, &["registry", "lint", "--registry", &registry], 0);
    let symbols = std::fs::read_to_string(root.join("registry/acme/cam-kmp-default.symbols")).unwrap();
    assert_eq!(symbols, "[abi_symbol_list]\n\n# required by cam.ko\n  printk\n  usb_alert\n");

    let out = path(&root, "out");
    let check = [
        "registry",
        "check",
        "--registry",
        &registry,
        "--old",
        &old,
        "--new",
        &new,
        "--name",
        "6.4.0-25",
        "--out",
        &out,
    ];
    let output = ends(&root, &[&check[..], &["--due", "2026-12-01"]].concat(), 1);
    for line in [
        "acme/cam-kmp-default: stops loading: a rebuild suffices\n",
        "acme/lost-kmp-default: stops loading: the source must change\n",
        "other/fine-kmp-default: loads\n",
        "Kernel 6.4.0-25: 2 of 3 registered packages stop loading\n",
    ] {
        assert!(output.stdout.contains(line), "{line:?}: {output}");
    }
    let sent = files(&root, "out");
    let mails: Vec<&String> = sent.iter().filter(|name| name.ends_with(".eml")).collect();
    assert_eq!(mails.len(), 1, "{sent:?}");
    let mail = std::fs::read_to_string(root.join("out").join(mails[0])).unwrap();
    for text in [
        "To: kmp@acme.example\n",
        ", due 2026-12-01\n",
        "lost: nothing exports gone\n",
        "A rebuild suffices.",
    ] {
        assert!(mail.contains(text), "{text:?}: {mail}");
    }
    for name in [
        "acme/6.4.0-25.html",
        "acme/6.4.0-25.md",
        "other/6.4.0-25.html",
        "report.json",
        "report.html",
        "feed.xml",
    ] {
        assert!(sent.iter().any(|file| file == name), "{name}: {sent:?}");
    }
    // What others read takes it: a mail, a feed, a page.
    let read = "import email, email.policy, sys, xml.dom.minidom\n\
        m = email.message_from_file(open(sys.argv[1]), policy=email.policy.default)\n\
        assert not m.defects and m['date'].datetime and m['to'].addresses[0].domain == 'acme.example', m.defects\n\
        feed = xml.dom.minidom.parse(sys.argv[2])\n\
        assert len(feed.getElementsByTagName('entry')) == 1\n";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", read]).arg(root.join("out").join(mails[0])).arg(root.join("out/feed.xml"));
    run(&mut python).expect_success();

    // Once more: nothing is new.
    let state = |root: &TestRoot| -> Vec<(String, Vec<u8>)> {
        files(root, "out")
            .into_iter()
            .map(|f| (f.clone(), std::fs::read(root.join("out").join(f)).unwrap()))
            .collect()
    };
    let before = state(&root);
    let output = ends(&root, &[&check[..], &["--due", "2026-12-01"]].concat(), 1);
    assert!(output.stdout.contains("There is no new message.\n"), "{output}");
    assert!(state(&root) == before, "a second run has changed something");

    // A build that fits, found in a repository, and the other package is given up.
    root.write("repo/a/cam.rpm", std::fs::read(file(3)).unwrap());
    root.write("repo/cam-old.rpm", std::fs::read(file(0)).unwrap());
    // What its list of packages does not name is not there.
    root.write("listed/cam.rpm", std::fs::read(file(0)).unwrap());
    run(Command::new("createrepo_c").arg("--quiet").arg(root.join("listed"))).expect_success();
    root.write("listed/cam-new.rpm", std::fs::read(file(3)).unwrap());
    let listed = path(&root, "listed");
    let output = ends(&root, &["registry", "refresh", "--registry", &registry, "--repo", &listed], 0);
    assert_eq!(output.stdout, "", "{output}");
    let repo = path(&root, "repo");
    let output = ends(&root, &["registry", "refresh", "--registry", &registry, "--repo", &repo], 0);
    assert!(
        output.stdout.contains("cam-kmp-default-2") && output.stdout.contains("before cam-kmp-default-1"),
        "{output}"
    );
    let symbols = std::fs::read_to_string(root.join("registry/acme/cam-kmp-default.symbols")).unwrap();
    assert!(symbols.ends_with("# used by earlier builds\n  printk\n"), "{symbols}");
    std::fs::remove_file(root.join("registry/acme/lost-kmp-default.toml")).unwrap();
    let output = ends(&root, &check, 0);
    assert!(output.stdout.contains("To be sent:\n"), "{output}");
    let last = files(&root, "out").into_iter().find(|name| name.contains(".002-")).unwrap();
    let mail = std::fs::read_to_string(root.join("out").join(last)).unwrap();
    assert!(mail.contains("In-Reply-To: <acme.6.4.0-25@") && mail.contains("nothing more to do"), "{mail}");
    let report = json(&root, &check);
    assert_eq!(report["items"][0]["state"], "fits", "{report}");
}

/// Of two builds the one with the higher epoch is the newer, and the epoch is part of what is registered.
#[test]
fn a_repository_with_a_list_of_packages_and_epochs() {
    let root = TestRoot::new();
    let registry = path(&root, "registry");
    let with = |version: &str, epoch: u32| {
        let module = driver("cam", &[("printk", 1)]).build();
        PackageBuilder::kmp("cam", "default", version, OLD, [("cam.ko", module)]).epoch(epoch)
    };
    let packages = PackageBuilder::build_all(&[with("2", 1), with("1", 2)]);
    let add = ["registry", "add", "--registry", &registry, "--provider", "acme", "--contact", "a@b.example"];
    ends(&root, &[&add[..], &[packages[0].path().to_str().unwrap()]].concat(), 0);
    for (at, package) in packages.iter().enumerate() {
        root.write(format!("repo/x/{at}.rpm"), std::fs::read(package.path()).unwrap());
    }
    run(Command::new("createrepo_c").arg("--quiet").arg(root.join("repo"))).expect_success();
    let repo = path(&root, "repo");
    let output = ends(&root, &["registry", "refresh", "--registry", &registry, "--repo", &repo], 0);
    assert!(output.stdout.contains("cam-kmp-default-2:1_k"), "{output}");
    assert!(output.stdout.contains("before cam-kmp-default-1:2_k"), "{output}");
    let text = std::fs::read_to_string(root.join("registry/acme/cam-kmp-default.toml")).unwrap();
    assert!(text.contains("arch = \"x86_64\"") && text.contains(&format!("vermagic = \"{OLD} ")), "{text}");
    // An installed kernel of other flags, of which its modules say so.
    let other = testkit::KernelBuilder::new(OTHER)
        .export("printk", 1)
        .vermagic_flags("SMP preempt mod_unload modversions");
    let own = testkit::KernelBuilder::new(OLD).export("printk", 1);
    for kernel in [&own, &other] {
        let module = ModuleBuilder::new("dummy").built_for(kernel.krel());
        kernel.clone().module("drivers", module).write(&root.path());
    }
    let out = path(&root, "out");
    let check = ["registry", "check", "--registry", &registry, "--old", OLD, "--new", OTHER, "--out", &out];
    let found = json(&root, &check);
    assert_eq!(found["items"][0]["state"], "stops", "{found}");
    assert_eq!(found["items"][0]["reasons"][0]["rule"], "vermagic", "{found}");
}

#[test]
fn what_is_wrong_with_the_files() {
    let root = TestRoot::new();
    let registry = path(&root, "registry");
    ends(&root, &["registry", "lint", "--registry", &registry], 0);
    let packages = build(&[("cam", "1", driver("cam", &[("printk", 1)]))]);
    let file = packages[0].path().to_str().unwrap();
    let add =
        ["registry", "add", "--registry", &registry, "--provider", "acme", "--contact", "a@b.example", file];
    ends(&root, &add, 0);
    root.write("registry/acme/cam-kmp-default.symbols", "[abi_symbol_list]\n  kmalloc\n");
    root.write("registry/acme/broken.toml", "version = 1\n");
    let output = ends(&root, &["registry", "lint", "--registry", &registry], 1);
    assert!(output.stdout.contains("its list of symbols lacks printk"), "{output}");
    assert!(output.stdout.contains("broken.toml: "), "{output}");
    let out = path(&root, "out");
    let new = symvers(&root, "new", &[(1, "printk")]);
    let args = ["registry", "check", "--registry", &registry, "--old", &new, "--new", &new, "--out", &out];
    let output = ends(&root, &args, 2);
    assert!(output.stderr.contains("broken.toml: "), "{output}");
    let hostile =
        ["registry", "add", "--registry", &registry, "--provider", "../acme", "--contact", "a@b.example"];
    let other = build(&[("other", "1", driver("other", &[("printk", 1)]))]);
    ends(&root, &[&hostile[..], &[other[0].path().to_str().unwrap()]].concat(), 2);
}
