// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rules for systems, a file each.

pub(super) mod idle;
pub(super) mod index;
pub(super) mod initrd;
pub(super) mod kernel_changed;
pub(super) mod kmp_changed;
pub(super) mod leftover;
pub(super) mod links;
pub(super) mod lost;
pub(super) mod unowned;

use super::{Found, Problem};
use kmp_core::printable;

/// Files of packages that differ: so many are named of each package.
const NAMED: usize = 5;

fn changed(problems: &[Problem]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for of_one in problems.chunk_by(|a, b| a.package == b.package) {
        let name = |problem: &Problem| format!("{} {}", printable(problem.path.as_os_str()), problem.how);
        found.extend(of_one.iter().take(NAMED).map(|problem| Found::new(&problem.package, name(problem))));
        if let Some(more) = of_one.len().checked_sub(NAMED).filter(|more| *more > 0) {
            found.push(Found::new(&of_one[0].package, format!("and {more} files more")));
        }
    }
    found
}
