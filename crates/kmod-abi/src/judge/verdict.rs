// SPDX-License-Identifier: LGPL-2.1-or-later
//! Verdicts: reasons why a module is incompatible, and warnings.

use std::fmt;

use super::Rule;
use super::rule::Kind;
use crate::ModuleFault;
use crate::signature::KeyTrust;

/// A reason why a module is incompatible with a kernel. Displayed, it is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule that is broken.
    pub rule: Rule,
    /// The symbol concerned.
    pub symbol: Option<Box<str>>,
    /// The version that the module was built with.
    pub wanted: Option<u32>,
    /// The version that is exported.
    pub offered: Option<u32>,
    /// Who exports the symbol: `vmlinux`, an in-tree module's path, or a module's name.
    pub exporter: Option<Box<str>>,
    /// The reason as a sentence.
    pub detail: String,
}

impl Reason {
    /// A reason that concerns no symbol.
    pub fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, symbol: None, wanted: None, offered: None, exporter: None, detail: detail.into() }
    }

    pub(super) fn on(rule: Rule, symbol: &str, detail: String) -> Self {
        Self { symbol: Some(symbol.into()), ..Self::new(rule, detail) }
    }

    pub(super) fn by(mut self, exporter: &str) -> Self {
        self.exporter = Some(exporter.into());
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Something else to know about a module, whether it loads or not. Displayed, it is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// It takes the place of an in-tree module, and an in-tree user of that one no longer loads.
    Breaks {
        /// The in-tree user.
        user: Box<str>,
        /// Why the user does not load any more.
        reason: Reason,
    },
    /// Another module exports one of its symbols, too: the kernel refuses the one of the two that comes second.
    MayClash {
        /// The other module.
        with: Box<str>,
        /// The first such symbol.
        symbol: Box<str>,
    },
    /// It can do without another module, which is refused; but modprobe loads that one first, and gives up.
    WeakNeed {
        /// The other module.
        module: Box<str>,
        /// The first symbol of it that is used.
        symbol: Box<str>,
    },
    /// The kernel takes only modules that are signed with a key which it knows, and whether it knows this one is not known.
    Signer {
        /// The signer, or the key.
        signer: Box<str>,
    },
    /// Such a kernel will know the key once somebody confirms at the console that it is to be enrolled.
    Enrolment {
        /// The signer, or the key.
        signer: Box<str>,
    },
    /// Such a kernel does not know the key, and refuses it. It is linked all the same: once the key is enrolled, it loads.
    Untrusted {
        /// Why.
        reason: Reason,
    },
    /// Its BTF was made for another kernel's, and this kernel refuses modules whose BTF has a fault: it is likely that it finds one.
    Btf,
    /// Its BTF brings the types of another kernel that it uses (`.BTF.base`); this one refuses it if it does not have one of them.
    BtfBase,
    /// Its distributor does not support it, and SUSE's modprobe is configured to load no such module (`allow_unsupported_modules`).
    Unsupported,
}

impl Warning {
    /// The name in `--json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Breaks { .. } => "breaks",
            Self::MayClash { .. } => "may-clash",
            Self::WeakNeed { .. } => "weak-need",
            Self::Signer { .. } => "signer",
            Self::Enrolment { .. } => "enrolment",
            Self::Untrusted { .. } => "untrusted",
            Self::Btf => "btf",
            Self::BtfBase => "btf-base",
            Self::Unsupported => "unsupported",
        }
    }

    /// The other module concerned, if one is.
    pub fn module(&self) -> Option<&str> {
        match self {
            Self::Breaks { user, .. } => Some(user),
            Self::MayClash { with, .. } => Some(with),
            Self::WeakNeed { module, .. } => Some(module),
            Self::Signer { .. }
            | Self::Enrolment { .. }
            | Self::Untrusted { .. }
            | Self::Btf
            | Self::BtfBase
            | Self::Unsupported => None,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaks { user, reason } => write!(f, "breaks the in-tree module {user}: {}", reason.detail),
            Self::MayClash { with, symbol } => {
                write!(f, "may clash with the module {with} if both are loaded: each exports {symbol}")
            }
            Self::WeakNeed { module, symbol } => write!(
                f,
                "uses {symbol} of {module} where that is loaded, which is incompatible; modprobe gives up if it cannot load it first"
            ),
            Self::Signer { signer } => write!(
                f,
                "signed by {signer}; the kernel takes only modules signed with a key that it knows, and whether it knows this one is not known"
            ),
            Self::Enrolment { signer } => {
                write!(f, "signed by {signer}; {}", KeyTrust::AfterEnrolment)
            }
            Self::Untrusted { reason } => f.write_str(&reason.detail),
            Self::Btf => f.write_str(
                "its .BTF was made for another kernel's types; the kernel refuses it if it finds a type or a name that cannot be, which is likely",
            ),
            Self::BtfBase => f.write_str(
                "its .BTF uses types of the kernel that it was built for (.BTF.base); the kernel refuses it if it has not each of them, which is not known",
            ),
            Self::Unsupported => f.write_str(
                "not supported by the distributor; SUSE's modprobe does not load it before allow_unsupported_modules is 1 in modprobe.d",
            ),
        }
    }
}

