// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp rebuild-list`: what a rebuild mends, exporters before users, for each engine.

use std::process::Command;

use testkit::{ModuleBuilder, PackageBuilder, TestRoot, run};

use crate::support::*;

/// A KMP of the source package NAME, with the dependencies that generators give it.
fn package(name: &str, needs: &[(&str, u32)], offers: &[(&str, u32)]) -> PackageBuilder {
    let mut module = ModuleBuilder::new(name).built_for(OLD).module_layout(None).no_needs();
    for (symbol, crc) in needs {
        module = module.need(*symbol, *crc);
    }
    for (symbol, crc) in offers {
        module = module.export_gpl(*symbol, *crc);
    }
    let files = [(format!("{name}.ko"), module.build())];
    let mut package = PackageBuilder::kmp(name, "default", "1", OLD, files)
        .source(name)
        .tag("DistURL", &format!("obs://build.example.org/Kernel:kmp/SLE_15/0a1b2c-{name}"))
        .provides(&format!("kmod({name}.ko)"));
    for (symbol, crc) in needs {
        package = package.requires(&format!("ksym(default:{symbol}) = {crc:x}"));
    }
    for (symbol, crc) in offers {
        package = package.provides(&format!("ksym(default:{symbol}) = {crc:x}"));
    }
    package
}

#[test]
fn each_engine_gets_what_a_rebuild_mends_in_the_order_to_build() {
    let root = TestRoot::new();
    root.write(
        "new",
        "0x00000001\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0x00000022\tusb\tvmlinux\tEXPORT_SYMBOL\t\n",
    );
    let at = |name: &str| root.join(name).to_str().unwrap().to_string();
    let packages = [
        package("a-user", &[("usb", 2), ("hal_open", 9)], &[]),
        package("hal", &[("usb", 2)], &[("hal_open", 9)]),
        package("fine", &[("printk", 1)], &[]),
        package("lost", &[("gone", 3)], &[]),
    ];
    let packages: Vec<_> = packages.iter().map(PackageBuilder::build).collect();
    for package in &packages {
        let name = format!("repo/{}", package.path().file_name().unwrap().to_str().unwrap());
        root.write(name, std::fs::read(package.path()).unwrap());
    }
    run(Command::new("createrepo_c").arg("--quiet").arg(root.join("repo"))).expect_success();
    let registry = at("registry");
    let mut add =
        vec!["registry", "add", "--registry", &registry, "--provider", "acme", "--contact", "a@b.example"];
    add.extend(packages.iter().map(|package| package.path().to_str().unwrap()));
    ends(&root, &add, 0);

    let (new, repo) = (at("new"), format!("--repo=drivers={}", at("repo")));
    let from_registry = ["--registry", &registry, "--new", &new];
    let from_repository = [repo.as_str(), "--new", &new];
    for (from, engine, more, expected) in [
        (&from_registry[..], "plain", &[][..], "hal\na-user\n"),
        (&from_repository[..], "plain", &[], "hal\na-user\n"),
        (&from_registry[..], "copr", &[], "hal\na-user\n"),
        (&from_registry[..], "koji", &[], "hal : a-user\n"),
        // As the packages say, or as is said here.
        (&from_registry[..], "obs", &[], "Kernel:kmp hal\nKernel:kmp a-user\n"),
        (&from_repository[..], "obs", &["--project", "home:x"], "home:x hal\nhome:x a-user\n"),
        (
            &from_registry[..],
            "mock",
            &["--sources", "srpms"],
            "srpms/hal-1-1.src.rpm\nsrpms/a-user-1-1.src.rpm\n",
        ),
    ] {
        let output = ends(&root, &[&["rebuild-list", "--for", engine], from, more].concat(), 1);
        let is_it = match expected.contains(".src.rpm") {
            false => output.stdout == expected,
            // Versions of KMPs have more in them.
            true => output.stdout.lines().zip(expected.lines()).all(|(line, expected)| {
                let name = expected.split("-1-").next().unwrap();
                line.starts_with(name) && line.ends_with(".src.rpm")
            }),
        };
        assert!(is_it, "{engine}: {output}");
        assert!(output.stderr.contains("lost-kmp-default: the source must change"), "{output}");
    }
    let without = [&["rebuild-list", "--for", "obs"], &from_repository[..]].concat();
    assert!(ends(&root, &without, 2).stderr.contains("add --project NAME"));
    let document = json(&root, &[&["rebuild-list", "--for", "mock"], &from_registry[..]].concat());
    assert_eq!(document["sources"][1]["packages"][0], "a-user-kmp-default", "{document}");
    assert_eq!((&document["sources"][0]["group"], &document["sources"][1]["group"]), (&0.into(), &1.into()));

    // Nothing is left once builds that fit are registered.
    let rebuilt =
        [package("a-user", &[("usb", 0x22)], &[]), package("hal", &[("usb", 0x22)], &[("hal_open", 9)])];
    let rebuilt: Vec<_> = rebuilt.iter().map(PackageBuilder::build).collect();
    let mut add = vec!["registry", "add", "--registry", registry.as_str()];
    add.extend(rebuilt.iter().map(|package| package.path().to_str().unwrap()));
    ends(&root, &add, 0);
    std::fs::remove_file(root.join("registry/acme/lost-kmp-default.toml")).unwrap();
    let output = ends(&root, &[&["rebuild-list", "--for", "plain"], &from_registry[..]].concat(), 0);
    assert_eq!(output.stdout, "", "{output}");
}
