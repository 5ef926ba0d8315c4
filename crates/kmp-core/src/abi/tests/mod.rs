// SPDX-License-Identifier: LGPL-2.1-or-later
//! One test states one rule of the kernel's loader (`kernel/module/main.c`, `kernel/module/version.c`).

mod bad_input;
mod closure;
mod exports;
mod hostile;
mod in_tree;
mod module;
mod rebuild;
mod symbols;
mod symvers;
mod versions;
mod whole_module;

use std::collections::HashSet;

use testkit::{KernelBuilder, ModuleBuilder};

use super::{
    Candidate, Kernel, KernelConfig, Module, Reason, Role, Rule, SymbolTable, Traits, Verdict, World,
};

/// The kernel of most tests, and the release that most modules are built for.
pub(crate) const KREL: &str = "6.4.0-1-default";

/// The module as read from its bytes.
pub(crate) fn parse(module: &ModuleBuilder) -> Module {
    Module::parse(&module.build(), "file_name").unwrap()
}

/// The kernel with what its files would tell of it.
pub(crate) fn kernel(kernel: &KernelBuilder) -> Kernel {
    Kernel {
        release: kernel.krel().into(),
        traits: Traits::of(&parse(&kernel.driver("sample"))),
        symbols: SymbolTable::parse(kernel.full_symvers().to_text().into_bytes()).unwrap(),
        config: KernelConfig { extended_versions: Some(false), ..KernelConfig::default() },
    }
}

/// Judges the modules together, beside all in-tree modules of the kernel's table.
fn judge(kernel: &Kernel, modules: &[ModuleBuilder]) -> Vec<Verdict> {
    judge_beside(kernel, None, modules)
}

fn judge_beside(kernel: &Kernel, in_tree: Option<&[&str]>, modules: &[ModuleBuilder]) -> Vec<Verdict> {
    let in_tree = in_tree.map(|names| names.iter().map(|n| Box::from(*n)).collect::<HashSet<_>>());
    let modules: Vec<Module> = modules.iter().map(parse).collect();
    let set = modules.iter().map(|m| Candidate { name: &m.name, module: m, role: Role::Judged });
    World::new(kernel, in_tree.as_ref(), set.collect()).judge()
}

/// Every reason against one module alone.
fn reasons(kernel: &Kernel, module: &ModuleBuilder) -> Vec<Reason> {
    judge(kernel, std::slice::from_ref(module)).remove(0).reasons
}

/// The rules that one module alone breaks.
fn broken(kernel: &Kernel, module: &ModuleBuilder) -> Vec<Rule> {
    reasons(kernel, module).into_iter().map(|r| r.rule).collect()
}

fn rules(verdicts: &[Verdict]) -> Vec<Vec<Rule>> {
    verdicts.iter().map(|v| v.reasons.iter().map(|r| r.rule).collect()).collect()
}

/// Seeded numbers (splitmix64): the same test each time.
pub(crate) struct Numbers(pub u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
