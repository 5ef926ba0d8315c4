// SPDX-License-Identifier: LGPL-2.1-or-later
//! A driver that a kernel would be without, in a line for people: whole, or short where there are many. Pure.

use super::kernels::Role;
use super::lost::{Lost, Weight};
use crate::abi::rule::Kind;
use crate::abi::{Reason, Rule};
use crate::inventory::Maker;

/// How many symbols, modules or packages a line names.
pub(super) const NAMED: usize = 3;

/// How long the names in a line may be together, if there is more than one.
const ROOM: usize = 60;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of it, with so many reasons.
    Whole(usize),
    /// As few words as say which driver, and why.
    Short {
        /// Of several kernels that are concerned, each line has its own.
        with_kernel: bool,
    },
}

/// The first few, and how many more there are.
pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let (total, mut first, mut shown) = (names.len(), String::new(), 0);
    for name in names.take(NAMED) {
        if shown > 0 && first.len() + name.len() > ROOM {
            break;
        }
        first = if shown == 0 { name } else { format!("{first}, {name}") };
        shown += 1;
    }
    if total > shown { format!("{first} and {} more", total - shown) } else { first }
}

/// A reason in few words.
fn short_reason(reason: &Reason) -> String {
    match (reason.rule, &reason.symbol, &reason.exporter) {
        (Rule::Crc, Some(symbol), _) => format!("{symbol} has another version"),
        (Rule::UnknownSymbol, Some(symbol), _) => format!("there is no {symbol}"),
        (Rule::License, Some(symbol), _) => format!("{symbol} is for GPL-compatible modules only"),
        (Rule::Depends, _, Some(exporter)) => format!("{exporter}, which it needs, does not work"),
        (rule, Some(symbol), _) => format!("{rule} of {symbol}"),
        (rule, None, _) => rule.to_string(),
    }
}

/// What is not linked, though the kernel would load it, for what it breaks.
pub fn would_load(reasons: &[Reason]) -> bool {
    !reasons.is_empty() && reasons.iter().all(|r| r.rule.kind() == Kind::Policy)
}

/// How a version that a kernel does not get fails.
pub(super) fn fails(reasons: &[Reason]) -> &'static str {
    if would_load(reasons) { "is not linked into" } else { "does not work with" }
}

impl Lost {
    /// One line for people: which driver, which kernel, the first reasons and how many more, and what it matters for.
    pub fn line(&self) -> String {
        self.line_in(Form::Whole(NAMED))
    }

    /// The same in another form.
    pub fn line_in(&self, form: Form) -> String {
        match form {
            Form::Whole(reasons) => self.whole(reasons),
            Form::Short { with_kernel } => self.short(with_kernel),
        }
    }

    /// As few words as say which driver, and why.
    fn short(&self, with_kernel: bool) -> String {
        let kernel = if with_kernel { format!(" in {}", self.kernel) } else { String::new() };
        let head =
            format!("{} ({}{}){kernel}", self.package, listed(self.modules.iter().cloned()), self.used());
        let instead = || listed(self.instead.iter().cloned());
        let why = match (&self.failing, self.reasons.first()) {
            _ if self.made_by.is_some() => {
                format!("{} builds it on this machine", self.made_by.map_or("", Maker::as_str))
            }
            _ if self.weight == Weight::None => format!("the kernel has {} of its own", instead()),
            (None, _) if self.role == Role::Goes => "its last kernel goes".into(),
            (None, _) if self.is_erased => "it would be erased".into(),
            (None, _) => "no version of it would be left".into(),
            (Some(_), None) => "it does not work".into(),
            (Some(_), Some(first)) => match self.reasons.len() {
                1 => short_reason(first),
                n => format!(
                    "{} and {} more reason{}",
                    short_reason(first),
                    n - 1,
                    if n == 2 { "" } else { "s" }
                ),
            },
        };
        match (self.weight, &self.kept_in) {
            (Weight::None, _) => format!("{head}: {why}"),
            (Weight::Warning, Some(kept)) => format!("{head} is lost: {why}; kernel {kept} has it"),
            _ => format!("{head} is lost: {why}"),
        }
    }

    /// What its modules are needed for now.
    fn used(&self) -> &'static str {
        if self.needed_for.holds_root {
            ", needed for the root file system: the machine does not boot without it"
        } else if self.needed_for.holds_network {
            ", needed for the network"
        } else if self.needed_for.holds_console {
            ", needed for the console"
        } else if self.needed_for.is_loaded {
            ", loaded now"
        } else {
            ""
        }
    }

    /// With so many reasons; with none, nothing is said of reasons at all.
    fn whole(&self, reasons: usize) -> String {
        let modules = listed(self.modules.iter().cloned());
        let used = self.used();
        let kernel = match self.role {
            Role::Comes => format!("the new kernel {}", self.kernel),
            Role::Asked | Role::Stays | Role::Goes => format!("kernel {}", self.kernel),
        };
        if let Some(maker) = self.made_by {
            let maker = maker.as_str();
            return format!(
                "{} ({modules}) is built on this machine by {maker}: {kernel} has it once that is done",
                self.nvr
            );
        }
        let instead = listed(self.instead.iter().cloned());
        if self.weight == Weight::None {
            return format!(
                "{} ({modules}{used}) does not work with {kernel}, which has {instead} of its own",
                self.nvr
            );
        }
        let mut line = match &self.failing {
            None if self.role == Role::Goes => {
                format!(
                    "{} ({modules}{used}) would be erased with {kernel}, the last one that it works with",
                    self.nvr
                )
            }
            None if self.is_erased && self.role == Role::Stays => {
                format!("{} ({modules}{used}) would be erased, and works with {kernel}", self.nvr)
            }
            None if self.is_erased => {
                format!("{} ({modules}{used}) would be erased, also for {kernel}", self.nvr)
            }
            None => format!("{} ({modules}{used}): no version of it would be left for {kernel}", self.nvr),
            Some(failing) => {
                let details: Vec<_> = self.reasons.iter().take(reasons).map(|r| r.detail.as_str()).collect();
                let more = match (reasons, self.reasons.len().saturating_sub(reasons)) {
                    (0, _) => String::new(),
                    (_, 0) => format!(": {}", details.join("; ")),
                    (_, more) => format!(": {}; and {more} more", details.join("; ")),
                };
                format!("{failing} ({modules}{used}) {} {kernel}{more}", fails(&self.reasons))
            }
        };
        if self.failing.as_ref().is_some_and(|failing| *failing != self.nvr) && self.role == Role::Stays {
            line = format!("{line}; {}, which does, would go", self.nvr);
        }
        if !self.instead.is_empty() {
            line = format!("{line}; {kernel} has {instead} of its own");
        }
        if let (Weight::Warning, Some(kept)) = (self.weight, &self.kept_in) {
            line = format!("{line}; kernel {kept} has the driver");
        }
        line
    }
}
