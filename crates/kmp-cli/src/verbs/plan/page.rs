// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp plan` for people.

use kmp_core::guard::{self, Action, Fate, Form, Outlook, Planned, Prospect};
use kmp_core::printable;

use super::{Initrd, initrd};
use crate::output::terminal::{Colour, Page};

/// How many drivers have a line of their own, unless everything is asked for: with what else there is, a screen.
const ROWS: usize = 30;

/// Of more than these that are lost, a line says no more than which, and the first reason.
const WHOLE: usize = 3;

pub fn print(planned: &Planned, is_all: bool) -> Result<(), String> {
    let mut page = Page::new();
    draw(&mut page, planned, is_all);
    page.print()
}

/// A line about each kernel, then one about each driver, then what helps.
fn draw(page: &mut Page, planned: &Planned, is_all: bool) {
    let concerned: Vec<&Outlook> = planned.judged.kernels.iter().filter(|k| k.is_concerned()).collect();
    for kernel in &concerned {
        let colour = if kernel.lost().next().is_some() { Colour::Red } else { Colour::Green };
        page.wrapped_in(colour, &kernel.summary());
    }
    if concerned.is_empty() {
        page.wrapped(0, "no driver of any installed kernel is concerned");
    }
    let lost: usize = concerned.iter().map(|kernel| kernel.lost().count()).sum();
    let form = match lost {
        _ if is_all => Form::Whole(0),
        0..=WHOLE => Form::Whole(WHOLE),
        _ => Form::Short { with_kernel: false },
    };
    let mut rows = if is_all { usize::MAX } else { ROWS };
    for kernel in &concerned {
        draw_kernel(page, kernel, concerned.len() > 1, form, &mut rows);
    }
    let advice = guard::advice(&planned.judged.findings, &planned.tools);
    if !advice.is_empty() {
        page.line("");
    }
    for advice in advice {
        page.wrapped(0, &format!("{}:", advice.text));
        page.line(format!("    {}", advice.command));
    }
    let does = |action: Action| planned.judged.findings.iter().any(|f| f.action == action);
    match () {
        () if planned.is_transaction && does(Action::Stop) => page.wrapped(0, "kmp's plugin would stop rpm."),
        () if planned.is_transaction && does(Action::Warn) => {
            page.wrapped(0, "kmp's plugin would warn, and let rpm go on.")
        }
        () => {}
    }
}

/// A kernel, with lines for as many drivers as there are `rows` left for.
fn draw_kernel(page: &mut Page, kernel: &Outlook, with_heading: bool, form: Form, rows: &mut usize) {
    page.line("");
    if with_heading {
        page.line(page.paint(Colour::Bold, format!("kernel {}", kernel.release)));
    }
    // What is lost comes first, and what stays last.
    let weight = |driver: &Prospect| match &driver.fate {
        Fate::Lost(lost) => 2 + lost.weight as u8,
        Fate::Stays if driver.breaks.is_empty() => 0,
        _ => 1,
    };
    let mut drivers: Vec<&Prospect> = kernel.drivers.iter().collect();
    drivers.sort_by_key(|driver| std::cmp::Reverse(weight(driver)));
    let shown = drivers.len().min(*rows);
    *rows -= shown;
    for driver in &drivers[..shown] {
        draw_driver(page, driver, &kernel.release, form);
    }
    let (more, is_lost) = (&drivers[shown..], |driver: &&&Prospect| driver.is_lost());
    match (more.len(), more.iter().filter(is_lost).count()) {
        (0, _) => {}
        (n, 0) if more.iter().all(|driver| weight(driver) == 0) => {
            page.wrapped(2, &format!("and {n} more, which stay; to list them, add --all"));
        }
        (n, lost) => page.wrapped(2, &format!("and {n} more, {lost} of them lost; to list them, add --all")),
    }
    match initrd(kernel) {
        Initrd::Made => page.wrapped(2, "initrd: a new one, as the kernel comes"),
        Initrd::Checked => page.wrapped(2, "initrd: made anew if one of these modules is in it"),
        Initrd::Kept => {}
    }
    if let Some(next) = kernel.next_boot() {
        page.wrapped(2, &format!("next boot: {next}"));
    }
}

fn draw_driver(page: &mut Page, driver: &Prospect, kernel: &str, form: Form) {
    page.wrapped(2, &driver.line_in(kernel, form));
    if let (Fate::Lost(lost), Form::Whole(0)) = (&driver.fate, form) {
        for reason in &lost.reasons {
            page.wrapped_behind(
                6,
                17,
                &format!("{:<16} {}", reason.rule.as_str(), printable(reason.detail.as_ref())),
            );
        }
    }
    // Of one that is not linked for it, the line says it.
    for (module, detail) in driver.breaks.iter().filter(|_| !matches!(driver.fate, Fate::Fails(_))) {
        page.wrapped(4, &format!("the kernel's own {module} no longer loads beside it: {detail}"));
    }
}
