// SPDX-License-Identifier: LGPL-2.1-or-later
//! The repository that `kmp update` is measured with, and a machine that it is for: made once, kept below the target directory.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use kmp_repo::rpmmd::Checksum;
use sha2::{Digest, Sha256};
use testkit::{Compression, KernelBuilder, PackageBuilder, Symvers, compress};

use super::roots::{BenchRoot, SYMBOLS, empty_root};

/// Raise it when what is made changes.
const FORMAT: u32 = 1;

/// Packages that are neither kernels nor drivers.
pub const PACKAGES: usize = 50_000;

/// Kernels that are newer than the installed one; each has a tenth of its symbols changed.
pub const KERNELS: usize = 10;

/// The driver that is installed has a build for this one of them.
const FITS: usize = 4;

const KREL: &str = "6.4.0-1-default";

/// A machine with a kernel and a driver, and the directory of the repository.
pub fn make(base: &Path) -> (BenchRoot, PathBuf) {
    let dir = base.join(format!("update-{FORMAT}"));
    let repository = dir.join("repository");
    if !dir.join("done").exists() {
        println!("making {} (once)", dir.display());
        let _ = fs::remove_dir_all(&dir);
        let tables: Vec<Symvers> = tables();
        machine(&dir, &tables[0]);
        lists(&repository, &tables);
        fs::write(dir.join("done"), "").expect("a new file");
    }
    (BenchRoot::at(dir), repository)
}

/// Drivers on the machine that [`with_drivers`] makes.
pub const DRIVERS: usize = 200;

/// The name of one of them.
pub fn driver(number: usize) -> String {
    format!("nic{number}-kmp-default")
}

/// A machine with an older kernel of the repository's, and many drivers: packages without files.
pub fn with_drivers(base: &Path) -> BenchRoot {
    let dir = base.join(format!("drivers-{FORMAT}"));
    if !dir.join("done").exists() {
        println!("making {} (once)", dir.display());
        let _ = fs::remove_dir_all(&dir);
        let root = empty_root(&dir);
        fs::create_dir_all(root.join("etc/zypp/repos.d")).expect("a new directory");
        let kernel = PackageBuilder::new("kernel-default", "6.4.0", "1");
        let drivers = (0..DRIVERS).map(|number| PackageBuilder::new(&driver(number), "1.0", "1"));
        let packages: Vec<_> = drivers.chain([kernel]).map(|p| p.tag("Vendor", VENDOR)).collect();
        install(&dir, &root, &packages);
        fs::write(dir.join("done"), "").expect("a new file");
    }
    BenchRoot::at(dir)
}

/// Of all packages but a driver.
const VENDOR: &str = "A distribution";

/// The installed kernel's symbols, and those of the ones that may come.
fn tables() -> Vec<Symvers> {
    let first = Symvers::generate(SYMBOLS, 1);
    let others: Vec<Symvers> = (1..=KERNELS).map(|n| first.changed(0.1, n as u64)).collect();
    [vec![first], others].concat()
}

/// What the driver needs of a kernel.
fn needed(table: &Symvers) -> impl Iterator<Item = (&str, u32)> {
    let of_vmlinux =
        table.entries.iter().filter(|entry| entry.exporter == "vmlinux" && entry.namespace.is_empty());
    of_vmlinux.step_by(100).take(60).map(|entry| (&*entry.name, entry.crc))
}

fn machine(dir: &Path, table: &Symvers) {
    let root = empty_root(dir);
    fs::create_dir_all(root.join("etc/zypp/repos.d")).expect("a new directory");
    let kernel = KernelBuilder::new(KREL).symvers(table.clone()).symvers_compression(Compression::Gz);
    let module =
        needed(table).fold(kernel.driver("nic"), |module, (name, crc)| module.need(name, crc)).build();
    let packages = [
        PackageBuilder::kernel(&kernel).ksyms("default", table),
        PackageBuilder::kmp("nic", "default", "1.0", KREL, [("nic.ko", module)])
            .provides("kmod(nic.ko)")
            .tag("Vendor", "Nics"),
    ];
    install(dir, &root, &packages);
}

fn install(dir: &Path, root: &Path, packages: &[PackageBuilder]) {
    let built = PackageBuilder::build_all(packages);
    let mut rpm = std::process::Command::new("rpm");
    rpm.env("HOME", dir.join("home")).arg("--root").arg(root).args(["--dbpath", "/var/lib/rpm", "-i"]);
    rpm.args(["--noscripts", "--nodeps", "--ignorearch"]).args(built.iter().map(|p| p.path()));
    testkit::run(&mut rpm).expect_success();
}

