// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp devices` for people: a device, and below it what claims it.

use kmp_core::printable;
use kmp_drivers::devices::NeededFor;
use kmp_repo::hardware::Fit;

use super::Row;
use crate::output::signatures;
use crate::output::terminal::{Colour, Page};

pub fn draw(page: &mut Page, rows: &[Row], all: bool, found: usize) {
    let shown: Vec<&Row> = rows.iter().filter(|row| all || row.is_of_interest()).collect();
    for (heading, has_driver) in [("Without a driver", false), ("With a driver", true)] {
        let rows: Vec<&&Row> = shown.iter().filter(|row| row.has_driver() == has_driver).collect();
        if !rows.is_empty() {
            page.line(page.paint(Colour::Bold, heading));
            rows.into_iter().for_each(|row| device(page, row, all));
        }
    }
    let hidden: usize = found - shown.iter().map(|row| row.devices.len()).sum::<usize>();
    match (found, hidden) {
        (0, _) => page.line("no device is to be seen below /sys/devices"),
        (_, 0) => {}
        (_, 1) => page.line("1 device more, of no interest here: kmp devices --all"),
        (_, hidden) => page.line(format!("{hidden} devices more, of no interest here: kmp devices --all")),
    }
}

fn device(page: &mut Page, row: &Row, all: bool) {
    let device = row.device();
    let count = if row.devices.len() > 1 { format!(" ({} times)", row.devices.len()) } else { String::new() };
    let driver = match (&device.driver, &device.module) {
        (None, _) => String::new(),
        (Some(driver), None) => format!(": {driver}, built into the kernel"),
        (Some(driver), Some(module)) if driver.replace('-', "_") == *module => format!(": {driver}"),
        (Some(driver), Some(module)) => format!(": {driver} (module {module})"),
    };
    let needed = match row.needed_for {
        NeededFor { root: true, .. } => "; this machine boots from it",
        NeededFor { network: true, .. } => "; the network needs it",
        NeededFor { console: true, .. } => "; the console needs it",
        _ => "",
    };
    page.wrapped_behind(2, 2, &format!("{}, {}{count}{driver}{needed}", row.name, device.bus));
    if all {
        page.wrapped_behind(4, 2, &format!("{} {}", device.path.display(), device.modalias));
    }
    for kmp in &row.kmps {
        let kernels: Vec<String> = kmp
            .kernels
            .iter()
            .map(|(release, state)| format!("{} in {release}", page.state(*state)))
            .collect();
        let kernels =
            if kernels.is_empty() { "for kernels of another flavour".into() } else { kernels.join(", ") };
        let signed = match kmp.signers.as_slice() {
            [] => "not signed".to_string(),
            signers => format!("signed by {}", signers.join(", ")),
        };
        let supported = signatures::support_of(kmp.supported);
        let text = format!("{} ({}): {kernels}; {signed}; {supported}", kmp.package, kmp.modules.join(", "));
        page.wrapped_behind(4, 2, &text);
    }
    for offered in &row.offers {
        let fit = |(release, fit): &(String, Fit)| match fit {
            Fit::Fits => format!("fits {release}"),
            Fit::Refused(why) => format!("does not fit {release} ({})", printable(why.as_ref())),
            Fit::Unknown(_) => format!("may fit {release}"),
        };
        let kernels: Vec<String> = offered.kernels.iter().map(fit).collect();
        let kernels =
            if kernels.is_empty() { "for kernels of another flavour".into() } else { kernels.join(", ") };
        let vendor = offered.vendor.as_deref().map(|vendor| format!(" by {vendor}")).unwrap_or_default();
        let recommended = if offered.is_recommended { "; recommended (kmp devices --install)" } else { "" };
        let text = format!(
            "{}{vendor}, not installed, in repository {}: {kernels}{recommended}; {}; {}",
            offered.package,
            offered.repository,
            signatures::signed(&offered.signing),
            signatures::support(&offered.signing)
        );
        page.wrapped_behind(4, 2, &printable(text.as_ref()));
    }
    // The bound one need not be named again.
    let others = row.in_tree.iter().filter(|module| device.module.as_ref() != Some(&module.module));
    let others: Vec<&str> = others.map(|module| module.module.as_str()).collect();
    if !others.is_empty() {
        page.wrapped_behind(4, 2, &format!("the kernels' own modules for it: {}", others.join(", ")));
    } else if !row.has_driver() && row.kmps.is_empty() && row.offers.is_empty() {
        page.wrapped_behind(
            4,
            2,
            "no module of the kernels looked at, no installed KMP and none in a repository is for it",
        );
    }
}
