// SPDX-License-Identifier: LGPL-2.1-or-later
//! Updates of a snapshot, as transactional-update makes them: zypper runs chrooted in it, with the running system's `/var/cache` and
//! `/var/log`, and a `/run` of its own.

use testkit::PackageBuilder;

use super::{driver, offer, offered, site_with_rules};
use crate::support::goes_through;

/// What `tukit call SNAPSHOT zypper --non-interactive update` does: `lib/Transaction.cpp` of transactional-update 5.
/// The root's `/usr` is many layers here; the snapshot has them, too, with modules of its own.
const CALL: &str = "
set -e
snapshot=/.snapshots/2/snapshot
mkdir -p $snapshot
for name in /*; do
    case $name in /usr | /proc | /dev | /run | /tmp | /sys) mkdir $snapshot$name ;; *) cp -a $name $snapshot ;; esac
done
cp -a /usr/lib/modules $snapshot/modules
bind=$(mktemp -d /tmp/transactional-update-XXXXXX)
mount --bind $snapshot $bind
mount --bind /usr $bind/usr
mount --bind $snapshot/modules $bind/usr/lib/modules
for name in /dev /proc; do mount --rbind $name $bind$name; done
for name in /var/log /var/cache /.snapshots; do mkdir -p $bind$name; mount --bind $name $bind$name; done
for name in /tmp /run /var/tmp; do mkdir -p $bind$name; mount -t tmpfs tmpfs $bind$name; done
exec chroot $bind zypper --non-interactive update
";

/// The rules are the snapshot's, and so is all that comes; what is held is known in the running system as well.
#[test]
fn an_update_of_a_snapshot_leaves_the_running_system_alone() {
    let Some(site) = site_with_rules() else { return };
    offer(&site, &[offered(1), offered(2), driver("1.2", 1, "Two"), PackageBuilder::new("tool", "2", "1")]);
    // mktemp's, as on every system.
    site.root().mkdir("tmp");
    let (before, packages) = (site.state().0, super::scene::installed(&site));
    let output = goes_through(site.sh(CALL));
    let snapshot = "/.snapshots/2/snapshot";
    let inside = |line: &str| site.sh(&format!("rpm --root {snapshot} {line}"));
    for package in ["kernel-default-6.4.0-2", "foo-kmp-default-1.2_k6.4.0_2", "tool-2"] {
        assert!(inside(&format!("-q {package}")).success(), "{package}: {output}");
    }
    assert!(!inside("-q kernel-default-6.4.0-3").success(), "{output}");
    let of_snapshot = |path: &str| site.root().join(format!("{}/{path}", &snapshot[1..]));
    let rules = std::fs::read_to_string(of_snapshot("etc/zypp/systemCheck.d/kmp.check")).unwrap();
    assert!(rules.contains("kmp-hold(foo-kmp-default) if (kernel-default = 6.4.0-3 "), "{rules}");
    assert!(of_snapshot("modules/6.4.0-2-default/updates/foo.ko").exists());

    assert_eq!(super::scene::installed(&site), packages);
    assert_eq!(site.state().0, before);
    for path in ["etc/zypp/systemCheck.d/kmp.check", "run/kmp/commit"] {
        assert!(!site.root().exists(path), "{path}");
    }
    let hold = site.sh("kmp hold").stdout;
    assert!(hold.contains("kernel-default-6.4.0-3"), "{hold}");
}
