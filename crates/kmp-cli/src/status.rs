//! `kmp status`: each KMP against each kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kmp_core::abi::Verdict;
use kmp_core::inventory::{ItemKind, Release};
use kmp_core::plan::Decision;
use kmp_core::report::printable;
use kmp_core::survey::{Survey, SurveyedKernel};
use kmp_core::sync::first_reason;
use serde::Serialize;

use crate::Outcome;
use crate::args::Status;
use crate::context::Context;
use crate::json::{self, Document};
use crate::terminal::{Colour, Page};

#[derive(Serialize)]
struct Kernel {
    release: String,
    kmps: Vec<Kmp>,
    unpackaged: Vec<json::Module>,
}

#[derive(Serialize)]
struct Kmp {
    package: String,
    modules: Vec<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    reasons: Vec<json::Reason>,
}

/// How one KMP stands with one kernel.
struct State {
    word: &'static str,
    text: String,
    detail: Option<String>,
    colour: Colour,
    /// Something to be done, by kmp or by people.
    wrong: bool,
}

pub fn run(context: &Context, args: &Status, quiet: bool) -> Result<Outcome, String> {
    let mut loader = context.loader();
    let survey = context.survey(&mut loader, &args.kernels.kernels)?;
    if let Some(unknown) = &survey.inventory.packages_unknown {
        return Err(format!("the installed KMPs are not known: {unknown}"));
    }
    let states: Vec<Vec<Option<State>>> =
        survey.kernels.iter().map(|k| states(context, &survey, k)).collect();
    let unpackaged: Vec<Vec<(&Path, &str, &Verdict)>> =
        survey.kernels.iter().map(|k| unpackaged(&survey, k)).collect();
    let wrong = states.iter().flatten().flatten().any(|s| s.wrong)
        || unpackaged.iter().flatten().any(|(_, _, verdict)| !verdict.fits());
    if args.json {
        print_json(&survey, &states, &unpackaged)?;
    } else if !quiet {
        print(&survey, &states, &unpackaged)?;
    }
    Ok(if wrong { Outcome::Found } else { Outcome::Good })
}

fn states(context: &Context, survey: &Survey, kernel: &SurveyedKernel) -> Vec<Option<State>> {
    let release = survey.release(kernel);
    let kmps = &survey.inventory.kmps;
    let plan = &kernel.plan;
    let served: BTreeSet<&str> = (0..kmps.len())
        .filter(|k| matches!(plan.decisions[*k], Decision::Native | Decision::Link))
        .map(|k| kmps[k].package.name.as_str())
        .collect();
    let mut states = Vec::new();
    for (index, decision) in plan.decisions.iter().enumerate() {
        let kmp = &kmps[index];
        let verdicts = &plan.verdicts[index];
        let misfit = verdicts.iter().any(|v| !v.fits());
        let links = links_of(context, survey, release, index);
        let state =
            |word, text: String, colour, wrong| Some(State { word, text, detail: None, colour, wrong });
        let with = |state: Option<State>, detail: String| state.map(|s| State { detail: Some(detail), ..s });
        states.push(match decision {
            Decision::OtherFlavour => None,
            Decision::Native if misfit => with(
                state("native", "native, but would not load".into(), Colour::Red, true),
                first_reason(kmp, verdicts),
            ),
            Decision::Native => state("native", "native".into(), Colour::Green, false),
            Decision::Link if links == kmp.modules.len() => {
                state("linked", "linked".into(), Colour::Green, false)
            }
            Decision::Link => state("not-linked", "fits but not linked".into(), Colour::Yellow, true),
            Decision::Superseded(by) => with(
                state("superseded", "superseded".into(), Colour::Dim, false),
                format!("by {}", kmps[*by].package.nvr()),
            ),
            Decision::Clash { module, with: other } => with(
                state("clash", "not linked".into(), Colour::Yellow, true),
                format!("{module} is there already: {other}"),
            ),
            Decision::Broken => with(
                state("broken", "broken".into(), Colour::Red, true),
                kmp.broken.clone().unwrap_or_default(),
            ),
            Decision::DoesNotFit => {
                let by_older = served.contains(kmp.package.name.as_str());
                let colour = if by_older { Colour::Dim } else { Colour::Red };
                let text = if links > 0 { "does not fit, but is linked" } else { "does not fit" };
                with(
                    state("does-not-fit", text.into(), colour, !by_older || links > 0),
                    first_reason(kmp, verdicts),
                )
            }
        });
    }
    states
}

