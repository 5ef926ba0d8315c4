// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status`: each KMP against each kernel.

mod page;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use kmp_core::abi::{Verdict, Warning};
use kmp_core::ids::{Id, KmpId, List};
use kmp_core::inventory::{InstalledKmp, Inventory, Kind, Maker};
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::survey::{Place, Standing, Survey, SurveyedKernel};
use serde::Serialize;

use self::page::{Row, Shown};
use crate::args::Status;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;
use crate::output::json::{self, Document};
use crate::output::terminal::Page;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// The kernel's release.
    release: String,
    /// The KMPs that are for it.
    kmps: Vec<Kmp>,
    /// Its third-party modules that no package owns.
    unpackaged: Vec<json::Module>,
    /// Modules outside of `kernel/` that are no drivers.
    apart: Vec<json::Apart>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kmp {
    /// `NAME-VERSION-RELEASE`.
    package: String,
    /// The names of its modules.
    modules: Vec<String>,
    /// How its modules came to be.
    #[cfg_attr(test, schemars(extend("enum" = ["shipped", "made-here"])))]
    kind: &'static str,
    /// Who made them on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("enum" = ["trigger", "scriptlet", "dkms", "akmods", "unknown"])))]
    made_by: Option<&'static str>,
    /// How it stands in the kernel; kmp(8) says what each word means.
    #[cfg_attr(test, schemars(extend("enum" = json::schemas::states())))]
    state: &'static str,
    /// What the kernel has of it: its modules in its `own` directory, all or some of their links, or nothing.
    #[cfg_attr(test, schemars(extend("enum" = json::schemas::places())))]
    place: &'static str,
    /// Is something to be done about it, by kmp or by people?
    fault: bool,
    /// Why, where the state alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Every reason why a module of it does not fit.
    reasons: Vec<json::Reason>,
    /// What it does to others.
    warnings: Vec<json::Warning>,
}

pub fn run(context: &Context, args: &Status, quiet: bool) -> Result<Outcome, String> {
    let mut loader = context.loader();
    let survey = context.survey(&mut loader, &args.kernels.kernels)?;
    if let Some(unknown) = &survey.inventory.packages_unknown {
        return Err(format!("the installed KMPs cannot be listed: {unknown}"));
    }
    let states: Vec<List<KmpId, Option<Shown>>> = survey.kernels.iter().map(|k| shown(&survey, k)).collect();
    let unpackaged: Vec<Vec<(&Path, &str, &Verdict)>> =
        survey.kernels.iter().map(|k| unpackaged(&survey, k)).collect();
    let wrong = states.iter().flatten().flatten().any(|s| s.standing.is_fault)
        || unpackaged.iter().flatten().any(|(_, _, verdict)| !verdict.fits());
    if args.json {
        print_json(&survey, &states, &unpackaged)?;
    } else if !quiet {
        // That of another root is nobody's to know.
        let running = running_kernel(&context.root).ok();
        print(&survey, running, &states, &unpackaged)?;
    }
    Ok(match () {
        () if survey.is_unread() => Outcome::Failed,
        () if wrong => Outcome::Found,
        () => Outcome::Good,
    })
}

/// What a KMP that is there does to others.
fn notes(verdicts: &[Verdict]) -> Vec<String> {
    let warnings = || verdicts.iter().flat_map(|v| &v.warnings);
    let broken: BTreeSet<&str> =
        warnings().filter(|w| matches!(w, Warning::Breaks { .. })).filter_map(Warning::module).collect();
    let breaks = (!broken.is_empty()).then(|| {
        let names: Vec<String> = broken.iter().map(|name| printable(name.as_ref())).collect();
        format!("breaks: {} (in-tree; no longer loads beside it)", names.join(", "))
    });
    let others = warnings().filter(|w| !matches!(w, Warning::Breaks { .. })).map(ToString::to_string);
    breaks.into_iter().chain(others.map(|text| printable(text.as_ref()))).collect()
}

/// The standings of all KMPs in a kernel, with what is to be shown of each.
fn shown(survey: &Survey, kernel: &SurveyedKernel) -> List<KmpId, Option<Shown>> {
    let standings = survey.standings(kernel);
    let with_notes = |(k, standing): (KmpId, &Option<Standing>)| {
        let standing = standing.clone()?;
        let notes = if standing.is_wanted() { notes(&kernel.plan.verdicts[k]) } else { Vec::new() };
        Some(Shown { standing, notes })
    };
    standings.each().map(with_notes).collect()
}

fn unpackaged<'s>(survey: &'s Survey, kernel: &'s SurveyedKernel) -> Vec<(&'s Path, &'s str, &'s Verdict)> {
    survey.unpackaged_in(kernel).map(|(m, verdict)| (m.path.as_path(), &*m.name, verdict)).collect()
}

