// SPDX-License-Identifier: LGPL-2.1-or-later
//! The whole way of a provider's driver: from a medium, and then, with the kernel that needs a newer one, from the provider's ftp
//! server, by zypper itself.

use testkit::{Package, PackageBuilder, Server, SigningKey, corrupted, run};

use super::before::offers::{driver, offered};
use super::before::{offer, site};
use super::managers::said;
use super::site::{Site, goes_through};

/// The command, for what a provider does on a machine of its own.
const KMP: &str = env!("CARGO_BIN_EXE_kmp");

fn file_name(package: &Package) -> &str {
    package.path().file_name().unwrap().to_str().unwrap()
}

/// Copies a directory into the root.
fn copy(site: &Site, from: &std::path::Path, to: &str) {
    run(std::process::Command::new("cp").arg("-r").arg(from).arg(site.root().join(to))).expect_success();
}

#[test]
fn a_driver_comes_from_a_medium_and_newer_ones_from_its_providers_server() {
    let key = SigningKey::new("Acme Drivers <keys@acme.example>");
    let (served, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::ftp(served.path());
    let site = site();
    offer(&site, &[PackageBuilder::new("tool", "2", "1")]);
    site.sh("rpm -e --noplugins foo-kmp-default").expect_success();
    // The provider makes a medium.
    let medium = work.path().join("medium");
    let signed = key.sign(&driver("1.0", 0, "Acme").build());
    let mut make = std::process::Command::new(KMP);
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
    run(make.arg(key.file()).arg(&medium).arg(signed.path())).expect_success();
    copy(&site, &medium, "medium");
    // The administrator is shown what is on it, and agrees.
    let output = site.sh("/medium/driver-setup");
    let words = said(&output);
    assert!(words.contains("fits 6.4.0-1-default") && words.contains("nobody can be asked"), "{words}");
    let output =
        site.sh(&format!("/medium/driver-setup --accept-key {}", key.fingerprint())).expect_success();
    assert!(said(&output).contains("zypper install foo-kmp-default"), "{output}");
    std::fs::remove_dir_all(site.root().join("medium")).unwrap();
    let output = site.zypper(&["install", "foo-kmp-default"]);
    // It reads rpm's words, of which rpm 6.1 has others: a good signature, and yet none.
    let words = said(&output);
    if words.contains("Header OpenPGP V4 ") && words.contains(": OK\n    Package header is not signed!") {
        testkit::skip("this libzypp does not understand what this rpm says of signatures");
        return;
    }
    let words = said(&goes_through(output));
    assert!(site.has("foo-kmp-default-1.0_k6.4.0_1"), "{words}");

    // A kernel comes that needs a newer one; the server has none that is signed well: the kernel is held, and says why.
    offer(&site, &[offered(2)]);
    let put = |package: &Package, bytes: Vec<u8>| {
        std::fs::write(served.path().join(file_name(package)), bytes).unwrap()
    };
    let [good, unsigned, tampered] = ["2.0", "2.1", "3.0"].map(|version| driver(version, 2, "Acme").build());
    put(&unsigned, std::fs::read(unsigned.path()).unwrap());
    put(&tampered, corrupted(&key.sign(&tampered), None));
    let words = said(&goes_through(site.zypper(&["update"])));
    assert!(!site.has("kernel-default-6.4.0-3"), "{words}");
    let hold = site.sh("kmp hold").stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for why in [
        "2.1_k6.4.0_3-1.x86_64.rpm is refused: it is not signed",
        "3.0_k6.4.0_3-1.x86_64.rpm is refused: it is not what it was when it was made",
    ] {
        assert!(hold.contains(why), "{hold}");
    }
    // With the one that is, both come in one update.
    put(&good, std::fs::read(key.sign(&good).path()).unwrap());
    let words = said(&goes_through(site.zypper(&["update"])));
    assert!(site.has("kernel-default-6.4.0-3") && site.has("foo-kmp-default-2.0_k6.4.0_3"), "{words}");
    let support = site.sh("kmp status --support");
    assert!(support.stdout.contains("foo-kmp-default") && support.stdout.contains("Acme"), "{support}");
    let doctor = site.sh("kmp doctor foo-kmp-default");
    assert!(doctor.status.is_some_and(|status| status < 2), "{doctor}");
    let keys = said(&site.sh("kmp key list"));
    assert!(
        keys.contains("accepted for packages from acme") && keys.contains("foo-kmp-default-2.0_k6.4.0_3-1"),
        "{keys}"
    );
}
