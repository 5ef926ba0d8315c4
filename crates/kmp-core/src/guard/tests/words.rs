// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is said, from made-up findings.

use super::*;
use crate::abi::{Reason, Rule};

pub(super) fn lost(package: &str, reason: &str, weight: Weight) -> Lost {
    Lost {
        package: package.into(),
        nvr: format!("{package}-1-1"),
        modules: vec!["foo".into()],
        kernel: NEW.into(),
        role: Role::Comes,
        failing: Some(format!("{package}-1-1")),
        reasons: vec![Reason::new(Rule::Crc, reason)],
        weight,
        kept_in: None,
        instead: Vec::new(),
        needed_for: Use::default(),
        made_by: None,
        is_erased: false,
        found: None,
        remedy: Remedy::Rebuild,
        kernel_package: Some("kernel-default".into()),
        kernel_file: None,
    }
}

fn judged(findings: Vec<(Lost, Action)>) -> Judged {
    let findings: Vec<_> = findings.into_iter().map(|(lost, action)| Finding { lost, action }).collect();
    let mut kernels: Vec<Outlook> = Vec::new();
    for Finding { lost, .. } in &findings {
        let driver = Prospect {
            package: lost.package.clone(),
            nvr: lost.nvr.clone(),
            modules: lost.modules.clone(),
            fate: Fate::Lost(Box::new(lost.clone())),
            breaks: Vec::new(),
        };
        match kernels.iter_mut().find(|k| k.release == lost.kernel) {
            Some(kernel) => kernel.drivers.push(driver),
            None => kernels.push(Outlook {
                release: lost.kernel.clone(),
                role: lost.role,
                boots_next: lost.role == Role::Comes,
                drivers: vec![driver],
            }),
        }
    }
    Judged { findings, kernels }
}

fn tools() -> Tools {
    Tools::of(Dialect::Suse, Some("zypper in kernel-default".into()))
}

fn said(findings: Vec<(Lost, Action)>) -> Vec<String> {
    block(&judged(findings), &tools(), true).into_iter().map(|line| line.text).collect()
}

fn rows(lines: &[String]) -> usize {
    lines.iter().map(|line| wrapped("error: kmp: ", line, None).len()).sum()
}

#[test]
fn a_line_names_driver_kernel_reasons_and_what_it_matters_for() {
    let mut one = lost("foo", "a", Weight::Loss);
    one.reasons.extend(["b", "c", "d"].map(|detail| Reason::new(Rule::Crc, detail)));
    one.needed_for = Use { is_loaded: true, ..Use::default() };
    one.kernel_file = Some("/tmp/k.rpm".into());
    assert_eq!(
        said(vec![(one.clone(), Action::Stop)]),
        [
            "kernel 6.4.0-2-default: 0 of 1 driver stays, 1 lost: foo",
            "foo-1-1 (foo, loaded now) does not work with the new kernel 6.4.0-2-default: a; b; c; and 1 more",
            "if there is a foo for it, install it in the same transaction: zypper install kernel-default foo",
            "or keep the old kernel: zypper addlock kernel-default",
            "nothing has changed for the next boot; to go on without it: KMP_POLICY=warn zypper in kernel-default",
            "all reasons: kmp plan --all /tmp/k.rpm",
        ]
    );
    one.needed_for.holds_root = true;
    one.modules = ["a", "b", "c", "d"].map(String::from).to_vec();
    assert!(
        one.line().starts_with("foo-1-1 (a, b, c and 1 more, needed for the root file system: the machine does not boot without it) "),
        "{}",
        one.line()
    );
}

#[test]
fn a_warning_names_the_version_and_the_kernel_that_has_the_driver() {
    let old = Lost {
        kernel: OLD.into(),
        role: Role::Stays,
        failing: Some("foo-2-1".into()),
        kept_in: Some(NEW.into()),
        remedy: Remedy::Keep,
        ..lost("foo", "a", Weight::Warning)
    };
    assert_eq!(
        said(vec![(old, Action::Warn)]),
        [
            format!("kernel {OLD}: 0 of 1 driver stays, 1 lost: foo"),
            format!(
                "foo-2-1 (foo) does not work with kernel {OLD}: a; foo-1-1, which does, would go; kernel {NEW} has the driver"
            ),
            format!("each symbol: kmp explain foo --kernel {OLD}"),
        ]
    );
    let own = Lost { instead: vec!["bar".into()], ..lost("foo", "a", Weight::None) };
    assert_eq!(
        said(vec![(own, Action::Say)]),
        [format!("foo-1-1 (foo) does not work with the new kernel {NEW}, which has bar of its own")]
    );
}

