// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update` for people: a verdict, a line for each driver of each kernel that may come, and what the next update does.

use kmp_core::last_update::kept_back;
use kmp_core::printable;
use kmp_repo::update::{DriverFate, KernelFate, KernelVerdict, Named, Update};

use crate::output::signatures::signed;
use crate::output::terminal::{Colour, Page};

/// `is_done`: are the rules for the next update written? `locks`: are they locks, as libzypp is too old for others?
pub fn print(found: &Update, is_done: bool, locks: bool) -> Result<(), String> {
    let mut page = Page::new();
    draw(&mut page, found, is_done, locks);
    page.print()
}

fn draw(page: &mut Page, found: &Update, is_done: bool, locks: bool) {
    let coming = coming(found);
    let (colour, verdict) = verdict(found, &coming);
    page.wrapped_in(colour, &verdict);
    for kernel in &coming {
        page.line("");
        let (colour, word) = standing(kernel);
        page.line(format!("{}: {}", page.paint(Colour::Bold, heading(kernel)), page.paint(colour, word)));
        for driver in &kernel.drivers {
            page.wrapped_behind(2, 2, &line(driver));
        }
        if kernel.verdict == KernelVerdict::Held
            && let Some(line) = kept_back(&kernel.advisories)
        {
            page.wrapped_behind(2, 2, &printable(line.as_ref()));
        }
        let builds: Vec<&Named> = kernel.not_by_itself().filter(|_| locks).collect();
        if !builds.is_empty() {
            let names = builds.iter().map(|build| build.name.as_str()).collect::<Vec<_>>().join(", ");
            let why = format!(
                "this libzypp would bring it without {names}, so it is locked; to have both (zypper asks for the lock):"
            );
            page.wrapped_behind(2, 2, &why);
            let words = |named: &Named| format!(" {}={}", named.name, named.evr);
            let words: String = std::iter::once(&kernel.package).chain(builds).map(words).collect();
            page.line(format!("    zypper install --oldpackage{words}"));
        }
        if kernel.is_let {
            page.wrapped_behind(2, 2, &format!("it comes all the same, {}", kernel.reason));
        }
    }
    if coming.is_empty() {
        return;
    }
    page.line("");
    if !is_done {
        page.wrapped(0, "Nothing was changed. To have the next update do so:");
        page.line("    kmp update");
    } else if let Some(held) = found.held().next() {
        page.wrapped(
            0,
            "A held kernel comes by itself once a build of each driver is there. To let it come without:",
        );
        page.line(format!("    kmp hold --release {}", held.package.nevra));
    }
}

/// The kernels that are not installed.
pub fn coming(found: &Update) -> Vec<&KernelFate> {
    found.kernels.iter().filter(|k| k.verdict != KernelVerdict::Installed).collect()
}

/// What becomes of a kernel.
pub fn standing(kernel: &KernelFate) -> (Colour, &'static str) {
    match kernel.verdict {
        KernelVerdict::Held => (Colour::Red, "held back"),
        KernelVerdict::Unknown => (Colour::Yellow, "not known"),
        _ => (Colour::Green, "may come"),
    }
}

/// What a kernel is called.
pub fn heading(kernel: &KernelFate) -> String {
    format!("{} {} ({})", kernel.line, kernel.package.evr, kernel.package.repository)
}

/// The line about all.
pub fn verdict(found: &Update, coming: &[&KernelFate]) -> (Colour, String) {
    if coming.is_empty() {
        return (Colour::Green, "No repository has a kernel that is newer than the installed one.".into());
    }
    let held: Vec<String> = found.held().map(called).collect();
    let next: Vec<String> = found
        .next()
        .map(|kernel| {
            let builds: Vec<&str> =
                kernel.drivers.iter().filter_map(|d| Some(&*d.build.as_ref()?.name)).collect();
            match builds.as_slice() {
                [] => called(kernel),
                builds => format!("{} with {}", called(kernel), builds.join(", ")),
            }
        })
        .collect();
    match (next.is_empty(), held.is_empty()) {
        (false, true) => (Colour::Green, format!("The next update brings {}.", next.join(" and "))),
        (true, _) => (
            Colour::Red,
            format!("The next update brings no kernel: {} held back for want of a driver.", are(&held)),
        ),
        (false, false) => (
            Colour::Yellow,
            format!(
                "The next update brings {}; {} held back for want of a driver.",
                next.join(" and "),
                are(&held)
            ),
        ),
    }
}

fn called(kernel: &KernelFate) -> String {
    format!("{} {}", kernel.line, kernel.package.evr)
}

fn are(names: &[String]) -> String {
    match names {
        [one] => format!("{one} is"),
        [one, two] => format!("{one} and {two} are"),
        _ => format!("{} kernels are", names.len()),
    }
}

/// What becomes of a driver.
pub fn line(driver: &DriverFate) -> String {
    match &driver.build {
        Some(build) => {
            let by = build.vendor.as_ref().map(|vendor| format!(", by {vendor}")).unwrap_or_default();
            let signed =
                build.signing.as_ref().map(|signing| format!("; {}", signed(signing))).unwrap_or_default();
            format!("{}: {} comes along, from {}{by}{signed}", driver.driver, build.evr, build.repository)
        }
        None => driver.why.clone(),
    }
}
