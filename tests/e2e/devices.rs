// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp devices`: what is on the machine, and which drivers are for it.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::json;
use testkit::{KernelBuilder, PackageBuilder, TestRoot};

use crate::support::*;
use crate::update::{build, repository};

/// A PCI device of a vendor, bound to a driver or not.
pub fn device(root: &TestRoot, slot: &str, vendor: &str, driver: Option<&str>) -> String {
    let path = format!("sys/devices/pci0000:00/0000:00:{slot}");
    root.write(format!("{path}/modalias"), format!("pci:v0000{vendor}d000010D3sv0sd0bc02sc00i00\n"));
    root.symlink(format!("{path}/subsystem"), "/sys/bus/pci");
    if let Some(driver) = driver {
        root.symlink(format!("{path}/driver"), format!("/sys/bus/pci/drivers/{driver}"));
    }
    format!("/{path}")
}

#[test]
fn devices_have_names_and_the_drivers_that_claim_them() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let module =
        |name: &str, vendor: &str| driver(name, &old, 7).alias(&format!("pci:v0000{vendor}d*sv*sd*bc*sc*i*"));
    let cam = module("cam", "0ACE").supported("external");
    root.install(&[&package("cam", "1.0", &old, &[("cam", cam)])]);
    // The newest kernel refuses it. Its index knows of a module of its own.
    let index = |text: &str| root.write(format!("usr/lib/modules/{OTHER}/modules.alias"), text);
    index(
        "# Aliases\nalias pci:v00008086d*sv*sd*bc*sc*i* e1000e\nalias pci:v00001111d*sv*sd*bc*sc*i* other-one\n",
    );
    root.write("usr/share/hwdata/pci.ids", "0ace  Acme\n\t10d3  Frame Grabber\n8086  Intel\n");
    let bound = device(&root, "01.0", "8086", Some("e1000e"));
    root.symlink("sys/bus/pci/drivers/e1000e/module", "/sys/module/e1000e");
    root.mkdir("sys/module/e1000e");
    let grabber = device(&root, "02.0", "0ACE", None);
    let grabber_too = device(&root, "03.0", "0ACE", None);
    device(&root, "04.0", "1111", None);
    device(&root, "05.0", "2222", None);
    device(&root, "06.0", "3333", Some("built-in"));
    root.write("sys/devices/platform/beep/modalias", "platform:beep\n");
    root.symlink("sys/devices/platform/beep/subsystem", "/sys/bus/platform");

    let found = writes_nothing(&root, || json(&root, &["devices"]));
    assert_eq!((&found["running"], &found["newest"]), (&json!(null), &json!(OTHER)));
    let of = |vendor: &str| {
        let all = found["devices"].as_array().unwrap();
        let found = all.iter().find(|d| d["modalias"].as_str().unwrap().contains(vendor));
        found.unwrap_or_else(|| panic!("{vendor}: {all:?}"))
    };
    let acme = of("0ACE");
    assert_eq!((&acme["name"], &acme["driver"]), (&json!("Acme Frame Grabber"), &json!(null)));
    assert_eq!(acme["paths"], json!([grabber, grabber_too]));
    let kmp = json!([{
        "package": "cam-kmp-default-1.0_k6.4.0_1-1", "modules": ["cam"], "supported": "external", "signers": [],
        "kernels": [{"release": OTHER, "state": "refused"}],
    }]);
    assert_eq!((&acme["kmps"], &acme["modules"]), (&kmp, &json!([])));
    let own = of("1111");
    assert_eq!(own["modules"], json!([{"name": "other_one", "kernels": [OTHER]}]));
    assert_eq!((&of("8086")["module"], &of("8086")["paths"]), (&json!("e1000e"), &json!([bound])));
    assert_eq!(of("8086")["name"], json!("Intel 8086:10d3"));
    let drivers: Vec<bool> =
        found["devices"].as_array().unwrap().iter().map(|d| d["driver"].is_null()).collect();
    assert_eq!(drivers, [true, true, true, true, false, false]);

    let said = good(&root, &["devices"]);
    let place = |text: &str| said.stdout.find(text).unwrap_or_else(|| panic!("{text}: {said}"));
    let acme = "Acme Frame Grabber, pci (2 times)\n    cam-kmp-default-1.0_k6.4.0_1-1 (cam): refused in 6.4.0-3-default; not \
                signed; supported by its provider and the distributor\n";
    assert!(place("Without a driver\n") < place(acme) && place(acme) < place("With a driver\n"), "{said}");
    assert!(place("With a driver\n") < place("Intel 8086:10d3, pci: e1000e\n"), "{said}");
    place("1111:10d3, pci\n    the kernels' own modules for it: other_one\n");
    place(
        "2222:10d3, pci\n    no module of the kernels looked at, no installed KMP and none in a repository is for it\n",
    );
    place("2 devices more, of no interest here: kmp devices --all\n");
    let said = good(&root, &["devices", "--all"]);
    for text in [
        "built-in, built into the kernel",
        "platform:beep",
        "/sys/devices/pci0000:00/0000:00:01.0 pci:v00008086",
    ] {
        assert!(said.stdout.contains(text), "{text}: {said}");
    }
    let empty = good(&TestRoot::new(), &["devices"]);
    assert!(empty.stdout.contains("no device is to be seen"), "{empty}");
}

