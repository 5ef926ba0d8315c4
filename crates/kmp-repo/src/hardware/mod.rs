// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages of drivers in repositories, by the devices that they say they are for.
//!
//! SUSE's say it as libzypp wants it, `Supplements: modalias(kernel-FLAVOUR:PATTERN)`; Red Hat's as `Provides: modalias(PATTERN)`, which no
//! solver uses.

mod fits;

use kmod_abi::modalias;

use crate::kept::{Cache, Extract, Selection};
use crate::offer::{CONCERNED, Concern};
use crate::repository::MetadataDir;
use crate::rpmmd::{Listed, Role};
use crate::update::{Offer, Source};

pub use fits::Fit;

/// A pattern of a package's, against which devices' aliases are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The package of the kernel for which it holds; `None`: any.
    pub kernel: Option<String>,
    /// The pattern.
    pub text: String,
    /// libzypp's: each character counts. Else it is taken as libkmod takes those of modules.
    pub is_exact: bool,
}

impl Pattern {
    /// Does it fit a device's alias?
    pub fn claims(&self, alias: &str) -> bool {
        if self.is_exact { modalias::fnmatch(&self.text, alias) } else { modalias::claims(&self.text, alias) }
    }

    /// The patterns in the name of a capability; several in a rich dependency.
    fn of(role: Role, name: &str) -> Vec<Self> {
        let mut found = Vec::new();
        for (at, _) in name.match_indices("modalias(") {
            let inside = &name[at + "modalias(".len()..];
            let Some(end) = inside.find(')') else { continue };
            let (kernel, text) = match inside[..end].split_once(':') {
                // A bus is never called so.
                Some((kernel, text)) if kernel == "kernel" || kernel.starts_with("kernel-") => {
                    (Some(kernel.to_owned()), text)
                }
                _ => (None, &inside[..end]),
            };
            let is_exact = role == Role::Supplements;
            let text = if is_exact { decoded(text) } else { text.to_owned() };
            found.push(Self { kernel, text, is_exact });
        }
        found
    }

    /// Those of a package.
    pub fn all(package: &Listed) -> Vec<Self> {
        let of = |role| package.capabilities(role).flat_map(move |c| Self::of(role, c.name));
        of(Role::Supplements).chain(of(Role::Provides)).collect()
    }
}

/// `%2C` is `,`: what names of dependencies cannot hold.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let hex = |b: &u8| char::from(*b).to_digit(16);
        match others {
            [a, b, others @ ..] if *first == b'%' && hex(a).is_some() && hex(b).is_some() => {
                let byte = hex(a).zip(hex(b)).map_or(0, |(a, b)| a * 16 + b);
                bytes.push(u8::try_from(byte).unwrap_or_default());
                rest = others;
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A package of drivers that says for which devices it is.
#[derive(Debug)]
pub struct Driver {
    /// The package.
    pub offer: Offer,
    /// The smaller, the better.
    pub priority: u32,
    /// What it says.
    pub patterns: Vec<Pattern>,
}

/// What repositories have.
#[derive(Debug, Default)]
pub struct Drivers {
    /// Of each package the newest version that fits one of the devices, the better repository first.
    pub drivers: Vec<Driver>,
    /// Repositories that could not be read.
    pub problems: Vec<String>,
}

/// The most packages that are kept.
const MOST: usize = 2_000;

/// Architectures of packages that run on this machine.
fn is_of_machine(arch: &str) -> bool {
    let own = match std::env::consts::ARCH {
        "powerpc64" => "ppc64le",
        own => own,
    };
    arch == own || arch == "noarch"
}

impl Drivers {
    /// Reads repositories, or what an update has kept of them. One that cannot be read is left out, with a line about it. `has`: is there a device that the pattern fits?
    pub fn read(mut sources: Vec<Source<'_>>, cache: &Cache<'_>, has: &dyn Fn(&Pattern) -> bool) -> Self {
        sources.sort_by_key(|source| source.priority);
        let mut found = Self::default();
        for source in &sources {
            // What a list said counts once its checksum agreed.
            let mut own: Vec<Driver> = Vec::new();
            let take = |own: &mut Vec<Driver>, package: &Listed| {
                let is_driver = is_of_machine(package.arch()) && Concern::of(package) == Concern::Driver;
                let patterns = if is_driver { Pattern::all(package) } else { Vec::new() };
                if own.len() < MOST && patterns.iter().any(has) {
                    let mut package = package.clone();
                    package.shrink();
                    let offer = Offer { package, repository: source.id.clone() };
                    own.push(Driver { offer, priority: source.priority, patterns });
                }
            };
            let dir = MetadataDir::new(source.root, &source.dir);
            let read = dir.summed_repomd().and_then(|(repomd, key)| {
                let kept = cache.load(&key);
                let of_kept = |kept: Extract| kept.packages(&Selection::ALL, &mut |p| take(&mut own, p));
                match kept.and_then(of_kept) {
                    Some(_) => Ok(()),
                    None => {
                        own.clear();
                        dir.packages(&repomd, &CONCERNED, &mut |package| take(&mut own, package))
                    }
                }
            });
            match read {
                Ok(()) => found.drivers.append(&mut own),
                Err(e) => found.problems.push(format!("repository {} is left out: {e}", source.id)),
            }
        }
        found.drivers.truncate(MOST);
        // Of each package the newest of the best repository that has it.
        found.drivers.sort_by(|a, b| {
            let (one, other) = (&a.offer.package, &b.offer.package);
            one.name()
                .cmp(other.name())
                .then(a.priority.cmp(&b.priority))
                .then_with(|| other.evr().compare(&one.evr()))
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(role: Role, name: &str) -> Vec<(Option<String>, String)> {
        Pattern::of(role, name).into_iter().map(|pattern| (pattern.kernel, pattern.text)).collect()
    }

    #[test]
    fn patterns_are_read_from_both_forms() {
        let suse = "modalias(kernel-default:of:N*T*Cacme%2Ccam[12]*)";
        assert_eq!(
            of(Role::Supplements, suse),
            [(Some("kernel-default".into()), "of:N*T*Cacme,cam[12]*".into())]
        );
        assert_eq!(of(Role::Supplements, "modalias(pci:v%zz*)"), [(None, "pci:v%zz*".into())]);
        let rich = "(modalias(pci:v1*) or modalias(kernel:pci:v2*))";
        assert_eq!(of(Role::Supplements, rich).len(), 2);
        assert_eq!(of(Role::Provides, "modalias(usb:v0B95p178A*)"), [(None, "usb:v0B95p178A*".into())]);
        for nothing in ["packageand(kernel-default:x)", "modalias(pci:v1*", "kmod(x.ko)", ""] {
            assert_eq!(of(Role::Supplements, nothing), [], "{nothing}");
        }
    }

    /// libzypp compares each character; libkmod takes `-` for `_`.
    #[test]
    fn each_solver_has_rules_of_its_own() {
        let pattern = |role, name: &str| Pattern::of(role, name).remove(0);
        let (exact, modules) = (
            pattern(Role::Supplements, "modalias(kernel-default:acpi*:PNP-0C0A:*)"),
            pattern(Role::Provides, "modalias(acpi*:PNP-0C0A:*)"),
        );
        assert!(exact.claims("acpi:PNP-0C0A:") && !exact.claims("acpi:PNP_0C0A:"));
        assert!(modules.claims("acpi:PNP_0C0A:"));
    }
}
