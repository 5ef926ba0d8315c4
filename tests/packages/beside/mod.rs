// SPDX-License-Identifier: LGPL-2.1-or-later
//! Beside the distribution's own packages of the same commands: whatever comes, goes or is killed, packages of kernels and
//! drivers reach one of the two, ours where it can be, and the original comes back as it was.

mod managers;
mod names;
mod peers;

use std::path::{Path, PathBuf};

use testkit::{Output, Package, PackageBuilder, TestRoot};

use self::names::{Fact, Names};
use self::peers::Peer;
use crate::support::*;

const PEERS: [Peer; 3] = [Peer::Suse, Peer::Sle15, Peer::Kmod];

/// A root and a peer.
struct Place {
    root: TestRoot,
    peer: Peer,
}

impl Place {
    fn new(peer: Peer) -> Self {
        Self { root: root(), peer }
    }

    #[track_caller]
    fn rpm(&self, options: &[&str], files: &[&Path]) -> Output {
        let output = rpm(&self.root, options, files);
        assert!(output.success() && output.stderr.is_empty() && output.stdout.is_empty(), "{output}");
        output
    }

    #[track_caller]
    fn peers(&self, options: &[&str], version: &str) {
        let packages = self.peer.packages(version);
        self.rpm(options, &packages.iter().map(Package::path).collect::<Vec<_>>());
    }

    #[track_caller]
    fn ours(&self, options: &[&str], release: u8) {
        self.rpm(options, &self.files(release));
    }

    fn files(&self, release: u8) -> Vec<&'static Path> {
        self.peer.ours().iter().map(|name| package(name, release)).collect()
    }

    #[track_caller]
    fn remove(&self, names: &[&str]) {
        self.rpm(&[&["-e", "--nodeps"], names].concat(), &[]);
    }

    fn names(&self) -> Names<'_> {
        Names { root: &self.root, peer: self.peer }
    }

    fn facts(&self) -> Vec<Option<Fact>> {
        self.names().facts()
    }

    fn asides(&self) -> Vec<String> {
        self.names().asides()
    }

    fn aside_is(&self, version: &str) {
        self.names().aside_is(version);
    }

    /// All names lead to kmp, and it answers.
    #[track_caller]
    fn all_are_ours(&self) {
        self.names().all_are_ours();
        let (path, _) = self.peer.called().pop().unwrap();
        let output = inside(&self.root, &format!("/{path}"), &["--help".into()]).expect_success();
        assert!(output.stdout.contains("Usage"), "{output}");
    }

    /// All names are the originals of this version, as rpm has them.
    #[track_caller]
    fn all_are_theirs(&self, version: &str) {
        self.names().all_are_theirs(version);
        for name in self.peer.names() {
            self.rpm(&["-V", "--nodeps", name], &[]);
        }
    }

    #[track_caller]
    fn all_can_be_called(&self) {
        self.names().all_can_be_called();
    }
}

/// From the peer alone to the peer alone, through all that happens to packages.
#[test]
fn the_original_is_put_aside_through_updates_and_comes_back() {
    for peer in PEERS {
        let place = Place::new(peer);
        place.peers(&["-i"], "1");
        let before = place.facts();
        place.ours(&["-i"], 1);
        place.all_are_ours();
        place.aside_is("1");
        // rpm names the files that are not the peer's, and no other; ours have nothing to say.
        let changed = rpm(&place.root, &[&["-V", "--nodeps"], peer.names()].concat(), &[]);
        let mut found: Vec<&str> = changed.stdout.lines().collect();
        let called = peer.called();
        let mut wanted: Vec<String> =
            called.iter().map(|(path, _)| format!("....L....    /{path}")).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{changed}");
        place.rpm(&[&["-V"], peer.ours()].concat(), &[]);
        // Back at once, the same file to the last bit.
        place.remove(peer.ours());
        assert_eq!(place.facts(), before);
        place.all_are_theirs("1");

        place.ours(&["-i"], 1);
        place.peers(&["-U"], "2");
        place.all_are_ours();
        place.aside_is("2");
        place.peers(&["-U", "--replacepkgs"], "2");
        place.all_are_ours();
        place.aside_is("2");
        place.ours(&["-U"], 2);
        place.all_are_ours();
        place.aside_is("2");
        place.ours(&["-U", "--replacepkgs"], 2);
        place.all_are_ours();
        place.peers(&["-U", "--oldpackage"], "1");
        place.all_are_ours();
        place.aside_is("1");
        place.remove(peer.ours());
        place.all_are_theirs("1");
    }
}

#[test]
fn when_the_distributions_package_goes_the_names_stay_ours_and_nothing_else_stays() {
    for peer in PEERS {
        let place = Place::new(peer);
        place.peers(&["-i"], "1");
        place.ours(&["-i"], 1);
        place.remove(peer.names());
        place.all_are_ours();
        assert_eq!(place.asides(), [""; 0], "{peer:?}");
        // It comes again.
        place.peers(&["-i"], "2");
        place.all_are_ours();
        place.aside_is("2");
        place.remove(peer.names());
        place.remove(peer.ours());
        assert!(place.facts().iter().all(Option::is_none), "{peer:?}: {:?}", place.facts());
        assert_eq!(place.asides(), [""; 0], "{peer:?}");
    }
}

