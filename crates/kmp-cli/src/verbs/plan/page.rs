// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp plan` for people.

use kmp_core::guard::{self, Action, Fate, Outlook, Planned, Prospect};

use super::{Initrd, initrd};
use crate::output::terminal::{Colour, Page};

pub fn print(planned: &Planned) -> Result<(), String> {
    let mut page = Page::new();
    draw(&mut page, planned);
    page.print()
}

/// A line about each kernel, then one about each driver, then what helps.
fn draw(page: &mut Page, planned: &Planned) {
    let concerned: Vec<&Outlook> = planned.judged.kernels.iter().filter(|k| k.is_concerned()).collect();
    for kernel in &concerned {
        let colour = if kernel.lost().next().is_some() { Colour::Red } else { Colour::Green };
        page.wrapped_in(colour, &kernel.summary());
    }
    if concerned.is_empty() {
        page.wrapped(0, "no driver of any installed kernel is concerned");
    }
    for kernel in &concerned {
        draw_kernel(page, kernel, concerned.len() > 1);
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

fn draw_kernel(page: &mut Page, kernel: &Outlook, with_heading: bool) {
    if with_heading {
        page.line("");
        page.line(page.paint(Colour::Bold, format!("kernel {}", kernel.release)));
    } else {
        page.line("");
    }
    let weight = |driver: &Prospect| match &driver.fate {
        Fate::Lost(lost) => lost.weight as u8,
        _ => 0,
    };
    let mut drivers: Vec<&Prospect> = kernel.drivers.iter().collect();
    drivers.sort_by_key(|driver| std::cmp::Reverse(weight(driver)));
    for driver in drivers {
        page.wrapped(2, &driver.line(&kernel.release));
        // Of one that is not linked for it, the line says it.
        for (module, detail) in driver.breaks.iter().filter(|_| !matches!(driver.fate, Fate::Fails(_))) {
            page.wrapped(4, &format!("the kernel's own {module} no longer loads beside it: {detail}"));
        }
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
