// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp fleet --html`: the same as a page: how many machines each kernel costs something, then of each kernel the drivers, with how many
//! machines, why, and what helps; the names of machines are folded.

use std::collections::{BTreeMap, BTreeSet};

use kmp_repo::fleet::{Judged, Machines, Sum, Told, builds, sums};
use kmp_repo::update::KernelFate;
use kmp_report::{Body, Document, Inline, Table, Tone};

use super::page::{NAMES, in_use};
use crate::output::count::{counted, number};

/// A driver that a kernel costs, or of which that is not known, with one reason.
#[derive(Default)]
struct Row<'j> {
    names: BTreeSet<&'j str>,
    with_facts: usize,
    uses: [usize; 3],
    remedy: Option<&'j str>,
}

/// By driver and reason.
type Rows<'j> = BTreeMap<(&'j str, &'j str), Row<'j>>;

pub fn page(machines: &Machines, judged: &[Judged<'_>], problems: &[String], all: bool) -> String {
    let sums = sums(judged);
    // A machine may lose one with each kernel, and counts once.
    let count = |is: fn(&Told) -> bool| -> usize {
        let concerned = judged.iter().filter(|judged| judged.fates.iter().any(|fate| is(&fate.told)));
        concerned.map(|judged| judged.group.len()).sum()
    };
    let (lose, unknown) =
        (count(|told| matches!(told, Told::Loses(_))), count(|told| matches!(told, Told::Unknown(_))));
    let (tone, verdict) = match (lose, unknown) {
        _ if sums.is_empty() => (Tone::Plain, "no newer kernel is in the repositories".into()),
        (0, 0) => (Tone::Good, "no machine loses a driver".into()),
        (0, some) => (Tone::Warning, format!("{}: not known", counted(some, "machine"))),
        (1, _) => (Tone::Bad, "1 machine loses a driver".into()),
        (many, _) => (Tone::Bad, format!("{} lose a driver", counted(many, "machine"))),
    };
    let mut body = Body::new();
    if !sums.is_empty() {
        body.heading("Kernels that may come");
    }
    let mut table = Table::new(["kernel", "lose a driver", "not known", "lose nothing"]);
    for (kernel, sum) in &sums {
        table.row(row(kernel, sum));
    }
    body.table(table.number(1).number(2).number(3));
    for (kernel, _) in &sums {
        of_kernel(&mut body, kernel, judged, all);
    }
    let assumed: BTreeSet<&String> = judged.iter().flat_map(|judged| &judged.assumed).collect();
    if !assumed.is_empty() {
        body.heading("What is taken for granted");
        body.list(assumed.into_iter().map(Inline::from));
    }
    let more = machines.more_problems();
    if !problems.is_empty() {
        body.heading("What was left out");
        let more = (more > 0).then(|| format!("and {} that are no machines", counted(more, "more line")));
        body.list(problems.iter().cloned().chain(more).map(|line| Inline::toned(Tone::Warning, line)));
    }
    let groups = counted(judged.len(), "group");
    let note = format!("{}, in {groups} with the same packages", counted(machines.len(), "machine"));
    Document::new("A kernel, and many machines", tone, verdict)
        .note(Inline::toned(Tone::Dim, note))
        .body(body)
        .to_html()
}

fn row(kernel: &KernelFate, sum: &Sum) -> [Inline; 4] {
    let toned = |tone: Tone, count: usize| match count {
        0 => Inline::toned(Tone::Dim, "0"),
        some => Inline::toned(tone, number(some)),
    };
    [
        Inline::code(&kernel.package.nevra).and_note(format!("from {}", kernel.package.repository)),
        toned(Tone::Bad, sum.loses),
        toned(Tone::Warning, sum.unknown),
        toned(Tone::Good, sum.nothing),
    ]
}

fn of_kernel(body: &mut Body, kernel: &KernelFate, judged: &[Judged<'_>], all: bool) {
    let (mut lost, mut unknown): (Rows<'_>, Rows<'_>) = Default::default();
    let mut along: BTreeMap<String, usize> = BTreeMap::new();
    for judged in judged {
        let group = judged.group;
        let fates = judged.fates.iter().filter(|fate| fate.kernel.package.nevra == kernel.package.nevra);
        for fate in fates {
            for (_, build) in builds(&fate.kernel) {
                *along.entry(format!("{} from {}", build.nevra, build.repository)).or_default() +=
                    group.len();
            }
            let names = || group.names.iter().map(String::as_str);
            match &fate.told {
                Told::Nothing => {}
                Told::Loses(losses) => {
                    for loss in losses {
                        let row = lost.entry((&loss.driver, &loss.why)).or_default();
                        row.names.extend(names());
                        row.with_facts += group.with_facts;
                        row.remedy = Some(&loss.remedy);
                        let uses = [loss.loaded, loss.boots, loss.network];
                        row.uses.iter_mut().zip(uses).for_each(|(sum, more)| *sum += more);
                    }
                }
                Told::Unknown(drivers) => {
                    for (driver, why) in drivers {
                        unknown.entry((driver, why)).or_default().names.extend(names());
                    }
                }
            }
        }
    }
    if lost.is_empty() && unknown.is_empty() && along.is_empty() {
        return;
    }
    body.heading(&kernel.package.nevra);
    for (title, tone, rows) in [("lost driver", Tone::Bad, &lost), ("not known", Tone::Warning, &unknown)] {
        let mut table = Table::new([title, "machines", "why, and what helps"]).number(1);
        // Those of the most machines first.
        let mut rows: Vec<_> = rows.iter().collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.names.len()));
        for ((driver, why), row) in &rows {
            let uses = in_use(row.with_facts, row.names.len(), row.uses);
            let why = row.remedy.into_iter().fold(Inline::from(why), Inline::and_note);
            let driver = Inline::new().and_toned(tone, driver);
            let driver = if uses.is_empty() { driver } else { driver.and_note(uses.trim()) };
            table.row([driver, number(row.names.len()).into(), why]);
        }
        body.table(table);
        for ((driver, _), row) in rows {
            let most = if all { usize::MAX } else { NAMES };
            let mut inside = Body::new();
            let more =
                (row.names.len() > most).then(|| Inline::toned(Tone::Dim, "... (--all names every machine)"));
            inside.list(row.names.iter().take(most).map(Inline::code).chain(more));
            body.folded(
                Inline::code(driver).and(format!(": {}", counted(row.names.len(), "machine"))),
                inside,
            );
        }
    }
    if !along.is_empty() {
        let mut inside = Body::new();
        let line = |(build, count): (&String, &usize)| {
            Inline::code(build).and(format!(": {}", counted(*count, "machine")))
        };
        inside.list(along.iter().map(line));
        body.folded(format!("{} to come along", counted(along.len(), "build")), inside);
    }
}