#[test]
fn both_come_and_go_in_one_transaction_in_either_order() {
    for peer in PEERS {
        for ours_first in [true, false] {
            let place = Place::new(peer);
            let order = |ours: Vec<PathBuf>, peers: Vec<PathBuf>| match ours_first {
                true => [ours, peers].concat(),
                false => [peers, ours].concat(),
            };
            let both = |release: u8, version: &str| {
                let ours = place.files(release).into_iter().map(Path::to_path_buf).collect();
                let peers = peer.packages(version);
                let files = peers.iter().map(|p| p.path().to_path_buf()).collect();
                // The files may go with their packages.
                (order(ours, files), peers)
            };
            let (all, _kept) = both(1, "1");
            place.rpm(&["-i", "--noorder"], &all.iter().map(PathBuf::as_path).collect::<Vec<_>>());
            place.all_are_ours();
            place.aside_is("1");
            let (all, _kept) = both(2, "2");
            place.rpm(&["-U", "--noorder"], &all.iter().map(PathBuf::as_path).collect::<Vec<_>>());
            place.all_are_ours();
            place.aside_is("2");
            let names = match ours_first {
                true => [peer.ours(), peer.names()].concat(),
                false => [peer.names(), peer.ours()].concat(),
            };
            place.rpm(&[&["-e", "--nodeps", "--noorder"], &names[..]].concat(), &[]);
            assert!(place.facts().iter().all(Option::is_none), "{peer:?}: {:?}", place.facts());
            assert_eq!(place.asides(), [""; 0], "{peer:?}");
        }
    }
}

/// An update by which the peer's package drives ours out.
#[test]
fn an_update_of_theirs_that_removes_ours_leaves_theirs() {
    for peer in PEERS {
        let place = Place::new(peer);
        place.peers(&["-i"], "1");
        place.ours(&["-i"], 1);
        let mut out = PackageBuilder::new("out", "1", "1");
        for name in peer.ours() {
            out = out.tag("Obsoletes", name);
        }
        let (out, peers) = (out.build(), peer.packages("2"));
        let files: Vec<&Path> = peers.iter().chain([&out]).map(Package::path).collect();
        place.rpm(&["-U", "--nodeps"], &files);
        place.all_are_theirs("2");
    }
}

/// The way of a distribution that takes kmp: its packages have a file less, and nothing of ours changes.
#[test]
fn a_distribution_may_leave_the_names_to_kmp() {
    for (peer, next) in [(Peer::Suse, Peer::SuseWithout), (Peer::Kmod, Peer::KmodWithout)] {
        for at_once in [true, false] {
            let place = Place::new(peer);
            place.peers(&["-i"], "1");
            if !at_once {
                place.ours(&["-i"], 1);
            }
            let packages = next.packages("3");
            let mut files: Vec<&Path> = packages.iter().map(Package::path).collect();
            if at_once {
                files.extend(place.files(1));
            }
            // With rpm's check of dependencies.
            place.rpm(&["-U"], &files);
            place.all_are_ours();
            assert_eq!(place.asides(), [""; 0], "{peer:?}");
            place.ours(&["-U"], 2);
            place.all_are_ours();
        }
    }
}

/// rpm is killed after it has unpacked the peer's new files, before our trigger: the name is the new original, and what is put
/// aside is older. Whatever comes next, nothing is lost.
#[test]
fn an_rpm_that_is_killed_before_the_trigger_leaves_the_original() {
    for peer in PEERS {
        let killer = PackageBuilder::new("killer", "1", "1")
            .file_trigger(
                "filetriggerin -P 2000000",
                &["/usr/lib/module-init-tools", "/usr/sbin/weak-modules"],
                "kill -9 $PPID",
            )
            .build();
        let place = Place::new(peer);
        place.peers(&["-i"], "1");
        place.ours(&["-i"], 1);
        for then in ["nothing but ours goes", "theirs is installed again"] {
            rpm(&place.root, &["-i", "--noscripts", "--notriggers"], &[killer.path()]).expect_success();
            let packages = peer.packages("2");
            // One after the other: the first kills the whole.
            for package in &packages {
                place.root.write("update.rpm", std::fs::read(package.path()).unwrap());
                // Not the first process of its namespace, which cannot be killed from inside.
                let line = ["-c", "rpm -U --nodeps /update.rpm; exit $?"].map(Into::into);
                let output = inside(&place.root, "/bin/sh", &line);
                assert_eq!(output.status, Some(137), "{output}");
                place.all_can_be_called();
            }
            place.rpm(&["-e", "--notriggers", "killer"], &[]);
            if then == "theirs is installed again" {
                place.peers(&["-U", "--replacepkgs"], "2");
                place.all_are_ours();
                place.aside_is("2");
                place.remove(peer.ours());
            } else {
                place.remove(peer.ours());
                place.all_can_be_called();
                place.peers(&["-U", "--replacepkgs"], "2");
                place.all_are_theirs("2");
                place.peers(&["-U", "--oldpackage"], "1");
                place.ours(&["-i"], 1);
                continue;
            }
            place.all_are_theirs("2");
        }
    }
}

/// Somebody takes kmp away by force: the names do not lead to nothing.
#[test]
fn without_kmp_the_names_are_the_originals() {
    for peer in PEERS {
        let place = Place::new(peer);
        place.peers(&["-i"], "1");
        place.ours(&["-i"], 1);
        place.remove(&["kmp"]);
        place.all_are_theirs("1");
        place.rpm(&["-i"], &[package("kmp", 1)]);
        place.all_are_ours();
        place.aside_is("1");
    }
}
