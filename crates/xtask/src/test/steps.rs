// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `cargo xtask test` consists of.

use std::path::PathBuf;

use super::pool;
use crate::run::cargo;
use crate::{bench, browser, fuzz, house, install, judge, kabi, plugin, privilege, releases, rpm, sources};

/// `Some`: it was not run, in whole or in part, and why.
pub type End = Result<Option<String>, String>;

/// One step. Those that do not wait for each other run side by side.
pub struct Step {
    pub name: &'static str,
    pub about: &'static str,
    /// The steps whose results it uses: they are run, too, where it is asked for alone.
    pub needs: &'static [&'static str],
    /// Further steps that have to be over, where they run: they build or download the same.
    pub after: &'static [&'static str],
    /// Does it keep processors busy? One that waits, for the network say, runs beside any number of others.
    pub busy: bool,
    pub run: fn() -> End,
}

/// All, by importance: of those that could start, the first does.
pub const STEPS: &[Step] = &[
    step("format", "rustfmt, clang-format; each source names its licence", || {
        cargo(&[], &["fmt", "--all", "--check"], &[])?;
        fuzz::format()?;
        house::c_format()?;
        done(sources::licences())
    }),
    step("shellcheck", "the shell scripts", || done(sources::shellcheck())),
    step("spelling", "codespell", || done(house::spelling())),
    step("chroots", "roots with newer Debian releases, by debootstrap", releases::provide).waits(),
    step("kernels", "the judge's kernels, from the archive", judge::fetch).waits(),
    step("build", "all that tests run, unoptimised", || {
        pool::build()?;
        done(plugin::build(plugin::Kind::Faults, "debug").map(drop))
    }),
    step("small kernels", "kernels of our own for the judge, compiled", judge::build_small),
    step("rpms", "kmp's own packages, in two releases, and as for EL", || {
        rpm::make(&packages("1"), "1", "suse")?;
        rpm::make(&packages("2"), "2", "suse")?;
        done(rpm::make(&packages("redhat"), "1", "redhat"))
    }),
    step("tests", "all tests of the workspace but those of kmp's packages", pool::tests).needs(&["build"]),
    step("packages", "kmp's packages installed, upgraded, removed", pool::packages)
        .needs(&["rpms"])
        .after(&["build"]),
    step("judge", "verdicts compared with those of booted kernels", || judge::check(judge::Extent::Sample))
        .after(&["build", "kernels"]),
    step("browser", "kmp's pages in chromium: text, widths, contrast", || done(browser::check()))
        .after(&["build"]),
    step("kabi", "reasons of changed CRCs, in the types of the judge's kernels", kabi::check)
        .after(&["build", "kernels"]),
    step("small judge", "verdicts compared with those of small kernels", judge::check_small)
        .after(&["build", "small kernels"]),
    step("releases", "tests on newer Debian releases as hosts", || {
        releases::check(&releases::Arguments::default())
    })
    .after(&["build", "chroots", "rpms"]),
    step("clippy", "its lints", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        cargo(&[], &arguments, &[])?;
        done(fuzz::lint())
    })
    .after(&["build"]),
    step("docs", "rustdoc without warnings, and the examples in it", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
        cargo(&[], &arguments, &[("RUSTDOCFLAGS", "-D warnings")])?;
        done(cargo(&privilege::namespace()?, &["test", "--workspace", "--doc", "--locked"], &[]))
    })
    .after(&["build", "clippy"]),
    step("sanitizers", "the plugin's tests with sanitizers and valgrind", plugin::check_sanitized)
        .after(&["build"]),
    step("fuzz", "each fuzz target for a second", || done(fuzz::check())),
    step("oldest rust", "built by the oldest Rust that is supported", house::oldest_rust),
];

/// Only where it is asked for, and alone.
pub const BENCH: Step =
    step("bench", "speed and memory against their bounds", || done(bench::run(&bench::Arguments::default())));

const fn step(name: &'static str, about: &'static str, run: fn() -> End) -> Step {
    Step { name, about, needs: &[], after: &[], busy: true, run }
}

impl Step {
    const fn waits(mut self) -> Self {
        self.busy = false;
        self
    }

    const fn needs(mut self, steps: &'static [&'static str]) -> Self {
        self.needs = steps;
        self
    }

    const fn after(mut self, steps: &'static [&'static str]) -> Self {
        self.after = steps;
        self
    }

    /// Has this one to wait for the other?
    pub fn waits_for(&self, other: &Self) -> bool {
        self.needs.contains(&other.name) || self.after.contains(&other.name)
    }
}

fn done(result: Result<(), String>) -> End {
    result.map(|()| None)
}

/// Where kmp's packages are put for the tests: those of a release, or those for EL.
pub fn packages(which: &str) -> PathBuf {
    install::target().join(format!("rpm/packages-{which}"))
}

/// The same for those that a release builds for itself, in a directory that nobody else sees. By another name than tests have for
/// what they build there without this program.
pub fn own_packages(which: &str) -> PathBuf {
    install::target().join(format!("tmp/release-packages-{which}"))
}

/// The step of this name.
pub fn find(name: &str) -> Option<&'static Step> {
    STEPS.iter().chain([&BENCH]).find(|step| step.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_waits_only_for_steps_before_it() {
        for (at, step) in STEPS.iter().enumerate() {
            for other in step.needs.iter().chain(step.after) {
                assert!(STEPS[..at].iter().any(|s| s.name == *other), "{} waits for {other}", step.name);
            }
        }
    }
}
