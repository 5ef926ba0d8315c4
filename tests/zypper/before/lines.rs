// SPDX-License-Identifier: LGPL-2.1-or-later
//! Several kernel lines, drivers that need each other, and thousands of rules.

use std::fmt::Write;
use std::process::Command;

use testkit::{KernelBuilder, PackageBuilder, run};

use super::scene::{Row, Scene, installed};
use super::{driver, offer, offered, site_with_rules};
use crate::packages::{kernel, telling};

/// A kernel of another line; its drivers are judged by its own symbols.
fn realtime(nth: usize, crc: u32) -> KernelBuilder {
    kernel(&format!("6.4.0-{}-rt", nth + 1), crc)
}

fn offered_rt(nth: usize, crc: u32) -> PackageBuilder {
    let kernel = realtime(nth, crc);
    PackageBuilder::kernel(&kernel).ksyms("rt", &kernel.full_symvers())
}

fn driver_rt(version: &str, nth: usize, crc: u32) -> PackageBuilder {
    let built_for = realtime(nth, crc);
    let module = built_for.driver("foo").need("printk", 0x1000_0001).need("changing", crc);
    PackageBuilder::kmp("foo", "rt", version, built_for.krel(), [("foo.ko", module.build())])
        .provides("kmod(foo.ko)")
        .requires(&format!("ksym(rt:changing) = {crc:x}"))
}

/// Each line for itself: what is missing in one keeps back no kernel of another; a line without drivers goes its way.
#[test]
fn each_line_of_kernels_has_its_own_drivers() {
    let Some(site) = site_with_rules() else { return };
    let azure = |nth: usize, crc: u32| telling(&kernel(&format!("6.4.0-{}-azure", nth + 1), crc));
    for package in [offered_rt(0, 17), driver_rt("1.0", 0, 17), azure(0, 27)] {
        site.install(&[&package.build()]);
    }
    offer(&site, &[offered(0), driver("1.0", 0, "One"), PackageBuilder::new("tool", "1", "1")]);
    offer(&site, &[offered_rt(0, 17), driver_rt("1.0", 0, 17), azure(0, 27)]);
    offer(&site, &[offered(1), driver("1.2", 1, "Two"), offered(2), offered_rt(1, 18), azure(1, 28)]);
    site.sh("zypper --quiet refresh").expect_success();
    let scene = Scene::of(&site);
    let comes = &["kernel-default-6.4.0-2", "foo-kmp-default-1.2_k6.4.0_2", "kernel-azure-6.4.0-2"];
    for row in [
        Row { words: "update", comes, status: 0, says: &["kernel-rt"] },
        Row { words: "dup", comes, status: 0, says: &[] },
        Row { words: "install kernel-rt=6.4.0-2", comes: &[], status: 4, says: &["kmp-hold(foo-kmp-rt)"] },
        Row { words: "update kernel-azure", comes: &comes[2..], status: 0, says: &[] },
    ] {
        row.check(&site);
        scene.again();
    }
    let held = site.sh("kmp --quiet update; kmp hold").stdout;
    assert!(held.starts_with("2 kernels are held back"), "{held}");
    // The other line's turn.
    offer(&site, &[driver_rt("1.1", 1, 18)]);
    let all = &[comes[0], comes[1], comes[2], "kernel-rt-6.4.0-2", "foo-kmp-rt-1.1_k6.4.0_2"];
    Row { words: "update", comes: all, status: 0, says: &[] }.check(&site);
}

