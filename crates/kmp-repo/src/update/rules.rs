// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rules for libzypp's solver (`/etc/zypp/systemCheck.d/*.check`), which every program of libzypp's obeys: a kernel comes with a
//! build of its driver, or not at all. Pure.
//!
//! Each is a requirement with a condition (libzypp 17.31.9 and later). None is about a kernel that is installed, since then zypper
//! would offer to remove it; none is a conflict, for the same reason. The condition names the driver, so that a rule ends by itself
//! with the driver. A requirement that nobody fulfils has a name that explains itself: `zypper install` shows the rule.

use kmp_core::config::{Config, Missing, Policy};
use rpm_meta::Evr;

use super::{DriverVerdict, Installed, KernelFate, KernelVerdict, Update};

/// What the file begins with.
const HEAD: &str =
    "# Written by kmp update, and again each time: see kmp(8). To be rid of it: kmp update --clear\n";

/// Of how many drivers rules keep one kernel back, where more would: each such rule does it alone, and each costs every run of zypper
/// some 50 microseconds. Not of one only, with whose removal the rule ends.
const ENOUGH: usize = 2;

/// The rules, as a file; `None` where there is nothing to be ruled.
pub fn rules(update: &Update, installed: &Installed, config: &Config) -> Option<String> {
    let mut lines = Vec::new();
    for kernel in &update.kernels {
        lines.extend(of_kernel(kernel));
    }
    for line in &installed.lines {
        let of_line = update.kernels.iter().filter(|k| k.line == line.name);
        let judged = of_line.clone().map(|k| Evr::parse(&k.package.evr)).chain([line.newest.clone()]);
        let last = judged.max_by(Evr::compare).unwrap_or_default().to_string();
        // For one that need not be kept no kernel has to wait.
        let is_kept = |driver: &&str| {
            config.policy_for(driver) == Policy::Abort && config.missing(driver, &line.name) == Missing::Hold
        };
        let drivers = of_line.flat_map(|k| &k.drivers).map(|d| d.driver.as_str());
        let mut drivers: Vec<&str> = drivers.filter(|d| is_name(d)).filter(is_kept).collect();
        drivers.sort_unstable();
        drivers.dedup();
        drivers.truncate(ENOUGH);
        if is_version(&last) && is_name(&line.name) {
            let rule =
                |d: &str| format!("requires:(kmp-not-yet-judged({d}) if ({} > {last} and {d}))", line.name);
            lines.extend(drivers.into_iter().map(rule));
        }
    }
    lines.sort();
    lines.dedup();
    (!lines.is_empty()).then(|| format!("{HEAD}{}\n", lines.join("\n")))
}

/// The rules about a kernel that may come.
fn of_kernel(kernel: &KernelFate) -> Vec<String> {
    let (line, evr) = (&kernel.line, &kernel.package.evr);
    if !is_name(line) || !is_version(evr) {
        return Vec::new();
    }
    let rule = |what: String, driver: &str| format!("requires:({what} if ({line} = {evr} and {driver}))");
    let drivers = kernel.drivers.iter().filter(|d| is_name(&d.driver));
    if kernel.verdict == KernelVerdict::Held {
        let stop = drivers.filter(|d| d.stops).take(ENOUGH);
        return stop.map(|d| rule(format!("kmp-hold({})", d.driver), &d.driver)).collect();
    }
    let rules = drivers.filter_map(|driver| match (kernel.verdict, &driver.build) {
        (KernelVerdict::Comes | KernelVerdict::Unknown, Some(build))
            if driver.verdict == DriverVerdict::ComesAlong
                && is_name(&build.name)
                && is_version(&build.evr) =>
        {
            Some(rule(format!("{} = {}", build.name, build.evr), &driver.driver))
        }
        _ => None,
    });
    rules.collect()
}

/// What is left of rules once these kernels are installed; `None`: nothing is to be changed.
pub fn without_installed(rules: &str, is_installed: &dyn Fn(&str, &str) -> bool) -> Option<String> {
    let is_about = |line: &str| {
        let about = line.split_once(" if (").and_then(|(_, about)| about.split_once(" and "))?.0;
        let (name, evr) = about.split_once(" = ")?;
        Some(is_installed(name, evr))
    };
    let left: String =
        rules.lines().filter(|line| is_about(line) != Some(true)).map(|line| format!("{line}\n")).collect();
    (left != rules).then_some(left)
}

/// Names and versions come from metadata. What has anything else in it could be another rule, and a `:` cannot be written.
fn is_word(text: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "._+~^-".contains(c);
    !text.is_empty() && text.len() < 200 && text.chars().all(is_known)
}

fn is_name(name: &str) -> bool {
    is_word(name) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_version(evr: &str) -> bool {
    is_word(evr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_about_a_kernel_go_once_it_is_installed() {
        let rules = "# x\nrequires:(nic = 1 if (kernel-default = 2-1 and nic))\n\
                     requires:(kmp-not-yet-judged(nic) if (kernel-default > 3-1 and nic))\n";
        assert_eq!(without_installed(rules, &|_, _| false), None);
        let left = without_installed(rules, &|name, evr| (name, evr) == ("kernel-default", "2-1")).unwrap();
        assert_eq!(left.lines().count(), 2, "{left}");
    }

    #[test]
    fn what_could_be_another_rule_is_no_word() {
        assert!(is_name("nic-kmp-default") && is_version("1.0_k6.4.0_2-1.1"));
        for odd in ["", "a b", "a\nrequires:x", "1:2-1", "a)", "x or y"] {
            assert!(!is_name(odd) && !is_version(odd), "{odd}");
        }
    }
}