fn print_json(
    survey: &Survey,
    states: &[List<KmpId, Option<Shown>>],
    unpackaged: &[Vec<(&Path, &str, &Verdict)>],
) -> Result<(), String> {
    let kmps = &survey.inventory.kmps;
    let mut kernels = Vec::new();
    for ((kernel, states), unpackaged) in survey.kernels.iter().zip(states).zip(unpackaged) {
        let of_kmp = |(index, state): (KmpId, &Option<Shown>)| {
            let Shown { standing, .. } = state.as_ref()?;
            Some(Kmp {
                package: kmps[index].package.nvr(),
                modules: kmps[index].modules.iter().map(|m| m.name.to_string()).collect(),
                kind: kmps[index].kind.as_str(),
                made_by: kmps[index].kind.maker().map(Maker::word),
                state: standing.state.word(),
                place: standing.place.word(),
                fault: standing.is_fault,
                detail: standing.detail.clone(),
                reasons: kernel.plan.verdicts[index].iter().flat_map(json::reasons).collect(),
                warnings: if standing.is_wanted() {
                    kernel.plan.verdicts[index].iter().flat_map(json::warnings).collect()
                } else {
                    Vec::new()
                },
            })
        };
        kernels.push(Kernel {
            release: kernel.kernel.release.clone(),
            apart: json::apart(&survey.inventory.apart, &kernel.kernel.release),
            kmps: states.each().filter_map(of_kmp).collect(),
            unpackaged: unpackaged
                .iter()
                .map(|(path, name, verdict)| json::Module {
                    name: name.to_string(),
                    path: json::path(path),
                    package: None,
                    state: State::of(verdict).word(),
                    fits: json::fits(verdict),
                    reasons: json::reasons(verdict),
                    warnings: json::warnings(verdict),
                })
                .collect(),
        });
    }
    Document::print(kernels)
}

/// Older versions that no kernel has, or should have, and of which nothing is to be said.
fn idle_versions(inventory: &Inventory, states: &[List<KmpId, Option<Shown>>]) -> BTreeSet<KmpId> {
    let kmps = &inventory.kmps;
    // Of several versions that have the same file only one has really brought it.
    let owns = |index: KmpId| kmps[index].modules.iter().any(|m| inventory.owner(&m.path) == Some(index));
    let of = |index: KmpId| states.iter().filter_map(move |of_kernel| of_kernel[index].as_ref());
    let is_older =
        |index: KmpId| index.place() > 0 && kmps[KmpId::at(index.place() - 1)].driver == kmps[index].driver;
    kmps.ids()
        .filter(|k| {
            let is_used = |s: &Shown| s.standing.is_wanted() && (s.standing.place != Place::Own || owns(*k));
            is_older(*k) && of(*k).all(|s| !s.standing.is_fault && !is_used(s))
        })
        .collect()
}

fn print<'s>(
    survey: &'s Survey,
    running: Option<String>,
    states: &[List<KmpId, Option<Shown>>],
    unpackaged: &[Vec<(&Path, &str, &Verdict)>],
) -> Result<(), String> {
    let mut page = Page::new();
    let running = running.unwrap_or_default();
    let kernel = |k: &'s SurveyedKernel| {
        let release = k.kernel.release.as_str();
        page::Kernel { release, is_running: release == running }
    };
    let row = |(index, kmp): (KmpId, &InstalledKmp)| Row {
        name: kmp.package.nvr(),
        states: states.iter().map(|of_kernel| of_kernel[index].as_ref()).collect(),
    };
    let kmps = &survey.inventory.kmps;
    let idle = idle_versions(&survey.inventory, states);
    let driver = |k: KmpId| (kmps[k].driver.name.as_str(), kmps[k].driver.is_by_kernel);
    let mut of_driver: HashMap<_, usize> = HashMap::new();
    idle.iter().for_each(|k| *of_driver.entry(driver(*k)).or_default() += 1);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (index, kmp) in kmps.each() {
        match of_driver.get(&driver(index)).copied().unwrap_or(0) {
            0 | 1 => rows.push(row((index, kmp))),
            // One line after the driver's last version.
            count => {
                if !idle.contains(&index) {
                    rows.push(row((index, kmp)));
                }
                if kmps.get(index.place() + 1).is_none_or(|k| k.driver != kmp.driver) {
                    let name = format!("  {count} older versions serve no kernel");
                    rows.push(Row { name, states: Vec::new() });
                }
            }
        }
    }
    let kernels: Vec<page::Kernel<'_>> = survey.kernels.iter().map(kernel).collect();
    let mut loose: BTreeMap<&Path, (&str, &Verdict)> = BTreeMap::new();
    for (kernel, modules) in survey.kernels.iter().zip(unpackaged) {
        loose.extend(modules.iter().map(|(path, _, verdict)| (*path, (&*kernel.kernel.release, *verdict))));
    }
    let mut lines = Vec::new();
    for (path, (_, verdict)) in loose {
        let word = page.state(State::of(verdict));
        let fits = match verdict.reasons.first() {
            None => word,
            Some(reason) => format!("{word}: {}", printable(reason.detail.as_ref())),
        };
        lines.push(format!("  {}  {fits}", printable(path.as_os_str())));
    }
    let of_kernels = |release: &str| survey.kernels.iter().any(|k| k.kernel.release == release);
    let apart = survey.inventory.apart.iter();
    let patches: Vec<String> = apart
        .filter(|a| a.kind == Kind::LivePatch && of_kernels(&a.release))
        .map(|a| format!("  {}", printable(a.module.path.as_os_str())))
        .collect();
    // Of what no package owns nobody knows more than that it is there.
    let made = kmps.iter().filter_map(|kmp| Some((kmp, kmp.kind.maker().filter(|m| *m != Maker::Somebody)?)));
    let made: Vec<String> =
        made.map(|(kmp, maker)| format!("  {}  by {}", kmp.package.nvr(), maker.as_str())).collect();
    page::draw(
        &mut page,
        &kernels,
        &rows,
        &[
            ("built on this machine, again for each new kernel", made),
            ("modules that no package owns", lines),
            ("live patches, each for its kernel alone", patches),
        ],
    );
    page.print()
}
