// SPDX-License-Identifier: LGPL-2.1-or-later
//! The states that a driver or a module can have in a kernel, and the words for them. Pure.
//!
//! This is the only list: tables, `--json` and its schemas, messages, libkmp's constants and the section STATES of kmp(8) take
//! their words from here, and tests hold them against it. Which state an installed driver has is decided by
//! [`Survey::standings`](crate::survey::Survey::standings).

use std::fmt;

use crate::abi::Verdict;

/// Makes the enum, the list of all and their words of one table, so that there is no state without a word.
macro_rules! states {
    ($($state:ident $word:literal $meaning:literal;)+) => {
        /// How a driver, or a module, stands in a kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum State {
            $(#[doc = $meaning] $state,)+
        }

        impl State {
            /// Every state.
            pub const ALL: &[State] = &[$(State::$state,)+];

            /// The word for it, everywhere: at most [`State::WIDTH`] columns. It never changes.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$state => $word,)+ }
            }

            /// What it means: a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$state => $meaning,)+ }
            }
        }
    };
}

states! {
    Native "native" "Built for this kernel, in its own directory, and loads.";
    Linked "linked" "Built for another kernel, loads in this one, and is linked.";
    Unlinked "unlinked" "Would load in this kernel, but not all of its links are there: kmp sync makes them.";
    Unused "unused" "Not needed: another build of the same driver is used in this kernel.";
    Declined "declined" "Not to be linked into this kernel: kmp.conf or its own package says so.";
    Clash "clash" "Not linked: the kernel, another package or a file of nobody's has a module of that name.";
    Refused "refused" "The kernel would refuse to load it.";
    Breaks "breaks" "Not linked for what it breaks: the kernel would load it, but in-tree modules no longer.";
    Broken "broken" "A module of its package is missing or is no valid module.";
    Unread "unread" "Not known: something could not be read. Links stay as they are.";
    Compatible "compatible" "Of a module that is judged by itself: the kernel would load it.";
}

impl State {
    /// The widest word of a driver's state. Only `compatible`, which no driver has in a table, is wider.
    pub const WIDTH: usize = 8;

    /// The state of a module that is judged by itself: compatible, unread or refused; or one that is not linked for what it
    /// breaks.
    pub fn of(verdict: &Verdict) -> Self {
        match verdict.loads() {
            Some(true) if verdict.fits() => Self::Compatible,
            Some(true) => Self::Breaks,
            None => Self::Unread,
            Some(false) => Self::Refused,
        }
    }

    /// The state of a package that is not linked for the verdicts on its modules.
    pub fn of_unfit(verdicts: &[Verdict]) -> Self {
        let loads = |verdict: &Verdict| verdict.loads() == Some(true);
        if verdicts.iter().all(loads) && !verdicts.iter().all(Verdict::fits) {
            Self::Breaks
        } else {
            Self::Refused
        }
    }

    /// Does the driver work in the kernel as things are?
    pub const fn works(self) -> bool {
        matches!(self, Self::Native | Self::Linked)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Reason, Rule};

    #[test]
    fn each_word_is_one_word_and_no_other_states() {
        let words: std::collections::BTreeSet<&str> = State::ALL.iter().map(|state| state.word()).collect();
        assert_eq!(words.len(), State::ALL.len());
        for state in State::ALL.iter().filter(|state| **state != State::Compatible) {
            assert!(state.word().len() <= State::WIDTH, "{state}");
            assert!(state.word().bytes().all(|b| b.is_ascii_lowercase()) && state.meaning().ends_with('.'));
        }
    }

    #[test]
    fn a_module_is_compatible_refused_or_unread() {
        let with = |rule| Verdict { reasons: vec![Reason::new(rule, "")], ..Verdict::default() };
        assert_eq!(State::of(&Verdict::default()), State::Compatible);
        assert_eq!(State::of(&with(Rule::Crc)), State::Refused);
        assert_eq!(State::of(&with(Rule::Unread)), State::Unread);
        assert_eq!(State::of(&with(Rule::Breaks)), State::Breaks);
    }

    #[test]
    fn what_would_load_and_breaks_others_is_not_refused() {
        let with = |rules: &[Rule]| Verdict {
            reasons: rules.iter().map(|rule| Reason::new(*rule, "")).collect(),
            ..Verdict::default()
        };
        let (breaks, refused) = (with(&[Rule::Breaks]), with(&[Rule::Crc, Rule::Breaks]));
        assert_eq!((breaks.loads(), breaks.fits()), (Some(true), false));
        assert_eq!(State::of(&refused), State::Refused);
        assert_eq!(State::of(&with(&[Rule::Breaks, Rule::Unread])), State::Unread);
        assert_eq!(State::of_unfit(&[Verdict::default(), breaks.clone()]), State::Breaks);
        assert_eq!(State::of_unfit(&[refused, breaks]), State::Refused);
        assert_eq!(State::of_unfit(&[]), State::Refused);
    }
}
