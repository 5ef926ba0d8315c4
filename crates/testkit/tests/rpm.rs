// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages by the real rpmbuild, installed by the real rpm into a throwaway root.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use testkit::{Compression, KernelBuilder, ModuleBuilder, Package, PackageBuilder, TestRoot};

const KREL: &str = "6.4.0-1-default";

fn kernel(krel: &str) -> KernelBuilder {
    KernelBuilder::new(krel)
        .export("printk", 1)
        .export_gpl("kthread_stop", 2)
        .module("drivers/net", ModuleBuilder::new("mii").need("printk", 1).export_gpl("mii_link_ok", 3))
        .symvers_compression(Compression::Zst)
        .module_compression(Compression::Zst)
}

fn kmp(base: &str, version: &str, kernel: &KernelBuilder, driver: ModuleBuilder) -> PackageBuilder {
    let file = format!("{base}.ko.zst");
    let bytes = driver.build_compressed(Compression::Zst);
    PackageBuilder::kmp(base, "default", version, kernel.krel(), [(file, bytes)])
}

#[test]
fn a_kernel_and_two_kmps_live_in_a_root() {
    let root = TestRoot::new();
    let kernel = kernel(KREL);
    kernel.write(&root.path());
    let provider = kernel.driver("acme").need("printk", 1).export("acme_open", 4);
    let user = kernel.driver("acme_net").need("acme_open", 4).need("mii_link_ok", 3);
    let acme = kmp("acme", "2.0", &kernel, provider).build();
    let acme_net = kmp("acme_net", "1.1", &kernel, user).build();
    assert_eq!(acme.nvr(), "acme-kmp-default-2.0_k6.4.0_1-1");

    root.install(&[&acme, &acme_net]);
    assert_eq!(root.installed(), [acme.nevra(), acme_net.nevra()]);
    let files = root.rpm(["-ql", acme.name()]).expect_success();
    assert_eq!(files.lines().last(), Some(&"/usr/lib/modules/6.4.0-1-default/updates/acme.ko.zst"));
    let provides = root.rpm(["-q", "--provides", acme.name()]).expect_success();
    assert_eq!(
        provides.lines(),
        [
            "acme-kmp = 2.0",
            "acme-kmp-default = 2.0_k6.4.0_1-1",
            "acme-kmp-default(x86-64) = 2.0_k6.4.0_1-1",
            "acme-kmp-default-k6.4.0_1",
            "multiversion(kernel)"
        ]
    );

    let dep = |root: &TestRoot| {
        assert_eq!(root.depmod(KREL, &["-e"]).expect_success().stderr.matches("acme_open").count(), 0);
        root.read("usr/lib/modules/6.4.0-1-default/modules.dep")
    };
    let line = "updates/acme_net.ko.zst: kernel/drivers/net/mii.ko.zst updates/acme.ko.zst";
    assert!(dep(&root).lines().any(|l| l == line), "{}", dep(&root));

    root.erase(&[acme_net.name()]);
    assert_eq!(root.installed(), [acme.nevra()]);
    assert!(!root.exists("usr/lib/modules/6.4.0-1-default/updates/acme_net.ko.zst"));
    assert!(!dep(&root).contains("acme_net"));
}

#[test]
fn many_packages_are_built_at_once_in_their_order() {
    let root = TestRoot::without_lib_link();
    let kernels = [kernel("6.4.0-1-default"), kernel("6.4.0-2-default")];
    let mut wanted = Vec::new();
    for kernel in &kernels {
        wanted.push(PackageBuilder::kernel(kernel).ksyms("default", &kernel.full_symvers()));
        for version in ["1", "2"] {
            for base in ["alpha", "beta", "gamma"] {
                wanted.push(kmp(base, version, kernel, kernel.driver(base).license(version)));
            }
        }
    }
    let packages = PackageBuilder::build_all(&wanted);
    let names: Vec<String> = packages.iter().map(|package| package.nevra().to_owned()).collect();
    assert_eq!(names, wanted.iter().map(PackageBuilder::nevra).collect::<Vec<_>>());
    // Versions for one kernel share a path: only the last is installed.
    let last: Vec<&Package> = packages.iter().filter(|p| !p.nevra().contains("-1_k")).collect();
    root.install(&last);
    assert_eq!(root.installed().len(), 8);
    let licence =
        testkit::modinfo(&root.join("usr/lib/modules/6.4.0-2-default/updates/beta.ko.zst"), "license");
    assert_eq!(licence, "2");
    let provider = root.rpm(["-q", "--whatprovides", "ksym(default:printk)"]).expect_success();
    // In the order of the database's index.
    let mut providers = provider.lines();
    providers.sort_unstable();
    assert_eq!(providers, ["kernel-default-6.4.0-1.x86_64", "kernel-default-6.4.0-2.x86_64"]);
    let provides = root.rpm(["-q", "--provides", "kernel-default-6.4.0-2"]).expect_success();
    for line in ["kernel-uname-r = 6.4.0-2-default", "ksym(default:mii_link_ok) = 3"] {
        assert!(provides.lines().contains(&line), "{provides}");
    }
}

