// SPDX-License-Identifier: LGPL-2.1-or-later
//! The same by zypper and dnf, with the packages in a repository: neither asks, and neither knows of files that are replaced.

use testkit::{Output, Package};

use super::names::Names;
use super::peers::Peer;
use crate::support::takes_large_packages;
use crate::updates::machine::Machine;
use crate::updates::site::{Mode, REFRESH, goes_through};

struct Managed {
    machine: Machine,
    peer: Peer,
}

impl Managed {
    fn new(peer: Peer) -> Self {
        let machine = Machine::new(Mode::any());
        if peer == Peer::Kmod {
            machine
                .site
                .root()
                .write("etc/os-release", "ID=almalinux\nID_LIKE=\"rhel centos\"\nVERSION_ID=\"9.6\"\n");
        }
        Self { machine, peer }
    }

    fn offer(&self, version: &str) {
        self.machine.site.offer_files(self.peer.packages(version).iter().map(Package::path));
    }

    #[track_caller]
    fn does(&self, verb: &str, names: &[&str]) {
        let output = match self.peer {
            Peer::Kmod => self.dnf(verb, names).expect_success(),
            _ => goes_through(self.machine.site.zypper(&[&[verb], names].concat())),
        };
        let said = format!("{}{}", output.stdout, output.stderr).to_lowercase();
        for word in ["conflicts with", "file conflicts:\n", "detected", "scriptlet failed", "error"] {
            assert!(!said.contains(word), "{output}");
        }
    }

    fn dnf(&self, verb: &str, names: &[&str]) -> Output {
        let line = format!(
            "dnf -q --assumeyes --releasever=9 --nogpgcheck --setopt=plugins=False --setopt=reposdir=/nonexistent \
             --repofrompath=repo,/repo {REFRESH} {verb} {}",
            names.join(" ")
        );
        self.machine.site.sh(&line)
    }

    fn names(&self) -> Names<'_> {
        Names { root: self.machine.site.root(), peer: self.peer }
    }

    #[track_caller]
    fn is_installed(&self, names: &[&str], version: &str) {
        for name in names {
            let output = self.machine.site.sh(&format!("rpm -q --qf '%{{VERSION}}' {name}")).expect_success();
            assert_eq!(output.stdout, version, "{name}");
        }
    }
}

fn beside(peer: Peer) {
    let ours = peer.ours();
    let update = if peer == Peer::Kmod { "upgrade" } else { "update" };
    let site = Managed::new(peer);
    site.offer("1");
    site.machine.offer_ours(ours, 1);
    site.does("install", peer.names());
    // Offered is not wanted: nobody gets ours unasked.
    site.does(if peer == Peer::Kmod { "distro-sync" } else { "dup" }, &[]);
    site.names().all_are_theirs("1");
    site.does("install", ours);
    site.is_installed(peer.names(), "1");
    site.names().all_are_ours();
    site.names().aside_is("1");

    site.offer("2");
    site.does(update, &[]);
    site.is_installed(peer.names(), "2");
    site.names().all_are_ours();
    site.names().aside_is("2");
    match peer {
        Peer::Kmod => site.does("reinstall", peer.names()),
        _ => site.does("install", &[&["--force"], peer.names()].concat()),
    }
    site.names().all_are_ours();
    site.names().aside_is("2");

    site.does("remove", ours);
    site.names().all_are_theirs("2");
    site.does("install", ours);
    site.names().all_are_ours();
    site.does("remove", &[ours, peer.names()].concat());
    assert!(site.names().facts().iter().all(Option::is_none), "{:?}", site.names().facts());
    assert_eq!(site.names().asides(), [""; 0]);
    site.does("install", &[peer.names(), ours].concat());
    site.names().all_are_ours();
    site.names().aside_is("2");
}

#[test]
fn zypper_beside_suse_module_tools() {
    if takes_large_packages() {
        beside(Peer::Suse);
    }
}

#[test]
fn zypper_beside_sle_15s_one_package() {
    if takes_large_packages() {
        beside(Peer::Sle15);
    }
}

#[test]
fn dnf_beside_kmod() {
    beside(Peer::Kmod);
}
