// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask test`: every check and every test, one after the other, whatever fails.

use std::time::{Duration, Instant};

use testkit::packages::Use;

use crate::run::cargo;
use crate::{bench, fuzz, house, install, judge, plugin, privilege, releases, sources};

/// Install what is needed, then run every check and test.
#[derive(clap::Args)]
pub struct Arguments {
    /// Leave out the tests that boot kernels.
    #[arg(long)]
    no_judge: bool,
    /// Measure speed as well.
    #[arg(long)]
    bench: bool,
    /// Install nothing; what is missing is named.
    #[arg(long)]
    no_install: bool,
    /// Only list what would be needed of the distribution, by purpose.
    #[arg(long, exclusive = true)]
    list_packages: bool,
}

/// One step and how it ended.
struct Step {
    name: &'static str,
    took: Duration,
    end: End,
}

enum End {
    Ok,
    /// In whole or in part, and why.
    NotRun(String),
    Failed(String),
}

impl From<Result<(), String>> for End {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Ok)
    }
}

/// `Some`: why it was not run.
impl From<Result<Option<String>, String>> for End {
    fn from(result: Result<Option<String>, String>) -> Self {
        match result {
            Ok(None) => Self::Ok,
            Ok(Some(why)) => Self::NotRun(why),
            Err(why) => Self::Failed(why),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.list_packages {
        install::list_packages();
        return Ok(());
    }
    let judge = !arguments.no_judge;
    let start = Instant::now();
    let mut steps = Vec::new();
    let uses = if judge {
        vec![Use::Demo, Use::Test, Use::Rpm, Use::Judge]
    } else {
        vec![Use::Demo, Use::Test, Use::Rpm]
    };
    // Even where something cannot be installed, the other steps have something to say.
    step(&mut steps, "tools", || tools(&uses, arguments.no_install));
    step(&mut steps, "format", || {
        cargo(&[], &["fmt", "--all", "--check"], &[])?;
        fuzz::format()?;
        sources::licences()
    });
    step(&mut steps, "clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        cargo(&[], &arguments, &[])?;
        fuzz::lint()
    });
    step(&mut steps, "shellcheck", sources::shellcheck);
    step(&mut steps, "spelling", house::spelling);
    step(&mut steps, "oldest rust", house::oldest_rust);
    step(&mut steps, "docs", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
        cargo(&[], &arguments, &[("RUSTDOCFLAGS", "-D warnings")])
    });
    step(&mut steps, "tests", || {
        let namespace = privilege::namespace()?;
        cargo(&namespace, &["test", "--workspace", "--no-fail-fast", "--locked"], &[])
    });
    step(&mut steps, "packages", || {
        let namespace = privilege::namespace()?;
        cargo(&namespace, &["test", "--workspace", "--test", "packages", "--locked"], &[])
    });
    step(&mut steps, "sanitizers", plugin::check_sanitized);
    step(&mut steps, "fuzz", fuzz::check);
    // Behind the tests out here, which have built what is run there.
    let packages = install::target().join("tmp/packages-1");
    step(&mut steps, "releases", || releases::check(Some(&*packages).filter(|p| p.exists())));
    if judge {
        step(&mut steps, "judge", || judge::check(false));
    }
    if arguments.bench {
        step(&mut steps, "bench", || bench::run(&bench::Arguments::default()));
    }
    summary(&steps, start.elapsed())
}

fn step<E: Into<End>>(steps: &mut Vec<Step>, name: &'static str, run: impl FnOnce() -> E) {
    println!("\n=== {name}");
    let start = Instant::now();
    let end = run().into();
    match &end {
        End::Ok => {}
        End::NotRun(why) => println!("=== {name} NOT RUN: {why}"),
        End::Failed(why) => println!("=== {name} FAILED: {why}"),
    }
    steps.push(Step { name, took: start.elapsed(), end });
}

fn summary(steps: &[Step], total: Duration) -> Result<(), String> {
    println!("\n=== summary");
    for Step { name, took, end } in steps {
        let result = match end {
            End::Ok => "ok".into(),
            End::NotRun(why) => format!("not run: {why}"),
            End::Failed(why) => format!("FAILED: {why}"),
        };
        println!("{name:12} {:>7.1} s  {result}", took.as_secs_f64());
    }
    println!("{:12} {:>7.1} s", "in all", total.as_secs_f64());
    let failed: Vec<&str> =
        steps.iter().filter(|s| matches!(s.end, End::Failed(_))).map(|s| s.name).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("failed: {}", failed.join(", "))),
    }
}

fn tools(uses: &[Use], no_install: bool) -> Result<(), String> {
    if no_install {
        install::install_nothing();
    }
    install::ensure(uses)?;
    install::ensure_components()
}