/// Whether a kernel would load a module, and if not, every reason; those about the module as a whole come first.
///
/// That it would not load, and that it breaks others, are two statements: [`Self::loads`] and [`Self::breaks`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What speaks against linking it: that it would not load or, after [`Self::refuse_breaks`], what it breaks.
    pub reasons: Vec<Reason>,
    /// Warnings, one of a kind for each other module concerned.
    pub warnings: Vec<Warning>,
    /// Does the kernel know the key that signed it, whether it asks for that or not? `None`: it is not signed.
    pub key: Option<KeyTrust>,
}

impl Verdict {
    /// Whether nothing speaks against linking it: it would load, and it breaks nothing that it is to spare.
    pub fn fits(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether the kernel would load it, whatever it breaks; `None`: that is not known.
    pub fn loads(&self) -> Option<bool> {
        match () {
            () if self.refusals().next().is_none() => Some(true),
            () if self.refusals().all(|r| r.rule == Rule::Unread) => None,
            () => Some(false),
        }
    }

    /// The reasons why it would not load.
    pub fn refusals(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(|r| r.rule.kind() != Kind::Policy).chain(self.untrusted())
    }

    /// Why the kernel would refuse it for the key that signed it, though it is linked.
    pub fn untrusted(&self) -> Option<&Reason> {
        self.warnings.iter().find_map(|warning| match warning {
            Warning::Untrusted { reason } => Some(reason),
            _ => None,
        })
    }

    /// The warnings that are no [refusal](Self::refusals).
    pub fn notes(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.iter().filter(|warning| !matches!(warning, Warning::Untrusted { .. }))
    }

    /// The in-tree modules that would no longer load beside it, each as a reason not to link it.
    pub fn breaks(&self) -> impl Iterator<Item = Reason> + use<'_> {
        self.warnings.iter().filter_map(|warning| match warning {
            Warning::Breaks { user, reason } => {
                let detail = format!("the in-tree module {user} would no longer load: {}", reason.detail);
                Some(Reason { rule: Rule::Breaks, detail, ..reason.clone() })
            }
            _ => None,
        })
    }

    /// Whether nothing can be said, because something could not be read. If the module would be refused anyway, it is not
    /// unknown.
    pub fn is_unknown(&self) -> bool {
        !self.fits() && self.reasons.iter().all(|r| r.rule == Rule::Unread)
    }

    /// Makes the in-tree modules that it breaks reasons not to link it.
    pub fn refuse_breaks(&mut self) {
        let breaks: Vec<Reason> = self.breaks().collect();
        self.reasons.extend(breaks);
    }

    /// The verdict on a module whose contents are missing.
    pub fn of_fault(fault: &ModuleFault) -> Self {
        let rule = if fault.is_unread() { Rule::Unread } else { Rule::Malformed };
        Self { reasons: vec![Reason::new(rule, fault.to_string())], ..Self::default() }
    }

    /// An unknown verdict, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { reasons: vec![Reason::new(Rule::Unread, why)], ..Self::default() }
    }
}
