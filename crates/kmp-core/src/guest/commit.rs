// SPDX-License-Identifier: LGPL-2.1-or-later
//! libzypp's classic mode: one commit, carried out by many calls of rpm. A veto in the middle would leave it
//! half done, so the first call is judged with all that libzypp's commit plugin has noted as coming
//! ([`crate::run_dir::commit`]), and once one was let go on none is stopped. libzypp collects %posttrans
//! scriptlets and runs them when all is done; so the last call makes the links, for all. Should it never
//! come, the commit plugin does. Pure.

use crate::run_dir::commit::{Judged, Step};

/// What a transaction of rpm is to libzypp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// A transaction of its own.
    #[default]
    Alone,
    /// A part of a commit of which not all is known.
    Unknown,
    /// The first part, or nothing was done yet; what is to come is known.
    First,
    /// A later part of a commit that was judged as a whole.
    Judged,
}

/// Which part of a commit this is. `steps`: what was noted of it; `judged`: what the plugin has noted when it
/// let it go on.
pub fn part(in_commit: bool, steps: Option<&[Step]>, judged: Option<Judged>) -> Part {
    match (in_commit, steps, judged) {
        (false, ..) => Part::Alone,
        (true, None, _) | (true, _, Some(Judged { unknown: true, .. })) => Part::Unknown,
        (true, Some(_), None) => Part::First,
        (true, Some(_), Some(_)) => Part::Judged,
    }
}

/// Will there be other calls of rpm? `is_own`: is this a package of the call that we are in?
pub fn more_comes(steps: Option<&[Step]>, is_own: impl Fn(&str) -> bool) -> bool {
    steps.and_then(<[Step]>::last).is_some_and(|last| !is_own(&last.nevra))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_dir::commit::parse;

    #[test]
    fn parts_of_a_commit() {
        let judged = |unknown, links_left| Some(Judged { unknown, links_left });
        let steps = parse("M x-1-1.noarch\n- y-1-1.noarch\n").unwrap();
        let steps = Some(&*steps);
        assert_eq!(part(false, steps, judged(false, false)), Part::Alone);
        assert_eq!(part(true, None, None), Part::Unknown);
        assert_eq!(part(true, None, judged(false, false)), Part::Unknown);
        assert_eq!(part(true, steps, None), Part::First);
        assert_eq!(part(true, steps, judged(false, false)), Part::Judged);
        assert_eq!(part(true, steps, judged(false, true)), Part::Judged);
        assert_eq!(part(true, steps, judged(true, true)), Part::Unknown);
        assert!(more_comes(steps, |own| own == "x-1-1.noarch"));
        assert!(!more_comes(steps, |own| own == "y-1-1.noarch"));
        assert!(!more_comes(Some(&[]), |_| false) && !more_comes(None, |_| false));
    }
}