/// One driver exports what the other uses, and both change with the kernel.
#[test]
fn drivers_that_need_each_other_come_with_their_kernel_or_none_does() {
    let Some(site) = site_with_rules() else { return };
    let pair = |nth: usize, crc: u32| {
        let version = format!("{}.0", nth + 1);
        let kernel = kernel(&format!("6.4.0-{}-default", nth + 1), crc);
        let exporter = kernel.driver("one").need("changing", crc).export("shared", crc).build();
        let user = kernel.driver("two").need("shared", crc).build();
        let kmp = |base: &str, module: Vec<u8>| {
            PackageBuilder::kmp(base, "default", &version, kernel.krel(), [(format!("{base}.ko"), module)])
                .provides(&format!("kmod({base}.ko)"))
        };
        let one = kmp("one", exporter)
            .provides(&format!("ksym(default:shared) = {crc:x}"))
            .requires(&format!("ksym(default:changing) = {crc:x}"));
        [one, kmp("two", user).requires(&format!("ksym(default:shared) = {crc:x}"))]
    };
    site.sh("rpm -e --nodeps --noplugins foo-kmp-default").expect_success();
    for package in pair(0, 7) {
        site.install(&[&package.build()]);
    }
    let [one, two] = pair(1, 8);
    offer(&site, &[offered(0), offered(1), one, PackageBuilder::new("tool", "2", "1")]);
    let says = &["kernel-default"];
    Row { words: "update", comes: &["tool-2"], status: 0, says }.check(&site);
    offer(&site, &[two]);
    let comes = &["kernel-default-6.4.0-2", "one-kmp-default-2.0_k6.4.0_2", "two-kmp-default-2.0_k6.4.0_2"];
    Row { words: "update", comes, status: 0, says }.check(&site);
}

/// Twenty drivers in a hundred kernels: two drivers are enough to hold a kernel.
#[test]
fn two_thousand_verdicts() {
    const DRIVERS: usize = 20;
    const KERNELS: usize = 100;
    let Some(site) = site_with_rules() else { return };
    let old = kernel("6.4.0-1-default", 7);
    let modules = (1..DRIVERS).map(|n| {
        let module =
            old.driver(&format!("nic{n:02}")).need("printk", 0x1000_0001).need("changing", 7).build();
        PackageBuilder::kmp(
            &format!("nic{n:02}"),
            "default",
            "1.0",
            old.krel(),
            [(format!("nic{n:02}.ko"), module)],
        )
        .provides(&format!("kmod(nic{n:02}.ko)"))
        .requires("ksym(default:changing) = 7")
    });
    site.install(&PackageBuilder::build_all(&modules.collect::<Vec<_>>()).iter().collect::<Vec<_>>());
    offer(&site, &[offered(2), PackageBuilder::new("tool", "2", "1")]);
    // As many kernels as that, of which the repository has no files.
    let place = site.root().join("repo/repodata");
    let mut create = Command::new("createrepo_c");
    run(create.args(["--quiet", "--general-compress-type=gz"]).arg(site.root().join("repo")))
        .expect_success();
    let list = run(Command::new("sh").args(["-c", "zcat \"$1\"/*-primary.xml.gz", "sh"]).arg(&place));
    let list = list.expect_success().stdout;
    let (head, rest) = list.split_at(list.find("<package type").unwrap());
    let (packages, _) = rest.split_at(rest.rfind("</metadata>").unwrap());
    let is_kernel = |package: &&str| package.contains("<name>kernel-default</name>");
    let one = packages.split_inclusive("</package>").find(is_kernel).unwrap();
    let mut many = format!("{head}{packages}");
    for n in 4..KERNELS + 3 {
        let other = one.replace("6.4.0-3", &format!("6.4.0-{n}"));
        let other = other.replace("ver=\"6.4.0\" rel=\"3\"", &format!("ver=\"6.4.0\" rel=\"{n}\""));
        // The checksum is what packages are told apart by.
        let at = other.find("pkgid=\"YES\">").unwrap() + "pkgid=\"YES\">".len();
        write!(many, "{}{n:04}{}", &other[..at], &other[at + 4..]).unwrap();
    }
    site.root().write("primary.xml", format!("{many}</metadata>\n"));
    let primary = site.root().join("primary.xml");
    run(Command::new("modifyrepo_c").arg("--remove").arg("primary").arg(&place)).expect_success();
    run(Command::new("modifyrepo_c").arg("--mdtype=primary").arg(&primary).arg(&place)).expect_success();
    let row = Row { words: "update", comes: &["tool-2"], status: 0, says: &["kernel-default"] };
    row.check(&site);
    let rules = site.root().read("etc/zypp/systemCheck.d/kmp.check");
    assert_eq!(
        rules.lines().filter(|rule| rule.contains("kmp-hold(")).count(),
        2 * KERNELS,
        "{:?}",
        installed(&site)
    );
}
