// SPDX-License-Identifier: LGPL-2.1-or-later
//! PackageKit's daemon with the backends for zypper, dnf 4 and dnf 5, on a bus of its own: what it shows and does where a kernel has no
//! build of a driver yet. `cargo xtask packagekit` builds the backends, and runs this.

use std::path::PathBuf;

use testkit::{Output, PackageBuilder};

use super::before::offers::{driver, offered};
use super::managers::{Manager, said};
use super::site::Site;
use super::{before, dnf_plugins};

/// A bus that starts the two services itself. Polkit's daemon is another user than root.
const BUS: &str = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n<busconfig><type>session</type>\
<listen>unix:path=/run/dbus/system_bus_socket</listen><servicedir>/etc/test-bus</servicedir>\
<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/><allow eavesdrop=\"true\"/>\
</policy></busconfig>\n";

/// The backend of that name; `None`: it was not built.
fn backend(name: &str) -> Option<PathBuf> {
    let directory =
        std::env::var_os("KMP_TEST_PACKAGEKIT").expect("KMP_TEST_PACKAGEKIT, by cargo xtask packagekit");
    let file = PathBuf::from(directory).join(format!("libpk_backend_{name}.so"));
    let is_there = file.exists();
    if !is_there {
        testkit::skip(&format!("this PackageKit has no backend {name}"));
    }
    is_there.then_some(file)
}

/// Makes it the backend of PackageKit on this system.
fn install(site: &Site, name: &str, file: &std::path::Path) {
    let root = site.root();
    root.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\npolkitd:x:989:989::/:/bin/false\n");
    root.write("etc/group", "root:x:0:\npolkitd:x:989:\n");
    root.write("etc/test-bus.conf", BUS);
    root.write("etc/PackageKit/PackageKit.conf", format!("[Daemon]\nDefaultBackend={name}\n"));
    for (name, program) in
        [("PackageKit", "/usr/libexec/packagekitd"), ("PolicyKit1", "/usr/lib/polkit-1/polkitd --no-debug")]
    {
        // What it says is the system's journal on a real system.
        let line = format!("/bin/sh -c 'exec {program} >>/var/log/{name}.log 2>&1'");
        root.write(
            format!("etc/test-bus/org.freedesktop.{name}.service"),
            format!("[D-BUS Service]\nName=org.freedesktop.{name}\nExec={line}\n"),
        );
    }
    let place = "for d in /usr/lib/*/packagekit-backend; do cp /backend.so $d/libpk_backend_";
    root.write("backend.so", std::fs::read(file).unwrap());
    site.sh(&format!("{place}{name}.so || exit; done")).expect_success();
    for directory in ["run/dbus", "var/lib/PackageKit", "var/cache/PackageKit", "var/tmp", "tmp"] {
        root.mkdir(directory);
    }
    root.symlink("var/run", "../run");
    // For polkit's.
    site.sh("chmod 755 / /run /run/dbus").expect_success();
}

/// What PackageKit's own client says, whichever it has, when it has looked at the repositories and is asked for this.
fn ask(site: &Site, words: &str) -> Output {
    let is_older = std::path::Path::new("/usr/bin/pkcon").exists();
    let (client, refresh, list) = match is_older {
        true => ("timeout 120 pkcon --plain --noninteractive", "refresh force", "get-updates"),
        false => ("timeout 120 pkgcli --no-color --yes", "refresh force", "list-updates"),
    };
    let words = if words == "LIST" { list } else { words };
    let bus = "dbus-daemon --config-file=/etc/test-bus.conf --fork";
    site.sh(&format!("{bus} && {client} {refresh} && {client} {words}"))
}