/// Not the ones that fit no kernel here, that are for other devices, or that are installed.
#[test]
fn drivers_in_repositories_are_offered_for_devices_without_one() {
    let root = TestRoot::new();
    let [old, _, other] = three_kernels(&root);
    root.write("usr/share/hwdata/pci.ids", "0ace  Acme\n\t10d3  Frame Grabber\n");
    device(&root, "02.0", "0ACE", None);
    device(&root, "03.0", "0BAD", None);
    let offered = |base: &str, version: &str, kernel: &KernelBuilder, crc: u32, vendor: &str| {
        let alias = format!("modalias(kernel-default:pci:v0000{vendor}d*sv*sd*bc*sc*i*)");
        build(base, version, kernel, crc).tag("Supplements", &alias).tag("Vendor", "Acme")
    };
    let repo = repository(
        &root,
        "drivers",
        &[
            offered("cam", "1.0", &old, 7, "0ACE"),
            offered("cam", "2.0", &other, 8, "0ACE"),
            offered("grab", "9.0", &old, 7, "0ACE"),
            offered("tape", "1.0", &other, 8, "1111"),
        ],
    );
    let found = writes_nothing(&root, || json(&root, &["devices", &repo]));
    let devices = found["devices"].as_array().unwrap();
    let offers = &devices.iter().find(|d| d["name"] == "Acme Frame Grabber").unwrap()["offers"];
    let cam = "cam-kmp-default-2.0_k6.4.0_3-1.x86_64";
    let cam = cam.replace("x86_64", std::env::consts::ARCH);
    assert_eq!(
        [&offers[0]["package"], &offers[0]["repository"], &offers[0]["vendor"], &offers[0]["recommended"]],
        [&json!(cam), &json!("drivers"), &json!("Acme"), &json!(true)]
    );
    assert_eq!(offers[0]["kernels"], json!([{"release": OTHER, "fits": true}]));
    assert_eq!((&offers[1]["recommended"], &offers[1]["kernels"][0]["fits"]), (&json!(false), &json!(false)));
    assert!(offers[1]["kernels"][0]["reason"].as_str().unwrap().contains("changing"), "{offers}");
    assert_eq!(offers.as_array().unwrap().len(), 2);
    // They are on this machine, so that all of them was looked at.
    let signature = &offers[0]["signature"];
    assert_eq!(
        [&signature["trust"], &signature["whole"], &signature["supported"]],
        [&json!("unsigned"), &json!(true), &json!("no")],
        "{signature}"
    );
    let said = good(&root, &["devices", &repo]);
    assert!(
        said.stdout.contains(&format!(
            "{cam} by Acme, not installed, in repository drivers: fits {OTHER}; recommended (kmp devices \
             --install); not signed, so that anybody may have made it; without support"
        )),
        "{said}"
    );
    let said = good(&root, &["devices", "--install", &repo]);
    assert_eq!(said.stdout, "zypper install cam-kmp-default=2.0_k6.4.0_3-1\n");
    // What is installed and works is not offered.
    install(&root, &[&offered("cam", "2.0", &other, 8, "0ACE").build()]);
    good(&root, &["sync"]);
    let said = good(&root, &["devices", "--install", &repo]);
    assert!(said.stdout.starts_with("no device without a driver has one"), "{said}");
    // dnf goes by the whole name.
    root.write("etc/os-release", "ID=fedora\n");
    let alias = "modalias(pci:v00000BADd*sv*sd*bc*sc*i*)";
    let bad = PackageBuilder::new("kmod-bad", "1", "1").provides("kmod(bad.ko)").provides(alias);
    let bad = bad
        .requires(&format!("kernel(changing) = {:#x}", 8))
        .requires(&format!("kernel(printk) = {:#x}", 0x1000_0001));
    let repo = repository(&root, "kmods", &[bad]);
    let said = good(&root, &["devices", "--install", &repo]);
    assert_eq!(said.stdout, format!("dnf install kmod-bad-1-1.{}\n", std::env::consts::ARCH));
}