/// Names as long as they are met with.
fn long(n: usize) -> Lost {
    let package = format!("nvidia-open-driver-G06-signed-cuda-kmp-default-{n}");
    let reason = "nv_drm_client_setup_with_fourcc was 0x00000007, is 0x00000008";
    let mut lost = lost(&package, reason, Weight::Loss);
    lost.nvr = format!("{package}-580.95.05_k6.12.0_160000.5-160000.1.1");
    lost.failing = Some(lost.nvr.clone());
    lost.kernel = "6.12.0-160000.26-default".into();
    lost.reasons = vec![lost.reasons[0].clone(); 5];
    lost.kernel_file =
        Some("/var/cache/zypp/packages/SLES-16.0/x86_64/kernel-default-6.12.0-160000.26.1.x86_64.rpm".into());
    lost
}

#[test]
fn however_much_is_lost_it_is_one_block_of_twelve_lines_at_most() {
    for count in 1..30 {
        let each = (0..count).map(|n| (lost(&format!("p{n}"), "a", Weight::Loss), Action::Stop));
        let mixed =
            each.chain((0..count).map(|n| (lost(&format!("w{n}"), "a", Weight::Warning), Action::Warn)));
        let long = (0..count).map(|n| (long(n), Action::Stop));
        for lines in [said(mixed.collect()), said(long.collect())] {
            assert!(rows(&lines) <= LINES, "{lines:#?}");
            assert!(lines[0].starts_with("kernel 6."), "{lines:#?}");
            assert!(lines[1].starts_with("p0") || lines[1].starts_with("nvidia-open"), "{lines:#?}");
            assert!(lines.iter().any(|line| line.starts_with("if there ")), "{lines:#?}");
            let again = lines.iter().filter(|line| line.contains("KMP_POLICY=warn zypper in kernel-default"));
            assert_eq!(again.count(), 1, "{lines:#?}");
        }
    }
}

#[test]
fn advice_is_given_once_for_all_that_share_it() {
    let findings: Vec<_> = (0..26)
        .map(|n| Finding { lost: lost(&format!("p{n:02}"), "a", Weight::Loss), action: Action::Stop })
        .collect();
    let said =
        |n: usize| advice(&findings[..n], &tools()).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        said(2)[0],
        "if there are builds of p00, p01 for it, install them in the same transaction: zypper install kernel-default p00 p01"
    );
    assert_eq!(
        said(26),
        [
            "if there are builds of all 26 for it, install them in the same transaction: zypper update",
            "or keep the old kernel: zypper addlock kernel-default",
        ]
    );
}

#[test]
fn where_nothing_is_stopped_there_is_no_word_of_going_on() {
    let findings = vec![(lost("foo", "a", Weight::Loss), Action::Warn)];
    let lines = said(findings);
    assert!(lines.iter().all(|line| !line.contains("KMP_POLICY")), "{lines:#?}");
    let next = format!("next boot: the new kernel {NEW}, without foo");
    assert!(lines.contains(&next), "{lines:#?}");
    // A call of rpm that is one of many in a commit of libzypp's is not stopped.
    let stopped = judged(vec![(lost("foo", "a", Weight::Loss), Action::Stop)]);
    let lines = block(&stopped, &tools(), false);
    assert!(lines.iter().all(|line| line.action == Action::Warn && !line.text.contains("KMP_POLICY")));
}