/// Kernel 2 has a build of the driver, kernel 3 has none.
#[test]
#[ignore = "needs PackageKit's backends for rpm: cargo xtask packagekit"]
fn by_zypper() {
    let Some(file) = backend("zypp") else { return };
    let site = before::site();
    let tool = PackageBuilder::new("tool", "2", "1");
    before::offer(&site, &[offered(0), driver("1.0", 0, "One"), tool, offered(2)]);
    install(&site, "zypp", &file);
    let listed = said(&ask(&site, "LIST").expect_success());
    assert!(listed.contains("tool") && !listed.contains("kernel-default"), "{listed}");
    let words = said(&ask(&site, "update"));
    assert!(site.has("tool-2") && !site.has("kernel-default-6.4.0-3"), "{words}");
    let hold = site.sh("kmp hold").stdout;
    assert!(hold.contains("kernel-default-6.4.0-3.x86_64, since"), "{hold}");
    let history = site.sh("kmp history --json").stdout;
    assert!(history.contains("packagekitd"), "{history}");
    // On the day when there is a build for another, of another vendor.
    before::offer(&site, &[offered(1), driver("1.2", 1, "Two"), PackageBuilder::new("tool", "3", "1")]);
    let words = said(&ask(&site, "update").expect_success());
    for package in ["kernel-default-6.4.0-2", "foo-kmp-default-1.2_k6.4.0_2", "tool-3"] {
        assert!(site.has(package), "{package}: {words}");
    }
    assert!(!site.has("kernel-default-6.4.0-3"), "{words}");
    assert!(site.root().exists("usr/lib/modules/6.4.0-2-default/updates/foo.ko"), "{words}");
}

/// The same with libdnf5, whose plugins work in PackageKit as well.
#[test]
#[ignore = "needs PackageKit's backends for rpm: cargo xtask packagekit"]
fn by_dnf5() {
    let Some(file) = backend("dnf5") else { return };
    let by = Manager::Dnf5;
    let Some(machine) = dnf_plugins::machine(by) else { return };
    let site = &machine.site;
    site.offer(&[by.offered_kernel(2, 9), PackageBuilder::new("other", "2", "1")]);
    install(site, "dnf5", &file);
    let listed = said(&ask(site, "LIST").expect_success());
    assert!(listed.contains("other") && !listed.contains("kernel-core"), "{listed}");
    let words = said(&ask(site, "update").expect_success());
    assert!(site.has("other-2") && machine.count() == (1, 1), "{words}");
    site.offer(&[by.offered_kernel(1, 8), by.offered_driver("1.2", 1, 8)]);
    let words = said(&ask(site, "update").expect_success());
    assert!(machine.count() == (2, 1) && site.has("kmod-foo-1.2"), "{words}");
    assert!(!site.has("kernel-core-5.14.0-284.el9"), "{words}");
}

/// libdnf, of dnf 4, has no plugins that could hold a kernel: rpm's plugin stops the whole update. What dnf.conf excludes counts.
#[test]
#[ignore = "needs PackageKit's backends for rpm: cargo xtask packagekit"]
fn by_dnf4() {
    let Some(file) = backend("dnf") else { return };
    let by = Manager::Dnf;
    let Some(machine) = dnf_plugins::machine(by) else { return };
    let site = &machine.site;
    site.offer(&[by.offered_kernel(2, 9), PackageBuilder::new("other", "2", "1")]);
    install(site, "dnf", &file);
    let listed = said(&ask(site, "LIST").expect_success());
    assert!(listed.contains("other") && listed.contains("kernel-core"), "{listed}");
    let words = said(&ask(site, "update"));
    assert!(words.contains("Error -1 running transaction"), "{words}");
    assert!(!site.has("other-2") && machine.count() == (1, 1), "{words}");
    // Why is in the system's journal, and in kmp's own history.
    let log = site.root().read("var/log/PackageKit.log");
    assert!(log.contains("error: kmp: kmod-foo-1.0-1 (foo) does not work with the new kernel"), "{log}");
    let history = site.sh("kmp history").stdout;
    assert!(history.contains("stopped: kernel 5.14.0-284.el9.x86_64"), "{history}");
    // As kmp(8) has it.
    site.sh("dnf --quiet makecache").expect_success();
    let answer = site.sh("kmp update --json").stdout;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let held: Vec<&str> =
        answer["exclude"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(!held.is_empty(), "{answer}");
    let conf = site.root().read("etc/dnf/dnf.conf");
    site.root().write("etc/dnf/dnf.conf", format!("{conf}excludepkgs={}\n", held.join(",")));
    let words = said(&ask(site, "update").expect_success());
    assert!(site.has("other-2") && machine.count() == (1, 1), "{words}");
    // A kernel and its driver come together by themselves.
    site.root().write("etc/dnf/dnf.conf", conf);
    site.offer(&[by.offered_driver("1.2", 2, 9)]);
    let words = said(&ask(site, "update").expect_success());
    assert!(machine.count() == (2, 1) && site.has("kmod-foo-1.2"), "{words}");
}
