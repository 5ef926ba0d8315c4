// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is done about kernels that would cost a driver: held back, and since when, or let come, as kmp.conf and whoever released
//! one say. Pure.

use kmp_core::config::{Config, Missing};
use kmp_core::last_update::{self, Advisory, LastUpdate};

use super::{DriverFate, KernelFate, KernelVerdict, Update};

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// Decides, and returns what is to be kept for the next time. `last`: what was kept the last time; `now`: seconds since 1970.
pub fn settle(update: &mut Update, last: Option<&LastUpdate>, config: &Config, now: u64) -> LastUpdate {
    let mut kept = LastUpdate { at: now, ..LastUpdate::default() };
    for kernel in update.kernels.iter_mut().filter(|k| k.verdict != KernelVerdict::Installed) {
        let package = &kernel.package.nevra;
        let before = last.and_then(|last| last.kernels.iter().find(|k| k.package == *package));
        let is_released = last.is_some_and(|last| last.released.contains(package));
        if is_released {
            // It is forgotten once the kernel is installed, or gone.
            kept.released.push(package.clone());
        }
        if kernel.verdict == KernelVerdict::Held {
            // A clock that was set back does not make it longer.
            let since = before.and_then(|k| k.held_since).unwrap_or(now).min(now);
            kernel.held_since = Some(since);
            decide(kernel, is_released, config, (now - since) / DAY);
        }
    }
    leave_what_comes(update);
    let coming = update.kernels.iter().filter(|k| k.verdict != KernelVerdict::Installed);
    kept.kernels.extend(coming.map(remembered));
    kept
}

/// What another kernel brings that may come, one that is held does not keep back.
fn leave_what_comes(update: &mut Update) {
    let come: Vec<(String, Vec<Advisory>)> =
        update.next().map(|kernel| (kernel.line.clone(), kernel.advisories.clone())).collect();
    for held in update.kernels.iter_mut().filter(|k| k.verdict == KernelVerdict::Held) {
        let coming = come.iter().filter(|(line, _)| *line == held.line);
        coming.for_each(|(_, brought)| held.advisories.retain(|advisory| !brought.contains(advisory)));
    }
}

/// One that is held, for so many days.
fn decide(kernel: &mut KernelFate, is_released: bool, config: &Config, days: u64) {
    let line = kernel.line.as_str();
    let is_over =
        |driver: &str| config.hold_max_days(driver, line).is_some_and(|most| days >= u64::from(most));
    let wish = |driver: &DriverFate| match config.missing(&driver.driver, line) {
        _ if is_released => Missing::Warn,
        Missing::Hold if is_over(&driver.driver) => Missing::Warn,
        missing => missing,
    };
    let missing: Vec<&DriverFate> = kernel.drivers.iter().filter(|d| d.stops).collect();
    let wishes: Vec<Missing> = missing.iter().map(|driver| wish(driver)).collect();
    let names = missing.iter().map(|d| d.driver.as_str()).collect::<Vec<_>>().join(", ");
    if wishes.contains(&Missing::Hold) {
        return;
    }
    kernel.verdict = KernelVerdict::Comes;
    if wishes.contains(&Missing::Abort) {
        kernel.reason = format!("rpm's plugin would stop it, as kmp.conf says: no build of {names} for it");
        return;
    }
    kernel.is_let = true;
    let why = match () {
        () if is_released => "it was released".to_owned(),
        () if missing.iter().any(|d| is_over(&d.driver)) => format!("it was held for {days} days"),
        () => "kmp.conf says so".to_owned(),
    };
    kernel.reason = format!("without {names}: {why}");
}

