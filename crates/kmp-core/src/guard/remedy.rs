// SPDX-License-Identifier: LGPL-2.1-or-later
//! What helps against the loss of a driver: it depends on the reason. Pure.

use super::given::Given;
use super::lost::Lost;
use crate::abi::{Reason, Rule};
use crate::survey::Survey;

/// What helps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Remedy {
    /// A version that was built for the kernel.
    #[default]
    Rebuild,
    /// A package of the kernel that is not installed: that with this in-tree module, a path as symvers has it.
    KernelPackage {
        /// The module.
        exporter: String,
        /// The name of the package that has it of the kernels that are there.
        package: Option<String>,
    },
    /// What the driver uses was in an in-tree module of the old kernel, and the new one exports it no more.
    NewerSource {
        /// The symbol.
        symbol: String,
        /// The module that had it.
        exporter: String,
    },
    /// No build of this source: the kernel keeps the symbol for modules of a licence compatible with the GPL.
    Licence {
        /// The symbol.
        symbol: String,
    },
    /// A signature that the kernel takes.
    Signature,
    /// Another package, without which it does not load: that with this module.
    OtherDriver {
        /// The module.
        module: String,
    },
    /// To leave the version that works where it is.
    Keep,
    /// To erase it in a transaction of its own, if that is what somebody wants.
    EraseAlone,
    /// To keep the kernel that the package manager would push out, for which the driver is erased.
    KeepKernel {
        /// Its release.
        kernel: String,
        /// How many kernels there are then.
        kernels: usize,
    },
}

/// What helps against `lost`. A kernel that comes wants another driver; one that stays wants its own back.
pub(super) fn remedy(lost: &Lost, survey: &Survey, given: &Given<'_>) -> Remedy {
    if lost.is_erased {
        return Remedy::EraseAlone;
    }
    if !lost.role.runs_next() {
        return Remedy::Keep;
    }
    let first = |cure: Cure| lost.reasons.iter().find(|r| cure_of(r.rule) == cure);
    let symbol = |r: &Reason| r.symbol.as_deref().unwrap_or_default().to_string();
    let exporter = |r: &Reason| r.exporter.as_deref().unwrap_or_default().to_string();
    if let Some(reason) = first(Cure::Licence) {
        return Remedy::Licence { symbol: symbol(reason) };
    }
    let is_missing = |r: &&Reason| cure_of(r.rule) == Cure::Exporter;
    // Whatever else there is, it has to be built anew.
    if first(Cure::Rebuild).is_none() {
        // The kernel has the exporter, but not installed.
        if let Some(reason) = lost.reasons.iter().filter(is_missing).find(|r| r.exporter.is_some()) {
            let exporter = exporter(reason);
            return Remedy::KernelPackage { package: (given.package_of)(&exporter), exporter };
        }
        if first(Cure::Exporter).is_none() {
            if first(Cure::Signature).is_some() {
                return Remedy::Signature;
            }
            if let Some(reason) = first(Cure::OtherDriver).filter(|r| r.exporter.is_some()) {
                return Remedy::OtherDriver { module: exporter(reason) };
            }
        }
    }
    let in_old = lost.reasons.iter().filter(is_missing).find_map(|reason| {
        let symbol = reason.symbol.as_deref()?;
        let old = survey.kernels.iter().find_map(|k| k.kernel.symbols.get(symbol))?;
        (!old.is_builtin()).then(|| (symbol.to_string(), old.exporter.to_string()))
    });
    match in_old {
        Some((symbol, exporter)) => Remedy::NewerSource { symbol, exporter },
        None => Remedy::Rebuild,
    }
}

/// What ends a reason against a module.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// The module built for the kernel that comes.
    Rebuild,
    /// Another licence.
    Licence,
    /// Somebody who exports the symbol.
    Exporter,
    /// A signature.
    Signature,
    /// A version of the driver that it needs.
    OtherDriver,
    /// Nothing that could be advised.
    Nothing,
}

fn cure_of(rule: Rule) -> Cure {
    match rule {
        Rule::Architecture
        | Rule::Vermagic
        | Rule::StructSize
        | Rule::NoVersion
        | Rule::ModuleLayout
        | Rule::ExportForm
        | Rule::Crc
        | Rule::Btf
        | Rule::Namespace
        | Rule::DuplicateExport => Cure::Rebuild,
        Rule::License => Cure::Licence,
        Rule::UnknownSymbol => Cure::Exporter,
        Rule::Signature => Cure::Signature,
        Rule::Depends => Cure::OtherDriver,
        Rule::Unread
        | Rule::Malformed
        | Rule::UnknownCrc
        | Rule::BuiltIn
        | Rule::Support
        | Rule::Cycle
        | Rule::Breaks => Cure::Nothing,
    }
}
