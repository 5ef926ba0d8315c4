// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update` as people and systemd run it: it has the package manager look at its repositories, writes nothing in a dry run, and
//! hands over to the distribution's own program.

use testkit::PackageBuilder;

use crate::dnf_plugins;
use crate::managers::{Machine, Manager, said};
use crate::support::{Mode, Site};

/// What kmp keeps, and writes for libzypp.
const WRITTEN: [&str; 3] = ["var/cache/kmp/update", "etc/zypp/systemCheck.d/kmp.check", "etc/zypp/locks"];

/// Three kernels, and a build of the driver for one of them, by zypper or dnf.
fn machine(by: Manager) -> Option<Machine> {
    if matches!(by, Manager::Zypper(_)) {
        let machine = Machine { site: super::site(), by };
        super::offer(&machine.site, &[super::offered(0), super::offered(1), super::offered(2)]);
        super::offer(&machine.site, &[super::driver("1.2", 1, "One"), PackageBuilder::new("tool", "2", "1")]);
        return Some(machine);
    }
    let machine = dnf_plugins::machine(by)?;
    if by == Manager::Dnf5 {
        // kmp hands over to dnf 4 where it is there as well.
        machine.site.sh("rm -f /usr/bin/dnf /usr/bin/dnf-3").expect_success();
        assert!(!machine.site.sh("command -v dnf").success());
    }
    machine.install(&[PackageBuilder::new("tool", "1", "1")]);
    machine.site.offer(&[by.offered_kernel(1, 8), by.offered_driver("1.2", 1, 8)]);
    machine.site.offer(&[by.offered_kernel(2, 9), PackageBuilder::new("tool", "2", "1")]);
    Some(machine)
}

fn written(site: &Site) -> Vec<Option<String>> {
    // A file of locks without any is as good as none.
    let text = |file: &&str| {
        site.root().exists(file).then(|| site.root().read(file)).filter(|text| !text.is_empty())
    };
    WRITTEN.iter().map(text).collect()
}

fn by_each(by: Manager) {
    let Some(machine) = machine(by) else { return };
    let (site, is_zypper) = (&machine.site, matches!(by, Manager::Zypper(_)));
    let before = (written(site), site.state().0);
    // Nobody has looked at the repositories yet, and a dry run has nobody do so.
    let output = site.sh("kmp update --dry-run");
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("was never refreshed"), "{output}");
    // With a look at them.
    let output = site.sh("kmp update");
    assert_eq!(output.status, Some(1), "{output}");
    let (kernel, driver) = by.names();
    assert!(output.stdout.starts_with(&format!("The next update brings {kernel} ")), "{output}");
    assert!(
        output.stdout.contains(&format!("{driver}: ")) && output.stdout.contains("held back"),
        "{output}"
    );
    assert_ne!(written(site), before.0);
    site.sh("kmp update --clear").expect_success();
    assert_eq!(written(site), before.0);
    let output = site.sh("kmp update --dry-run");
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stdout.contains("Nothing was changed"), "{output}");
    assert_eq!((written(site), site.state().0), before);

    // By the distribution's own program, which asks. What was found is noted before. zypper takes answers from terminals alone.
    let output = site.sh("yes | kmp update --apply");
    let said = said(&output);
    if is_zypper {
        assert!(said.contains("going to be upgraded:\n") && said.contains("Continue?"), "{said}");
    } else {
        assert!(output.status == Some(0) && site.has("tool-2"), "{said}");
        assert_eq!(machine.count(), (2, 1), "{said}");
        assert!(site.has(&format!("{driver}-1.2*")), "{said}");
    }
    let history = site.sh("kmp history").expect_success().stdout;
    // zypper and libdnf5 ask kmp themselves when they refresh: then there is nothing new to be noted.
    let by = match by {
        Manager::Zypper(_) => "zypper --non-interactive",
        Manager::Dnf5 => "dnf5 --quiet makecache",
        _ => "kmp update --apply",
    };
    assert!(history.contains(by) && history.contains(kernel), "{history}");
    // Of another root this machine's is no program.
    site.sh("mkdir -p /other/usr/lib/modules /other/etc && cp /etc/os-release /other/etc").expect_success();
    let output = site.sh("kmp --root /other update --apply");
    assert!(output.status == Some(2) && output.stderr.contains("leave out --apply"), "{output}");
}

#[test]
fn by_zypper() {
    by_each(Manager::Zypper(if crate::support::knows_rules() { Mode::Single } else { Mode::Classic }));
}

#[test]
fn by_dnf() {
    by_each(Manager::Dnf);
}

/// Where there is dnf 5 alone.
#[test]
fn by_dnf5() {
    if Manager::Dnf5.is_there() {
        by_each(Manager::Dnf5);
    }
}

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
