//! Which drivers an rpm transaction would lose. Pure.
//!
//! A driver is lost
//! * when a KMP works with a kernel now (the running one, or the newest of its flavour) and no version of
//!   it, installed or coming, would work with a kernel that comes;
//! * when the transaction takes away or replaces the only version that works with a kernel that stays.
//!
//! Removing every version of a package, with nothing coming in its place, is what somebody wants, and no
//! loss; so is a module that no package owns: who built it builds it anew. Only what is found counts: what cannot be judged (a version that is not known, a module that
//! cannot be read) is no loss, either.

mod after;
mod elements;
mod incoming;
mod lost;
mod preview;

pub use after::Source;
pub use elements::{Circumstances, Elements, Finding, judge};
pub use incoming::{IncomingKernel, IncomingKmp, IncomingModule, Transaction};
pub use lost::{Lost, lost};
pub use preview::{PackageVerdicts, Present, preview};

#[cfg(test)]
mod tests;
