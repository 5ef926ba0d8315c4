// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp hold`: which kernels are held back, why and since when; and letting one come.

use kmp_core::last_update::{self, Kernel, LastUpdate};
use kmp_core::printable;
use serde::Serialize;

use super::update::{Asked, look, write};
use crate::args;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::advisory::{Advisory, advisories};
use crate::output::json;
use crate::output::terminal::{Colour, Page};
use crate::output::when;

/// Of this form. It changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// What `kmp hold --json` prints, on one line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// When `kmp update` judged last, in RFC 3339's form; `null`: never.
    judged: Option<String>,
    /// The kernels that are held back.
    held: Vec<Held>,
}

/// A kernel that is held back.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Held {
    /// The package: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    package: String,
    /// Its release (`uname -r`).
    krel: String,
    /// Since when, in RFC 3339's form.
    since: Option<String>,
    /// The drivers that it would cost.
    missing: Vec<Missing>,
    /// The security advisories that it keeps back.
    advisories: Vec<Advisory>,
}

/// A driver that a kernel would cost.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Missing {
    /// The name of the installed package.
    driver: String,
    /// Why, in words.
    why: String,
}

pub fn run(context: &Context, args: &args::Hold, quiet: bool) -> Result<Outcome, String> {
    if let Some(name) = &args.release {
        let done = release(context, name)?;
        if args.json {
            json::print(&document(LastUpdate::load(&context.root).as_ref()))?;
        }
        return Ok(done);
    }
    if args.json {
        json::print(&document(LastUpdate::load(&context.root).as_ref()))?;
        return Ok(Outcome::Good);
    }
    if quiet {
        return Ok(Outcome::Good);
    }
    let mut page = Page::new();
    draw(&mut page, LastUpdate::load(&context.root).as_ref());
    page.print()?;
    Ok(Outcome::Good)
}

fn document(last: Option<&LastUpdate>) -> Document {
    let missing = |kernel: &Kernel| {
        let drivers = kernel.drivers.iter().filter(|d| is_missing(d));
        drivers.map(|d| Missing { driver: d.name.clone(), why: d.why.clone() }).collect()
    };
    let held = last.into_iter().flat_map(LastUpdate::held).map(|kernel| Held {
        package: kernel.package.clone(),
        krel: kernel.release.clone(),
        since: kernel.held_since.map(when::exact),
        missing: missing(kernel),
        advisories: advisories(&kernel.advisories),
    });
    Document { version: VERSION, judged: last.map(|last| when::exact(last.at)), held: held.collect() }
}

fn is_missing(driver: &last_update::Driver) -> bool {
    driver.verdict == "missing"
}

/// Lets a kernel come once, without the drivers that it costs.
fn release(context: &Context, name: &str) -> Result<Outcome, String> {
    let mut last = LastUpdate::load(&context.root).unwrap_or_default();
    let held: Vec<String> = last.held().map(|k| k.package.clone()).collect();
    let found: Vec<String> = last.held().filter(|k| is_called(k, name)).map(|k| k.package.clone()).collect();
    if found.is_empty() {
        return Err(match held.as_slice() {
            [] => "no kernel is held back, by what the last kmp update found".to_owned(),
            held => format!("no kernel {name} is held back; held are: {}", held.join(", ")),
        });
    }
    last.released.extend(found);
    last.save(&context.root).map_err(|e| format!("that it is released cannot be kept: {e}"))?;
    write(context, &look(context, &Asked::default())?)?;
    Ok(Outcome::Good)
}

/// Is it the kernel that somebody names: by its package, with or without the architecture, or by its release?
fn is_called(kernel: &Kernel, name: &str) -> bool {
    let nvr = kernel.package.rsplit_once('.').map_or("", |(nvr, _)| nvr);
    [kernel.package.as_str(), nvr, &kernel.release].contains(&name)
}

fn draw(page: &mut Page, last: Option<&LastUpdate>) {
    let Some(last) = last else {
        page.wrapped(0, "Nothing is known of any kernel in the repositories: kmp update");
        return;
    };
    let held: Vec<&Kernel> = last.held().collect();
    let judged = format!("as kmp update found {}", last_update::ago(last.age));
    match held.len() {
        0 => page.wrapped_in(Colour::Green, &format!("No kernel is held back, {judged}.")),
        1 => page.wrapped_in(Colour::Yellow, &format!("1 kernel is held back, {judged}.")),
        many => page.wrapped_in(Colour::Yellow, &format!("{many} kernels are held back, {judged}.")),
    }
    for kernel in &held {
        page.line("");
        let since = kernel.held_since.map(|since| format!(", since {}", when::day(since)));
        page.line(page.paint(Colour::Bold, format!("{}{}", kernel.package, since.unwrap_or_default())));
        for driver in kernel.drivers.iter().filter(|d| is_missing(d)) {
            page.wrapped_behind(2, 2, &driver.why);
        }
        if let Some(line) = last_update::kept_back(&kernel.advisories) {
            page.wrapped_behind(2, 2, &printable(line.as_ref()));
        }
    }
    if let Some(kernel) = held.first() {
        page.line("");
        page.wrapped(
            0,
            "It comes by itself once a build of each driver is in a repository. To let it come once without:",
        );
        page.line(format!("    kmp hold --release {}", kernel.package));
    }
}
