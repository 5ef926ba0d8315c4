// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether a driver fits a kernel, by the symbols in the metadata of both.

use kmod_abi::rule::Kind;
use kmod_abi::{Candidate, Reason, Role as Part, Verdict, World};
use kmod_abi::{Kernel, Module, capability};

use crate::offer;
use crate::rpmmd::Listed;

/// What metadata says of a driver in a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// Each symbol that it asks for is there in that version. The loader has more rules, which metadata says nothing of.
    Fits,
    /// It would not load, or one that it needs would not.
    Breaks(Vec<Reason>),
    /// Metadata does not say: the kernel lists no symbols, or not all, or the driver asks for none.
    Unknown,
    /// It is for another flavour of kernel, in SUSE's dialect.
    OtherFlavour,
}

/// A kernel that comes, by its packages' Provides.
#[derive(Debug)]
pub struct OfferedKernel {
    kernel: Kernel,
    /// Of the symbols; Red Hat's have none. `None`: there are no symbols.
    flavour: Option<Option<String>>,
}

impl OfferedKernel {
    /// Of all packages that are one kernel: Red Hat's symbols are in kernel-core, kernel-modules-core and others.
    pub fn new<'p>(release: &str, packages: impl IntoIterator<Item = &'p Listed>) -> Self {
        let mut flavour = None;
        let symbols = packages.into_iter().flat_map(offer::symbols).inspect(|symbol| {
            flavour.get_or_insert_with(|| symbol.flavour.map(str::to_owned));
        });
        let kernel = Kernel::of_symbols(release, capability::table(symbols));
        Self { kernel, flavour }
    }

    /// What becomes of drivers that are installed together, in their order.
    pub fn judge(&self, drivers: &[&Listed]) -> Vec<Fit> {
        let modules: Vec<Module> = drivers.iter().map(|driver| declared(driver)).collect();
        let candidate = |(driver, module): (&&Listed, _)| (driver.name().replace('-', "_"), module);
        let named: Vec<(String, &Module)> = drivers.iter().zip(&modules).map(candidate).collect();
        let set = named.iter().map(|(name, module)| Candidate { name, module, role: Part::Judged });
        let verdicts = World::new(&self.kernel, None, set.collect()).judge();
        let fit = |(verdict, driver): (Verdict, &&Listed)| {
            let mut needs = offer::needs(driver).peekable();
            if self.flavour.is_none() || needs.peek().is_none() {
                return Fit::Unknown;
            }
            if needs.any(|need| need.flavour != self.flavour.as_ref().and_then(|f| f.as_deref())) {
                return Fit::OtherFlavour;
            }
            let reasons: Vec<Reason> = verdict.reasons;
            if reasons.iter().any(|reason| reason.rule.kind() != Kind::Unknown) {
                Fit::Breaks(reasons)
            } else if reasons.is_empty() {
                Fit::Fits
            } else {
                Fit::Unknown
            }
        };
        verdicts.into_iter().zip(drivers).map(fit).collect()
    }
}

/// One module that stands for all of a package's.
fn declared(package: &Listed) -> Module {
    let own = |(symbol, crc): (&str, u32)| (symbol.into(), crc);
    Module::declared(
        offer::needs(package).map(|c| own((c.symbol, c.crc))),
        offer::symbols(package).map(|c| own((c.symbol, c.crc))),
    )
}
