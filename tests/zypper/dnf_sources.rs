// SPDX-License-Identifier: LGPL-2.1-or-later
//! A driver whose package names its provider's server: with the kernel that needs a newer one, `kmp update` has it verified in kmp's own
//! repository, and a plain `dnf upgrade` takes both.

use std::path::Path;
use std::process::Command;

use rpm_meta::openpgp::groups;
use testkit::{Package, PackageBuilder, Server, SigningKey, corrupted, run};

use crate::dnf_plugins::{dnf, machine_with, table};
use crate::managers::{Machine, Manager, said};
use crate::support::goes_through;

/// The source that the driver's package names.
const RECORD: &str = "/usr/share/kmp/sources/kmod-foo";

/// kmp's own repository, as dnf knows it.
const REPO_FILE: &str = "etc/yum.repos.d/kmp-drivers.repo";

#[test]
fn by_dnf() {
    comes_from_its_providers_server(Manager::Dnf);
}

#[test]
fn by_dnf5() {
    if Manager::Dnf5.is_there() {
        comes_from_its_providers_server(Manager::Dnf5);
    }
}

/// Puts a package on the provider's server, which is a repository.
fn publish(served: &Path, package: &Package, bytes: &[u8]) {
    std::fs::write(served.join(package.path().file_name().unwrap()), bytes).unwrap();
    index(served);
}

fn index(dir: &Path) {
    run(Command::new("createrepo_c").arg("--quiet").arg(dir)).expect_success();
}

/// What a program says, without the ends of its lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fetched(machine: &Machine) -> Vec<String> {
    let all = machine.root().tree().into_keys();
    let all =
        all.filter_map(|path| Some(path.strip_prefix("var/cache/kmp/repo").ok()?.display().to_string()));
    all.filter(|path| path.ends_with(".rpm")).collect()
}

fn comes_from_its_providers_server(by: Manager) {
    let acme = SigningKey::new("Acme Drivers <keys@acme.example>");
    let other = SigningKey::new("Somebody <x@y.example>");
    let served = tempfile::tempdir().unwrap();
    let server = Server::http(served.path());
    let record = format!(
        "url = {}\nlabel = Acme Inc.\ncontact = drivers@acme.example\nfingerprint = {}\n",
        server.url(),
        acme.fingerprint()
    );
    let driver = |version, nth, crc| by.offered_driver(version, nth, crc).file(RECORD, record.as_str());
    let Some(machine) = machine_with(by, driver("1.0", 0, 7)) else { return };
    let site = &machine.site;
    // rpm trusts both keys; the source names one of them.
    for (name, key) in [("acme", &acme), ("other", &other)] {
        machine.root().write(format!("{name}.asc"), key.public());
        site.sh(&format!("kmp key import --accept-key {} /{name}.asc", key.fingerprint())).expect_success();
    }
    site.offer(&[by.offered_kernel(1, 8), PackageBuilder::new("other", "2", "1")]);
    let [good, by_other, unsigned, tampered] =
        ["2.0", "2.1", "2.2", "3.0"].map(|version| driver(version, 1, 8).build());
    let read = |package: &Package| std::fs::read(package.path()).unwrap();
    publish(served.path(), &by_other, &read(&other.sign(&by_other)));
    publish(served.path(), &unsigned, &read(&unsigned));
    publish(served.path(), &tampered, &corrupted(&acme.sign(&tampered), None));

    // None of them is taken, and the kernel stays away.
    let update = site.sh("kmp update");
    assert_eq!(update.status, Some(1), "{update}");
    let other_key = format!(
        "it is signed by Somebody <x@y.example> with the key {}, which rpm trusts, but this source names other keys: {}. Ask \
         the provider which key is right",
        groups(other.fingerprint()),
        groups(acme.fingerprint())
    );
    for (version, why) in [
        ("2.1", other_key.as_str()),
        ("2.2", "it is not signed, so that anybody may have made it. Ask its provider for a signed package"),
        (
            "3.0",
            "it is not what it was when it was made: its contents are not those that its header was made for",
        ),
    ] {
        let sentence = format!(
            "source kmod-foo (Acme Inc.): {}/kmod-foo-{version}-1.x86_64.rpm is refused: {why}",
            server.url()
        );
        for output in [&update, &site.sh("kmp hold")] {
            assert!(words(&said(output)).contains(&sentence), "{sentence}: {output}");
        }
    }
    assert!(fetched(&machine).is_empty() && !machine.root().exists(REPO_FILE), "{update}");
    let upgrade = goes_through(dnf(&machine, true, "upgrade"));
    assert!(said(&upgrade).contains("kernel-core-5.14.0-162.el9.x86_64 is held back"), "{upgrade}");
    assert!(site.has("other-2") && machine.count() == (1, 1), "{upgrade}");

    // The one that is signed well is fetched, and dnf knows where it is.
    publish(served.path(), &good, &read(&acme.sign(&good)));
    let update = site.sh("kmp update").expect_success();
    assert_eq!(fetched(&machine), ["kmod-foo/kmod-foo-2.0-1.x86_64.rpm"], "{update}");
    let signed = format!(
        "comes along, from kmp-drivers; signed by Acme Drivers <keys@acme.example> with the key {}, which rpm trusts",
        groups(acme.fingerprint())
    );
    assert!(words(&update.stdout).contains(&signed), "{update}");
    let repo = machine.root().read(REPO_FILE);
    assert!(
        repo.contains("baseurl=file:///var/cache/kmp/repo\n") && repo.contains("\ngpgcheck=1\n"),
        "{repo}"
    );

    // Somebody else puts another one there: dnf itself looks at signatures.
    let own = machine.root().join("var/cache/kmp/repo");
    let kept = machine.root().home().join("kept");
    run(Command::new("cp").arg("-a").arg(&own).arg(&kept)).expect_success();
    machine.root().write("var/cache/kmp/repo/kmod-foo/kmod-foo-2.2-1.x86_64.rpm", read(&unsigned));
    index(&own);
    let upgrade = dnf(&machine, true, "upgrade");
    assert!(!upgrade.success() && machine.count() == (1, 1), "{upgrade}");
    assert!(said(&upgrade).contains("not signed"), "{upgrade}");
    std::fs::remove_dir_all(&own).unwrap();
    run(Command::new("cp").arg("-a").arg(&kept).arg(&own)).expect_success();

    let upgrade = dnf(&machine, false, "upgrade");
    assert_eq!(table(&upgrade), ["kernel-core-5.14.0-162", "kmod-foo-2.0-1"], "{upgrade}");
    // The provider's server is not needed any more.
    drop(server);
    let upgrade = goes_through(dnf(&machine, true, "upgrade"));
    assert!(!said(&upgrade).contains("error: kmp"), "{upgrade}");
    assert_eq!(machine.count(), (2, 1), "{upgrade}");
    assert!(site.has("kmod-foo-2.0") && machine.root().exists(by.link(1).replace("weak-updates", "extra")));
    let keys = words(&site.sh("kmp key list").expect_success().stdout);
    assert!(keys.contains("accepted for packages from kmod-foo signed kmod-foo-2.0-1"), "{keys}");
    // What is installed is not kept a second time.
    site.sh("kmp update").expect_success();
}
