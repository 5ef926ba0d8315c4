// SPDX-License-Identifier: LGPL-2.1-or-later
//! One test states one rule of the kernel's loader (`kernel/module/main.c`, `kernel/module/version.c`).

mod bad_input;
mod closure;
mod exports;
mod hostile;
mod in_tree;
mod module;
mod rebuild;
mod rules;
mod sections;
mod symbols;
mod symvers;
mod versions;
mod whole_module;

use std::collections::HashSet;

use testkit::{KernelBuilder, ModuleBuilder};

use super::{
    Candidate, Kernel, KernelConfig, Module, Reason, Role, Rule, Signing, SymbolTable, Traits, Verdict, World,
};

/// The kernel of most tests, and the release that most modules are built for.
const KREL: &str = "6.4.0-1-default";

/// The module as read from its bytes.
fn parse(module: &ModuleBuilder) -> Module {
    Module::parse(&module.build(), "file_name").unwrap()
}

/// The kernel with what its files would say of it.
fn kernel(kernel: &KernelBuilder) -> Kernel {
    Kernel {
        release: kernel.krel().into(),
        traits: Traits::of(&parse(&kernel.driver("sample"))),
        symbols: SymbolTable::parse(kernel.full_symvers().to_text().into_bytes()).unwrap(),
        config: KernelConfig { extended_versions: Some(false), ..KernelConfig::default() },
        builtin: HashSet::new(),
        signing: Signing::default(),
        supported_only: None,
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