fn lists(repository: &Path, tables: &[Symvers]) {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let count = PACKAGES + KERNELS + 1;
    let _ = writeln!(
        xml,
        "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{count}\">"
    );
    for number in 0..PACKAGES {
        ordinary(&mut xml, number);
    }
    for (number, table) in tables.iter().enumerate().skip(1) {
        let provides: String = table.entries.iter().fold(String::new(), |mut list, entry| {
            let (name, crc) = (&entry.name, entry.crc);
            entry_of(&mut list, &format!("ksym(default:{name})"), &format!("{crc:x}"));
            list
        });
        let own = format!(
            "<rpm:entry name=\"kernel-uname-r\" flags=\"EQ\" epoch=\"0\" ver=\"6.4.0-{}-default\"/>",
            1 + number
        );
        package(&mut xml, "kernel-default", "6.4.0", 1 + number, &(own + &provides), "");
    }
    let requires = needed(&tables[FITS]).fold(String::new(), |mut list, (name, crc)| {
        entry_of(&mut list, &format!("ksym(default:{name})"), &format!("{crc:x}"));
        list
    });
    package(&mut xml, "nic-kmp-default", "2.0", 1, "    <rpm:entry name=\"kmod(nic.ko)\"/>\n", &requires);
    xml.push_str("</metadata>\n");

    let packed = compress(xml.as_bytes(), Compression::Gz);
    let sum = Checksum::Sha256(Sha256::digest(&packed).into());
    let repodata = repository.join("repodata");
    fs::create_dir_all(&repodata).expect("a new directory");
    fs::write(repodata.join("primary.xml.gz"), &packed).expect("a new file");
    let open = Checksum::Sha256(Sha256::digest(&xml).into());
    let repomd = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n\
         <revision>1</revision>\n<data type=\"primary\">\n<checksum type=\"sha256\">{sum}</checksum>\n\
         <open-checksum type=\"sha256\">{open}</open-checksum>\n<location href=\"repodata/primary.xml.gz\"/>\n\
         <timestamp>1</timestamp>\n<size>{}</size>\n<open-size>{}</open-size>\n</data>\n</repomd>\n",
        packed.len(),
        xml.len()
    );
    fs::write(repodata.join("repomd.xml"), repomd).expect("a new file");
}

fn entry_of(list: &mut String, name: &str, version: &str) {
    let _ = writeln!(list, "      <rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"0\" ver=\"{version}\"/>");
}

/// As large as packages of a distribution are on average: some 2.4 KiB.
fn ordinary(xml: &mut String, number: usize) {
    let mut provides = String::new();
    entry_of(&mut provides, &format!("lib{number}.so.1()(64bit)"), "1");
    entry_of(&mut provides, &format!("package{number}(x86-64)"), "1.2.3");
    let mut requires = String::new();
    for needed in 0..12 {
        let of = (number * 7 + needed * 131) % PACKAGES;
        let _ = writeln!(requires, "      <rpm:entry name=\"lib{of}.so.1()(64bit)\"/>");
    }
    let provides = provides + "      <rpm:entry name=\"/bin/sh\"/>\n";
    package(xml, &format!("package{number}"), "1.2.3", number % 9, &provides, &requires);
}

fn package(xml: &mut String, name: &str, version: &str, release: usize, provides: &str, requires: &str) {
    let sum = Checksum::Sha256(Sha256::digest(format!("{name}{release}")).into());
    let lorem = "It does what it is for, and can be asked for more: see its manual, which has all options. "
        .repeat(5);
    let _ = write!(
        xml,
        "<package type=\"rpm\">\n  <name>{name}</name>\n  <arch>x86_64</arch>\n  <version epoch=\"0\" ver=\"{version}\" rel=\"{release}\"/>\n  \
         <checksum type=\"sha256\" pkgid=\"YES\">{sum}</checksum>\n  <summary>What {name} is for</summary>\n  \
         <description>{lorem}</description>\n  <packager>https://bugs.example.org</packager>\n  \
         <url>https://example.org/{name}</url>\n  <time file=\"1700000000\" build=\"1700000000\"/>\n  \
         <size package=\"123456\" installed=\"456789\" archive=\"460000\"/>\n  \
         <location href=\"x86_64/{name}-{version}-{release}.x86_64.rpm\"/>\n  <format>\n    \
         <rpm:license>GPL-2.0-or-later</rpm:license>\n    <rpm:vendor>{VENDOR}</rpm:vendor>\n    \
         <rpm:group>System/Libraries</rpm:group>\n    <rpm:buildhost>build</rpm:buildhost>\n    \
         <rpm:sourcerpm>{name}-{version}-{release}.src.rpm</rpm:sourcerpm>\n    \
         <rpm:header-range start=\"4504\" end=\"12000\"/>\n    <rpm:provides>\n      \
         <rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"0\" ver=\"{version}\" rel=\"{release}\"/>\n{provides}    \
         </rpm:provides>\n    <rpm:requires>\n{requires}    </rpm:requires>\n    <file>/usr/bin/{name}</file>\n  \
         </format>\n</package>\n"
    );
}
