// SPDX-License-Identifier: LGPL-2.1-or-later
//! How each installed KMP stands in a kernel: the one place where what is planned and what is there become a state. Pure.

use std::collections::{BTreeSet, HashSet};

use super::{Survey, SurveyedKernel};
use crate::abi::Verdict;
use crate::ids::{KmpId, List};
use crate::inventory::{FoundModule, Ownership};
use crate::plan::Decision;
use crate::state::State;
use crate::sync::first_reason;

/// What a kernel has of a KMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its modules are in the kernel's own directory.
    Own,
    /// All its modules are linked.
    Links,
    /// Some of its modules are linked.
    SomeLinks,
    /// Nothing.
    Nowhere,
}

impl Place {
    /// Every place.
    pub const ALL: &[Place] = &[Self::Own, Self::Links, Self::SomeLinks, Self::Nowhere];

    /// The word in `--json`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Links => "links",
            Self::SomeLinks => "some-links",
            Self::Nowhere => "nowhere",
        }
    }
}

/// How a KMP stands in a kernel of its flavour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// What the kernel has of it.
    pub place: Place,
    /// Why, where the state alone does not say it: a clause without a full stop.
    pub detail: Option<String>,
    /// Something is to be done, by kmp or by people. Not where another build of the driver serves the kernel.
    pub is_fault: bool,
    /// It is where it should be, but the kernel refuses it for the key that signed it, until that is enrolled.
    pub lacks_key: bool,
}

impl Standing {
    /// Does the kernel have the KMP, or should it?
    pub fn is_wanted(&self) -> bool {
        self.place == Place::Own || self.lacks_key || matches!(self.state, State::Linked | State::Unlinked)
    }

    /// Is it linked though it should not be?
    pub fn is_linked_wrongly(&self) -> bool {
        let has_links = matches!(self.place, Place::Links | Place::SomeLinks);
        has_links && !self.lacks_key && !matches!(self.state, State::Linked | State::Unlinked | State::Unread)
    }
}

impl Survey {
    /// How each KMP stands in a kernel; `None`: it is for kernels of another flavour.
    pub fn standings(&self, kernel: &SurveyedKernel) -> List<KmpId, Option<Standing>> {
        let (kmps, plan) = (&self.inventory.kmps, &kernel.plan);
        let served: HashSet<&str> = plan
            .decisions
            .each()
            .filter(|(_, decision)| matches!(decision, Decision::Native | Decision::Link))
            .map(|(k, _)| kmps[k].driver.name.as_str())
            .collect();
        // What is to be said of the first build that is tried need not be said of all others.
        let mut seen = BTreeSet::new();
        let mut standings = List::new();
        for (index, decision) in plan.decisions.each() {
            let name = kmps[index].driver.name.as_str();
            let is_first = *decision != Decision::OtherFlavour && seen.insert(name);
            let is_minor = served.contains(name) || !is_first;
            standings.push(self.standing(kernel, index, decision, is_minor));
        }
        standings
    }

    fn standing(
        &self,
        kernel: &SurveyedKernel,
        index: KmpId,
        decision: &Decision,
        is_minor: bool,
    ) -> Option<Standing> {
        let kmp = &self.inventory.kmps[index];
        let verdicts = &kernel.plan.verdicts[index];
        let links = self.links_of(kernel, index);
        let place = match links {
            _ if *decision == Decision::Native => Place::Own,
            0 => Place::Nowhere,
            n if n == kmp.modules.len() => Place::Links,
            _ => Place::SomeLinks,
        };
        let why = || Some(first_reason(kmp, verdicts));
        let untrusted = verdicts.iter().find_map(Verdict::untrusted).map(|reason| reason.detail.clone());
        let is_there = matches!(decision, Decision::Native | Decision::Link) && place != Place::Nowhere;
        let lacks_key = untrusted.is_some() && is_there && verdicts.iter().all(Verdict::fits);
        let (state, detail, is_fault) = match decision {
            Decision::OtherFlavour => return None,
            Decision::Native if verdicts.iter().any(Verdict::is_unknown) => (State::Unread, why(), true),
            Decision::Native if !verdicts.iter().all(Verdict::fits) => {
                (State::of_unfit(verdicts), why(), true)
            }
            Decision::Native | Decision::Link if lacks_key => (State::Refused, untrusted, true),
            Decision::Native => (State::Native, None, false),
            Decision::Unknown => (State::Unread, why(), true),
            Decision::Link if place == Place::Links => (State::Linked, None, false),
            Decision::Link => (State::Unlinked, None, true),
            Decision::Superseded(by) => {
                let by = self.inventory.kmps[*by].package.nvr();
                (State::Unused, Some(format!("{by} is used in this kernel")), links > 0)
            }
            Decision::Clash { module, with } => {
                (State::Clash, Some(format!("{module} is there already: {with}")), true)
            }
            Decision::Broken => (State::Broken, kmp.broken.clone(), true),
            Decision::Declined(why) => (State::Declined, Some(why.clone()), links > 0),
            Decision::DoesNotFit => (State::of_unfit(verdicts), why(), !is_minor || links > 0),
        };
        Some(Standing { state, place, detail, is_fault, lacks_key })
    }

    /// The third-party modules of a kernel's own that no package owns, with the verdict on each.
    pub fn unpackaged_in<'s>(
        &'s self,
        kernel: &'s SurveyedKernel,
    ) -> impl Iterator<Item = (&'s FoundModule, &'s Verdict)> {
        let own = self.release(kernel).third_party.iter().zip(&kernel.plan.natives);
        own.filter(|(m, _)| self.inventory.owner(&m.path).is_none())
    }

    /// How many of a KMP's links a kernel has.
    fn links_of(&self, kernel: &SurveyedKernel, kmp: KmpId) -> usize {
        let items = self.release(kernel).weak_updates.iter().flatten();
        items.filter(|item| item.ownership == Ownership::Ours(kmp)).count()
    }
}