fn remembered(kernel: &KernelFate) -> last_update::Kernel {
    let driver = |driver: &DriverFate| {
        let build = driver.build.as_ref();
        last_update::Driver {
            name: driver.driver.clone(),
            verdict: driver.verdict.as_str().to_owned(),
            build: build.map(|build| build.nevra.clone()).unwrap_or_default(),
            repository: build.map(|build| build.repository.clone()).unwrap_or_default(),
            why: driver.why.clone(),
        }
    };
    last_update::Kernel {
        line: kernel.line.clone(),
        package: kernel.package.nevra.clone(),
        release: kernel.release.clone(),
        held_since: kernel.held_since,
        is_let: kernel.is_let,
        reason: kernel.reason.clone(),
        drivers: kernel.drivers.iter().map(driver).collect(),
        advisories: if kernel.verdict == KernelVerdict::Held {
            kernel.advisories.clone()
        } else {
            Vec::new()
        },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{DriverVerdict, Named};
    use super::*;

    pub(in super::super) fn held() -> Update {
        let named = |name: &str| Named {
            nevra: format!("{name}-6-2.x86_64"),
            name: name.into(),
            evr: "6-2".into(),
            repository: "r".into(),
            vendor: None,
            packager: None,
            signing: None,
        };
        let driver = DriverFate {
            driver: "nic".into(),
            verdict: DriverVerdict::Missing,
            build: None,
            why: "x".into(),
            stops: true,
            is_update: false,
            needs_source: false,
        };
        let kernel = KernelFate {
            line: "kernel-default".into(),
            package: named("kernel-default"),
            krel: None,
            release: "6-2-default".into(),
            verdict: KernelVerdict::Held,
            held_since: None,
            is_let: false,
            reason: String::new(),
            packages: Vec::new(),
            drivers: vec![driver],
            advisories: Vec::new(),
        };
        Update { kernels: vec![kernel], problems: Vec::new() }
    }

    #[test]
    fn since_when_is_kept_and_after_so_many_days_it_comes() {
        let mut config = Config::default();
        let first = settle(&mut held(), None, &config, 100);
        assert_eq!(first.kernels[0].held_since, Some(100));
        let mut again = held();
        let second = settle(&mut again, Some(&first), &config, 100 + 9 * DAY);
        assert_eq!(
            (again.kernels[0].verdict, second.kernels[0].held_since),
            (KernelVerdict::Held, Some(100))
        );
        assert!(config.read("hold-max-days = 9\n").is_empty());
        for (now, verdict) in [(99 + 9 * DAY, KernelVerdict::Held), (100 + 9 * DAY, KernelVerdict::Comes)] {
            let mut later = held();
            let kept = settle(&mut later, Some(&second), &config, now);
            assert_eq!(
                (later.kernels[0].verdict, kept.kernels[0].is_let),
                (verdict, verdict == KernelVerdict::Comes)
            );
            // It stays so.
            assert_eq!(kept.kernels[0].held_since, Some(100));
        }
    }

    #[test]
    fn a_held_kernel_keeps_back_what_no_other_brings_that_comes() {
        let advisory = |id: &str| Advisory { id: id.into(), ..Advisory::default() };
        let mut update = held();
        update.kernels[0].advisories = vec![advisory("A-1"), advisory("A-2")];
        let mut comes = update.kernels[0].clone();
        (comes.verdict, comes.advisories) = (KernelVerdict::Comes, vec![advisory("A-1")]);
        comes.package.nevra = "kernel-default-6-1.x86_64".into();
        let alone = settle(&mut update.clone(), None, &Config::default(), 5);
        assert_eq!(alone.kernels[0].advisories.len(), 2);
        update.kernels.push(comes);
        let kept = settle(&mut update, None, &Config::default(), 5);
        assert_eq!(kept.kernels[0].advisories, [advisory("A-2")]);
        assert!(kept.kernels[1].advisories.is_empty() && update.kernels[1].advisories.len() == 1);
    }

    #[test]
    fn what_is_released_comes_and_what_kmp_conf_says_is_done() {
        let config = Config::default();
        let released =
            LastUpdate { released: vec!["kernel-default-6-2.x86_64".into()], ..LastUpdate::default() };
        let mut update = held();
        let kept = settle(&mut update, Some(&released), &config, 5);
        assert!(kept.kernels[0].is_let && kept.released == released.released);
        // It is installed, or gone.
        assert!(settle(&mut Update::default(), Some(&kept), &config, 6).released.is_empty());
        for (text, verdict, is_let) in [
            ("missing = warn\n", KernelVerdict::Comes, true),
            ("missing = abort\n", KernelVerdict::Comes, false),
            ("missing = warn\n[nic]\nmissing = hold\n", KernelVerdict::Held, false),
        ] {
            let mut config = Config::default();
            config.read(text);
            let mut update = held();
            let kept = settle(&mut update, None, &config, 5);
            assert_eq!((update.kernels[0].verdict, kept.kernels[0].is_let), (verdict, is_let), "{text}");
        }
    }
}
