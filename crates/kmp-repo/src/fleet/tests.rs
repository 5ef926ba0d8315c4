// SPDX-License-Identifier: LGPL-2.1-or-later
//! Drivers that are judged kin by kin, and all together: what becomes of them is the same.

use std::fmt::Write as _;

use testkit::Noise;

use super::*;
use crate::offer::CONCERNED;
use crate::rpmmd::packages;
use crate::update::Offer;
use kin::Kin;
use kmp_core::inventory::ModulesDirs;

const KERNELS: usize = 4;
const DRIVERS: usize = 6;

fn entry(name: &str, version: usize) -> String {
    format!("<rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"0\" ver=\"{version:x}\"/>")
}

fn package(name: &str, version: &str, release: usize, [provides, requires, obsoletes]: [&str; 3]) -> String {
    format!(
        "<package type=\"rpm\"><name>{name}</name><arch>x86_64</arch><version epoch=\"0\" ver=\"{version}\" rel=\"{release}.1\"/>\
         <checksum type=\"sha256\" pkgid=\"YES\">{:064}</checksum><location href=\"x.rpm\"/><format>\
         <rpm:sourcerpm>{name}-{version}.src.rpm</rpm:sourcerpm><rpm:provides>{provides}</rpm:provides>\
         <rpm:requires>{requires}</rpm:requires><rpm:obsoletes>{obsoletes}</rpm:obsoletes></format></package>",
        0
    )
}

/// Kernels, and drivers of which some export to others.
fn world(noise: &mut Noise) -> String {
    let mut xml = String::from(
        "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">",
    );
    let of_kernel = |symbol: usize, kernel: usize| 1 + kernel / (1 + symbol);
    for kernel in 0..KERNELS {
        let mut provides = format!(
            "<rpm:entry name=\"kernel-uname-r\" flags=\"EQ\" epoch=\"0\" ver=\"6.4.0-{kernel}-default\"/>"
        );
        // Of no kernel it is said that this is all: else what nobody exports is missing, but not known where there are others.
        for symbol in 0..4 {
            provides.push_str(&entry(&format!("ksym(default:k{symbol})"), of_kernel(symbol, kernel)));
        }
        xml.push_str(&package("kernel-default", "6.4.0", kernel, [&provides, "", ""]));
    }
    for driver in 0..DRIVERS {
        // Another that it may need.
        let (other, needs_it) = (noise.below(DRIVERS), noise.below(3) == 0);
        let symbol = noise.below(4);
        for kernel in 0..KERNELS {
            if kernel > 0 && noise.below(3) == 0 {
                continue;
            }
            let exports = of_kernel(noise.below(4), kernel);
            let mut provides = entry(&format!("ksym(default:x{driver})"), exports);
            let _ = write!(provides, "<rpm:entry name=\"kmod(m{driver}.ko)\"/>");
            let mut requires = entry(&format!("ksym(default:k{symbol})"), of_kernel(symbol, kernel));
            if needs_it && other != driver {
                requires.push_str(&entry(&format!("ksym(default:x{other})"), exports));
            }
            let version = format!("1.{kernel}");
            let of = [provides.as_str(), &requires, ""];
            xml.push_str(&package(&format!("d{driver}-kmp-default"), &version, 1, of));
        }
    }
    xml.push_str("</metadata>");
    xml
}

fn offers(xml: &str) -> Offers {
    let mut offers = Offers::default();
    packages(xml.as_bytes(), &CONCERNED, &mut |package| {
        let list = match package.name() {
            "kernel-default" => &mut offers.kernels,
            _ => &mut offers.drivers,
        };
        list.push(Offer { package: package.clone(), repository: "repo".into() });
    })
    .unwrap();
    for list in [&mut offers.kernels, &mut offers.drivers] {
        list.reverse();
    }
    offers
}

