// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp fleet` for people: what each kernel comes to, then the groups that it costs something, and what helps.

use kmp_core::printable;
use kmp_repo::fleet::{Fate, Group, Judged, Machines, Told, builds, sums};

use crate::output::count::counted;
use crate::output::terminal::{Colour, Page};

/// So many names of machines are printed of a group.
pub const NAMES: usize = 3;

pub fn print(machines: &Machines, judged: &[Judged<'_>], all: bool) -> Result<(), String> {
    let mut page = Page::new();
    let sums = sums(judged);
    if sums.is_empty() {
        let counted = counted(machines.len(), "machine");
        page.line(format!("{counted}: no newer kernel is in the repositories"));
    }
    for (kernel, sum) in &sums {
        let (nevra, repository) = (printable(kernel.package.nevra.as_ref()), &kernel.package.repository);
        let mut parts = Vec::new();
        for (count, one, many, colour) in [
            (sum.loses, "loses a driver", "lose a driver", Colour::Red),
            (sum.unknown, "is not known", "are not known", Colour::Yellow),
            (sum.nothing, "loses nothing", "lose nothing", Colour::Green),
        ] {
            if count > 0 {
                let words = if count == 1 { one } else { many };
                parts.push(page.paint(colour, format!("{} {words}", counted(count, "machine"))));
            }
        }
        let from = printable(repository.as_ref());
        page.wrapped_behind(0, 2, &format!("{nevra}, from {from}: {}", parts.join(", ")));
        let mut of_kernel: Vec<(&Judged<'_>, &Fate)> = judged
            .iter()
            .flat_map(|judged| judged.fates.iter().map(move |fate| (judged, fate)))
            .filter(|(_, fate)| fate.kernel.package.nevra == kernel.package.nevra)
            .collect();
        of_kernel.sort_by_key(|(judged, _)| std::cmp::Reverse(judged.group.len()));
        for (judged, fate) in of_kernel {
            draw(&mut page, judged.group, fate, all);
        }
    }
    let mut assumed: Vec<&String> = judged.iter().flat_map(|judged| &judged.assumed).collect();
    assumed.sort_unstable();
    assumed.dedup();
    for line in assumed {
        page.wrapped_behind(0, 2, &printable(line.as_ref()));
    }
    page.print()
}

fn draw(page: &mut Page, group: &Group, fate: &Fate, all: bool) {
    let mut along: Vec<String> = builds(&fate.kernel)
        .map(|(_, build)| printable(format!("{} from {}", build.nevra, build.repository).as_ref()))
        .collect();
    along.dedup();
    let names = names(group, all);
    match &fate.told {
        Told::Nothing if along.is_empty() => {}
        Told::Nothing => {
            page.wrapped_behind(2, 4, &format!("{names}: nothing is lost with {}", along.join(", ")));
        }
        Told::Loses(losses) => {
            for loss in losses {
                let driver = page.paint(Colour::Red, printable(loss.driver.as_ref()));
                let uses = in_use(group.with_facts, group.len(), [loss.loaded, loss.boots, loss.network]);
                page.wrapped_behind(2, 4, &format!("{names}: lose {driver}{uses}"));
                page.wrapped_behind(4, 6, &printable(loss.why.as_ref()));
                page.wrapped_behind(4, 6, &printable(loss.remedy.as_ref()));
            }
        }
        Told::Unknown(unknown) => {
            for (driver, why) in unknown {
                let driver = page.paint(Colour::Yellow, printable(driver.as_ref()));
                page.wrapped_behind(
                    2,
                    4,
                    &format!("{names}: {driver} is not known: {}", printable(why.as_ref())),
                );
            }
        }
    }
}

/// `12 machines (a, b, c ...)`.
fn names(group: &Group, all: bool) -> String {
    let most = if all { usize::MAX } else { NAMES };
    let shown: Vec<String> = group.names.iter().take(most).map(|name| printable(name.as_ref())).collect();
    let more = if group.len() > shown.len() { " ..." } else { "" };
    format!("{} ({}{more})", counted(group.len(), "machine"), shown.join(", "))
}

/// What machines say of a driver's use: so many of them say something, of all.
pub fn in_use(with_facts: usize, all: usize, [loaded, boots, network]: [usize; 3]) -> String {
    if with_facts == 0 {
        return String::new();
    }
    let of = match with_facts == all {
        true => String::new(),
        false => format!(" of the {with_facts} that say"),
    };
    let mut text = format!(" (loaded on {loaded}{of}");
    for (count, words) in [(boots, "boot from it"), (network, "need it for the network")] {
        if count > 0 {
            text.push_str(&format!(", {count} {words}"));
        }
    }
    text.push(')');
    text
}
