// SPDX-License-Identifier: LGPL-2.1-or-later
//! Plans of small worlds made by hand.

mod choice;
mod clashes;
mod complete;
mod giving_way;
mod growth;
mod held;
mod random;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use testkit::{KernelBuilder, ModuleBuilder};

use super::{Decision, Held, KernelPlan, Kmp, Native, PlannedModule, Site};
use crate::abi::{Kernel, Malformed, Module, ModuleFault, Rule, Verdict};
use crate::config::Wish;
use crate::ids::{Id, KmpId, List};
use crate::made::{kernel, parse};

/// The kernel of most tests, and the release that most modules are built for.
const KREL: &str = "6.4.0-1-default";

/// Where packages of these tests are built for, unless they say otherwise.
const ORIGIN: &str = "6.4.0-0-default";

/// An installed package: name, version, origin and modules.
struct Installed {
    package: &'static str,
    version: u32,
    origin: &'static str,
    flavour: Option<&'static str>,
    modules: Vec<(String, Result<Module, ModuleFault>)>,
    broken: Option<&'static str>,
}

impl Installed {
    fn new(package: &'static str, version: u32, modules: &[ModuleBuilder]) -> Self {
        let modules = modules.iter().map(parse).map(|m| (format!("{}.ko", m.name), Ok(m))).collect();
        Self { package, version, origin: ORIGIN, flavour: Some("default"), modules, broken: None }
    }

    fn origin(mut self, origin: &'static str) -> Self {
        self.origin = origin;
        self
    }

    fn flavour(mut self, flavour: &'static str) -> Self {
        self.flavour = Some(flavour);
        self
    }

    fn unreadable(mut self, file: &str) -> Self {
        self.modules.push((file.into(), Err(Malformed::Empty.into())));
        self
    }
}

/// A kernel and what is on it.
struct Place {
    builder: KernelBuilder,
    kernel: Kernel,
    in_tree: Option<HashSet<Box<str>>>,
    natives: Vec<(&'static str, Module, Option<KmpId>)>,
    foreign: Vec<Box<str>>,
    inert: Vec<&'static str>,
    spares_in_tree: bool,
    users: Vec<(&'static str, &'static str, Module)>,
}

impl Place {
    fn new(builder: KernelBuilder) -> Self {
        let kernel = kernel(&builder);
        Self {
            builder,
            kernel,
            in_tree: None,
            natives: vec![],
            foreign: vec![],
            inert: vec![],
            spares_in_tree: false,
            users: vec![],
        }
    }

    /// A driver as built with this kernel's symbols.
    fn driver(&self, name: &str) -> ModuleBuilder {
        self.builder.driver(name)
    }

    fn native(&mut self, name: &'static str, module: &ModuleBuilder, kmp: Option<KmpId>) {
        self.natives.push((name, parse(module), kmp));
    }

    /// The plan for packages in any order; indices are those of the order that the plan wants.
    fn plan(&self, installed: &mut [Installed]) -> KernelPlan {
        installed.sort_by(|a, b| a.package.cmp(b.package).then(b.version.cmp(&a.version)));
        self.site().plan(&kmps(installed))
    }

    fn site(&self) -> Site<'_> {
        let mut users: HashMap<&str, Vec<(&str, &Module)>> = HashMap::new();
        for (replaced, user, module) in &self.users {
            users.entry(replaced).or_default().push((user, module));
        }
        Site {
            kernel: &self.kernel,
            in_tree: self.in_tree.as_ref(),
            natives: self
                .natives
                .iter()
                .map(|(name, module, kmp)| Native { name, module: Ok(module), kmp: *kmp })
                .collect(),
            foreign: self
                .foreign
                .iter()
                .map(|name| (name.clone(), "a file that is not kmp's".into()))
                .collect(),
            inert: self.inert.iter().copied().collect(),
            spares_in_tree: self.spares_in_tree,
            users,
            held: Held::default(),
        }
    }
}

/// The id of the KMP at a place.
fn id(place: usize) -> KmpId {
    KmpId::at(place)
}

fn kmps(installed: &[Installed]) -> List<KmpId, Kmp<'_>> {
    let planned = |kmp: &'_ Installed, file: &'_ str| {
        let below = PathBuf::from("updates").join(file);
        (below.clone(), PathBuf::from("/usr/lib/modules").join(kmp.origin).join(below))
    };
    installed
        .iter()
        .map(|kmp| Kmp {
            package: kmp.package,
            flavour: kmp.flavour,
            origin: kmp.origin,
            modules: kmp
                .modules
                .iter()
                .map(|(file, module)| {
                    let (link, target) = planned(kmp, file);
                    let name = file.split('.').next().unwrap_or(file);
                    PlannedModule { name, module: module.as_ref(), link, target }
                })
                .collect(),
            broken: kmp.broken,
            unread: None,
            wish: Wish::default(),
        })
        .collect()
}

/// A kernel that exports `printk` with CRC 1.
fn place() -> Place {
    Place::new(KernelBuilder::new(KREL).export("printk", 1))
}

/// What is linked: package and version.
fn linked(plan: &KernelPlan, installed: &[Installed]) -> Vec<(&'static str, u32)> {
    let linked = plan.decisions.iter().zip(installed).filter(|(d, _)| **d == Decision::Link);
    linked.map(|(_, i)| (i.package, i.version)).collect()
}

fn rules(verdicts: &[Verdict]) -> Vec<Vec<Rule>> {
    verdicts.iter().map(|v| v.reasons.iter().map(|r| r.rule).collect()).collect()
}