#[test]
fn kin_by_kin_it_is_as_all_together() {
    let (mut split, mut lost, mut along) = (0, 0, 0);
    for seed in 0..12 {
        let mut noise = Noise::new(seed);
        let offers = offers(&world(&mut noise));
        let mut machines = Machines::default();
        for machine in 0..6 {
            let kmps: Vec<String> = (0..DRIVERS)
                .filter(|_| noise.below(2) == 0)
                .map(|driver| format!("\"d{driver}-kmp-default-1.0-1.1.x86_64\""))
                .collect();
            let line = format!(
                "{{\"machine\":\"m{machine}\",\"kernels\":[\"kernel-default-6.4.0-0.1.x86_64\"],\"kmps\":[{}]}}\n",
                kmps.join(",")
            );
            machines.add_lines("list", line.as_bytes()).unwrap();
        }
        let kernels = Kernels::new(ModulesDirs::default());
        let by_kin = Catalog::of(&offers, &kernels);
        let mut together = Catalog::of(&offers, &kernels);
        together.kin = Kin::all(&offers.drivers);
        split += usize::from((0..DRIVERS).any(|d| {
            by_kin.kin.of_package(&format!("d{d}-kmp-default")) != by_kin.kin.of_package("d0-kmp-default")
        }));
        let (one, other) = (judge_by(&machines, &by_kin), judge_by(&machines, &together));
        for (one, other) in one.iter().zip(&other) {
            for (one, other) in one.fates.iter().zip(&other.fates) {
                assert_eq!(one.kernel.package, other.kernel.package);
                // What else there is may differ: where one is missing, together all are looked at for newer builds, also of what
                // stays.
                for verdict in [DriverVerdict::Missing, DriverVerdict::Unknown] {
                    let of = |fate: &Fate| {
                        let drivers = fate.kernel.drivers.iter().filter(|d| d.verdict == verdict);
                        drivers.map(|d| d.driver.clone()).collect::<Vec<_>>()
                    };
                    assert_eq!(of(one), of(other), "{seed}");
                }
                let count = |verdict| one.kernel.drivers.iter().filter(|d| d.verdict == verdict).count();
                lost += count(DriverVerdict::Missing);
                along += count(DriverVerdict::ComesAlong);
            }
        }
    }
    assert!(split > 5 && lost > 20 && along > 20, "{split} {lost} {along}");
}

#[test]
fn what_ties_drivers_together() {
    let kmod = |name: &str| format!("<rpm:entry name=\"kmod({name}.ko)\"/>");
    let symbol = |name: &str| entry(&format!("ksym(default:{name})"), 1);
    let package = |name: &str, of: [&str; 3]| package(name, "1", 1, of);
    let module = |name: &str, module: &str| package(name, [&kmod(module), &symbol("printk"), ""]);
    let packages = [
        module("a-kmp-default", "one"),
        module("b-kmp-default", "one"),
        package("c-kmp-default", [&symbol("x"), &symbol("printk"), ""]),
        package("d-kmp-default", ["", &symbol("x"), ""]),
        package("e-kmp-default", [&kmod("e"), "", "<rpm:entry name=\"f-kmp-default\"/>"]),
        module("f-kmp-default", "f"),
        // Which modules it has it does not say.
        package("two-words-kmp-default", ["", &symbol("printk"), ""]),
        module("g-kmp-rt", "two_words"),
        module("alone-kmp-default", "alone"),
    ];
    let xml = format!(
        "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">{}</metadata>",
        packages.concat()
    );
    let (offers, kernels) = (offers(&xml), Kernels::new(ModulesDirs::default()));
    let kin = Kin::of(&offers.drivers, &kernels);
    let of = |name: &str| kin.of_package(name).unwrap();
    let pairs = [["a-kmp-default", "b-kmp-default"], ["c-kmp-default", "d-kmp-default"]];
    let pairs =
        [&pairs[..], &[["e-kmp-default", "f-kmp-default"], ["two-words-kmp-default", "g-kmp-rt"]]].concat();
    for [one, other] in &pairs {
        assert_eq!(of(one), of(other), "{one} {other}");
        assert_eq!(kin.offers(of(one)).len(), 2, "{one}");
    }
    assert_eq!(kin.offers(of("alone-kmp-default")).len(), 1);
    assert_eq!(kin.of_package("nobody-kmp-default"), None);
}
