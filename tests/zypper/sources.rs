// SPDX-License-Identifier: LGPL-2.1-or-later
//! The whole way of a provider's driver: from a medium, and then, with the kernel that needs a newer one, from the provider's ftp
//! server, by zypper itself.

use std::path::Path;
use std::process::Command;

use rpm_meta::openpgp::groups;
use testkit::{Package, PackageBuilder, Server, SigningKey, corrupted, run};

use super::before::offers::{claims, offered};
use super::before::{offer, site};
use super::managers::said;
use super::site::{Site, goes_through};

/// The command, for what a provider does on a machine of its own.
const KMP: &str = env!("CARGO_BIN_EXE_kmp");

fn file_name(package: &Package) -> &str {
    package.path().file_name().unwrap().to_str().unwrap()
}

/// A medium as an image on a loop device, whose node is in the root. It goes with the value.
struct Device(String);

impl Device {
    /// Of a directory's files; or why this machine has no such device.
    fn of(site: &Site, dir: &Path, image: &Path) -> Result<Self, String> {
        let done = |command: &mut Command| {
            let output = run(command);
            if output.success() { Ok(output.stdout.trim().to_owned()) } else { Err(output.stderr) }
        };
        done(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).arg(dir).arg(image).arg("16M"))?;
        let name = done(Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(image))?;
        let device = Self(name);
        site.root().mkdir("dev");
        done(Command::new("cp").args(["--archive", &device.0]).arg(site.root().join("dev")))?;
        let mounted = site.sh(&format!("mkdir -p /mnt && mount -o ro {} /mnt", device.0));
        if mounted.success() { Ok(device) } else { Err(mounted.stderr) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        run(Command::new("losetup").args(["--detach", &self.0]));
    }
}

/// Whom the driver is for.
const DEVICE: &str = "pci:v00000ACEd000010D3sv0sd0bc02sc00i00";

/// A build of the provider's driver for the nth kernel.
fn acme(version: &str, nth: usize) -> PackageBuilder {
    claims("foo", version, nth, &["pci:v00000ACEd*sv*sd*bc*sc*i*"]).tag("Vendor", "Acme")
}

/// With one blank between words: lines are as long as they may be.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A system with a kernel and a device that no driver is for.
fn machine() -> Site {
    let site = site();
    offer(&site, &[PackageBuilder::new("tool", "2", "1")]);
    site.sh("rpm -e --noplugins foo-kmp-default").expect_success();
    let root = site.root();
    root.write("usr/share/hwdata/pci.ids", "0ace  Acme\n\t10d3  Frame Grabber\n");
    root.write("sys/devices/pci0000:00/0000:00:02.0/modalias", format!("{DEVICE}\n"));
    root.symlink("sys/devices/pci0000:00/0000:00:02.0/subsystem", "/sys/bus/pci");
    site
}