/// rpm 4.20 gives some of one's tags to all that is built together.
#[test]
fn packages_that_are_built_at_once_keep_their_own_vendors() {
    let name = |tag: &str| format!("own-{}", tag.to_lowercase());
    let tags = ["BugURL", "Distribution", "Packager", "URL", "Vendor"];
    let mut wanted: Vec<PackageBuilder> =
        tags.iter().map(|tag| PackageBuilder::new(&name(tag), "1", "1").tag(tag, "http://x")).collect();
    wanted.push(PackageBuilder::new("own-none", "1", "1"));
    let packages = PackageBuilder::build_all(&wanted);
    let root = TestRoot::new();
    root.install(&packages.iter().collect::<Vec<_>>());
    for tag in tags {
        let with = root.rpm(["-qa", "--qf", &format!("%|{tag}?{{%{{name}}\\n}}|")]).expect_success();
        assert_eq!(with.stdout.trim(), name(tag), "{tag}");
    }
}

#[test]
fn awkward_paths_are_packaged_but_not_a_newline() {
    let root = TestRoot::new();
    let names: [&[u8]; 5] =
        [b"we ird\"q'.ko", b"b\xff\xfe.ko", b"st*r[1]{a}?.ko", b"pc%name\\back.ko", "ü.ko".as_bytes()];
    let mut package = PackageBuilder::new("odd", "1", "1").epoch(3).symlink("/usr/lib/odd/link", "we ird");
    for name in names {
        package = package.file(std::path::Path::new("usr/lib/odd").join(OsStr::from_bytes(name)), name);
    }
    root.install(&[&package.build()]);
    for name in names {
        assert_eq!(std::fs::read(root.join("usr/lib/odd").join(OsStr::from_bytes(name))).unwrap(), name);
    }
    assert_eq!(std::fs::read_link(root.join("/usr/lib/odd/link")).unwrap(), OsStr::new("we ird"));
    let output = package.file("usr/lib/odd/new\nline.ko", "").try_build().unwrap_err();
    assert!(output.stderr.contains("Illegal character (0xa)"), "{output}");
}

#[test]
fn scriptlets_run_in_the_root() {
    let root = TestRoot::new();
    let lua =
        PackageBuilder::new("lua", "1", "1").lua_scriptlet("post", "print('lua 100% ' .. arg[2])").build();
    let output = root.rpm([OsStr::new("-i"), lua.path().as_os_str()]).expect_success();
    assert_eq!(output.stdout, "lua 100% 1\n");

    root.add_program("/bin/sh", "/bin/sh");
    let shell = PackageBuilder::new("shell", "1", "1")
        .program("/usr/bin/tool", "#!/bin/sh\necho tool \"$@\"\n")
        .scriptlet("post", "/usr/bin/tool post $1 > /var/post")
        .scriptlet("postun", "echo gone $1")
        .build();
    root.rpm([OsStr::new("-i"), "--nodeps".as_ref(), shell.path().as_os_str()]).expect_success();
    assert_eq!(root.read("/var/post"), "tool post 1\n");
    assert_eq!(root.rpm(["-e", "shell"]).expect_success().stdout, "gone 0\n");
}

#[test]
fn a_tree_shows_every_change() {
    let root = TestRoot::unmerged();
    root.write("lib/modules/K/a.ko", "a");
    root.symlink("lib/modules/K/weak-updates/updates/a.ko", "/lib/modules/J/updates/a.ko");
    let (tree, times) = (root.tree(), root.tree_with_times());
    assert_eq!((&tree, &times), (&root.tree(), &root.tree_with_times()));
    let links: Vec<_> = root.weak_updates("K").into_iter().collect();
    assert_eq!(links, [("weak-updates/updates/a.ko".into(), "/lib/modules/J/updates/a.ko".into())]);
    root.write("lib/modules/K/a.ko", "a");
    assert_eq!(tree, root.tree());
    assert_ne!(times, root.tree_with_times());
    root.write("lib/modules/K/a.ko", "b");
    assert_ne!(tree, root.tree());
}
