// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update` as systemd runs it.

use testkit::PackageBuilder;

use crate::managers::said;
use crate::support::Site;

/// The units are valid; the timer is off until somebody turns it on; and what the service runs, run as it stands, succeeds for
/// systemd whether or not a kernel is held.
#[test]
fn the_timer() {
    let site = super::site();
    super::offer(&site, &[super::offered(1), PackageBuilder::new("tool", "1", "1")]);
    let units = "/usr/lib/systemd/system/kmp-update.service /usr/lib/systemd/system/kmp-update.timer";
    let output = site.sh(&format!("systemd-analyze verify --man=no {units}"));
    assert!(output.success() && !said(&output).contains("kmp-update"), "{output}");
    let enabled = |site: &Site| site.sh("systemctl --root=/ is-enabled kmp-update.timer").stdout;
    site.sh("systemctl --root=/ preset kmp-update.timer").expect_success();
    assert_eq!(enabled(&site).trim(), "disabled");
    site.sh("systemctl --root=/ enable kmp-update.timer").expect_success();
    assert_eq!(enabled(&site).trim(), "enabled");
    assert!(site.root().exists("etc/systemd/system/timers.target.wants/kmp-update.timer"));

    let unit = include_str!("../../../packaging/systemd/kmp-update.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(&format!("{key}="))).unwrap();
    for (packages, status) in [(vec![], 1), (vec![super::driver("1.2", 1, "One")], 0)] {
        if !packages.is_empty() {
            super::offer(&site, &packages);
        }
        let output =
            site.sh(&format!("exec env -i PATH=/usr/sbin:/usr/bin {} </dev/null", value("ExecStart")));
        assert_eq!((output.status, &*output.stdout), (Some(status), ""), "{output}");
        assert!(status == 0 || value("SuccessExitStatus") == status.to_string());
        let hold = site.sh("kmp hold").stdout;
        assert_eq!(hold.starts_with("1 kernel is held back"), status == 1, "{hold}");
    }
}
