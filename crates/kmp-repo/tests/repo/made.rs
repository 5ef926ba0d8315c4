// SPDX-License-Identifier: LGPL-2.1-or-later
//! A repository: kernels and drivers of both dialects, and packages that are neither.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use kmp_fs::root::Root;
use kmp_repo::offer::{CONCERNED, Concern};
use kmp_repo::repository::{MetadataDir, RepositoryError};
use kmp_repo::rpmmd::{Listed, Wanted};
use testkit::{Package, PackageBuilder, TestRoot, run};

/// The packages, built once.
pub fn built() -> &'static [Package] {
    static BUILT: OnceLock<Vec<Package>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let kernel = |release: &str, crc: &str| {
            PackageBuilder::new("kernel-default", "6.4.0", release)
                .source("kernel-source")
                .provides(&format!("kernel-uname-r = 6.4.0-{release}-default"))
                .provides("ksym(default:module_layout) = 1")
                .provides(&format!("ksym(default:foo) = {crc}"))
                .provides("multiversion(kernel)")
        };
        let nic = |version: &str, crc: &str| {
            PackageBuilder::new("nic-kmp-default", version, "1.1")
                .provides("kmod(nic.ko)")
                .requires("ksym(default:module_layout) = 1")
                .requires(&format!("ksym(default:foo) = {crc}"))
                .tag("Supplements", "modalias(kernel-default:pci:v00001234d*sv*sd*bc*sc*i*)")
                .tag("Vendor", "Nics & <Co> \"GmbH\"")
        };
        let packages = [
            kernel("1", "aaaa"),
            kernel("2", "bbbb"),
            nic("1.0_k6.4.0_1", "aaaa"),
            nic("1.0_k6.4.0_2", "bbbb"),
            PackageBuilder::new("kernel-core", "6.12.0", "1.el10")
                .provides("kernel-uname-r = 6.12.0-1.el10.x86_64")
                .provides("kernel(foo) = 0x0000aaaa"),
            PackageBuilder::new("kmod-nic", "1.0", "1.el10").requires("kernel(foo) = 0x0000aaaa"),
            PackageBuilder::new("kmod-odd", "1.0", "1").epoch(1).requires("kernel(gone) = 0x00000001"),
            PackageBuilder::new("bash", "5", "1").epoch(2).provides("sh").requires("glibc >= 2:2.3-1"),
            PackageBuilder::new("kernel-devel", "6.12.0", "1.el10").provides("kernel-devel-uname-r = x"),
        ];
        // One at a time: several have the same name.
        packages.iter().map(PackageBuilder::build).collect()
    })
}

/// A root with them in `/repo`, whose metadata is made with these options of createrepo_c.
pub fn repository(options: &[&str]) -> TestRoot {
    let root = TestRoot::new();
    for package in built() {
        let name = Path::new("repo").join(package.path().file_name().unwrap());
        root.write(name, std::fs::read(package.path()).unwrap());
    }
    run(Command::new("createrepo_c").arg("--quiet").args(options).arg(root.join("repo"))).expect_success();
    root
}

/// Its list of packages, decompressed.
pub fn primary(root: &TestRoot) -> Vec<u8> {
    let files = std::fs::read_dir(root.join("repo/repodata")).unwrap().map(|entry| entry.unwrap().path());
    let is_list = |path: &PathBuf| path.to_string_lossy().contains("primary.xml");
    let packed = std::fs::read(files.into_iter().find(is_list).unwrap()).unwrap();
    kmp_fs::unpack::inflate(packed, 1 << 20).unwrap().into_owned()
}

/// A repository of one list.
pub fn repository_of(location: &str, list: &[u8], sum: &str, sizes: &str) -> TestRoot {
    let root = TestRoot::new();
    let xml = format!(
        "<repomd><data type=\"primary\"><checksum type=\"sha256\">{sum}</checksum>\
         <location href=\"{location}\"/>{sizes}</data></repomd>"
    );
    root.write("repo/repodata/repomd.xml", xml);
    root.write("repo/repodata/primary.xml", list);
    root.write("secret.xml", list);
    root
}

/// Its SHA-256.
pub fn sum_of(list: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(list).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is in a directory of metadata.
pub fn read(root: &TestRoot, dir: &Path) -> Result<Vec<Listed>, RepositoryError> {
    let root = Root::open(&root.path()).unwrap();
    let dir = MetadataDir::new(&root, dir);
    let mut all = Vec::new();
    dir.packages(&dir.repomd()?, &Wanted::ALL, &mut |package| all.push(package.clone()))?;
    // Those that concern drivers are found among all.
    let mut concerned = Vec::new();
    dir.packages(&dir.repomd()?, &CONCERNED, &mut |package| concerned.push(package.nvra()))?;
    let expected = all.iter().filter(|p| Concern::of(p) != Concern::Nothing);
    assert_eq!(concerned, expected.map(Listed::nvra).collect::<Vec<_>>());
    all.sort_by_key(Listed::nvra);
    Ok(all)
}

/// Their names, with what they are to drivers.
pub fn concerns(packages: &[Listed]) -> Vec<String> {
    packages.iter().map(|p| format!("{} {:?}", p.nvra(), Concern::of(p))).collect()
}

/// What [`concerns`] says of [`built`].
pub const CONCERNS: [&str; 9] = [
    "bash-5-1.x86_64 Nothing",
    "kernel-core-6.12.0-1.el10.x86_64 Kernel",
    "kernel-default-6.4.0-1.x86_64 Kernel",
    "kernel-default-6.4.0-2.x86_64 Kernel",
    "kernel-devel-6.12.0-1.el10.x86_64 Nothing",
    "kmod-nic-1.0-1.el10.x86_64 Driver",
    "kmod-odd-1.0-1.x86_64 Driver",
    "nic-kmp-default-1.0_k6.4.0_1-1.1.x86_64 Driver",
    "nic-kmp-default-1.0_k6.4.0_2-1.1.x86_64 Driver",
];