#[test]
fn a_driver_comes_from_a_medium_and_newer_ones_from_its_providers_server() {
    let key = SigningKey::new("Acme Drivers <keys@acme.example>");
    let (served, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::ftp(served.path());
    let site = machine();
    let devices = words(&site.sh("kmp devices").expect_success().stdout);
    assert!(
        devices.contains("Without a driver Acme Frame Grabber, pci no module of the kernels"),
        "{devices}"
    );
    // The provider makes a medium.
    let dir = work.path().join("medium");
    let signed = key.sign(&acme("1.0", 0).build());
    let mut make = Command::new(KMP);
    make.args([
        "medium",
        "make",
        "--label",
        "Acme Inc.",
        "--name",
        "acme",
        "--source",
        server.url(),
        "--key",
    ]);
    run(make.arg(key.file()).arg(&dir).arg(signed.path())).expect_success();
    // The administrator has a device with it, is shown what is on it, and asked.
    let device = Device::of(&site, &dir, &work.path().join("medium.img"));
    let medium = match &device {
        Ok(Device(name)) => name.as_str(),
        Err(why) => {
            testkit::skip(&format!("no medium on a loop device, but in a directory: {why}"));
            run(Command::new("cp").arg("-r").arg(&dir).arg(site.root().join("medium"))).expect_success();
            "/medium"
        }
    };
    let set_up = match &device {
        Ok(Device(name)) => format!("mount -o ro {name} /mnt && /mnt/driver-setup"),
        Err(_) => "/medium/driver-setup".to_owned(),
    };
    let asked = said(&site.sh(&set_up));
    assert!(asked.contains("fits 6.4.0-1-default") && asked.contains("nobody can be asked"), "{asked}");
    let add = ["kmp", "medium", "add", medium];
    let screen = words(&site.system.typed_on_a_terminal(&[], &add, "n\n"));
    assert!(screen.contains("nothing was registered, and no key was imported"), "{screen}");
    assert!(!said(&site.sh("kmp sources list")).contains("acme"));
    let screen = words(&site.system.typed_on_a_terminal(&[], &add, "y\n"));
    for shown in [
        "Acme Inc.",
        &format!("newer packages will come from {}", server.url()),
        "foo-kmp-default-1.0_k6.4.0_1-1.x86_64.rpm: fits 6.4.0-1-default; signature: unknown-key",
        &format!(
            "key {} of Acme Drivers <keys@acme.example>; rpm does not know it",
            groups(key.fingerprint())
        ),
        "Import the key and register this source [y/N]?",
        "The source acme is registered",
        "zypper install foo-kmp-default",
    ] {
        assert!(screen.contains(shown), "{shown}: {screen}");
    }
    drop(device);
    let output = site.zypper(&["install", "foo-kmp-default"]);
    // It reads rpm's words, of which rpm 6.1 has others: a good signature, and yet none.
    let shown = said(&output);
    if shown.contains("Header OpenPGP V4 ") && shown.contains(": OK\n    Package header is not signed!") {
        testkit::skip("this libzypp does not understand what this rpm says of signatures");
        return;
    }
    let shown = said(&goes_through(output));
    assert!(site.has("foo-kmp-default-1.0_k6.4.0_1"), "{shown}");

    // A kernel comes that needs a newer one; the server has none that is signed well: the kernel is held, and says why.
    offer(&site, &[offered(2)]);
    let put = |package: &Package, bytes: Vec<u8>| {
        std::fs::write(served.path().join(file_name(package)), bytes).unwrap()
    };
    let [good, unsigned, tampered] = ["2.0", "2.1", "3.0"].map(|version| acme(version, 2).build());
    put(&unsigned, std::fs::read(unsigned.path()).unwrap());
    let changed = corrupted(&key.sign(&tampered), None);
    site.root().write("var/tmp/changed.rpm", &changed);
    put(&tampered, changed);
    let shown = said(&goes_through(site.zypper(&["update"])));
    assert!(!site.has("kernel-default-6.4.0-3"), "{shown}");
    let hold = words(&site.sh("kmp hold").stdout);
    for why in [
        "2.1_k6.4.0_3-1.x86_64.rpm is refused: it is not signed",
        "3.0_k6.4.0_3-1.x86_64.rpm is refused: it is not what it was when it was made",
    ] {
        assert!(hold.contains(why), "{hold}");
    }
    // With the one that is, both come in one update.
    put(&good, std::fs::read(key.sign(&good).path()).unwrap());
    let shown = said(&goes_through(site.zypper(&["update"])));
    assert!(site.has("kernel-default-6.4.0-3") && site.has("foo-kmp-default-2.0_k6.4.0_3"), "{shown}");
    tells_the_rest(&site);
}

/// What the machine has, who answers for it, and whether it is sound.
fn tells_the_rest(site: &Site) {
    let devices = words(&site.sh("kmp devices").expect_success().stdout);
    assert!(devices.contains("Acme Frame Grabber, pci foo-kmp-default-"), "{devices}");
    for driver in [
        "2.0_k6.4.0_3-1 (foo): ",
        " in 6.4.0-3-default; signed by Acme Drivers <keys@acme.example> with the key ",
    ] {
        assert!(devices.contains(driver), "{driver}: {devices}");
    }
    let support = words(&site.sh("kmp status --support").expect_success().stdout);
    for of in ["foo foo-kmp-default-2.0_k6.4.0_3-1 vendor: Acme", "not signed", "would taint the kernel"] {
        assert!(support.contains(of), "{of}: {support}");
    }
    let doctor = site.sh("kmp doctor foo-kmp-default");
    assert_eq!(doctor.status, Some(1), "{doctor}");
    for rule in ["note module-signature: this does not hold", "foo.ko is not signed"] {
        assert!(words(&doctor.stdout).contains(rule), "{rule}: {doctor}");
    }
    let doctor = site.sh("kmp doctor /var/tmp/changed.rpm");
    assert!(words(&doctor.stdout).contains("warning signature: this does not hold"), "{doctor}");
    let doctor = site.sh("kmp doctor");
    assert!(doctor.status.is_some_and(|status| status < 2), "{doctor}");
    for sound in [" links:", " index:", " lost:"] {
        assert!(!doctor.stdout.contains(sound), "{sound}: {doctor}");
    }
    let keys = said(&site.sh("kmp key list"));
    assert!(
        keys.contains("accepted for packages from acme") && keys.contains("foo-kmp-default-2.0_k6.4.0_3-1"),
        "{keys}"
    );
}