#[test]
fn each_remedy_ends_with_a_line_to_type_in_the_package_manager_at_hand() {
    let remedies = [
        Remedy::Rebuild,
        Remedy::KernelPackage {
            exporter: "kernel/drivers/acpi/video".into(),
            package: Some("kernel-extra".into()),
        },
        Remedy::KernelPackage { exporter: "kernel/drivers/acpi/video".into(), package: None },
        Remedy::NewerSource { symbol: "s".into(), exporter: "drivers/acpi/video".into() },
        Remedy::Licence { symbol: "s".into() },
        Remedy::Signature,
        Remedy::OtherDriver { module: "dep".into() },
        Remedy::Keep,
        Remedy::EraseAlone,
        Remedy::KeepKernel { kernel: OLD.into(), kernels: 4 },
    ];
    let mut commands = Vec::new();
    for (program, manager) in [("zypper", Manager::Zypper), ("dnf", Manager::Dnf)] {
        let tools = Tools::of(Dialect::Suse, Some(format!("{program} x")));
        assert_eq!(tools.manager, manager);
        for remedy in &remedies {
            let lost = Lost { remedy: remedy.clone(), ..lost("foo", "a", Weight::Loss) };
            let found = advice(&[Finding { lost, action: Action::Stop }], &tools);
            commands.push(found[0].command.clone());
        }
    }
    assert_eq!(
        commands,
        [
            "zypper install kernel-default foo",
            "zypper install kernel-default kernel-extra",
            "zypper search --provides 'kmod(video.ko)'",
            "zypper search --provides 'kmod(video.ko)'",
            "zypper install kernel-default foo",
            "zypper install kernel-default foo",
            "zypper search --provides 'kmod(dep.ko)'",
            "zypper addlock foo",
            "zypper remove foo",
            "zypper remove foo",
            "dnf install kernel-default foo",
            "dnf install kernel-default kernel-extra",
            "dnf provides '*/video.ko*'",
            "dnf provides '*/video.ko*'",
            "dnf install kernel-default foo",
            "dnf install kernel-default foo",
            "dnf provides '*/dep.ko*'",
            "dnf upgrade --exclude=foo",
            "dnf remove foo",
            "dnf --setopt=installonly_limit=4 x",
        ]
    );
}

#[test]
fn a_driver_that_goes_with_a_kernel_is_reported_with_the_cause_and_each_way_out() {
    let gone = Lost {
        kernel: OLD.into(),
        role: Role::Goes,
        failing: None,
        reasons: Vec::new(),
        is_erased: true,
        remedy: Remedy::KeepKernel { kernel: OLD.into(), kernels: 4 },
        ..lost("foo", "a", Weight::Loss)
    };
    let judged = Judged { findings: vec![Finding { lost: gone, action: Action::Stop }], kernels: Vec::new() };
    let tools = Tools::of(Dialect::RedHat, Some("dnf5 install tool".into()));
    let said: Vec<String> = block(&judged, &tools, true).into_iter().map(|line| line.text).collect();
    assert_eq!(
        said,
        [
            format!("foo-1-1 (foo) would be erased with kernel {OLD}, the last one that it works with"),
            format!(
                "dnf's installonly_limit pushes kernel {OLD} out; keep it, too (for good with installonly_limit=4 in \
                 /etc/dnf/dnf.conf): dnf5 --setopt=installonly_limit=4 install tool"
            ),
            "or install a build of foo for the kernel that is booted next: dnf install foo".into(),
            "or, if you want it gone: dnf remove foo".into(),
            "nothing has changed for the next boot; to go on without it: KMP_POLICY=warn dnf5 install tool"
                .into(),
        ]
    );
}

#[test]
fn a_build_that_was_found_is_named_with_its_repository_and_how_old_that_is() {
    use crate::last_update::{Driver, Kernel, LastUpdate};
    let driver = Driver {
        name: "foo-kmp-default".into(),
        verdict: "comes-along".into(),
        build: "foo-kmp-default-1.1_k6-1.1.x86_64".into(),
        repository: "drivers".into(),
        ..Driver::default()
    };
    let kernel = Kernel { release: NEW.into(), drivers: vec![driver], ..Kernel::default() };
    let mut last = LastUpdate { age: 7200, kernels: vec![kernel], ..LastUpdate::default() };
    let config = Config::default();
    let decide = |last: &LastUpdate| {
        let orders = Orders { config: &config, policy: None, nothing_boots: false, last: Some(last) };
        orders.decide(vec![lost("foo-kmp-default", "a", Weight::Loss)])
    };
    let findings = decide(&last);
    assert_eq!(findings[0].action, Action::Stop);
    let advice = advice(&findings, &Tools { manager: Manager::Zypper, again: None });
    assert_eq!(
        advice[0].to_string(),
        "foo-kmp-default-1.1_k6-1.1 in repository drivers fits, as kmp update found 2 hours ago; install it in the same \
         transaction: zypper install kernel-default foo-kmp-default=1.1_k6-1.1"
    );
    // One that somebody lets come.
    last.kernels[0].is_let = true;
    assert_eq!(decide(&last)[0].action, Action::Warn);
}