/// How many of a KMP's links a kernel has.
fn links_of(context: &Context, survey: &Survey, release: &Release, kmp: usize) -> usize {
    let items = release.weak_updates.iter().flatten();
    items
        .filter(|i| matches!(i.kind, ItemKind::Link(_)))
        .filter(|i| survey.inventory.ours(&context.root, i) == Some(Some(kmp)))
        .count()
}

fn unpackaged<'s>(survey: &'s Survey, kernel: &'s SurveyedKernel) -> Vec<(&'s Path, &'s str, &'s Verdict)> {
    let own = &survey.release(kernel).third_party;
    own.iter()
        .zip(&kernel.plan.natives)
        .filter(|(m, _)| survey.inventory.owner(&m.path).is_none())
        .map(|(m, verdict)| (m.path.as_path(), &*m.name, verdict))
        .collect()
}

fn print_json(
    survey: &Survey,
    states: &[Vec<Option<State>>],
    unpackaged: &[Vec<(&Path, &str, &Verdict)>],
) -> Result<(), String> {
    let kmps = &survey.inventory.kmps;
    let mut kernels = Vec::new();
    for ((kernel, states), unpackaged) in survey.kernels.iter().zip(states).zip(unpackaged) {
        let of_kmp = |(index, state): (usize, &Option<State>)| {
            let state = state.as_ref()?;
            Some(Kmp {
                package: kmps[index].package.nvr(),
                modules: kmps[index].modules.iter().map(|m| m.name.to_string()).collect(),
                state: state.word,
                detail: state.detail.clone(),
                reasons: kernel.plan.verdicts[index].iter().flat_map(json::reasons).collect(),
            })
        };
        kernels.push(Kernel {
            release: kernel.kernel.release.clone(),
            kmps: states.iter().enumerate().filter_map(of_kmp).collect(),
            unpackaged: unpackaged
                .iter()
                .map(|(path, name, verdict)| json::Module {
                    name: name.to_string(),
                    path: json::path(path),
                    package: None,
                    fits: verdict.fits(),
                    reasons: json::reasons(verdict),
                })
                .collect(),
        });
    }
    Document::print(kernels)
}

fn print(
    survey: &Survey,
    states: &[Vec<Option<State>>],
    unpackaged: &[Vec<(&Path, &str, &Verdict)>],
) -> Result<(), String> {
    let mut page = Page::new();
    let kernels = &survey.kernels;
    let width = kernels.iter().map(|k| k.kernel.release.len()).max().unwrap_or(0);
    let row = |page: &mut Page, release: &str, state: &State| {
        let detail = match &state.detail {
            Some(detail) => page.fit(width + 6 + state.text.chars().count(), &format!(": {detail}")),
            None => String::new(),
        };
        page.line(format!("  {release:width$}  {}{detail}", page.paint(state.colour, &state.text)));
    };
    for (index, kmp) in survey.inventory.kmps.iter().enumerate() {
        page.line(page.paint(Colour::Bold, kmp.package.nvr()));
        let mut any = false;
        for (kernel, states) in kernels.iter().zip(states) {
            if let Some(state) = &states[index] {
                row(&mut page, &kernel.kernel.release, state);
                any = true;
            }
        }
        if !any {
            page.line(page.paint(Colour::Dim, "  there is no kernel that it could serve"));
        }
    }
    let mut loose: BTreeMap<&Path, (&str, &Verdict)> = BTreeMap::new();
    for (kernel, modules) in kernels.iter().zip(unpackaged) {
        loose.extend(modules.iter().map(|(path, _, verdict)| (*path, (&*kernel.kernel.release, *verdict))));
    }
    if !loose.is_empty() {
        page.line(page.paint(Colour::Bold, "modules that no package owns"));
    }
    for (path, (_, verdict)) in loose {
        let fits = match verdict.reasons.first() {
            None => page.paint(Colour::Green, "fits"),
            Some(reason) => {
                format!("{}: {}", page.paint(Colour::Red, "does not fit"), printable(reason.detail.as_ref()))
            }
        };
        page.line(format!("  {}  {fits}", printable(path.as_os_str())));
    }
    if kernels.is_empty() {
        page.line("no kernel is installed");
    } else if survey.inventory.kmps.is_empty() {
        page.line("no KMP is installed");
    }
    page.print()
}
